"""The shell around the core: feeds it inputs and time, and carries out its effects in order."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, assert_never

from director.routing.table import ServiceId
from director.runtime.clock import boot_ms
from director.runtime.logs import get_logger
from regions.actuators.gate import Gates
from regions.api.vitals import Counts
from regions.app.disk import Disk
from regions.core.agent import Agent
from regions.core.effects import (
    Effect,
    KeepTokens,
    MeasureLag,
    MeasureLoad,
    Note,
    ProveWrite,
    SendLease,
    SendReport,
    SetGate,
    StartProbe,
)
from regions.core.inputs import (
    Disconnected,
    Input,
    LagMeasured,
    LoadMeasured,
    ProbeFinished,
    Ticked,
)
from regions.core.readings import ProbeTarget
from regions.probes.lag import LagSpec, measure_lag
from regions.probes.load import measure_load
from regions.probes.run import run_probe
from regions.transport.director_stream import DirectorStreams

# The loop's clock stops in a suspend, boot time does not: look at it at least this often.
SLEEP_MS_MAX = 1_000
PROBE_TASK_FAILED = "a probe task failed"
_WARNINGS = frozenset({"gate_closed", "accusations_withheld", "lease_refused"})


class Shell:
    """Runs one ``Agent`` in an event loop.

    Attributes:
        loads: How to ask the services that say how much they take. Set before the first input.
    """

    def __init__(
        self, agent: Agent, gates: Gates, lags: Mapping[ServiceId, LagSpec], counts: Counts
    ) -> None:
        self._agent = agent
        self._gates = gates
        self._lags = lags
        self._counts = counts
        self.loads: Mapping[ServiceId, LagSpec] = {}
        self._streams: DirectorStreams | None = None
        self._disk: Disk | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: dict[object, str] = {}
        self._log = get_logger()

    def attach(self, streams: DirectorStreams, disk: Disk) -> None:
        """Name what carries out the effects that leave this process."""
        self._streams = streams
        self._disk = disk

    def receive(self, given: Input) -> None:
        """Feed one input to the core and do what it asks for.

        Nothing here waits: between reading the clock and setting the gates no answer of a gate
        can be given.
        """
        if isinstance(given, Disconnected):
            self._counts.disconnected(given.director_id)
        effects = self._agent.receive(given, now_ms=boot_ms())
        for effect in effects:
            self._carry_out(effect)
        self._arm()

    async def stop(self) -> None:
        """Stop the timer and what runs."""
        if self._timer is not None:
            self._timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _carry_out(self, effect: Effect) -> None:
        assert self._streams is not None, "attach before the first input"
        assert self._disk is not None, "attach before the first input"
        match effect:
            case SetGate():
                self._gates.put(effect)
            case SendReport():
                if self._streams.send(effect):
                    self._counts.reported(effect.director_id, now_ms=boot_ms())
            case SendLease():
                self._streams.send(effect)
            case KeepTokens():
                self._disk.keep(effect)
            case ProveWrite():
                self._disk.prove()
            case StartProbe(target):
                self._spawn(self._probe(target))
            case MeasureLag() | MeasureLoad():
                self._spawn(self._measure(effect))
            case Note():
                self._say(effect)
            case _:
                assert_never(effect)

    def _say(self, note: Note) -> None:
        level = self._log.warning if note.event in _WARNINGS else self._log.info
        level(note.event, **dict(note.values))

    async def _probe(self, target: ProbeTarget) -> None:
        started_at_ms = boot_ms()
        outcome = await run_probe(target)
        self._counts.probed(
            target.service_id, target.region_id, passed=outcome.passed, rtt_us=outcome.rtt_us
        )
        if not outcome.passed:
            # Once for each way to fail: a probe runs twice a second.
            is_news = self._failures.get(target.key) != outcome.detail
            self._failures[target.key] = outcome.detail
            level = self._log.warning if is_news else self._log.debug
            level(
                "probe_failed",
                service_id=target.service_id,
                region_id=target.region_id,
                address=target.address,
                detail=outcome.detail,
            )
        self.receive(ProbeFinished(target.key, outcome.passed, started_at_ms, outcome.rtt_us))

    async def _measure(self, effect: MeasureLag | MeasureLoad) -> None:
        started_at_ms, service_id = boot_ms(), effect.service_id
        if isinstance(effect, MeasureLag):
            lag_ms = await measure_lag(self._lags[service_id])
            self.receive(LagMeasured(service_id, lag_ms, started_at_ms))
        else:
            load_rps = await measure_load(self.loads[service_id])
            self.receive(LoadMeasured(service_id, load_rps, started_at_ms))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A mistake of ours: the probe would never be due again, and its silence would pass
            # for health. Stop instead; the gate closes with the process.
            asyncio.get_running_loop().call_exception_handler(
                {"message": PROBE_TASK_FAILED, "exception": task.exception(), "task": task}
            )

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wake_at_ms = self._agent.wake_at_ms()
        if wake_at_ms is None:
            return
        delay_ms = min(SLEEP_MS_MAX, max(0, wake_at_ms - boot_ms()))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay_ms / 1_000, self.receive, Ticked())
