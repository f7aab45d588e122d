"""Texts of documents from a request: bounded, read one at a time, and their faults as messages."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from director.config.faults import Fault
from director.config.load import Loaded, load_topology
from director.service.errors import InvalidDocumentError, InvalidRequestError, OverloadedError
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb

DOCUMENT_BYTES_MAX = 1 << 20
SOURCE_NAME_CHARS_MAX = 256
# Enough to see what is wrong; the rest is counted.
FAULTS_SHOWN_MAX = 20
# Reading documents takes the processor for seconds at worst; one at a time leaves it to resolves.
_READING_MAX = 1
_READING_WAIT_MS = 5_000

_Result = TypeVar("_Result")


class DocumentReader:
    """Reads documents outside the event loop. For one event loop."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._reading = asyncio.Semaphore(_READING_MAX)

    async def read(self, documents: str, source_name: str) -> Loaded:
        """Return what came of ``documents``; ``topology`` is None when they have errors.

        Raises:
            InvalidRequestError: The text or the name is too long.
            OverloadedError: Other documents are being read.
        """
        size = len(documents.encode())
        if size > DOCUMENT_BYTES_MAX:
            raise InvalidRequestError(
                "documents",
                f"has {size} bytes; at most {DOCUMENT_BYTES_MAX}",
                documentBytes=size,
                documentBytesMax=DOCUMENT_BYTES_MAX,
            )
        if len(source_name) > SOURCE_NAME_CHARS_MAX:
            raise InvalidRequestError(
                "source_name", f"has more than {SOURCE_NAME_CHARS_MAX} characters"
            )
        peers = self._replica.settings
        return await self.alone(
            partial(
                load_topology,
                [(source_name or "<request>", documents)],
                timing=peers.timing,
                replica_domains=peers.failure_domains or None,
            )
        )

    async def alone(self, work: Callable[[], _Result]) -> _Result:
        """Return the result of ``work``, done in a thread when nothing else of the kind is.

        Raises:
            OverloadedError: Other documents are being read.
        """
        try:
            async with asyncio.timeout(_READING_WAIT_MS / 1_000):
                await self._reading.acquire()
        except TimeoutError:
            raise OverloadedError("other documents are being read; try again") from None
        try:
            return await asyncio.to_thread(work)
        finally:
            self._reading.release()


def document_error(loaded: Loaded) -> InvalidDocumentError:
    """Return the error that names the faults of ``loaded``."""
    faults = loaded.errors
    lines = [str(fault) for fault in faults[:FAULTS_SHOWN_MAX]]
    if len(faults) > FAULTS_SHOWN_MAX:
        lines.append(f"and {len(faults) - FAULTS_SHOWN_MAX} more")
    return InvalidDocumentError(
        "\n".join(lines), faultCount=len(faults), codes=",".join(sorted({f.code for f in faults}))
    )


def fault_to_proto(fault: Fault) -> pb.Fault:
    """Return a fault for the wire."""
    return pb.Fault(
        file=fault.file,
        line=fault.line,
        path=fault.path,
        message=fault.message,
        code=fault.code,
        hint=fault.hint,
        severity=fault.severity.value,
    )
