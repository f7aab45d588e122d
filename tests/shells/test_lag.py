"""A standby's lag on its way to the leader: known only together with how long it was on its way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from director.client.channel import open_channel
from tests.shells.fleet import Fleet, ScriptedAgent, a_fleet, eventually
from trafficdirector.admin.v1 import admin_pb2
from trafficdirector.agent.v1 import agent_pb2

pytestmark = pytest.mark.slow
STANDBY = "eu-north1"


class Standby:
    """One stream of a standby's agent, which says what a test tells it to."""

    counter = 0  # rises over all streams

    def __init__(self, call: Any) -> None:
        self._call = call
        self.pulses: list[int] = []
        self._gates: dict[str, agent_pb2.GateReading] = {}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for response in self._call:
            match response.WhichOneof("body"):
                case "pulse":
                    self.pulses.append(response.pulse.sent_at)
                case "group":
                    group = response.group
                    self._gates[group.group_id] = agent_pb2.GateReading(
                        group_id=group.group_id,
                        token=group.token,
                        home_region_id=group.home_region_id,
                    )
                case _:
                    pass  # the rest does not matter here

    async def report(self, *, lag_ms: int | None = 70, echo: int | None = None) -> None:
        Standby.counter += 1
        service = agent_pb2.ServiceReading(service_id="chat", passing=True)
        if lag_ms is not None:
            service.lag_ms = lag_ms
        readings = agent_pb2.Readings(services=[service], gates=self._gates.values())
        report = agent_pb2.Report(counter=Standby.counter, readings=readings)
        if echo is not None:
            report.echo.sent_at = echo
        count = len(self.pulses)
        await self._call.write(agent_pb2.ReportRequest(report=report))
        if lag_ms is not None:
            # Every report that says a lag is answered by a pulse, once it was taken in.
            await eventually(lambda: len(self.pulses) > count)

    async def close(self) -> None:
        self._reading.cancel()
        self._call.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


async def connect(channel: Any) -> Standby:
    call = channel.stream_stream(
        "/trafficdirector.agent.v1.AgentService/Report",
        request_serializer=agent_pb2.ReportRequest.SerializeToString,
        response_deserializer=agent_pb2.ReportResponse.FromString,
    )()
    await call.write(
        agent_pb2.ReportRequest(
            hello=agent_pb2.Hello(
                region_id=STANDBY, agent_id="a", boot_id="b1", service_ids=["chat"]
            )
        )
    )
    standby = Standby(call)
    await eventually(lambda: standby.pulses)
    return standby


async def standby_site(fleet: Fleet) -> admin_pb2.SiteStatus:
    """What the leader tells of the standby."""
    chat = next(each for each in (await fleet.status()).services if each.service_id == "chat")
    return next(each for each in chat.sites if each.region_id == STANDBY)


def run(story: Callable[[Fleet, Any], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with a_fleet(size=1) as fleet:
            await fleet.apply()
            home = ScriptedAgent(fleet, "eu-west1")
            home.start()
            try:
                await eventually(lambda: home.token is not None)
                async with open_channel(fleet.addresses["d0"]) as channel:
                    await story(fleet, channel)
            finally:
                await home.kill()

    asyncio.run(whole())


def test_the_lag_is_unknown_until_a_pulse_came_back_with_it() -> None:
    async def story(fleet: Fleet, channel: Any) -> None:
        standby = await connect(channel)
        await standby.report()
        before = await standby_site(fleet)
        await standby.report(echo=standby.pulses[-1])
        after = await standby_site(fleet)
        await standby.close()

        assert not before.HasField("lag_ms")
        assert not before.HasField("loss_bound_ms")
        assert after.lag_ms == 70

    run(story)


def test_a_report_without_a_lag_is_answered_by_no_pulse() -> None:
    async def story(_fleet: Fleet, channel: Any) -> None:
        standby = await connect(channel)
        for _ in range(5):
            await standby.report(lag_ms=None)
        await standby.report()
        await standby.close()

        assert len(standby.pulses) == 2, "one that greets, and one for the lag"

    run(story)


def test_a_pulse_of_an_earlier_stream_or_of_no_stream_says_nothing() -> None:
    async def story(fleet: Fleet, channel: Any) -> None:
        former = await connect(channel)
        await former.close()
        await asyncio.sleep(0.005)
        standby = await connect(channel)
        for echo in (former.pulses[-1], 0, standby.pulses[-1] + 3_600_000):
            await standby.report(echo=echo)
            assert not (await standby_site(fleet)).HasField("lag_ms"), echo
        await standby.report(echo=standby.pulses[-1])
        site = await standby_site(fleet)
        await standby.close()

        assert site.lag_ms == 70

    run(story)


def test_time_on_the_way_counts_as_possible_loss() -> None:
    async def story(fleet: Fleet, channel: Any) -> None:
        standby = await connect(channel)
        stale = standby.pulses[-1]
        await asyncio.sleep(0.4)
        # For all that the director knows, this report was on its way for 400 ms.
        await standby.report(echo=stale)
        slow = await standby_site(fleet)

        async def is_small() -> bool:
            await standby.report(echo=standby.pulses[-1])
            return (await standby_site(fleet)).loss_bound_ms < 400

        await eventually(is_small)
        await standby.close()

        assert slow.loss_bound_ms >= 470

    run(story)
