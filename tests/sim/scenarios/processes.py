"""Processes that are killed, stopped, suspended or starved (faults 1 to 4, 29, 30)."""

from director.routing.table import Verdict
from tests.sim.network import ALL_PLANES
from tests.sim.process import Process
from tests.sim.region import SERVICE
from tests.sim.scenarios.named import Named

_LEASE_MS = 4_000


class KilledAnywhere(Named):
    """Fault 1: any process is killed at any instant and started again: nothing is forgotten."""

    def play(self) -> None:
        """Kill one process after the other, each while the fleet is at work."""
        for _ in range(6):
            self.advance(self.rng.randint(0, 2_000))
            self._kill_one()
            self.until_settled(45_000, "after a process came back")

    def _kill_one(self) -> None:
        away_ms = self.rng.choice([20, 400, 1_500])
        if self.rng.random() < 0.5:
            replica = self.rng.choice(list(self.cluster.replicas.values()))
            role = "leader" if replica.leads else "follower"
            replica.kill()
            self.advance(away_ms)
            replica.start()
        else:
            name = self.rng.choice(sorted(self.cluster.regions))
            region = self.cluster.regions[name]
            role = "agent of the active region" if name == self.home else "agent"
            region.kill()
            self.advance(away_ms)
            region.start()
        self.world.coverage.hit(1, role)


class AllDirectorsKilled(Named):
    """Fault 2: all directors end at once. Routes stay, the state is the same, no token is lower."""

    def play(self) -> None:
        """End them for less or more than a lease, and compare before with after."""
        before, home = self.state, self.home
        # What has not committed may be lost; what is compared was committed long ago.
        for replica in self.cluster.replicas.values():
            replica.kill()
        self.world.coverage.hit(2, "directors")
        away_ms = self.rng.choice([50, 2_000, 3 * _LEASE_MS])
        self.advance(away_ms)
        if away_ms > _LEASE_MS:
            assert self.open_gates() == [], "a lease outlived all directors"
        for replica in self.cluster.replicas.values():
            replica.start()
        # A gate that is still open need not stay so: its agent has to find the new leader first.
        self.advance(10_000)
        self.until_settled(45_000, "after all directors came back")
        assert self.state.groups[0].epoch >= before.groups[0].epoch, "a token went down"
        assert self.state.generation >= before.generation
        assert self.state.topology == before.topology
        # Everybody was well all along, so nobody had to move.
        assert self.moves() == before.runs
        assert self.home == home


class PausedShortly(Named):
    """Fault 3: the active region stands still for a second: nothing happens."""

    def play(self) -> None:
        """Stop each of its processes for a second, one after the other."""
        region = self.cluster.regions[self.home]
        for process in (region.process, region.service.process):
            before = self.moves()
            process.pause()
            self.advance(1_000)
            process.resume()
            self.world.coverage.hit(3, "1 s, active region")
            self.advance(5_000)
            assert self.moves() == before, f"a second of silence began {self.moves()[-1]}"
            assert self.is_serving()


class PausedBeyondLease(Named):
    """Fault 3: the active region stands still for longer than its lease, and is replaced.

    When it goes on, its first write is refused by its own clock, before it heard from anybody.
    """

    def play(self) -> None:
        """Stop it for 5 s or more, and look at it at the very instant at which it goes on."""
        source = self.home
        region = self.cluster.regions[source]
        processes = (region.process, region.service.process)
        for process in processes:
            process.pause()
        self.world.network.watch_blocked()
        away_ms = self.rng.choice([5_000, 14_000, 25_000])
        self.world.coverage.hit(3, f"{away_ms} ms, active region")
        self.advance(away_ms)
        length = region.service.length
        self._refuses_at_once(source)
        for process in processes:
            process.resume()
        self._refuses_at_once(source)
        self.until_settled(45_000, "after the stopped region went on")
        if away_ms > 5_000:
            assert self.home != source, f"{source} was away for {away_ms} ms and still owns"
            assert self.failovers(), "it was replaced by a failover"
            # It took nothing more in by itself, and copies from the new owner now.
            assert source not in self.open_gates()
            self.until(lambda: region.service.length >= length, 5_000, "it follows the new owner")

    def _refuses_at_once(self, source: str) -> None:
        answer = self.cluster.regions[source].gates.check(SERVICE)
        assert answer is not None
        assert not answer.may_write, f"{source} may write after its lease ended"


