"""Agents' reports and directives as messages."""

from director.core.effects import (
    DirectGroup,
    DirectInjection,
    DirectProbes,
    GrantLease,
    RefuseLease,
)
from director.core.ids import AgentId, FencingToken, GroupId, ReplicaId
from director.core.inputs import LeaseAsked
from director.core.observations import (
    AgentReport,
    GateReading,
    PeerReading,
    Readings,
    RoundTrip,
    ServiceReading,
    Unanswered,
)
from director.core.timing import Timing
from director.routing.table import RegionId, ServiceId
from director.service.errors import InvalidRequestError
from director.service.relay_buffer import age_when_told_ms
from trafficdirector.agent.v1 import agent_pb2 as pb
from trafficdirector.peer.v1 import peer_pb2

# More than a region of 2 000 services watched by one agent needs; 64 KiB bounds it anyway.
READINGS_MAX = 10_000
# More directors than any fleet has.
DIRECTORS_MAX = 16


def readings_from_proto(readings: pb.Readings) -> Readings:
    """Return the readings, sorted, each id once.

    Raises:
        InvalidRequestError: There are too many.
    """
    count = len(readings.services) + len(readings.peers) + len(readings.gates)
    count += len(readings.muted_service_ids)
    if count > READINGS_MAX:
        raise InvalidRequestError("readings", f"has {count} parts; at most {READINGS_MAX}")
    services = {
        each.service_id: ServiceReading(
            ServiceId(each.service_id),
            each.passing if each.HasField("passing") else None,
            each.lag_ms if each.HasField("lag_ms") else None,
            each.lag_age_ms,
            each.load_rps if each.HasField("load_rps") else None,
        )
        for each in readings.services
    }
    peers = {
        (each.service_id, each.region_id): PeerReading(
            ServiceId(each.service_id),
            RegionId(each.region_id),
            each.passing if each.HasField("passing") else None,
            each.round_count,
            each.failing_for_ms,
            each.age_ms,
        )
        for each in readings.peers
    }
    round_trips = {
        each.region_id: RoundTrip(RegionId(each.region_id), each.rtt_us)
        for each in readings.round_trips
    }
    gates = {
        each.group_id: GateReading(
            GroupId(each.group_id),
            token_from_proto(each.token),
            each.is_open,
            token_from_proto(each.demoted_through) if each.HasField("demoted_through") else None,
            RegionId(each.home_region_id) if each.home_region_id else None,
            each.has_long_answers,
        )
        for each in readings.gates
    }
    return Readings(
        services=tuple(services[key] for key in sorted(services)),
        peers=tuple(peers[key] for key in sorted(peers)),
        round_trips=tuple(round_trips[key] for key in sorted(round_trips)),
        gates=tuple(gates[key] for key in sorted(gates)),
        muted=tuple(ServiceId(each) for each in sorted(set(readings.muted_service_ids))),
    )


def readings_to_proto(readings: Readings) -> pb.Readings:
    """Return the readings as a message."""
    encoded = pb.Readings()
    for service in readings.services:
        added = encoded.services.add(service_id=service.service_id, lag_age_ms=service.lag_age_ms)
        if service.passing is not None:
            added.passing = service.passing
        if service.lag_ms is not None:
            added.lag_ms = service.lag_ms
        if service.load_rps is not None:
            added.load_rps = service.load_rps
    for peer in readings.peers:
        seen = encoded.peers.add(
            service_id=peer.service_id,
            region_id=peer.region_id,
            round_count=peer.round_count,
            failing_for_ms=peer.failing_for_ms,
            age_ms=peer.age_ms,
        )
        if peer.passing is not None:
            seen.passing = peer.passing
    for trip in readings.round_trips:
        encoded.round_trips.add(region_id=trip.region_id, rtt_us=trip.rtt_us)
    for gate in readings.gates:
        shown = encoded.gates.add(
            group_id=gate.group_id,
            token=token_to_proto(gate.token),
            is_open=gate.is_open,
            home_region_id=gate.home or "",
            has_long_answers=gate.has_long_answers,
        )
        if gate.demoted_through is not None:
            shown.demoted_through.CopyFrom(token_to_proto(gate.demoted_through))
    encoded.muted_service_ids.extend(readings.muted)
    return encoded


def lease_from_proto(
    request: pb.LeaseRequest, region_id: RegionId, agent_id: AgentId
) -> LeaseAsked:
    """Return the request for a lease, in the name of the stream's agent."""
    return LeaseAsked(
        region_id=region_id,
        agent_id=agent_id,
        group_id=GroupId(request.group_id),
        token=token_from_proto(request.token),
        request_number=request.request_number,
        is_proven=request.is_proven,
        is_holding=request.is_holding,
    )


