"""The simulated network: directional delays with jitter, loss, cuts, machines that go dark.

Between processes there are TCP-like connections (in order, nothing lost while they live: a lost
packet is a delay) and single calls with a time limit. A cut makes messages wait; a connection that
stays cut is given up by its client's keepalive. Raft messages stand alone: options may have them
repeated, and overtake each other.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tests.sim.catalogue import Coverage
from tests.sim.process import Process
from tests.sim.schedule import Schedule
from tests.sim.ways import ALL_PLANES, Late, NetworkOptions, Pair, Plane, Way

_RETRANSMIT_MS = 200
_RETRANSMIT_MS_MAX = 3_200
_GREET_AGAIN_MS = 1_000
# A repeated message comes soon after the first, or, one in ten, so late that it is history.
_REPEATED_MS = 300
_REPEATED_LATE_MS = 15_000
_LATE_SHARE = 0.1
_OVERTAKEN_MS = 400

__all__ = [
    "ALL_PLANES",
    "Connection",
    "Late",
    "Network",
    "NetworkOptions",
    "Pair",
    "Plane",
    "Way",
]


class _End:
    """One end of a connection, and what is on its way to it."""

    __slots__ = (
        "_network",
        "_way",
        "connection",
        "inbox",
        "incarnation",
        "is_pumping",
        "is_told",
        "last_due_ms",
        "on_broken",
        "on_payload",
        "process",
        "pump",
        "retry_ms",
    )

    def __init__(self, network: "Network", process: Process, way: Way) -> None:
        self._network = network
        self._way = way
        self.connection: Connection
        self.process = process
        self.incarnation = process.incarnation
        self.on_payload: Callable[[Any], None] = _ignore
        self.on_broken: Callable[[], None] = _nothing
        self.inbox: deque[tuple[int, Any]] = deque()
        self.last_due_ms = 0
        self.is_pumping = False
        self.retry_ms = _RETRANSMIT_MS
        self.is_told = False
        # Bound once: it is scheduled for every message.
        self.pump = self._pump

    def send(self, payload: object) -> None:
        """Send ``payload`` to this end."""
        network = self._network
        now_ms = network.schedule.now_ms
        due_ms = now_ms + network.draw_ms(self._way)
        due_ms = max(due_ms, self.last_due_ms)
        self.last_due_ms = due_ms
        self.inbox.append((due_ms, payload))
        if not self.is_pumping:
            self.is_pumping = True
            network.schedule.after(due_ms - now_ms, self.pump)

    def _pump(self) -> None:
        schedule, inbox, connection = self._network.schedule, self.inbox, self.connection
        self.is_pumping = False
        while inbox and connection.is_open and inbox[0][0] <= schedule.now_ms:
            if self._way.is_cut:
                self.is_pumping = True
                schedule.after(self.retry_ms, self.pump)
                self.retry_ms = min(2 * self.retry_ms, _RETRANSMIT_MS_MAX)
                return
            self.retry_ms = _RETRANSMIT_MS
            payload = inbox.popleft()[1]
            process = self.process
            if process.running == self.incarnation:
                self._arrive(payload)
            else:
                process.post(partial(self._arrive, payload), self.incarnation)
        if inbox and connection.is_open and not self.is_pumping:
            self.is_pumping = True
            schedule.after(inbox[0][0] - schedule.now_ms, self.pump)

    def _arrive(self, payload: object) -> None:
        if not self.is_told:
            self.on_payload(payload)


def _ignore(_: object) -> None:
    """Nobody listens yet."""


def _nothing() -> None:
    """Nobody has to be told yet."""


class Connection:
    """One stream between a client and a server."""

    def __init__(self, network: "Network", client: Process, server: Process, plane: Plane) -> None:
        self.plane = plane
        self.is_open = True
        self._network = network
        self._out = network.way(client, server, plane)
        self._back = network.way(server, client, plane)
        self.client = _End(network, client, self._back)
        self.server = _End(network, server, self._out)
        self.client.connection = self.server.connection = self

    def to_server(self, payload: object) -> None:
        if self.is_open:
            self.server.send(payload)

    def to_client(self, payload: object) -> None:
        if self.is_open:
            self.client.send(payload)

    def is_blocked(self) -> bool:
        """Whether the client's keepalive gets no answer now."""
        return self._out.is_cut or self._back.is_cut or self.server.process.is_paused

    def close(self) -> None:
        """Given up by one end; the other learns of it when word can reach it."""
        self.is_open = False
        for end in (self.client, self.server):
            delay_ms = self._network.draw_ms(self._out)
            self._network.schedule.after(delay_ms, partial(self._tell, end))

    def _tell(self, end: _End) -> None:
        if end.is_told or (end is self.server and self._out.is_cut):
            return
        end.is_told = True
        end.process.post(end.on_broken, end.incarnation)


