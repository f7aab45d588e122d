"""What a drill is: what it takes away, what it must keep to, and when it may run.

Plain values without behaviour that costs anything; the record of a drill that ran is in
``drill_record``, its rules in ``drill_guards``, its stages in ``drill_run``.
"""

from dataclasses import dataclass
from enum import StrEnum

from director.routing.table import RegionId, ServiceId, Verdict

# Every replica says again what is injected whenever the log says so; an agent forgets it when that
# was not said for the life of an injection.
INJECTION_RENEW_MS = 1_000
INJECTION_TTL_MS = 5_000
# What a run that began in time may take beyond the drill's own time.
DRILL_MARGIN_MS = 30_000
# A drill that cannot put everything back by itself stops trying, and says what differs.
RESTORE_DEADLINE_MS = 180_000
# Longer than this nothing stays broken on purpose.
DRILL_FOR_MS_MAX = 3_600_000
MINUTES_PER_DAY = 1_440
# In a scenario that names no region.
OWNERS_REGION = RegionId("")


class DrillKind(StrEnum):
    """What happens to the service in the region."""

    BLACKHOLE = "Blackhole"  # nobody hears of it: its agents are silent, its peers' probes fail
    AGENT_KILL = "AgentKill"  # its agents are silent; the peers' probes go on
    ERROR_RATE = "ErrorRate"  # a share of all probes fails
    LATENCY = "Latency"  # every probe takes longer
    SWITCHOVER = "Switchover"  # nothing is injected: a planned move there and back


# Those that end in another region serving; the others may, by how strong they are.
MOVING_KINDS = (DrillKind.BLACKHOLE, DrillKind.AGENT_KILL, DrillKind.SWITCHOVER)


class DrillStage(StrEnum):
    """The stages of a drill, in order."""

    GUARDING = "guarding"
    INJECTING = "injecting"  # until another region serves, or the time is over
    RECOVERED = "recovered"  # another region serves; held until the time is over
    RESTORING = "restoring"  # the injection is off; everything goes back to where it was
    ENDED = "ended"


class DrillVerdict(StrEnum):
    """What came of a drill."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    SKIPPED = "SKIPPED"


class DrillGuard(StrEnum):
    """Names of the guards, as people see them."""

    SPEC = "spec"
    WINDOW = "allowedWindows"
    BLOCKED_DATE = "blockedDates"
    SKIP_WHEN = "skipWhen"
    ABORT_WHEN = "abortWhen"
    NO_FAILOVER = "noFailoverInProgress"
    ONE_DRILL = "oneDrill"
    AUTOMATION = "automation"
    OWNER = "owner"
    RULES = "rules"
    CANDIDATE = "candidate"
    LAG = "lagWithinRPO"
    SERVING = "minServingRegions"
    CAPACITY = "capacity"
    AGENTS = "agentsHeard"


@dataclass(frozen=True, slots=True)
class DrillScenario:
    """What is taken away.

    Attributes:
        region_id: Where; "" is the owner's region at the start.
        share_per_mille: Of the probes that fail, for ERROR_RATE.
        delay_ms: Added to every probe, for LATENCY.
    """

    kind: DrillKind
    region_id: RegionId = OWNERS_REGION
    share_per_mille: int = 1_000
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class RegionState:
    """A region of the drilled service with a verdict."""

    region_id: RegionId
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class DrillCondition:
    """Holds when everything that is named in it holds; empty, it never does."""

    region_states: tuple[RegionState, ...] = ()
    failover_in_progress: bool | None = None


@dataclass(frozen=True, slots=True)
class DrillWindow:
    """Part of the week, in the drill's time zone.

    Attributes:
        first_weekday: 0 is Monday.
        last_weekday: Included. Less than the first: over the turn of the week.
        from_minute: Of the day, 0 to 1 439.
        to_minute: Excluded. Not greater than ``from_minute``: into the next day.
    """

    first_weekday: int
    last_weekday: int
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class LocalMoment:
    """The wall clock in the drill's time zone; the shell works it out.

    Attributes:
        date: "2026-11-20".
        weekday: 0 is Monday.
        minute: Of the day.
    """

    date: str
    weekday: int
    minute: int


@dataclass(frozen=True, slots=True)
class DrillSpec:
    """One rehearsal.

    Attributes:
        service_id: The only service that is touched (C8).
        for_ms: How long the region stays lost; the drill is time-boxed by it.
        expect_rto_ms: From the injection to clients being sent elsewhere; None: the objective.
        expect_rpo_ms: Bound on lost writes; None: the objective.
        abort_when: Any that holds ends the drill, and keeps it from starting.
        skip_when: Any that holds has a scheduled drill left out.
        allowed_windows: When it may start; none: always.
        blocked_dates: When it may not: "2026-12-24", or "12-24" for every year.
    """

    service_id: ServiceId
    scenario: DrillScenario
    for_ms: int
    expect_rto_ms: int | None = None
    expect_rpo_ms: int | None = None
    abort_when: tuple[DrillCondition, ...] = ()
    skip_when: tuple[DrillCondition, ...] = ()
    allowed_windows: tuple[DrillWindow, ...] = ()
    blocked_dates: tuple[str, ...] = ()

    @property
    def expects_move(self) -> bool:
        """Whether another region has to take over for the drill to pass."""
        return self.scenario.kind in MOVING_KINDS or self.expect_rto_ms is not None

    @property
    def is_injected(self) -> bool:
        """Whether agents are told to behave as if something were broken."""
        return self.scenario.kind is not DrillKind.SWITCHOVER


@dataclass(frozen=True, slots=True)
class DrillSchedule:
    """A rehearsal on a calendar, as declared.

    Attributes:
        cron: Five fields, in ``timezone``.
        timezone: An IANA name.
    """

    schedule_id: str
    cron: str
    timezone: str
    spec: DrillSpec


@dataclass(frozen=True, slots=True)
class GuardAnswer:
    """What one guard says.

    Attributes:
        message: With the values compared; and, where it refuses, what to do next.
        values: For programs: lowerCamelCase keys that include the unit.
    """

    guard: DrillGuard
    passed: bool
    message: str
    values: tuple[tuple[str, str], ...] = ()
