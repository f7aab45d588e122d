"""The simulated network: directional delays with jitter, loss, cuts, machines that go dark.

Between processes there are TCP-like connections (in order, nothing lost while they live: a lost
packet is a delay) and single calls with a time limit. A cut makes messages wait; a connection that
stays cut is given up by its client's keepalive.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.sim.process import Process
from tests.sim.schedule import Schedule

_RETRANSMIT_MS = 200
_RETRANSMIT_MS_MAX = 3_200
_GREET_AGAIN_MS = 1_000


class Plane(StrEnum):
    """What a message belongs to; cuts may hit one and spare another."""

    RAFT = "raft"
    RELAY = "relay"
    AGENTS = "agents"
    SERVICE = "service"


ALL_PLANES = tuple(Plane)


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How the network behaves.

    Attributes:
        delay_ms: One way, per (from, to) pair of hosts; pairs not named stand side by side.
        loss: Share of packets that have to be sent again.
        keepalive_ms: How long a client's connection may be cut before it gives it up.
    """

    delay_ms: dict[tuple[str, str], int]
    jitter_ms: int
    loss: float
    keepalive_ms: int


@dataclass(slots=True)
class _End:
    process: Process
    incarnation: int
    on_payload: Callable[[Any], None]
    on_broken: Callable[[], None]
    inbox: deque[tuple[int, Any]] = field(default_factory=deque)
    last_due_ms: int = 0
    is_pumping: bool = False
    retry_ms: int = _RETRANSMIT_MS
    is_told: bool = False


class Connection:
    """One stream between a client and a server."""

    def __init__(self, network: "Network", client: _End, server: _End, plane: Plane) -> None:
        self.plane = plane
        self.is_open = True
        self.client, self.server = client, server
        self._network = network

    def to_server(self, payload: object) -> None:
        self._send(self.client, self.server, payload)

    def to_client(self, payload: object) -> None:
        self._send(self.server, self.client, payload)

    def is_blocked(self) -> bool:
        """Whether the client's keepalive gets no answer now."""
        here, there = self.client.process, self.server.process
        return (
            self._network.is_cut(here.host, there.host, self.plane)
            or self._network.is_cut(there.host, here.host, self.plane)
            or there.is_paused
        )

    def close(self) -> None:
        """Given up by one end; the other learns of it when word can reach it."""
        self.is_open = False
        for end in (self.client, self.server):
            self._network.schedule.after(
                self._network.delay_ms(self.client.process.host, self.server.process.host),
                lambda end=end: self._tell(end),  # type: ignore[misc]
            )

    def _tell(self, end: _End) -> None:
        here, there = self.client.process.host, self.server.process.host
        if end.is_told or (end is self.server and self._network.is_cut(here, there, self.plane)):
            return
        end.is_told = True
        end.process.post(end.on_broken, end.incarnation)

    def _send(self, sender: _End, to: _End, payload: object) -> None:
        if not self.is_open:
            return
        now_ms = self._network.schedule.now_ms
        delay_ms = self._network.delay_ms(sender.process.host, to.process.host)
        to.last_due_ms = max(to.last_due_ms, now_ms + delay_ms)
        to.inbox.append((to.last_due_ms, payload))
        if not to.is_pumping:
            to.is_pumping = True
            self._network.schedule.after(to.last_due_ms - now_ms, lambda: self._pump(sender, to))

    def _pump(self, sender: _End, to: _End) -> None:
        schedule = self._network.schedule
        to.is_pumping = False
        while self.is_open and to.inbox and to.inbox[0][0] <= schedule.now_ms:
            if self._network.is_cut(sender.process.host, to.process.host, self.plane):
                to.is_pumping = True
                schedule.after(to.retry_ms, lambda: self._pump(sender, to))
                to.retry_ms = min(2 * to.retry_ms, _RETRANSMIT_MS_MAX)
                return
            to.retry_ms = _RETRANSMIT_MS
            _, payload = to.inbox.popleft()
            to.process.post(
                lambda payload=payload: self._arrive(to, payload),  # type: ignore[misc]
                to.incarnation,
            )
        if self.is_open and to.inbox:
            to.is_pumping = True
            schedule.after(to.inbox[0][0] - schedule.now_ms, lambda: self._pump(sender, to))

    def _arrive(self, to: _End, payload: object) -> None:
        if not to.is_told:
            to.on_payload(payload)


