"""EventService: the audit trail, to look at, to follow and to keep elsewhere."""

import asyncio
from collections.abc import Iterator
from dataclasses import fields

import grpc

from director.api.changes import NAME_CHARS_MAX
from director.api.errors import Context, check_parsed, to_status, unary
from director.api.following import next_state
from director.api.handlers import service, unary_stream, unary_unary
from director.client.errors import ClientError
from director.core.audit import AuditLog, AuditRecord, after
from director.service.errors import (
    DirectorError,
    InvalidRequestError,
    UnavailableError,
)
from director.service.replica import Replica
from trafficdirector.event.v1 import event_pb2 as pb

NAME = "trafficdirector.event.v1.EventService"
LISTED_DEFAULT = 100
# About half a megabyte at the most: far below what clients take in one message.
LISTED_MAX = 500
# A watcher that does not read for so long is cut off; it asks again from where it was.
WRITE_DEADLINE_MS = 10_000

_FIELDS = tuple(each.name for each in fields(AuditRecord))


class EventApi:
    """The handlers."""

    def __init__(self, replica: Replica, *, write_deadline_ms: int = WRITE_DEADLINE_MS) -> None:
        self._replica = replica
        self._write_deadline_ms = write_deadline_ms

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "ListEvents": unary_unary(unary(self.list), pb.ListEventsRequest),
                "WatchEvents": unary_stream(self.watch, pb.WatchEventsRequest),
                "GetAuditHead": unary_unary(unary(self.head), pb.GetAuditHeadRequest),
            },
        )

    async def list(self, request: pb.ListEventsRequest) -> pb.ListEventsResponse:
        """Return records, oldest first: those after a number, or the newest."""
        _check(request)
        log = self._replica.state.audit
        limit = min(request.limit or LISTED_DEFAULT, LISTED_MAX)
        if request.HasField("after_number"):
            found = list(_matching(after(log, request.after_number), request))[:limit]
        else:
            found = list(_matching(log.records, request))[-limit:]
        return pb.ListEventsResponse(
            events=[event_to_proto(each) for each in found], head=_head_to_proto(log)
        )

    async def head(self, _request: pb.GetAuditHeadRequest) -> pb.GetAuditHeadResponse:
        """Return the hash that stands for the whole trail."""
        state = self._replica.state
        return pb.GetAuditHeadResponse(
            head=_head_to_proto(state.audit),
            replica_id=self._replica.settings.replica_id,
            applied_index=state.applied_index,
        )

    async def watch(self, request: pb.WatchEventsRequest, context: Context) -> None:
        """Send records from a number on, and each new one, until the watcher goes away."""
        try:
            check_parsed(request)
            _check(request)
            await self._serve(request, context)
        except (DirectorError, ClientError) as error:
            await context.abort_with_status(to_status(error))

    async def _serve(self, request: pb.WatchEventsRequest, context: Context) -> None:
        with self._replica.followed() as states:
            is_resuming = request.HasField("after_number")
            sent = request.after_number if is_resuming else self._replica.state.audit.count
            lost_count = 0
            while True:
                log = self._replica.state.audit
                # A follower may be behind what the watcher has seen elsewhere.
                kept_after = log.count - len(log.records)
                lost_count += max(0, kept_after - sent)
                for record in _matching(after(log, sent), request):
                    response = pb.WatchEventsResponse(
                        event=event_to_proto(record), lost_count=lost_count
                    )
                    await self._write(context, response)
                    lost_count = 0
                sent = max(sent, log.count)
                await next_state(self._replica, states)
                while not states.empty():
                    states.get_nowait()

    async def _write(self, context: Context, response: pb.WatchEventsResponse) -> None:
        try:
            async with asyncio.timeout(self._write_deadline_ms / 1_000):
                await context.write(response)
        except TimeoutError:
            raise UnavailableError(
                f"nothing was read for {self._write_deadline_ms} ms; ask again from where you were",
                writeDeadlineMs=self._write_deadline_ms,
            ) from None


def _check(request: pb.ListEventsRequest | pb.WatchEventsRequest) -> None:
    for field in ("service_id", "region_id", "action"):
        length = len(getattr(request, field))
        if length > NAME_CHARS_MAX:
            raise InvalidRequestError(
                field, f"has {length} characters; a name has at most {NAME_CHARS_MAX}"
            )


def _matching(
    records: tuple[AuditRecord, ...], request: pb.ListEventsRequest | pb.WatchEventsRequest
) -> Iterator[AuditRecord]:
    for each in records:
        if request.service_id not in ("", each.service_id):
            continue
        if request.region_id not in ("", each.region_id):
            continue
        if each.action.startswith(request.action):
            yield each


def event_to_proto(record: AuditRecord) -> pb.Event:
    """Return a record as a message; the fields have the same names."""
    return pb.Event(**{name: getattr(record, name) for name in _FIELDS})


def _head_to_proto(log: AuditLog) -> pb.AuditHead:
    return pb.AuditHead(
        count=log.count,
        head=log.head,
        first_number=log.records[0].number if log.records else 0,
        first_before_hash=log.first_before_hash,
    )
