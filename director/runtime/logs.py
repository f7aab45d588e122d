"""Structured logs on standard error: JSON for machines, key=value on a terminal.

Lines of the standard library's loggers (asyncio, grpc) come out in the same form.
What is bound here belongs to the process, not to a task: the consensus engine runs
on a thread of its own, where context variables of the main thread are not seen.
"""

from __future__ import annotations

import logging
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import structlog

from director.runtime.clock import wall_ms

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import TextIO

    from structlog.typing import FilteringBoundLogger, Processor

LEVELS = ("debug", "info", "warning", "error")


class _Lines:
    """Writes whole lines to one stream, from any thread.

    A log line that cannot be written is dropped: with the disk full or the reader gone, a
    replica must go on serving, and must not stop in the middle of persisting an entry.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write_line(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            return

    debug = info = warning = error = critical = msg = write_line


class _ToLines(logging.Handler):
    """Carries the standard library's log records to the same lines."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write_line(self.format(record))
        except Exception:  # noqa: BLE001, RUF100 - logging must not break what it reports on
            self.handleError(record)


def configure(*, json: bool | None = None, level: str = "info", **bound: str) -> None:
    """Set up logging for this process. A later call replaces an earlier one.

    Args:
        json: True for JSON lines, False for key=value; None means JSON unless standard
            error is a terminal.
        level: The least level written: ``debug``, ``info``, ``warning`` or ``error``.
        bound: Fields every line carries, such as ``replica_id="d0"`` or ``agent_id="lhr"``.

    Raises:
        ValueError: The level is none of these.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    stream = sys.stderr
    as_json = not stream.isatty() if json is None else json
    threshold = getattr(logging, level.upper())
    lines = _Lines(stream)

    def bind(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401
        return {**bound, **event}

    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _add_time,
        bind,
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False, default=str)
        if as_json
        else structlog.processors.KeyValueRenderer(key_order=["at", "level", "event"])
    )
    structlog.configure(
        processors=[*before, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_args: lines,
        # Tests configure more than once; a cached logger would keep writing to a closed stream.
        cache_logger_on_first_use=False,
    )
    handler = _ToLines(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)


def get_logger(**bound: str | int) -> FilteringBoundLogger:
    """Return a logger whose lines carry ``bound``."""
    return cast("FilteringBoundLogger", structlog.get_logger().bind(**bound))


def _add_time(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401
    at = datetime.fromtimestamp(wall_ms() / 1000, tz=UTC)
    return {"at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **event}
