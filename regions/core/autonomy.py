"""The gates: when this region may act, and what it does when no director can be reached.

With no director, an open gate stays open until nine tenths of its lease and then closes; a closed
one stays closed. An agent never promotes itself (A8): a gate opens only on a grant that answers a
request of this very process, under a token that is durable, and counts from when the request was
sent (A5).
"""

from dataclasses import dataclass, field

from director.routing.table import RegionId, ServiceId
from regions.core.effects import Effect, KeptGroup, Note, SendLease, SetGate
from regions.core.fence import Fence
from regions.core.ids import FencingToken, GroupId, ReplicaId
from regions.core.injection import Injections
from regions.core.inputs import (
    Disconnected,
    Input,
    LagMeasured,
    LeaseGranted,
    LeaseRefused,
    LoadMeasured,
    ProbeFinished,
    ProbesDirected,
    Pulsed,
    Ticked,
)
from regions.core.links import Links
from regions.core.proof import Proof
from regions.core.readings import GateReading
from regions.core.settings import GATE_ANSWER_MS

# The holder stops at nine tenths of what it was given: clocks may differ in rate by a tenth.
USED_PER_MILLE = 900
# After every director was asked in vain, or one refused for a reason that time may heal.
RETRY_MS = 250
# A director that does not answer in this time is passed over for the next. Two round trips of
# 250 ms: the request's own and the leader's barrier. A late answer still counts.
ANSWER_WAIT_MS = 500
# Requests that may still be answered. The oldest of more are eight seconds old: too old to open.
ASKED_MAX = 16

NOT_LEADER = "NOT_LEADER"


@dataclass(slots=True)
class _Gate:
    """One gate and its lease.

    Invariant: ``is_open`` implies that ``deadline_at_ms`` is at most 0.9 of a granted lease after
    a request was sent, and that the fence lets us act under ``token``.

    Attributes:
        quiet_at_ms: From here on no answer given before the gate last closed is still good.
        granted_from_ms: When the request last granted under ``token`` was sent; None if none was.
        asked_at_ms: When each request that may still be answered was sent, by its number.
        tried: Directors asked in vain in this round.
        demoted_through: The promise that may be reported: durable, and quiet.
        usual_ms: What ``answer_ms`` is while no demotion is near.
        long_until_ms: Until then an answer may be in use that was given before they became short.
        is_brief: No answer may be used for longer than ``GATE_ANSWER_MS``.
    """

    group_id: GroupId
    service_id: ServiceId
    answer_ms: int
    quiet_at_ms: int
    token: FencingToken
    is_open: bool = False
    deadline_at_ms: int = 0
    granted_from_ms: int | None = None
    asked_at_ms: dict[int, int] = field(default_factory=dict)
    ask_at_ms: int = 0
    tried: list[ReplicaId] = field(default_factory=list)
    demoted_through: FencingToken | None = None
    refusal: str = ""
    usual_ms: int = 0
    long_until_ms: int = 0
    is_brief: bool = True


