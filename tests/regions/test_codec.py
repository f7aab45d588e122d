"""Between protos and the agent's own types: nothing lost on the way up, bounds on the way down."""

from director.routing.table import RegionId, ServiceId
from regions.core.effects import PulseEcho, SendLease, SendReport, Unanswered
from regions.core.ids import AgentId, FencingToken, GroupId, ReplicaId
from regions.core.inputs import (
    GroupDirected,
    InjectionDirected,
    LeaseGranted,
    LeaseRefused,
    ProbesDirected,
    Pulsed,
    Welcomed,
)
from regions.core.readings import (
    GateReading,
    PeerReading,
    ProbeKind,
    ProbeSpec,
    ProbeTarget,
    Readings,
    RoundTrip,
    ServiceReading,
)
from regions.core.settings import AgentIdentity
from regions.transport.codec import REPORT_BYTES_MAX, hello, input_from, request_from
from trafficdirector.agent.v1 import agent_pb2 as pb

D0 = ReplicaId("d0")
GROUP = GroupId("chat/0")


def test_the_first_message_says_who_speaks() -> None:
    identity = AgentIdentity(RegionId("eu-west1"), AgentId("a"), "boot")

    said = hello(identity, [ServiceId("pay"), ServiceId("chat")], "0.1.0").hello

    assert said == pb.Hello(
        region_id="eu-west1",
        agent_id="a",
        boot_id="boot",
        service_ids=["chat", "pay"],
        version="0.1.0",
    )


def test_undecided_and_unknown_stay_unset() -> None:
    readings = Readings(
        services=(ServiceReading(ServiceId("chat"), None),),
        peers=(PeerReading(ServiceId("chat"), RegionId("us"), None, 3),),
        gates=(GateReading(GROUP, FencingToken(1, 2), is_open=False),),
    )

    said = request_from(SendReport(D0, 9, readings)).report

    assert said.counter == 9
    assert not said.readings.services[0].HasField("passing")
    assert not said.readings.services[0].HasField("lag_ms")
    assert not said.readings.peers[0].HasField("passing")
    assert not said.readings.gates[0].HasField("demoted_through")


def test_readings_arrive_as_they_were() -> None:
    readings = Readings(
        services=(ServiceReading(ServiceId("chat"), False, 0, 12),),
        peers=(PeerReading(ServiceId("chat"), RegionId("us"), False, 3, 700, 20),),
        round_trips=(RoundTrip(RegionId("us"), 80_000),),
        gates=(GateReading(GROUP, FencingToken(1, 2), True, FencingToken(1, 1), RegionId("us")),),
    )

    said = request_from(SendReport(D0, 1, readings)).report.readings

    assert said == pb.Readings(
        services=[pb.ServiceReading(service_id="chat", passing=False, lag_ms=0, lag_age_ms=12)],
        peers=[
            pb.PeerReading(
                service_id="chat",
                region_id="us",
                passing=False,
                round_count=3,
                failing_for_ms=700,
                age_ms=20,
            )
        ],
        round_trips=[pb.RegionRoundTrip(region_id="us", rtt_us=80_000)],
        gates=[
            pb.GateReading(
                group_id="chat/0",
                token=pb.FencingToken(generation=1, epoch=2),
                is_open=True,
                demoted_through=pb.FencingToken(generation=1, epoch=1),
                home_region_id="us",
            )
        ],
    )


def test_unchanged_readings_are_left_out() -> None:
    assert not request_from(SendReport(D0, 2, None)).report.HasField("readings")


def test_a_director_is_told_that_its_answers_are_missing_and_who_answers() -> None:
    unanswered = Unanswered(1_250, (ReplicaId("d1"), ReplicaId("d2")))

    said = request_from(SendReport(D0, 2, None, unanswered=unanswered)).report
    for_weeks = request_from(SendReport(D0, 2, None, unanswered=Unanswered(2**33, ()))).report

    assert said.unanswered == pb.Unanswered(for_ms=1_250, answered_by=["d1", "d2"])
    assert for_weeks.unanswered.for_ms == 2**32 - 1
    assert not request_from(SendReport(D0, 2, None)).report.HasField("unanswered")


def test_a_pulse_is_understood_and_goes_back_as_it_came() -> None:
    pulsed = input_from(pb.ReportResponse(pulse=pb.Pulse(sent_at=2**40)), D0)
    said = request_from(SendReport(D0, 2, None, PulseEcho(2**40, 480))).report

    assert pulsed == Pulsed(D0, 2**40)
    assert (said.echo.sent_at, said.echo.held_ms) == (2**40, 480)
    assert not request_from(SendReport(D0, 2, None)).report.HasField("echo")


