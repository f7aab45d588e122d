"""An in-memory fake of the consensus port, for tests of what stands on it.

A group lives in one event loop and moves only when a test says so: nothing waits, nothing is
random, and a new leader is found at once and is always the first voter (by id) that may lead. It
passes the same contract tests as the real engines.

    group = MemoryGroup(("d0", "d1", "d2"))
    await group.start()
    d0 = group.consensus("d0")          # leads
    group.isolate("d0")                 # d1 leads now, d0 knows that it lost its quorum
    group.heal()
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from director.consensus.port import (
    PAYLOAD_BYTES_MAX,
    CommittedEntry,
    Delivery,
    EngineFailedError,
    Entry,
    LeadershipChanged,
    Member,
    MembershipRefusedError,
    NotLeaderError,
    OutcomeUnknownError,
    OverloadedError,
    PayloadTooLargeError,
    SnapshotDelivered,
    Standing,
)
from director.runtime.clock import boot_ms


@dataclass
class _Disk:
    """What survives a crash of one member."""

    durable_index: int = 0
    first_index: int = 1
    snapshot: SnapshotDelivered | None = None


@dataclass
class _Pending:
    """A proposal that is appended at its leader and not committed yet."""

    proposer_id: str
    term: int
    payload: bytes
    outcome: asyncio.Future[Entry] = field(repr=False)


class MemoryGroup:
    """The whole group: one log, and who can reach whom.

    Attributes:
        term: The newest leadership's number.
        leader_id: None while no majority is connected, or after ``depose``.
        keeps_undecided: Whether entries left behind by a leader that lost its office commit under
            the next one. Both happen in reality.
        uncommitted_max: Proposals that may wait before one is refused as too many.
    """

    def __init__(
        self,
        member_ids: Sequence[str] = ("d0", "d1", "d2"),
        *,
        clock: Callable[[], int] = boot_ms,
        margin_count: int = 0,
        uncommitted_max: int = 1024,
    ) -> None:
        self.term = 0
        self.leader_id: str | None = None
        self.keeps_undecided = False
        self.uncommitted_max = uncommitted_max
        self.margin_count = margin_count
        self.clock = clock
        self.voters = tuple(sorted(member_ids))
        self.learners: tuple[str, ...] = ()
        self._log: list[CommittedEntry] = []
        self._pending: list[_Pending] = []
        self._isolated: frozenset[str] = frozenset()
        self._unaware: str | None = None
        self._is_holding = False
        self._disks = {member_id: _Disk() for member_id in self.voters}
        self._members = {i: MemoryConsensus(self, i) for i in self.voters}

    # What a test does to the group.

    def consensus(self, member_id: str) -> "MemoryConsensus":
        """This member's end of the log, as of its last restart."""
        return self._members[member_id]

    async def start(self) -> None:
        """Start every member that does not run yet."""
        for member in self._members.values():
            if not member.is_running:
                await member.start()

    def join(self, member_id: str) -> "MemoryConsensus":
        """Make a member that is not in the group yet; start it, then add it as a learner."""
        self._disks[member_id] = _Disk()
        self._members[member_id] = MemoryConsensus(self, member_id)
        return self._members[member_id]

    def crash(self, member_id: str) -> None:
        """Kill a member. What it held stays on its disk; its object is of no more use."""
        self._members[member_id].end()
        self._settle()

    def restart(self, member_id: str) -> "MemoryConsensus":
        """Make a new object for a member that crashed or stopped; the test starts it."""
        self._members[member_id].end()
        self._members[member_id] = MemoryConsensus(self, member_id)
        return self._members[member_id]

    def fail(self, member_id: str, message: str, *, reason: str = "STORAGE_FAILED") -> None:
        """Let a member's engine fail for good, as a failed fsync does."""
        self._members[member_id].end(failed=message, failed_reason=reason)
        self._settle()

    def isolate(self, *member_ids: str, unaware: bool = False) -> None:
        """Cut members off from all others, silently.

        Args:
            member_ids: The members cut off, each for itself.
            unaware: A leader among them goes on believing that it leads until ``heal`` or
                ``notice``, as one does for less than an election timeout.
        """
        self._isolated |= frozenset(member_ids)
        if unaware and self.leader_id in member_ids:
            self._unaware = self.leader_id
        self._settle()

    def notice(self) -> None:
        """Let an unaware leader notice that it lost its quorum."""
        self._unaware = None
        self._settle()

    def heal(self) -> None:
        """Connect everyone again."""
        self._isolated = frozenset()
        self._unaware = None
        self._settle()

    def hold_commits(self) -> None:
        """Let proposals be appended and wait, until ``release_commits`` or a new leader."""
        self._is_holding = True

    def release_commits(self) -> None:
        """Commit what waits."""
        self._is_holding = False
        self._commit_pending()

    def depose(self) -> None:
        """Take the leader's office away, so that there is none until ``elect``."""
        self.leader_id = None
        self._lose_pending()
        self._publish()

    def elect(self, member_id: str) -> None:
        """Let a member lead a new term.

        Raises:
            AssertionError: It could not win: not a running voter connected to a majority.
        """
        assert member_id in self._electable(), f"{member_id} cannot win an election now"
        self._lose_pending()
        self.term += 1
        self.leader_id = member_id
        # The engine's own first entry of its term, as in the real engines.
        self._append(b"")
        self._publish()

    # What the members ask of the group.

    def member_ids(self) -> tuple[str, ...]:
        """All members, sorted."""
        return tuple(sorted({*self.voters, *self.learners}))

    def has_quorum(self, member_id: str) -> bool:
        """Whether the member is connected to a majority of running voters."""
        return member_id in self._connected() and self._has_majority()

    def is_isolated(self, member_id: str) -> bool:
        """Whether the member is cut off."""
        return member_id in self._isolated

    def believes_to_lead(self, member_id: str) -> bool:
        """Whether the member would accept proposals, rightly or not."""
        return member_id in (self.leader_id, self._unaware)

    def disk(self, member_id: str) -> _Disk:
        """What survives a crash of this member."""
        return self._disks[member_id]

    def log_after(self, index: int, last: int) -> Sequence[CommittedEntry]:
        """Committed entries above ``index`` up to ``last``."""
        return self._log[index:last]

    def appended(self, proposal: _Pending) -> None:
        """Take a proposal of a member that believes to lead."""
        self._pending.append(proposal)
        self._commit_pending()

    def pending_count(self) -> int:
        """Proposals that wait."""
        return len(self._pending)

    def commit_index(self) -> int:
        """The last committed index."""
        return len(self._log)

    def changed_members(self, voters: Sequence[str], learners: Sequence[str]) -> None:
        """Commit a new membership."""
        old = self.member_ids()
        self.voters = tuple(sorted(voters))
        self.learners = tuple(sorted(learners))
        self._append(b"")
        self._publish(also=tuple(m for m in old if m not in self.member_ids()))
        self._settle()

    def settled(self) -> None:
        """A member came or went; find out who leads."""
        self._settle()

    # The rules.

    def _connected(self) -> tuple[str, ...]:
        return tuple(
            member_id
            for member_id in self.member_ids()
            if self._members[member_id].is_running and member_id not in self._isolated
        )

    def _has_majority(self) -> bool:
        connected = self._connected()
        return 2 * sum(voter in connected for voter in self.voters) > len(self.voters)

    def _electable(self) -> tuple[str, ...]:
        if not self._has_majority():
            return ()
        connected = self._connected()
        return tuple(voter for voter in self.voters if voter in connected)

    def _settle(self) -> None:
        electable = self._electable()
        if self.leader_id not in electable:
            if self.leader_id is not None and self._unaware != self.leader_id:
                self._lose_pending()
            self.leader_id = None
            if electable:
                self.elect(electable[0])
        if self._unaware is None:
            self._lose_pending(unless=self.leader_id)
        self._publish()

    def _lose_pending(self, *, unless: str | None = None) -> None:
        """End the wait of proposals whose leader is known to be no more."""
        undecided, self._pending = self._pending, []
        for proposal in undecided:
            if proposal.proposer_id in (unless, self._unaware):
                self._pending.append(proposal)
                continue
            if self.keeps_undecided:
                self._log.append(
                    CommittedEntry(len(self._log) + 1, proposal.term, proposal.payload)
                )
            if not proposal.outcome.done():
                proposal.outcome.set_exception(
                    OutcomeUnknownError(
                        f"{proposal.proposer_id} lost term {proposal.term} while waiting",
                        term=proposal.term,
                    )
                )

    def _commit_pending(self) -> None:
        if self._is_holding:
            return
        waiting, self._pending = self._pending, []
        for proposal in waiting:
            if proposal.proposer_id != self.leader_id or proposal.term != self.term:
                self._pending.append(proposal)
                continue
            entry = self._append(proposal.payload)
            if not proposal.outcome.done():
                proposal.outcome.set_result(entry)
        self._publish()

    def _append(self, payload: bytes) -> Entry:
        entry = CommittedEntry(len(self._log) + 1, self.term, payload)
        self._log.append(entry)
        return Entry(entry.index, entry.term)

    def _publish(self, also: tuple[str, ...] = ()) -> None:
        has_quorum = self._has_majority()
        for member_id in (*self._connected(), *also):
            if has_quorum:
                self._replicate_to(member_id)
        for member in self._members.values():
            member.noticed()

    def _replicate_to(self, member_id: str) -> None:
        disk = self._disks[member_id]
        source = self._disks[self.leader_id] if self.leader_id is not None else disk
        if disk.durable_index + 1 < source.first_index and source.snapshot is not None:
            disk.snapshot = source.snapshot
            disk.durable_index = source.snapshot.index
            disk.first_index = source.snapshot.index + 1
        disk.durable_index = max(disk.durable_index, len(self._log))


