"""Faults of a director's disk: full, failing, slow, torn, flipped, lost, wiped (faults 16 to 25).

Each story runs on the log in memory and on the production log, unless only one of them can show it.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from director.core.digest import digest
from director.core.inputs import Asked, ManifestAsked
from director.raft.messages import ReplicaId
from tests.sim.options import Options
from tests.sim.rejoin import Rejoin
from tests.sim.replica import Replica
from tests.sim.scenarios.story import Story
from tests.sim.wal_disk import WalDisk

BOTH = pytest.mark.parametrize("disk", ["memory", "wal"])
PATIENCE_MS = 30_000
PLACES = ("eu-west1", "eu-north1", "us-east1", "ap-south1", "eu-west1")


class Fleet(Story):
    """A settled fleet on a quiet network."""

    def __init__(
        self, disk: str, seed: int = 1, snapshot_entries: int = 1_000, directors: int = 3
    ) -> None:
        quiet = replace(
            Options.draw(seed),
            disk=disk,
            loss=0.0,
            jitter_ms=5,
            base_delay_ms=20,
            sync_ms=4,
            snapshot_entries=snapshot_entries,
            directors=tuple((f"d{number}", PLACES[number]) for number in range(directors)),
        )
        super().__init__(quiet)
        self.asked_count = 0
        self.cluster.start()
        self.until_settled(PATIENCE_MS, "at the start")

    @property
    def leader(self) -> Replica:
        leader = self.cluster.leader()
        assert leader is not None, "somebody leads"
        return leader

    @property
    def followers(self) -> list[Replica]:
        return [each for each in self.cluster.replicas.values() if each is not self.leader]

    def commit(self, count: int = 1) -> None:
        """Have the leader, whoever it is, commit documents, one after the other."""
        for _ in range(count):
            self.until(lambda: self.cluster.leader() is not None, PATIENCE_MS, "somebody leads")
            before = self.cluster.newest().director.state.applied_index
            self.ask()
            self.until(
                lambda: self.cluster.newest().director.state.applied_index > before,  # noqa: B023
                PATIENCE_MS,
                "it commits",
            )

    def ask(self) -> None:
        """Ask the leader to commit something, and do not wait for it."""
        self.asked_count += 1
        name = f"document-{self.asked_count}"
        self.leader.receive(Asked(name, "test", "", ManifestAsked(self.cluster.topology, name)))

    def until_equal(self) -> None:
        """Wait until all replicas hold the same state."""
        replicas = list(self.cluster.replicas.values())

        def are_equal() -> bool:
            return len({each.director.state.applied_index for each in replicas}) == 1

        self.until(are_equal, PATIENCE_MS, "all replicas are equal")
        assert len({digest(each.director.state) for each in replicas}) == 1

    def hits(self, number: int) -> int:
        return self.world.coverage.of_fault(number)


# -- 16: the disk is full --------------------------------------------------------------------------


@BOTH
def test_a_leader_on_a_full_disk_leaves_office_and_takes_part_again_once_there_is_room(
    disk: str,
) -> None:
    fleet = Fleet(disk)
    full = fleet.leader
    full.disk.fill()
    while not full.raft.no_room:
        fleet.ask()
        fleet.advance(300)
        assert fleet.asked_count < 200, "the disk never filled up"
    assert not full.leads
    fleet.until(lambda: fleet.cluster.leader() not in (None, full), PATIENCE_MS, "another leads")
    stands_at = full.director.state.applied_index
    fleet.commit(5)
    fleet.advance(5_000)

    assert full.failed == ""
    assert "no room" in full.raft.no_room
    assert full.raft.leader_id == fleet.leader.replica_id, "it says who leads"
    assert full.director.state.applied_index == stands_at, "reads go on, as of then"
    full.disk.free()
    fleet.until_settled(PATIENCE_MS, "after there was room again")
    assert full.raft.no_room == ""
    fleet.until_equal()
    assert fleet.hits(16)


def test_a_replica_without_room_for_a_snapshot_keeps_the_one_before_and_goes_on() -> None:
    fleet = Fleet("memory", snapshot_entries=5)
    follower = fleet.followers[0]
    store = follower.raft.disk
    fleet.commit(6)
    store.fill()
    fleet.advance(1_000)
    store.free()
    fleet.commit(12)

    assert follower.failed == ""
    fleet.until_equal()


# -- 17: fsync fails -------------------------------------------------------------------------------


@BOTH
def test_a_leader_whose_sync_fails_once_takes_no_part_until_it_is_restarted(disk: str) -> None:
    fleet = Fleet(disk)
    failing = fleet.leader
    failing.disk.fail_next_sync()
    fleet.ask()
    fleet.until(lambda: bool(failing.failed), 2_000, "it fails")
    assert not failing.leads
    assert failing.process.is_up, "it answers reads from memory"
    fleet.until(lambda: fleet.cluster.leader() not in (None, failing), PATIENCE_MS, "another leads")
    stands_at = failing.director.state.applied_index
    fleet.commit(3)
    fleet.advance(10_000)

    assert failing.failed, "a sync is never tried again"
    assert failing.director.state.applied_index == stands_at
    failing.revive()
    fleet.until_settled(PATIENCE_MS, "after the restart")
    fleet.until_equal()
    assert fleet.hits(17)


@BOTH
def test_a_replica_whose_every_sync_fails_stays_out_until_the_disk_is_mended(disk: str) -> None:
    fleet = Fleet(disk)
    failing = fleet.followers[0]
    failing.disk.fail_syncs()
    for _ in range(3):
        fleet.commit()
        fleet.until(lambda: bool(failing.failed or failing.refused), 5_000, "it fails")
        failing.revive()
    fleet.commit(2)
    fleet.until(lambda: bool(failing.failed or failing.refused), 5_000, "it fails")

    failing.disk.mend()
    failing.revive()
    fleet.until_settled(PATIENCE_MS, "after the disk was mended")
    fleet.until_equal()


# -- 18: fsync is slow, or hangs -------------------------------------------------------------------


@BOTH
def test_a_leader_whose_syncs_take_200_ms_keeps_its_office(disk: str) -> None:
    fleet = Fleet(disk)
    slow, term = fleet.leader, fleet.leader.raft.node.term
    slow.disk.slow(200)
    fleet.commit(20)
    fleet.advance(10_000)

    assert fleet.leader is slow
    assert slow.raft.node.term == term
    assert fleet.world.coverage.counts[18, "slow"]


@BOTH
def test_a_leader_whose_sync_takes_5_s_loses_its_office_and_catches_up_later(disk: str) -> None:
    fleet = Fleet(disk)
    stalled = fleet.leader
    stalled.disk.stall(5_000)
    fleet.ask()
    fleet.advance(2_500)
    assert not stalled.leads, "its heartbeats wait for the disk as well"
    fleet.until(lambda: fleet.cluster.leader() not in (None, stalled), 2_500, "another leads")
    fleet.commit(2)

    fleet.until_settled(PATIENCE_MS, "after the sync ended")
    fleet.until_equal()
    assert stalled.failed == ""
    assert fleet.world.coverage.counts[18, "stall"]


@BOTH
def test_a_leader_whose_disk_hangs_is_replaced_and_promises_nothing_meanwhile(disk: str) -> None:
    fleet = Fleet(disk)
    hung = fleet.leader
    hung.disk.hang()
    fleet.ask()
    fleet.advance(2_500)
    assert not hung.leads
    fleet.until(lambda: fleet.cluster.leader() not in (None, hung), 2_500, "another leads")
    held = hung.raft.log.durable.last_index()
    fleet.commit(5)
    fleet.advance(60_000)

    assert hung.raft.log.durable.last_index() == held
    progress = {each.replica_id: each for each in fleet.leader.raft.node.progress()}
    assert progress[ReplicaId(hung.replica_id)].match_index <= held
    hung.disk.mend()
    fleet.until_settled(PATIENCE_MS, "after the disk answered")
    fleet.until_equal()
    assert fleet.world.coverage.counts[18, "hang"]


# -- 19, 21: torn and lost writes ------------------------------------------------------------------


@pytest.mark.slow
def test_whatever_a_power_failure_tears_or_loses_nothing_that_was_promised_is_missing() -> None:
    # The checkers compare what was committed, and every ballot, with what each start finds.
    seen: Counter[int] = Counter()
    for seed in range(1, 5):
        fleet = Fleet("wal", seed, snapshot_entries=7)
        rng = random.Random(f"power {seed}")
        for _ in range(12):
            fleet.ask()
            fleet.advance(rng.randint(1, 60))
            victim = rng.choice(list(fleet.cluster.replicas.values()))
            victim.kill()
            fleet.advance(rng.randint(50, 2_000))
            victim.start()
            assert victim.refused == "", "what a crash leaves is never taken for damage"
            fleet.until_settled(PATIENCE_MS, "after the power failure")
        for replica in fleet.cluster.replicas.values():
            replica.kill()
        for replica in fleet.cluster.replicas.values():
            replica.start()
        fleet.until_settled(PATIENCE_MS, "after all lost power at once")
        fleet.until_equal()
        seen.update({number: fleet.hits(number) for number in (19, 21)})

    assert seen[19], "a write was torn"
    assert seen[21], "a write was lost"


@BOTH
def test_a_crash_loses_only_what_was_not_synced(disk: str) -> None:
    fleet = Fleet(disk)
    fleet.commit(3)
    victim = fleet.followers[0]
    held = victim.raft.log.durable.last_index()
    victim.disk.hang()
    fleet.commit(4)
    victim.kill()
    victim.disk.mend()
    victim.start()

    assert victim.raft.log.last_index() >= held
    fleet.until_settled(PATIENCE_MS, "after the crash")
    fleet.until_equal()


# -- 20: a bit flips -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_flipped_bit_is_refused_or_harmless_and_never_served() -> None:
    outcomes: Counter[str] = Counter()
    fleet = Fleet("wal", snapshot_entries=9)
    rng = random.Random("flips")
    for _ in range(60):
        fleet.commit()
        victim = rng.choice(list(fleet.cluster.replicas.values()))
        victim.kill()
        fleet.advance(rng.choice([100, 2_500]))
        copy = victim.disk.copy()
        assert victim.disk.flip_bit(rng)
        victim.start()
        outcomes["refused" if victim.refused else "harmless"] += 1
        if victim.refused:
            assert not victim.process.is_up
            assert "damaged" in victim.refused, victim.refused
            victim.disk.restore(copy)
            victim.start()
        fleet.until_settled(PATIENCE_MS, "after the flip")
        fleet.until_equal()

    assert outcomes["refused"] >= 20, outcomes
    assert fleet.hits(20) == 60


# -- 23, 24: snapshots -----------------------------------------------------------------------------


def far_behind(disk: str, seed: int = 1) -> tuple[Fleet, Replica]:
    """A fleet with one follower that is behind everything the others still have in their logs."""
    fleet = Fleet(disk, seed, snapshot_entries=5)
    behind = fleet.followers[0]
    behind.kill()
    fleet.commit(30)
    assert fleet.leader.raft.log.first_index() > behind.raft.log.durable.last_index() + 1
    return fleet, behind


@BOTH
def test_a_follower_far_behind_a_compacted_log_catches_up_by_a_snapshot(disk: str) -> None:
    fleet, behind = far_behind(disk)
    leader, term = fleet.leader, fleet.leader.raft.node.term
    behind.start()
    fleet.until_settled(PATIENCE_MS, "after it came back")
    fleet.until_equal()

    assert fleet.world.coverage.counts[24, "installed"]
    assert (fleet.leader, fleet.leader.raft.node.term) == (leader, term), "the leader is not moved"


@pytest.mark.slow
@BOTH
def test_a_crash_while_a_snapshot_is_installed_leaves_the_old_state_or_the_new(disk: str) -> None:
    details: Counter[str] = Counter()
    fleet, behind = far_behind(disk)
    for wait_ms in range(0, 24, 2):
        behind.start()
        before = behind.raft.log.snapshot_mark().index
        while not (behind.raft.receiving_index or behind.raft.installing_index):
            fleet.advance(1)
            if behind.raft.log.snapshot_mark().index > before:
                break
        fleet.advance(wait_ms)
        behind.kill()
        behind.start()
        assert behind.refused == ""
        assert behind.raft.log.snapshot_mark().index >= before
        behind.kill()
        fleet.commit(8)
    behind.start()
    fleet.until_settled(PATIENCE_MS, "after the last crash")
    fleet.until_equal()
    for (number, detail), count in fleet.world.coverage.counts.items():
        if number == 23:
            details[detail] += count

    assert details["receiving"]


# -- 25: a directory is wiped ----------------------------------------------------------------------


@BOTH
def test_a_wiped_replica_is_no_voter_under_its_old_name_until_it_was_removed_and_added_again(
    disk: str,
) -> None:
    fleet = Fleet(disk, snapshot_entries=9)
    wiped, other = fleet.followers
    fleet.commit(12)
    wiped.kill()
    wiped.disk.wipe()
    wiped.start()
    fleet.commit(3)
    fleet.advance(10_000)
    assert wiped.director.state.applied_index == 0, "nobody talks to it"
    assert wiped.raft.node.quorum_contact is None
    assert fleet.world.coverage.counts[25, "refused"]

    other.kill()
    stands_at = fleet.cluster.newest().director.state.applied_index
    fleet.advance(10_000)
    assert fleet.cluster.leader() is None, "with a replica that forgot its votes there is no quorum"
    assert fleet.cluster.newest().director.state.applied_index == stands_at
    other.start()
    fleet.until(lambda: fleet.cluster.leader() is not None, PATIENCE_MS, "somebody leads")

    rejoin = Rejoin(fleet.world, fleet.cluster.replicas, wiped.replica_id).begin()
    fleet.until(lambda: rejoin.is_done, PATIENCE_MS, f"it is a voter: {rejoin.refusals}")
    fleet.until_settled(PATIENCE_MS, "after it joined")
    fleet.until_equal()

    third = next(each for each in fleet.followers if each is not wiped)
    third.kill()
    fleet.commit(2)


@BOTH
def test_a_damaged_replica_comes_back_by_way_of_an_empty_disk(disk: str) -> None:
    fleet = Fleet(disk)
    damaged = fleet.followers[0]
    fleet.commit(5)
    rng = random.Random("damage")
    while not damaged.refused:
        if damaged.process.is_up:
            damaged.kill()
        assert damaged.disk.flip_bit(rng)
        damaged.start()
    assert not damaged.process.is_up
    damaged.disk.wipe()
    damaged.revive()
    assert damaged.refused == ""

    rejoin = Rejoin(fleet.world, fleet.cluster.replicas, damaged.replica_id).begin()
    fleet.until(lambda: rejoin.is_done, PATIENCE_MS, f"it is a voter: {rejoin.refusals}")
    fleet.until_settled(PATIENCE_MS, "after it joined")
    fleet.until_equal()


def test_the_production_log_is_under_the_disk_that_is_called_wal() -> None:
    fleet = Fleet("wal")
    disk = fleet.leader.disk

    assert isinstance(disk, WalDisk)
    assert any(path.suffix == ".wal" for path in disk.files.names_shown)


@BOTH
def test_a_world_repeats_itself_on_either_disk(disk: str) -> None:
    def run() -> tuple[str, int]:
        fleet = Fleet(disk, seed=3, snapshot_entries=5)
        fleet.commit(8)
        fleet.followers[1].kill()
        fleet.advance(1_000)
        fleet.cluster.heal()
        fleet.until_settled(PATIENCE_MS, "after the kill")
        return fleet.world.trace.digest(), fleet.world.schedule.event_count

    assert run() == run()


@BOTH
def test_a_replica_that_was_away_while_another_was_replaced_works_with_the_new_one(
    disk: str,
) -> None:
    # One snapshot tells it of the removal and of the addition at once. Its notes say that the
    # member it finds there has an empty directory.
    fleet = Fleet(disk, snapshot_entries=5, directors=5)
    away, wiped = fleet.followers[:2]
    fleet.commit(3)
    fleet.advance(3_000)
    away.kill()
    wiped.kill()
    wiped.disk.wipe()
    wiped.start()
    rejoin = Rejoin(fleet.world, fleet.cluster.replicas, wiped.replica_id).begin()
    fleet.until(lambda: rejoin.is_done, PATIENCE_MS, f"it is a voter: {rejoin.refusals}")
    fleet.commit(30)
    away.start()
    fleet.until_equal()
    assert fleet.leader.raft.transfer(away.replica_id) is None
    fleet.until(lambda: fleet.cluster.leader() is away, 5_000, "it leads")
    others = [each for each in fleet.cluster.replicas.values() if each not in (away, wiped)]
    for other in others[:2]:
        other.kill()
    fleet.commit(3)
    fleet.advance(5_000)
    assert fleet.cluster.leader() is away, "the one that was replaced makes up its majority"
