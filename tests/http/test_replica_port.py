"""The HTTP port of real replicas: what a scrape, a probe and a load balancer see of a fleet."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from director.app import Settings, SettingsError, start
from tests.http.asking import get
from tests.shells.fleet import Fleet, ScriptedAgent, a_fleet, eventually
from trafficdirector.routing.v1 import routing_pb2

pytestmark = pytest.mark.slow

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def in_a_fleet(story: Callable[[Fleet], Awaitable[None]]) -> None:
    """Run ``story`` with three replicas, the manifest, and an agent in each region of chat."""

    async def run() -> None:
        async with a_fleet() as fleet:
            await fleet.apply()
            agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1")]
            for agent in agents:
                agent.start()
            try:
                await eventually(lambda: agents[0].token is not None)
                await story(fleet)
            finally:
                for agent in agents:
                    await agent.kill()

    asyncio.run(run())


async def scraped(fleet: Fleet, replica_id: str = "d0") -> Series:
    status, content_type, text = await get(fleet.running[replica_id].http_listen, "/metrics")
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def one(series: Series, name: str, **labels: str) -> float:
    return series[name, tuple(sorted(labels.items()))]


def test_a_scrape_tells_who_leads_who_serves_and_what_was_answered() -> None:
    async def story(fleet: Fleet) -> None:
        for _ in range(3):
            await fleet.resolve(
                "d0", routing_pb2.ResolveRequest(service_id="chat", region_id="eu-west1")
            )

        async def is_whole() -> bool:
            series = await scraped(fleet)
            open_at = one(series, "director_service_gate_open", service="chat", region="eu-west1")
            return open_at == 1

        await eventually(is_whole)
        series = await scraped(fleet)

        assert one(series, "director_has_leader") == one(series, "director_is_leader") == 1
        assert one(series, "director_voters") == one(series, "director_voters_active") == 3
        assert one(series, "director_leader_changes_seen_total") == 1
        assert one(series, "director_commit_duration_seconds_count") > 0
        assert one(series, "director_proposals_committed_total") >= one(
            series, "director_proposals_applied_total"
        )
        assert one(series, "director_log_writable") == 1
        assert one(series, "director_view_age_seconds") < 5
        assert one(series, "director_agents", region="eu-west1") == 1
        assert one(series, "director_agent_heartbeat_age_seconds", region="us-east1") == float(
            "inf"
        )
        active = {
            region: one(series, "director_service_active_region", service="chat", region=region)
            for region in ("eu-west1", "eu-north1")
        }
        assert active == {"eu-west1": 1, "eu-north1": 0}
        assert one(series, "director_service_rto_seconds", service="chat") == 60
        assert 0 < one(series, "director_service_predicted_rto_seconds", service="chat") < 60
        assert one(series, "director_service_epoch", service="chat") == 1
        resolved = {"service": "chat", "region": "eu-west1", "outcome": "ok"}
        assert one(series, "director_resolve_requests_total", **resolved) == 3
        assert one(series, "director_resolve_duration_seconds_count") == 3
        # What only the leader knows is absent elsewhere.
        follower = await scraped(fleet, "d1")
        assert one(follower, "director_is_leader") == 0
        assert ("director_voters_active", ()) not in follower

    in_a_fleet(story)


def test_every_service_and_region_has_at_most_one_series_per_fixed_word() -> None:
    async def story(fleet: Fleet) -> None:
        allowed = {
            "service": {"chat", "embed", ""},
            "region": {"eu-west1", "eu-north1", "us-east1", ""},
            "from": {"eu-west1", "eu-north1", "us-east1"},
            "to": {"eu-west1", "eu-north1", "us-east1"},
            "state": {"up", "degraded", "down", "unknown", "drained"},
            "verdict": {"up", "degraded", "down", "unknown"},
            "kind": {"failover", "switchover", "failback"},
            "outcome": {"ok", "fail_open", "settled", "aborted", "saved", "failed"},
        }
        for name, labels in await scraped(fleet):
            for label, value in labels:
                if label not in ("le", "version"):
                    assert value in allowed[label], (name, label, value)

    in_a_fleet(story)


def test_a_load_balancer_finds_the_one_active_region_at_every_replica() -> None:
    async def story(fleet: Fleet) -> None:
        for running in fleet.running.values():

            async def status(region: str, address: str = running.http_listen) -> int:
                return (await get(address, f"/active?service=chat&region={region}"))[0]

            async def is_there(ask: Callable[[str], Awaitable[int]] = status) -> bool:
                return await ask("eu-west1") == 200

            await eventually(is_there)
            assert await status("eu-north1") == 503
            assert (await get(running.http_listen, "/livez"))[0] == 200
            assert (await get(running.http_listen, "/readyz"))[0] == 200

    in_a_fleet(story)


def test_a_replica_without_a_quorum_is_ready_and_calls_nothing_active() -> None:
    async def story(fleet: Fleet) -> None:
        address = fleet.running["d0"].http_listen
        fleet.group.isolate("d0")

        async def is_unsure() -> bool:
            status, _, text = await get(address, "/active?service=chat&region=eu-west1")
            return status == 503 and b"STALENESS_BOUND_EXCEEDED" in text

        await eventually(is_unsure)
        # It answers resolves from its table, labelled with their age, and so it is ready.
        assert (await get(address, "/readyz"))[0] == 200

    in_a_fleet(story)


def test_a_port_that_is_taken_is_named_and_nothing_is_left_running() -> None:
    async def story(fleet: Fleet) -> None:
        taken = fleet.running["d0"].http_listen
        settings = Settings(
            "d9", "test", fleet.directory / "d9", "127.0.0.1:0", "127.0.0.1:2", http_listen=taken
        )
        with pytest.raises(SettingsError, match=f"--http: cannot listen at {taken}"):
            await start(settings)
        with pytest.raises(SettingsError, match=r"--http: 0\.0\.0\.0:9 is not loopback"):
            await start(replace(settings, http_listen="0.0.0.0:9"))
        with pytest.raises(SettingsError, match="give each a port of its own"):
            await start(replace(settings, listen="127.0.0.1:9", http_listen="127.0.0.1:9"))

    in_a_fleet(story)
