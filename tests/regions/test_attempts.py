"""Connecting again: one lost packet at the beginning costs 200 ms, not a second."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from director.runtime.clock import boot_ms
from regions.probes.attempts import CONNECT_AGAIN_MS, CONNECTS_MAX, soonest
from regions.probes.tcp import connect


class Attempts:
    """Connections that take as long as they are told to; ``None`` is for ever."""

    def __init__(self, *takes_ms: int | None) -> None:
        self.takes_ms = takes_ms
        self.began_at_ms: list[int] = []
        self.cancelled: list[int] = []
        self.dropped: list[int] = []

    async def begin(self) -> int:
        number = len(self.began_at_ms)
        self.began_at_ms.append(boot_ms())
        takes_ms = self.takes_ms[number]
        try:
            await asyncio.sleep(60 if takes_ms is None else takes_ms / 1_000)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number

    async def drop(self, number: int) -> None:
        self.dropped.append(number)


def test_what_connects_at_once_is_begun_once() -> None:
    attempts = Attempts(0)

    assert asyncio.run(soonest(attempts.begin, attempts.drop)) == 0
    assert len(attempts.began_at_ms) == 1


def test_a_lost_beginning_is_made_up_for_by_a_second_one() -> None:
    attempts = Attempts(None, 0)

    assert asyncio.run(soonest(attempts.begin, attempts.drop)) == 1
    first_ms, second_ms = attempts.began_at_ms
    assert second_ms - first_ms >= CONNECT_AGAIN_MS - 5
    assert attempts.cancelled == [0]


def test_the_first_to_connect_counts_though_it_began_first_and_took_long() -> None:
    attempts = Attempts(CONNECT_AGAIN_MS + 50, None)

    assert asyncio.run(soonest(attempts.begin, attempts.drop)) == 0
    assert attempts.cancelled == [1]


def test_attempts_have_an_end_and_the_deadline_cancels_them_all() -> None:
    attempts = Attempts(*[None] * (CONNECTS_MAX + 1))

    async def story() -> None:
        async with asyncio.timeout((CONNECTS_MAX + 1) * CONNECT_AGAIN_MS / 1_000):
            await soonest(attempts.begin, attempts.drop)

    with pytest.raises(TimeoutError):
        asyncio.run(story())
    assert attempts.cancelled == list(range(CONNECTS_MAX))


def test_what_is_refused_is_not_tried_again() -> None:
    begun: list[int] = []

    async def refused() -> int:
        begun.append(boot_ms())
        raise ConnectionRefusedError

    async def drop(_: int) -> None:
        raise AssertionError("nothing connected")

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(soonest(refused, drop))
    assert len(begun) == 1


def test_one_that_connects_at_the_same_moment_is_dropped() -> None:
    dropped: list[int] = []

    def together() -> Callable[[], Awaitable[int]]:
        both = asyncio.Event()
        begun: list[int] = []

        async def begin() -> int:
            begun.append(len(begun))
            number = begun[-1]
            if number == 0:
                await both.wait()
            both.set()
            return number

        return begin

    async def drop(number: int) -> None:
        dropped.append(number)

    async def story() -> int:
        return await soonest(together(), drop)

    assert asyncio.run(story()) + sum(dropped) == 1, "one is used, the other dropped"


def test_a_connection_whose_first_packet_is_dropped_is_there_well_within_a_second() -> None:
    async def story() -> tuple[int, int]:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            # A full queue makes the system drop the first packet of the next connection.
            waiting = [socket.create_connection(address)]
            began_ms = boot_ms()
            connecting = asyncio.ensure_future(connect(f"127.0.0.1:{address[1]}"))
            await asyncio.sleep(CONNECT_AGAIN_MS / 2_000)
            assert not connecting.done(), "the queue is full"
            waiting.append(listener.accept()[0])
            _, writer, rtt_us = await connecting
            took_ms = boot_ms() - began_ms
            writer.transport.abort()
            for each in waiting:
                each.close()
            return took_ms, rtt_us

    took_ms, rtt_us = asyncio.run(story())
    assert CONNECT_AGAIN_MS - 5 <= took_ms < 900
    assert rtt_us < 1_000 * CONNECT_AGAIN_MS, "the wait before is no part of the round trip"
