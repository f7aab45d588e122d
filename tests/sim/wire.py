"""What an agent and a director say to each other, without the protos between them.

Field for field the mapping of ``regions.transport.codec`` and ``director.service.agent_wire``.
"""

from dataclasses import dataclass
from typing import TypeAlias

from director.core import effects as of_director
from director.core import ids as director_ids
from director.core import inputs as to_director
from director.core import observations
from director.core.timing import DEFAULT_TIMING, Timing
from director.core.transit import transit_ms_max
from director.routing.table import RegionId, ServiceId
from regions.core import effects as of_agent
from regions.core import ids as agent_ids
from regions.core import inputs as to_agent
from regions.core import readings as agent_readings


class ReadingsMap:
    """Readings of one agent as directors take them in; what all of them are sent is mapped once."""

    def __init__(self) -> None:
        self._said = agent_readings.Readings()
        self._heard = observations.Readings()

    def heard(self, readings: agent_readings.Readings) -> observations.Readings:
        """Return what a director hears when the agent says ``readings``."""
        if readings is not self._said:
            self._said, self._heard = readings, _readings(readings)
        return self._heard


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of an agent's stream."""

    region_id: RegionId
    agent_id: director_ids.AgentId
    boot_id: str
    service_ids: tuple[ServiceId, ...]
    readings: ReadingsMap


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who answers, and who leads as far as it knows."""

    replica_id: str
    leader_id: str | None


@dataclass(frozen=True, slots=True)
class Pulse:
    """A stamp of the replica's clock, to be given back."""

    sent_at: int


FromAgent: TypeAlias = Hello | of_agent.SendReport | of_agent.SendLease
FromDirector: TypeAlias = (
    Welcome
    | Pulse
    | of_director.DirectGroup
    | of_director.DirectProbes
    | of_director.DirectInjection
    | of_director.GrantLease
    | of_director.RefuseLease
)


def director_token(token: agent_ids.FencingToken) -> director_ids.FencingToken:
    return director_ids.FencingToken(token.generation, token.epoch)


def agent_token(token: director_ids.FencingToken) -> agent_ids.FencingToken:
    return agent_ids.FencingToken(token.generation, token.epoch)


def report_heard(
    effect: of_agent.SendReport,
    hello: Hello,
    heard_by: director_ids.ReplicaId,
    *,
    arrived_at_ms: int,
    opened_at_ms: int,
) -> observations.AgentReport:
    """An agent's report as the replica that hears it takes it in."""
    transit = None
    if effect.echo is not None:
        transit = transit_ms_max(
            effect.echo.sent_at,
            effect.echo.held_ms,
            arrived_at_ms=arrived_at_ms,
            opened_at_ms=opened_at_ms,
            clock_drift_per_mille=DEFAULT_TIMING.clock_drift_per_mille,
        )
    return observations.AgentReport(
        hello.region_id,
        hello.agent_id,
        hello.boot_id,
        effect.counter,
        None if effect.readings is None else hello.readings.heard(effect.readings),
        heard_by,
        transit_ms_max=transit,
        unanswered=None if effect.unanswered is None else _unanswered(effect.unanswered),
    )


def _unanswered(said: of_agent.Unanswered) -> observations.Unanswered:
    answered_by = tuple(director_ids.ReplicaId(each) for each in said.answered_by)
    return observations.Unanswered(said.for_ms, answered_by)


def lease_asked(effect: of_agent.SendLease, hello: Hello) -> to_director.LeaseAsked:
    return to_director.LeaseAsked(
        hello.region_id,
        hello.agent_id,
        director_ids.GroupId(effect.group_id),
        director_token(effect.token),
        effect.request_number,
        effect.is_proven,
        effect.is_holding,
    )


def _readings(readings: agent_readings.Readings) -> observations.Readings:
    return observations.Readings(
        tuple(
            observations.ServiceReading(
                each.service_id, each.passing, each.lag_ms, each.lag_age_ms, each.load_rps
            )
            for each in readings.services
        ),
        tuple(
            observations.PeerReading(
                each.service_id,
                each.region_id,
                each.passing,
                each.round_count,
                each.failing_for_ms,
                each.age_ms,
            )
            for each in readings.peers
        ),
        tuple(observations.RoundTrip(each.region_id, each.rtt_us) for each in readings.round_trips),
        tuple(
            observations.GateReading(
                director_ids.GroupId(each.group_id),
                director_token(each.token),
                each.is_open,
                None if each.demoted_through is None else director_token(each.demoted_through),
                each.home,
                each.has_long_answers,
            )
            for each in readings.gates
        ),
        readings.muted,
    )


def agent_input(  # noqa: PLR0911 - one each
    said: FromDirector, director_id: str, timing: Timing
) -> to_agent.Input:
    """What a director said, as the agent takes it in."""
    match said:
        case Welcome():
            return to_agent.Welcomed(
                agent_ids.ReplicaId(director_id),
                None if said.leader_id is None else agent_ids.ReplicaId(said.leader_id),
                timing.heartbeat_ms,
                timing.lease_ms,
                timing.lease_renew_ms,
            )
        case Pulse():
            return to_agent.Pulsed(agent_ids.ReplicaId(director_id), said.sent_at)
        case of_director.DirectGroup():
            return to_agent.GroupDirected(
                agent_ids.GroupId(said.group_id),
                said.service_id,
                said.home,
                agent_token(said.token),
                said.demote,
                said.prepare,
            )
        case of_director.DirectProbes():
            return to_agent.ProbesDirected(
                agent_ids.ReplicaId(director_id), tuple(_target(each) for each in said.targets)
            )
        case of_director.DirectInjection():
            return to_agent.InjectionDirected(
                said.drill_id,
                said.number,
                said.renewal,
                said.service_id,
                said.region_id,
                said.kind.value,
                said.share_per_mille,
                said.delay_ms,
                said.ttl_ms,
            )
        case of_director.GrantLease():
            return to_agent.LeaseGranted(
                agent_ids.GroupId(said.group_id),
                agent_token(said.token),
                said.request_number,
                said.ttl_ms,
            )
        case of_director.RefuseLease():
            return to_agent.LeaseRefused(
                agent_ids.GroupId(said.group_id), said.request_number, said.reason
            )


def _target(target: of_director.ProbeTarget) -> agent_readings.ProbeTarget:
    return agent_readings.ProbeTarget(
        target.service_id,
        target.region_id,
        target.address,
        agent_readings.ProbeSpec(
            agent_readings.ProbeKind(target.probe.kind.value), target.probe.path
        ),
        target.every_ms,
        target.timeout_ms,
        target.rise_count,
        target.fall_count,
        target.forgive_count,
    )
