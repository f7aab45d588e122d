"""Topology in, canonical documents out. ``load_topology`` of the result gives the same topology.

What the topology leaves out (labels of a document, session settings) is not in the
export either; the text that was applied is kept beside the topology for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from director.config.build_drills import window_text
from director.config.model import API_VERSION, FailbackMode
from director.config.yaml_writer import to_yaml
from director.core.drill import DrillScenario

if TYPE_CHECKING:
    from director.core.drill import DrillCondition, DrillSchedule
    from director.core.topology import (
        Policy,
        RegionSpec,
        ServiceSpec,
        SiteSpec,
        Topology,
        WebhookSpec,
    )
    from director.routing.table import Endpoint

_US_PER_MS = 1_000
_MS_PER_S = 1_000


def export_topology(topology: Topology) -> str:
    """Return the documents that declare ``topology``: fleet, policies, services, each by name."""
    documents = [_document("Fleet", topology.fleet_id, _fleet(topology))]
    documents += [
        _document("FailoverPolicy", each.policy_id, _policy(each)) for each in topology.policies
    ]
    documents += [
        _document("Service", each.service_id, _service(each)) for each in topology.services
    ]
    documents += [
        _document("DrillSchedule", each.schedule_id, _drill(each))
        for each in topology.drill_schedules
    ]
    return to_yaml(documents)


def _document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": _quoted(name)}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _quoted(text: str) -> str:
    """Quote a word that another reader of YAML might take for a number or a truth value."""
    is_plain = text[:1].isalpha() and text.lower() not in {
        "y", "n", "yes", "no", "on", "off", "true", "false", "null",
    }  # fmt: skip
    return text if is_plain else _in_quotes(text)


def _in_quotes(text: str) -> str:
    quoted: str = DoubleQuotedScalarString(text)
    return quoted


def _duration(duration_ms: int) -> str:
    whole_seconds, rest_ms = divmod(duration_ms, _MS_PER_S)
    return f"{duration_ms}ms" if rest_ms else f"{whole_seconds}s"


def _percentage(per_mille: int) -> str:
    whole, tenth = divmod(per_mille, 10)
    return _in_quotes(f"{whole}.{tenth}%" if tenth else f"{whole}%")


def _round_trip(rtt_us: int) -> str:
    return f"{rtt_us}us" if rtt_us % _US_PER_MS else f"{rtt_us // _US_PER_MS}ms"


def _fleet(topology: Topology) -> dict[str, Any]:
    fleet: dict[str, Any] = {"regions": [_region(each) for each in topology.regions]}
    if topology.links:
        fleet["links"] = [
            {
                "between": [_quoted(each.region_a), _quoted(each.region_b)],
                "rtt": _round_trip(each.rtt_us),
            }
            for each in topology.links
        ]
    if topology.webhooks:
        fleet["webhooks"] = [_webhook(each) for each in topology.webhooks]
    return fleet


def _webhook(webhook: WebhookSpec) -> dict[str, Any]:
    exported: dict[str, Any] = {
        "name": _quoted(webhook.name),
        "url": _in_quotes(webhook.url),
        "secretEnv": webhook.secret_env,
    }
    if webhook.events:
        exported["events"] = [_quoted(each) for each in webhook.events]
    return exported


def _region(region: RegionSpec) -> dict[str, Any]:
    return {
        "name": _quoted(region.region_id),
        "location": {"lat": region.location.lat, "lon": region.location.lon},
        "jurisdiction": _quoted(region.jurisdiction),
        "failureDomain": _quoted(region.failure_domain),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "automation": policy.automation.value,
        "hold": _duration(policy.hold_ms),
        "guards": {
            "minInterval": _duration(policy.min_interval_ms),
            "flapDamping": {
                "halfLife": _duration(policy.flap_half_life_ms),
                "suppress": policy.flap_suppress,
                "reuse": policy.flap_reuse,
            },
            "maxConcurrent": policy.concurrent_max,
            "minServingRegions": policy.serving_regions_min,
            "requireLagWithinRPO": policy.require_lag_within_rpo,
        },
        "failback": {
            "mode": _failback_mode(policy).value,
            "soakFor": _duration(policy.failback_soak_ms),
        },
    }


def _failback_mode(policy: Policy) -> FailbackMode:
    return FailbackMode.AUTOMATIC if policy.failback_automatic else FailbackMode.MANUAL


def _service(service: ServiceSpec) -> dict[str, Any]:
    objectives = {"rto": _duration(service.rto_ms)}
    if service.rpo_ms is not None:
        objectives["rpo"] = _duration(service.rpo_ms)
    return {
        "mode": service.mode.value,
        "policyRef": _quoted(service.policy_id),
        "objectives": objectives,
        "regions": [_site(each) for each in service.sites],
        "routing": _routing(service),
        **({"residency": _residency(service)} if service.residency else {}),
        "health": _health(service),
        "gate": service.gated,
    }


def _site(site: SiteSpec) -> dict[str, Any]:
    return {
        "name": _quoted(site.region_id),
        "priority": site.priority,
        "weight": site.weight,
        "capacity": {"rps": site.capacity_rps},
        "endpoints": [_endpoint(each) for each in site.endpoints],
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    exported: dict[str, Any] = {"address": _in_quotes(endpoint.address)}
    if endpoint.zone:
        exported["zone"] = _in_quotes(endpoint.zone)
    if endpoint.labels:
        exported["labels"] = {_in_quotes(key): _in_quotes(value) for key, value in endpoint.labels}
    exported["weight"] = endpoint.weight
    return exported


def _routing(service: ServiceSpec) -> dict[str, Any]:
    routing = service.routing
    exported: dict[str, Any] = {
        "strategy": routing.strategy.value,
        "ttl": _duration(routing.ttl_ms),
        "panicBelow": _percentage(routing.panic_per_mille),
        "allUnhealthy": routing.all_unhealthy.value,
    }
    if routing.spill_per_mille is not None:
        exported["spillAt"] = _percentage(routing.spill_per_mille)
    if routing.sticky:
        exported["stickiness"] = {"key": "session", "hash": "Rendezvous"}
    return exported


def _residency(service: ServiceSpec) -> list[dict[str, Any]]:
    return [
        {
            "when": {"subjectJurisdiction": _quoted(rule.subject_jurisdiction)},
            "allow": {"jurisdiction": [_quoted(each) for each in rule.allow_jurisdictions]},
            "otherwise": rule.otherwise,
        }
        for rule in service.residency
    ]


def _health(service: ServiceSpec) -> dict[str, Any]:
    health = service.health
    probe: dict[str, Any] = {"type": health.probe.kind.value}
    if health.probe.path:
        probe["path"] = _in_quotes(health.probe.path)
    if health.probe.address:
        probe["port"] = int(health.probe.address.removeprefix(":"))
    return {
        "every": _duration(health.every_ms),
        "timeout": _duration(health.probe_timeout_ms),
        "rise": health.rise_count,
        "fall": health.fall_count,
        "forgive": health.forgive_count,
        "observers": {"agree": health.observers_agree},
        "probe": probe,
    }


def _drill(schedule: DrillSchedule) -> dict[str, Any]:
    spec, scenario = schedule.spec, schedule.spec.scenario
    lose: dict[str, Any] = {"how": scenario.kind.value}
    if scenario.region_id:
        lose["region"] = _quoted(scenario.region_id)
    if scenario.share_per_mille != DrillScenario(scenario.kind).share_per_mille:
        lose["share"] = _percentage(scenario.share_per_mille)
    if scenario.delay_ms:
        lose["delay"] = _duration(scenario.delay_ms)
    exported: dict[str, Any] = {
        "service": _quoted(spec.service_id),
        "cron": _in_quotes(schedule.cron),
        "timezone": schedule.timezone,
        "scenario": {"lose": lose, "for": _duration(spec.for_ms)},
    }
    expect = {"rto": spec.expect_rto_ms, "rpo": spec.expect_rpo_ms}
    said = {key: _duration(value) for key, value in expect.items() if value is not None}
    if said:
        exported["expect"] = said
    for key, conditions in (("abortWhen", spec.abort_when), ("skipWhen", spec.skip_when)):
        if conditions:
            exported[key] = [_condition(each) for each in conditions]
    if spec.allowed_windows:
        exported["allowedWindows"] = [_in_quotes(window_text(x)) for x in spec.allowed_windows]
    if spec.blocked_dates:
        exported["blockedDates"] = [_in_quotes(each) for each in spec.blocked_dates]
    return exported


def _condition(condition: DrillCondition) -> dict[str, Any]:
    exported: dict[str, Any] = {}
    if condition.region_states:
        exported["regionState"] = {
            _quoted(each.region_id): each.verdict.value.capitalize()
            for each in condition.region_states
        }
    if condition.failover_in_progress is not None:
        exported["failoverInProgress"] = condition.failover_in_progress
    return exported
