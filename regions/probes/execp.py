"""Exec probe: a program ends with 0. No shell reads the command.

The program gets a process group of its own, and the group is killed when the probe takes too long:
checks that hang must not pile up. The probe ends when the program closed its output and ended.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from regions.probes.outcome import ProbeOutcome

OUTPUT_BYTES_MAX = 64 << 10


@dataclass(frozen=True, slots=True)
class ExecAnswer:
    """How a program ended.

    Attributes:
        returncode: As waitpid tells it; negative for a signal.
        output: Standard output.
    """

    returncode: int
    output: bytes


class OutputTooLongError(ValueError):
    """The program printed more than is allowed; it was killed."""


async def probe_exec(command: Sequence[str]) -> ProbeOutcome:
    """Run ``command`` and expect it to end with 0.

    Raises:
        OSError: It cannot be started.
        ValueError: It printed too much.
    """
    answer = await run(command)
    if answer.returncode == 0:
        return ProbeOutcome(passed=True)
    return ProbeOutcome(passed=False, detail=f"ended with {answer.returncode}")


async def run(command: Sequence[str]) -> ExecAnswer:
    """Run ``command`` to its end, or kill it when cancelled.

    Raises:
        OSError: It cannot be started.
        OutputTooLongError: It printed more than ``OUTPUT_BYTES_MAX``.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None, "standard output is a pipe"
    output = b""
    is_over = False
    try:
        while piece := await process.stdout.read(OUTPUT_BYTES_MAX + 1 - len(output)):
            output += piece
            if len(output) > OUTPUT_BYTES_MAX:
                raise OutputTooLongError(f"printed more than {OUTPUT_BYTES_MAX} bytes")
        returncode = await process.wait()
        is_over = True
        return ExecAnswer(returncode, output)
    finally:
        # Not after an orderly end: the number of a group that is gone may be given to another.
        if not is_over:
            _kill_group(process.pid)
        # Reaped here even when cancelled, or a zombie is left for each probe that took too long.
        await asyncio.shield(process.wait())
        _close(process)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _close(process: asyncio.subprocess.Process) -> None:
    # A pipe that was not read to its end stays open until its transport is closed.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
