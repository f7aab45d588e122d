"""What a seed means: everything the run draws once, printed when something fails."""

import random
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from director.core.commands import StageName
from tests.sim.round_trips import region_names

REGIONS = ("ap-south1", "eu-north1", "eu-west1", "us-east1")
DIRECTOR_REGIONS = {"d0": "eu-west1", "d1": "eu-north1", "d2": "us-east1"}
"""Which regions hold a director too, on a machine of its own beside the region's."""
ROUNDS = 8
"""How many losses a campaign plays in one world: to begin a world costs as much as one of them."""
FOLLOWERS = tuple(f"follower-{number}" for number in range(1, 13))
FOLLOWER_COUNTS = (4, 6, 8)
"""How many services a campaign adds that are lost together with the first one."""
ALONE_SHARE = 0.1
"""Share of a campaign's worlds without them."""
EVERYWHERE_SHARE = 0.2
"""Share of the worlds with them that have an active-active service too."""
WAL_SHARE = 0.1
"""Share of a campaign's worlds in which the directors write to the real log; memory is faster."""
STAGES = (
    StageName.CONFIRMING,
    StageName.FENCING,
    StageName.PROMOTING,
    StageName.PUBLISHING,
    StageName.VERIFYING,
)


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service beside the first one.

    Attributes:
        first_home: Who comes first; an active-active service has no use for it.
        rpo_ms: None means that it declares none.
        follows_first: It prefers the regions in the order of the world's first service, so that
            both are lost, and move, together.
        site_count: It has sites in so many regions, those it prefers; 0 for all.
    """

    service_id: str
    is_active_passive: bool
    first_home: str
    rpo_ms: int | None
    follows_first: bool = False
    site_count: int = 0

    def __str__(self) -> str:
        mode = f"from:{self.first_home}" if self.is_active_passive else "everywhere"
        order = "/follows" if self.follows_first else ""
        sites = f"/sites:{self.site_count}" if self.site_count else ""
        return f"{self.service_id}/{mode}/rpo:{self.rpo_ms}{order}{sites}"


class RegionLoss(StrEnum):
    """What happens to the active region."""

    KILLED = "killed"
    """Its processes end; its machine tells whoever asks."""
    DARK = "dark"
    """The machine is gone without a word."""
    PAUSED = "paused"
    """All its processes are stopped for longer than the lease, then go on."""
    AGENT_KILLED = "agent-killed"
    SERVICE_FAILS = "service-fails"
    CUT_OFF = "cut-off"
    """Nobody hears the region; inside, everything goes on."""
    STALLED = "stalled"
    """The agent stands still for a while, and the region is cut off meanwhile."""
    UNSEEN = "unseen"
    """Peers' probes fail, while the agent and the directors hear each other."""


class LeaderLoss(StrEnum):
    """What happens to the leading director during the failover."""

    KILLED = "killed"
    PAUSED = "paused"
    ISOLATED = "isolated"
    MUTED = "muted"
    """One way: nothing it says arrives."""
    DEAFENED = "deafened"
    """One way: nothing arrives at it."""
    ISOLATED_WITH_HOME = "isolated-with-home"
    """On the same side of a partition as the active region (fault 9)."""
    PAUSED_WITH_HOME = "paused-with-home"
    """As before, and stopped for a while on top."""


