"""Leases on session groups: rights that end by themselves, kept by the leader and not in the log.

A grant follows a read barrier of the granting term that began after the request arrived, so a
leader that was deposed without knowing it grants nothing (A4). The holder counts from when it sent
its request and stops at 0.9 of the length; whoever waits counts from the grant, with the drift of
two clocks and a margin on top (``Timing.lease_wait_ms``).
"""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.commands import StageName
from director.core.effects import Barrier, GrantLease, RefuseLease
from director.core.ids import AgentId, FencingToken, GroupId
from director.core.inputs import LeaseAsked
from director.core.observation_log import ObservationLog
from director.core.state import State
from director.core.timing import Timing
from director.routing.table import RegionId

LeaseEffect: TypeAlias = Barrier | GrantLease | RefuseLease


@dataclass(frozen=True, slots=True)
class Grant:
    """The last grant of a group in this office."""

    region_id: RegionId
    agent_id: AgentId
    token: FencingToken
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Fresh:
    """An epoch born in this office: no older leader can have granted a lease on it.

    Attributes:
        older_stopped_ms: From when on nobody acts under an earlier epoch of the group.
    """

    token: FencingToken
    older_stopped_ms: int


class LeaseBook:
    """The leases granted by this replica in its present office. Mutable, but pure."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._term: int | None = None
        self._office_at_ms = 0
        self._grants: dict[GroupId, Grant] = {}
        self._fresh: dict[GroupId, _Fresh] = {}
        self._waiting: list[LeaseAsked] = []
        self._confirming: list[LeaseAsked] = []
        self._barrier_id = 0

    def gained(self, term: int, *, now_ms: int) -> None:
        """Begin an office. Every home is taken to have renewed at this instant (A4)."""
        self._term = term
        self._office_at_ms = now_ms
        self._forget()

    def lost(self) -> None:
        """End the office; whoever waits for an answer asks the next leader."""
        self._term = None
        self._forget()

    def _forget(self) -> None:
        self._grants = {}
        self._fresh = {}
        self._waiting = []
        self._confirming = []

    @property
    def is_in_office(self) -> bool:
        """Whether this book knows who may act; without an office it knows nothing."""
        return self._term is not None

    def grantable_at_ms(self, group_id: GroupId, token: FencingToken) -> int:
        """From when on any agent of the home may be granted a lease on ``token``."""
        fresh = self._fresh.get(group_id)
        if fresh is not None and fresh.token == token:
            return fresh.older_stopped_ms
        return self._office_at_ms + self._timing.lease_wait_ms

    def was_granted(self, group_id: GroupId, token: FencingToken) -> bool:
        """Whether anybody was granted a lease on ``token`` in this office."""
        grant = self._grants.get(group_id)
        return grant is not None and grant.token == token

    def note_epoch(
        self, group_id: GroupId, token: FencingToken, *, has_older_stopped: bool, now_ms: int
    ) -> None:
        """An epoch was granted in this office, so no lease on it can exist yet.

        Args:
            group_id: The group.
            token: The new epoch.
            has_older_stopped: False when a run was taken back while the source was being fenced:
                the source may go on acting under its earlier epoch until that lease runs out.
            now_ms: When the grant was applied.
        """
        stopped_ms = now_ms if has_older_stopped else self._stopped_at_ms(group_id)
        self._fresh[group_id] = _Fresh(token, stopped_ms)

    def note_generation(self, state: State) -> None:
        """A generation was started in this office, so no lease on any of its tokens can exist yet.

        The state came from the past: others than the homes it names may hold leases of the leaders
        before this office, which it knows nothing of.
        """
        forgotten_ms = self._office_at_ms + self._timing.lease_wait_ms
        for group in state.groups:
            stopped_ms = max(forgotten_ms, self._stopped_at_ms(group.group_id))
            self._fresh[group.group_id] = _Fresh(state.token(group), stopped_ms)

    # -- asking and granting ---------------------------------------------------------------------

    def ask(self, asked: LeaseAsked) -> tuple[LeaseEffect, ...]:
        """Take a request in. It is answered after a barrier that begins from now on."""
        if self._term is None:
            return (_refuse(asked, "NOT_LEADER"),)
        self._waiting.append(asked)
        return self._next_barrier()

    def _next_barrier(self) -> tuple[LeaseEffect, ...]:
        # One at a time: requests that arrive meanwhile wait for the next, which begins after them.
        if self._confirming or not self._waiting or self._term is None:
            return ()
        self._confirming, self._waiting = self._waiting, []
        self._barrier_id += 1
        return (Barrier(self._barrier_id, self._term),)

    def passed(
        self, barrier_id: int, term: int, state: State, *, now_ms: int
    ) -> tuple[LeaseEffect, ...]:
        """The barrier confirmed the term: answer those who waited for it."""
        if barrier_id != self._barrier_id or term != self._term:
            return ()
        answered, self._confirming = self._confirming, []
        effects = tuple(self._decide(asked, state, now_ms=now_ms) for asked in answered)
        return (*effects, *self._next_barrier())

    def failed(self, barrier_id: int, reason: str = "NOT_CONFIRMED") -> tuple[LeaseEffect, ...]:
        """The barrier could not confirm the term, or does not help: nobody gets anything on it."""
        if barrier_id != self._barrier_id:
            return ()
        answered, self._confirming = self._confirming, []
        refusals = tuple(_refuse(asked, reason) for asked in answered)
        return (*refusals, *self._next_barrier())

    def _decide(self, asked: LeaseAsked, state: State, *, now_ms: int) -> LeaseEffect:
        refusal = self._ownership_refusal(asked, state) or self._holder_refusal(
            asked, now_ms=now_ms
        )
        if refusal:
            return _refuse(asked, refusal)
        self._grants[asked.group_id] = Grant(
            asked.region_id, asked.agent_id, asked.token, at_ms=now_ms
        )
        return GrantLease(
            asked.region_id,
            asked.agent_id,
            asked.group_id,
            asked.token,
            asked.request_number,
            self._timing.lease_ms,
        )

    def _ownership_refusal(self, asked: LeaseAsked, state: State) -> str:
        group = state.group(asked.group_id)
        if group is None:
            return "NO_GROUP"
        if group.home != asked.region_id:
            return "NOT_HOME"
        if state.token(group) != asked.token:
            return "STALE_TOKEN"
        if not asked.is_proven:
            return "NOT_PROVEN"
        run = state.active_run(asked.group_id)
        if run is not None and run.stage is StageName.FENCING and run.source == asked.region_id:
            return "FENCING"
        return ""

    def _holder_refusal(self, asked: LeaseAsked, *, now_ms: int) -> str:
        """One agent holds at a time, so that one promise is enough to know that it stopped."""
        grant = self._grants.get(asked.group_id)
        if grant is not None and grant.token == asked.token:
            same = (grant.region_id, grant.agent_id) == (asked.region_id, asked.agent_id)
            if not same and now_ms < grant.at_ms + self._timing.lease_wait_ms:
                return "HELD_BY_OTHER"
            return ""
        fresh = self._fresh.get(asked.group_id)
        if fresh is not None and fresh.token == asked.token:
            same = grant is not None and (grant.region_id, grant.agent_id) == (
                asked.region_id,
                asked.agent_id,
            )
            return "" if same or now_ms >= fresh.older_stopped_ms else "SETTLING"
        if asked.is_holding:
            return ""
        # An older leader may have granted this epoch to another agent of the region.
        if now_ms < self._office_at_ms + self._timing.lease_wait_ms:
            return "SETTLING"
        return ""

    # -- knowing that a holder has stopped --------------------------------------------------------

    def stopped_at_ms(self, group_id: GroupId, token: FencingToken) -> int:
        """From when on nobody can be acting under ``token`` or before, unless granted again."""
        fresh = self._fresh.get(group_id)
        assert fresh is None or fresh.token <= token, "an older epoch is never asked about"
        return self._stopped_at_ms(group_id)

    def _stopped_at_ms(self, group_id: GroupId) -> int:
        grant, fresh = self._grants.get(group_id), self._fresh.get(group_id)
        if fresh is None:
            # An older leader may have granted until its last moment.
            stopped_ms = self._office_at_ms + self._timing.lease_wait_ms
        else:
            stopped_ms = fresh.older_stopped_ms
        if grant is not None and (fresh is None or grant.token == fresh.token):
            stopped_ms = max(stopped_ms, grant.at_ms + self._timing.lease_wait_ms)
        return stopped_ms

    def is_demoted(
        self, group_id: GroupId, token: FencingToken, log: ObservationLog, *, now_ms: int
    ) -> bool:
        """Whether the one agent that may hold the lease promised never to act under ``token``.

        Without a grant of this office nobody knows who holds, so no promise is enough. Nor is it
        while another agent may still hold a lease of an earlier leader: an agent that says it holds
        is believed for a renewal, but not as the only one.
        """
        grant = self._grants.get(group_id)
        if grant is None or grant.token != token:
            return False
        fresh = self._fresh.get(group_id)
        is_born_here = fresh is not None and fresh.token == token
        if not is_born_here and now_ms < self._office_at_ms + self._timing.lease_wait_ms:
            return False
        return any(
            view.agent_id == grant.agent_id
            and gate.demoted_through is not None
            and gate.demoted_through >= token
            for view, gate in log.gates(grant.region_id, group_id)
        )


def _refuse(asked: LeaseAsked, reason: str) -> RefuseLease:
    return RefuseLease(
        asked.region_id, asked.agent_id, asked.group_id, asked.request_number, reason
    )
