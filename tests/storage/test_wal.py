"""The log as its user sees it: what is appended and synced is read back, also after a restart."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from director.raft.messages import Entry, EntryKind, HardState
from director.raft.storage import LogCompactedError, MemoryLog
from director.runtime.files import OsFiles
from director.storage.errors import WrongDirectoryError
from director.storage.records import LogOwner
from director.storage.segments import segment_numbers
from director.storage.wal import ENTRY_PAYLOAD_BYTES_MAX, Wal, WalOptions
from tests.storage.builders import (
    D0,
    D1,
    FOUNDING,
    FOUNDING_MARK,
    LOG,
    OWNER,
    ROOMY,
    SMALL,
    a_mark,
    a_wal,
    an_entry,
    reopened,
    some_entries,
    view,
)
from tests.storage.faulty_files import FaultyFiles

if TYPE_CHECKING:
    from pathlib import Path

    from director.raft.storage import RaftLogReader


def test_a_new_log_is_empty_behind_its_founding_membership() -> None:
    wal = a_wal(FaultyFiles())

    assert wal.snapshot_mark() == FOUNDING_MARK
    assert wal.hard_state() == HardState()
    assert (wal.first_index(), wal.last_index(), wal.term_at(0)) == (1, 0, 0)
    assert wal.entries(1, 1, 100) == ()


def test_a_log_reads_the_same_after_it_is_reopened() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    for first in range(1, 60, 3):
        wal.append_batch(
            HardState(term=2, vote=D1, commit=first - 1), some_entries(first, first + 2)
        )
        wal.sync()
    wal.append_batch(
        None, [Entry(61, 2, EntryKind.EMPTY, b""), Entry(62, 2, EntryKind.CONFIG, b"x")]
    )
    wal.close()
    files.power_off_clean()

    again = reopened(files, SMALL)

    assert view(again) == view_of(
        HardState(term=2, vote=D1, commit=57),
        [
            *some_entries(1, 60),
            Entry(61, 2, EntryKind.EMPTY, b""),
            Entry(62, 2, EntryKind.CONFIG, b"x"),
        ],
    )
    assert again.cut == (0, 0)
    assert len(segment_numbers(files, LOG)) > 3


def view_of(hard_state: HardState, entries: list[Entry]) -> tuple[object, ...]:
    return (hard_state, FOUNDING_MARK, entries[-1].index, tuple(entries))


def test_what_was_synced_survives_a_power_failure_without_a_close() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(HardState(term=1, vote=D0), some_entries(1, 5))
    wal.sync()
    wal.append_batch(None, some_entries(6, 9))
    files.power_off_clean()

    assert view(reopened(files)).entries == tuple(some_entries(1, 5))


def test_a_killed_process_loses_nothing_it_wrote_and_has_it_durable_before_answering() -> None:
    files = FaultyFiles()
    a_wal(files).append_batch(HardState(term=1, vote=D0), some_entries(1, 5))
    files.kill()

    again = reopened(files)
    # The restarted process has answered from it by now; then the power fails.
    files.power_off_clean()

    assert again.last_index() == 5
    assert view(reopened(files)).entries == tuple(some_entries(1, 5))


def test_an_overriding_entry_replaces_the_suffix_also_after_a_restart() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    wal.append_batch(HardState(term=1), some_entries(1, 30))
    wal.sync()
    wal.append_batch(HardState(term=2), some_entries(11, 12, term=2))
    wal.sync()
    expected = (*some_entries(1, 10), *some_entries(11, 12, term=2))

    assert view(wal).entries == expected
    assert wal.term_at(13) is None
    wal.close()
    assert view(reopened(files, SMALL)).entries == expected


def test_old_entries_are_read_back_from_disk_when_memory_is_bounded() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    for index in range(1, 200):
        wal.append_batch(None, [an_entry(index)])
        wal.sync()

    assert wal._index.recent_bytes <= SMALL.recent_bytes_max
    assert wal.entries(1, 200, 1 << 30) == tuple(some_entries(1, 199))
    assert wal.entries(150, 200, 1) == (an_entry(150),)
    assert wal.entries(199, 200, 1) == (an_entry(199),)
    # 42 counted bytes each: payload and overhead.
    assert wal.entries(3, 200, 90) == tuple(some_entries(3, 4))


def test_compaction_removes_whole_segments_and_keeps_what_is_needed() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    for index in range(1, 100):
        wal.append_batch(HardState(term=1, vote=D0, commit=index), [an_entry(index)])
        wal.sync()
    before = segment_numbers(files, LOG)
    wal.record_snapshot(a_mark(80))
    wal.compact_to(70)
    wal.sync()

    assert (wal.first_index(), wal.last_index(), wal.term_at(70)) == (71, 99, 1)
    with pytest.raises(LogCompactedError):
        wal.entries(70, 72, 1000)
    after = segment_numbers(files, LOG)
    assert after == before[-len(after) :]
    assert 1 < len(after) < len(before) / 2
    files.power_off_clean()
    again = reopened(files, SMALL)
    assert again.snapshot_mark() == a_mark(80)
    assert again.hard_state() == HardState(term=1, vote=D0, commit=99)
    assert 2 <= again.first_index() <= 71
    assert view(again)[2:] == (99, tuple(some_entries(again.first_index(), 99)))
    assert view(again, first=71).entries == tuple(some_entries(71, 99))
    assert again.term_at(again.first_index() - 1) == 1


def test_compaction_of_everything_leaves_an_empty_log_behind_the_snapshot() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    for index in range(1, 50):
        wal.append_batch(None, [an_entry(index)])
        wal.sync()
    wal.record_snapshot(a_mark(49))
    wal.compact_to(49)
    wal.sync()
    wal.close()

    again = reopened(files, SMALL)

    assert (again.snapshot_mark(), again.last_index()) == (a_mark(49), 49)
    assert len(segment_numbers(files, LOG)) <= 2
    again.append_batch(None, [an_entry(50)])
    assert again.last_index() == 50


def test_nothing_is_compacted_that_no_snapshot_covers() -> None:
    wal = a_wal(FaultyFiles())
    wal.append_batch(None, some_entries(1, 9))

    with pytest.raises(ValueError, match="no snapshot covers entry 5"):
        wal.compact_to(5)


def test_a_received_snapshot_replaces_a_log_that_disagrees() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(HardState(term=1), some_entries(1, 9))
    wal.install_snapshot(a_mark(20, term=3))
    wal.append_batch(HardState(term=3, commit=20), [an_entry(21, 3)])
    wal.close()

    again = reopened(files)

    assert (again.first_index(), again.last_index(), again.term_at(20)) == (21, 21, 3)
    assert again.hard_state() == HardState(term=3, commit=20)


def test_a_received_snapshot_keeps_the_entries_behind_it_that_agree() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(HardState(term=1), some_entries(1, 9))
    wal.install_snapshot(a_mark(5))

    assert (wal.first_index(), wal.last_index()) == (6, 9)
    assert wal.hard_state().commit == 5
    wal.close()
    assert view(reopened(files), first=6).entries == tuple(some_entries(6, 9))


def test_a_snapshot_that_is_torn_off_its_hard_state_leaves_no_term_below_the_log() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(HardState(term=1, vote=D0), some_entries(1, 2))
    wal.install_snapshot(a_mark(20, term=7))
    files.kill()

    assert reopened(files).hard_state() == HardState(term=7, vote=None, commit=20)
    assert reopened(files).hard_state() == HardState(term=7, vote=None, commit=20)


def test_a_snapshot_mark_must_name_an_entry_the_log_holds() -> None:
    wal = a_wal(FaultyFiles())
    wal.append_batch(None, some_entries(1, 9))

    with pytest.raises(ValueError, match="no entry 5 of term 2"):
        wal.record_snapshot(a_mark(5, term=2))
    wal.record_snapshot(a_mark(5))
    with pytest.raises(ValueError, match="older than 5"):
        wal.install_snapshot(a_mark(4))


def test_entries_that_leave_a_gap_are_refused_and_nothing_is_written() -> None:
    wal = a_wal(FaultyFiles())
    wal.append_batch(None, some_entries(1, 3))

    with pytest.raises(ValueError, match="does not extend"):
        wal.append_batch(None, [an_entry(5)])
    with pytest.raises(ValueError, match="where 5 belongs"):
        wal.append_batch(None, [an_entry(4), an_entry(6)])
    with pytest.raises(ValueError, match="is the most"):
        wal.append_batch(None, [an_entry(4, payload=bytes(ENTRY_PAYLOAD_BYTES_MAX + 1))])
    assert wal.last_index() == 3


def test_the_largest_entry_gets_a_segment_large_enough() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    largest = an_entry(1, payload=b"\x01" * ENTRY_PAYLOAD_BYTES_MAX)
    wal.append_batch(None, [largest])
    wal.close()

    assert view(reopened(files, SMALL)).entries == (largest,)


def test_a_second_vote_in_one_term_stops_the_replica() -> None:
    wal = a_wal(FaultyFiles())
    wal.append_batch(HardState(term=4, vote=D0), [])

    with pytest.raises(AssertionError, match="one vote"):
        wal.append_batch(HardState(term=4, vote=D1), [])
    with pytest.raises(AssertionError, match="never go back"):
        wal.append_batch(HardState(term=3), [])


def test_replacing_a_committed_entry_stops_the_replica() -> None:
    wal = a_wal(FaultyFiles())
    wal.append_batch(HardState(term=1, commit=2), some_entries(1, 3))

    with pytest.raises(AssertionError, match="committed"):
        wal.append_batch(None, [an_entry(2, 2)])


def test_another_replicas_log_is_not_opened() -> None:
    files = FaultyFiles()
    a_wal(files).close()

    for other in (
        LogOwner("another", D0, OWNER.incarnation),
        LogOwner("fleet", D1, OWNER.incarnation),
        LogOwner("fleet", D0, "another"),
    ):
        with pytest.raises(WrongDirectoryError, match="belongs to replica d0"):
            Wal.open(files, LOG, other, options=ROOMY)


def test_a_batch_that_outruns_the_sync_of_the_last_segment_grows_the_current_one() -> None:
    # Two unsynced segments may be lost in either order, which would look like a gap.
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    for index in range(1, 200):
        wal.append_batch(None, [an_entry(index)])

    assert len(segment_numbers(files, LOG)) == 2
    wal.close()
    assert view(reopened(files, SMALL)).entries == tuple(some_entries(1, 199))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_it_behaves_like_the_log_in_memory(seed: int) -> None:
    rng = random.Random(seed)
    files = FaultyFiles()
    wal, memory = a_wal(files, SMALL), MemoryLog(FOUNDING)
    term = 1
    for _ in range(40):
        term += rng.random() < 0.2
        low = max(memory.first_index(), memory.hard_state().commit + 1)
        match rng.choice(
            ["append", "append", "override", "record", "install", "compact", "reopen"]
        ):
            case "append" | "override" as how:
                last = memory.last_index()
                first = rng.randint(low, last + 1) if how == "override" else last + 1
                batch = some_entries(first, first + rng.randint(0, 4), term)
                commit = rng.randint(memory.hard_state().commit, batch[-1].index)
                wal.append_batch(HardState(term=term, commit=commit), batch)
                memory.append(batch)
                memory.set_hard_state(HardState(term=term, commit=commit))
                wal.sync()
            case "record":
                index = rng.randint(memory.snapshot_mark().index, memory.hard_state().commit)
                mark = a_mark(index, memory.term_at(index) or 0)
                wal.record_snapshot(mark)
                memory.record_snapshot(mark)
            case "install":
                index = memory.hard_state().commit + rng.randint(1, 5)
                mark = a_mark(index, term)
                memory.install_snapshot(mark)
                memory.set_hard_state(HardState(term=term, commit=index))
                wal.install_snapshot(mark)
                wal.append_batch(HardState(term=term, commit=index), [])
            case "compact":
                index = rng.randint(0, memory.snapshot_mark().index)
                wal.compact_to(index)
                memory.compact_to(index)
                wal.sync()
            case _:
                wal.close()
                wal = reopened(files, SMALL)
                wal.compact_to(memory.first_index() - 1)
        same(wal, memory)


def same(left: RaftLogReader, right: RaftLogReader) -> None:
    def said(log: RaftLogReader) -> tuple[object, ...]:
        first, last = log.first_index(), log.last_index()
        return (
            log.hard_state(),
            log.snapshot_mark(),
            first,
            last,
            [log.term_at(index) for index in range(first - 1, last + 2)],
            log.entries(first, last + 1, 1 << 30),
            log.entries(first, last + 1, 200),
        )

    assert said(left) == said(right)


def test_appending_and_syncing_from_two_threads_on_a_real_disk(tmp_path: Path) -> None:
    options = WalOptions(segment_bytes=16 << 10, recent_bytes_max=4 << 10)
    wal = a_wal(OsFiles(), options, tmp_path)
    stop = threading.Event()
    failures: list[BaseException] = []

    def keep_syncing() -> None:
        try:
            while not stop.is_set():
                wal.sync()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=keep_syncing)
    thread.start()
    for first in range(1, 3000, 3):
        wal.append_batch(HardState(term=1, commit=first - 1), some_entries(first, first + 2))
        if first % 300 == 1 and first > 300:
            wal.record_snapshot(a_mark(first - 200))
            wal.compact_to(first - 250)
        assert wal.entries(wal.first_index(), wal.first_index() + 1, 10) != ()
    stop.set()
    thread.join()
    expected = view(wal)
    wal.close()

    assert failures == []
    again = reopened(OsFiles(), options, tmp_path)
    assert view(again, first=expected.entries[0].index) == expected
    again.close()
