"""Directors whose disk fails, forgets, or comes from the past (faults 16 to 26).

One disk at a time: the other directors go on, and no acknowledged change is lost.
"""

from collections.abc import Callable
from dataclasses import replace

from director.core.inputs import ManifestAsked
from tests.sim.options import Options
from tests.sim.rejoin import Rejoin
from tests.sim.replica import Replica
from tests.sim.scenarios.named import Named

_AWAY_MS = 6_000
_PATIENCE_MS = 30_000


class DiskStory(Named):
    """What the stories of disks share: changes that are committed meanwhile, and counted."""

    DISKS: tuple[str, ...] = ("memory", "wal")

    @classmethod
    def tamed(cls, options: Options) -> Options:
        """Either kind of disk, by the seed; snapshots often enough to be part of the story."""
        disk = cls.DISKS[options.seed % len(cls.DISKS)]
        return replace(Named.tamed(options), disk=disk, snapshot_entries=9, base_delay_ms=20)

    def commit(self, count: int) -> None:
        """Have ``count`` changes made that leave everything as it is."""
        for _ in range(count):
            revision = self.state.revision
            self.declare(f"documents {self.world.now_ms}", self.cluster.topology)
            assert self.state.revision == revision + 1

    def a_victim(self) -> Replica:
        """The leader or a follower, by the seed."""
        replicas = sorted(self.cluster.replicas.values(), key=lambda each: each.replica_id)
        wants_leader = self.rng.random() < 0.5
        return next(each for each in replicas if each.leads is wants_leader)

    def until_others_lead(self, victim: Replica) -> None:
        """Let time pass until another director leads."""
        self.until(
            lambda: self.cluster.leader() not in (None, victim),
            _PATIENCE_MS,
            f"{victim.replica_id} cannot write, and nobody takes its office",
        )

    def has_caught_up(self, victim: Replica) -> bool:
        """Whether the victim knows everything that was committed."""
        return victim.director.state.applied_index == self.state.applied_index

    def restart(self, victim: Replica) -> None:
        """Do what supervises the process does."""
        if victim.process.is_up:
            victim.kill()
        self.advance(100)
        victim.start()


class FullDisk(DiskStory):
    """Fault 16: no room is left. A leader steps down; it recovers when there is room again."""

    def play(self) -> None:
        """Fill a disk, commit until it has no room, then make room."""
        victim = self.a_victim()
        led = victim.leads
        victim.disk.fill()
        count = 0
        while not victim.raft.no_room and count < 200:
            count += 1
            self.operator.declare(f"fill {count}", self.cluster.topology)
        assert victim.raft.no_room, "the disk was never full"
        if led:
            self.until_others_lead(victim)
        self.commit(3)
        assert victim.failed == "", "a full disk is no reason to end"
        victim.disk.free()
        self.until(lambda: self.has_caught_up(victim), _PATIENCE_MS, "it goes on by itself")


class FailingSync(DiskStory):
    """Fault 17: fsync fails once, or always. The log is used no further (D9)."""

    def play(self) -> None:
        """Fail it, see others act, restart."""
        victim = self.a_victim()
        is_lasting = self.rng.random() < 0.5
        if is_lasting:
            victim.disk.fail_syncs()
        else:
            victim.disk.fail_next_sync()
        for number in range(8):
            self.operator.declare(f"write {number}", self.cluster.topology)
        assert victim.failed, "it went on after a failed sync"
        assert not victim.leads
        self.until_others_lead(victim)
        self.commit(3)
        victim.disk.mend()
        self.restart(victim)
        self.until(lambda: self.has_caught_up(victim), _PATIENCE_MS, "it is back")


class SlowDisk(DiskStory):
    """Fault 18: fsync takes 200 ms, 5 s, or never ends. A leader that cannot write is replaced."""

    def play(self) -> None:
        """Slow it down by one of the three."""
        victim = self.leader
        kind = self.rng.choice(["slow", "stall", "hang"])
        faults: dict[str, Callable[[], None]] = {
            "slow": lambda: victim.disk.slow(200),
            "stall": lambda: victim.disk.stall(5_000),
            "hang": victim.disk.hang,
        }
        faults[kind]()
        self.operator.declare("one write", self.cluster.topology)
        if kind != "slow":
            self.until_others_lead(victim)
            assert not victim.leads
        self.commit(3)
        self.until(self.is_serving, _PATIENCE_MS, "the service does not need this disk")
        victim.disk.mend()


class PowerLoss(DiskStory):
    """Faults 19 and 21: writes, names and half sectors that were not synced are lost."""

    def play(self) -> None:
        """Commit, and cut the power of one director after the other in the middle of it."""
        for _ in range(6):
            victim = self.a_victim()
            for number in range(3):
                name = f"documents {self.world.now_ms} {number}"
                self.operator.send(ManifestAsked(self.cluster.topology, name), name)
            self.advance(self.rng.randint(0, 200))
            revision = victim.director.state.revision
            victim.kill()
            self.advance(self.rng.randint(50, 3_000))
            victim.start()
            assert victim.refused == "", victim.refused
            self.until_settled(_PATIENCE_MS, "after a loss of power")
            assert victim.director.state.revision >= revision, "something applied was lost"


