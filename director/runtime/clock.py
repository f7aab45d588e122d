"""The clocks of this machine. This is the only module that reads them.

Leases, gates and timers use boot time: it never steps, is not slewed by an
operator setting the date, and it counts while the machine is suspended. A lease
timed by a clock that stops in a suspend would still look valid on resume.
Boot time has no meaning on another machine or after a reboot.
"""

from __future__ import annotations

import time

_NS_PER_MS = 1_000_000


def boot_ns() -> int:
    """Return nanoseconds since this machine booted, suspends included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_ms() -> int:
    """Return milliseconds since this machine booted, suspends included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS


def wall_ms() -> int:
    """Return milliseconds since the Unix epoch, for people to read.

    It may step in either direction. Nothing that must be safe may compare two of them.
    """
    return time.time_ns() // _NS_PER_MS


def elapsed_ns() -> int:
    """Return nanoseconds from an instant of no meaning, to tell how long something took."""
    return time.perf_counter_ns()
