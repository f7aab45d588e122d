"""One director replica as one object: inputs and time in, effects out.

A shell feeds it, carries out its effects, and arms one timer. The simulator does the same. Every
replica applies the log and publishes routes; only the leader plans and grants leases; the others
relay their evidence to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from director.core import machine, status
from director.core.commands import AbortRun, Command, Stamp, StartDrill, StartRun
from director.core.directives import Directives
from director.core.effects import Answer, Effect, Note, Propose, Publish, Relay
from director.core.epochs import keep_lag, note_epoch
from director.core.events import GenerationStarted, Repeated, VerdictsRecorded
from director.core.failover import Bench
from director.core.health import Court
from director.core.held_news import HeldNews
from director.core.ids import ReplicaId
from director.core.inputs import (
    Asked,
    BarrierFailed,
    BarrierPassed,
    Committed,
    Input,
    LeadershipGained,
    LeadershipLost,
    LeaseAsked,
    ProposalFailed,
    ReplicaReported,
    Reported,
    SnapshotInstalled,
    Ticked,
)
from director.core.lease import LeaseBook
from director.core.observation_log import ObservationLog
from director.core.observations import AgentReport, ReplicaReport
from director.core.planner import Planner, Proposal
from director.core.proposals import Proposals
from director.core.reasons import Reason
from director.core.requests import Already, ask_digest, decide, preview
from director.core.round_trips import RoundTrips
from director.core.routes import Compiled, compile_table
from director.core.safety import Refusal
from director.core.state import State
from director.core.succession import Succession
from director.core.timing import Timing
from director.core.tokens_shown import GENERATION_KEY, TokensShown
from director.routing.table import RegionId, ServiceId

# How often the leader looks at everything that is due. A tenth of the shortest deadline it keeps.
TICK_MS = 100

# There is one of these per beat or renewal of each agent. They are looked at on the next tick,
# which a report that is news brings forward; everything else is looked at on arrival. A refused
# proposal waits too: while office is handed over each is refused at once, and would be made again.
_CAN_WAIT = (Reported, LeaseAsked, BarrierPassed, BarrierFailed, ProposalFailed)


@dataclass(slots=True)
class _Anchor:
    """Ties director time to this replica's own clock, as of the last entry applied."""

    director_ms: int
    local_ms: int


