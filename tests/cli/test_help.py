"""Help: light to load, one line, one example that works, options; unknown names are answered."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from director import app
from director.cli.lazy import Lazy, LazyGroup
from director.cli.main import director
from tests.cli.running import run

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
# Written apart from the rest of the command line, with tests of their own.
APART = {"dev"}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        if not path and name in APART:
            continue
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL_COMMANDS = list(commands(director))


def test_help_imports_neither_grpc_nor_pydantic() -> None:
    program = (
        "import sys\n"
        "from director.cli.main import director\n"
        "try:\n"
        "    director.main(['--help'])\n"
        "except SystemExit as stopped:\n"
        "    code = stopped.code\n"
        "heavy = {'grpc', 'pydantic', 'google.protobuf', 'rich', 'ruamel.yaml', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), code, file=sys.stderr)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == "[] 0\n"
    assert "Usage: director" in done.stdout


@pytest.mark.parametrize("name", ["", "failover", "resolve", "status"])
def test_the_help_is_the_recorded_one(name: str) -> None:
    recorded = GOLDEN / f"{name or 'director'}.txt"

    result = run(*shlex.split(name), "--help")

    assert result.stdout == recorded.read_text()


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_one_line_and_one_example_that_parses(path: tuple[str, ...]) -> None:
    command: click.Command = director
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    assert command.help is not None
    line, _, example = command.help.partition("\n\n\b\nExample:\n  ")
    assert "\n" not in line.strip(), "one line"
    assert line.strip().endswith(".")
    arguments = shlex.split(example.strip().split(" > ")[0])
    assert arguments[0] == "director"
    assert arguments[1 : len(path) + 1] == list(path) or isinstance(command, click.Group)

    parses(director, arguments[1:])


def parses(command: click.Command, arguments: list[str]) -> None:
    """Fail unless ``arguments`` are a sound use of ``command``."""
    if not isinstance(command, click.Group):
        command.make_context(command.name, arguments)
        return
    _, inner, rest = command.resolve_command(click.Context(command), arguments)
    assert inner is not None
    parses(inner, rest)


def test_every_command_says_in_the_list_what_its_own_help_says() -> None:
    assert isinstance(director, LazyGroup)
    helps = {
        name: director.get_command(click.Context(director), name)
        for (name,) in (path for path in ALL_COMMANDS if len(path) == 1)
    }

    assert [name for name, command in helps.items() if command is None or not command.help] == []


def test_a_command_whose_module_is_missing_says_so_only_when_it_is_called() -> None:
    group = LazyGroup(
        name="x", sections={"Run": {"gone": Lazy("director.cli.gone:gone", "Not here.")}}
    )

    from click.testing import CliRunner  # noqa: PLC0415 - next to its only use

    assert "Not here." in CliRunner().invoke(group, ["--help"]).stdout
    called = CliRunner().invoke(group, ["gone"])
    assert called.exit_code != 0
    assert "`director gone` is not part of this installation" in called.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(shell: str) -> None:
    assert "_DIRECTOR_COMPLETE" in run("completion", shell).stdout


def test_the_agent_gets_every_option_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    # Replacing this process would end the test, so what would replace it is recorded.
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, arguments: seen.append(arguments))

    run("agent", "--config", "a.yaml", "--help")

    assert [each[1:] for each in seen] == [["-m", "regions", "--config", "a.yaml", "--help"]]


def test_serve_names_a_malformed_peer() -> None:
    base = ("serve", "--id", "d0", "--fleet", "f", "--data-dir", "x")

    malformed = run(*base, "--peer", "d1")
    twice = run(*base, "--peer", "d0=127.0.0.1:1,127.0.0.1:2")

    assert (malformed.exit_code, twice.exit_code) == (2, 2)
    assert "ID=PEERADDR,APIADDR[,DOMAIN]" in malformed.stderr
    assert "named once" in twice.stderr


def test_serve_turns_its_flags_into_the_settings_of_a_replica(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[app.Settings] = []

    def serve(settings: app.Settings) -> int:
        seen.append(settings)
        return 74

    monkeypatch.setattr("director.app.serve", serve)

    result = run(
        *("serve", "--id", "d0", "--fleet", "prod", "--data-dir", str(tmp_path)),
        *("--listen", "127.0.0.1:1", "--peer-listen", "127.0.0.1:2", "--failure-domain", "eu-a"),
        *("--peer", "d1=127.0.0.1:4,127.0.0.1:3,eu-b", "--peer", "d2=127.0.0.1:6,127.0.0.1:5"),
        *("--election", "1500ms", "--log-json", "--http", "127.0.0.1:7"),
    )

    assert result.exit_code == 74, result.output
    assert seen == [
        app.Settings(
            replica_id="d0",
            fleet_id="prod",
            data_dir=tmp_path,
            listen="127.0.0.1:1",
            peer_listen="127.0.0.1:2",
            failure_domain="eu-a",
            peers={
                "d1": app.PeerAddresses("127.0.0.1:4", "127.0.0.1:3", "eu-b"),
                "d2": app.PeerAddresses("127.0.0.1:6", "127.0.0.1:5", "d2"),
            },
            election_ms=1_500,
            log_json=True,
            http_listen="127.0.0.1:7",
        )
    ]


def test_help_of_several_paragraphs_is_wrapped_as_one_text() -> None:
    lines = run("dev", "drill", "--help").stdout.splitlines()

    assert any(each.startswith("  Exits 0 when") for each in lines)
    assert "\\b" not in "".join(lines)
    assert "    director dev drill chat --lose eu-west1 --how stop --expect-rto 45s" in lines
