"""Damage of a log at rest is refused, never served; the torn end of what was not synced is cut."""

from __future__ import annotations

import random

import pytest

from director.raft.messages import HardState
from director.storage import synced_file
from director.storage.errors import CorruptLogError, StorageFailedError
from director.storage.recovery import looks_torn
from director.storage.segments import segment_numbers, segment_path
from tests.storage.builders import (
    D0,
    LOG,
    ROOMY,
    SMALL,
    a_mark,
    a_wal,
    an_entry,
    reopened,
    some_entries,
    view,
)
from tests.storage.faulty_files import FaultyFiles, Inode

SYNCED = LOG / synced_file.NAME
FIRST = segment_path(LOG, 1)
TINY = SMALL.__class__(segment_bytes=600, recent_bytes_max=512)


def a_closed_log() -> FaultyFiles:
    """Two segments, batches, a hard state, a snapshot mark: something of everything."""
    files = FaultyFiles()
    wal = a_wal(files, TINY)
    wal.append_batch(HardState(term=1, vote=D0), some_entries(1, 2))
    wal.sync()
    wal.record_snapshot(a_mark(1))
    wal.sync()
    wal.append_batch(HardState(term=2, vote=D0, commit=2), some_entries(3, 5, 2))
    wal.sync()
    wal.append_batch(None, [an_entry(6, 2)])
    wal.close()
    assert segment_numbers(files, LOG) == [1, 2]
    return files


def put(files: FaultyFiles, name: object, content: bytes) -> None:
    for path in files.names_shown:
        if path == name:
            files.names_shown[path] = Inode(bytearray(content), content)


def used_bytes(content: bytes) -> int:
    return len(content.rstrip(b"\0"))


