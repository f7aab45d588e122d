"""Damage to a directory at rest, and the verdict: refused, cut or harmless. All else is wrong.

Refused: opening raises an error of storage, and leaves log, snapshot and identity as they are.
Cut: of what was never acknowledged, whole records are left, and nothing else.
Harmless: it lies in unused space or in the side file, everything that is served is as before, and
the log goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from director.raft.messages import Entry, EntryKind, HardState
from director.runtime.kept_file import CorruptFileError
from director.storage.errors import CorruptLogError, StorageError
from tests.storage.exhaustive.images import SPARE, SYNCED, Image, View, image, opened_as
from tests.storage.exhaustive.trace import DATA
from tests.storage.faulty_files import SECTOR_BYTES, FaultyFiles, Inode
from tests.support.sweep import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK_BYTES = 4096
# Whether the log goes on, or the directory opens once mended, is tried for every n-th case.
_GOES_ON_STRIDE = 97


class Kind(StrEnum):
    """What is done to one file."""

    BIT = "bit"
    """One bit is flipped."""
    SHORT = "short"
    """It ends at some byte."""
    ZEROS = "zeros"
    """From some byte on there are zeros."""
    BLOCK = "block"
    """A sector or a block holds what another one of the directory holds."""
    STALE = "stale"
    """A sector, a block or all of it holds what it held before."""
    GONE = "gone"
    """It is not there."""


class DamageViolationError(AssertionError):
    """Damage was believed."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One damage. Its text names it."""

    image: str
    path: str
    """Below the data directory."""
    kind: Kind
    at: int
    """Which bit, byte, or line of the list of blocks."""

    def __str__(self) -> str:
        return f"{self.image}:{self.path}:{self.kind}:{self.at}"

    @classmethod
    def parse(cls, text: str) -> Damage:
        """Read what ``str`` wrote.

        Raises:
            ValueError: It is nothing of the kind.
        """
        name, path, kind, at = text.split(":")
        damage = cls(name, path, Kind(kind), int(at))
        if not 0 <= damage.at < len(possible_damage(name, path, damage.kind)):
            raise ValueError(f"there is no {text}")
        return damage


def paths(name: str) -> list[str]:
    """Return the files of an image that are damaged, below the data directory.

    The side file is missed only where the log ends: before, records say how far it was synced.
    """
    made = image(name)
    if made.unsynced or name == "bare":
        return [str(made.last_segment.relative_to(DATA))]
    return sorted(str(path.relative_to(DATA)) for path in made.files.names_shown if path != SPARE)


def kinds(name: str) -> tuple[Kind, ...]:
    """Return what is done to the files of an image.

    Without the side file only what lies behind a place tells a tear from damage, so that a lost
    end, or an old one, of a log that was synced passes for a tear: that is two faults at once.
    """
    if name == "bare":
        return (Kind.BIT,)
    if image(name).unsynced:
        return (Kind.BIT, Kind.SHORT, Kind.ZEROS)
    return tuple(Kind)


def possible_damage(name: str, path: str, kind: Kind) -> Sequence[int]:
    """Return what ``Damage.at`` may be."""
    made = image(name)
    content = made.contents[DATA / path]
    # Of a batch that was not synced, only what lies in it may be torn.
    span = made.unsynced or range(len(content))
    match kind:
        case Kind.BIT:
            return range(8 * span.start, 8 * span.stop)
        case Kind.SHORT | Kind.ZEROS:
            return span
        case Kind.BLOCK:
            return range(len(_blocks(name, path)))
        case Kind.STALE:
            return range(len(_stale(name, path)))
        case Kind.GONE:
            return range(1)


def play_all(damages: Sequence[Damage]) -> Tally:
    """Play ``damages`` and tally how they ended."""
    tally = Tally()
    for at, damage in enumerate(damages):
        kind = f"{damage.image}, {_what(damage.path)}: {damage.kind}"
        try:
            ending = play(damage, goes_on=at % _GOES_ON_STRIDE == 0)
        except DamageViolationError as error:
            tally.note(kind, "wrong")
            tally.wrong.append(
                f"{error}\n  again: python -m tests.storage.exhaustive --case damage:{damage}"
            )
            continue
        tally.note(kind, ending)
    return tally


def play(damage: Damage, *, goes_on: bool = True) -> str:
    """Do the damage, open the directory, and return how it ended.

    Raises:
        DamageViolationError: It was believed, or was met with an error that is no verdict.
    """
    made = image(damage.image)
    files = made.copy()
    damaged = _do(damage, files)
    try:
        data = opened_as(made, files)
    except (StorageError, CorruptFileError) as error:
        _check_unchanged(damage, files, damaged, isinstance(error, CorruptLogError))
        if goes_on:
            _check_mended(damage, made, files)
        return "refused"
    except Exception as error:
        raise DamageViolationError(f"{damage}: {error!r}") from error
    try:
        found = View.of(data)
    except StorageError:
        # Found when it was to be read, by the entry's own checksum. It is not served.
        return "refused"
    if found not in made.possible:
        raise DamageViolationError(f"{damage}: serves {_difference(found, made.possible[0])}")
    if goes_on:
        _go_on(damage, made, files, found)
    if found != made.possible[0]:
        return "cut"
    if DATA / damage.path != SYNCED and not _is_in_unused_space(made, damage, damaged):
        raise DamageViolationError(f"{damage}: nobody noticed")
    return "harmless"


