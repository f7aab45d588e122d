"""The real file system keeps the promises of the port; the directory lock keeps its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from director.runtime.directory_lock import DirectoryInUseError, DirectoryLock
from director.runtime.files import OsFiles, replace_durably


def test_a_file_is_written_and_read_at_offsets(tmp_path: Path) -> None:
    files = OsFiles()
    file = files.open(tmp_path / "a", create=True)

    file.write_at(3, b"defg")
    file.write_at(0, b"abc")
    file.datasync()

    assert file.read_at(0, 100) == b"abcdefg"
    assert file.read_at(2, 2) == b"cd"
    assert file.read_at(7, 1) == b""
    file.truncate(2)
    assert (file.size(), files.read(tmp_path / "a")) == (2, b"ab")
    file.preallocate(10)
    assert files.read(tmp_path / "a") == b"ab" + bytes(8)
    file.preallocate(4)
    assert file.size() == 10
    file.zero(1, 3 << 20)
    assert files.read(tmp_path / "a") == b"a" + bytes(3 << 20)
    file.close()
    file.close()


def test_creating_demands_that_there_is_none_and_opening_that_there_is(tmp_path: Path) -> None:
    files = OsFiles()
    with pytest.raises(FileNotFoundError):
        files.open(tmp_path / "a")
    files.open(tmp_path / "a", create=True).close()

    with pytest.raises(FileExistsError):
        files.open(tmp_path / "a", create=True)


def test_names_are_listed_renamed_and_removed(tmp_path: Path) -> None:
    files = OsFiles()
    files.make_directory(tmp_path / "x" / "y")
    files.make_directory(tmp_path / "x" / "y")
    for name in ("b", "a"):
        files.open(tmp_path / "x" / name, create=True).close()

    assert files.names(tmp_path / "x") == ("a", "b", "y")
    files.rename(tmp_path / "x" / "a", tmp_path / "x" / "b")
    files.sync_directory(tmp_path / "x")
    assert files.names(tmp_path / "x") == ("b", "y")
    files.remove(tmp_path / "x" / "b")
    assert not files.exists(tmp_path / "x" / "b")
    assert files.exists(tmp_path / "x" / "y")
    with pytest.raises(FileNotFoundError):
        files.remove(tmp_path / "x" / "b")


def test_replacing_a_file_leaves_no_other_and_survives_a_leftover(tmp_path: Path) -> None:
    (tmp_path / "a.tmp").write_bytes(b"left by a crash")

    replace_durably(OsFiles(), tmp_path / "a", b"one", b"two")

    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    files = OsFiles()
    files.make_directory(tmp_path / "x")
    files.open(tmp_path / "x" / "a", create=True).close()

    assert (tmp_path / "x").stat().st_mode & 0o077 == 0
    assert (tmp_path / "x" / "a").stat().st_mode & 0o077 == 0


def test_a_directory_held_by_another_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from director.runtime.directory_lock import DirectoryLock;"
        "lock = DirectoryLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DirectoryInUseError, match=f"in use by process {holder.pid};") as caught:
            DirectoryLock(tmp_path)
        assert caught.value.metadata == {"path": str(tmp_path), "pid": str(holder.pid)}
        # However it ends, it leaves no lock behind.
        holder.kill()
        holder.wait()
    DirectoryLock(tmp_path).close()


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path), pytest.raises(DirectoryInUseError):
        DirectoryLock(tmp_path)
    with DirectoryLock(tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"