@pytest.mark.slow
def test_every_flipped_bit_of_a_closed_log_is_refused_and_changes_nothing() -> None:
    whole = a_closed_log()
    expected = view(reopened(whole.copy(), TINY))
    flips = 0
    for path in (FIRST, segment_path(LOG, 2)):
        content = whole.contents()[path]
        for bit in range(used_bytes(content) * 8):
            files = whole.copy()
            files.names_shown[path].shown[bit // 8] ^= 1 << bit % 8
            before = files.contents()
            with pytest.raises(CorruptLogError):
                reopened(files, TINY)
            assert files.contents() == before
            flips += 1
    assert flips > 5_000
    assert view(reopened(whole.copy(), TINY)) == expected


@pytest.mark.slow
def test_every_flipped_bit_of_the_side_file_and_of_unused_space_changes_nothing_that_is_read() -> (
    None
):
    whole = a_closed_log()
    expected = view(reopened(whole.copy(), TINY))
    last = segment_path(LOG, 2)
    unused = range(used_bytes(whole.contents()[last]) * 8, len(whole.contents()[last]) * 8)
    side = range(len(whole.contents()[SYNCED]) * 8)
    for path, bits in ((last, unused), (SYNCED, side)):
        for bit in bits:
            files = whole.copy()
            files.names_shown[path].shown[bit // 8] ^= 1 << bit % 8
            try:
                assert view(reopened(files, TINY)) == expected
            except CorruptLogError:
                # A bit set deep in unused space can look like a record's end. Refusing is safe.
                assert path == last


def an_unsynced_batch(*, side_file: bool) -> tuple[FaultyFiles, int, int]:
    """Return a log whose last batch, from the first offset to the second, was not synced."""
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(HardState(term=1, vote=D0), some_entries(1, 3))
    wal.sync()
    wal.append_batch(None, some_entries(4, 5))
    wal.sync()
    start = used_bytes(files.contents()[FIRST])
    wal.append_batch(
        HardState(term=2, vote=None, commit=5),
        [an_entry(6, 2), an_entry(7, 2, bytes(30)), an_entry(8, 2)],
    )
    files.kill()
    if not side_file:
        files.remove(SYNCED)
    return files, start, used_bytes(files.contents()[FIRST])


@pytest.mark.parametrize("side_file", [True, False])
def test_a_batch_torn_at_any_byte_is_cut_to_whole_records(side_file: bool) -> None:
    whole, start, end = an_unsynced_batch(side_file=side_file)
    lasts = []
    for cut in range(start, end + 1):
        files = whole.copy()
        content = files.names_shown[FIRST].shown
        content[cut:] = bytes(len(content) - cut)

        wal = reopened(files)

        kept = wal.last_index()
        entries = [*some_entries(1, 5), an_entry(6, 2), an_entry(7, 2, bytes(30)), an_entry(8, 2)]
        assert view(wal).entries == tuple(entries[:kept])
        assert wal.hard_state().commit <= kept
        assert wal.hard_state().vote in (D0, None)
        lasts.append(kept)
        # What was cut stays cut, and the log goes on.
        wal.append_batch(HardState(term=3), [an_entry(kept + 1, 3)])
        wal.close()
        assert view(reopened(files)).entries == (*entries[:kept], an_entry(kept + 1, 3))
    assert lasts == sorted(lasts)
    assert set(lasts) == {5, 6, 7, 8}


@pytest.mark.parametrize("side_file", [True, False])
def test_a_batch_torn_in_any_order_of_sectors_is_cut(side_file: bool) -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(None, some_entries(1, 3))
    wal.sync()
    start = used_bytes(files.contents()[FIRST])
    batch = [an_entry(index, payload=bytes([index]) * 300) for index in range(4, 12)]
    wal.append_batch(None, batch)
    if not side_file:
        files.remove(SYNCED)
    end = used_bytes(files.contents()[FIRST])
    rng = random.Random(7)
    for _ in range(200):
        torn = files.copy()
        content = torn.names_shown[FIRST].shown
        for at in range(start - start % 512, end, 512):
            if rng.random() < 0.5:
                low = max(at, start)
                content[low : at + 512] = bytes(at + 512 - low)

        kept = reopened(torn).last_index()

        assert view(reopened(torn)).entries == tuple([*some_entries(1, 3), *batch][:kept])


def test_a_flip_in_the_last_batch_is_refused_even_if_the_side_file_was_lost() -> None:
    # A power failure may take the side file's newest mark. The batch is whole, so it is no tear.
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(None, some_entries(1, 3))
    wal.sync()
    start = used_bytes(files.contents()[FIRST])
    wal.append_batch(HardState(term=1, vote=D0, commit=3), some_entries(4, 6))
    wal.sync()
    files.remove(SYNCED)
    end = used_bytes(files.contents()[FIRST])
    for bit in range(start * 8, end * 8):
        flipped = files.copy()
        flipped.names_shown[FIRST].shown[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptLogError):
            reopened(flipped)


def test_a_lost_sector_of_an_earlier_batch_is_refused_without_the_side_file_too() -> None:
    # The batch behind it begins by saying how far the log was synced.
    files = FaultyFiles()
    wal = a_wal(files)
    for index in range(1, 8):
        wal.append_batch(None, [an_entry(index, payload=b"\x01" * 600)])
        wal.sync()
    files.remove(SYNCED)
    content = files.names_shown[FIRST].shown
    content[1024:1536] = bytes(512)

    with pytest.raises(CorruptLogError, match="though the log was synced up to byte"):
        reopened(files)


def test_acknowledged_entries_that_vanished_are_refused() -> None:
    # The disk forgot a whole synced batch: zeros, as if it had never been written.
    files, start, end = an_unsynced_batch(side_file=True)
    reopened(files).close()
    content = files.names_shown[FIRST].shown
    content[start:end] = bytes(end - start)

    with pytest.raises(CorruptLogError, match="though the log was synced"):
        reopened(files)


def test_an_older_copy_of_the_log_is_refused() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(None, some_entries(1, 3))
    wal.sync()
    older = files.contents()[FIRST]
    wal.append_batch(None, some_entries(4, 9))
    wal.close()
    put(files, FIRST, older)

    with pytest.raises(CorruptLogError):
        reopened(files)


def test_a_log_that_took_another_course_than_the_synced_one_is_refused() -> None:
    # Healthy in itself and as long, but not what the side file saw synced.
    files, other = FaultyFiles(), FaultyFiles()
    for target, term in ((files, 1), (other, 2)):
        wal = a_wal(target)
        wal.append_batch(None, some_entries(1, 3, term))
        wal.close()
    put(files, FIRST, other.contents()[FIRST])

    with pytest.raises(CorruptLogError, match="differs from the one that was synced"):
        reopened(files)


def test_a_stale_or_misdirected_block_is_refused_by_the_chain() -> None:
    # Two records of equal size change places; each is healthy by its own checksum.
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(None, [an_entry(1, payload=b"a" * 50)])
    start = used_bytes(files.contents()[FIRST])
    wal.append_batch(None, [an_entry(2, payload=b"b" * 50)])
    size = used_bytes(files.contents()[FIRST]) - start
    wal.append_batch(None, [an_entry(3, payload=b"c" * 50)])
    wal.close()
    content = files.names_shown[FIRST].shown
    second, third = content[start : start + size], content[start + size : start + 2 * size]
    content[start : start + 2 * size] = third + second

    with pytest.raises(CorruptLogError):
        reopened(files)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_missing_segment_is_refused(number: int) -> None:
    files = FaultyFiles()
    wal = a_wal(files, TINY)
    for index in range(1, 19):
        wal.append_batch(None, [an_entry(index)])
        wal.sync()
    wal.close()
    assert segment_numbers(files, LOG) == [1, 2, 3, 4, 5]
    files.remove(segment_path(LOG, number))

    with pytest.raises(CorruptLogError) as caught:
        reopened(files, TINY)
    assert number != 3 or caught.value.what == "segment 3 is missing"
    assert caught.value.reason == "LOG_CORRUPT"


def test_a_missing_log_is_refused() -> None:
    files = FaultyFiles()
    a_wal(files).close()
    files.remove(FIRST)

    with pytest.raises(CorruptLogError, match="holds no log"):
        reopened(files)


def test_a_segment_begun_but_never_synced_is_dropped() -> None:
    files = FaultyFiles()
    wal = a_wal(files, TINY)
    index = 0
    while len(segment_numbers(files, LOG)) == 1:
        wal.sync()
        index += 1
        wal.append_batch(None, [an_entry(index)])
    second = files.names_shown[segment_path(LOG, 2)].shown
    for kept in range(used_bytes(bytes(second))):
        torn = files.copy()
        content = torn.names_shown[segment_path(LOG, 2)].shown
        content[kept:] = bytes(len(content) - kept)

        wal = reopened(torn, TINY)

        assert wal.last_index() == index - 1
        last = index + 20
        for at in range(index, last + 1):
            wal.append_batch(HardState(term=1, vote=D0, commit=at), [an_entry(at)])
            wal.sync()
        # The new segment stands on its own when the ones before it are removed.
        wal.record_snapshot(a_mark(index + 2))
        wal.compact_to(index + 2)
        wal.sync()
        assert FIRST not in torn.names_shown
        wal.close()
        wal = reopened(torn, TINY)
        assert view(wal, first=index + 3) == (
            HardState(term=1, vote=D0, commit=last),
            a_mark(index + 2),
            last,
            tuple(some_entries(index + 3, last)),
        )


def test_a_log_of_a_newer_format_is_refused_and_says_so() -> None:
    files = FaultyFiles()
    from director.storage import records  # noqa: PLC0415 - patched for one creation

    original = records.LOG_FORMAT
    records.LOG_FORMAT = original + 1
    try:
        a_wal(files).close()
    finally:
        records.LOG_FORMAT = original

    with pytest.raises(CorruptLogError, match="format 2; this release reads 1"):
        reopened(files)


def test_an_entry_damaged_on_disk_is_not_served_and_ends_the_use_of_the_log() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    for index in range(1, 60):
        wal.append_batch(None, [an_entry(index)])
        wal.sync()
    location = wal._index.location(3)
    files.names_shown[segment_path(LOG, location.segment)].shown[location.offset + 30] ^= 1

    with pytest.raises(CorruptLogError, match="entry 3 cannot be read back"):
        wal.entries(1, 10, 1000)
    with pytest.raises(StorageFailedError):
        wal.append_batch(None, [an_entry(60)])


def test_the_rule_for_tears_knows_zeros_from_wrong_bytes() -> None:
    files = FaultyFiles()
    a_wal(files, ROOMY).append_batch(None, [an_entry(1, payload=b"\x01" * 2000)])
    content = bytearray(files.contents()[FIRST])
    start = content.index(b"\x01" * 2000) - 37

    assert looks_torn(bytes(content), used_bytes(bytes(content)))  # nothing there
    content[start + 700] ^= 4
    assert not looks_torn(bytes(content), start)
    content[1024:1536] = bytes(512)
    assert looks_torn(bytes(content), start)
