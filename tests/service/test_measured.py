"""Counters beside the consensus port: each counts what it says, and nothing else changes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from director.consensus.port import CommittedEntry, Consensus, LeadershipChanged, NotLeaderError
from director.service.measured import MeasuredConsensus
from tests.support.memory_consensus import MemoryGroup


def measured(story: Callable[[MemoryGroup, MeasuredConsensus], Awaitable[None]]) -> None:
    """Run ``story`` with a group of three, of which d0 leads and is measured."""

    async def run() -> None:
        group = MemoryGroup(["d0", "d1", "d2"])
        counted = MeasuredConsensus(group.consensus("d0"))
        members: list[Consensus] = [counted, *(group.consensus(each) for each in ("d1", "d2"))]
        for each in members:
            await each.start()
        try:
            await story(group, counted)
        finally:
            for each in members:
                await each.stop()

    asyncio.run(run())


def test_a_proposal_is_counted_while_it_waits_and_timed_when_it_commits() -> None:
    async def story(group: MemoryGroup, counted: MeasuredConsensus) -> None:
        term = counted.standing().term
        entry = await counted.propose(b"one", term=term)
        assert entry.index == counted.standing().commit_index
        assert (counted.commits.count, counted.pending_count, counted.failed_count) == (1, 0, 0)

        group.hold_commits()
        waiting = asyncio.create_task(counted.propose(b"two", term=term))
        await asyncio.sleep(0)
        assert (counted.commits.count, counted.pending_count) == (1, 1)
        group.release_commits()
        await waiting
        assert (counted.commits.count, counted.pending_count) == (2, 0)

    measured(story)


def test_a_proposal_that_is_refused_is_a_failed_one() -> None:
    async def story(_: MemoryGroup, counted: MeasuredConsensus) -> None:
        with pytest.raises(NotLeaderError):
            await counted.propose(b"one", term=counted.standing().term + 1)
        assert (counted.commits.count, counted.pending_count, counted.failed_count) == (0, 0, 1)

    measured(story)


def test_every_delivery_passes_and_each_new_leader_is_counted_once() -> None:
    async def story(group: MemoryGroup, counted: MeasuredConsensus) -> None:
        seen: list[object] = []

        async def read() -> None:
            async for delivery in counted.deliveries():
                seen.append(delivery)  # noqa: PERF401 - each is looked at as it comes

        reader = asyncio.create_task(read())
        await counted.propose(b"one", term=counted.standing().term)
        await asyncio.sleep(0.01)
        assert counted.leader_change_count == 1
        group.elect("d1")
        async with asyncio.timeout(5):
            while counted.leader_change_count < 2:
                await asyncio.sleep(0.01)
        assert any(isinstance(each, CommittedEntry) and each.payload == b"one" for each in seen)
        leaders = {
            (each.term, each.leader_id)
            for each in seen
            if isinstance(each, LeadershipChanged) and each.leader_id
        }
        assert len(leaders) == counted.leader_change_count == 2
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader

    measured(story)


def test_snapshots_are_counted() -> None:
    async def story(_: MemoryGroup, counted: MeasuredConsensus) -> None:
        entry = await counted.propose(b"one", term=counted.standing().term)
        await counted.save_snapshot(entry.index, b"state")
        assert (counted.snapshot_count, counted.snapshot_failed_count) == (1, 0)

    measured(story)
