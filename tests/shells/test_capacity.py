"""Room for a load, and documents that take a service away, as operators meet them."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
import pytest

from director.client.resolver import error_info
from tests.shells.fleet import MANIFEST, Fleet, ScriptedAgent, a_fleet, eventually, reason_of
from trafficdirector.admin.v1 import admin_pb2 as pb

pytestmark = pytest.mark.slow

# Each region of embed takes 60 of its 100: two cannot carry what three did.
SIZED = MANIFEST.replace(
    'endpoints: [{address: "127.0.0.1:901',
    'capacity: {rps: 100}, endpoints: [{address: "127.0.0.1:901',
)
WITHOUT_EMBED = "---".join(each for each in SIZED.split("---") if "name: embed" not in each)
CHANGE = pb.Change(reason="a test", actor="maria")


async def refusal(call: Awaitable[Any]) -> tuple[str, str]:
    """Have a call refused, and return the reason and the rule."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    info = error_info(raised.value)
    assert info is not None
    return reason_of(raised.value), info.metadata["rule"]


def ask(fleet: Fleet, method: str, request: Any, response: type[Any]) -> Awaitable[Any]:
    return fleet.call("d0", f"admin.v1.FleetService/{method}", request, response)


def drain(fleet: Fleet, *, is_forced: bool = False, is_dry: bool = False) -> Awaitable[Any]:
    change = pb.Change(reason="a test", actor="maria", validate_only=is_dry)
    request = pb.SetRegionDrainRequest(
        region_id="us-east1", drained=True, change=change, force_capacity=is_forced
    )
    return ask(fleet, "SetRegionDrain", request, pb.SetRegionDrainResponse)


def test_a_drain_without_room_is_refused_unless_it_is_forced_and_the_status_says_why() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply(documents=SIZED)
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1", "us-east1")]
        for agent in agents:
            agent.load_rps = 60
            agent.start()

        async def embed() -> pb.ServiceStatus:
            seen = await ask(fleet, "GetStatus", pb.GetStatusRequest(), pb.GetStatusResponse)
            services: list[pb.ServiceStatus] = list(seen.services)
            return next(each for each in services if each.service_id == "embed")

        async def is_known() -> bool:
            return all(site.load_rps == 60 for site in (await embed()).sites)

        await eventually(is_known)
        service = await embed()
        # 60 would have to move, and the other two have 40 each: 133 % of it.
        assert service.headroom_per_mille == 1_333
        for agent in agents:
            agent.load_rps = 70

        async def is_fuller() -> bool:
            return all(site.load_rps == 70 for site in (await embed()).sites)

        await eventually(is_fuller)

        assert await refusal(drain(fleet)) == ("SAFETY_RULE", "CAPACITY")
        told = await drain(fleet, is_forced=True, is_dry=True)
        assert "headroom 85 % (60 free for 70 rps)" in told.message
        done = await drain(fleet, is_forced=True)
        assert done.index > 0
        for agent in agents:
            await agent.kill()

    asyncio.run(_run(story))


def test_documents_that_drop_a_service_need_its_name() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply(documents=SIZED)

        def apply(*allowed: str) -> Awaitable[Any]:
            request = pb.ApplyManifestRequest(
                documents=WITHOUT_EMBED, change=CHANGE, allow_removed_service_ids=allowed
            )
            return ask(fleet, "ApplyManifest", request, pb.ApplyManifestResponse)

        assert await refusal(apply()) == ("SAFETY_RULE", "SERVICE_STAYS")
        assert await refusal(apply("chat")) == ("SAFETY_RULE", "SERVICE_STAYS")
        assert (await apply("embed")).revision == 2

    asyncio.run(_run(story))


async def _run(story: Any) -> None:
    async with a_fleet(size=1) as fleet:
        await story(fleet)
