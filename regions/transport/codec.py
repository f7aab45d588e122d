"""Between the protos of the Report stream and the agent's own types.

What comes from a director is bounded here; a word of a later release is left out rather than
guessed.
"""

from collections.abc import Iterable
from dataclasses import replace

from director.routing.table import RegionId, ServiceId
from regions.core.effects import SendLease, SendReport
from regions.core.ids import FencingToken, GroupId, ReplicaId
from regions.core.injection import KINDS as INJECTION_KINDS
from regions.core.injection import TTL_MS_MAX
from regions.core.inputs import (
    GroupDirected,
    InjectionDirected,
    Input,
    LeaseGranted,
    LeaseRefused,
    ProbesDirected,
    Pulsed,
    Welcomed,
)
from regions.core.readings import ProbeKind, ProbeSpec, ProbeTarget, Readings
from regions.core.settings import AgentIdentity
from trafficdirector.agent.v1 import agent_pb2 as pb

UINT32_MAX = 2**32 - 1
# Directors refuse an agent's message above 64 KiB (security.md, message limits).
REPORT_BYTES_MAX = 60 << 10
TARGETS_MAX = 10_000
# Faster than this a probe loads what it probes; slower than this it says nothing in time.
EVERY_MS_MIN, EVERY_MS_MAX = 50, 600_000
TIMEOUT_MS_MIN, TIMEOUT_MS_MAX = 10, 60_000
COUNT_MAX = 1_000
SHARE_MAX = 1_000
HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX = 50, 60_000
LEASE_MS_MIN, LEASE_MS_MAX = 100, 600_000

_PEER_KINDS = {kind.value: kind for kind in (ProbeKind.HTTP, ProbeKind.TCP, ProbeKind.GRPC)}


def hello(
    identity: AgentIdentity, service_ids: Iterable[ServiceId], version: str
) -> pb.ReportRequest:
    """Return the first message of a stream."""
    return pb.ReportRequest(
        hello=pb.Hello(
            region_id=identity.region_id,
            agent_id=identity.agent_id,
            boot_id=identity.boot_id,
            service_ids=sorted(service_ids),
            version=version,
        )
    )


def request_from(effect: SendReport | SendLease) -> pb.ReportRequest:
    """Return the message that carries ``effect``."""
    match effect:
        case SendReport():
            return pb.ReportRequest(report=_report(effect))
        case SendLease():
            return pb.ReportRequest(
                lease=pb.LeaseRequest(
                    group_id=effect.group_id,
                    token=_token(effect.token),
                    request_number=effect.request_number,
                    is_proven=effect.is_proven,
                    is_holding=effect.is_holding,
                )
            )


def input_from(  # noqa: PLR0911 - one per word
    response: pb.ReportResponse, director_id: ReplicaId
) -> Input | None:
    """Return what ``response`` says; None if this release does not know the word."""
    match response.WhichOneof("body"):
        case "welcome":
            return _welcomed(response.welcome, director_id)
        case "group":
            group = response.group
            return GroupDirected(
                GroupId(group.group_id),
                ServiceId(group.service_id),
                RegionId(group.home_region_id) if group.home_region_id else None,
                FencingToken(group.token.generation, group.token.epoch),
                group.demote,
                group.prepare,
            )
        case "pulse":
            return Pulsed(director_id, response.pulse.sent_at)
        case "injection":
            return _injection(response.injection)
        case "probes":
            return ProbesDirected(director_id, _targets(response.probes.targets))
        case "grant":
            grant = response.grant
            return LeaseGranted(
                GroupId(grant.group_id),
                FencingToken(grant.token.generation, grant.token.epoch),
                grant.request_number,
                min(grant.ttl_ms, LEASE_MS_MAX),
            )
        case "refusal":
            refusal = response.refusal
            return LeaseRefused(GroupId(refusal.group_id), refusal.request_number, refusal.reason)
        case _:
            return None


def _welcomed(welcome: pb.Welcome, director_id: ReplicaId) -> Welcomed:
    return Welcomed(
        director_id,
        ReplicaId(welcome.leader_id) if welcome.leader_id else None,
        _within(welcome.heartbeat_ms, HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX),
        _within(welcome.lease_ms, LEASE_MS_MIN, LEASE_MS_MAX),
        _within(welcome.lease_renew_ms, HEARTBEAT_MS_MIN, LEASE_MS_MAX),
    )


