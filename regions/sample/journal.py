"""The sample service's durable journal: JSON lines, one file, one writer.

Three kinds of line. ``write``: a client's write, durable before it is acknowledged. ``ack``: that
write was acknowledged at ``at_ms`` (CLOCK_BOOTTIME) under a token; these are what the checker of
overlapping intervals reads. ``copy``: a write replicated from the home.
"""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """One write. ``position`` is its place in the service's history, dense from 1."""

    position: int
    generation: int
    epoch: int
    value: str


class Journal:
    """Appends lines durably and keeps the records in memory. Close it, or use it in a with."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        self._load(text)
        self._file = path.open("a", encoding="utf-8")
        if text and not text.endswith("\n"):
            # The torn last line must not swallow the first line that follows it.
            self._file.write("\n")
            self._file.flush()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written is there already. Idempotent."""
        self._file.close()

    def _load(self, text: str) -> None:
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the torn last line of a killed process; it was never acknowledged
            if entry["kind"] in ("write", "copy"):
                self._place(_record_from(entry))

    def _place(self, record: Record) -> None:
        """Put a record at its position; a longer tail of an older epoch gives way to it."""
        del self._records[record.position - 1 :]
        self._records.append(record)

    def _holds(self, record: Record) -> bool:
        at = record.position - 1
        return at < len(self._records) and self._records[at] == record

    @property
    def length(self) -> int:
        """Number of records."""
        return len(self._records)

    def after(self, position: int, limit: int) -> list[Record]:
        """Records behind ``position``, at most ``limit``."""
        return self._records[position : position + limit]

    def write(self, generation: int, epoch: int, value: str) -> Record:
        """Append a client's write and make it durable."""
        with self._lock:
            record = Record(len(self._records) + 1, generation, epoch, value)
            self._append("write", record, durable=True)
            self._records.append(record)
            return record

    def copy(self, records: list[Record]) -> None:
        """Append what was replicated from the home and make it durable."""
        with self._lock:
            missing = [each for each in records if not self._holds(each)]
            for record in missing:
                self._append("copy", record, durable=False)
                self._place(record)
            if missing:
                self._sync()

    def acknowledge(self, record: Record, *, at_ms: int, region_id: str) -> None:
        """Note that ``record`` was acknowledged. Lost by a power cut, not by a kill."""
        with self._lock:
            self._line(
                {
                    "kind": "ack",
                    "position": record.position,
                    "generation": record.generation,
                    "epoch": record.epoch,
                    "at_ms": at_ms,
                    "region": region_id,
                }
            )

    def _append(self, kind: str, record: Record, *, durable: bool) -> None:
        self._line(
            {
                "kind": kind,
                "position": record.position,
                "generation": record.generation,
                "epoch": record.epoch,
                "value": record.value,
            }
        )
        if durable:
            self._sync()

    def _line(self, entry: dict[str, object]) -> None:
        self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        self._file.flush()

    def _sync(self) -> None:
        os.fdatasync(self._file.fileno())


def _record_from(entry: dict[str, object]) -> Record:
    position, generation, epoch = entry["position"], entry["generation"], entry["epoch"]
    assert isinstance(position, int)
    assert isinstance(generation, int)
    assert isinstance(epoch, int)
    return Record(position, generation, epoch, str(entry["value"]))
