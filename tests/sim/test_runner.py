"""The runner of the simulator: what it accepts, what it says of a failure, what it writes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.__main__ import arguments_from, main, replay_line
from tests.sim.campaign_report import (
    BEGIN,
    END,
    Summary,
    block,
    merged,
    put_block,
    read_summary,
    write_summary,
)
from tests.sim.campaign_report import main as write_document
from tests.sim.options import Options
from tests.sim.scenarios.registry import SCENARIOS
from tests.sim.scenarios.story import Outcome, Story
from tests.sim.workers import Played, WorkerEndedError, play


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "x"], "neither a count nor a range"),
        (["--seeds", "9-3"], "names no seed"),
        (["--seeds", "0"], "names no seed"),
        (["--workers", "0"], "not a count of at least 1"),
        (["--minutes", "-1"], "not a number of minutes above 0"),
        (["--minutes", "nan"], "not a number of minutes above 0"),
        (["--scenario", "nothing"], "invalid choice"),
        (["--seeds", "1-2", "--failovers", "3"], "give one of them"),
        (["--out", "/there/is/no/such/directory/sim.json"], "there is no directory"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        arguments_from(words)

    assert refused.value.code == 2
    assert said in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments_from(["--help"])

    assert ended.value.code == 0
    assert "python -m tests.sim --scenario campaign" in capsys.readouterr().out


def test_a_failure_is_told_with_the_line_that_plays_it_again() -> None:
    failed = Played(8127, "leader-lost", "seed=8127", "AssertionError: two owners", None)

    assert "make sim SEEDS=8127-8127 SCENARIO=leader-lost" in replay_line(failed)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("", "git checkout 4f2c9d1 && make sim SEEDS=7-7 SCENARIO=split"),
        (
            " M director/core/lease.py",
            "make sim SEEDS=7-7 SCENARIO=split"
            "  # with what was changed since 4f2c9d1 and is not committed",
        ),
    ],
)
def test_the_line_names_a_commit_only_if_that_is_what_was_played(
    status: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.sim.__main__._git", lambda word, *_: "4f2c9d1" if word == "rev-parse" else status
    )

    assert replay_line(Played(7, "split", "seed=7", "AssertionError: x", None)) == line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "ended by Ctrl-C"),
        (WorkerEndedError("a worker ended by itself"), 1, "a worker ended by itself"),
    ],
)
def test_what_was_reached_is_told_however_a_run_ends(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def one_world(*_: object) -> Iterator[Played]:
        yield Played(0, "split", "seed=0", "", Outcome(Options.draw(0)))
        raise error

    monkeypatch.setattr("tests.sim.__main__.play_all", one_world)

    assert main(["--seeds", "9", "--scenario", "split"]) == code

    text = capsys.readouterr().out
    assert said in text
    assert "1 worlds passed, 0 failed" in text


def test_a_world_that_cannot_be_made_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Options) -> Story:
        raise KeyError("eu-west1")

    monkeypatch.setitem(SCENARIOS, "split", (broken, Options.draw))

    played = play("split", 3)

    assert played.error == "KeyError: 'eu-west1'"
    assert "seed=3" in played.options


def test_a_failed_world_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = Played(4, "campaign", "seed=4", "AssertionError: two owners", None, ("4 ms  x",))
    monkeypatch.setattr("tests.sim.workers.play", lambda *_: failed)

    assert main(["--seeds", "4-4", "--workers", "1", "--verbose"]) == 1

    said = capsys.readouterr().out
    assert "seed 4 of campaign FAILED: AssertionError: two owners" in said
    assert "  4 ms  x" in said
    assert "0 worlds passed, 1 failed" in said


def test_runs_of_different_seeds_are_told_of_together() -> None:
    first = Summary("campaign", world_count=2, first_seed=0, last_seed=1, failovers=7)
    first.strikes, first.rto_ms = Counter({("promoting", "x"): 1}), Counter({100: 7})
    second = Summary("campaign", world_count=3, first_seed=2, last_seed=4, failovers=5)
    second.strikes, second.rto_ms = Counter({("promoting", "x"): 2}), Counter({100: 4, 900: 1})
    second.converge_ms_max, second.slowest_seed = 800, 3
    second.failures = [("campaign", 4, "AssertionError: x")]

    total = merged([second, first])

    assert (total.first_seed, total.last_seed, total.world_count) == (0, 4, 5)
    assert total.failovers == 12
    assert total.strikes == Counter({("promoting", "x"): 3})
    assert total.rto_ms == Counter({100: 11, 900: 1})
    assert (total.converge_ms_max, total.slowest_seed) == (800, 3)
    assert total.failures == second.failures


def test_a_seed_is_not_counted_twice() -> None:
    runs = [Summary("campaign", first_seed=0, last_seed=5), Summary("campaign", first_seed=5)]

    with pytest.raises(ValueError, match="overlap"):
        merged(runs)


def test_a_summary_is_read_as_it_was_written(tmp_path: Path) -> None:
    summary = Summary("campaign", world_count=3, failovers=7, took_s=1.5)
    summary.coverage = Counter({(31, "active region"): 2})
    summary.strikes = Counter({("promoting", "director killed"): 4})
    summary.rto_ms = Counter({8_100: 6, 9_000: 1})
    summary.failures = [("campaign", 4, "AssertionError: x")]

    write_summary(summary, tmp_path / "sim.json")

    assert read_summary(tmp_path / "sim.json") == summary


def test_recovery_times_are_told_by_share() -> None:
    summary = Summary("campaign", rto_ms=Counter({8_000: 98, 9_000: 1, 20_000: 1}))

    assert summary.rto_at_ms(0.5) == 8_100
    assert summary.rto_at_ms(0.99) == 9_100
    assert summary.rto_at_ms(1.0) == 20_100


def test_the_block_replaces_what_is_between_the_markers_only(tmp_path: Path) -> None:
    document, source = tmp_path / "robustness.md", tmp_path / "sim.json"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_summary(Summary("campaign", world_count=2, failovers=300), source)

    assert write_document([str(source), str(document)]) == 0

    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "0 violations in 300 failovers bound the true rate at 1.0e-02" in text


def test_a_run_with_violations_claims_no_bound() -> None:
    summary = Summary("campaign", failovers=300, failures=[("campaign", 4, "AssertionError: x")])

    assert "bound the true rate" not in block(summary)
    assert "1 violations" in block(summary)


def test_a_document_without_markers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no"):
        put_block("text", "block")
    assert write_document([str(tmp_path / "none.json"), str(tmp_path / "none.md")]) == 2
    assert write_document([]) == 2
