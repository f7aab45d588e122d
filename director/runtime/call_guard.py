"""What every call passes before its handler: who calls, what they may, how long it may take.

One interceptor for each server. Without TLS only deadlines are looked at: nobody can say who calls,
and only this machine can connect. With TLS a call without a usable certificate never reaches a
handler, and a stream ends with the certificate that it was opened with: gRPC looks at certificates
in the handshake only, and a connection may live for months.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias, cast

import grpc
import grpc.aio

from director.runtime.caller import DENIALS, set_caller
from director.runtime.certificates import Certificate, read_certificate
from director.runtime.clock import wall_ms
from director.runtime.identity import Identity, IdentityFault, IdentityRefused, Kind
from director.runtime.tls import TlsFiles

# No question takes longer; what does is a stream.
DEADLINE_MS_MAX = 30_000
# gRPC rounds deadlines up on their way, and its clocks are coarse: 30 s arrive as a little more.
_ROUNDING_MS = 2_000
# How late a stream may outlive its certificate: the wall clock may be set meanwhile, so it is read
# again at least this often, in half of the 60 s that we promise.
LOOK_AGAIN_MS = 30_000
STREAMS_MAX_BY_KIND: Mapping[Kind, int] = {
    # A report stream and a watch, with those of a restart before and of a half-open connection.
    Kind.AGENT: 16,
    Kind.DIRECTOR: 64,
    Kind.OPERATOR: 64,
    # One name may stand for all processes of a service.
    Kind.CLIENT: 1_024,
}
_CERTIFICATES_MAX = 4_096

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that goes no further.

    Attributes:
        reason: For programs; one of ``director.core.reasons``.
        metadata: The values involved.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def _allows(_identity: Identity, _method: str, _request: object) -> str | None:
    return None


def _plain_status(_refused: Refused) -> grpc.Status | None:
    return None


@dataclass(frozen=True, slots=True)
class Policy:
    """What one server demands.

    Attributes:
        tls: Its files; None without TLS, when nothing but deadlines is looked at.
        decide: Why an identity may not call a method, or None.
        decide_request: The same for one request, where the method is not the whole answer.
        status_of: The status of a refusal with its details; None for code and message alone.
        needs_deadline: Whether unary calls are refused without a deadline, or with a long one.
    """

    tls: TlsFiles | None
    decide: Callable[[Identity, str], str | None]
    decide_request: Callable[[Identity, str, object], str | None] = _allows
    status_of: Callable[[Refused], grpc.Status | None] = _plain_status
    needs_deadline: bool = True


class CallGuard(grpc.aio.ServerInterceptor):
    """Stands before every handler of one server."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._guarded_by_method: dict[str, tuple[Handler, Handler]] = {}
        self._certificate_by_pem: dict[bytes, Certificate | IdentityRefused] = {}
        self._open: Counter[Identity] = Counter()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Put the guard before the handler of a method; once, and the same ever after."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        known = self._guarded_by_method.get(method)
        if known is None or known[0] is not handler:
            known = (handler, self._guarded(method, handler))
            self._guarded_by_method[method] = known
        return known[1]

    def _guarded(self, method: str, handler: Handler) -> Handler:
        inner: Any = handler  # the stub lets each of its four functions be None
        codecs = (handler.request_deserializer, handler.response_serializer)
        match handler.request_streaming, handler.response_streaming:
            case False, False:
                call = self._unary(method, inner.unary_unary)
                return grpc.unary_unary_rpc_method_handler(call, *codecs)
            case False, True:
                stream = self._stream(method, inner.unary_stream, is_request_known=True)
                return grpc.unary_stream_rpc_method_handler(stream, *codecs)
            case True, False:
                stream = self._stream(method, inner.stream_unary)
                return grpc.stream_unary_rpc_method_handler(stream, *codecs)
            case _:
                stream = self._stream(method, inner.stream_stream)
                return grpc.stream_stream_rpc_method_handler(stream, *codecs)

    # -- the two forms of a guarded call -------------------------------------------------------

    def _unary(self, method: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        if self._policy.tls is None:

            async def timely(request: Any, context: Context) -> Any:  # noqa: ANN401 - any message
                refused = self._deadline_refusal(context)
                if refused is not None:
                    await self._abort(context, refused)
                return await inner(request, context)

            return timely if self._policy.needs_deadline else inner

        async def guarded(request: Any, context: Context) -> Any:  # noqa: ANN401 - any message
            await self._admit(method, request, context)
            refused = self._deadline_refusal(context)
            if refused is not None:
                await self._abort(context, refused)
            return await inner(request, context)

        return guarded

    def _stream(
        self, method: str, inner: Callable[..., Any], *, is_request_known: bool = False
    ) -> Callable[..., Any]:
        if self._policy.tls is None:
            return inner

        async def guarded(given: Any, context: Context) -> Any:  # noqa: ANN401 - any message
            certificate = await self._admit(method, given if is_request_known else None, context)
            limit = asyncio.timeout(None)
            with self._counted(certificate.identity) as is_within:
                if not is_within:
                    await self._abort(context, _too_many(certificate.identity))
                try:
                    async with limit, _ending(limit, certificate):
                        return await _carried(inner, given, context)
                except TimeoutError:
                    if not limit.expired():
                        raise
                return await self._abort(context, self._expired(method, certificate))

        return guarded

    @contextlib.contextmanager
    def _counted(self, identity: Identity) -> Iterator[bool]:
        """Count a stream while it is open; whether there may be that many."""
        self._open[identity] += 1
        try:
            yield self._open[identity] <= STREAMS_MAX_BY_KIND[identity.kind]
        finally:
            self._open[identity] -= 1
            if not self._open[identity]:
                del self._open[identity]

    # -- what is looked at ---------------------------------------------------------------------

    def _deadline_refusal(self, context: Context) -> Refused | None:
        left_s = cast("float | None", context.time_remaining())  # None: no deadline
        if left_s is not None and left_s * 1_000 <= DEADLINE_MS_MAX + _ROUNDING_MS:
            return None
        said = "there is none" if left_s is None else f"{left_s:.0f} s are too long"
        return Refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            f"deadline: {said}; set one of at most {DEADLINE_MS_MAX // 1_000} s",
            {"field": "deadline", "deadlineMsMax": str(DEADLINE_MS_MAX)},
        )

    async def _admit(self, method: str, request: object, context: Context) -> Certificate:
        """Return the caller's certificate, having set the caller; or end the call."""
        certificate = self._certificate(context)
        if isinstance(certificate, IdentityRefused):
            await self._deny(
                method,
                # Without the port, which is another one each time: who is refused is told once.
                context.peer().rpartition(":")[0],
                context,
                Refused(
                    grpc.StatusCode.UNAUTHENTICATED,
                    "UNAUTHENTICATED",
                    certificate.message,
                    {"fault": certificate.fault.value},
                ),
            )
        identity = certificate.identity
        denied = self._policy.decide(identity, method)
        if denied is None and request is not None:
            denied = self._policy.decide_request(identity, method, request)
        if denied is not None:
            await self._deny(
                method,
                identity.uri,
                context,
                Refused(
                    grpc.StatusCode.PERMISSION_DENIED,
                    "PERMISSION_DENIED",
                    denied,
                    {"identity": identity.uri},
                ),
            )
        set_caller(identity)
        return certificate

    def _certificate(self, context: Context) -> Certificate | IdentityRefused:
        assert self._policy.tls is not None, "only asked with TLS"
        pems = tuple(context.auth_context().get("x509_pem_cert") or ())
        if not pems:
            return IdentityRefused(
                IdentityFault.NO_CERTIFICATE, "the connection has no certificate of the caller"
            )
        pem = bytes(pems[0])
        found = self._certificate_by_pem.get(pem)
        if found is None:
            found = read_certificate(pem, trust_domain=self._policy.tls.trust_domain)
            if len(self._certificate_by_pem) >= _CERTIFICATES_MAX:
                self._certificate_by_pem.clear()
            self._certificate_by_pem[pem] = found
        if isinstance(found, IdentityRefused):
            return found
        return found.out_of_date(now_ms=wall_ms()) or found

    def _expired(self, method: str, certificate: Certificate) -> Refused:
        expired = certificate.out_of_date(now_ms=wall_ms())
        message = "the certificate of the caller expired" if expired is None else expired.message
        fault = IdentityFault.EXPIRED.value
        DENIALS.note(fault, who=certificate.identity.uri, method=method, message=message)
        return Refused(
            grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", message, {"fault": fault}
        )

    # -- how a call ends here ------------------------------------------------------------------

    async def _deny(self, method: str, who: str, context: Context, refused: Refused) -> NoReturn:
        fault = refused.metadata.get("fault", refused.reason)
        DENIALS.note(fault, who=who, method=method, message=refused.message)
        await self._abort(context, refused)

    async def _abort(self, context: Context, refused: Refused) -> NoReturn:
        status = self._policy.status_of(refused)
        if status is None:
            await context.abort(refused.code, refused.message)
        else:
            await context.abort_with_status(status)
        raise AssertionError("an aborted call does not go on")


def _too_many(identity: Identity) -> Refused:
    streams_max = STREAMS_MAX_BY_KIND[identity.kind]
    return Refused(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUOTA_EXCEEDED",
        f"{identity.uri} has {streams_max} streams open already; close some",
        {"streamsMax": str(streams_max)},
    )


async def _carried(inner: Callable[..., Any], given: object, context: Context) -> Any:  # noqa: ANN401
    """Run a stream's handler, whether it writes or yields; return the answer of one that does."""
    running = inner(given, context)
    if not isinstance(running, AsyncIterator):
        return await running
    async with contextlib.aclosing(running) as responses:  # type: ignore[type-var]
        async for response in responses:
            await context.write(response)
    return None


@contextlib.asynccontextmanager
async def _ending(limit: asyncio.Timeout, certificate: Certificate) -> AsyncIterator[None]:
    """Let ``limit`` run out when the certificate does, by the wall clock as it is then."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal timer
        left_ms = certificate.not_after_ms + 1 - wall_ms()
        if left_ms <= 0:
            limit.reschedule(loop.time())
            return
        timer = loop.call_later(min(left_ms, LOOK_AGAIN_MS) / 1_000, look)

    look()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
