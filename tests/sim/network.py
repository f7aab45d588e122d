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

from regions.probes.attempts import CONNECT_AGAIN_MS, CONNECTS_MAX
from tests.sim.calls import Call, ProbeCall, Probed
from tests.sim.catalogue import Coverage
from tests.sim.process import Process
from tests.sim.schedule import Schedule
from tests.sim.ways import ALL_PLANES, Late, NetworkOptions, Pair, Plane, Way

_RETRANSMIT_MS = 200
_RETRANSMIT_MS_MAX = 3_200
# The fifth time a packet is sent it arrives.
_AGAIN_MAX = 4
# After how long the next message follows on the same stream. Its acknowledgement shows that one
# before is missing (RFC 8985): that takes a round trip and a quarter, and needs no timer.
_FOLLOWED_AFTER_MS = {
    Plane.RAFT: 200,
    Plane.RELAY: 500,
    Plane.AGENTS: 500,
    Plane.SERVICE: 1_000,
}
# What the first packet of a connection waits for its answer (RFC 6298, 2.1).
_SYN_MS = 1_000
_SYN_MS_MAX = 8_000
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
        before = (way.is_cut, way.base_ms, way.loss)
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
        way.again_ms, way.again_ms_max = _RETRANSMIT_MS, _RETRANSMIT_MS_MAX
        if self._options.tcp_timers:
            round_trip_ms = 2 * way.base_ms + way.spread
            noticed_ms = _FOLLOWED_AFTER_MS[way.plane] + round_trip_ms * 5 // 4
            way.again_ms = min(_RETRANSMIT_MS + round_trip_ms, noticed_ms)
            way.again_ms_max = noticed_ms
        way.loss = max(
            0.0 if is_near else self._options.loss,
            *(each.get(pair, 0.0) for each in self._lossy_by_name.values()),
            0.0,
        )
        if before != (way.is_cut, way.base_ms, way.loss):
            way.turned_at_ms = self.schedule.now_ms

    def delay_ms(self, sender: str, recipient: str) -> int:
        """Draw how long one packet takes, with the times it has to be sent again."""
        return self.draw_ms(self._way_between(sender, recipient, Plane.SERVICE))

    def round_trip_ms(self, here: str, there: str) -> int:
        """The shortest time there and back."""
        if here == there:
            return 0
        ways = (here, there), (there, here)
        return sum(self._way_between(*each, Plane.RAFT).base_ms for each in ways)

    def draw_ms(self, way: Way) -> int:
        """Draw how long one packet takes that way, with the times it has to be sent again."""
        delay_ms = way.base_ms
        if way.spread:
            delay_ms += int(self._random() * way.spread)
        if way.loss:
            again_ms, times = way.again_ms, 0
            while self._random() < way.loss and times < _AGAIN_MAX:
                delay_ms += min(again_ms, way.again_ms_max)
                again_ms *= 2
                times += 1
        return delay_ms

    def connecting_ms(self, out: Way, back: Way) -> tuple[int, int]:
        """Draw how long a probe takes to connect, and the round trip of what connected.

        Begun again and again beside each other, as ``regions.probes.attempts`` does.
        """
        soonest = rtt = self._handshake_ms(out, back)
        for begun_ms in range(CONNECT_AGAIN_MS, CONNECTS_MAX * CONNECT_AGAIN_MS, CONNECT_AGAIN_MS):
            if soonest <= begun_ms:
                break
            took_ms = self._handshake_ms(out, back)
            if begun_ms + took_ms < soonest:
                soonest, rtt = begun_ms + took_ms, took_ms
        return soonest, rtt

    def _handshake_ms(self, out: Way, back: Way) -> int:
        """Draw how long one connection takes to begin.

        Whichever of the two packets is lost, both ends send theirs again after the same time.
        """
        chance = self._random
        took_ms = out.base_ms + back.base_ms
        if out.spread:
            took_ms += int(chance() * out.spread) + int(chance() * back.spread)
        again_ms = _SYN_MS
        while again_ms < _SYN_MS_MAX and (
            (out.loss and chance() < out.loss) or (back.loss and chance() < back.loss)
        ):
            took_ms += again_ms
            again_ms *= 2
        return took_ms

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
        if self._options.tcp_timers:
            greeting_ms = self._handshake_ms(out, back)
        else:
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
        Call(self, ways, (caller, callee), handle, on_reply, within_ms).begin()

    def probe(
        self,
        caller: Process,
        callee: Process,
        handle: Callable[[], Any],
        on_reply: Callable[[Probed | None], None],
        within_ms: int,
    ) -> None:
        """Probe once. ``on_reply`` gets what was found; None if nothing was in time."""
        plane = Plane.SERVICE
        ways = self.way(caller, callee, plane), self.way(callee, caller, plane)
        if self._options.tcp_timers:
            ProbeCall(self, ways, (caller, callee), handle, on_reply, within_ms).begin()
            return
        clock = caller.clock
        started_at_ms = clock.now_ms()

        def found(value: Any) -> None:
            on_reply(None if value is None else Probed(value, clock.now_ms() - started_at_ms))

        Call(self, ways, (caller, callee), handle, found, within_ms).begin()


def _other(ends: tuple[Process, Process], process: Process) -> Process:
    return ends[1] if ends[0] is process else ends[0]
