"""What can be wrong with one service beyond its schema: D101 to D119 of the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.config.build import policy_spec, service_spec
from director.config.faults import Fault, Path, suggestion
from director.config.predict import predicted_ms
from director.core.budget import asynchronous_exposure_ms, replication_exposure_ms
from director.core.topology import DEFAULT_POLICY, ProbeKind
from director.routing.table import ServiceMode
from director.runtime.durations import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.config.declared import Declared, Surroundings
    from director.config.model import Residency, Service, ServiceRegion

ENDPOINTS_MAX = 64
_REGIONS: Path = ("spec", "regions")


def lint_service(here: Declared, service: Service, around: Surroundings) -> Iterator[Fault]:
    """Yield what is wrong with ``service`` itself or in what it refers to."""
    yield from _regions(here, service, around)
    for at, region in enumerate(service.spec.regions):
        yield from _endpoints(here, at, region)
    yield from _roles(here, service)
    if service.spec.policy_ref is not None:
        yield from policy_reference(here, service.spec.policy_ref, around)
    yield from _residency(here, service, around)
    yield from _recovery_time(here, service, around)
    yield from _recovery_point(here, service, around)
    yield from _probe(here, service)
    yield from _sessions(here, service)
    yield from _spill(here, service)
    yield from _not_used_yet(here, service)


def _regions(here: Declared, service: Service, around: Surroundings) -> Iterator[Fault]:
    regions = service.spec.regions
    if not regions:
        yield here.fault(_REGIONS, "no regions", "D107", "list at least one, with endpoints")
    first_by_name: dict[str, int] = {}
    for at, region in enumerate(regions):
        path: Path = (*_REGIONS, at, "name")
        if around.regions is not None and region.name not in around.regions:
            hint = suggestion(region.name, around.regions)
            yield here.fault(path, f"unknown region {region.name!r}", "D101", hint)
        if first_by_name.setdefault(region.name, at) != at:
            message = f"region {region.name!r} is listed twice"
            yield here.fault(path, message, "D105", "put all endpoints into one entry")
    if len(first_by_name) == 1:
        message = "one region only: there is nothing to fail over to"
        yield here.warning(_REGIONS, message, "D119", "add a region")


def _endpoints(here: Declared, at: int, region: ServiceRegion) -> Iterator[Fault]:
    path: Path = (*_REGIONS, at, "endpoints")
    if not region.endpoints:
        message = f"no endpoints in {region.name}"
        yield here.fault(path, message, "D107", 'endpoints: [{address: "host:port"}]')
        return
    if len(region.endpoints) > ENDPOINTS_MAX:
        message = f"{len(region.endpoints)} endpoints; at most {ENDPOINTS_MAX} are supported"
        yield here.fault(path, message, "D114", "put them behind a load balancer")
    if all(each.weight == 0 for each in region.endpoints):
        message = f"every endpoint in {region.name} has weight 0"
        yield here.fault(path, message, "D110", "give one a weight above 0")
    seen: set[str] = set()
    for position, endpoint in enumerate(region.endpoints):
        if endpoint.address in seen:
            message = f"{endpoint.address} is listed twice"
            yield here.fault((*path, position, "address"), message, "D105", "use its weight")
        seen.add(endpoint.address)


def _roles(here: Declared, service: Service) -> Iterator[Fault]:
    regions = service.spec.regions
    if service.spec.mode is ServiceMode.ACTIVE_PASSIVE:
        first = [at for at, region in enumerate(regions) if region.priority == 0]
        names = ", ".join(regions[at].name for at in first)
        for at in first[1:]:
            message = f"{names} all have priority 0; one region is active at a time"
            hint = "give each standby its own priority above 0"
            yield here.fault((*_REGIONS, at, "priority"), message, "D106", hint)
    elif regions and all(each.weight == 0 for each in regions):
        yield here.fault(_REGIONS, "every region has weight 0", "D110", "weight: 100")


def policy_reference(here: Declared, name: str, around: Surroundings) -> Iterator[Fault]:
    """Yield D109 when no FailoverPolicy is called ``name``."""
    if name != DEFAULT_POLICY.policy_id and name not in around.policies:
        hint = suggestion(name, [*around.policies, DEFAULT_POLICY.policy_id])
        message = f"unknown FailoverPolicy {name!r}"
        yield here.fault(("spec", "policyRef"), message, "D109", hint)


def _residency(here: Declared, service: Service, around: Surroundings) -> Iterator[Fault]:
    known = around.regions
    sites = service.spec.regions
    if known is None or not sites or any(each.name not in known for each in sites):
        return
    active = min(sites, key=lambda each: (each.priority, each.name)).name
    seen: set[str] = set()
    for at, rule in enumerate(service.spec.residency):
        path: Path = ("spec", "residency", at)
        subjects = rule.when.subject_jurisdiction
        if subjects in seen:
            message = f"a second rule for subjects of {subjects}; both must allow a region"
            yield here.fault((*path, "when"), message, "D105", "join them into one rule")
        seen.add(subjects)
        allowed = [s.name for s in sites if known[s.name].jurisdiction in rule.allow.jurisdiction]
        yield from _residency_rule(here, path, rule, (allowed, active, service.spec.mode))


def _residency_rule(
    here: Declared, path: Path, rule: Residency, sites: tuple[list[str], str, ServiceMode]
) -> Iterator[Fault]:
    allowed, active, mode = sites
    subjects = rule.when.subject_jurisdiction
    within = ", ".join(rule.allow.jurisdiction)
    hint = f"add a region in {within}, or allow another jurisdiction"
    if not allowed:
        message = f"leaves no region for subjects of {subjects}: none is in {within}"
        yield here.fault((*path, "allow"), message, "D102", hint)
        return
    # Active-active: any region may be the one that is lost.
    lost = active if mode is ServiceMode.ACTIVE_PASSIVE else allowed[0]
    if allowed == [lost]:
        message = f"leaves no region for subjects of {subjects} when {lost} is lost"
        yield here.fault((*path, "allow"), message, "D102", hint)
    elif mode is ServiceMode.ACTIVE_PASSIVE and active not in allowed:
        message = f"subjects of {subjects} are refused while {active} is active"
        yield here.warning((*path, "allow"), message, "D118", f"allowed: {', '.join(allowed)}")


def _recovery_time(here: Declared, service: Service, around: Surroundings) -> Iterator[Fault]:
    name = service.spec.policy_ref
    policy = around.policies.get(name) if name is not None else None
    spec = service_spec(service)
    predicted = predicted_ms(
        spec, policy_spec(policy) if policy is not None else DEFAULT_POLICY, around.timing
    )
    path: Path = ("spec", "objectives", "rto")
    shown = f"{predicted} ms until watchers have moved"
    polled = predicted + spec.routing.ttl_ms
    if predicted > spec.rto_ms:
        message = f"predicted recovery takes {shown}; the RTO is {spec.rto_ms} ms"
        hint = f"at least {format_ms(-(-predicted // 1_000) * 1_000)}, or a shorter hold"
        yield here.fault(path, message, "D103", hint)
    elif polled > spec.rto_ms:
        message = (
            f"clients that poll may take {polled} ms (predicted {predicted} ms, then the ttl of "
            f"{spec.routing.ttl_ms} ms); the RTO is {spec.rto_ms} ms"
        )
        yield here.warning(path, message, "D103", "shorten routing.ttl, or let clients watch")


def _recovery_point(here: Declared, service: Service, around: Surroundings) -> Iterator[Fault]:
    objectives, sessions = service.spec.objectives, service.spec.sessions
    path: Path = ("spec", "objectives", "rpo")
    if objectives.rpo is None:
        return
    if not service.spec.gate:
        message = (
            "the service has gate: false, so its old owner can write unseen and the RPO is not "
            "enforced; its failovers need approval"
        )
        yield here.warning(path, message, "D112", "ask the agent's gate before each write")
    # Until session state is replicated and its budget enforced, every copy is asynchronous (D3).
    exposed_ms = asynchronous_exposure_ms(around.timing)
    if service.spec.mode == ServiceMode.ACTIVE_PASSIVE and objectives.rpo <= exposed_ms:
        message = (
            f"an owner out of sight may accept writes for another {exposed_ms} ms, its lease; an "
            f"RPO of {objectives.rpo} ms will refuse every automatic failover"
        )
        hint = "declare 10s or more: the lease, an election, and the replication lag"
        yield here.warning(path, message, "D122", hint)
    if sessions is None or sessions.budget is None or not service.spec.regions:
        return
    active = min(service.spec.regions, key=lambda each: (each.priority, each.name)).name
    trips_us = [around.rtt_us_by_pair.get((active, name), 0) for name in sessions.to]
    farthest_us = max(trips_us, default=0)
    exposed_ms = replication_exposure_ms(budget_ms=sessions.budget, rtt_us=farthest_us)
    if exposed_ms > objectives.rpo:
        message = (
            f"replication may be {exposed_ms} ms behind (budget {sessions.budget} ms plus the "
            f"round trip); the RPO is {objectives.rpo} ms"
        )
        yield here.warning(("spec", "sessions", "budget"), message, "D104", "a smaller budget")


def _probe(here: Declared, service: Service) -> Iterator[Fault]:
    probe = service.spec.health.probe
    path: Path = ("spec", "health", "probe", "path")
    if probe.type is ProbeKind.HTTP and probe.path and not probe.path.startswith("/"):
        yield here.fault(path, f"{probe.path!r} does not begin with /", "D117", f"/{probe.path}")
    if probe.type is ProbeKind.TCP and probe.path:
        yield here.fault(path, "a Tcp probe has no path", "D117", "type: Http")


def _sessions(here: Declared, service: Service) -> Iterator[Fault]:
    sessions = service.spec.sessions
    if sessions is None:
        return
    names = [each.name for each in service.spec.regions]
    for at, name in enumerate(sessions.to):
        if name not in names:
            message = f"the service has no region {name!r}"
            hint = suggestion(name, names)
            yield here.fault(("spec", "sessions", "to", at), message, "D101", hint)
    message = "session state is not replicated yet"
    yield here.warning(("spec", "sessions"), message, "D120")


def _spill(here: Declared, service: Service) -> Iterator[Fault]:
    if service.spec.routing.spill_at is None:
        return
    path: Path = ("spec", "routing", "spillAt")
    if service.spec.mode is ServiceMode.ACTIVE_PASSIVE:
        message = "an active-passive service never spills: only its owner may write"
        yield here.warning(path, message, "D128", "leave it out")
        return
    silent = [each.name for each in service.spec.regions if not each.capacity.rps]
    if silent:
        message = f"no capacity is declared in {', '.join(silent)}, which never spill nor take"
        yield here.warning(path, message, "D128", "capacity: {rps: 12000}")


def _not_used_yet(here: Declared, service: Service) -> Iterator[Fault]:
    spec = service.spec
    if spec.health.detector is not None:
        message = "the director's tested timing decides; these thresholds are not used"
        yield here.warning(("spec", "health", "detector"), message, "D120")
