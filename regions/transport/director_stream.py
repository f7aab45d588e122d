"""One bidirectional stream to every director replica, kept open for as long as the agent lives.

Every replica hears every report, so a new leader already knows who is there. A stream that broke
comes back after a wait with full jitter: a thousand agents that lost the same director do not
return in the same instant (fault 38).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

import grpc
import grpc.aio

from director.client.channel import open_channel
from director.runtime.backoff import Backoff
from director.runtime.clock import boot_ms
from director.runtime.logs import get_logger
from director.runtime.tls import TlsFiles
from regions.core.effects import SendLease, SendReport
from regions.core.ids import ReplicaId
from regions.core.inputs import Connected, Disconnected, Input
from regions.transport.codec import input_from, request_from
from trafficdirector.agent.v1 import agent_pb2 as pb
from trafficdirector.agent.v1 import agent_pb2_grpc as pb_grpc

BACKOFF_BASE_MS = 100
BACKOFF_CAP_MS = 5_000
# A director answers a Hello at once. Without this a half-open connection would be waited for.
WELCOME_WAIT_MS = 5_000
# A stream that lived this long was good: the next wait starts from the base.
GOOD_STREAM_MS = 2_000
# Half a minute of heartbeats. A director that reads no more is dropped, not buffered for.
QUEUE_MAX = 64


class Receiver(Protocol):
    """Takes what a director said."""

    def __call__(self, given: Input, /) -> None:
        """Take one input."""


class StreamRefusedError(Exception):
    """The director broke the protocol, or is one that another address already leads to."""


class DirectorStreams:
    """The streams to all directors.

    Args:
        addresses: ``host:port`` of each replica.
        first: Makes the first message of a stream.
        receive: Takes what directors say, in the event loop.
        rng: Spreads reconnects.
        tls: What to show to directors; None connects without TLS.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        first: Callable[[], pb.ReportRequest],
        receive: Receiver,
        rng: Random,
        tls: TlsFiles | None = None,
    ) -> None:
        self._addresses = tuple(addresses)
        self._first = first
        self._receive = receive
        self._rng = rng
        self._tls = tls
        self._open: dict[ReplicaId, _Outbox] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to connect. Returns at once."""
        self._tasks = [
            asyncio.create_task(self._keep(address), name=f"director-{address}")
            for address in self._addresses
        ]

    async def stop(self) -> None:
        """Close all streams, after what is queued was handed over or half a second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                for outbox in tuple(self._open.values()):
                    await outbox.drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, effect: SendReport | SendLease) -> bool:
        """Queue a message. It is dropped if the stream is gone, as the network might do too.

        Returns:
            Whether there is a stream.
        """
        outbox = self._open.get(effect.director_id)
        if outbox is None:
            return False
        outbox.put(request_from(effect))
        return True

    async def _keep(self, address: str) -> None:
        log = get_logger(address=address)
        backoff = Backoff(self._rng, base_ms=BACKOFF_BASE_MS, cap_ms=BACKOFF_CAP_MS)
        said = ""
        while True:
            began_ms = boot_ms()
            try:
                await self._follow(address)
                why = "closed by the director"
            except grpc.aio.AioRpcError as error:
                why = f"{error.code().name}: {error.details()}"
            except TimeoutError:
                why = f"no welcome within {WELCOME_WAIT_MS} ms"
            except StreamRefusedError as error:
                why = str(error)
            if boot_ms() - began_ms >= GOOD_STREAM_MS:
                backoff.reset()
                said = ""
            if why != said:  # one line per change: a director that is away is away for long
                log.warning("director_disconnected", reason=why)
                said = why
            await asyncio.sleep(backoff.next_delay_ms() / 1_000)

    async def _follow(self, address: str) -> None:
        async with open_channel(address, self._tls) as channel:
            call = pb_grpc.AgentServiceStub(channel).Report()
            outbox = _Outbox(call)
            outbox.put(self._first())
            writer = asyncio.create_task(outbox.run(), name=f"writer-{address}")
            director_id: ReplicaId | None = None
            try:
                director_id = await self._welcome(call, outbox)
                get_logger(address=address).info("director_connected", replica_id=director_id)
                while isinstance(response := await call.read(), pb.ReportResponse):
                    self._take(response, director_id)
            finally:
                if director_id is not None:
                    del self._open[director_id]
                    self._receive(Disconnected(director_id))
                call.cancel()
                writer.cancel()
                # Not suppressed: a cancellation of this task may arrive just here.
                await asyncio.gather(writer, return_exceptions=True)

    async def _welcome(
        self,
        call: "grpc.aio.StreamStreamCall[pb.ReportRequest, pb.ReportResponse]",
        outbox: "_Outbox",
    ) -> ReplicaId:
        async with asyncio.timeout(WELCOME_WAIT_MS / 1_000):
            response = await call.read()
        if not isinstance(response, pb.ReportResponse):
            raise StreamRefusedError("the director hung up on the Hello")
        if response.WhichOneof("body") != "welcome" or not response.welcome.replica_id:
            raise StreamRefusedError("the director did not begin with a Welcome")
        director_id = ReplicaId(response.welcome.replica_id)
        if director_id in self._open:
            raise StreamRefusedError(f"replica {director_id} is connected by another address")
        self._open[director_id] = outbox
        self._receive(Connected(director_id))
        self._take(response, director_id)
        return director_id

    def _take(self, response: pb.ReportResponse, director_id: ReplicaId) -> None:
        given = input_from(response, director_id)
        if given is not None:
            self._receive(given)


class _Outbox:
    """Writes to one stream, in order. A director that does not read is hung up on."""

    def __init__(
        self, call: "grpc.aio.StreamStreamCall[pb.ReportRequest, pb.ReportResponse]"
    ) -> None:
        self._call = call
        self._queue: asyncio.Queue[pb.ReportRequest] = asyncio.Queue(QUEUE_MAX)

    def put(self, request: pb.ReportRequest) -> None:
        try:
            self._queue.put_nowait(request)
        except asyncio.QueueFull:
            self._call.cancel()

    async def run(self) -> None:
        while True:
            request = await self._queue.get()
            try:
                await self._call.write(request)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return  # the reader learns why
            finally:
                self._queue.task_done()

    async def drained(self) -> None:
        await self._queue.join()
