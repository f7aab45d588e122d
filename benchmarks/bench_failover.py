"""Failover on real processes: from the fault to the first write in the new region.

Each trial starts a fleet of its own, loses the region that owns chat, and measures from the fault
until the first accepted write in the new region (from the write logs) and until the last watcher
was told. The fault mix: a third of the trials lose the leader of the directors with the region,
half freeze processes instead of killing them, every sixth takes the region's agent alone.

Exits 1 when a bar is missed: detection p99 <= 3 s, recovery p50 <= 6 s and p99 <= 10 s, and no
overlap of accepted writes in any write log.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from director.dev.control import layout_of
from director.dev.directors import Directors
from director.dev.intervals import Interval, intervals, lost_writes, read_acknowledged, violations
from director.dev.launch import CHAT, launch
from director.dev.plan import WATCHER_COUNT, free_port_base, plan_fleet
from director.dev.supervisor import Fleet, FleetError, How
from director.dev.traffic import Traffic, post_json
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as pb

PORT_BASE = 20_000
DETECTION_P99_MS = 3_000
RECOVERY_P50_MS = 6_000
RECOVERY_P99_MS = 10_000
STEADY_SECONDS = 20.0
TRIAL_SECONDS = 40.0
LATE_WRITE_COUNT = 10
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault. ``hits_leader`` is None where no replica is lost."""

    number: int
    how: How
    hits_leader: bool | None

    @property
    def name(self) -> str:
        """Class of the trial."""
        return f"{self.how} with the leader" if self.hits_leader else str(self.how)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one trial measured; milliseconds from the fault.

    Attributes:
        verdict_ms: Until a watcher was first told that the region is not UP.
        started_ms: Until the failover was seen to have begun.
        write_ms: Until the first write was accepted in the new region, by its write log.
        watchers_ms: Until the last watcher was told of the new owner.
        director_ms: The director's own account of the recovery time.
    """

    trial: int
    kind: str
    target: str
    verdict_ms: int
    started_ms: int
    write_ms: int
    watchers_ms: int
    director_ms: int
    lost_count: int
    lost_span_ms: int
    late_statuses: tuple[int, ...]
    acknowledged_count: int
    overlaps: tuple[str, ...]
    resolve_failures: tuple[str, ...]

    @property
    def detection_ms(self) -> int:
        """Until the directors were first seen to doubt the region."""
        return min(self.verdict_ms, self.started_ms)

    @property
    def recovery_ms(self) -> int:
        """Until writes were accepted again and every client knew where."""
        return max(self.write_ms, self.watchers_ms)


class TrialError(Exception):
    """A trial did not reach its end; the message says where it stood."""


def trials(count: int) -> list[Trial]:
    """Lay out the fault mix."""
    laid = []
    for number in range(count):
        if number % 6 == 5:
            laid.append(Trial(number, How.AGENT, None))
        else:
            how = How.STOP if number % 2 == 0 else How.KILL
            laid.append(Trial(number, how, number % 3 == 0))
    return laid


async def main(arguments: argparse.Namespace) -> int:
    rng = random.Random(arguments.seed)
    figures: list[Figures] = []
    failed: list[str] = []
    for trial in trials(arguments.trials):
        try:
            measured = await run_trial(trial, rng)
        except (TrialError, FleetError) as error:
            failed.append(f"trial {trial.number} ({trial.name}): {error}")
            print(failed[-1], flush=True)
            continue
        figures.append(measured)
        print(progress_line(measured), flush=True)
    lines, missed = report(figures, failed)
    print("\n".join(lines))
    if arguments.out is not None:
        rows = [asdict(each) for each in figures]
        arguments.out.write_text(
            json.dumps({"seed": arguments.seed, "trials": rows, "failed": failed, "missed": missed})
        )
    return 1 if missed else 0


async def run_trial(trial: Trial, rng: random.Random) -> Figures:
    """Start a fleet, lose the owner's region, measure, stop the fleet."""
    fleet = Fleet(plan_fleet(free_port_base(PORT_BASE)))
    try:
        async with Directors(fleet.plan.api_addresses) as directors:
            launched = await launch(fleet, directors)
            await place_leader(fleet, directors, launched.owner, trial)
            async with Traffic(fleet.plan.api_addresses, CHAT, WATCHER_COUNT) as traffic:
                await steady(directors, traffic, launched.owner)
                # Faults come at no particular point of anybody's interval.
                await asyncio.sleep(rng.random())
                return await measure(trial, fleet, directors, traffic, launched.owner)
    finally:
        await fleet.stop()