def test_a_pulse_held_for_longer_than_can_be_told_is_told_as_held_for_less() -> None:
    said = request_from(SendReport(D0, 2, None, PulseEcho(1, 2**33))).report

    assert said.echo.held_ms == 2**32 - 1


def test_a_report_too_large_to_be_taken_loses_what_passes_before_what_fails() -> None:
    peers = tuple(
        PeerReading(ServiceId(f"service-with-a-long-name-{n:05}"), RegionId("us"), n != 1_999, n)
        for n in range(2_000)
    )

    said = request_from(SendReport(D0, 2, Readings(peers=peers))).report

    assert said.ByteSize() <= REPORT_BYTES_MAX
    names = [each.service_id for each in said.readings.peers]
    assert names == sorted(names)
    assert len(names) > 500
    assert [each.service_id for each in said.readings.peers if not each.passing] == [
        "service-with-a-long-name-01999"
    ]


def test_a_lease_request_carries_its_proof() -> None:
    ask = SendLease(D0, GROUP, FencingToken(1, 2), 5, is_proven=True, is_holding=False)

    assert request_from(ask).lease == pb.LeaseRequest(
        group_id="chat/0",
        token=pb.FencingToken(generation=1, epoch=2),
        request_number=5,
        is_proven=True,
        is_holding=False,
    )


def test_what_directors_say_is_understood() -> None:
    token = pb.FencingToken(generation=1, epoch=2)
    said = [
        pb.ReportResponse(
            welcome=pb.Welcome(
                replica_id="d0", heartbeat_ms=500, lease_ms=4_000, lease_renew_ms=1_000
            )
        ),
        pb.ReportResponse(
            group=pb.GroupDirective(group_id="chat/0", service_id="chat", token=token, demote=True)
        ),
        pb.ReportResponse(
            grant=pb.LeaseGrant(group_id="chat/0", token=token, request_number=5, ttl_ms=4_000)
        ),
        pb.ReportResponse(
            refusal=pb.LeaseRefusal(group_id="chat/0", request_number=6, reason="FENCING")
        ),
        pb.ReportResponse(),
    ]

    assert [input_from(each, D0) for each in said] == [
        Welcomed(D0, None, 500, 4_000, 1_000),
        GroupDirected(GROUP, ServiceId("chat"), None, FencingToken(1, 2), demote=True),
        LeaseGranted(GROUP, FencingToken(1, 2), 5, 4_000),
        LeaseRefused(GROUP, 6, "FENCING"),
        None,
    ]


def test_a_probe_plan_is_bounded_and_kinds_of_later_releases_are_left_out() -> None:
    plan = pb.ProbePlan(
        targets=[
            pb.ProbeTarget(service_id="chat", region_id="us", address="h:1", kind="Quic"),
            # From a director's word no program is ever run.
            pb.ProbeTarget(service_id="chat", region_id="us", address="h:1", kind="Exec"),
            pb.ProbeTarget(
                service_id="chat", region_id="us", address="h:1", kind="Http", path="/h"
            ),
        ]
    )

    assert input_from(pb.ReportResponse(probes=plan), D0) == ProbesDirected(
        D0,
        (
            ProbeTarget(
                ServiceId("chat"),
                RegionId("us"),
                "h:1",
                ProbeSpec(ProbeKind.HTTP, "/h"),
                every_ms=50,
                timeout_ms=10,
                rise_count=1,
                fall_count=1,
            ),
        ),
    )


def test_what_a_drill_has_the_agent_be_silent_about_is_said() -> None:
    said = request_from(SendReport(D0, 1, Readings(muted=(ServiceId("chat"),))))

    assert list(said.report.readings.muted_service_ids) == ["chat"]


def test_an_injection_is_bounded_and_one_of_a_later_release_is_none() -> None:
    said = pb.Injection(
        drill_id="chat/1",
        number=1,
        renewal=2,
        service_id="chat",
        region_id="eu-west1",
        kind="ErrorRate",
        share_per_mille=5_000,
        delay_ms=10_000_000,
        ttl_ms=10_000_000,
    )

    assert input_from(pb.ReportResponse(injection=said), D0) == InjectionDirected(
        "chat/1", 1, 2, ServiceId("chat"), RegionId("eu-west1"), "ErrorRate", 1_000, 60_000, 10_000
    )
    said.kind = "Earthquake"
    assert input_from(pb.ReportResponse(injection=said), D0) is None
    said.ttl_ms = 0
    assert input_from(pb.ReportResponse(injection=said), D0) is not None, "that it is over is known"
