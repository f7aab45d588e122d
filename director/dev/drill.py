"""A drill: lose the region that owns a service, watch the failover, bring the region back.

Guards come first and refuse rather than harm (C8). Everything is seen from outside: the API, the
sample service's HTTP, and the write logs.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from director.client.errors import ClientError
from director.client.resolver import Question
from director.dev.control import ControlError, Faults, Loss
from director.dev.directors import Directors
from director.dev.drill_verdict import (
    SWITCHOVER,
    Check,
    Measured,
    Outcome,
    Plan,
    Proof,
    Resolve,
    Restored,
    Service,
    checks,
    guards,
    outcome,
    refused,
    seconds,
)
from director.dev.intervals import intervals, lost_writes, read_acknowledged, violations
from director.dev.supervisor import How
from director.dev.traffic import Traffic, post_json
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as pb

# Where the addresses are is what DB-IP City Lite says (https://db-ip.com, CC BY 4.0), edition of
# June 2026. They are ordinary addresses picked by place; nobody in particular is behind them.
CLIENTS = (
    ("88.167.254.55", "Paris"),
    ("131.205.48.254", "Stockholm"),
    ("66.111.78.159", "Savannah"),
    ("140.217.73.181", "Denver"),
    ("45.231.25.98", "Sao Paulo"),
    ("196.213.122.203", "Johannesburg"),
    ("144.16.172.79", "New Delhi"),
    ("180.10.61.38", "Tokyo"),
    ("202.44.190.78", "Sydney"),
)

NOTHING_TO_LOSE = "no processes of this fleet are within reach"

_POLL_SECONDS = 0.1
_GUARD_SECONDS = 10.0
# Detection, the lease and both deadlines of a run fit twice.
_MOVE_SECONDS = 45.0
_CLIENTS_SECONDS = 10.0
# A process start, an election and the five seconds of good evidence that end DOWN.
_RESTORE_SECONDS = 30.0
_REFUSALS_WANTED = 10
_HEARD_AGE_MS = 2_000
_GUARDS_PER_LINE = 3
# What fits on a line beside the service itself.
_OTHER_SERVICES_MAX = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """What to do. ``region_id`` "" means the present owner; ``how`` is a How or "switchover".

    ``is_reduced``: nothing that could be lost is within reach, so a planned move takes its place.
    """

    service_id: str
    region_id: str = ""
    how: str = str(How.KILL)
    expected_rto_ms: int | None = None
    is_reduced: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended. ``measured`` is None when it was refused before anything happened."""

    outcome: Outcome
    lines: tuple[Check, ...]
    measured: Measured | None = None


@dataclass(slots=True)
class _Progress:
    """What has been told of a run so far."""

    run: pb.Failover = field(default_factory=pb.Failover)
    told: int = 0


