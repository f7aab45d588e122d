"""How a process is told to stop, and the one condition under which it will not start."""

from __future__ import annotations

import asyncio
import signal

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
