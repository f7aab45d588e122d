"""Pauses, overrides with an end, and approvals, through the API of a fleet of three."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import pytest

from tests.shells.fleet import MANIFEST, Fleet, ScriptedAgent, a_fleet, eventually, reason_of
from trafficdirector.admin.v1 import admin_pb2 as pb

pytestmark = pytest.mark.slow

APPROVING = MANIFEST.replace("spec: {automation: Automatic}", "spec: {automation: Approve}")


def run(story: Callable[[Fleet], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with a_fleet() as fleet:
            await story(fleet)

    asyncio.run(whole())


async def refusal(call: Awaitable[Any]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return str(reason_of(raised.value))


async def call(fleet: Fleet, name: str, request: Any, *, at: str = "d0") -> Any:
    service = "FleetService" if name.startswith("Set") else "FailoverService"
    response = getattr(pb, f"{name}Response")
    return await fleet.call(at, f"admin.v1.{service}/{name}", request, response)


def a_change(request_id: str = "", *, reason: str = "network work") -> pb.Change:
    return pb.Change(request_id=request_id, actor="maria", reason=reason)


def a_pause(
    service_id: str = "chat", for_ms: int = 60_000, **change: str
) -> pb.SetAutomationRequest:
    return pb.SetAutomationRequest(
        service_id=service_id, action="pause", for_ms=for_ms, change=a_change(**change)
    )


async def service(fleet: Fleet, name: str = "chat", *, at: str = "d0") -> pb.ServiceStatus:
    status = await fleet.status(at)
    return next(each for each in status.services if each.service_id == name)


async def with_agents(
    fleet: Fleet, stack: contextlib.AsyncExitStack, *regions: str
) -> dict[str, ScriptedAgent]:
    agents = {}
    for region_id in regions:
        agent = agents[region_id] = ScriptedAgent(fleet, region_id)
        agent.start()
        stack.push_async_callback(agent.kill)
    return agents


def test_a_pause_is_seen_at_every_replica_until_it_is_resumed() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        paused = await call(fleet, "SetAutomation", a_pause())
        assert paused.index
        assert paused.until_wall_ms

        for replica_id in fleet.addresses:

            async def is_paused(replica_id: str = replica_id) -> bool:
                seen = await service(fleet, at=replica_id)
                return seen.pause.actor == "maria" and 0 < seen.pause.left_ms <= 60_000

            await eventually(is_paused)
        resumed = await call(
            fleet, "SetAutomation", pb.SetAutomationRequest(service_id="chat", action="resume")
        )
        assert resumed.index > paused.index
        assert not (await service(fleet)).HasField("pause")

    run(story)


def test_one_request_id_is_one_pause_however_often_it_is_sent() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        first = await call(fleet, "SetAutomation", a_pause(request_id="r1"))
        second = await call(fleet, "SetAutomation", a_pause(request_id="r1"))
        other = await refusal(call(fleet, "SetAutomation", a_pause(for_ms=1, request_id="r1")))

        assert second.index == first.index
        assert other == "INVALID_REQUEST"

    run(story)


def test_what_is_wrong_with_a_request_is_named() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        asked: list[tuple[str, Any, str]] = [
            ("SetAutomation", a_pause(reason=" "), "INVALID_REQUEST"),
            ("SetAutomation", a_pause(for_ms=0), "INVALID_REQUEST"),
            ("SetAutomation", a_pause(for_ms=86_400_001), "INVALID_REQUEST"),
            ("SetAutomation", a_pause("nobody"), "SERVICE_NOT_FOUND"),
            ("SetAutomation", pb.SetAutomationRequest(action="halt"), "INVALID_REQUEST"),
            (
                "SetOverride",
                pb.SetOverrideRequest(
                    service_id="chat", region_id="eu-west1", override="FORCE_UP", change=a_change()
                ),
                "INVALID_REQUEST",
            ),
            ("ApproveFailover", pb.ApproveFailoverRequest(service_id="chat"), "INVALID_REQUEST"),
            (
                "ApproveFailover",
                pb.ApproveFailoverRequest(service_id="chat", change=a_change()),
                "NOTHING_TO_APPROVE",
            ),
            ("ListIntents", pb.ListIntentsRequest(service_id="nobody"), "SERVICE_NOT_FOUND"),
        ]

        reasons = [await refusal(call(fleet, name, request)) for name, request, _ in asked]

        assert reasons == [reason for _, _, reason in asked]
        assert not (await service(fleet)).HasField("pause")

    run(story)


def test_an_override_shows_its_end_and_ends_by_itself() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        answer = await call(
            fleet,
            "SetOverride",
            pb.SetOverrideRequest(
                service_id="embed",
                region_id="us-east1",
                override="FORCE_DOWN",
                for_ms=1_500,
                change=a_change(),
            ),
        )
        assert answer.until_wall_ms
        site = (await service(fleet, "embed")).sites[2]
        assert (site.region_id, site.override) == ("us-east1", "FORCE_DOWN")
        assert (site.override_term.actor, site.override_term.reason) == ("maria", "network work")

        async def has_ended() -> bool:
            seen = (await service(fleet, "embed", at="d2")).sites[2]
            return seen.override == "" and not seen.HasField("override_term")

        await eventually(has_ended)

    run(story)


def test_a_proposed_move_is_listed_and_made_when_it_is_approved() -> None:
    async def story(fleet: Fleet) -> None:
        async with contextlib.AsyncExitStack() as stack:
            await fleet.apply(documents=APPROVING)
            agents = await with_agents(fleet, stack, "eu-west1", "eu-north1", "us-east1")

            async def has_owner() -> bool:
                return (await service(fleet)).owner_region_id == "eu-west1"

            await eventually(has_owner)
            agents["eu-west1"].is_passing = False

            async def is_proposed() -> bool:
                seen = await service(fleet)
                return seen.intent.state == "open" and seen.intent.approvable_for_ms > 0

            await eventually(is_proposed)
            (listed,) = (await call(fleet, "ListIntents", pb.ListIntentsRequest())).intents
            assert (listed.service_id, listed.target_region_id) == ("chat", "eu-north1")
            assert (await service(fleet)).owner_region_id == "eu-west1"

            approved = await call(
                fleet,
                "ApproveFailover",
                pb.ApproveFailoverRequest(service_id="chat", change=a_change()),
            )
            assert approved.failover_id

            async def has_moved() -> bool:
                return (await service(fleet)).owner_region_id == "eu-north1"

            await eventually(has_moved)
            (listed,) = (await call(fleet, "ListIntents", pb.ListIntentsRequest())).intents
            assert (listed.state, listed.failover_id) == ("approved", approved.failover_id)

    run(story)
