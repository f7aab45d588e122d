"""All checkers in one hand: the simulator tells what happens, each looks at its own promise."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from director.core.effects import GrantLease, RefuseLease
from director.core.events import Event, VerdictsRecorded
from director.core.inputs import LeaseAsked
from director.core.state import State
from director.raft.messages import Entry, Message
from director.raft.storage import RaftLogReader
from director.routing.table import RouteTable
from regions.core.effects import SendLease
from tests.sim.checkers.evidence import Evidence
from tests.sim.checkers.failback import Failback
from tests.sim.checkers.fenced import Fenced
from tests.sim.checkers.flap import Flap
from tests.sim.checkers.fresh_routes import FreshRoutes
from tests.sim.checkers.legal_moves import LegalMoves
from tests.sim.checkers.linear_reads import LinearReads
from tests.sim.checkers.minority import Minority
from tests.sim.checkers.monotonic_tokens import MonotonicTokens
from tests.sim.checkers.never_drains_last import NeverDrainsLast
from tests.sim.checkers.no_lost_write import NoLostWrite, Records
from tests.sim.checkers.one_effect import OneEffect
from tests.sim.checkers.one_leader_per_term import OneLeaderPerTerm
from tests.sim.checkers.one_owner import OneOwner
from tests.sim.checkers.one_run import OneRun
from tests.sim.checkers.overrides_logged import OverridesLogged
from tests.sim.checkers.owner_declared import OwnerDeclared
from tests.sim.checkers.proven_leases import ProvenLeases
from tests.sim.checkers.raft_core import RaftCore
from tests.sim.checkers.replay import Replay
from tests.sim.checkers.revoked_before_promoted import RevokedBeforePromoted
from tests.sim.checkers.route_never_empty import RouteNeverEmpty
from tests.sim.checkers.rto import Rto
from tests.sim.checkers.same_state import SameState
from tests.sim.checkers.stable_leader import StableLeader
from tests.sim.checkers.velocity import Velocity
from tests.sim.checkers.write_intervals import WriteIntervals
from tests.sim.checkers.writes_hold import WritesHold

Token = tuple[int, int]


@dataclass(slots=True)
class Watch:
    """What is seen, passed on to whom it concerns. Each checker raises AssertionError.

    Attributes:
        clock: True time.
        newest: The state behind the highest index that anybody applied.
        on_applied: Called with every state that a replica comes to, after the checkers.
        on_acknowledged: Called with the service and its region for each acknowledged write.
    """

    clock: Callable[[], int] = lambda: 0
    one_owner: OneOwner = field(default_factory=OneOwner)
    writes: WriteIntervals = field(default_factory=WriteIntervals)
    tokens: MonotonicTokens = field(default_factory=MonotonicTokens)
    fenced: Fenced = field(default_factory=Fenced)
    revoked: RevokedBeforePromoted = field(default_factory=RevokedBeforePromoted)
    proven: ProvenLeases = field(default_factory=ProvenLeases)
    leaders: OneLeaderPerTerm = field(default_factory=OneLeaderPerTerm)
    raft: RaftCore = field(default_factory=RaftCore)
    reads: LinearReads = field(default_factory=LinearReads)
    same_state: SameState = field(default_factory=SameState)
    minority: Minority = field(default_factory=Minority)
    moves: LegalMoves = field(default_factory=LegalMoves)
    lost_writes: NoLostWrite = field(default_factory=NoLostWrite)
    routes: RouteNeverEmpty = field(default_factory=RouteNeverEmpty)
    drains: NeverDrainsLast = field(default_factory=NeverDrainsLast)
    velocity: Velocity = field(default_factory=Velocity)
    writes_hold: WritesHold = field(default_factory=WritesHold)
    fresh: FreshRoutes = field(default_factory=FreshRoutes)
    one_run: OneRun = field(default_factory=OneRun)
    one_effect: OneEffect = field(default_factory=OneEffect)
    flap: Flap = field(default_factory=Flap)
    failback: Failback = field(default_factory=Failback)
    owner_declared: OwnerDeclared = field(default_factory=OwnerDeclared)
    evidence: Evidence = field(default_factory=Evidence)
    replay: Replay = field(default_factory=Replay)
    overrides: OverridesLogged = field(default_factory=OverridesLogged)
    rto: Rto = field(default_factory=Rto)
    stable_leader: StableLeader = field(default_factory=StableLeader)
    on_applied: list[Callable[[str, State], None]] = field(default_factory=list)
    on_acknowledged: list[Callable[[str, str], None]] = field(default_factory=list)
    newest: State = field(default_factory=State)

    def know(self, domain_by_director: Mapping[str, str]) -> None:
        """Learn who the directors are, and in which failure domain each stands."""
        self.minority.voter_count = len(domain_by_director)
        self.evidence.domain_by_director = dict(domain_by_director)

    # -- directors: the log ------------------------------------------------------------------------

    def raft_started(self, replica_id: str, log: RaftLogReader) -> None:
        """A replica's engine starts with what its disk holds."""
        self.raft.started(replica_id, log)

    def persisted(self, replica_id: str, log: RaftLogReader) -> None:
        """A replica's sync ended; ``log`` shows what is durable."""
        self.raft.persisted(replica_id, log)

    def disk_replaced(self, replica_id: str) -> None:
        """Somebody wiped a replica's disk, or put an old copy in its place.

        Once that happened to a majority, terms may come again and what was committed may be gone.
        """
        self.raft.disk_replaced(replica_id)
        if self.raft.replaced_count * 2 > self.minority.voter_count:
            self.leaders.leader_by_term.clear()
            self.raft.forget_leaders()

    def restored(self, index: int) -> None:
        """The directors went back to a copy: what was behind ``index`` is gone (fault 26)."""
        self.tokens.restored(index)
        self.raft.restored(index)
        self.same_state.restored(index)
        self.one_effect.restored(index)
        for each in (self.revoked, self.lost_writes, self.velocity, self.one_run, self.replay):
            each.restored()
        self.newest = State()

    def sent(self, replica_id: str, message: Message) -> None:
        """A replica sends a message to another."""
        self.raft.sent(replica_id, message)

    def heard(self, replica_id: str, message: Message, *, sent_ms: int) -> None:
        """A message that was sent at ``sent_ms`` of true time came to a replica."""
        self.minority.heard(replica_id, message, sent_ms=sent_ms, now_ms=self.clock())

    def led(self, replica_id: str, term: int) -> None:
        """A replica leads at this moment."""
        now_ms = self.clock()
        self.leaders.led(replica_id, term)
        self.raft.led(replica_id, term)
        self.minority.led(replica_id, term, now_ms=now_ms)
        self.stable_leader.led(term, now_ms=now_ms)

    def committed(
        self,
        replica_id: str,
        entries: Collection[Entry],
        voters: Collection[str],
        newest: Collection[str] = (),
    ) -> None:
        """A replica takes entries as committed, by a majority of one of these memberships."""
        cut = self.raft.rewritten_from(entries)
        if cut is not None:
            self.restored(cut - 1)
        self.raft.committed(replica_id, entries, voters, newest)

    def read_asked(self, replica_id: str, number: int) -> None:
        """A linearizable read begins."""
        self.reads.asked(replica_id, number, committed_index=self.raft.committed_index)

    def read_confirmed(self, replica_id: str, number: int, index: int) -> None:
        """The read may be answered from the state as of ``index``."""
        self.reads.confirmed(replica_id, number, index=index)

    # -- directors: the state ----------------------------------------------------------------------

    def replica_started(self, replica_id: str) -> None:
        """It replays its log from where its snapshot ends; what it said before is said again."""
        for each in (
            self.tokens,
            self.same_state,
            self.routes,
            self.writes_hold,
            self.fresh,
            self.reads,
            self.minority,
        ):
            each.replica_started(replica_id)

    def applied(self, replica_id: str, state: State) -> None:
        """A replica has this state now."""
        self.same_state.applied(replica_id, state)
        self.tokens.applied(replica_id, state)
        self.fresh.applied(replica_id, state)
        if state.applied_index > self.newest.applied_index:
            before, self.newest = self.newest, state
            if state.applied_index == before.applied_index + 1:
                self._changed(before, state)
        for each in self.on_applied:
            each(replica_id, state)

    def _changed(self, before: State, after: State) -> None:
        """The entry of ``after`` was applied for the first time anywhere."""
        now_ms = self.clock()
        self.tokens.changed(before, after)
        self.moves.changed(before, after)
        self.lost_writes.changed(before, after)
        self.drains.changed(before, after)
        self.velocity.changed(before, after)
        self.writes_hold.changed(before, after)
        self.one_run.changed(before, after)
        self.flap.changed(before, after)
        self.overrides.changed(before, after, self.raft.entries)
        self.revoked.changed(before, after, now_ms=now_ms)
        self.failback.changed(before, after, now_ms=now_ms)
        self.owner_declared.changed(before, after)
        self.rto.changed(before, after, now_ms=now_ms)
        self.stable_leader.look(now_ms=now_ms)

    def noted(self, replica_id: str, event: Event) -> None:
        """A replica applied an entry, and tells what it did."""
        self.tokens.noted(replica_id, event)
        self.one_effect.noted(event)
        if isinstance(event, VerdictsRecorded) and event.index == self.newest.applied_index:
            self.evidence.noted(event, self.newest)

    def published(self, replica_id: str, table: RouteTable) -> None:
        """A replica answers from this table now."""
        self.routes.published(replica_id, table)
        self.writes_hold.published(replica_id, table)
        self.fresh.published(replica_id, table)

    # -- leases ------------------------------------------------------------------------------------

    def lease_arrived(self, replica_id: str, asked: LeaseAsked) -> None:
        """A request for a lease came to a replica."""
        self.minority.asked(
            replica_id,
            asked.region_id,
            asked.agent_id,
            asked.group_id,
            asked.request_number,
            self.clock(),
        )

    def lease_answered(self, replica_id: str, answer: GrantLease | RefuseLease) -> None:
        """A replica answers it."""
        self.minority.answered(
            replica_id,
            answer.region_id,
            answer.agent_id,
            answer.group_id,
            answer.request_number,
            is_granted=isinstance(answer, GrantLease),
        )

    # -- regions -----------------------------------------------------------------------------------

    def agent_started(self, region_id: str) -> None:
        """A region's agent starts; what its disk holds is told by ``kept``."""
        self.proven.agent_started(region_id)

    def kept(
        self,
        agent_id: str,
        token: Token,
        *,
        service_id: str = "chat",
        home: str | None = None,
        demoted_through: Token | None = None,
    ) -> None:
        """The disk of a region's agent holds this of a service."""
        self.tokens.kept(agent_id, token, service_id=service_id)
        self.fenced.kept(
            agent_id, token, home=home, demoted_through=demoted_through, service_id=service_id
        )

    def lease_asked(self, region_id: str, asked: SendLease) -> None:
        """A region's agent asks for a lease."""
        service_id = asked.group_id.rpartition("/")[0]
        token = (asked.token.generation, asked.token.epoch)
        self.fenced.acts(region_id, token, service_id=service_id)
        self.proven.asked(region_id, now_ms=self.clock(), service_id=service_id)

    def permitted(
        self, region_id: str, token: Token, *, now_ms: int, until_ms: int, service_id: str = "chat"
    ) -> None:
        """A gate lets its service write strictly before ``until_ms`` of true time."""
        self.fenced.acts(region_id, token, service_id=service_id)
        self.one_owner.permitted(
            region_id, token, now_ms=now_ms, until_ms=until_ms, service_id=service_id
        )
        self.revoked.permitted(
            region_id, token, now_ms=now_ms, until_ms=until_ms, service_id=service_id
        )
        self.tokens.used(region_id, token, service_id=service_id)

    def acknowledged(
        self,
        region_id: str,
        token: Token,
        *,
        now_ms: int,
        service_id: str = "chat",
        records: Records | None = None,
    ) -> None:
        """A service acknowledged a write; ``records`` is what its copy holds, with that one."""
        self.one_owner.acknowledged(region_id, token, now_ms=now_ms, service_id=service_id)
        self.writes.acknowledged(region_id, token, now_ms=now_ms, service_id=service_id)
        self.tokens.used(region_id, token, service_id=service_id)
        self.failback.acknowledged(region_id, now_ms=now_ms, service_id=service_id)
        self.rto.acknowledged(region_id, now_ms=now_ms, service_id=service_id)
        if records is not None:
            self.lost_writes.acknowledged(
                region_id, token, now_ms=now_ms, records=records, service_id=service_id
            )
        for each in self.on_acknowledged:
            each(service_id, region_id)

    # -- what scenarios tell -----------------------------------------------------------------------

    def region_lost(
        self, service_id: str, region_id: str, now_ms: int, budget_ms: int | None = None
    ) -> None:
        """The owner of a service is lost, and stays so until ``calm``."""
        self.rto.region_lost(service_id, region_id, now_ms=now_ms, budget_ms=budget_ms)

    def failover_possible(self, is_possible: bool) -> None:
        """Whether a quorum and a target within the RPO are there from now on."""
        self.rto.failover_possible(is_possible=is_possible, now_ms=self.clock())

    def calm(self) -> None:
        """Whatever was lost is back."""
        self.rto.calm()

    def healed(self) -> None:
        """Every replica runs and hears every other; a leader is due."""
        self.stable_leader.healed(now_ms=self.clock())

    def disturbed(self) -> None:
        """Something among the directors is broken again."""
        self.stable_leader.disturbed()

    def finish(self) -> None:
        """The world ends: look at what only an end can show."""
        self.rto.look(now_ms=self.clock())
        self.stable_leader.look(now_ms=self.clock())
        if self.raft.entries:
            self.replay.finish(self.raft.entries, self.newest)
