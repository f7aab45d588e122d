"""Messages that come too late, again, or from somebody else (faults 13 and 42)."""

from director.core import ids as director_ids
from director.core import observations
from director.core.inputs import LeaseAsked, Reported
from director.routing.table import RegionId, Verdict
from regions.core import ids as agent_ids
from regions.core.inputs import GroupDirected, LeaseGranted
from tests.sim.region import SERVICE
from tests.sim.scenarios.named import Named

_GROUP = f"{SERVICE}/0"


class OldMessages(Named):
    """Fault 13: directives, grants and requests of two epochs ago arrive: refused by token (A3)."""

    def play(self) -> None:
        """Move the service twice, then deliver again what was said under the first epoch."""
        homes = [self.home]
        epochs = [self.epoch]
        for _ in range(2):
            target = self.rng.choice([each for each in self._others() if each not in homes])
            self.make_home(target)
            homes.append(target)
            epochs.append(self.epoch)
        assert epochs[2] == epochs[0] + 2
        for home, epoch in zip(homes[:2], epochs[:2], strict=True):
            self._deliver_directives(home, epoch)
            self._deliver_requests(home, epoch)
            self._deliver_grants(home, epoch)
        self.world.coverage.hit(13, "directive, grant and request")
        self.advance_calmly(5_000)
        assert (self.home, self.epoch) == (homes[2], epochs[2])

    def _others(self) -> list[str]:
        return [name for name in sorted(self.cluster.regions) if name != self.home]

    def _deliver_directives(self, home: str, epoch: int) -> None:
        token = agent_ids.FencingToken(self.state.generation, epoch)
        for region in self.cluster.regions.values():
            for demote in (False, True):
                region.receive(
                    GroupDirected(agent_ids.GroupId(_GROUP), SERVICE, RegionId(home), token, demote)
                )
            self._is_unmoved()

    def _deliver_grants(self, home: str, epoch: int) -> None:
        """Whatever number its request had, of this epoch's or of the present one's."""
        token = agent_ids.FencingToken(self.state.generation, epoch)
        for number in range(1, 60):
            self.cluster.regions[home].receive(
                LeaseGranted(agent_ids.GroupId(_GROUP), token, number, 4_000)
            )
            self._is_unmoved()

    def _deliver_requests(self, home: str, epoch: int) -> None:
        token = director_ids.FencingToken(self.state.generation, epoch)
        agent_id = director_ids.AgentId(self.cluster.regions[home].agent.identity.agent_id)
        for is_holding in (False, True):
            self.leader.receive(
                LeaseAsked(
                    RegionId(home),
                    agent_id,
                    director_ids.GroupId(_GROUP),
                    token,
                    1,
                    is_proven=True,
                    is_holding=is_holding,
                )
            )
        self._is_unmoved()

    def _is_unmoved(self) -> None:
        assert self.open_gates() == [self.home], f"an old message opened {self.open_gates()}"


class ReplayedReports(Named):
    """Fault 42: an agent's reports come again, or say of others what only those can say.

    Who may speak for a region is decided before the core, by the certificate of the stream
    (director.service.agents): that part is not simulated. Here the counter, the boot and the
    number of witnesses have to hold.
    """

    def play(self) -> None:
        """Replay reports that accuse the active region; ask for leases that are not due."""
        before, home = len(self.moves()), self.home
        for replica in self.cluster.replicas.values():
            for name in self.cluster.regions:
                # The first report of this boot said something else, and was taken in long ago.
                replica.receive(Reported(self._forged(name, counter=1)))
        self.world.coverage.hit(42, "replayed report")
        self.advance_calmly(3_000)
        assert self.verdict(home) is Verdict.UP
        self._replay_an_earlier_boot()
        self._ask_for_others_leases()
        self.advance_calmly(6_000)
        self._accuse_alone()
        assert len(self.moves()) == before
        assert self.home == home

    def _forged(self, name: str, *, counter: int, boot_id: str = "") -> observations.AgentReport:
        """A report of an agent, which says that it and the active region fail and have stopped."""
        identity = self.cluster.regions[name].agent.identity
        token = director_ids.FencingToken(self.state.generation, self.epoch)
        readings = observations.Readings(
            (observations.ServiceReading(SERVICE, name != self.home, 0, 0),),
            tuple(
                observations.PeerReading(SERVICE, RegionId(self.home), False, 99, 5_000, 0)
                for _ in range(name != self.home)
            ),
            (),
            (
                observations.GateReading(
                    director_ids.GroupId(_GROUP),
                    token,
                    is_open=False,
                    demoted_through=token if name == self.home else None,
                ),
            ),
        )
        return observations.AgentReport(
            identity.region_id,
            director_ids.AgentId(identity.agent_id),
            boot_id or identity.boot_id,
            counter,
            readings,
            self.leader.raft.node.replica_id,  # type: ignore[arg-type]
            transit_ms_max=1,
        )

    def _replay_an_earlier_boot(self) -> None:
        """A process that ended is not believed any more, however high its counter was."""
        name = next(each for each in sorted(self.cluster.regions) if each != self.home)
        region = self.cluster.regions[name]
        earlier = region.agent.identity.boot_id
        region.kill()
        self.advance(200)
        region.start()
        self.advance(6_000)
        for replica in self.cluster.replicas.values():
            replica.receive(Reported(self._forged(name, counter=10**9, boot_id=earlier)))
        self.world.coverage.hit(42, "report of an earlier boot")
        self.advance_calmly(3_000)
        assert self.verdict(self.home) is Verdict.UP

    def _ask_for_others_leases(self) -> None:
        token = director_ids.FencingToken(self.state.generation, self.epoch)
        asking = [(name, f"{name}-a") for name in sorted(self.cluster.regions) if name != self.home]
        asking.append((self.home, "impostor"))
        for name, agent_id in asking:
            for is_holding in (False, True):
                self.leader.receive(
                    LeaseAsked(
                        RegionId(name),
                        director_ids.AgentId(agent_id),
                        director_ids.GroupId(_GROUP),
                        token,
                        10**6,
                        is_proven=True,
                        is_holding=is_holding,
                    )
                )
        self.world.coverage.hit(42, "lease of another region")

    def _accuse_alone(self) -> None:
        """One agent forges its counter and accuses: a single witness convicts nobody (C4)."""
        name = next(each for each in sorted(self.cluster.regions) if each != self.home)
        for replica in self.cluster.replicas.values():
            replica.receive(Reported(self._forged(name, counter=10**9)))
        self.world.coverage.hit(42, "forged counter")
        self.advance_calmly(5_000)
        assert self.verdict(self.home) is not Verdict.DOWN
        # Its own later reports look old from now on, until it starts again.
        self.cluster.regions[name].kill()
        self.cluster.regions[name].start()