class MemoryConsensus:
    """One member's end of the log; see ``director.consensus.port.Consensus``."""

    def __init__(self, group: MemoryGroup, member_id: str) -> None:
        self.is_running = False
        self._group = group
        self._id = member_id
        self._delivered_index = 0
        self._queue: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._known = (0, "", False)
        self._contact_at_ms: int | None = None
        self._contact_index = 0
        self._failed = ""
        self._failed_reason = ""
        self._has_ended = False

    @property
    def settle_ms(self) -> int:
        """See the port. The fake settles at once."""
        return 0

    async def start(self, *, applied_index: int = 0) -> None:
        """See the port."""
        if self._failed:
            raise EngineFailedError(self._failed)
        assert not self.is_running, "started twice"
        assert not self._has_ended, "an ended member is restarted through its group"
        self.is_running = True
        self._delivered_index = applied_index
        self._group.settled()

    async def stop(self) -> None:
        """See the port."""
        self.end()
        self._group.settled()

    def end(self, *, failed: str = "", failed_reason: str = "") -> None:
        """Stop taking part at once, for the group's use."""
        self._failed = self._failed or failed
        self._failed_reason = self._failed_reason or failed_reason
        if not self._has_ended:
            self._has_ended = True
            self.is_running = False
            self._queue.put_nowait(None)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """See the port."""
        while (delivery := await self._queue.get()) is not None:
            yield delivery
        self._queue.put_nowait(None)

    def noticed(self) -> None:
        """Deliver what the member may know by now, for the group's use."""
        if not self.is_running:
            return
        if self._group.has_quorum(self._id):
            self._note_contact()
        self._deliver_log()
        term, leader_id, is_leader = self._view()
        if (term, leader_id or "", is_leader) != self._known:
            self._known = (term, leader_id or "", is_leader)
            self._queue.put_nowait(LeadershipChanged(term, leader_id, is_leader))

    def _deliver_log(self) -> None:
        disk = self._group.disk(self._id)
        snapshot = disk.snapshot
        if snapshot is not None and self._delivered_index < snapshot.index:
            self._queue.put_nowait(snapshot)
            self._delivered_index = snapshot.index
        for entry in self._group.log_after(self._delivered_index, disk.durable_index):
            self._queue.put_nowait(entry)
            self._delivered_index = entry.index

    def _view(self) -> tuple[int, str | None, bool]:
        group = self._group
        known_term = self._known[0]
        if group.is_isolated(self._id):
            if group.believes_to_lead(self._id):
                return known_term, self._id, True
            # It cannot know of terms begun without it.
            return known_term, None, False
        if group.leader_id is None:
            return known_term, None, False
        return group.term, group.leader_id, group.leader_id == self._id

    def _note_contact(self) -> None:
        self._contact_at_ms = self._group.clock()
        self._contact_index = self._group.commit_index()

    def standing(self) -> Standing:
        """See the port."""
        if self.is_running and self._group.has_quorum(self._id):
            self._note_contact()
        term, leader_id, is_leader = self._known
        runs = self.is_running
        return Standing(
            member_id=self._id,
            term=term,
            leader_id=(leader_id or None) if runs else None,
            is_leader=is_leader and runs,
            commit_index=self._group.disk(self._id).durable_index,
            applied_index=self._delivered_index,
            quorum_contact_at_ms=self._contact_at_ms,
            contact_index=self._contact_index,
            failed=self._failed,
            failed_reason=self._failed_reason,
        )

    def _check_leads(self, term: int | None = None) -> None:
        if self._failed:
            raise EngineFailedError(self._failed)
        known_term, leader_id, is_leader = self._known
        if not self.is_running or not is_leader or (term is not None and term != known_term):
            raise NotLeaderError(
                f"{self._id} does not lead term {term}", term=term or 0, leaderId=leader_id
            )

    async def propose(self, payload: bytes, *, term: int) -> Entry:
        """See the port."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise PayloadTooLargeError(
                f"{len(payload)} bytes; an entry holds at most {PAYLOAD_BYTES_MAX}",
                payloadBytes=len(payload),
            )
        self._check_leads(term)
        if self._group.pending_count() >= self._group.uncommitted_max:
            raise OverloadedError(f"{self._group.pending_count()} proposals wait")
        outcome: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._group.appended(_Pending(self._id, term, payload, outcome))
        return await outcome

    async def read_barrier(self, *, term: int | None = None) -> int:
        """See the port."""
        if term is not None:
            self._check_leads(term)
        elif self._failed:
            raise EngineFailedError(self._failed)
        await asyncio.sleep(0)  # as the real round, it lets others run
        group = self._group
        if not group.has_quorum(self._id) or group.leader_id is None or not self.is_running:
            raise NotLeaderError(f"no leader answered {self._id}")
        if term is not None and (term != group.term or group.leader_id != self._id):
            raise NotLeaderError(f"{self._id} does not lead term {term} any more", term=term)
        return group.commit_index()

    async def save_snapshot(self, index: int, payload: bytes) -> None:
        """See the port."""
        if self._failed:
            raise EngineFailedError(self._failed)
        assert index <= self._delivered_index, "only a delivered state can be kept"
        disk = self._group.disk(self._id)
        if disk.snapshot is not None and disk.snapshot.index >= index:
            return
        disk.snapshot = SnapshotDelivered(index, payload)
        disk.first_index = max(disk.first_index, index + 1 - self._group.margin_count)

    def members(self) -> tuple[Member, ...]:
        """See the port."""
        group = self._group
        _, leader_id, is_leader = self._known
        return tuple(
            Member(
                member_id=member_id,
                is_voter=member_id in group.voters,
                is_leader=member_id == leader_id,
                match_index=group.disk(member_id).durable_index if is_leader else 0,
                is_active=is_leader and group.has_quorum(member_id),
            )
            for member_id in group.member_ids()
        )

    async def add_learner(self, member_id: str, address: str) -> None:
        """See the port. The fake needs no address; an empty one is refused as elsewhere."""
        self._check_leads()
        group = self._group
        if member_id in group.member_ids():
            raise MembershipRefusedError(f"{member_id} is a member already", memberId=member_id)
        if not address:
            raise MembershipRefusedError(f"{member_id} has no address", memberId=member_id)
        if member_id not in group._members:
            group.join(member_id)
        await asyncio.sleep(0)
        group.changed_members(group.voters, (*group.learners, member_id))

    async def promote(self, member_id: str) -> None:
        """See the port."""
        self._check_leads()
        group = self._group
        if member_id not in group.learners:
            raise MembershipRefusedError(f"{member_id} is no learner", memberId=member_id)
        if not group.has_quorum(member_id):
            raise MembershipRefusedError(f"{member_id} is not caught up", memberId=member_id)
        await asyncio.sleep(0)
        learners = tuple(i for i in group.learners if i != member_id)
        group.changed_members((*group.voters, member_id), learners)

    async def remove(self, member_id: str) -> None:
        """See the port."""
        self._check_leads()
        group = self._group
        if member_id not in group.member_ids():
            raise MembershipRefusedError(f"{member_id} is no member", memberId=member_id)
        left = tuple(i for i in group.voters if i != member_id)
        reachable = sum(group.has_quorum(i) for i in left)
        if 2 * reachable <= len(left):
            raise MembershipRefusedError(
                f"without {member_id} only {reachable} of {len(left)} voters would be reachable",
                memberId=member_id,
            )
        await asyncio.sleep(0)
        group.changed_members(left, tuple(i for i in group.learners if i != member_id))

    async def transfer(self, member_id: str | None = None) -> None:
        """See the port."""
        self._check_leads()
        group = self._group
        others = tuple(i for i in group._electable() if i != self._id)
        target = member_id or (others[0] if others else self._id)
        if target not in group.voters:
            raise MembershipRefusedError(f"{target} is no voter", memberId=target)
        if target == self._id and member_id is not None:
            return
        if target not in others:
            raise MembershipRefusedError(f"{target} did not catch up in time", memberId=target)
        await asyncio.sleep(0)
        group.elect(target)
