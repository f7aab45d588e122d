"""Calls and probes under way between two simulated processes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.sim.process import Process
from tests.sim.ways import Late, Way

if TYPE_CHECKING:
    from tests.sim.network import Network


class Call:
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


class Probed(NamedTuple):
    """What a probe found, and how long the connection took that it went by."""

    value: object
    rtt_ms: int


class ProbeCall(Call):
    """A call on a connection of its own, as ``regions.probes.tcp`` makes it.

    While nothing is wrong it is one event: the answer's arrival. Was something wrong meanwhile, the
    request is taken to arrive then.
    """

    __slots__ = ("_begun_ms", "_rtt_ms")

    def begin(self) -> None:
        out, back, callee = self._out, self._back, self._callee
        network = self._network
        self._begun_ms = network.schedule.now_ms
        is_well = callee.running == callee.incarnation and not (out.is_cut or back.is_cut)
        took_ms, self._rtt_ms = network.connecting_ms(out, back)
        if is_well and not out.is_local:
            if self._begun_ms + took_ms >= self._due_ms:
                self._limit()
            network.schedule.after(took_ms, self._connected)
            return
        super().begin()

    def _connected(self) -> None:
        begun_ms = self._begun_ms
        turned_at_ms = max(
            self._out.turned_at_ms, self._back.turned_at_ms, self._callee.turned_at_ms
        )
        if turned_at_ms >= begun_ms:
            self._arrive()
            return
        value = self._handle()
        after_ms = 0
        if isinstance(value, Late):
            value, after_ms = value
        self._value = value
        if not after_ms:
            self._return()
            return
        schedule = self._network.schedule
        if schedule.now_ms + after_ms >= self._due_ms:
            self._limit()
        schedule.after(after_ms, self._return)

    def _reply(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._on_reply(Probed(self._value, self._rtt_ms))
