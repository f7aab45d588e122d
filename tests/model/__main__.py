"""Plays many seeds on several processors: `python -m tests.model --help`."""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.model.play import TRANSACTIONS_PER_SEED, Played, play

_SAY_EVERY_SECONDS = 10.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--transactions", type=int, default=1_000_000, help="how many in all")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--first-seed", type=int, default=1, help="where to begin, or to go on")
    return parser.parse_args()


def main() -> int:
    """Play until all transactions are done or one breaks a rule; 1 when one did."""
    arguments = _arguments()
    whole, rest = divmod(arguments.transactions, TRANSACTIONS_PER_SEED)
    lengths = [TRANSACTIONS_PER_SEED] * whole + ([rest] if rest else [])
    seeds = range(arguments.first_seed, arguments.first_seed + len(lengths))
    began = said = time.monotonic()  # noqa: TID251 - a shell around the model
    done = carried = 0
    with ProcessPoolExecutor(arguments.workers) as pool:
        for played in pool.map(play, seeds, lengths, chunksize=4):
            done, carried = done + played.transactions, carried + played.carried
            if played.broken:
                _tell(f"BROKEN by seed {played.seed}: {played.broken}")
                pool.shutdown(wait=False, cancel_futures=True)
                return 1
            now = time.monotonic()  # noqa: TID251 - a shell around the model
            if now - said >= _SAY_EVERY_SECONDS:
                said = now
                _say(played, done, carried, now - began)
    _tell(
        f"{done} transactions, {carried} carried out, {len(lengths)} seeds from "
        f"{arguments.first_seed}: R1, R2 and R3 held"
    )
    return 0


def _say(played: Played, done: int, carried: int, seconds: float) -> None:
    rate = round(done / seconds)
    _tell(
        f"{done} transactions ({carried} carried out), {rate} a second; "
        f"go on with --first-seed {played.seed + 1}"
    )


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