def _injection(injection: pb.Injection) -> InjectionDirected | None:
    # A fault that this release does not know is none: the drill finds nobody that plays it.
    if injection.kind not in INJECTION_KINDS and injection.ttl_ms:
        return None
    return InjectionDirected(
        injection.drill_id,
        injection.number,
        injection.renewal,
        ServiceId(injection.service_id),
        RegionId(injection.region_id),
        injection.kind,
        min(injection.share_per_mille, SHARE_MAX),
        min(injection.delay_ms, TIMEOUT_MS_MAX),
        min(injection.ttl_ms, TTL_MS_MAX),
    )


def _targets(targets: Iterable[pb.ProbeTarget]) -> tuple[ProbeTarget, ...]:
    known: list[ProbeTarget] = []
    for target in targets:
        kind = _PEER_KINDS.get(target.kind)
        if kind is None or len(known) == TARGETS_MAX:
            continue
        known.append(
            ProbeTarget(
                ServiceId(target.service_id),
                RegionId(target.region_id),
                target.address,
                ProbeSpec(kind, target.path),
                every_ms=_within(target.every_ms, EVERY_MS_MIN, EVERY_MS_MAX),
                timeout_ms=_within(target.timeout_ms, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX),
                rise_count=_within(target.rise_count, 1, COUNT_MAX),
                fall_count=_within(target.fall_count, 1, COUNT_MAX),
                forgive_count=_within(target.forgive_count, 1, COUNT_MAX),
            )
        )
    return tuple(known)


def _report(effect: SendReport) -> pb.Report:
    report = pb.Report(counter=effect.counter)
    if effect.echo is not None:
        report.echo.sent_at = effect.echo.sent_at
        report.echo.held_ms = min(effect.echo.held_ms, UINT32_MAX)
    if effect.unanswered is not None:
        report.unanswered.for_ms = min(effect.unanswered.for_ms, UINT32_MAX)
        report.unanswered.answered_by.extend(effect.unanswered.answered_by)
    if effect.readings is None:
        return report
    report.readings.CopyFrom(_readings(effect.readings))
    if report.ByteSize() > REPORT_BYTES_MAX:
        # An absent reading is missing evidence, which accuses nobody; a report that the director
        # refuses would silence the whole region.
        by_weight = sorted(effect.readings.peers, key=lambda each: each.passing is True)
        while by_weight and report.ByteSize() > REPORT_BYTES_MAX:
            del by_weight[-max(1, len(by_weight) // 8) :]
            kept = sorted(by_weight, key=lambda each: (each.service_id, each.region_id))
            report.readings.CopyFrom(_readings(replace(effect.readings, peers=tuple(kept))))
    return report


def _readings(readings: Readings) -> pb.Readings:
    return pb.Readings(
        # The generated stubs call an optional bool a bool.
        services=[
            pb.ServiceReading(
                service_id=each.service_id,
                passing=each.passing,  # type: ignore[arg-type]
                lag_ms=each.lag_ms,
                lag_age_ms=min(each.lag_age_ms, UINT32_MAX),
                load_rps=each.load_rps,
            )
            for each in readings.services
        ],
        peers=[
            pb.PeerReading(
                service_id=each.service_id,
                region_id=each.region_id,
                passing=each.passing,  # type: ignore[arg-type]
                round_count=each.round_count,
                failing_for_ms=min(each.failing_for_ms, UINT32_MAX),
                age_ms=min(each.age_ms, UINT32_MAX),
            )
            for each in readings.peers
        ],
        round_trips=[
            pb.RegionRoundTrip(region_id=each.region_id, rtt_us=min(each.rtt_us, UINT32_MAX))
            for each in readings.round_trips
        ],
        gates=[
            pb.GateReading(
                group_id=each.group_id,
                token=_token(each.token),
                is_open=each.is_open,
                demoted_through=(
                    None if each.demoted_through is None else _token(each.demoted_through)
                ),
                home_region_id=each.home or "",
                has_long_answers=each.has_long_answers,
            )
            for each in readings.gates
        ],
        muted_service_ids=readings.muted,
    )


def _token(token: FencingToken) -> pb.FencingToken:
    return pb.FencingToken(generation=token.generation, epoch=token.epoch)


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
