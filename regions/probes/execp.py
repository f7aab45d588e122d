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
# A killed program is gone at once, unless it hangs in the kernel; then nobody can wait for it.
REAP_WAIT_S = 1.0


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
    loop = asyncio.get_running_loop()
    transport, running = await loop.subprocess_exec(
        lambda: _Running(loop),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await running.over
        returncode = transport.get_returncode()
        assert returncode is not None, "a program that is over has ended"
        return ExecAnswer(returncode, bytes(running.output))
    finally:
        # Not after an orderly end: the number of a group that is gone may be given to another.
        if not running.is_over:
            _kill_group(transport.get_pid())
        # First the pipe: the loop waits for its end too, and a child of the program may hold it.
        pipe = transport.get_pipe_transport(1)
        if pipe is not None:
            pipe.close()
        # Also when cancelled, or a zombie is left for each probe that took too long.
        await asyncio.wait((running.exited,), timeout=REAP_WAIT_S)
        transport.close()


class _Running(asyncio.SubprocessProtocol):
    """Gathers what a program prints, and when it ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.output = bytearray()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._is_closed = False

    @property
    def is_over(self) -> bool:
        """Whether the program ended by itself and nobody can print any more."""
        return self._is_closed and self.exited.done()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        del fd
        self.output += data
        if len(self.output) > OUTPUT_BYTES_MAX and not self.over.done():
            self.over.set_exception(
                OutputTooLongError(f"printed more than {OUTPUT_BYTES_MAX} bytes")
            )
        del self.output[OUTPUT_BYTES_MAX:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del fd, exc
        self._is_closed = True
        self._maybe_end()

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)
        self._maybe_end()

    def _maybe_end(self) -> None:
        if self.is_over and not self.over.done():
            self.over.set_result(None)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