class FlippedBit(DiskStory):
    """Fault 20: a bit flips on the disk of a stopped director: refused, or harmless (D9)."""

    def play(self) -> None:
        """Flip bits; a director that refuses to start comes back empty, as a new member."""
        self.commit(5)
        victim = self.a_victim()
        revision = self.state.revision
        for _ in range(6):
            if victim.process.is_up:
                victim.kill()
            victim.disk.flip_bit(self.rng)
            victim.start()
            if victim.refused:
                break
            self.until(lambda: self.has_caught_up(victim), _PATIENCE_MS, "nothing was lost")
        if victim.refused:
            victim.disk.wipe()
            # Removed first, then started, as its own refusal says.
            rejoin = Rejoin(self.world, self.cluster.replicas, victim.replica_id).begin()
            self.advance(_AWAY_MS)
            victim.revive()
            self.until(lambda: rejoin.is_done, _PATIENCE_MS, f"{rejoin.refusals}")
        self.until_settled(_PATIENCE_MS, "after the damage was repaired")
        assert self.state.revision >= revision


class FarBehind(DiskStory):
    """Faults 23 and 24: a follower comes back behind a compacted log, and crashes on the way."""

    def play(self) -> None:
        """Let the others go far ahead; kill the follower while its snapshot is installed."""
        victim = next(each for each in self.cluster.replicas.values() if not each.leads)
        victim.kill()
        self.commit(30)
        victim.start()
        for _ in range(20):
            self.advance(self.rng.randint(1, 60))
            if self.world.coverage.of_fault(23) or self.has_caught_up(victim):
                break
            victim.kill()
            self.advance(50)
            victim.start()
        self.until(lambda: self.has_caught_up(victim), _PATIENCE_MS, "it catches up by a snapshot")
        self.commit(1)


class Amnesia(DiskStory):
    """Fault 25: a data directory is wiped, and the director returns under the same name.

    It forgot what it voted for: its peers refuse it until it was removed and added again (C10).
    """

    def play(self) -> None:
        """Wipe it, see that it does not count, and take it in again."""
        self.commit(12)
        victim = self.a_victim()
        victim.kill()
        victim.disk.wipe()
        victim.start()
        self.advance(_AWAY_MS)
        assert victim.director.state.applied_index == 0, "nobody is to talk to it"
        other = next(
            each for each in self.cluster.replicas.values() if each is not victim and not each.leads
        )
        other.kill()
        self.advance(_AWAY_MS)
        assert self.cluster.leader() is None, "one director and one that forgot are no quorum"
        other.start()
        self.until(lambda: self.cluster.leader() is not None, _PATIENCE_MS, "a quorum again")
        rejoin = Rejoin(self.world, self.cluster.replicas, victim.replica_id).begin()
        self.until(lambda: rejoin.is_done, _PATIENCE_MS, f"{rejoin.refusals}")
        self.until_settled(_PATIENCE_MS, "after it joined again")


class RestoredFromYesterday(DiskStory):
    """Fault 26: all directors are put back to an old copy. A new generation begins (A2).

    The agents remember tokens that the old state never granted; whoever held one is fenced by a
    higher one, and nobody is given an epoch a second time.
    """

    def play(self) -> None:
        """Copy the disks, move the service twice, and put the copies back."""
        self.commit(3)
        copies = {name: each.disk.copy() for name, each in self.cluster.replicas.items()}
        index = min(each.director.state.applied_index for each in self.cluster.replicas.values())
        generation, epoch = self.state.generation, self.epoch
        for _ in range(1 + self.options.seed % 2):
            others = [each for each in sorted(self.cluster.regions) if each != self.home]
            self.make_home(self.rng.choice(others))
        owner, newest = self.home, (generation, self.epoch)
        assert newest > (generation, epoch)
        for replica in self.cluster.replicas.values():
            replica.kill()
        for name, replica in self.cluster.replicas.items():
            replica.disk.restore(copies[name])
        self.world.watch.restored(index)
        self.advance(_AWAY_MS)  # what was sent in the former life is gone by then
        self.world.coverage.hit(26, f"{self.epoch - epoch} epochs back")
        for replica in self.cluster.replicas.values():
            replica.start()
        self.until(
            lambda: self.state.generation > generation, _PATIENCE_MS, "a new generation begins"
        )
        self.until_settled(60_000, "under the new generation")
        assert (self.state.generation, self.epoch) > newest
        assert self.home == owner, f"the agents know that {owner} owns, not {self.home}"
