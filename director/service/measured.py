"""The consensus port with a counter beside each promise: what etcd's metrics of Raft tell.

It forwards every call as it is. Nothing of it decides anything.
"""

from collections.abc import AsyncIterator

from director.consensus.port import (
    Consensus,
    ConsensusError,
    Delivery,
    Entry,
    LeadershipChanged,
    Member,
    Standing,
)
from director.runtime.clock import elapsed_ns
from director.runtime.metrics import Buckets

# From one disk at hand to a quorum over three continents, and an election while it waits.
COMMIT_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class MeasuredConsensus:
    """An engine, and what went through it since the start of the process.

    Attributes:
        commits: How long a proposal of this replica took to be committed.
        pending_count: Proposals of this replica that still wait.
        failed_count: Proposals of this replica that were refused or whose outcome is unknown.
        leader_change_count: New leaders that this replica has seen.
        snapshot_count: Snapshots that were saved.
        snapshot_failed_count: Snapshots that could not be saved.
    """

    def __init__(self, engine: Consensus) -> None:
        self._engine = engine
        self._led: tuple[int, str] | None = None
        self.commits = Buckets(COMMIT_BOUNDS_S)
        self.pending_count = 0
        self.failed_count = 0
        self.leader_change_count = 0
        self.snapshot_count = 0
        self.snapshot_failed_count = 0

    @property
    def settle_ms(self) -> int:
        """See the port."""
        return self._engine.settle_ms

    async def start(self, *, applied_index: int = 0) -> None:
        """See the port."""
        await self._engine.start(applied_index=applied_index)

    async def stop(self) -> None:
        """See the port."""
        await self._engine.stop()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """See the port."""
        async for delivery in self._engine.deliveries():
            if isinstance(delivery, LeadershipChanged):
                self._note_leader(delivery)
            yield delivery

    def _note_leader(self, changed: LeadershipChanged) -> None:
        if changed.leader_id is None:
            return
        led = (changed.term, changed.leader_id)
        if led != self._led:
            self._led = led
            self.leader_change_count += 1

    def standing(self) -> Standing:
        """See the port."""
        return self._engine.standing()

    async def propose(self, payload: bytes, *, term: int) -> Entry:
        """See the port."""
        began_ns = elapsed_ns()
        self.pending_count += 1
        try:
            entry = await self._engine.propose(payload, term=term)
        except ConsensusError:
            self.failed_count += 1
            raise
        finally:
            self.pending_count -= 1
        self.commits.take(elapsed_ns() - began_ns)
        return entry

    async def read_barrier(self, *, term: int | None = None) -> int:
        """See the port."""
        return await self._engine.read_barrier(term=term)

    async def save_snapshot(self, index: int, payload: bytes) -> None:
        """See the port."""
        try:
            await self._engine.save_snapshot(index, payload)
        except (ConsensusError, OSError):
            self.snapshot_failed_count += 1
            raise
        self.snapshot_count += 1

    def members(self) -> tuple[Member, ...]:
        """See the port."""
        return self._engine.members()

    async def add_learner(self, member_id: str, address: str) -> None:
        """See the port."""
        await self._engine.add_learner(member_id, address)

    async def promote(self, member_id: str) -> None:
        """See the port."""
        await self._engine.promote(member_id)

    async def remove(self, member_id: str) -> None:
        """See the port."""
        await self._engine.remove(member_id)

    async def transfer(self, member_id: str | None = None) -> None:
        """See the port."""
        await self._engine.transfer(member_id)
