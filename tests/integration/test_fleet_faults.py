"""Faults of the directors themselves, on real processes: the leader, the majority, all of them."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import grpc.aio
import pytest

from director.client.channel import open_channel
from director.dev.directors import Directors, DirectorsError
from director.dev.launch import CHAT, Launched, launch, open_gate
from director.dev.plan import free_port_base, plan_fleet
from director.dev.supervisor import Fleet
from director.dev.traffic import Traffic
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.routing.v1 import routing_pb2, routing_pb2_grpc

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]

_T = TypeVar("_T")
with_and_without_tls = pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
PATIENCE_SECONDS = 30.0
# Three times the greatest election timeout drawn at default timing.
ELECTION_MS_MAX = 3 * 2_000


@contextlib.asynccontextmanager
async def running(*, is_tls: bool = False) -> AsyncIterator[tuple[Fleet, Directors, Launched]]:
    with tempfile.TemporaryDirectory(prefix="td-") as folder:
        fleet = Fleet(plan_fleet(free_port_base(24_000)), Path(folder), is_tls=is_tls)
        try:
            async with Directors(fleet.plan.api_addresses, fleet.operator_tls()) as directors:
                yield fleet, directors, await launch(fleet, directors)
        finally:
            await fleet.stop()


async def until(look: Callable[[], Awaitable[_T | None]]) -> _T:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(0.05)


def kept(status: pb.GetStatusResponse) -> tuple[object, ...]:
    """What must outlive the processes."""
    owners = [
        (each.service_id, each.owner_region_id, each.serving_region_id, each.generation, each.epoch)
        for each in status.services
    ]
    return status.config_revision, owners


async def resolve(address: str) -> routing_pb2.ResolveResponse:
    async with open_channel(address) as channel:
        stub = routing_pb2_grpc.RoutingServiceStub(channel)
        request = routing_pb2.ResolveRequest(service_id=CHAT)
        answer: routing_pb2.ResolveResponse = await stub.Resolve(request, timeout=2)
        return answer


@with_and_without_tls
def test_a_killed_leader_costs_no_resolve_and_is_replaced_within_three_election_timeouts(
    is_tls: bool,
) -> None:
    async def story() -> None:
        async with running(is_tls=is_tls) as (fleet, directors, _):
            leader = (await directors.cluster()).leader_id
            addresses, tls = fleet.plan.api_addresses, fleet.client_tls()
            async with Traffic(addresses, CHAT, watcher_count=6, tls=tls) as traffic:

                async def flowing() -> bool | None:
                    return traffic.seen.resolved_count >= 20 or None

                await until(flowing)
                resolved = traffic.seen.resolved_count
                killed_at_ms = boot_ms()
                fleet.signal([leader], signal.SIGKILL)

                async def replaced() -> str | None:
                    answers = (await directors.statuses()).values()
                    leads = [each.replica_id for each in answers if each and each.is_leader]
                    return next((each for each in leads if each != leader), None)

                await until(replaced)
                assert boot_ms() - killed_at_ms <= ELECTION_MS_MAX

                async def resolved_more() -> bool | None:
                    return traffic.seen.resolved_count >= resolved + 100 or None

                await until(resolved_more)
                assert list(traffic.seen.resolve_failures) == []

    asyncio.run(story())


def test_a_minority_answers_with_a_stale_label_and_refuses_every_change() -> None:
    async def story() -> None:
        async with running() as (fleet, directors, launched):
            alone = next(
                each for each in fleet.plan.replicas if each.replica_id != launched.leader_id
            )
            others = [
                each.replica_id
                for each in fleet.plan.replicas
                if each.replica_id != alone.replica_id
            ]
            before = kept(await directors.status())
            fleet.signal(others, signal.SIGSTOP)

            async def stale() -> bool | None:
                answer = await resolve(alone.api)
                return answer.source == routing_pb2.SOURCE_STALE or None

            await until(stale)
            answer = await resolve(alone.api)
            assert answer.region_id == launched.owner
            assert answer.view_age_ms > 2_000

            async with Directors([alone.api]) as minority:
                with pytest.raises(DirectorsError) as refusal:
                    await minority.start_switchover(CHAT, "", "nobody may decide this")
                assert refusal.value.reason in ("UNAVAILABLE", "NO_LEADER", "NOT_LEADER")
                status = (await minority.statuses())[alone.api]
            assert status is not None
            assert not status.is_fresh
            assert not status.is_leader

            fleet.signal(others, signal.SIGCONT)

            async def whole() -> pb.GetStatusResponse | None:
                with contextlib.suppress(DirectorsError, grpc.aio.AioRpcError):
                    status = await directors.status()
                    return status if status.voters_alive == 3 else None
                return None

            healed = await until(whole)
            assert kept(healed) == before

    asyncio.run(story())


@with_and_without_tls
def test_three_killed_replicas_come_back_with_the_same_revision_epochs_and_owners(
    is_tls: bool,
) -> None:
    async def story() -> None:
        async with running(is_tls=is_tls) as (fleet, directors, _):
            names = [each.replica_id for each in fleet.plan.replicas]
            before = kept(await directors.status())
            fleet.signal(names, signal.SIGKILL)
            for name in names:
                fleet.wait(name)
            fleet.start(names)

            async def together() -> list[pb.GetStatusResponse] | None:
                answers = [each for each in (await directors.statuses()).values() if each]
                if len(answers) < 3 or not any(each.is_leader for each in answers):
                    return None
                digests = {each.state_digest for each in answers}
                return answers if len(digests) == 1 else None

            answers = await until(together)

            assert [kept(each) for each in answers] == [before] * 3

            async def writable() -> str | None:
                with contextlib.suppress(DirectorsError):
                    return open_gate(await directors.status(), CHAT)
                return None

            assert await until(writable)
            # Nothing moved while nobody could decide.
            assert kept(await directors.status()) == before

    asyncio.run(story())
