"""A sweep plays every piece, says so by its exit code, and finds the same on any core count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.sweep import INTERRUPTED, PASSED, WRONG, Plan, Tally, sweep

if TYPE_CHECKING:
    from pathlib import Path


def divided(number: int) -> Tally:
    """Count even and odd numbers; seven is wrong."""
    tally = Tally()
    tally.note("numbers", "even" if number % 2 == 0 else "odd")
    tally.note_figure("number", number)
    if number == 7:
        tally.wrong.append("seven")
    return tally


def interrupted(number: int) -> Tally:
    if number == 3:
        raise KeyboardInterrupt
    return divided(number)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_piece_is_played_once(processes: int, tmp_path: Path) -> None:
    out = tmp_path / "result.json"

    assert sweep(Plan("numbers", processes, out), range(6), divided) == PASSED

    result = json.loads(out.read_text())
    assert result["isComplete"]
    assert result["cases"] == 6
    assert result["counts"] == {"numbers": {"even": 3, "odd": 3}}
    assert result["highest"] == {"number": 5}


@pytest.mark.parametrize("processes", [1, 2])
def test_one_wrong_case_fails_the_sweep_and_is_shown(
    processes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(Plan("numbers", processes, None), range(10), divided) == WRONG

    assert "WRONG seven" in capsys.readouterr().out


def test_an_interrupted_sweep_reports_what_it_has_and_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"

    assert sweep(Plan("numbers", 1, out), range(10), interrupted) == INTERRUPTED

    assert not json.loads(out.read_text())["isComplete"]
    assert "NOT ALL OF THEM" in capsys.readouterr().out


def test_no_pieces_are_no_success() -> None:
    assert sweep(Plan("numbers", 1, None), [], divided) == WRONG


def test_the_table_has_a_line_for_each_kind_and_a_column_for_each_ending() -> None:
    tally = divided(1)
    tally.note("letters", "vowel")

    lines = tally.table().splitlines()

    assert [line.split("|")[0].strip() for line in lines] == ["", "letters", "numbers"]
    assert lines[0].split() == ["|", "cases", "|", "odd", "|", "vowel"]
