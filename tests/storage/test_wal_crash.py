"""Crash after crash on a disk that loses and tears: what was synced is always there again."""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from director.raft.messages import Entry, HardState, SnapshotMark
from director.storage.errors import StorageFailedError
from director.storage.wal import WalOptions
from tests.storage.builders import (
    D0,
    D1,
    FOUNDING_MARK,
    a_mark,
    a_wal,
    an_entry,
    reopened,
    view,
)
from tests.storage.faulty_files import CrashedError, FaultyFiles

if TYPE_CHECKING:
    from pathlib import Path

    from director.storage.wal import Wal

NO_HARD_STATE = HardState()
OPTIONS = WalOptions(segment_bytes=2048, recent_bytes_max=1024)


@dataclass(frozen=True)
class Model:
    """What the log says after some whole number of records."""

    hard_state: HardState = NO_HARD_STATE
    mark: SnapshotMark = FOUNDING_MARK
    entries: tuple[Entry, ...] = ()

    @property
    def last_index(self) -> int:
        return self.entries[-1].index if self.entries else self.mark.index

    def with_entry(self, entry: Entry) -> Model:
        kept = tuple(old for old in self.entries if old.index < entry.index)
        return replace(self, entries=(*kept, entry))

    def with_mark(self, mark: SnapshotMark, *, resets: bool) -> Model:
        return replace(self, mark=mark, entries=() if resets else self.entries)

    def recovered(self) -> Model:
        """Apply the two repairs that recovery documents, and forget what the mark covers."""
        state = self.hard_state
        last_term = self.entries[-1].term if self.entries else self.mark.term
        commit = max(min(state.commit, self.last_index), self.mark.index)
        state = replace(state, commit=commit)
        if last_term > state.term:
            state = HardState(term=last_term, vote=None, commit=commit)
        behind = tuple(entry for entry in self.entries if entry.index > self.mark.index)
        return Model(state, self.mark, behind)


class History:
    """The states a crash may leave: the last synced one, or any after a later record."""

    def __init__(self) -> None:
        self.possible = [Model()]

    @property
    def newest(self) -> Model:
        return self.possible[-1]

    def add(self, model: Model) -> None:
        self.possible.append(model)

    def synced(self) -> None:
        del self.possible[:-1]


class Life:
    """One log, driven at random through crashes."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.files = FaultyFiles()
        self.history = History()
        self.wal: Wal = a_wal(self.files, OPTIONS)
        self.crashes = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.trap()
            try:
                self.step()
            except (CrashedError, StorageFailedError) as error:
                self.restart(power_fails=isinstance(error, CrashedError) or self.rng.random() < 0.5)
        self.files.before_call = lambda _operation, _path: None
        self.restart(power_fails=True)

    def trap(self) -> None:
        """Let one of the next calls crash or fail, now and then."""
        left = self.rng.randint(1, 40)
        fails = self.rng.random() < 0.3

        def before_call(operation: str, _path: Path) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                if not fails:
                    raise CrashedError
                if operation in ("datasync", "write_at", "sync_directory"):
                    raise OSError(errno.EIO, "Input/output error")

        self.files.before_call = before_call

    def step(self) -> None:
        match self.rng.choice(["batch"] * 5 + ["sync"] * 3 + ["mark", "install", "compact"]):
            case "batch":
                self.batch()
            case "sync":
                self.wal.sync()
                self.history.synced()
            case "mark":
                newest = self.history.newest
                if newest.hard_state.commit > newest.mark.index:
                    index = newest.hard_state.commit
                    term = self.wal.term_at(index)
                    assert term is not None
                    mark = a_mark(index, term)
                    self.history.add(newest.with_mark(mark, resets=False))
                    self.wal.record_snapshot(mark)
            case "install":
                self.install()
            case _:
                self.wal.compact_to(self.history.newest.mark.index)

    def batch(self) -> None:
        newest = self.history.newest.recovered()
        term = newest.hard_state.term + (self.rng.random() < 0.3)
        low = newest.hard_state.commit + 1
        first = self.rng.randint(max(low, newest.last_index - 2), newest.last_index + 1)
        entries = [
            an_entry(first + at, term, self.rng.randbytes(self.rng.randint(0, 200)))
            for at in range(self.rng.randint(0, 5))
        ]
        last = entries[-1].index if entries else newest.last_index
        vote = newest.hard_state.vote
        if term > newest.hard_state.term or vote is None:
            vote = self.rng.choice([None, D0, D1])
        state = HardState(term, vote, self.rng.randint(newest.hard_state.commit, last))
        model = replace(self.history.newest, hard_state=state)
        self.history.add(model)
        for entry in entries:
            model = model.with_entry(entry)
            self.history.add(model)
        self.wal.append_batch(state, entries)

    def install(self) -> None:
        newest = self.history.newest.recovered()
        term = newest.hard_state.term + 1
        mark = a_mark(newest.last_index + self.rng.randint(1, 3), term)
        model = self.history.newest.with_mark(mark, resets=True)
        self.history.add(model)
        self.wal.install_snapshot(mark)
        state = HardState(term, None, mark.index)
        self.history.add(replace(model, hard_state=state))
        self.wal.append_batch(state, [])

    def restart(self, *, power_fails: bool) -> None:
        self.crashes += 1
        while True:
            if power_fails:
                self.files.crash(self.rng)
            else:
                self.files.kill()
            try:
                self.wal = reopened(self.files, OPTIONS)
            except (CrashedError, StorageFailedError, OSError):
                power_fails = True
                self.trap()
                continue
            break
        self.check()

    def check(self) -> None:
        """The log says what it did after some record since the last sync, and nothing else."""
        found = view(self.wal, first=self.wal.snapshot_mark().index + 1)
        model = Model(found.hard_state, found.mark, found.entries)
        assert model in [possible.recovered() for possible in self.history.possible]
        assert self.wal.first_index() <= found.mark.index + 1
        for index in range(self.wal.first_index(), found.mark.index + 1):
            assert self.wal.entries(index, index + 1, 1)[0].index == index
        # An opened log is durable, so there is only one state left.
        self.history.possible = [model]


@settings(deadline=None, max_examples=300)
@given(seed=st.integers(0, 2**64))
def test_synced_entries_and_votes_survive_any_number_of_crashes(seed: int) -> None:
    life = Life(seed)

    life.run(steps=40)

    assert life.crashes >= 1


@pytest.mark.slow
def test_a_long_life_of_crashes_loses_nothing_that_was_synced() -> None:
    life = Life(20240)

    life.run(steps=3_000)

    assert life.crashes > 100
