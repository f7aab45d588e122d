"""One thread for what waits on the disk, so that the engine's loop never does."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

Done: TypeAlias = Callable[[BaseException | None], None]


class DiskThread:
    """Runs jobs one after another and reports each back on the loop.

    Leaner than an executor: a commit waits for two of these hand-overs.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        """Start the thread; results are reported on ``loop``."""
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Callable[[], None], Done] | None] = SimpleQueue()
        # A daemon: an fsync that hangs for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None], done: Done) -> None:
        """Run ``job`` on the thread, then ``done`` on the loop with what it raised, or None."""
        self._jobs.put((job, done))

    def close(self) -> None:
        """Let the thread end after what was submitted."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            error: BaseException | None = None
            try:
                job()
            except Exception as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(done, error)
            except RuntimeError:
                return  # the loop was closed: nobody waits any more
