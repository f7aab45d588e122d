"""The sample's write log: what it had before a kill at any byte, it has afterwards."""

from pathlib import Path

from director.dev.intervals import read_acknowledged
from regions.sample.journal import Journal, Record


def test_writes_and_copies_are_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    with Journal(path) as journal:
        first = journal.write(1, 1, "a")
        journal.acknowledge(first, at_ms=5, region_id="eu-west1")
        journal.copy([Record(2, 1, 1, "b")])

    assert _kept(path) == [Record(1, 1, 1, "a"), Record(2, 1, 1, "b")]


def test_a_tail_that_only_the_old_home_had_gives_way_to_the_new_homes_records(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chat.jsonl"
    kept = [Record(1, 1, 1, "a"), Record(2, 1, 2, "B")]
    with Journal(path) as journal:
        for value in "abc":
            journal.write(1, 1, value)
        journal.copy(kept)

        assert journal.after(0, 10) == kept
    assert _kept(path) == kept


def test_a_kill_at_any_byte_of_the_last_lines_loses_no_earlier_and_no_later_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chat.jsonl"
    with Journal(path) as journal:
        journal.acknowledge(journal.write(1, 1, "a"), at_ms=5, region_id="eu-west1")
        whole = path.read_bytes()
        journal.acknowledge(journal.write(1, 1, "b"), at_ms=6, region_id="eu-west1")
        longer = path.read_bytes()

    for length in range(len(whole), len(longer)):
        path.write_bytes(longer[:length])
        with Journal(path) as survivor:
            record = survivor.write(1, 2, "after the restart")
            survivor.acknowledge(record, at_ms=9, region_id="eu-north1")

        assert _kept(path)[0] == Record(1, 1, 1, "a")
        # What follows the torn line is read back by everyone, the checker included.
        assert _kept(path)[-1] == record
        acknowledged = [each.at_ms for each in read_acknowledged([path])]
        assert acknowledged[0] == 5
        assert acknowledged[-1] == 9


def _kept(path: Path) -> list[Record]:
    with Journal(path) as journal:
        return journal.after(0, 10)