class _Call:
    """One call under way. Its time limit is an event only once it may matter."""

    __slots__ = (
        "_back",
        "_callee",
        "_caller",
        "_due_ms",
        "_handle",
        "_incarnation",
        "_is_done",
        "_is_limited",
        "_network",
        "_on_reply",
        "_out",
        "_value",
    )

    def __init__(
        self,
        network: "Network",
        ways: tuple[Way, Way],
        ends: tuple[Process, Process],
        handle: Callable[[], Any],
        on_reply: Callable[[Any], None],
        within_ms: int,
    ) -> None:
        self._network = network
        self._out, self._back = ways
        self._caller, self._callee = ends
        self._incarnation = self._caller.incarnation
        self._handle = handle
        self._on_reply = on_reply
        # In true time: the limit is the caller's, by its own clock.
        within_true_ms = self._caller.clock.true_delay_ms(within_ms)
        self._due_ms = network.schedule.now_ms + within_true_ms
        self._is_done = self._is_limited = False
        self._value: Any = None

    def begin(self) -> None:
        callee = self._callee
        if self._out.is_local and callee.running == callee.incarnation:
            # What takes no time needs no event of its own.
            self._serve()
            return
        network = self._network
        network.schedule.after(network.draw_ms(self._out), self._arrive)

    def _arrive(self) -> None:
        callee = self._callee
        if self._out.is_cut:
            self._limit()
        elif callee.running == callee.incarnation:
            self._serve()
        elif callee.is_up:
            self._limit()
            callee.post(self._serve, callee.incarnation)
        else:
            self._answer(None, 0)

    def _serve(self) -> None:
        value = self._handle()
        if isinstance(value, Late):
            self._answer(value.value, value.after_ms)
        else:
            self._answer(value, 0)

    def _answer(self, value: object, after_ms: int) -> None:
        network = self._network
        self._value = value
        delay_ms = after_ms + network.draw_ms(self._back)
        if network.schedule.now_ms + delay_ms >= self._due_ms:
            self._limit()
        network.schedule.after(delay_ms, self._return)

    def _return(self) -> None:
        caller = self._caller
        if self._back.is_cut:
            self._limit()
        elif caller.running == self._incarnation:
            self._reply()
        else:
            caller.post(self._reply, self._incarnation)

    def _reply(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._on_reply(self._value)

    def _limit(self) -> None:
        """The answer may be late, or never come."""
        if not self._is_limited:
            self._is_limited = True
            schedule = self._network.schedule
            left_ms = max(0, self._due_ms - schedule.now_ms)
            schedule.put(left_ms, self._caller, self._incarnation, self._give_up)

    def _give_up(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._on_reply(None)


class _Parcel:
    """One message under way."""

    __slots__ = ("_deliver", "_incarnation", "_on_lost", "_sender", "_to", "_way")

    def __init__(
        self,
        way: Way,
        sender: Process,
        to: Process,
        deliver: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._way = way
        self._sender = sender
        self._incarnation = sender.incarnation
        self._to = to
        self._deliver = deliver
        self._on_lost = on_lost

    def arrive(self) -> None:
        to = self._to
        if self._way.is_cut:
            return
        if to.running == to.incarnation:
            self._deliver()
        elif to.is_up:
            to.post(self._deliver, to.incarnation)
        else:
            self._sender.post(self._on_lost, self._incarnation)


class Network:
    """Everything between the machines.

    Attributes:
        coverage: Where faults of the network itself are counted.
    """

    def __init__(self, schedule: Schedule, options: NetworkOptions, rng: random.Random) -> None:
        self.schedule = schedule
        self.coverage = Coverage()
        self._options = options
        self._rng = rng
        self._random = rng.random
        self._cuts_by_name: dict[str, set[tuple[str, str, Plane]]] = {}
        self._slow_by_name: dict[str, dict[Pair, int]] = {}
        self._lossy_by_name: dict[str, dict[Pair, float]] = {}
        self._dark: set[str] = set()
        self._connections: list[Connection] = []
        self._ways: dict[tuple[str, str, Plane], Way] = {}

    # -- what is broken --------------------------------------------------------------------------

    def cut(self, name: str, pairs: Iterable[Pair], planes: Iterable[Plane]) -> None:
        """Cut one direction of each pair of hosts, until ``mend`` is given the same name."""
        hosts, hit = list(pairs), list(planes)
        self._cuts_by_name[name] = {(*pair, plane) for pair in hosts for plane in hit}
        self._look_at_ways()
        self.watch_blocked()

    def slow(self, name: str, pairs: Iterable[Pair], extra_ms: int) -> None:
        """Add ``extra_ms`` to one direction of each pair of hosts, until the name is mended."""
        self._slow_by_name[name] = dict.fromkeys(pairs, extra_ms)
        self._look_at_ways()

    def lossy(self, name: str, pairs: Iterable[Pair], share: float) -> None:
        """Have a ``share`` of the packets of each direction sent again, until it is mended."""
        self._lossy_by_name[name] = dict.fromkeys(pairs, share)
        self._look_at_ways()

    def mend(self, name: str) -> None:
        """End whatever has that name, if there is anything."""
        for named in (self._cuts_by_name, self._slow_by_name, self._lossy_by_name):
            named.pop(name, None)
        self._look_at_ways()

    def darken(self, host: str) -> None:
        """A machine is gone without a word: nothing in, nothing out."""
        self._dark.add(host)
        self._look_at_ways()
        self.watch_blocked()

    def lighten(self, host: str) -> None:
        self._dark.discard(host)
        self._look_at_ways()

    def heal(self) -> None:
        for named in (self._cuts_by_name, self._slow_by_name, self._lossy_by_name):
            named.clear()
        self._dark.clear()
        self._look_at_ways()

    def is_cut(self, sender: str, recipient: str, plane: Plane) -> bool:
        return self._way_between(sender, recipient, plane).is_cut

    def way(self, sender: Process, to: Process, plane: Plane) -> Way:
        """Return the way from one process to another, as it is and will be."""
        way = sender.ways.get(to)
        if way is None or way.plane is not plane:
            way = sender.ways[to] = self._way_between(sender.host, to.host, plane)
        return way

    def _way_between(self, sender: str, recipient: str, plane: Plane) -> Way:
        key = (sender, recipient, plane)
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = Way(sender, recipient, plane)
            self._look_at(way)
        return way

    def _look_at_ways(self) -> None:
        for way in self._ways.values():
            self._look_at(way)

    def _look_at(self, way: Way) -> None:
        """Work out what the way is like now."""
        if way.is_local:
            return
        pair = (way.sender, way.recipient)
        link = (*pair, way.plane)
        way.is_cut = (
            way.sender in self._dark
            or way.recipient in self._dark
            or any(link in cut for cut in self._cuts_by_name.values())
        )
        base_ms = self._options.delay_ms.get(pair)
        is_near = base_ms is None
        way.base_ms = 1 if base_ms is None else base_ms
        way.base_ms += sum(each.get(pair, 0) for each in self._slow_by_name.values())
        jitter_ms = max(self._options.jitter_ms, int(way.base_ms * self._options.jitter_share))
        way.spread = 0 if is_near or not jitter_ms else jitter_ms + 1
        way.loss = max(
            0.0 if is_near else self._options.loss,
            *(each.get(pair, 0.0) for each in self._lossy_by_name.values()),
            0.0,
        )

    def delay_ms(self, sender: str, recipient: str) -> int:
        """Draw how long one packet takes, with the times it has to be sent again."""
        return self.draw_ms(self._way_between(sender, recipient, Plane.SERVICE))

    def draw_ms(self, way: Way) -> int:
        """Draw how long one packet takes that way, with the times it has to be sent again."""
        delay_ms = way.base_ms
        if way.spread:
            delay_ms += int(self._random() * way.spread)
        if way.loss:
            again_ms = _RETRANSMIT_MS
            while self._random() < way.loss and again_ms < _RETRANSMIT_MS_MAX:
                delay_ms += again_ms
                again_ms *= 2
        return delay_ms

    # -- connections -----------------------------------------------------------------------------

    def connect(
        self,
        client: Process,
        server: Process,
        plane: Plane,
        on_payload: Callable[[Any], None],
        on_broken: Callable[[], None],
        accept: Callable[[Connection], tuple[Callable[[Any], None], Callable[[], None]]],
    ) -> Connection:
        """Open a stream. ``accept`` is called at the server and returns its two callbacks."""
        connection = Connection(self, client, server, plane)
        client_end, server_end = connection.client, connection.server
        client_end.on_payload, client_end.on_broken = on_payload, on_broken
        self._connections = [each for each in self._connections if each.is_open]
        self._connections.append(connection)
        out, back = self.way(client, server, plane), self.way(server, client, plane)
        greeting_ms = self.draw_ms(out) + self.draw_ms(back)
        client_end.last_due_ms = server_end.last_due_ms = self.schedule.now_ms + greeting_ms

        def arrive() -> None:
            if not connection.is_open:
                return
            if out.is_cut:
                self.schedule.after(_GREET_AGAIN_MS, arrive)
                return
            if not server.is_up:
                connection.close()
                return
            server_end.incarnation = server.incarnation
            server.post(take_in, server.incarnation)

        def take_in() -> None:
            if not server_end.is_told:
                server_end.on_payload, server_end.on_broken = accept(connection)

        self.schedule.after(greeting_ms // 2, arrive)
        self.watch_blocked()
        return connection

    def ended(self, process: Process) -> None:
        """The process ended: whoever it was connected with is told by its machine, if it can."""
        for connection in self._connections:
            ends = (connection.client.process, connection.server.process)
            if connection.is_open and process in ends:
                if self.is_cut(process.host, _other(ends, process).host, connection.plane):
                    self._give_up_later(connection)
                else:
                    connection.close()

    def watch_blocked(self) -> None:
        """Something was cut or stopped: clients of connections that stay so give them up."""
        for connection in self._connections:
            if connection.is_open and connection.is_blocked():
                self._give_up_later(connection)

    def _give_up_later(self, connection: Connection) -> None:
        server, incarnation = connection.server.process, connection.server.incarnation

        def look() -> None:
            is_gone = not server.is_up or server.incarnation != incarnation
            if connection.is_open and (is_gone or connection.is_blocked()):
                connection.close()

        keepalive_ms = self._options.keepalive_ms
        self.schedule.after(keepalive_ms * self._rng.randint(50, 100) // 100, look)

    # -- messages and calls ------------------------------------------------------------------------

    def send(
        self,
        sender: Process,
        to: Process,
        plane: Plane,
        deliver: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        """Send one message, in order with others of the pair; lost if the link is cut.

        On the plane of Raft it may arrive twice, or after those sent later, as the options say.
        """
        way = self.way(sender, to, plane)
        now_ms = self.schedule.now_ms
        parcel = _Parcel(way, sender, to, deliver, on_lost)
        due_ms = now_ms + self.draw_ms(way)
        if plane is Plane.RAFT and (self._options.reordered or self._options.duplicated):
            if self._is_drawn(self._options.duplicated):
                self.coverage.hit(11, "duplicated")
                self.schedule.after(due_ms - now_ms + self._repeat_ms(), parcel.arrive)
            if self._is_drawn(self._options.reordered):
                # It does not hold up those behind it, so that they overtake it.
                self.coverage.hit(11, "reordered")
                late_ms = self._rng.randint(1, _OVERTAKEN_MS)
                self.schedule.after(due_ms - now_ms + late_ms, parcel.arrive)
                return
        due_ms = max(due_ms, way.last_due_ms)
        way.last_due_ms = due_ms
        self.schedule.after(due_ms - now_ms, parcel.arrive)

    def _is_drawn(self, share: float) -> bool:
        return share > 0 and self._random() < share

    def _repeat_ms(self) -> int:
        is_late = self._random() < _LATE_SHARE
        return self._rng.randint(0, _REPEATED_LATE_MS if is_late else _REPEATED_MS)

    def call(
        self,
        caller: Process,
        callee: Process,
        plane: Plane,
        handle: Callable[[], Any],
        on_reply: Callable[[Any], None],
        within_ms: int,
    ) -> None:
        """Call once. ``on_reply`` gets what ``handle`` returned; None if it was not to be had.

        What is handled at once on the same machine is handled within the call; ``on_reply`` never
        is.
        """
        ways = self.way(caller, callee, plane), self.way(callee, caller, plane)
        _Call(self, ways, (caller, callee), handle, on_reply, within_ms).begin()


def _other(ends: tuple[Process, Process], process: Process) -> Process:
    return ends[1] if ends[0] is process else ends[0]
