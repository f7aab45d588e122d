"""What an agent says of answers that do not arrive comes to the director that it says it to."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

from director.api.agents import AgentApi
from director.core.ids import ReplicaId
from director.core.observations import AgentReport, Unanswered
from trafficdirector.agent.v1 import agent_pb2 as pb


def heard(*said: pb.Report) -> list[AgentReport]:
    """Return the reports that a replica takes in when an agent says these on one stream."""
    reports: list[AgentReport] = []
    replica = SimpleNamespace(
        settings=SimpleNamespace(replica_id="d0"),
        state=SimpleNamespace(topology=SimpleNamespace(regions=())),
        heard=reports.append,
        connect_agent=lambda _: None,
        links=SimpleNamespace(disconnect=lambda _: None),
    )

    async def requests() -> AsyncIterator[pb.ReportRequest]:
        yield pb.ReportRequest(hello=pb.Hello(region_id="eu", agent_id="a", boot_id="b"))
        for report in said:
            yield pb.ReportRequest(report=report)

    context = SimpleNamespace(write=None)
    api = AgentApi(cast(Any, replica))
    asyncio.run(api.report(requests(), cast(Any, context)))
    return reports


def test_missing_answers_and_those_who_answer_are_taken_in_with_the_report() -> None:
    missing = pb.Unanswered(for_ms=1_250, answered_by=["d1", "d2"])

    first, second = heard(pb.Report(counter=1, unanswered=missing), pb.Report(counter=2))

    assert first.unanswered == Unanswered(1_250, (ReplicaId("d1"), ReplicaId("d2")))
    assert second.unanswered is None
