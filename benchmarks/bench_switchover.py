"""Planned switchovers on real processes: how long writes stop, and whether any is lost.

One fleet, one service, continuous writes. It is moved to a standby and back again; for each move
the gap is taken from the write logs: from the last acknowledgement in the old region to the first
in the new one. Every write that was acknowledged before a move must be in the new region's log.

Exits 1 when a bar is missed: gap p99 <= 1 s, no lost write, no overlap of owners, no failed move.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from director.dev.control import layout_of
from director.dev.directors import Directors
from director.dev.intervals import Interval, intervals, lost_writes, read_acknowledged, violations
from director.dev.launch import CHAT, launch
from director.dev.plan import WATCHER_COUNT, free_port_base, plan_fleet
from director.dev.supervisor import Fleet
from director.dev.traffic import Traffic
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as pb

PORT_BASE = 24_000
GAP_P99_MS = 1_000
READY_SECONDS = 20.0
MOVE_SECONDS = 30.0
POLL_SECONDS = 0.05
# Between moves: long enough that a gap is never that of two moves.
REST_SECONDS = 1.0
_SHARES = ((0.5, "p50"), (0.99, "p99"))


@dataclass(frozen=True, slots=True)
class Move:
    """One switchover.

    Attributes:
        gap_ms: Last acknowledgement in the old region to the first in the new one.
        asked_ms: Request to that first acknowledgement.
        watchers_ms: Request to the last watcher told.
        phases: The director's own ledger.
    """

    number: int
    source: str
    target: str
    gap_ms: int
    asked_ms: int
    watchers_ms: int
    lost_count: int
    phases: dict[str, int]


class MoveError(Exception):
    """A move did not reach its end; the message says where it stood."""


async def main(arguments: argparse.Namespace) -> int:
    rng = random.Random(arguments.seed)
    fleet = Fleet(plan_fleet(free_port_base(PORT_BASE)))
    moves: list[Move] = []
    failed: list[str] = []
    try:
        async with Directors(fleet.plan.api_addresses) as directors:
            owner = (await launch(fleet, directors)).owner
            async with Traffic(fleet.plan.api_addresses, CHAT, WATCHER_COUNT) as traffic:
                for number in range(arguments.moves):
                    target = await standby(directors, traffic, owner)
                    # Moves come at no particular point of anybody's interval.
                    await asyncio.sleep(REST_SECONDS + rng.random())
                    try:
                        moves.append(await move(fleet, directors, traffic, (number, owner, target)))
                    except MoveError as error:
                        failed.append(f"move {number}: {error}")
                        print(failed[-1], flush=True)
                        owner = await owner_of(directors)
                        continue
                    print(progress_line(moves[-1]), flush=True)
                    owner = target
                refused = tuple(traffic.seen.resolve_failures)
        found = intervals(read_acknowledged(layout_of(fleet).journals))
    finally:
        await fleet.stop()
    lines, missed = report(moves, found, [*failed, *map(str, refused)])
    print("\n".join(lines))
    if arguments.out is not None:
        rows = [asdict(each) for each in moves]
        arguments.out.write_text(
            json.dumps({"seed": arguments.seed, "moves": rows, "missed": missed})
        )
    return 1 if missed else 0


async def owner_of(directors: Directors) -> str:
    return next(
        each.owner_region_id
        for each in (await directors.status()).services
        if each.service_id == CHAT
    )


async def standby(directors: Directors, traffic: Traffic, owner: str) -> str:
    """Wait until writes flow in ``owner`` and return the best region that could take them."""
    async with deadline(READY_SECONDS, "an eligible standby, and watchers that follow the owner"):
        while True:
            is_followed = len(traffic.moved_to(owner)) == traffic.watcher_count
            service = next(
                each for each in (await directors.status()).services if each.service_id == CHAT
            )
            ready = [site for site in service.sites if is_ready(site, owner)]
            if is_followed and ready and not service.active_run_id:
                return min(ready, key=lambda site: site.priority).region_id
            await asyncio.sleep(POLL_SECONDS)


def is_ready(site: pb.SiteStatus, owner: str) -> bool:
    return site.region_id != owner and not site.ineligibility and site.HasField("loss_bound_ms")


async def move(
    fleet: Fleet, directors: Directors, traffic: Traffic, what: tuple[int, str, str]
) -> Move:
    """Move the service and wait until it is whole in its new region."""
    number, source, target = what
    known = {each.failover_id for each in await directors.failovers(CHAT)}
    asked_at_ms = boot_ms()
    await directors.start_switchover(CHAT, target, f"benchmark move {number}")
    run = None
    async with deadline(MOVE_SECONDS, "the move to end"):
        async for run in directors.watch(CHAT, known):
            if run.stage in ("settled", "aborted"):
                break
    if run is None or run.stage != "settled":
        raise MoveError("the watch ended" if run is None else f"{run.stage}: {run.cause}")
    layout = layout_of(fleet)
    async with deadline(MOVE_SECONDS, f"a write in {target} and all watchers"):
        while True:
            found = intervals(read_acknowledged(layout.journals))
            later = [each for each in found if each.epoch > run.source_epoch]
            if later and len(traffic.moved_to(target)) == traffic.watcher_count:
                break
            await asyncio.sleep(POLL_SECONDS)
    before = max((each for each in found if each.epoch <= run.source_epoch), key=_last)
    first = min(later, key=lambda each: each.first_ms)
    loss = lost_writes(
        layout.data_dir / source / "chat.jsonl",
        layout.data_dir / target / "chat.jsonl",
        below=(first.generation, first.epoch),
    )
    return Move(
        number,
        source,
        target,
        gap_ms=first.first_ms - before.last_ms,
        asked_ms=first.first_ms - asked_at_ms,
        watchers_ms=max(traffic.moved_to(target).values()) - asked_at_ms,
        lost_count=loss.count,
        phases={each.phase: each.spent_ms for each in run.ledger},
    )


def _last(interval: Interval) -> int:
    return interval.last_ms


@contextlib.asynccontextmanager
async def deadline(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise MoveError(f"waited {seconds:.0f} s for {what}") from None


def progress_line(made: Move) -> str:
    phases = "  ".join(f"{name} {ms}" for name, ms in made.phases.items() if ms)
    return (
        f"move {made.number:>2}  {made.source:<10} -> {made.target:<10}  gap {made.gap_ms:>5}  "
        f"asked {made.asked_ms:>5}  watchers {made.watchers_ms:>5}  lost {made.lost_count}  "
        f"({phases})"
    )


def quantile(values: list[int], share: float) -> int:
    """Nearest-rank quantile: the smallest value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]


