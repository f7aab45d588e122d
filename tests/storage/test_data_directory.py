"""A data directory: first start, restart, crash in between, and being someone else's."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from director.raft.messages import HardState, Membership, ReplicaId
from director.runtime.directory_lock import DirectoryInUseError
from director.runtime.kept_file import CorruptFileError, KeptFile
from director.storage.data_directory import DataDirectory
from director.storage.errors import CorruptLogError, CorruptSnapshotError, WrongDirectoryError
from director.storage.wal import WalOptions
from tests.storage.builders import D0, FOUNDING, FOUNDING_MARK, a_mark, some_entries
from tests.storage.exhaustive.crashes import clone
from tests.storage.faulty_files import CrashedError, FaultyFiles

DATA = Path("/data")
OPTIONS = WalOptions(segment_bytes=2048)


def opened(files: FaultyFiles, replica_id: ReplicaId = D0) -> DataDirectory:
    return DataDirectory.open(
        DATA,
        fleet_id="fleet",
        replica_id=replica_id,
        founding=FOUNDING,
        files=files,
        options=OPTIONS,
    )


def with_entries(files: FaultyFiles) -> DataDirectory:
    data = opened(files)
    data.wal.append_batch(HardState(term=1, vote=D0, commit=9), some_entries(1, 9))
    data.wal.sync()
    return data


def test_a_first_start_founds_the_log_and_a_second_one_finds_it() -> None:
    files = FaultyFiles()
    first = with_entries(files)
    first.close()
    files.power_off_clean()

    second = DataDirectory.open(
        DATA,
        fleet_id="fleet",
        replica_id=D0,
        founding=Membership((D0,)),
        files=files,
        options=OPTIONS,
    )

    assert (first.is_new, second.is_new) == (True, False)
    assert second.incarnation == first.incarnation
    assert second.wal.last_index() == 9
    assert second.wal.snapshot_mark() == FOUNDING_MARK
    assert second.snapshot is None


def test_a_crash_at_any_step_of_the_first_start_leaves_a_directory_that_starts() -> None:
    step = 0
    finished = False
    while not finished:
        step += 1
        for seed in range(15):
            files = FaultyFiles()
            left = step

            def before_call(_operation: str, _path: Path) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise CrashedError

            files.before_call = before_call
            try:
                opened(files)
                finished = True
            except CrashedError:
                pass
            files.before_call = lambda _operation, _path: None
            files.crash(random.Random(seed))
            data = with_entries(files)
            assert data.is_new or finished or step > 10
            data.close()
            again = opened(files)
            assert (again.is_new, again.wal.last_index()) == (False, 9)
    assert step > 15


def test_a_log_that_disappeared_is_noticed() -> None:
    files = FaultyFiles()
    with_entries(files).close()
    for path in list(files.names_shown):
        if path.parent.name == "log":
            files.remove(path)

    with pytest.raises(CorruptLogError, match="holds no log"):
        opened(files)


def test_a_wiped_directory_is_a_new_incarnation() -> None:
    files = FaultyFiles()
    before = opened(files)
    wiped = FaultyFiles()

    after = opened(wiped)

    assert after.is_new
    assert after.incarnation != before.incarnation


def test_a_directory_serves_one_process() -> None:
    files = FaultyFiles()
    data = opened(files)

    with pytest.raises(DirectoryInUseError):
        opened(files)
    data.close()
    opened(files).close()


def test_a_directory_on_a_real_disk_serves_one_process_and_opens_again(tmp_path: Path) -> None:
    def open_it() -> DataDirectory:
        return DataDirectory.open(
            tmp_path / "d0", fleet_id="fleet", replica_id=D0, founding=FOUNDING, options=OPTIONS
        )

    data = open_it()
    data.wal.append_batch(None, some_entries(1, 3))
    with pytest.raises(DirectoryInUseError, match="in use by process"):
        open_it()
    data.close()
    again = open_it()
    assert (again.wal.last_index(), again.is_new) == (3, False)
    again.close()


def test_another_replicas_directory_is_refused_and_let_go_of() -> None:
    files = FaultyFiles()
    opened(files).close()

    with pytest.raises(WrongDirectoryError, match="belongs to replica d0 of fleet fleet"):
        opened(files, ReplicaId("d1"))
    opened(files).close()


def test_a_damaged_or_newer_identity_is_refused() -> None:
    files = FaultyFiles()
    opened(files).close()
    path = DATA / "identity"
    for bit in range(len(files.contents()[path]) * 8):
        flipped = files.copy()
        flipped.names_shown[path].shown[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptFileError):
            opened(flipped)
    KeptFile(path, files=files).write(json.dumps({"format": 2}).encode())
    with pytest.raises(CorruptFileError, match="format 2; this release reads 1"):
        opened(files)


def test_a_snapshot_saved_but_not_yet_noted_in_the_log_counts() -> None:
    files = FaultyFiles()
    with_entries(files).snapshots.save(a_mark(7), b"state at 7")
    files.power_off_clean()

    data = opened(files)

    assert data.snapshot == b"state at 7"
    assert data.wal.snapshot_mark() == a_mark(7)
    assert (data.wal.first_index(), data.wal.last_index()) == (8, 9)


def test_a_received_snapshot_saved_but_not_yet_noted_replaces_the_log() -> None:
    files = FaultyFiles()
    with_entries(files).snapshots.save(a_mark(50, term=4), b"state at 50")
    files.power_off_clean()

    data = opened(files)

    assert (data.wal.first_index(), data.wal.last_index()) == (51, 50)
    # No vote was given in term 4, or its hard state would have been there.
    assert data.wal.hard_state() == HardState(term=4, vote=None, commit=50)
    data.close()
    assert opened(files).wal.hard_state() == HardState(term=4, vote=None, commit=50)


def test_a_snapshot_the_log_begins_behind_must_be_there() -> None:
    files = FaultyFiles()
    data = with_entries(files)
    data.snapshots.save(a_mark(7), b"state at 7")
    data.wal.record_snapshot(a_mark(7))
    data.close()
    for path in list(files.names_shown):
        if path.parent.name == "snapshots":
            files.remove(path)

    with pytest.raises(CorruptSnapshotError, match="behind a snapshot at 7, which is missing"):
        opened(files)


def killed_before(operation: str, path: Path, files: FaultyFiles) -> FaultyFiles:
    """Return the files as a kill leaves them before the last such call of a first start."""
    stopped: list[FaultyFiles] = []

    def before_call(called: str, on: Path) -> None:
        if (called, on) == (operation, path):
            stopped.append(clone(files))

    files.before_call = before_call
    opened(files).close()
    stopped[-1].kill()
    return stopped[-1]


def test_a_log_is_not_founded_again_though_a_kill_came_before_the_note_of_it_was_durable() -> None:
    # The restart believes the note and goes on; a power failure must not take the note back,
    # or the next start would empty the log and forget its votes.
    files = killed_before("sync_directory", DATA, FaultyFiles())
    with_entries(files)
    files.power_off_clean()

    again = opened(files)

    assert not again.is_new
    assert again.wal.hard_state() == HardState(term=1, vote=D0, commit=9)


def test_a_snapshot_is_not_lost_though_a_kill_came_before_its_name_was_durable() -> None:
    files = FaultyFiles()
    data = with_entries(files)
    stopped: list[FaultyFiles] = []
    files.before_call = lambda operation, path: (
        stopped.append(clone(files))
        if (operation, path) == ("sync_directory", DATA / "snapshots")
        else None
    )
    data.snapshots.save(a_mark(5), b"state")
    killed = stopped[0]
    killed.kill()
    # The restart finds the snapshot and lets the log begin behind it.
    assert opened(killed).wal.snapshot_mark() == a_mark(5)
    killed.power_off_clean()

    assert opened(killed).snapshot == b"state"


def test_a_log_that_was_written_to_is_never_founded_over() -> None:
    # The identity is gone, as if this were a first start. The votes are still here.
    files = FaultyFiles()
    with_entries(files).close()
    files.remove(DATA / "identity")
    before = {path: content for path, content in files.contents().items() if path.suffix == ".wal"}

    with pytest.raises(CorruptLogError, match="one that was written to is here"):
        opened(files)

    assert before.items() <= files.contents().items()
