"""Resolve in this process: no round trip, no director needed once the first table has come.

Async::

    async with Resolver(["127.0.0.1:7440", "127.0.0.1:7441"]) as resolver:
        resolved = await resolver.resolve(Question("chat", location=(48.85, 2.35)))
        print(resolved.answer.region_id, resolved.answer.endpoints[0].address)

Sync, from any thread::

    with SyncResolver(["127.0.0.1:7440", "127.0.0.1:7441"]) as resolver:
        resolved = resolver.resolve(Question("chat", region_id="eu-west1"))

Both watch the route table and answer from it. Until the first table, and for client addresses when
no geo database was given, they ask a director instead, and another one if that is unavailable.
``Resolved.source`` and ``view_age_ms`` say how far an answer can be trusted to be current.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType

import grpc
import grpc.aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from director.client.channel import Channels
from director.client.errors import (
    ClientError,
    InvalidRequestError,
    PositionError,
    RefusedError,
    UnreachableError,
)
from director.client.watch import RouteWatcher, Source
from director.client.wire import Places, answer_from_proto, checked_address, checked_name
from director.routing.compiled import CompiledTable
from director.routing.position import Located, client_position
from director.routing.table import (
    Answer,
    ClientPosition,
    Location,
    Query,
    Refusal,
    RegionId,
    RouteTable,
    ServiceId,
)
from director.runtime.tls import TlsFiles
from trafficdirector.routing.v1 import routing_pb2 as pb

RESOLVE_METHOD = "/trafficdirector.routing.v1.RoutingService/Resolve"
# Long enough for a stalled replica to be given up and another one to be asked.
CALL_DEADLINE_MS = 2_000

_RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Question:
    """Where should this client go? At most one of the three positions.

    Attributes:
        location: (degrees north, degrees east) of the client.
        region_id: Region the client runs in.
        address: IP address of the client.
        subject_jurisdiction: Jurisdiction of the data's subject; "" means no residency rule.
        session_id: Session to keep in one place; "" means none.
        view_age_ms_max: Oldest view to accept; 0 accepts any.
    """

    service_id: str
    location: tuple[float, float] | None = None
    region_id: str = ""
    address: str = ""
    subject_jurisdiction: str = ""
    session_id: str = ""
    view_age_ms_max: int = 0

    def to_proto(self) -> pb.ResolveRequest:
        """Return the question as it travels."""
        request = pb.ResolveRequest(
            service_id=self.service_id,
            subject_jurisdiction=self.subject_jurisdiction,
            session_id=self.session_id,
            view_age_ms_max=self.view_age_ms_max,
        )
        if self.location is not None:
            request.location.CopyFrom(pb.Location(lat=self.location[0], lon=self.location[1]))
        elif self.region_id:
            request.region_id = self.region_id
        elif self.address:
            request.address = self.address
        return request


@dataclass(frozen=True, slots=True)
class Resolved:
    """An answer, with how current it is."""

    answer: Answer
    view_age_ms: int
    source: Source


class _InProcess:
    """Answers from a compiled table. For one thread at a time."""

    def __init__(self, places: Places | None) -> None:
        self._places = places
        self._spread = count(1)

    def is_able(self, question: Question) -> bool:
        return not question.address or self._places is not None

    def resolve(
        self, compiled: CompiledTable, question: Question, view_age_ms: int, source: Source
    ) -> Resolved:
        oldest_ms = question.view_age_ms_max
        if oldest_ms and view_age_ms > oldest_ms:
            raise RefusedError(
                "STALENESS_BOUND_EXCEEDED",
                f"the view is {view_age_ms} ms old; the caller accepts {oldest_ms} ms",
                metadata={"viewAgeMs": str(view_age_ms), "viewAgeMsMax": str(oldest_ms)},
            )
        query = Query(
            ServiceId(checked_name("service_id", question.service_id)),
            self._position(compiled, question),
            question.subject_jurisdiction,
            question.session_id,
            spread=next(self._spread),
            client_key=question.address,
        )
        resolution = compiled.resolve(query)
        if isinstance(resolution, Refusal):
            raise RefusedError(
                str(resolution.reason), resolution.message, metadata=dict(resolution.metadata)
            )
        return Resolved(resolution, view_age_ms, source)

    def _position(self, compiled: CompiledTable, question: Question) -> ClientPosition:
        if question.location is not None:
            try:
                return client_position(coordinates=Location(*question.location))
            except ValueError as error:
                raise PositionError("location", str(error)) from None
        if question.region_id:
            known = sorted(each.region_id for each in compiled.table.regions)
            if question.region_id not in known:
                raise PositionError(
                    "region_id",
                    f"there is no region {question.region_id!r}; there are: {', '.join(known)}",
                )
            return client_position(region_id=RegionId(question.region_id))
        if question.address and self._places is not None:
            place = self._places.lookup(checked_address(question.address))
            if place is not None:
                located = Located(place.location, place.accuracy_km, place.country)
                return client_position(address=located)
        return client_position()


class Resolver:
    """Resolves in process and watches in the background. For one event loop.

    Args:
        addresses: ``host:port`` of the directors.
        kept_path: File that keeps the table over restarts of this process; None keeps nothing.
        places: A geo database for client addresses; None asks a director about them.
        service_ids: Services wanted; empty means all.
        tls: What to show to directors and whom to trust; None connects without TLS.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        kept_path: Path | None = None,
        places: Places | None = None,
        service_ids: Sequence[str] = (),
        tls: TlsFiles | None = None,
    ) -> None:
        self._addresses = list(addresses)
        self._in_process = _InProcess(places)
        self._channels = Channels(tls)
        self.watcher = RouteWatcher(
            addresses, kept_path=kept_path, service_ids=service_ids, tls=tls
        )

    async def __aenter__(self) -> "Resolver":
        await self.watcher.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop watching and close the connections. Idempotent."""
        await self.watcher.stop()
        await self._channels.close()

    @property
    def table(self) -> RouteTable | None:
        """The newest table; None before there was one."""
        return self.watcher.table

    async def resolve(self, question: Question) -> Resolved:
        """Answer ``question``.

        Raises:
            InvalidRequestError: A field cannot be used; PositionError if it is the position.
            RefusedError: No region may serve this client; ``reason`` says why.
            UnreachableError: There is no table yet and no director answered.
        """
        compiled = self.watcher.compiled
        if compiled is not None and self._in_process.is_able(question):
            return self._in_process.resolve(
                compiled, question, self.watcher.view_age_ms(), self.watcher.source()
            )
        try:
            return await self.ask(question)
        except UnreachableError:
            compiled = self.watcher.compiled
            if compiled is None:
                raise
            # Better an answer that ignores the address than none (R4).
            return self._in_process.resolve(
                compiled, question, self.watcher.view_age_ms(), self.watcher.source()
            )

    async def ask(self, question: Question) -> Resolved:
        """Ask the directors, one after the other until one is available.

        Raises:
            InvalidRequestError, RefusedError, UnreachableError: As ``resolve``.
        """
        request = question.to_proto()
        said: list[str] = []
        for address in self._by_preference():
            try:
                response = await self._call(address, request)
            except grpc.aio.AioRpcError as error:
                refusal = error_from_rpc(error)
                if error.code() not in _RETRIED:
                    raise refusal from None
                said.append(f"{address}: {refusal}")
                continue
            return Resolved(
                answer_from_proto(response), response.view_age_ms, Source(response.source)
            )
        raise UnreachableError("no director answered: " + "; ".join(said))

    def _by_preference(self) -> list[str]:
        # The one that the watch goes to is known to be there.
        first = self.watcher.connected_to
        return sorted(self._addresses, key=lambda address: address != first)

    async def _call(self, address: str, request: pb.ResolveRequest) -> pb.ResolveResponse:
        call = self._channels.get(address).unary_unary(
            RESOLVE_METHOD,
            request_serializer=pb.ResolveRequest.SerializeToString,
            response_deserializer=pb.ResolveResponse.FromString,
        )
        response: pb.ResolveResponse = await call(request, timeout=CALL_DEADLINE_MS / 1_000)
        return response


class SyncResolver:
    """The same for code without an event loop; any thread may call it.

    The watch runs on a thread of its own. Answers from the table take a lock for some microseconds
    and no other thread.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        kept_path: Path | None = None,
        places: Places | None = None,
        service_ids: Sequence[str] = (),
        tls: TlsFiles | None = None,
    ) -> None:
        self._in_process = _InProcess(places)
        self._lock = threading.Lock()
        self._compiled: CompiledTable | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="route-watcher", daemon=True)
        self._thread.start()

        async def build() -> Resolver:
            resolver = Resolver(
                addresses, kept_path=kept_path, places=places, service_ids=service_ids, tls=tls
            )
            await resolver.watcher.start()
            return resolver

        self._resolver = asyncio.run_coroutine_threadsafe(build(), self._loop).result()

    def __enter__(self) -> "SyncResolver":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the watch and its thread. Idempotent."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._resolver.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def resolve(self, question: Question) -> Resolved:
        """Answer ``question``.

        Raises:
            InvalidRequestError, RefusedError, UnreachableError: As ``Resolver.resolve``.
        """
        watcher = self._resolver.watcher
        table = watcher.table
        if table is not None and self._in_process.is_able(question):
            with self._lock:
                # A compiled table fills caches as it answers, so this thread's is not the watch's.
                if self._compiled is None or self._compiled.table is not table:
                    self._compiled = CompiledTable(table, self._compiled)
                return self._in_process.resolve(
                    self._compiled, question, watcher.view_age_ms(), watcher.source()
                )
        return asyncio.run_coroutine_threadsafe(
            self._resolver.resolve(question), self._loop
        ).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def error_from_rpc(error: grpc.aio.AioRpcError) -> ClientError:
    """Return what a director said, with its reason, from the status it came in."""
    message = error.details() or error.code().name
    info = error_info(error)
    if info is None:
        if error.code() in _RETRIED:
            return UnreachableError(message)
        return RefusedError(error.code().name, message)
    metadata = dict(info.metadata)
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT and "field" in metadata:
        field = metadata["field"]
        kind = PositionError if info.reason == PositionError.reason else InvalidRequestError
        return kind(field, message.removeprefix(f"{field}: "))
    return RefusedError(info.reason, message, metadata=metadata)


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Return the ErrorInfo of a failed call, or None if it has none."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:  # status and details disagree: not of our making
        return None
    if status is None:
        return None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info
    return None