def unanswered_from_proto(report: pb.Report) -> Unanswered | None:
    """Return what the agent says of answers that do not arrive; None if none is missing.

    Raises:
        InvalidRequestError: It names too many directors.
    """
    if not report.HasField("unanswered"):
        return None
    answered_by = report.unanswered.answered_by
    if len(answered_by) > DIRECTORS_MAX:
        raise InvalidRequestError(
            "report.unanswered.answered_by",
            f"names {len(answered_by)} directors; at most {DIRECTORS_MAX}",
        )
    return Unanswered(report.unanswered.for_ms, tuple(ReplicaId(each) for each in answered_by))


def token_from_proto(token: pb.FencingToken) -> FencingToken:
    """Return the token; unset is (0, 0), lower than any ever granted."""
    return FencingToken(token.generation, token.epoch)


def token_to_proto(token: FencingToken) -> pb.FencingToken:
    """Return the token as a message."""
    return pb.FencingToken(generation=token.generation, epoch=token.epoch)


def welcome(replica_id: str, leader_id: str | None, timing: Timing) -> pb.ReportResponse:
    """Return who answers, and the tempo it wants."""
    return pb.ReportResponse(
        welcome=pb.Welcome(
            replica_id=replica_id,
            leader_id=leader_id or "",
            heartbeat_ms=timing.heartbeat_ms,
            lease_ms=timing.lease_ms,
            lease_renew_ms=timing.lease_renew_ms,
        )
    )


def group_directive(effect: DirectGroup) -> pb.ReportResponse:
    """Return who owns a group."""
    return pb.ReportResponse(
        group=pb.GroupDirective(
            group_id=effect.group_id,
            service_id=effect.service_id,
            home_region_id=effect.home or "",
            token=token_to_proto(effect.token),
            demote=effect.demote,
            prepare=effect.prepare,
        )
    )


def probe_plan(effect: DirectProbes) -> pb.ReportResponse:
    """Return what to probe elsewhere."""
    return pb.ReportResponse(
        probes=pb.ProbePlan(
            targets=[
                pb.ProbeTarget(
                    service_id=each.service_id,
                    region_id=each.region_id,
                    address=each.address,
                    kind=each.probe.kind.value,
                    path=each.probe.path,
                    every_ms=each.every_ms,
                    timeout_ms=each.timeout_ms,
                    rise_count=each.rise_count,
                    fall_count=each.fall_count,
                    forgive_count=each.forgive_count,
                )
                for each in effect.targets
            ]
        )
    )


def injection(effect: DirectInjection) -> pb.ReportResponse:
    """Return what a drill has agents behave like."""
    return pb.ReportResponse(
        injection=pb.Injection(
            drill_id=effect.drill_id,
            number=effect.number,
            renewal=effect.renewal,
            service_id=effect.service_id,
            region_id=effect.region_id,
            kind=effect.kind.value,
            share_per_mille=effect.share_per_mille,
            delay_ms=effect.delay_ms,
            ttl_ms=effect.ttl_ms,
        )
    )


def lease_grant(effect: GrantLease) -> pb.ReportResponse:
    """Return that the agent may act."""
    return pb.ReportResponse(
        grant=pb.LeaseGrant(
            group_id=effect.group_id,
            token=token_to_proto(effect.token),
            request_number=effect.request_number,
            ttl_ms=effect.ttl_ms,
        )
    )


def lease_refusal(effect: RefuseLease) -> pb.ReportResponse:
    """Return why the agent may not act."""
    return pb.ReportResponse(
        refusal=pb.LeaseRefusal(
            group_id=effect.group_id,
            request_number=effect.request_number,
            reason=effect.reason,
        )
    )


def pulse(sent_at_ms: int) -> pb.ReportResponse:
    """Return a stamp of this replica's clock, for the agent to give back."""
    return pb.ReportResponse(pulse=pb.Pulse(sent_at=sent_at_ms))


def says_lag(readings: Readings | None) -> bool:
    """Whether it matters how long the report with these readings was on its way."""
    return readings is not None and any(each.lag_ms is not None for each in readings.services)


def relayed_from_proto(report: peer_pb2.RelayedReport, heard_by: str) -> AgentReport:
    """Return a report that another replica heard."""
    return AgentReport(
        region_id=RegionId(report.region_id),
        agent_id=AgentId(report.agent_id),
        boot_id=report.boot_id,
        counter=report.counter,
        readings=readings_from_proto(report.readings) if report.HasField("readings") else None,
        heard_by=ReplicaId(heard_by),
        age_ms=report.age_ms,
        transit_ms_max=report.transit_ms_max if report.HasField("transit_ms_max") else None,
    )


def relayed_to_proto(report: AgentReport, *, waited_ms: int) -> peer_pb2.RelayedReport:
    """Return a report for the leader; ``waited_ms`` passed since its age was taken."""
    relayed = peer_pb2.RelayedReport(
        region_id=report.region_id,
        agent_id=report.agent_id,
        boot_id=report.boot_id,
        counter=report.counter,
        age_ms=age_when_told_ms(report, waited_ms=waited_ms),
    )
    if report.transit_ms_max is not None:
        relayed.transit_ms_max = report.transit_ms_max
    if report.readings is not None:
        relayed.readings.CopyFrom(readings_to_proto(report.readings))
    return relayed