class Network:
    """Everything between the machines."""

    def __init__(self, schedule: Schedule, options: NetworkOptions, rng: random.Random) -> None:
        self.schedule = schedule
        self._options = options
        self._rng = rng
        self._cuts_by_name: dict[str, set[tuple[str, str, Plane]]] = {}
        self._cuts: set[tuple[str, str, Plane]] = set()
        self._dark: set[str] = set()
        self._connections: list[Connection] = []
        self._last_due_ms: dict[tuple[str, str, Plane], int] = {}

    # -- what is broken --------------------------------------------------------------------------

    def cut(self, name: str, pairs: Iterable[tuple[str, str]], planes: Iterable[Plane]) -> None:
        """Cut one direction of each pair of hosts, until ``mend`` is given the same name."""
        hosts = list(pairs)
        self._cuts_by_name[name] = {(*pair, plane) for pair in hosts for plane in planes}
        self._join_cuts()
        self.watch_blocked()

    def mend(self, name: str) -> None:
        """End the cut of that name, if there is one."""
        self._cuts_by_name.pop(name, None)
        self._join_cuts()

    def _join_cuts(self) -> None:
        self._cuts = {link for links in self._cuts_by_name.values() for link in links}

    def darken(self, host: str) -> None:
        """A machine is gone without a word: nothing in, nothing out."""
        self._dark.add(host)
        self.watch_blocked()

    def lighten(self, host: str) -> None:
        self._dark.discard(host)

    def heal(self) -> None:
        self._cuts_by_name.clear()
        self._cuts.clear()
        self._dark.clear()

    def is_cut(self, sender: str, recipient: str, plane: Plane) -> bool:
        if sender == recipient:
            return False
        if self._dark and (sender in self._dark or recipient in self._dark):
            return True
        return bool(self._cuts) and (sender, recipient, plane) in self._cuts

    def delay_ms(self, sender: str, recipient: str) -> int:
        """Draw how long one packet takes, with the times it has to be sent again."""
        if sender == recipient:
            return 0
        options = self._options
        base_ms = options.delay_ms.get((sender, recipient))
        if base_ms is None:
            return 1
        delay_ms = base_ms + self._rng.randint(0, options.jitter_ms)
        again_ms = _RETRANSMIT_MS
        while options.loss and self._rng.random() < options.loss and again_ms < _RETRANSMIT_MS_MAX:
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
        client_end = _End(client, client.incarnation, on_payload, on_broken)
        server_end = _End(server, server.incarnation, lambda _: None, lambda: None)
        connection = Connection(self, client_end, server_end, plane)
        self._connections = [each for each in self._connections if each.is_open]
        self._connections.append(connection)
        greeting_ms = self.delay_ms(client.host, server.host) + self.delay_ms(
            server.host, client.host
        )
        client_end.last_due_ms = server_end.last_due_ms = self.schedule.now_ms + greeting_ms

        def arrive() -> None:
            if not connection.is_open:
                return
            if self.is_cut(client.host, server.host, plane):
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
        """Send one message, in order with others of the pair; lost if the link is cut."""
        key = (sender.host, to.host, plane)
        now_ms = self.schedule.now_ms
        due_ms = max(self._last_due_ms.get(key, 0), now_ms + self.delay_ms(*key[:2]))
        self._last_due_ms[key] = due_ms
        incarnation = sender.incarnation

        def arrive() -> None:
            if self.is_cut(*key):
                return
            if to.is_up:
                to.post(deliver, to.incarnation)
            else:
                sender.post(on_lost, incarnation)

        self.schedule.after(due_ms - now_ms, arrive)

    def call(
        self,
        caller: Process,
        callee: Process,
        plane: Plane,
        handle: Callable[[], Any],
        on_reply: Callable[[Any], None],
        within_ms: int,
    ) -> None:
        """Call once. ``on_reply`` gets what ``handle`` returned; None if it was not to be had."""
        done: list[bool] = []
        incarnation = caller.incarnation

        def reply(value: object) -> None:
            if not done:
                done.append(True)
                on_reply(value)

        def answer(value: object) -> None:
            def back() -> None:
                if not self.is_cut(callee.host, caller.host, plane):
                    caller.post(lambda: reply(value), incarnation)

            self.schedule.after(self.delay_ms(callee.host, caller.host), back)

        def arrive() -> None:
            if self.is_cut(caller.host, callee.host, plane):
                return
            if callee.is_up:
                callee.post(lambda: answer(handle()), callee.incarnation)
            else:
                answer(None)

        self.schedule.after(self.delay_ms(caller.host, callee.host), arrive)
        caller.after(within_ms, lambda: reply(None))


def _other(ends: tuple[Process, Process], process: Process) -> Process:
    return ends[1] if ends[0] is process else ends[0]
