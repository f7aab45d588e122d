"""Checked documents in, the core's topology out: frozen, sorted, every duration in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.config.build_drills import drill_schedule
from director.config.model import (
    DrillSchedule,
    FailbackMode,
    FailoverPolicy,
    Fleet,
    Service,
    ServiceEndpoint,
    ServiceRegion,
)
from director.core.drill import DrillSchedule as DrillScheduleSpec
from director.core.ids import PolicyId
from director.core.topology import (
    DEFAULT_POLICY,
    HealthSpec,
    LinkSpec,
    Policy,
    ProbeKind,
    ProbeSpec,
    RegionSpec,
    RoutingSpec,
    ServiceSpec,
    SiteSpec,
    Topology,
    WebhookSpec,
)
from director.routing.table import Endpoint, Location, RegionId, ResidencyRule, ServiceId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from director.config.model import AnyDocument


def topology_from(documents: Iterable[AnyDocument]) -> Topology:
    """Return the topology that ``documents`` declare; they have passed schema and lint."""
    fleets: list[Fleet] = []
    services: list[ServiceSpec] = []
    policies: list[Policy] = []
    schedules: list[DrillScheduleSpec] = []
    for document in documents:
        match document:
            case Fleet():
                fleets.append(document)
            case Service():
                services.append(service_spec(document))
            case FailoverPolicy():
                policies.append(policy_spec(document))
            case DrillSchedule():
                schedules.append(drill_schedule(document))
    assert len(fleets) == 1, "lint refuses documents with no fleet or several"
    return Topology(
        fleet_id=fleets[0].metadata.name,
        regions=_regions(fleets[0]),
        links=_links(fleets[0]),
        services=tuple(sorted(services, key=lambda each: each.service_id)),
        policies=tuple(sorted(policies, key=lambda each: each.policy_id)),
        webhooks=_webhooks(fleets[0]),
        drill_schedules=tuple(sorted(schedules, key=lambda each: each.schedule_id)),
    )


def _regions(fleet: Fleet) -> tuple[RegionSpec, ...]:
    regions = (
        RegionSpec(
            region_id=RegionId(each.name),
            location=Location(each.location.lat, each.location.lon),
            jurisdiction=each.jurisdiction,
            failure_domain=each.failure_domain,
        )
        for each in fleet.spec.regions
    )
    return tuple(sorted(regions, key=lambda each: each.region_id))


def _webhooks(fleet: Fleet) -> tuple[WebhookSpec, ...]:
    webhooks = (
        WebhookSpec(each.name, each.url, each.secret_env, tuple(sorted(set(each.events))))
        for each in fleet.spec.webhooks
    )
    return tuple(sorted(webhooks, key=lambda each: each.name))


def _links(fleet: Fleet) -> tuple[LinkSpec, ...]:
    links = (
        LinkSpec(RegionId(min(each.between)), RegionId(max(each.between)), each.rtt)
        for each in fleet.spec.links
    )
    return tuple(sorted(links, key=lambda each: (each.region_a, each.region_b)))


def policy_spec(document: FailoverPolicy) -> Policy:
    """Return the core's form of a policy."""
    spec = document.spec
    return Policy(
        policy_id=PolicyId(document.metadata.name),
        automation=spec.automation,
        hold_ms=spec.hold,
        min_interval_ms=spec.guards.min_interval,
        concurrent_max=spec.guards.max_concurrent,
        serving_regions_min=spec.guards.min_serving_regions,
        require_lag_within_rpo=spec.guards.require_lag_within_rpo,
        failback_soak_ms=spec.failback.soak_for,
        failback_automatic=spec.failback.mode is FailbackMode.AUTOMATIC,
        flap_half_life_ms=spec.guards.flap_damping.half_life,
        flap_suppress=spec.guards.flap_damping.suppress,
        flap_reuse=spec.guards.flap_damping.reuse,
    )


def service_spec(document: Service) -> ServiceSpec:
    """Return the core's form of a service."""
    spec = document.spec
    return ServiceSpec(
        service_id=ServiceId(document.metadata.name),
        mode=spec.mode,
        policy_id=PolicyId(spec.policy_ref or DEFAULT_POLICY.policy_id),
        rto_ms=spec.objectives.rto,
        rpo_ms=spec.objectives.rpo,
        sites=tuple(sorted(map(_site, spec.regions), key=lambda each: each.region_id)),
        routing=_routing(document),
        residency=tuple(
            ResidencyRule(
                rule.when.subject_jurisdiction,
                tuple(sorted(set(rule.allow.jurisdiction))),
                rule.otherwise,
            )
            for rule in spec.residency
        ),
        health=_health(document),
        gated=spec.gate,
    )


def _site(region: ServiceRegion) -> SiteSpec:
    return SiteSpec(
        region_id=RegionId(region.name),
        priority=region.priority,
        weight=region.weight,
        capacity_rps=region.capacity.rps,
        endpoints=tuple(map(_endpoint, region.endpoints)),
    )


def _endpoint(endpoint: ServiceEndpoint) -> Endpoint:
    labels = tuple(sorted(endpoint.labels.items()))
    return Endpoint(endpoint.address, endpoint.zone, labels, endpoint.weight)


def _routing(document: Service) -> RoutingSpec:
    routing = document.spec.routing
    return RoutingSpec(
        strategy=routing.strategy,
        ttl_ms=routing.ttl,
        panic_per_mille=routing.panic_below,
        all_unhealthy=routing.all_unhealthy,
        sticky=routing.stickiness is not None,
        spill_per_mille=routing.spill_at,
    )


def _health(document: Service) -> HealthSpec:
    health = document.spec.health
    # An HTTP probe asks for something even when nothing is named.
    path = health.probe.path or ("/" if health.probe.type is ProbeKind.HTTP else "")
    return HealthSpec(
        every_ms=health.every,
        probe_timeout_ms=health.timeout,
        rise_count=health.rise,
        fall_count=health.fall,
        observers_agree=health.observers.agree,
        forgive_count=health.forgive,
        probe=ProbeSpec(
            kind=health.probe.type,
            path=path,
            address=f":{health.probe.port}" if health.probe.port is not None else "",
        ),
    )