def _spent_in(phase: str, made: Move) -> int:
    return made.phases.get(phase, 0)


def report(
    moves: list[Move], found: list[Interval], failed: list[str]
) -> tuple[list[str], list[str]]:
    """Return the table in markdown and the bars that were missed."""
    if not moves:
        return [], [*failed, "no move reached its end"]
    columns: list[tuple[str, Callable[[Move], int]]] = [
        ("write gap", lambda each: each.gap_ms),
        ("request to first write", lambda each: each.asked_ms),
        ("request to last watcher", lambda each: each.watchers_ms),
    ]
    names = sorted({name for each in moves for name in each.phases})
    columns += [(f"phase {name}", partial(_spent_in, name)) for name in names]
    lines = ["", "| figure | moves | p50 ms | p99 ms | max ms |", "|---|---|---|---|---|"]
    for name, pick in columns:
        values = [pick(each) for each in moves]
        shown = " | ".join(str(quantile(values, share)) for share, _ in _SHARES)
        lines.append(f"| {name} | {len(values)} | {shown} | {max(values)} |")
    lost = sum(each.lost_count for each in moves)
    missed = [*failed, *violations(found)]
    gap = quantile([each.gap_ms for each in moves], 0.99)
    if gap > GAP_P99_MS:
        missed.append(f"write gap p99 {gap} ms > {GAP_P99_MS} ms")
    if lost:
        missed.append(f"{lost} acknowledged writes were lost")
    writes = sum(each.count for each in found)
    lines += ["", f"{writes} acknowledged writes checked over {len(moves)} moves, {lost} lost"]
    lines += [f"MISSED: {each}" for each in missed] or ["all bars met"]
    return lines, missed


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--moves", type=int, default=50, help="how many moves (default 50)")
    parser.add_argument("--seed", type=int, default=1, help="places the moves in time (default 1)")
    parser.add_argument("--out", type=Path, help="write every figure here as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse())))
