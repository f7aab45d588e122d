"""Connects again where a lost packet may have kept a connection from beginning.

The first packet of a connection is sent again only after a second (RFC 6298, 2.1), which is longer
than a probe may take. At 5 % loss one probe in ten would fail for nothing, and three in a row
within minutes. So while a connection is not there, another one is begun beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

# Two further attempts fit into the default deadline of 500 ms, and a round trip behind them.
CONNECT_AGAIN_MS = 200
CONNECTS_MAX = 3

T = TypeVar("T")


async def soonest(begin: Callable[[], Awaitable[T]], drop: Callable[[T], Awaitable[None]]) -> T:
    """Connect, again while nothing came of it, and return the connection that is there first.

    What is refused is refused: no further attempt is made.

    Args:
        begin: Connects once; cancelled if it is not needed any more.
        drop: Ends a connection that came too late to be wanted.

    Raises:
        Whatever ``begin`` raised, if that came first.
    """
    attempts: list[asyncio.Future[T]] = []
    try:
        while True:
            attempts.append(asyncio.ensure_future(begin()))
            is_last = len(attempts) == CONNECTS_MAX
            ended, _ = await asyncio.wait(
                attempts,
                timeout=None if is_last else CONNECT_AGAIN_MS / 1_000,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ended:
                first = next(each for each in attempts if each in ended)
                attempts.remove(first)
                return first.result()
    finally:
        await _end(attempts, drop)


async def _end(attempts: list[asyncio.Future[T]], drop: Callable[[T], Awaitable[None]]) -> None:
    for each in attempts:
        each.cancel()
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        if not isinstance(outcome, BaseException):
            await drop(outcome)