class Director:
    """A replica's whole judgement.

    Args:
        replica_id: This replica.
        failure_domain: Where it runs.
        timing: How long things take.
        replica_domains: Failure domain of every replica, this one included.
        state: What is replicated, as of where the log begins.
    """

    def __init__(
        self,
        replica_id: ReplicaId,
        failure_domain: str,
        timing: Timing,
        replica_domains: Mapping[ReplicaId, str],
        state: State | None = None,
    ) -> None:
        self._replica_id = replica_id
        self._failure_domain = failure_domain
        self._timing = timing
        self._domains = {**replica_domains, replica_id: failure_domain}
        self._state = State() if state is None else state
        self._log = ObservationLog(self._state.topology)
        self._leases = LeaseBook(timing)
        self._planner = Planner(self._leases)
        self._round_trips = RoundTrips()
        self._anchor: _Anchor | None = None
        self._term: int | None = None
        self._proposals = Proposals()
        self._unsent: list[tuple[AgentReport, int]] = []
        self._relay_at_ms = 0
        self._next_tick_ms: int | None = None
        self._directives = Directives(self._state)
        self._compiled: Compiled | None = None
        self._held_news = HeldNews()
        self._shown = TokensShown()
        self._succession = Succession()

    # -- what a shell may ask ----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What is replicated, as of the last entry applied."""
        return self._state

    @property
    def is_leader(self) -> bool:
        """Whether this replica plans."""
        return self._term is not None

    def director_now_ms(self, *, now_ms: int) -> int:
        """Director time at a local instant: it goes on between entries, and never back."""
        if self._anchor is None:
            return self._state.now_ms
        return self._anchor.director_ms + max(0, now_ms - self._anchor.local_ms)

    def wake_at_ms(self) -> int | None:
        """When ``Ticked`` is wanted."""
        return self._next_tick_ms

    def directives_for(
        self, region_id: RegionId, service_ids: tuple[ServiceId, ...]
    ) -> tuple[Effect, ...]:
        """What an agent that has just connected must be told."""
        return self._directives.current(self._state, region_id, service_ids)

    def service_views(self, *, now_ms: int) -> tuple[status.ServiceView, ...]:
        """Every service as this replica sees it; only the leader knows leases."""
        bench = self.bench(now_ms=now_ms)
        held = {
            group.service_id: self._planner.held.get(group.group_id) for group in self._state.groups
        }
        return tuple(
            status.service_view(bench, service, held.get(service.service_id))
            for service in self._state.topology.services
        )

    def region_views(self, *, now_ms: int) -> tuple[status.RegionView, ...]:
        """Every region as this replica sees it."""
        return status.region_views(self.bench(now_ms=now_ms))

    # -- what happens to it ------------------------------------------------------------------------

    def receive(self, given: Input, *, now_ms: int, wall_ms: int = 0) -> tuple[Effect, ...]:
        """Take one input and return what is to be done, in order.

        Args:
            given: What happened.
            now_ms: This replica's boot-time clock.
            wall_ms: The wall clock, for people; nothing depends on it.
        """
        if self._next_tick_ms is None or self._anchor is None:
            self._next_tick_ms = now_ms
            self._anchor = _Anchor(self._state.now_ms, now_ms)
        effects = list(self._take(given, now_ms, wall_ms))
        is_tick = now_ms >= self._next_tick_ms
        if is_tick:
            # A follower has nothing to plan: it only has to relay, and that in time.
            self._next_tick_ms = now_ms + (TICK_MS if self.is_leader else self._timing.relay_ms)
            self._log.sweep(now_ms=now_ms)
        if self.is_leader and (is_tick or not isinstance(given, _CAN_WAIT)):
            effects += self._plan(now_ms, wall_ms)
        if not self.is_leader and self._unsent and now_ms >= self._relay_at_ms:
            effects += self._relay(now_ms)
        return tuple(effects)

    def _take(  # noqa: C901, PLR0911, PLR0912 - one line for each input
        self, given: Input, now_ms: int, wall_ms: int
    ) -> tuple[Effect, ...]:
        match given:
            case Committed():
                return self._committed(given, now_ms)
            case SnapshotInstalled():
                return self._adopt(given.state, now_ms)
            case LeadershipGained():
                self._gained(given.term, now_ms)
                return ()
            case LeadershipLost():
                return self._lost()
            case Reported():
                return self._reported(given.report, now_ms)
            case ReplicaReported():
                self._log.observe_replica(given.report, now_ms=now_ms)
                return ()
            case LeaseAsked():
                return self._leases.ask(given)
            case BarrierPassed():
                if self._shown.holds_back(self._state, now_ms=now_ms):
                    return self._leases.failed(given.barrier_id, "GENERATION_DUE")
                return self._leases.passed(given.barrier_id, given.term, self._state, now_ms=now_ms)
            case BarrierFailed():
                return self._leases.failed(given.barrier_id)
            case Asked():
                return self._asked(given, now_ms, wall_ms)
            case ProposalFailed():
                return self._proposal_failed(given)
            case Ticked():
                return self._ticked(now_ms)
            case _:
                assert_never(given)

    # -- the log -----------------------------------------------------------------------------------

    def _committed(self, given: Committed, now_ms: int) -> tuple[Effect, ...]:
        before = self._state
        self._state, event = machine.apply(before, given.index, given.command)
        self._drop_anchor(now_ms)
        if given.command is None or event is None:
            return ()
        self._proposals.settle(given.command)
        if self.is_leader:
            note_epoch(self._leases, self._log, (before, self._state), event, now_ms=now_ms)
            if isinstance(event, GenerationStarted):
                self._shown.counted(event.shown, now_ms=now_ms)
        if isinstance(event, VerdictsRecorded):
            keep_lag(self._log, self._state, event, now_ms=now_ms)
        return (Note(event), *self._changes(before, now_ms))

    def _adopt(self, state: State, now_ms: int) -> tuple[Effect, ...]:
        assert state.applied_index >= self._state.applied_index, "a snapshot is never older"
        before, self._state = self._state, state
        self._drop_anchor(now_ms)
        return self._changes(before, now_ms)

    def _drop_anchor(self, now_ms: int) -> None:
        director_ms = max(self._state.now_ms, self.director_now_ms(now_ms=now_ms))
        self._anchor = _Anchor(director_ms, now_ms)

    def _changes(self, before: State, now_ms: int) -> tuple[Effect, ...]:
        """What agents and watchers must be told of the difference."""
        if self._state.topology is not before.topology:
            self._log.know(self._state.topology)
        late_ms = self.director_now_ms(now_ms=now_ms) - self._state.now_ms
        effects: list[Effect] = [*self._directives.changes(before, self._state, late_ms=late_ms)]
        if self._state.changed_index != before.changed_index:
            effects.append(self._publish(now_ms))
        return tuple(effects)

    def _publish(self, now_ms: int) -> Publish:
        measured = self._round_trips.published(now_ms=now_ms)
        table = compile_table(self._state, measured, self._compiled)
        self._compiled = Compiled(self._state, table)
        return Publish(table)

    # -- office ------------------------------------------------------------------------------------

    def _gained(self, term: int, now_ms: int) -> None:
        self._term = term
        self._tick_by(now_ms)
        self._proposals.forget()
        self._held_news.forget()
        self._unsent = []
        self._leases.gained(term, now_ms=now_ms)
        self._planner.gained(now_ms=now_ms)
        self._succession.gained(now_ms=now_ms)
        own = ReplicaReport(self._replica_id, self._failure_domain, 0, 0)
        if self._replica_id not in self._log.replicas:
            self._log.observe_replica(own, now_ms=now_ms)

    def _lost(self) -> tuple[Effect, ...]:
        self._term = None
        self._leases.lost()
        message = "leadership was lost while waiting; look before you ask again"
        return tuple(
            Answer(each, Reason.OUTCOME_UNKNOWN, message) for each in self._proposals.forget()
        )

    # -- observations ------------------------------------------------------------------------------

    def _reported(self, report: AgentReport, now_ms: int) -> tuple[Effect, ...]:
        is_direct = report.heard_by == self._replica_id
        news = self._log.observe(report, now_ms=now_ms, is_direct=is_direct)
        if report.readings is not None:
            self._round_trips.observe(report.region_id, report.readings.round_trips)
        if is_direct and not self.is_leader:
            self._unsent.append((report, now_ms))
            self._tick_by(max(now_ms, self._relay_at_ms))
        if news and report.readings is not None:
            gates = report.readings.gates
            self._shown.take(self._state, report.region_id, report.agent_id, gates)
        if news:
            # Evidence that changed is acted on, or relayed, at once.
            self._tick_by(now_ms)
            self._relay_at_ms = now_ms
        return ()

    def _tick_by(self, at_ms: int) -> None:
        if self._next_tick_ms is None or at_ms < self._next_tick_ms:
            self._next_tick_ms = at_ms

    def _relay(self, now_ms: int) -> list[Effect]:
        # It has waited here, and the leader dates it by its age.
        reports = tuple(
            report if at_ms == now_ms else replace(report, age_ms=report.age_ms + now_ms - at_ms)
            for report, at_ms in self._unsent
        )
        self._unsent = []
        self._relay_at_ms = now_ms + self._timing.relay_ms
        return [Relay(reports)]

    def _ticked(self, now_ms: int) -> tuple[Effect, ...]:
        if self._state.revision and self._round_trips.is_due(now_ms=now_ms):
            return (self._publish(now_ms),)
        return ()

    # -- planning and proposing ------------------------------------------------------------------

    def _plan(self, now_ms: int, wall_ms: int) -> list[Effect]:
        stamp = Stamp(self.director_now_ms(now_ms=now_ms), wall_ms)
        busy = self._proposals.busy
        proposals: list[Proposal] = []
        if self._shown.holds_back(self._state, now_ms=now_ms):
            remedy = self._shown.remedy(
                self._state, stamp, is_complete=self._is_everybody_heard(), now_ms=now_ms
            )
            if remedy is not None and GENERATION_KEY not in busy:
                proposals.append((GENERATION_KEY, remedy))
            # Whatever this state says of owners comes from the past (A2).
            busy |= {group.group_id for group in self._state.groups}
        proposals += self._planner.plan(self._state, self._court(), stamp, busy, now_ms=now_ms)
        effects: list[Effect] = [self._propose(key, command) for key, command in proposals]
        index = self._state.applied_index
        news = self._held_news.news(self._planner.held, applied_index=index)
        hand_over = self._succession.look(self._court(), self._state, now_ms=now_ms)
        if hand_over is not None:
            effects.append(hand_over)
        return [*self._shown.news(applied_index=index), *news, *effects]

    def _is_everybody_heard(self) -> bool:
        regions = self._state.topology.regions
        return all(self._log.agents_in(each.region_id) for each in regions) and bool(regions)

    def _propose(self, key: str, command: Command) -> Propose:
        assert self._term is not None, "only the leader proposes"
        return self._proposals.begin(key, command, self._term)

    def _proposal_failed(self, failed: ProposalFailed) -> tuple[Effect, ...]:
        request_id = self._proposals.fail(failed.proposal_id)
        if not request_id:
            return ()
        return (Answer(request_id, failed.reason, "the change was not written"),)

    def _asked(self, asked: Asked, now_ms: int, wall_ms: int) -> tuple[Effect, ...]:
        if not self.is_leader:
            message = f"{self._replica_id} does not lead"
            return (Answer(asked.request_id, Reason.NOT_LEADER, message),)
        stamp = Stamp(
            self.director_now_ms(now_ms=now_ms),
            wall_ms,
            asked.request_id,
            asked.actor,
            asked.reason,
            ask_digest(asked.ask),
        )
        before = machine.repetition(self._state, stamp)
        if isinstance(before, Repeated):
            return (Note(before),)
        decision = before or decide(self.bench(now_ms=now_ms), asked.ask, stamp)
        if isinstance(decision, Refusal):
            return (Answer(asked.request_id, decision.reason, decision.message, decision.metadata),)
        if isinstance(decision, Already):
            return (Answer(asked.request_id, None, decision.message),)
        return (self._ordered(asked, decision, now_ms),)

    def _ordered(self, asked: Asked, command: Command, now_ms: int) -> Effect:
        is_move = isinstance(command, StartRun | AbortRun | StartDrill)
        if is_move and self._shown.holds_back(self._state, now_ms=now_ms):
            message = (
                "the state of this director comes from the past; a new generation starts first, "
                "within seconds; ask again"
            )
            return Answer(asked.request_id, Reason.FENCED, message)
        if asked.validate_only:
            return Answer(asked.request_id, None, preview(self.bench(now_ms=now_ms), command))
        return self._propose(f"request {asked.request_id}", command)

    # -- views -------------------------------------------------------------------------------------

    def _court(self) -> Court:
        return Court(self._log, self._state.topology, self._timing, self._domains, self._replica_id)

    def bench(self, *, now_ms: int) -> Bench:
        """What decisions are made with at a local instant; only the leader's knows leases."""
        at_now = replace(self._state, now_ms=self.director_now_ms(now_ms=now_ms))
        return Bench(at_now, self._court(), self._leases, now_ms)
