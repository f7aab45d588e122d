"""Sends the audit trail to webhooks while this replica leads; every replica runs one.

It carries out what ``webhooks.Outbox`` decides, and notes in the log how far it came: at most once
a second, and never while there is nothing new.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from director.consensus.port import Consensus, ConsensusError
from director.core.commands import RecordDeliveries, Stamp
from director.core.state import State
from director.runtime.clock import boot_ms, wall_ms
from director.service.codec import encode_command
from director.service.webhook_post import Poster, PostFailedError
from director.service.webhooks import (
    Due,
    Outbox,
    SecretUnusableError,
    cloud_event,
    secret_of,
    signed_headers,
)

_LOOK_MS = 200
_MARK_MS = 1_000
_AFTER_FAULT_MS = 5_000
_TAKEN = range(200, 300)

log: FilteringBoundLogger = structlog.get_logger()


class Posts(Protocol):
    """Sends one message."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Return the status of the answer, or raise ``PostFailedError``."""
        ...

    def close(self) -> None:
        """Take no more work."""
        ...


class WebhookSender:
    """Runs until it is cancelled.

    Args:
        consensus: To know whether this replica leads, and to note how far it came.
        state: What is replicated, as of the last entry applied here.
        posts: How to send; None sends over HTTP.
        environment: Where the secrets are; None: the process's own.
    """

    def __init__(
        self,
        consensus: Consensus,
        state: Callable[[], State],
        *,
        posts: Posts | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._consensus = consensus
        self._state = state
        self._posts: Posts = Poster() if posts is None else posts
        self._environment = os.environ if environment is None else environment
        self._outbox = Outbox(Random())  # noqa: S311 - spreads retries, keeps no secret
        self._term: int | None = None
        self._mark_at_ms = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look, send and note for as long as this replica lives."""
        try:
            while True:
                fault = await self._look_safely()
                if fault is not None:
                    log.error("webhook_sender_failed", exc_info=fault)
                await asyncio.sleep((_LOOK_MS if fault is None else _AFTER_FAULT_MS) / 1_000)
        finally:
            for task in self._tasks:
                task.cancel()
            self._posts.close()

    async def _look_safely(self) -> Exception | None:
        """Look; no mistake in here may stop a director."""
        try:
            await self._look()
        except Exception as error:
            return error
        return None

    async def _look(self) -> None:
        if not await self._is_in_office():
            return
        for due in self._outbox.due(self._state(), now_ms=boot_ms()):
            task = asyncio.create_task(self._send(due), name=f"webhook-{due.webhook.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for name, lost_count in self._outbox.take_lost():
            log.warning("webhook_records_lost", webhook=name, lost_count=lost_count)
        if boot_ms() >= self._mark_at_ms:
            await self._note()

    async def _is_in_office(self) -> bool:
        standing = self._consensus.standing()
        if not standing.is_leader:
            self._term = None
            return False
        if self._term == standing.term:
            return True
        if not self._state().topology.webhooks:
            return False
        # What the leaders before noted must be known here, or it would all be sent again.
        try:
            index = await self._consensus.read_barrier(term=standing.term)
        except ConsensusError:
            return False
        if self._state().applied_index < index:
            return False
        self._outbox.forget()
        self._term = standing.term
        return True

    async def _note(self) -> None:
        state = self._state()
        marks = self._outbox.marks(state)
        if not marks or self._term is None:
            return
        self._mark_at_ms = boot_ms() + _MARK_MS
        # The leader proposes this itself: it moves marks only, and no rule of the core is asked.
        command = RecordDeliveries(Stamp(state.now_ms, wall_ms()), marks)
        with contextlib.suppress(ConsensusError):  # it is tried again, here or by another leader
            await self._consensus.propose(encode_command(command), term=self._term)

    async def _send(self, due: Due) -> None:
        name, term = due.webhook.name, self._term
        said = await self._posted(due)
        if term != self._term:
            return  # of another office, which has begun anew from the marks
        if said:
            delay_ms = self._outbox.failed(name, now_ms=boot_ms())
            write = log.debug if due.attempt else log.warning
            write(
                "webhook_not_delivered",
                webhook=name,
                number=due.record.number,
                reason=said,
                attempt=due.attempt + 1,
                retry_after_ms=delay_ms,
            )
        elif self._outbox.delivered(name, due.record.number):
            log.info(
                "webhook_delivered_again",
                webhook=name,
                number=due.record.number,
                attempt=due.attempt + 1,
            )

    async def _posted(self, due: Due) -> str:
        """Send one record; return why it was not taken, or "" if it was."""
        try:
            body = cloud_event(self._state().topology.fleet_id, due.record)
            secret = secret_of(due.webhook, self._environment)
            headers = signed_headers(secret, due.record, body, wall_ms=wall_ms())
            status = await self._posts.post(due.webhook.url, headers, body)
        except (SecretUnusableError, PostFailedError) as error:
            return str(error)
        except Exception as error:
            # Or the webhook would wait for ever for the end of this try.
            return f"a mistake of ours: {error!r}"
        return "" if status in _TAKEN else f"answered {status}"
