"""Is a command line one that `director` would take? For texts that tell people what to type."""

from __future__ import annotations

import re
import shlex

import click

from director.cli.main import director

# Words in capitals, such as SERVICE, stand for a name; FILE.json for a file.
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*(\.[a-z]+)?")


def commands_in(text: str) -> list[str]:
    """Return what ``text`` tells people to type: `director ...` in backquotes and code blocks."""
    found = re.findall(r"`(director [^`\n]+)`", text)
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        found += [line.strip() for line in block.splitlines() if line.startswith("director ")]
    return found


def fault_of(line: str) -> str:
    """Return why ``director`` would not take the line; "" if it would."""
    words = shlex.split(line, comments=True)
    assert words[0] == "director", "only its own commands are looked at"
    context = click.Context(director, info_name="director")
    command: click.Command = director
    words = words[1:]
    while isinstance(command, click.Group):
        if not words:
            return "" if command.invoke_without_command else f"{line!r}: which one of the group?"
        try:
            name, found, words = command.resolve_command(context, words)
        except click.UsageError as error:
            return f"{line!r}: {error.message}"
        assert found is not None, "click raises for an unknown command"
        settings = found.context_settings
        context = click.Context(found, parent=context, info_name=name, **settings)
        command = found
    try:
        command.make_parser(context).parse_args([_plain(word) for word in words])
        return _missing(command, context, words, line)
    except click.UsageError as error:
        return f"{line!r}: {error.message}"


def _plain(word: str) -> str:
    return "x" if _PLACEHOLDER.fullmatch(word) else word


def _missing(command: click.Command, context: click.Context, words: list[str], line: str) -> str:
    """Return which required option or argument is not there."""
    given, _, _ = command.make_parser(context).parse_args([_plain(word) for word in words])
    for parameter in command.params:
        value = given.get(parameter.name or "")
        # What was not given is None, empty, or a marker of click's own.
        if parameter.required and not (isinstance(value, str | tuple | list | bool) and value):
            return f"{line!r}: {parameter.human_readable_name} is missing"
    return ""