class Suspended(Named):
    """Fault 4: the machines of the active region are suspended; the boot-time clock goes on.

    A clock that did not count the suspension would take the lease for young.
    """

    def play(self) -> None:
        """Suspend agent, service and director together, and wake them together."""
        source = self.home
        region = self.cluster.regions[source]
        director = self.cluster.director_in(source)
        processes: list[Process] = [region.process, region.service.process]
        if director is not None:
            processes.append(director.process)
        for process in processes:
            process.pause()
        self.world.network.watch_blocked()
        clock = region.process.clock
        slept_at_ms = clock.now_ms()
        away_ms = self.rng.choice([_LEASE_MS, 3 * _LEASE_MS, 30_000])
        self.advance(away_ms)
        self.world.coverage.hit(4, "active region with its director" if director else "active")
        assert clock.now_ms() - slept_at_ms >= away_ms * 9 // 10, "the clock counts suspension"
        for process in processes:
            process.resume()
        answer = region.gates.check(SERVICE)
        assert answer is not None
        assert not answer.may_write, "the lease ran out while it slept"
        self.until_settled(45_000, "after the machines woke up")


class SlowObserver(Named):
    """Fault 29: an agent that gets too little CPU doubts itself and accuses nobody."""

    def play(self) -> None:
        """Starve two agents elsewhere at once: as many as it takes to convict the active region."""
        others = [name for name in sorted(self.cluster.regions) if name != self.home]
        starved = self.rng.sample(others, 2)
        before, home = len(self.moves()), self.home
        end_ms = self.world.now_ms + 30_000
        while self.world.now_ms < end_ms:
            for name in starved:
                self.cluster.regions[name].process.pause()
            self.advance(self.rng.randint(300, 1_400))
            for name in starved:
                self.cluster.regions[name].process.resume()
            self.advance(self.rng.randint(20, 200))
            assert self.verdict(home) is not Verdict.DOWN, f"{starved} convicted {home}"
        self.world.coverage.hit(29, "two agents")
        assert len(self.moves()) == before, f"a slow observer began {self.moves()[-1]}"
        assert self.home == home


class AgentsEnd(Named):
    """Fault 30: all agents of a region end, the service does not.

    Silence is UNKNOWN, not DOWN: peers still reach the service. Gated writes end with the lease.
    """

    def play(self) -> None:
        """End the agent of the active region, or of another one, and look at the verdicts."""
        victim = self.home if self.options.seed % 2 else self._other()
        home = self.home
        self.cluster.regions[victim].kill()
        role = "active region" if victim == home else "other region"
        self.world.coverage.hit(30, role)
        seen: set[Verdict] = set()
        end_ms = self.world.now_ms + 20_000
        while self.world.now_ms < end_ms:
            self.advance(100)
            seen.add(self.verdict(victim))
        assert Verdict.UNKNOWN in seen, f"{victim} fell silent and is {seen}"
        assert Verdict.DOWN not in seen, f"only the agent of {victim} ended, and it is DOWN"
        if victim == home:
            assert self.home != home, "writes stopped with the lease, and nobody took over"
            assert self.is_serving()
        else:
            assert not self.automatic_runs()
            assert self.is_serving()

    def _other(self) -> str:
        others = [name for name in sorted(self.cluster.regions) if name != self.home]
        return self.rng.choice(others)


class RegionCutOffInside(Named):
    """Fault 30, seen from outside: the agent lives, and no director hears it."""

    def play(self) -> None:
        """Cut the agent off from the directors; the service goes on being reachable."""
        home = self.home
        self.isolate("agent", {home})
        self.advance(500)
        self.world.network.mend("agent")
        self.world.coverage.hit(30, "unheard for half a second")
        self.advance(3_000)
        assert not self.automatic_runs(), "half a second of silence moves nothing"
        directors = [each.process.host for each in self.cluster.replicas.values()]
        pairs = [(home, host) for host in directors] + [(host, home) for host in directors]
        self.world.network.cut("agent", pairs, ALL_PLANES)
        run = self.until_moved_from(home)
        assert run.target != home
