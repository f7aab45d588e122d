"""Runs any probe within its deadline. Whatever goes wrong is a failed probe, never an error."""

import asyncio

from regions.core.readings import ProbeKind, ProbeTarget
from regions.probes.execp import probe_exec
from regions.probes.grpc import probe_grpc
from regions.probes.http import probe_http
from regions.probes.outcome import ProbeOutcome
from regions.probes.tcp import probe_tcp


async def run_probe(target: ProbeTarget) -> ProbeOutcome:
    """Probe once and say what came of it, after at most ``target.timeout_ms``."""
    try:
        async with asyncio.timeout(target.timeout_ms / 1_000):
            return await _probe(target)
    except TimeoutError:
        return ProbeOutcome(passed=False, detail=f"no answer in {target.timeout_ms} ms")
    except (OSError, ValueError) as error:
        return ProbeOutcome(passed=False, detail=str(error) or type(error).__name__)


async def _probe(target: ProbeTarget) -> ProbeOutcome:
    match target.probe.kind:
        case ProbeKind.HTTP:
            return await probe_http(target.address, target.probe.path)
        case ProbeKind.TCP:
            return await probe_tcp(target.address)
        case ProbeKind.GRPC:
            return await probe_grpc(target.address, target.probe.path, timeout_ms=target.timeout_ms)
        case ProbeKind.EXEC:
            return await probe_exec(target.probe.command)
