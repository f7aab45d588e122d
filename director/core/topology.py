"""What was declared: regions, services, policies. Immutable, sorted, already validated."""

from dataclasses import dataclass
from enum import StrEnum

from director.core.drill import DrillSchedule
from director.core.ids import GroupId, PolicyId
from director.routing.table import (
    AllUnhealthy,
    Endpoint,
    Location,
    RegionId,
    ResidencyRule,
    ServiceId,
    ServiceMode,
    Strategy,
)


class Automation(StrEnum):
    """How far the director acts by itself."""

    AUTOMATIC = "Automatic"
    APPROVE = "Approve"
    OBSERVE = "Observe"


class ProbeKind(StrEnum):
    """How a peer region checks a service's endpoint from outside."""

    HTTP = "Http"
    TCP = "Tcp"
    GRPC = "Grpc"


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of failover shared by services.

    Attributes:
        failback_automatic: The director moves services back home; False leaves it to people.
        failback_soak_ms: How long home must be well before the director moves a service back.
        flap_half_life_ms: In this time the penalty of an automatic move halves; 0: no damping.
        flap_suppress: Penalty from which the director does not move the service by itself; one
            move counts 1 000.
        flap_reuse: Penalty below which it does again.
    """

    policy_id: PolicyId
    automation: Automation = Automation.AUTOMATIC
    hold_ms: int = 0
    min_interval_ms: int = 900_000
    concurrent_max: int = 1
    serving_regions_min: int = 1
    require_lag_within_rpo: bool = True
    failback_soak_ms: int = 1_800_000
    failback_automatic: bool = False
    # The defaults of BGP route flap damping (RFC 2439): fifteen minutes, 2000, 750.
    flap_half_life_ms: int = 900_000
    flap_suppress: int = 2_000
    flap_reuse: int = 750


DEFAULT_POLICY = Policy(PolicyId("default"))


@dataclass(frozen=True, slots=True)
class RegionSpec:
    """One declared region."""

    region_id: RegionId
    location: Location
    jurisdiction: str
    failure_domain: str


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A declared round trip between two regions; ``region_a < region_b``."""

    region_a: RegionId
    region_b: RegionId
    rtt_us: int


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """One region of one service, as declared."""

    region_id: RegionId
    priority: int = 0
    weight: int = 100
    capacity_rps: int = 0
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """How peers probe the service.

    Attributes:
        kind: The protocol.
        path: HTTP path, or the gRPC health service name; unused for TCP.
        address: Probe this port instead of the endpoint's own: "" means the endpoint itself,
            ":8080" another port on the endpoint's host.
    """

    kind: ProbeKind = ProbeKind.TCP
    path: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class HealthSpec:
    """How a service is judged."""

    every_ms: int = 500
    probe_timeout_ms: int = 500
    rise_count: int = 3
    fall_count: int = 3
    observers_agree: int = 2
    probe: ProbeSpec = ProbeSpec()
    forgive_count: int = 1  # passes in a row that wipe out failures


@dataclass(frozen=True, slots=True)
class RoutingSpec:
    """How clients are routed."""

    strategy: Strategy = Strategy.NEAREST
    ttl_ms: int = 15_000
    panic_per_mille: int = 400
    all_unhealthy: AllUnhealthy = AllUnhealthy.FAIL_OPEN
    sticky: bool = False
    spill_per_mille: int | None = None  # of the capacity; None never sends clients on


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One declared service.

    Attributes:
        rpo_ms: None means that the service declares no RPO: loss is not bounded.
        gated: Whether the service asks the gate before it writes. A service that does not can
            write behind the agent's back, so a lease does not fence it (architecture.md 2).
    """

    service_id: ServiceId
    mode: ServiceMode
    policy_id: PolicyId
    rto_ms: int
    rpo_ms: int | None
    sites: tuple[SiteSpec, ...]
    routing: RoutingSpec = RoutingSpec()
    residency: tuple[ResidencyRule, ...] = ()
    health: HealthSpec = HealthSpec()
    gated: bool = True

    def site(self, region_id: RegionId) -> SiteSpec | None:
        """Return the site in ``region_id``, or None if the service has none there."""
        return next((site for site in self.sites if site.region_id == region_id), None)

    @property
    def group_ids(self) -> tuple[GroupId, ...]:
        """The session groups of this service: one when active-passive, none when active-active."""
        if self.mode is ServiceMode.ACTIVE_PASSIVE:
            return (GroupId(f"{self.service_id}/0"),)
        return ()


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """Where the audit trail is sent.

    Attributes:
        url: https, or http on loopback.
        secret_env: Environment variable of the directors that holds the signing secret.
        events: Beginnings of the actions wanted; empty means all.
    """

    name: str
    url: str
    secret_env: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything declared, each tuple sorted by id."""

    fleet_id: str = ""
    regions: tuple[RegionSpec, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    services: tuple[ServiceSpec, ...] = ()
    policies: tuple[Policy, ...] = ()
    webhooks: tuple[WebhookSpec, ...] = ()
    drill_schedules: tuple[DrillSchedule, ...] = ()

    def region(self, region_id: RegionId) -> RegionSpec | None:
        """Return the declared region, or None."""
        return next((each for each in self.regions if each.region_id == region_id), None)

    def service(self, service_id: ServiceId) -> ServiceSpec | None:
        """Return the declared service, or None."""
        return next((each for each in self.services if each.service_id == service_id), None)

    def policy(self, policy_id: PolicyId) -> Policy:
        """Return the policy, or the defaults when none of that name is declared."""
        return next((each for each in self.policies if each.policy_id == policy_id), DEFAULT_POLICY)


NO_TOPOLOGY = Topology()
