"""A kept file: the old value or the new one after any crash, and no damaged one ever."""

import errno
import random
from pathlib import Path

import pytest

from director.runtime.files import OsFiles
from director.runtime.kept_file import KEPT_BYTES_MAX, CorruptFileError, KeptFile
from tests.storage.exhaustive.crashes import clone
from tests.storage.faulty_files import CrashedError, FaultyFiles

PATH = Path("/data/token")


def test_what_was_written_is_read_back_on_a_real_disk(tmp_path: Path) -> None:
    kept = KeptFile(tmp_path / "token")

    assert kept.read() is None
    for payload in (b"", b"7", bytes(100_000)):
        kept.write(payload)
        assert KeptFile(tmp_path / "token", files=OsFiles()).read() == payload
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_every_flipped_bit_and_every_shortened_file_is_refused() -> None:
    files = FaultyFiles()
    KeptFile(PATH, files=files).write(b"generation 3 epoch 9")
    content = files.contents()[PATH]
    for bit in range(len(content) * 8):
        flipped = files.copy()
        flipped.names_shown[PATH].shown[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptFileError):
            KeptFile(PATH, files=flipped).read()
    for length in range(len(content)):
        short = files.copy()
        del short.names_shown[PATH].shown[length:]
        with pytest.raises(CorruptFileError):
            KeptFile(PATH, files=short).read()
    files.names_shown[PATH].shown.append(0)
    with pytest.raises(CorruptFileError, match="its length"):
        KeptFile(PATH, files=files).read()


def test_a_crash_at_any_step_leaves_the_old_or_the_new_value() -> None:
    seen = set()
    step = 0
    finished = False
    while not finished:
        step += 1
        for seed in range(20):
            files = FaultyFiles()
            kept = KeptFile(PATH, files=files)
            kept.write(b"old")
            left = step

            def before_call(_operation: str, _path: Path) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise CrashedError

            files.before_call = before_call
            try:
                kept.write(b"new")
                finished = True
            except CrashedError:
                pass
            files.before_call = lambda _operation, _path: None
            files.crash(random.Random(seed))
            value = kept.read()
            assert value == b"new" if finished else value in (b"old", b"new")
            seen.add(value)
            kept.write(b"next")
            assert kept.read() == b"next"
    assert seen == {b"old", b"new"}


def test_a_failed_write_keeps_the_old_value_and_may_be_repeated() -> None:
    files = FaultyFiles()
    kept = KeptFile(PATH, files=files)
    kept.write(b"old")
    for operation in ("write_at", "datasync"):

        def failing(called: str, _path: Path, operation: str = operation) -> None:
            if called == operation:
                raise OSError(errno.ENOSPC, "No space left on device")

        files.before_call = failing
        with pytest.raises(OSError, match="No space"):
            kept.write(b"new")
        assert kept.read() == b"old"
    files.before_call = lambda _operation, _path: None

    kept.write(b"new")

    assert kept.read() == b"new"


def test_a_value_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="are more than"):
        KeptFile(PATH, files=FaultyFiles()).write(bytes(KEPT_BYTES_MAX + 1))


def test_what_was_read_is_there_after_a_power_failure_though_its_writer_was_killed() -> None:
    # Killed between giving the new value its name and making the name durable.
    files = FaultyFiles()
    KeptFile(PATH, files=files).write(b"old")
    stopped: list[FaultyFiles] = []
    writing = clone(files)
    writing.before_call = lambda operation, _path: (
        stopped.append(clone(writing)) if operation == "sync_directory" else None
    )
    KeptFile(PATH, files=writing).write(b"new")
    killed = stopped[0]
    killed.kill()

    assert KeptFile(PATH, files=killed).read() == b"new"

    killed.power_off_clean()
    assert KeptFile(PATH, files=killed).read() == b"new"