class Autonomy:
    """All gates of this agent."""

    def __init__(
        self,
        fence: Fence,
        links: Links,
        proof: Proof,
        lease_renew_ms: int,
        injections: Injections,
    ) -> None:
        self.lease_renew_ms = lease_renew_ms
        self._fence = fence
        self._links = links
        self._proof = proof
        self._injections = injections
        self._gates: dict[GroupId, _Gate] = {}
        self._request_number = 0
        self._is_stopped = False

    def guard(self, group: KeptGroup, *, answer_ms: int, started_at_ms: int) -> tuple[Effect, ...]:
        """Begin to guard a group, its gate closed.

        A process before this one may have given answers until ``started_at_ms``.
        """
        quiet_at_ms = started_at_ms + answer_ms
        gate = _Gate(group.group_id, group.service_id, answer_ms, quiet_at_ms, group.token)
        gate.usual_ms, gate.is_brief = answer_ms, answer_ms <= GATE_ANSWER_MS
        self._gates[group.group_id] = gate
        return (self._set(gate),)

    def is_guarding(self, group_id: GroupId) -> bool:
        """Tell whether this group has a gate here."""
        return group_id in self._gates

    def moved(self, group_id: GroupId, *, now_ms: int) -> tuple[Effect, ...]:
        """The fence has a new word on the group: close at once if it takes away our right."""
        gate = self._gates[group_id]
        token = self._fence.latest(group_id).token
        if gate.token != token:
            closed = self._close(gate, now_ms=now_ms)
            gate.token = token
            gate.deadline_at_ms = 0
            gate.granted_from_ms = None
            gate.asked_at_ms.clear()
            gate.tried.clear()
            gate.ask_at_ms = now_ms
            return (*closed, self._set(gate))
        if gate.is_open and not self._fence.is_ours(group_id):
            return (*self._close(gate, now_ms=now_ms), self._set(gate))
        return (self._set(gate),)

    def prepare(self, group_id: GroupId, *, is_near: bool, now_ms: int) -> tuple[Effect, ...]:
        """Answer briefly while a demotion is near: it can be promised only once answers ran out.

        Those given before stay good, so the gate is not quiet before the last of them has ended.
        """
        gate = self._gates.get(group_id)
        if gate is None:
            return ()
        wanted_ms = min(gate.usual_ms, GATE_ANSWER_MS) if is_near else gate.usual_ms
        if wanted_ms == gate.answer_ms:
            return ()
        if wanted_ms < gate.answer_ms:
            gate.long_until_ms = now_ms + gate.answer_ms
        gate.answer_ms = wanted_ms
        return (self._set(gate),)

    def granted(self, given: LeaseGranted, *, now_ms: int) -> tuple[Effect, ...]:
        """Open the gate, or keep it open, if the grant answers a request of ours."""
        self._links.answered(given.request_number, now_ms=now_ms)
        gate = self._gates.get(given.group_id)
        if gate is None or given.token != gate.token or self._is_stopped:
            return ()
        sent_at_ms = gate.asked_at_ms.get(given.request_number)
        if sent_at_ms is None or not self._fence.may_act(given.group_id):
            return ()
        gate.asked_at_ms = {n: at for n, at in gate.asked_at_ms.items() if n > given.request_number}
        gate.tried.clear()
        self._links.forget_asked()
        gate.refusal = ""
        gate.granted_from_ms = sent_at_ms
        gate.ask_at_ms = sent_at_ms + self.lease_renew_ms
        deadline_at_ms = sent_at_ms + given.ttl_ms * USED_PER_MILLE // 1_000
        if deadline_at_ms <= now_ms or deadline_at_ms <= gate.deadline_at_ms:
            return ()
        was_open, gate.is_open = gate.is_open, True
        gate.deadline_at_ms = deadline_at_ms
        if was_open:
            return (self._set(gate),)
        return (self._set(gate), _note("gate_opened", gate))

    def refused(self, given: LeaseRefused, *, now_ms: int) -> tuple[Effect, ...]:
        """Ask the next director at once, or this one again later."""
        self._links.answered(given.request_number, now_ms=now_ms)
        gate = self._gates.get(given.group_id)
        if gate is None or gate.asked_at_ms.pop(given.request_number, None) is None:
            return ()
        if given.reason == NOT_LEADER:
            gate.ask_at_ms = now_ms
            return ()
        gate.tried.clear()
        gate.ask_at_ms = now_ms + RETRY_MS
        if gate.refusal == given.reason:
            return ()
        gate.refusal = given.reason
        return (_note("lease_refused", gate, ("reason", given.reason)),)

    def leader_changed(self, *, now_ms: int) -> None:
        """Somebody else may answer now: do not sit out a wait for the one before."""
        for gate in self._gates.values():
            gate.tried.clear()
            is_waiting = gate.granted_from_ms is None or bool(gate.asked_at_ms)
            if is_waiting:
                gate.ask_at_ms = min(gate.ask_at_ms, now_ms)

    def run(self, *, now_ms: int) -> tuple[Effect, ...]:
        """Close what has run out, confirm what was promised, ask for what is due."""
        effects: list[Effect] = []
        for gate in self._gates.values():
            if gate.is_open and now_ms >= gate.deadline_at_ms:
                effects += (*self._close(gate, now_ms=now_ms), self._set(gate))
            is_short = gate.answer_ms <= GATE_ANSWER_MS
            gate.is_brief = is_short and now_ms >= gate.long_until_ms
            self._maybe_confirm(gate, now_ms=now_ms)
            effects += self._maybe_ask(gate, now_ms=now_ms)
        return tuple(effects)

    def stop(self, *, now_ms: int) -> tuple[Effect, ...]:
        """Close every gate, and ask for nothing more."""
        self._is_stopped = True
        effects: list[Effect] = []
        for gate in self._gates.values():
            if gate.is_open:
                effects += (*self._close(gate, now_ms=now_ms), self._set(gate))
        return tuple(effects)

    def wants_proof(self, service_id: ServiceId) -> bool:
        """Tell whether a lease of this service is, or is about to be, asked for."""
        return any(
            gate.service_id == service_id and self._fence.is_ours(gate.group_id)
            for gate in self._gates.values()
        )

    def readings(self) -> tuple[GateReading, ...]:
        """Return the state of the gates, sorted by group."""
        readings = []
        for group_id in sorted(self._gates):
            gate = self._gates[group_id]
            token = self._fence.token(group_id)
            is_open = gate.is_open and gate.token == token
            home = self._fence.home(group_id)
            is_long = is_open and not gate.is_brief
            demoted = gate.demoted_through
            readings.append(GateReading(group_id, token, is_open, demoted, home, is_long))
        return tuple(readings)

    def wake_at_ms(self, *, now_ms: int) -> int | None:
        """Return when ``run`` has something to do, as far as time alone decides; or None."""
        due = [
            at_ms for gate in self._gates.values() for at_ms in self._wakes(gate) if at_ms > now_ms
        ]
        return min(due, default=None)

    def _wakes(self, gate: _Gate) -> tuple[int, ...]:
        at_ms: list[int] = []
        if gate.is_open:
            at_ms.append(gate.deadline_at_ms)
        if not gate.is_brief:
            at_ms.append(gate.long_until_ms)
        if gate.demoted_through != self._fence.demoted_through(gate.group_id):
            at_ms.append(gate.quiet_at_ms)
        if self._fence.may_act(gate.group_id):
            at_ms.append(max(gate.ask_at_ms, 0 if gate.is_open else gate.quiet_at_ms))
        return tuple(at_ms)

    def _maybe_confirm(self, gate: _Gate, *, now_ms: int) -> None:
        promised = self._fence.demoted_through(gate.group_id)
        if promised != gate.demoted_through and not gate.is_open and now_ms >= gate.quiet_at_ms:
            gate.demoted_through = promised

    def _maybe_ask(self, gate: _Gate, *, now_ms: int) -> tuple[Effect, ...]:
        is_early = now_ms < gate.ask_at_ms or (not gate.is_open and now_ms < gate.quiet_at_ms)
        if is_early or self._is_stopped or not self._fence.may_act(gate.group_id):
            return ()
        if self._injections.is_mute(gate.service_id):
            return ()  # as if nobody could be reached: the gate closes when its lease ends
        if not self._proof.is_complete(
            gate.service_id, since_ms=gate.granted_from_ms, now_ms=now_ms
        ):
            return ()
        untried = [each for each in self._links.asking_order() if each not in gate.tried]
        if not untried:
            gate.tried.clear()
            gate.ask_at_ms = now_ms + RETRY_MS
            return ()
        self._request_number += 1
        gate.tried.append(untried[0])
        gate.asked_at_ms[self._request_number] = now_ms
        while len(gate.asked_at_ms) > ASKED_MAX:
            del gate.asked_at_ms[min(gate.asked_at_ms)]
        self._links.asked(untried[0], self._request_number, now_ms=now_ms)
        gate.ask_at_ms = now_ms + ANSWER_WAIT_MS
        ask = SendLease(
            untried[0],
            gate.group_id,
            gate.token,
            self._request_number,
            is_proven=True,
            is_holding=gate.is_open,
        )
        return (ask,)

    def _close(self, gate: _Gate, *, now_ms: int) -> tuple[Effect, ...]:
        if not gate.is_open:
            return ()
        gate.is_open = False
        last_ms = max(now_ms + gate.answer_ms, gate.long_until_ms)
        gate.quiet_at_ms = min(last_ms, gate.deadline_at_ms)
        return (_note("gate_closed", gate, ("reason", self._reason(gate))),)

    def _reason(self, gate: _Gate) -> str:
        latest = self._fence.latest(gate.group_id)
        if self._is_stopped:
            return "STOPPING"
        if not self._fence.is_ours(gate.group_id):
            return "DEMOTED" if self._fence.is_home(gate.group_id) else "NOT_HOME"
        if gate.token != latest.token:
            return "TOKEN_REPLACED"
        return "NO_LEASE" if gate.granted_from_ms is None else "LEASE_ENDED"

    def _set(self, gate: _Gate) -> SetGate:
        return SetGate(
            gate.group_id,
            gate.service_id,
            gate.is_open,
            gate.token,
            gate.deadline_at_ms,
            gate.answer_ms,
            "" if gate.is_open else self._reason(gate),
            self._fence.latest(gate.group_id).home,
        )


def _note(event: str, gate: _Gate, *values: tuple[str, str | int]) -> Note:
    named = (("group_id", gate.group_id), ("token", str(gate.token)))
    return Note(event, (*named, *values))


def touches_gates(given: Input, region_id: RegionId) -> bool:
    """Tell whether gates may have something to do besides what time alone decides."""
    match given:
        case Ticked() | LagMeasured() | LoadMeasured() | Disconnected():
            return False
        case Pulsed() | ProbesDirected():
            return False
        case ProbeFinished(key):
            return key.region_id == region_id
        case _:
            return True
