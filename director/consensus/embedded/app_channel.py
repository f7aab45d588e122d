"""Between the engine's thread and the application's: deliveries and answers, in batches.

The two loops wake each other as rarely as possible: everything one turn of the engine has for the
application crosses in one call.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from director.consensus.port import CommittedEntry, Delivery, SnapshotDelivered

# What a delivery costs beyond its payload, so that empty ones are bounded too.
_DELIVERY_OVERHEAD_BYTES = 128


class AppChannel:
    """One application loop's end of the engine.

    Delivered bytes are bounded: ``has_room`` tells the engine to keep the rest in the log. The
    counts have one writer each, so neither thread needs a lock.
    """

    def __init__(
        self, app_loop: asyncio.AbstractEventLoop, bytes_max: int, on_room: Callable[[], None]
    ) -> None:
        """Connect to ``app_loop``.

        Args:
            app_loop: Where deliveries are consumed and answers awaited.
            bytes_max: How much may be delivered and not yet taken.
            on_room: Called on the application's thread once there is room again.
        """
        self._app_loop = app_loop
        self._bytes_max = bytes_max
        self._on_room = on_room
        # The engine's side.
        self._leaving: list[Delivery] = []
        self._answers: list[tuple[asyncio.Future[Any], object]] = []
        self._given_bytes = 0
        self._is_blocked = False
        self._is_ending = False
        # The application's side.
        self._arrived: deque[Delivery] = deque()
        self._taken_bytes = 0
        self._has_ended = False
        self._news = asyncio.Event()

    def has_room(self) -> bool:
        """Whether more may be delivered. If not, ``on_room`` follows."""
        if self._given_bytes - self._taken_bytes < self._bytes_max:
            return True
        self._is_blocked = True
        # The application may have taken the last of it just before the flag went up.
        return self._given_bytes == self._taken_bytes

    def deliver(self, delivery: Delivery) -> None:
        """Put a delivery with the next ``flush``."""
        self._given_bytes += _cost(delivery)
        self._leaving.append(delivery)

    def answer(self, waiting: "asyncio.Future[Any]", outcome: object) -> None:
        """Put the answer to a call with the next ``flush``; an exception is raised there."""
        self._answers.append((waiting, outcome))

    def end(self) -> None:
        """Let the deliveries end after what was delivered."""
        self._is_ending = True
        self.flush()

    def flush(self) -> None:
        """Cross over."""
        if not self._leaving and not self._answers and not self._is_ending:
            return
        leaving, self._leaving = self._leaving, []
        answers, self._answers = self._answers, []
        try:
            self._app_loop.call_soon_threadsafe(self._arrive, leaving, answers, self._is_ending)
        except RuntimeError:
            return  # the application's loop was closed: nobody waits any more

    def _arrive(
        self,
        deliveries: list[Delivery],
        answers: list[tuple["asyncio.Future[Any]", object]],
        is_ending: bool,  # noqa: FBT001 - call_soon takes no keywords
    ) -> None:
        if deliveries or is_ending:
            self._arrived.extend(deliveries)
            self._has_ended = self._has_ended or is_ending
            self._news.set()
        for waiting, outcome in answers:
            if waiting.done():
                continue
            if isinstance(outcome, BaseException):
                waiting.set_exception(outcome)
            else:
                waiting.set_result(outcome)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Yield deliveries in order, on the application's loop, until the end."""
        while True:
            while self._arrived:
                delivery = self._arrived.popleft()
                self._taken_bytes += _cost(delivery)
                if self._is_blocked and not self._arrived:
                    self._is_blocked = False
                    self._on_room()
                yield delivery
            if self._has_ended:
                return
            self._news.clear()
            await self._news.wait()


def _cost(delivery: Delivery) -> int:
    match delivery:
        case CommittedEntry(payload=payload) | SnapshotDelivered(payload=payload):
            return len(payload) + _DELIVERY_OVERHEAD_BYTES
        case _:
            return _DELIVERY_OVERHEAD_BYTES