class Drill:
    """One drill of one service.

    Args:
        directors: The fleet.
        traffic: Clients of the service, running.
        faults: What can lose a region; None allows only a switchover.
        settings: What to do.
        say: Told each line of progress.
    """

    def __init__(
        self,
        directors: Directors,
        traffic: Traffic,
        faults: Faults | None,
        settings: Settings,
        say: Callable[[str], None],
    ) -> None:
        self._directors = directors
        self._traffic = traffic
        self._faults = faults
        self._settings = settings
        self._say = say
        self._fault_at_ms = 0

    async def run(self) -> Result:
        """Carry it out. Whatever happens, a region that was lost is restored.

        Raises:
            DirectorsError: No director answers.
            ControlError: The fleet that should lose a region is gone.
        """
        plan, service, found = await self._guarded()
        if refused(found):
            return self._ended(Result(Outcome.REFUSED, tuple(refused(found))))
        await self._clients_settled(plan)
        before = await self._resolves()
        failures_before = len(self._traffic.seen.resolve_failures)
        resolved_before = self._traffic.seen.resolved_count
        known = {run.failover_id for run in await self._directors.failovers(plan.service_id)}
        async with self._injected(plan):
            run = await self._followed(plan, known)
            await self._clients_moved(run)
            after = await self._resolves()
            self._compare(before, after)
        restored = await self._back(plan) if plan.how != SWITCHOVER else None
        seen = self._traffic.seen
        measured = Measured(
            **self._measured(plan, service, run),
            resolve_failures=tuple(seen.resolve_failures)[failures_before:],
            resolved_count=seen.resolved_count - resolved_before,
            after=tuple(after),
            restored=restored,
            proof=self._proof(plan, run),
        )
        lines = tuple(checks(measured))
        return self._ended(Result(outcome(lines, measured.stage), lines, measured))

    def _ended(self, result: Result) -> Result:
        for line in result.lines:
            self._say(f"  {'ok' if line.passed else 'NO':<3} {line.name:<11} {line.detail}")
        self._say(str(result.outcome))
        return result

    # -- before --------------------------------------------------------------------------------

    async def _guarded(self) -> tuple[Plan, Service, list[Check]]:
        """Look until all guards hold, for a moment: a lag may not have been measured yet."""
        give_up_at_ms = boot_ms() + int(_GUARD_SECONDS * 1_000)
        while True:
            status = await self._directors.status()
            everyone = (await self._directors.statuses()).values()
            service = _service(status, self._settings.service_id)
            service = replace(service, blind=_blind(everyone, self._settings.service_id))
            region_id = self._settings.region_id or service.owner
            plan = Plan(
                self._settings.service_id, region_id, self._settings.how, self._voters(region_id)
            )
            found = guards(plan, service)
            if not refused(found) or boot_ms() >= give_up_at_ms:
                break
            await asyncio.sleep(_POLL_SECONDS)
        reduced = f"switchover only: {NOTHING_TO_LOSE}; " if self._settings.is_reduced else ""
        self._say(f"Drill {plan.service_id}   {reduced}{_purpose(plan)}")
        for number in range(0, len(found), _GUARDS_PER_LINE):
            row = " · ".join(each.detail for each in found[number : number + _GUARDS_PER_LINE])
            self._say(f"  {'' if number else 'guards':<9} {row}")
        return plan, service, found

    def _voters(self, region_id: str) -> int:
        if self._faults is None or self._settings.how in (SWITCHOVER, str(How.AGENT)):
            return 0
        return len(self._faults.layout.replicas_by_region.get(region_id, ()))

    async def _clients_settled(self, plan: Plan) -> None:
        """Wait until the clients do what they will be measured at, or for long enough."""
        traffic = self._traffic
        for _ in range(int(_CLIENTS_SECONDS / _POLL_SECONDS)):
            wrote = traffic.first_accepted_in(plan.region_id, after_ms=0)
            is_written = wrote is not None or not traffic.is_writing
            if is_written and len(traffic.moved_to(plan.region_id)) == traffic.watcher_count:
                return
            await asyncio.sleep(_POLL_SECONDS)

    # -- the fault -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _injected(self, plan: Plan) -> AsyncIterator[None]:
        if plan.how == SWITCHOVER:
            self._fault_at_ms = boot_ms()
            await self._directors.start_switchover(plan.service_id, "", "drill")
            yield
            return
        assert self._faults is not None, "callers offer only a switchover without faults"
        try:
            loss = await self._faults.lose(plan.region_id, How(plan.how))
            self._fault_at_ms = loss.at_ms
            self._tell("inject", _injury(plan, loss))
            yield
        finally:
            # Also when Ctrl-C ended the drill: the fleet was lent, not given.
            self._say(f"  restoring {plan.region_id}")
            with contextlib.suppress(ControlError):
                await asyncio.shield(self._faults.restore(plan.region_id))

    def _tell(self, phase: str, text: str, spent_ms: int | None = None) -> None:
        since_ms = boot_ms() - self._fault_at_ms
        spent = "" if spent_ms is None else seconds(spent_ms)
        self._say(f"  {since_ms / 1_000:04.1f}s  {phase:<9} {text:<58} {spent:>6}".rstrip())

    async def _followed(self, plan: Plan, known: set[str]) -> pb.Failover:
        """Tell each phase of the run as it ends; return the run as it was last seen."""
        progress: dict[str, _Progress] = {}
        newest = pb.Failover()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MOVE_SECONDS):
                async for run in self._directors.watch(plan.service_id, known):
                    newest = run
                    self._progress(progress.setdefault(run.failover_id, _Progress()), run)
                    # An automatic run that aborts is tried again; one asked for is not.
                    if run.stage == "settled" or (run.stage == "aborted" and not run.automatic):
                        break
        return newest

    def _progress(self, progress: _Progress, run: pb.Failover) -> None:
        for phase in run.ledger[progress.told :]:
            self._tell(phase.phase, _phase_text(run, phase.phase), phase.spent_ms)
        progress.told = max(progress.told, len(run.ledger))
        if run.stage == "aborted" and progress.run.stage != "aborted":
            self._tell("aborted", f"{run.failover_id}: {run.cause}")
        progress.run = run

    async def _clients_moved(self, run: pb.Failover) -> None:
        """Wait until every client follows the new route, or for long enough."""
        if run.stage != "settled":
            return
        traffic, target = self._traffic, run.target_region_id
        give_up_at_ms = boot_ms() + int(_CLIENTS_SECONDS * 1_000)
        while boot_ms() < give_up_at_ms:
            wrote = traffic.first_accepted_in(target, after_ms=self._fault_at_ms)
            is_written = wrote is not None or not traffic.is_writing
            if is_written and len(traffic.moved_to(target)) == traffic.watcher_count:
                break
            await asyncio.sleep(_POLL_SECONDS)
        wrote = traffic.first_accepted_in(target, after_ms=self._fault_at_ms)
        if wrote is not None:
            after = seconds(wrote.at_ms - self._fault_at_ms)
            self._tell("served", f"first write accepted in {target} at {after}")

    # -- clients -------------------------------------------------------------------------------

    async def _resolves(self) -> list[Resolve]:
        """Ask for each client of the list where it is sent, for the service and some others."""
        status = await self._directors.status()
        mine = self._settings.service_id
        others = [each.service_id for each in status.services if each.service_id != mine]
        services = [mine, *others[:_OTHER_SERVICES_MAX]]
        wanted = [(ip, place, service) for ip, place in CLIENTS for service in services]
        return list(await asyncio.gather(*(self._resolve(*each) for each in wanted)))

    async def _resolve(self, address: str, place: str, service_id: str) -> Resolve:
        try:
            resolved = await self._traffic.resolve(Question(service_id, address=address))
        except ClientError as error:
            return Resolve(address, place, service_id, str(getattr(error, "reason", error)))
        return Resolve(address, place, service_id, str(resolved.answer.region_id))

    def _compare(self, before: list[Resolve], after: list[Resolve]) -> None:
        """Say where each client went before and after, one line per client."""
        services = list(dict.fromkeys(each.service_id for each in before))
        now = {(each.client, each.service_id): each.answer for each in after}
        self._say(f"  {'client':<16} {'place':<13} " + " ".join(f"{name:<24}" for name in services))
        for number in range(0, len(before), len(services)):
            row = before[number : number + len(services)]
            cells = [_move(each.answer, now[each.client, each.service_id]) for each in row]
            text = " ".join(f"{cell:<24}" for cell in cells)
            self._say(f"  {row[0].client:<16} {row[0].place:<13} {text}".rstrip())

    # -- after ---------------------------------------------------------------------------------

    async def _back(self, plan: Plan) -> Restored:
        """Wait until the region is whole again, and see that it does not write."""
        assert self._faults is not None, "only a fault is followed by a return"
        started_at_ms = boot_ms()
        statuses: list[int] = []
        while True:
            restored = await self._looked(plan, tuple(statuses))
            is_whole = restored.heard and restored.verdict == "UP" and restored.agree
            is_tried = len(statuses) >= _REFUSALS_WANTED
            if is_whole and is_tried and restored.voters_alive == restored.voter_count:
                break
            if boot_ms() - started_at_ms > _RESTORE_SECONDS * 1_000:
                break
            with contextlib.suppress(OSError, EOFError, ValueError, TimeoutError):
                async with asyncio.timeout(1.0):
                    chat = self._faults.layout.chat_by_region[plan.region_id]
                    statuses.append((await post_json(chat, "/write", {"value": "drill"}))[0])
            await asyncio.sleep(_POLL_SECONDS)
        took = seconds(boot_ms() - started_at_ms)
        self._say(f"  {plan.region_id} is {restored.verdict or 'unheard'} again after {took}")
        return restored

    async def _looked(self, plan: Plan, write_statuses: tuple[int, ...]) -> Restored:
        status = await self._directors.status()
        everyone = await self._directors.statuses()
        states = {None if each is None else each.state_digest for each in everyone.values()}
        region = next((each for each in status.regions if each.region_id == plan.region_id), None)
        site = next(
            (
                site
                for service in status.services
                if service.service_id == plan.service_id
                for site in service.sites
                if site.region_id == plan.region_id
            ),
            pb.SiteStatus(),
        )
        return Restored(
            heard=region is not None
            and region.HasField("heard_age_ms")
            and region.heard_age_ms < _HEARD_AGE_MS,
            verdict=site.verdict,
            is_gate_open=site.gate_open,
            write_statuses=write_statuses,
            voters_alive=status.voters_alive,
            voter_count=status.voter_count,
            agree=len(states) == 1 and None not in states,
        )

    def _proof(self, plan: Plan, run: pb.Failover) -> Proof | None:
        """Read the write logs, when they are on this machine."""
        if self._faults is None or not run.target_region_id:
            return None
        layout = self._faults.layout
        found = intervals(read_acknowledged(layout.journals))
        later = [each for each in found if each.epoch > run.source_epoch]
        old = layout.data_dir / plan.region_id / "chat.jsonl"
        new = layout.data_dir / run.target_region_id / "chat.jsonl"
        lost_count, lost_span_ms = 0, 0
        if later and old.exists() and new.exists():
            loss = lost_writes(old, new, below=(later[0].generation, later[0].epoch))
            lost_count, lost_span_ms = loss.count, loss.span_ms
        return Proof(
            sum(each.count for each in found),
            len(found),
            tuple(violations(found)),
            lost_count,
            lost_span_ms,
        )

    def _measured(self, plan: Plan, service: Service, run: pb.Failover) -> dict[str, Any]:
        traffic, fault_at_ms = self._traffic, self._fault_at_ms
        target = run.target_region_id
        wrote = traffic.first_accepted_in(target, after_ms=fault_at_ms) if target else None
        moved = traffic.moved_to(target).values() if target else ()
        return {
            "plan": plan,
            "run_id": run.failover_id,
            "stage": run.stage,
            "cause": run.cause,
            "target": target,
            "rto_ms": run.rto_ms,
            "expected_rto_ms": self._settings.expected_rto_ms,
            "rpo_ms": service.rpo_ms,
            "loss_bound_ms": run.loss_bound_ms if run.HasField("loss_bound_ms") else None,
            "director_rto_ms": run.measured_rto_ms if run.HasField("measured_rto_ms") else None,
            "is_writing": traffic.is_writing,
            "first_write_ms": None if wrote is None else wrote.at_ms - fault_at_ms,
            "watchers_moved_ms": tuple(sorted(each - fault_at_ms for each in moved)),
            "watcher_count": traffic.watcher_count,
        }


