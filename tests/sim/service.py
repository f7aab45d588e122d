"""One copy of a simulated service in a region: it writes while its gate lets it, and is copied."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from director.routing.table import ServiceId
from regions.core.gate_answer import GateAnswer
from tests.sim.checkers.no_lost_write import Records, appended, length_of
from tests.sim.clock import NodeClock
from tests.sim.network import Late, Plane
from tests.sim.process import Process
from tests.sim.world import World

if TYPE_CHECKING:
    from tests.sim.region import Region

# One question in four to the gate takes a moment.
_LOCAL_SHARE = 0.25
_LOCAL_MS_MAX = 3
_COPY_WITHIN_MS = 1_000
# Away from its home a service only looks whether that changed.
_LOOK_EVERY_MS = 300
_SLOW_DISK_SHARE = 0.03
_DISK_MS = 15
_SLOW_DISK_MS = 400
# A probe is answered in tens of ms; one that is answered ten times slower takes this long.
_SLOW_ANSWER_MS = (200, 700)


@dataclass(frozen=True, slots=True)
class Hosted:
    """A service that a region hosts.

    Attributes:
        is_guarded: It has one home and asks the gate before each write. Otherwise it is
            active-active: every copy serves, there is no gate to ask, and nothing is written.
    """

    service_id: ServiceId
    is_guarded: bool = True


class Service:
    """The service's process: it acknowledges a write only if its permit is good at that instant.

    Attributes:
        is_healthy: Whether probes of it pass. It writes only while they do.
        slow_share: Share of the probes that are answered ten times slower (fault 28).
        records: What this copy holds.
    """

    def __init__(self, world: World, region_id: str, clock: NodeClock, hosted: Hosted) -> None:
        self.region_id = region_id
        self.service_id = hosted.service_id
        self.process = Process(f"{hosted.service_id} {region_id}", region_id, world.schedule, clock)
        self.is_guarded = hosted.is_guarded
        self.is_healthy = True
        self.slow_share = 0.0
        self.records: Records = ()
        self.regions: dict[str, Region] = {}
        self._world = world
        self._permit: GateAnswer | None = None
        self._copied_from = ""
        self._caught_up_at_ms: int | None = None

    def start(self) -> None:
        self.process.start()
        self._permit = None
        self._copied_from, self._caught_up_at_ms = "", None
        if not self.is_guarded:
            return
        rng, options = self._world.rng, self._world.options
        self.process.after(rng.randint(0, options.write_every_ms), self._write)
        self.process.after(rng.randint(0, options.copy_every_ms), self._copy)

    def probed(self) -> bool | Late:
        """Answer a probe."""
        if self.slow_share and self._world.rng.random() < self.slow_share:
            return Late(self.is_healthy, self._world.rng.randint(*_SLOW_ANSWER_MS))
        return self.is_healthy

    @property
    def length(self) -> int:
        """How many records this copy holds."""
        return length_of(self.records)

    # -- writing -----------------------------------------------------------------------------------

    def _write(self) -> None:
        """Begin a write if the permit in hand is good, and have the permit renewed."""
        permit, every_ms = self._permit, self._world.options.write_every_ms
        if permit is not None and permit.home != self.region_id:
            every_ms = max(_LOOK_EVERY_MS, every_ms)
        self.process.after(every_ms, self._write)
        self._ask()
        if self.is_healthy and self._is_permitted():
            permit = self._permit
            chance = self._world.rng.random
            disk_ms_max = _SLOW_DISK_MS if chance() < _SLOW_DISK_SHARE else _DISK_MS
            disk_ms = 1 + int(chance() * disk_ms_max)
            self.process.after(disk_ms, lambda: self._written(permit))

    def _ask(self) -> None:
        """Ask the gate; both ways together take a moment, or none."""
        region = self.regions[self.region_id]
        agent = region.process
        local_ms = 0
        if self._world.rng.random() < _LOCAL_SHARE:
            local_ms = self._world.rng.randint(1, _LOCAL_MS_MAX)
        if not local_ms and agent.running == agent.incarnation:
            self._permit = region.check(self.service_id)
            return
        incarnation = self.process.incarnation

        def asked() -> None:
            answer = region.check(self.service_id)
            self.process.post(lambda: self._permitted(answer), incarnation)

        self._world.schedule.after(local_ms, lambda: agent.post(asked, agent.incarnation))

    def _permitted(self, answer: GateAnswer) -> None:
        self._permit = answer

    def _is_permitted(self) -> bool:
        permit = self._permit
        return (
            permit is not None
            and permit.may_write
            and self.process.clock.now_ms() < permit.deadline_boottime_ms
        )

    def _written(self, begun: GateAnswer | None) -> None:
        """The record is durable: look at the permit again, then acknowledge (A5)."""
        permit = self._permit
        assert begun is not None, "a write begins with a permit"
        if not self._is_permitted() or permit is None or permit.token != begun.token:
            return
        assert permit.token is not None, "a permit to write names its token"
        token = (permit.token.generation, permit.token.epoch)
        self.records = appended(self.records, token)
        world = self._world
        world.trace.count(f"{self.service_id} {self.region_id} acknowledges under {token}")
        world.watch.acknowledged(
            self.region_id,
            token,
            now_ms=world.now_ms,
            service_id=self.service_id,
            records=self.records,
        )

    # -- copying -----------------------------------------------------------------------------------

    def _copy(self) -> None:
        self.process.after(self._world.options.copy_every_ms, self._copy)
        home = "" if self._permit is None or self._permit.home is None else self._permit.home
        if home in ("", self.region_id):
            return
        if home != self._copied_from:
            self._copied_from, self._caught_up_at_ms = home, None
        asked_at_ms = self.process.clock.now_ms()
        source = self.regions[home].services[self.service_id]

        def copied(records: Records | None) -> None:
            permit = self._permit
            is_home_still = permit is not None and permit.home == home == self._copied_from
            if records is not None and is_home_still:
                self.records = records
                self._caught_up_at_ms = asked_at_ms

        self._world.network.call(
            self.process,
            source.process,
            Plane.SERVICE,
            lambda: source.records,
            copied,
            _COPY_WITHIN_MS,
        )

    def lag_ms(self) -> int | None:
        """How long ago this copy was last known to equal the home; 0 while this one may write.

        An owner whose permit has ended may have been replaced: it has lost touch, and says so. So
        does a copy of another home than the gate names now.
        """
        self._permit = self.regions[self.region_id].check(self.service_id)
        if self._is_permitted():
            return 0
        if self._caught_up_at_ms is None or self._permit.home != self._copied_from:
            return None
        return self.process.clock.now_ms() - self._caught_up_at_ms
