"""`director check` against replicas that run: a fleet that is well, and one that lost a replica."""

import asyncio

import pytest
from click.testing import Result

from tests.cli.running import run
from tests.shells.fleet import Fleet, ScriptedAgent, a_fleet, eventually

pytestmark = pytest.mark.slow


async def checked(fleet: Fleet, *flags: str) -> Result:
    """Run the command beside the fleet, which goes on meanwhile."""
    endpoints = [word for each in fleet.addresses.values() for word in ("--endpoint", each)]
    return await asyncio.to_thread(run, "check", *flags, *endpoints)


def lines_of(result: Result, level: str) -> list[str]:
    return [each for each in result.stdout.splitlines() if each.startswith(level)]


def test_a_fleet_that_is_well_passes_and_one_that_lost_a_replica_does_not() -> None:
    async def story() -> None:
        async with a_fleet() as fleet:
            await fleet.apply()
            agents = [
                ScriptedAgent(fleet, "eu-west1"),
                ScriptedAgent(fleet, "eu-north1"),
                ScriptedAgent(fleet, "us-east1", ["embed"]),
            ]
            for agent in agents:
                agent.start()
            try:
                await eventually(lambda: agents[0].token is not None)
                well = await checked(fleet, "--pre", "--dr", "--audit", "--wait", "10s")
                assert well.exit_code == 0, well.output
                said = "\n".join(lines_of(well, "OK"))
                assert "d0, d1, d2 answer" in said
                assert "d0, d1, d2 hold the same state" in said
                assert "chat moves to eu-north1" in said
                assert "records 1 to" in said

                fleet.group.crash("d2")
                await fleet.running["d2"].server.stop(grace_ms=0)
                lost = await checked(fleet, "--pre")
                assert lost.exit_code == 1
                failed = lines_of(lost, "FAIL")
                assert any("d2 does not answer" in each for each in failed), failed
                assert any("2 of 3 voters in touch" in each for each in failed), failed
                assert any("no replica may be restarted" in each for each in failed), failed
            finally:
                for agent in agents:
                    await agent.kill()

    asyncio.run(story())