async def place_leader(fleet: Fleet, directors: Directors, owner: str, trial: Trial) -> None:
    """Make the leader one that is lost with the owner's region, or one that is not."""
    if trial.hits_leader is None:
        return
    mine = layout_of(fleet).replicas_by_region[owner]
    others = [each.replica_id for each in fleet.plan.replicas if each.replica_id not in mine]
    wanted = mine if trial.hits_leader else tuple(others)
    async with deadline(STEADY_SECONDS, f"leadership to be with {' or '.join(wanted)}"):
        while True:
            leader = (await directors.cluster()).leader_id
            if leader in wanted:
                return
            await directors.transfer_leadership(wanted[0])
            await asyncio.sleep(0.5)


async def steady(directors: Directors, traffic: Traffic, owner: str) -> None:
    """Wait until writes flow, all watchers follow, and a standby could take over."""
    async with deadline(STEADY_SECONDS, "writes, watchers and an eligible standby"):
        while True:
            status = await directors.status()
            ready = [is_ready(each, owner) for each in (await directors.statuses()).values()]
            flows = len(traffic.seen.accepted) >= 20
            followed = len(traffic.moved_to(owner)) == traffic.watcher_count
            alive = status.voters_alive == status.voter_count
            if all(ready) and flows and followed and alive:
                return
            await asyncio.sleep(0.1)


def is_ready(status: pb.GetStatusResponse | None, owner: str) -> bool:
    """Whether a director knows of a region that could take chat over; any may have to lead."""
    return status is not None and any(
        site.region_id != owner and not site.ineligibility and site.HasField("loss_bound_ms")
        for service in status.services
        if service.service_id == CHAT
        for site in service.sites
    )


async def measure(
    trial: Trial, fleet: Fleet, directors: Directors, traffic: Traffic, owner: str
) -> Figures:
    """Inject the fault and wait for the service to be whole elsewhere."""
    known = {each.failover_id for each in await directors.failovers(CHAT)}
    failures_before = len(traffic.seen.resolve_failures)
    fault_at_ms, _ = fleet.lose(owner, trial.how)
    started_at_ms = 0
    async with deadline(TRIAL_SECONDS, "the failover to settle"):
        async for run in directors.watch(CHAT, known):
            started_at_ms = started_at_ms or boot_ms()
            if run.stage == "settled":
                break
        else:
            raise TrialError("the watch ended")
    target = run.target_region_id
    layout = layout_of(fleet)
    new_log = layout.data_dir / target / "chat.jsonl"
    async with deadline(TRIAL_SECONDS, f"a write in {target} and all watchers"):
        while True:
            followed = len(traffic.moved_to(target)) == traffic.watcher_count
            if followed and later(layout.journals, run.source_epoch):
                break
            await asyncio.sleep(POLL_SECONDS)
    first = min(later(layout.journals, run.source_epoch), key=lambda each: each.first_ms)
    moved_ms = max(traffic.moved_to(target).values()) - fault_at_ms
    doubted_at_ms = traffic.first_doubt(owner, after_ms=fault_at_ms)
    fleet.restore(owner)
    late = await late_writes(layout.chat_by_region[owner])
    found = intervals(read_acknowledged(layout.journals))
    loss = lost_writes(
        layout.data_dir / owner / "chat.jsonl", new_log, below=(first.generation, first.epoch)
    )
    return Figures(
        trial=trial.number,
        kind=trial.name,
        target=target,
        verdict_ms=(doubted_at_ms or started_at_ms) - fault_at_ms,
        started_ms=started_at_ms - fault_at_ms,
        write_ms=first.first_ms - fault_at_ms,
        watchers_ms=moved_ms,
        director_ms=run.measured_rto_ms,
        lost_count=loss.count,
        lost_span_ms=loss.span_ms,
        late_statuses=late,
        acknowledged_count=sum(each.count for each in found),
        overlaps=tuple(violations(found)),
        resolve_failures=tuple(traffic.seen.resolve_failures)[failures_before:],
    )