@dataclass(frozen=True, slots=True)
class Options:
    """One world. Durations in ms."""

    seed: int
    first_home: str
    base_delay_ms: int
    jitter_ms: int
    loss: float
    keepalive_ms: int
    sync_ms: int
    app_hop_ms: int
    snapshot_entries: int
    write_every_ms: int
    gate_answer_ms: int
    rpo_ms: int | None
    clock_rate_ppm_max: int
    calm_ms: int
    stall_ms: int
    """How long a stalled agent stands still; it is cut off half a second after it stopped."""
    region_loss: RegionLoss
    region_lost_ms: int
    takes_director: bool
    """Whether the region's director, if it has one, shares the region's fate."""
    stage: StageName
    strike_delay_ms: int
    leader_loss: LeaderLoss
    leader_lost_ms: int
    loses_quorum: bool
    loses_target: bool
    """Whether the agent of the run's target restarts when the leader is lost."""
    regions: tuple[str, ...] = REGIONS
    """In order of their names."""
    directors: tuple[tuple[str, str], ...] = tuple(DIRECTOR_REGIONS.items())
    """Which director is in which region."""
    is_measured: bool = False
    """Whether delays are measured round trips between the regions, or small made-up distances."""
    services: tuple[ServicePlan, ...] = ()
    """Those beside the first."""
    cooldown_ms: int = 3_000
    duplicated: float = 0.0
    """Share of the directors' messages to each other that arrive twice."""
    reordered: float = 0.0
    """Share of them that overtake others."""
    disk: str = "memory"
    """What the directors' disks are: "memory" or "wal"."""
    rounds: int = 0
    """How many losses a campaign plays in this world."""
    copy_every_ms: int = 400
    """How often a service away from its home fetches what that holds."""
    jitter_share: float = 0.0
    """A packet may take up to this share of its delay longer; 1.0 is up to twice as long."""
    tcp_timers: bool = False
    """Whether what is lost is sent again when Linux does it, and probes need a connection."""

    @classmethod
    def draw(cls, seed: int) -> "Options":
        rng = random.Random(f"options {seed}")
        return cls(
            seed=seed,
            first_home=rng.choice(REGIONS),
            base_delay_ms=rng.choice([1, 20, 60]),
            jitter_ms=rng.choice([0, 5, 30]),
            loss=rng.choice([0.0, 0.0, 0.005, 0.05, 0.15]),
            keepalive_ms=8_000,
            sync_ms=rng.choice([1, 4, 20]),
            app_hop_ms=rng.choice([0, 1, 5]),
            snapshot_entries=rng.choice([5, 12, 1_000]),
            write_every_ms=rng.choice([60, 120]),
            gate_answer_ms=rng.choice([250, 1_000]),
            rpo_ms=rng.choice([None, None, 5_000, 30_000, 30_000, 30_000]),
            clock_rate_ppm_max=rng.choice([0, 10_000]),
            calm_ms=rng.randint(1_000, 2_500),
            stall_ms=rng.randint(600, 3_400),
            region_loss=rng.choice(list(RegionLoss)),
            region_lost_ms=rng.randint(6_000, 14_000),
            takes_director=rng.random() < 0.7,
            # Every stage in turn, so that any five seeds in a row see all of them.
            stage=STAGES[seed % len(STAGES)],
            strike_delay_ms=rng.choice([0, 0, 3, 30]),
            leader_loss=rng.choice(list(LeaderLoss)),
            leader_lost_ms=rng.randint(500, 7_000),
            loses_quorum=rng.random() < 0.2,
            loses_target=rng.random() < 0.15,
        )

    @classmethod
    def draw_campaign(cls, seed: int) -> "Options":
        """Draw a world that differs from the others in its map, services, directors and disks."""
        drawn = cls.draw(seed)
        rng = random.Random(f"campaign options {seed}")
        names = region_names()
        regions = tuple(sorted(rng.sample(names, rng.choice([3, 3, 4, 4, 4, 4, 4, 4, 5, 6]))))
        director_count = 5 if len(regions) >= 5 and rng.random() < 0.6 else 3
        places = rng.sample(regions, director_count)
        first_home = rng.choice(regions)
        return replace(
            drawn,
            regions=regions,
            directors=tuple((f"d{number}", place) for number, place in enumerate(places)),
            first_home=first_home,
            is_measured=True,
            services=_draw_services(rng, regions, first_home),
            write_every_ms=rng.choice([120, 240]),
            copy_every_ms=rng.choice([400, 1_000, 1_000]),
            cooldown_ms=rng.choice([3_000] * 23 + [20_000]),
            duplicated=rng.choice([0.0, 0.0, 0.02, 0.2]),
            reordered=rng.choice([0.0, 0.0, 0.02, 0.2]),
            disk="wal" if rng.random() < WAL_SHARE else "memory",
            rounds=ROUNDS,
        )

    def describe(self) -> str:
        """All of it on one line."""
        return " ".join(f"{each.name}={_shown(getattr(self, each.name))}" for each in fields(self))


def _draw_services(
    rng: random.Random, regions: tuple[str, ...], first_home: str
) -> tuple[ServicePlan, ...]:
    """Mostly several that share the first one's fate; else few, each with a home of its own."""
    if rng.random() < ALONE_SHARE:
        count = rng.choice([0, 0, 1, 2])
        return tuple(
            ServicePlan(name, name != "pages", rng.choice(regions), rng.choice([None, 30_000]))
            for name in rng.sample(("orders", "pages"), count)
        )
    followers = tuple(
        ServicePlan(
            name,
            True,
            first_home,
            rng.choice([None, None, 30_000]),
            follows_first=True,
            site_count=rng.choice([0, 3, 3, 3]),
        )
        for name in FOLLOWERS[: rng.choice(FOLLOWER_COUNTS)]
    )
    everywhere = rng.random() < EVERYWHERE_SHARE
    return (*followers, *([ServicePlan("pages", False, first_home, None)] if everywhere else ()))


def _shown(value: object, between: str = ",") -> str:
    if isinstance(value, tuple):
        return between.join(_shown(each, "@") for each in value) or "none"
    return str(value)
