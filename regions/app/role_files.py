"""Keeps the role files in step with the gates."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from director.routing.table import ServiceId
from director.runtime.clock import boot_ms
from director.runtime.logs import get_logger
from regions.actuators.gate import Gates
from regions.actuators.role_file import RoleFile

# A closed gate is written again this often, so that a file somebody removed comes back.
CLOSED_EVERY_MS = 5_000


class RoleFiles:
    """One task per file."""

    def __init__(self, gates: Gates, files: Mapping[ServiceId, RoleFile]) -> None:
        self._gates = gates
        self._files = files
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="role-files")

    def start(self) -> None:
        """Begin to write."""
        self._tasks = [
            asyncio.create_task(self._follow(service_id), name=f"role-{service_id}")
            for service_id in self._files
        ]

    async def stop(self) -> None:
        """Write what the gates say now, once more, and end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for service_id in self._files:
            await self._write(service_id)
        self._thread.shutdown(wait=False)

    async def _follow(self, service_id: ServiceId) -> None:
        said = ""
        while True:
            failure, is_open = await self._write(service_id)
            if failure and failure != said:
                get_logger().error("role_file_not_written", service_id=service_id, reason=failure)
            said = failure
            within_ms = CLOSED_EVERY_MS
            if is_open:
                within_ms = max(1, (self._gates.answer_ms(service_id) or CLOSED_EVERY_MS) // 2)
            await self._gates.changed(service_id, within_ms=within_ms)

    async def _write(self, service_id: ServiceId) -> tuple[str, bool]:
        """Write the present answer; return why it failed, if it did, and whether it is open."""
        answer = self._gates.check(service_id)
        assert answer is not None, "role files belong to guarded services"
        file, now_ms = self._files[service_id], boot_ms()
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, lambda: file.write(answer, now_ms=now_ms)
            )
        except OSError as error:
            return str(error), answer.may_write
        return "", answer.may_write
