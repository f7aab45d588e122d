"""How a process is told to stop, and the one condition under which it will not start."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
from collections.abc import Callable

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets. Call it inside the running event loop.

    Only the first signal asks politely. After it the usual effect of both is restored, so a
    second one ends a process whose orderly stop is stuck.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def stop() -> None:
        event.set()
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    return event


def exit_if_stuck(after_ms: int, exit_code: int, say: Callable[[], None]) -> None:
    """End the process for good ``after_ms`` from now, should its orderly stop not have by then.

    Whatever holds it up, nothing is lost: what was acknowledged is on disk. Every thread's stack
    goes to standard error first, so that the cause can be found.
    """

    def end() -> None:
        say()
        faulthandler.dump_traceback(all_threads=True)
        os._exit(exit_code)

    timer = threading.Timer(after_ms / 1_000, end)
    timer.daemon = True  # an orderly end does not wait for it
    timer.start()


def assert_debug(*, debug: bool = __debug__) -> None:
    """Refuse to start without assertions. They guard safety and stay on in production.

    Raises:
        SystemExit: Python runs with ``-O`` or PYTHONOPTIMIZE.
    """
    if not debug:
        raise SystemExit(
            "assertions are switched off; start without -O and with PYTHONOPTIMIZE unset: "
            "a wrong answer is worse than none"
        )
