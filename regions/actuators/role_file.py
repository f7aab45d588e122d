"""The role file: the gate for a service that can read a file and nothing else.

Replaced whole, so a reader never sees half of it::

    {"service": "chat", "role": "active", "token": "1.7", "generation": 1, "epoch": 7,
     "deadline_boottime_ms": 812345, "written_boottime_ms": 811345, "boot_id": "5b0c..."}

``role`` alone decides nothing. A reader may write only if the role is ``active``, ``boot_id``
equals ``/proc/sys/kernel/random/boot_id`` and CLOCK_BOOTTIME is below ``deadline_boottime_ms`` -
read after its last blocking call, before it acknowledges. The file is rewritten twice within each
answer's life, so a deadline that has passed means that the agent stopped, or that another region
owns the service. The boot id is there because boot time starts again at zero: without it a file
from before a reboot would look like the future.
"""

import json
from pathlib import Path

from regions.core.gate_answer import GateAnswer

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def kernel_boot_id() -> str:
    """Return what names the present boot of this machine."""
    return _BOOT_ID.read_text("ascii").strip()


class RoleFile:
    """Keeps one file up to date. One writer at a time."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self.path = path
        self._boot_id = boot_id

    def write(self, answer: GateAnswer, *, now_ms: int) -> None:
        """Replace the file.

        Not synced: after a power loss the boot id makes any content void.

        Raises:
            OSError: It could not be written. The one before runs out by itself.
        """
        content = {
            "service": answer.service_id,
            "role": "active" if answer.may_write else "standby",
            "token": "" if answer.token is None else str(answer.token),
            "generation": 0 if answer.token is None else answer.token.generation,
            "epoch": 0 if answer.token is None else answer.token.epoch,
            "deadline_boottime_ms": answer.deadline_boottime_ms,
            "written_boottime_ms": now_ms,
            "boot_id": self._boot_id,
        }
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_text(json.dumps(content) + "\n", "utf-8")
        temporary.replace(self.path)
