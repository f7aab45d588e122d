"""1 000 agents at one heartbeat per second on one replica that leads: CPU share.

Agents are spread over 50 regions and guard the services of theirs. The first report of each
carries its readings, the others only that it is there, as real agents do. With ``--lag`` every
report says how far a copy lags, and gives back the pulse that answered the one before. The client
runs in this process and is not counted.

Bar: less than half a core, everything the replica does besides included.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_resolve
import grpc.aio
import serving

from director.client.channel import open_channel
from trafficdirector.agent.v1 import agent_pb2 as pb

CHANNELS = 20
SERVICES = 20


async def agent(channel: grpc.aio.Channel, number: int, period_s: float, *, says_lag: bool) -> None:
    """One agent: hello, readings, then a beat every period; directives are read and dropped."""
    call = channel.stream_stream(
        "/trafficdirector.agent.v1.AgentService/Report",
        request_serializer=pb.ReportRequest.SerializeToString,
        response_deserializer=pb.ReportResponse.FromString,
    )()

    echo = pb.PulseEcho()

    async def read() -> None:
        async for response in call:
            if response.HasField("pulse"):
                echo.sent_at = response.pulse.sent_at

    reading = asyncio.create_task(read())
    try:
        await asyncio.sleep(period_s * (number % 997) / 997)
        services = [f"service-{n:03}" for n in range(SERVICES)]
        await call.write(
            pb.ReportRequest(
                hello=pb.Hello(
                    region_id=f"r{number % bench_resolve.REGIONS:02}",
                    agent_id=f"agent-{number}",
                    boot_id=f"boot-{number}",
                    service_ids=services,
                )
            )
        )
        readings = pb.Readings(
            services=[pb.ServiceReading(service_id=each, passing=True) for each in services]
        )
        if says_lag:
            readings.services[0].lag_ms = 70
        await call.write(pb.ReportRequest(report=pb.Report(counter=1, readings=readings)))
        for counter in range(2, 1 << 30):
            await asyncio.sleep(period_s)
            report = pb.Report(counter=counter)
            if says_lag:
                report.readings.CopyFrom(readings)
                report.echo.CopyFrom(echo)
            await call.write(pb.ReportRequest(report=report))
    finally:
        reading.cancel()


async def measure(count: int, seconds: float, *, says_lag: bool) -> float:
    """Measure, print and return the share of a core."""
    port = serving.free_port()
    director = serving.spawn(bench_resolve.__file__, "--serve", "director", "--port", str(port))
    try:
        await bench_resolve.apply_documents(
            port, bench_resolve.documents(SERVICES, bench_resolve.REGIONS)
        )
        await asyncio.sleep(2)
        at_rest = await share(director, 4)
        channels = [open_channel(f"127.0.0.1:{port}") for _ in range(CHANNELS)]
        agents = [
            asyncio.create_task(agent(channels[n % CHANNELS], n, 1.0, says_lag=says_lag))
            for n in range(count)
        ]
        await asyncio.sleep(8)  # past the start: all have reported and have been judged
        with_agents = await share(director, seconds)
        failed = [each for each in agents if each.done()]
        for each in agents:
            each.cancel()
        await asyncio.gather(*agents, return_exceptions=True)
        for channel in channels:
            await channel.close()
    finally:
        serving.stop(director)
    print(f"at rest            {at_rest * 100:.1f} % of a core")
    print(f"{count} agents        {with_agents * 100:.1f} % of a core (bar 50 %)")
    per_beat = (with_agents - at_rest) / count * 1e6
    print(f"per heartbeat      {per_beat:.0f} us")
    if failed:
        print(f"{len(failed)} agents lost their stream: {failed[0].exception()!r}")
        return 1.0
    return with_agents


async def share(process: serving.Popen[bytes], seconds: float) -> float:
    """Share of a core used over the next ``seconds``."""
    before_s, began_s = serving.cpu_s(process), serving.now_s()
    await asyncio.sleep(seconds)
    return (serving.cpu_s(process) - before_s) / (serving.now_s() - began_s)


def main() -> int:
    parser = serving.role_parser(__doc__)
    parser.add_argument("--agents", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--lag", action="store_true", help="every report carries a lag sample")
    options = parser.parse_args()
    share_of_core = asyncio.run(measure(options.agents, options.seconds, says_lag=options.lag))
    return 0 if share_of_core < 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