def later(journals: Iterable[Path], source_epoch: int) -> list[Interval]:
    return [each for each in intervals(read_acknowledged(journals)) if each.epoch > source_epoch]


async def late_writes(chat: str) -> tuple[int, ...]:
    """Write to the old owner as it comes back; none of these may be accepted."""
    statuses: list[int] = []
    async with deadline(TRIAL_SECONDS, "the old region to answer"):
        while len(statuses) < LATE_WRITE_COUNT:
            with contextlib.suppress(OSError, EOFError, ValueError, TimeoutError):
                async with asyncio.timeout(1.0):
                    statuses.append((await post_json(chat, "/write", {"value": "late"}))[0])
            await asyncio.sleep(POLL_SECONDS)
    return tuple(statuses)


@contextlib.asynccontextmanager
async def deadline(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TrialError(f"waited {seconds:.0f} s for {what}") from None


def progress_line(measured: Figures) -> str:
    return (
        f"trial {measured.trial:>2}  {measured.kind:<22} detected {measured.detection_ms:>5}  "
        f"write {measured.write_ms:>5}  watchers {measured.watchers_ms:>5}  "
        f"lost {measured.lost_count} writes/{measured.lost_span_ms} ms  "
        f"late {sorted(set(measured.late_statuses))}  overlaps {len(measured.overlaps)}"
    )


def quantile(values: list[int], share: float) -> int:
    """Nearest-rank quantile: the smallest value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]


def report(figures: list[Figures], failed: list[str]) -> tuple[list[str], list[str]]:
    """Return the table in markdown and the bars that were missed."""
    lines = [
        "",
        "| class | trials | figure | p50 ms | p99 ms | max ms |",
        "|---|---|---|---|---|---|",
    ]
    columns: list[tuple[str, Callable[[Figures], int]]] = [
        ("detection", lambda each: each.detection_ms),
        ("first write", lambda each: each.write_ms),
        ("last watcher", lambda each: each.watchers_ms),
        ("recovery", lambda each: each.recovery_ms),
    ]
    for kind in ["all", *sorted({each.kind for each in figures})]:
        chosen = [each for each in figures if kind in ("all", each.kind)]
        for name, pick in columns if chosen else []:
            values = [pick(each) for each in chosen]
            lines.append(
                f"| {kind} | {len(chosen)} | {name} | {quantile(values, 0.5)} | "
                f"{quantile(values, 0.99)} | {max(values)} |"
            )
    missed = [*failed, *bars(figures)]
    writes = sum(each.acknowledged_count for each in figures)
    lines += ["", f"{writes} acknowledged writes checked in {len(figures)} trials"]
    lines += [f"MISSED: {each}" for each in missed] or ["all bars met"]
    return lines, missed


def bars(figures: list[Figures]) -> list[str]:
    if not figures:
        return ["no trial reached its end"]
    missed = []
    detection = quantile([each.detection_ms for each in figures], 0.99)
    recoveries = [each.recovery_ms for each in figures]
    for name, value, limit in (
        ("detection p99", detection, DETECTION_P99_MS),
        ("recovery p50", quantile(recoveries, 0.5), RECOVERY_P50_MS),
        ("recovery p99", quantile(recoveries, 0.99), RECOVERY_P99_MS),
    ):
        if value > limit:
            missed.append(f"{name} {value} ms > {limit} ms")
    for each in figures:
        missed += [f"trial {each.trial}: {fault}" for fault in each.overlaps]
        if 200 in each.late_statuses:
            missed.append(f"trial {each.trial}: the old region accepted a write after its return")
        if each.resolve_failures:
            missed.append(f"trial {each.trial}: resolve failed, {each.resolve_failures[0]}")
    return missed


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=30, help="how many fleets (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="places the faults in time (default 1)")
    parser.add_argument("--out", type=Path, help="write every figure here as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse())))