def _is_in_unused_space(made: Image, damage: Damage, damaged: bytes | None) -> bool:
    used = made.contents[DATA / damage.path].rstrip(b"\0")
    return damaged is not None and damaged[: len(used)] == used


def _do(damage: Damage, files: FaultyFiles) -> bytes | None:
    """Do it, and return what the file holds now; None if it is gone."""
    path = DATA / damage.path
    content = bytearray(files.names_shown[path].shown)
    match damage.kind:
        case Kind.BIT:
            content[damage.at // 8] ^= 1 << damage.at % 8
        case Kind.SHORT:
            del content[damage.at :]
        case Kind.ZEROS:
            content[damage.at :] = bytes(len(content) - damage.at)
        case Kind.BLOCK | Kind.STALE:
            table = _blocks if damage.kind is Kind.BLOCK else _stale
            at, block = table(damage.image, damage.path)[damage.at]
            size = len(content)
            content[at : at + len(block)] = block
            if len(block) < size:
                del content[size:]
        case Kind.GONE:
            del files.names_shown[path], files.names_durable[path]
            return None
    durable = bytes(content)
    files.names_shown[path] = files.names_durable[path] = Inode(content, durable)
    return durable


@cache
def _blocks(name: str, path: str) -> list[tuple[int, bytes]]:
    """Return each sector and block of the file with what each other one of the image holds."""
    made = image(name)
    content = made.contents[DATA / path]
    found: list[tuple[int, bytes]] = []
    for size in (SECTOR_BYTES, BLOCK_BYTES):
        others = sorted({bytes(size), *_pieces(made, size)})
        found += [
            (at, other)
            for at in range(0, len(content), size)
            for other in others
            if other[: len(content) - at] != content[at : at + size]
        ]
    return found


def _pieces(made: Image, size: int) -> Iterator[bytes]:
    for _, content in sorted(made.contents.items()):
        for at in range(0, len(content), size):
            yield content[at : at + size].ljust(size, b"\0")


@cache
def _stale(name: str, path: str) -> list[tuple[int, bytes]]:
    """Return each sector and block, and the file as a whole, as they were before."""
    made = image(name)
    content = made.contents[DATA / path]
    found: dict[tuple[int, bytes], None] = {}
    for version in made.older.get(DATA / path, []):
        found[0, version] = None
        for size in (SECTOR_BYTES, BLOCK_BYTES):
            for at in range(0, len(content), size):
                block = version[at : at + size].ljust(min(size, len(content) - at), b"\0")
                if block != content[at : at + size]:
                    found[at, block] = None
    return list(found)


def _check_unchanged(
    damage: Damage, files: FaultyFiles, damaged: bytes | None, is_log: bool
) -> None:
    """Refusing leaves the damaged file as it is; and if it is the log, all the others too."""
    shown = {path: inode.shown for path, inode in files.names_shown.items()}
    path = DATA / damage.path
    # A file that is gone may be there again: an identity is drawn before the log is looked at.
    same = damaged is None or shown[path] == damaged
    if is_log and path != SYNCED:
        contents = image(damage.image).contents
        same = same and all(
            shown[other] == content
            for other, content in contents.items()
            if other not in (path, SYNCED, SPARE)
        )
    if not same:
        raise DamageViolationError(f"{damage}: refused, and changed")


def _check_mended(damage: Damage, made: Image, files: FaultyFiles) -> None:
    """With the damage undone, the directory says what it did before it was refused."""
    path = DATA / damage.path
    content = made.contents[path]
    files.power_off_clean()
    files.names_shown[path] = files.names_durable[path] = Inode(bytearray(content), content)
    try:
        found = View.of(opened_as(made, files))
    except Exception as error:
        raise DamageViolationError(f"{damage}: being refused did harm: {error!r}") from error
    if found != made.possible[0]:
        raise DamageViolationError(f"{damage}: being refused did harm")


def _go_on(damage: Damage, made: Image, files: FaultyFiles, found: View) -> None:
    term, last = found.hard_state.term + 1, found.first_index + len(found.entries)
    entry = Entry(last, term, EntryKind.NORMAL, b"next")
    try:
        files.power_off_clean()
        data = opened_as(made, files)
        assert View.of(data) == found, "another start says something else"
        data.wal.append_batch(HardState(term, None, found.hard_state.commit), [entry])
        data.wal.sync()
        files.power_off_clean()
        again = View.of(opened_as(made, files))
        assert again.entries == (*found.entries, entry), "what was written next is not there"
    except Exception as error:
        raise DamageViolationError(f"{damage}: does not go on: {error!r}") from error


def _difference(found: View, right: View) -> str:
    parts = [
        f"{name} {str(has)[:200]} instead of {str(had)[:200]}"
        for name, has, had in zip(View._fields, found, right, strict=True)
        if has != had
    ]
    return "; ".join(parts)


def _what(path: str) -> str:
    return {".wal": "log", ".snapshot": "snapshot"}.get(Path(path).suffix, Path(path).name)