def _service(status: pb.GetStatusResponse, service_id: str) -> Service:
    running = tuple(each.active_run_id for each in status.services if each.active_run_id)
    service = next((each for each in status.services if each.service_id == service_id), None)
    if service is None:
        service = pb.ServiceStatus(mode="unknown to this fleet")
    gates = {site.region_id: site.gate_open for site in service.sites}
    return Service(
        mode=service.mode,
        owner=service.owner_region_id,
        is_gate_open=gates.get(service.owner_region_id, False),
        automation=service.automation,
        automation_note=service.automation_note,
        rpo_ms=service.rpo_ms if service.HasField("rpo_ms") else None,
        running=running,
        loss_bounds_ms={
            site.region_id: site.loss_bound_ms if site.HasField("loss_bound_ms") else None
            for site in service.sites
        },
        ineligible={
            site.region_id: site.ineligibility for site in service.sites if site.ineligibility
        },
        voters_alive=status.voters_alive,
        voter_count=status.voter_count,
    )


def _blind(everyone: Iterable[pb.GetStatusResponse | None], service_id: str) -> tuple[str, ...]:
    """Name the directors that answer and see no region that may take the service over."""
    blind = []
    for status in everyone:
        if status is None:
            continue
        service = _service(status, service_id)
        able = [
            region_id
            for region_id, bound_ms in service.loss_bounds_ms.items()
            if region_id not in ("", service.owner)
            and region_id not in service.ineligible
            and (bound_ms is not None or service.rpo_ms is None)
        ]
        if not able:
            blind.append(status.replica_id)
    return tuple(blind)


def _purpose(plan: Plan) -> str:
    match plan.how:
        case "kill":
            return f"lose {plan.region_id} (SIGKILL)"
        case "stop":
            return f"lose {plan.region_id} (SIGSTOP)"
        case "agent":
            return f"lose the agent of {plan.region_id} (SIGKILL)"
        case _:
            return f"switch over from {plan.region_id}"


def _injury(plan: Plan, loss: Loss) -> str:
    verb = "frozen" if plan.how == How.STOP else "killed"
    return f"{plan.region_id}: {', '.join(loss.processes)} {verb}"


def _phase_text(run: pb.Failover, phase: str) -> str:
    match phase:
        case "detect":
            against = [each for each in run.evidence if each.finding in ("fail", "silent")]
            said = [f"{each.vantage} {each.finding}" for each in against]
            return ", ".join(said) or f"{len(run.evidence)} vantage points"
        case "decide":
            return f"{run.failover_id} to {run.target_region_id}"
        case "fence":
            return f"{run.source_region_id} can no longer write"
        case "promote":
            return f"{run.target_region_id} accepts writes"
        case "publish":
            return "new routes are with all watchers"
        case _:
            return f"{run.target_region_id} passes its own probe"


def _move(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"
