"""A drill that ended, as the directors keep it and as they tell of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from director.api.drill_messages import drill_to_proto
from director.core.commands import Evidence
from director.core.drill import (
    DrillGuard,
    DrillKind,
    DrillScenario,
    DrillSpec,
    DrillStage,
    DrillVerdict,
    GuardAnswer,
)
from director.core.drill_record import Drill, DrillMoment, DrillPhase
from director.core.drill_view import report_content, report_hash
from director.core.ids import DrillId, GroupId, RunId
from director.core.state import State
from director.routing.table import RegionId, ServiceId
from trafficdirector.drill.v1 import drill_pb2 as pb

WALL_MS = 1_763_654_400_000  # 2025-11-20 16:00 UTC


def a_drill(**changes: Any) -> Drill:
    """Return drill chat-weekly/7 of the transcript, which passed."""
    spec = DrillSpec(
        ServiceId("chat"),
        DrillScenario(DrillKind.BLACKHOLE, RegionId("eu-west1")),
        10_000,
        expect_rto_ms=45_000,
    )
    drill = Drill(
        drill_id=DrillId("chat-weekly/7"),
        number=7,
        spec=spec,
        stage=DrillStage.ENDED,
        actor="alice",
        reason="before the holidays",
        schedule_id="chat-weekly",
        group_id=GroupId("chat/0"),
        home=RegionId("eu-west1"),
        started_at_ms=1_000,
        started_wall_ms=WALL_MS,
        ended_at_ms=15_000,
        ended_wall_ms=WALL_MS + 14_000,
        injected_at_ms=1_100,
        guards=(
            GuardAnswer(DrillGuard.WINDOW, passed=True, message="window open (Tue 03:30)"),
            GuardAnswer(DrillGuard.NO_FAILOVER, passed=True, message="no failover in progress"),
        ),
        run_ids=(RunId("chat/12"), RunId("chat/13")),
        timeline=(
            DrillMoment(DrillStage.GUARDING, 1_000, wall_ms=WALL_MS),
            DrillMoment(DrillStage.INJECTING, 1_100, "all guards passed", WALL_MS + 100),
            DrillMoment(DrillStage.RECOVERED, 7_000, "eu-north1 serves", WALL_MS + 6_000),
            DrillMoment(DrillStage.RESTORING, 11_100, "the time is over", WALL_MS + 10_100),
            DrillMoment(DrillStage.ENDED, 15_000, "restored", WALL_MS + 14_000),
        ),
        verdict=DrillVerdict.PASSED,
        measured_rto_ms=5_900,
        loss_bound_ms=0,
        phases=(
            DrillPhase("detect", 2_900, "PEERS_FAIL"),
            DrillPhase("decide", 200, "committed, epoch 8"),
            DrillPhase("fence", 2_100, "the lease of eu-west1 ran out"),
            DrillPhase("promote", 400, "eu-north1 serves under 1.8"),
            DrillPhase("publish", 300, "412 watchers moved"),
        ),
        evidence=(Evidence("peer:us-east1", "fail", 120),),
        revision=4,
        rto_budget_ms=45_000,
        rpo_budget_ms=5_000,
        configuration=json.dumps({"service": {"service_id": "chat"}}),
    )
    drill = replace(drill, **changes)
    return replace(drill, report_hash=report_hash(drill) if not drill.is_active else "")


def as_proto(drill: Drill, *, rto_ms: int = 60_000) -> pb.Drill:
    """Return it as a director tells it, whose service has this objective."""
    encoded = drill_to_proto(State(), drill)
    encoded.rto_ms = rto_ms
    return encoded


def as_report(drill: Drill) -> pb.GetDrillReportResponse:
    """Return its report as a director answers."""
    return pb.GetDrillReportResponse(
        drill_id=drill.drill_id,
        content=json.dumps(report_content(drill)),
        report_hash=drill.report_hash,
    )


def course(drill: Drill) -> list[pb.Drill]:
    """Return what a watcher is sent of a drill, from its beginning to its end."""
    begun = replace(
        drill,
        stage=DrillStage.GUARDING,
        verdict=None,
        cause="",
        injected_at_ms=None,
        measured_rto_ms=None,
        loss_bound_ms=None,
        phases=(),
        ended_wall_ms=0,
        state_diff=(),
        report_hash="",
        timeline=drill.timeline[:1],
    )
    injected = replace(
        begun,
        stage=DrillStage.INJECTING,
        injected_at_ms=drill.injected_at_ms,
        timeline=drill.timeline[:2],
    )
    told = [begun, injected]
    told += [replace(injected, phases=drill.phases[:count]) for count in (2, 3)]
    recovered = replace(
        injected,
        stage=DrillStage.RECOVERED,
        phases=drill.phases,
        timeline=drill.timeline[:3],
        measured_rto_ms=drill.measured_rto_ms,
    )
    told += [
        recovered,
        replace(recovered, stage=DrillStage.RESTORING, timeline=drill.timeline[:4]),
    ]
    return [*(as_proto(each) for each in told), as_proto(drill)]
