"""Waits for the next state of a replica, as streams that follow something do."""

import asyncio

from director.core.state import State
from director.service.errors import ShuttingDownError
from director.service.replica import Replica

# How often it is looked whether the replica goes away.
_IDLE_MS = 1_000


async def next_state(replica: Replica, states: asyncio.Queue[State]) -> State:
    """Return the next of the states that ``replica.followed()`` gave.

    Raises:
        ShuttingDownError: The replica goes away.
    """
    while True:
        try:
            async with asyncio.timeout(_IDLE_MS / 1_000):
                return await states.get()
        except TimeoutError:
            if replica.stopped.done():
                raise ShuttingDownError("this replica is shutting down; ask another") from None
