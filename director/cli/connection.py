"""Calls to a group of directors as if it were one.

A silent endpoint is followed by the next one, a follower by the leader it names.
Every change carries a request id, so that sending it again to another replica is safe.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from director.cli import methods
from director.cli.context_file import read_contexts
from director.cli.exits import EXIT_CODE_BY_REASON, CliError, ExitCode
from director.cli.tls_options import opened
from director.client.channel import open_sync_channel
from director.core.reasons import Reason
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.message import Message

    from director.cli.methods import Answer, Method
    from director.cli.tls_options import TlsFlags
    from director.runtime.tls import TlsFiles

DEFAULT_ENDPOINT = "127.0.0.1:7440"
# One replica gets this long before the next one is asked: far above any answer's time.
ATTEMPT_MS_MAX = 3_000
_PAUSE_MS = 200
# For what a follower could say as well; a leader that is silent for longer leads no more.
LEADER_WAIT_MS_MAX = 1_000
_ENDPOINT = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>[0-9]{1,5})|unix:.+")
_PORT_MAX = 65_535

# The same call may succeed at once elsewhere, or here in a moment.
_PASSING_REASONS = frozenset(
    {
        Reason.NOT_LEADER,
        Reason.NO_LEADER,
        Reason.OUTCOME_UNKNOWN,
        Reason.SHUTTING_DOWN,
        Reason.UNAVAILABLE,
    }
)
_UNTOUCHED_REASONS = frozenset({Reason.NOT_LEADER, Reason.NO_LEADER, Reason.SHUTTING_DOWN})
_CONNECTION_REFUSED = "connection refused"
# gRPC's words for a connection that failed, and ours; the first that fits counts.
_SAID_BY_WORD = (
    ("refused", _CONNECTION_REFUSED),
    ("certificate_verify_failed", "its certificate is not one of a director that is trusted here"),
    ("hostname verification", "its certificate is not one of a director that is trusted here"),
    ("handshake", "TLS was refused: one side has no certificate that the other trusts"),
    ("name resolution", "unknown host"),
    ("dns", "unknown host"),
    ("address lookup failed", "unknown host"),
    ("no such file", "no such socket"),
    ("http/2", "something that is not a director listens there"),
    ("http1", "something that is not a director listens there"),
    ("settings frame", "accepts connections and says nothing"),
)
_EXIT_CODE_BY_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: ExitCode.USAGE,
    grpc.StatusCode.NOT_FOUND: ExitCode.USAGE,
    grpc.StatusCode.OUT_OF_RANGE: ExitCode.USAGE,
    grpc.StatusCode.FAILED_PRECONDITION: ExitCode.REFUSED,
    grpc.StatusCode.PERMISSION_DENIED: ExitCode.REFUSED,
    grpc.StatusCode.UNAUTHENTICATED: ExitCode.REFUSED,
    grpc.StatusCode.ABORTED: ExitCode.CONFLICT,
    grpc.StatusCode.UNAVAILABLE: ExitCode.UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNREACHABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExitCode.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One call that failed, understood.

    Attributes:
        reason: The director's machine-readable reason; "" when gRPC itself failed.
    """

    status: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed elsewhere or a moment later."""
        if self.reason:
            return self.reason in _PASSING_REASONS
        return self.status in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

    @property
    def is_untouched(self) -> bool:
        """Whether it is certain that the call changed nothing."""
        return self.reason in _UNTOUCHED_REASONS or (
            not self.reason and self.message == _CONNECTION_REFUSED
        )

    def error(self) -> CliError:
        """Return what the person sees."""
        code = _EXIT_CODE_BY_STATUS.get(self.status, ExitCode.NO)
        if self.reason in set(Reason):
            code = EXIT_CODE_BY_REASON[Reason(self.reason)]
        return CliError(self.message, code, reason=self.reason, metadata=self.metadata)


def failure_of(error: grpc.RpcError) -> Failure:
    """Read status, reason and values out of an error of gRPC."""
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            message = str(status.message)
            return Failure(error.code(), message, info.reason, dict(info.metadata))
    return Failure(error.code(), _plain(error.code(), error.details() or ""))


def _plain(status: grpc.StatusCode, details: str) -> str:
    """Return gRPC's words for a failed connection as people say it."""
    lower = details.lower()
    for word, said in _SAID_BY_WORD:
        if word in lower:
            return said
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return f"the director does not know this call: {details or 'unimplemented'}"
    return details or status.name.lower().replace("_", " ")


class Connection:
    """Channels to the endpoints of one group of directors. Close it.

    ``deadline_ms`` bounds each call with all its attempts.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        deadline_ms: int,
        source: str = "",
        tls: TlsFiles | None = None,
    ) -> None:
        assert endpoints, "there is always the default"
        self._endpoints = list(endpoints)
        self._deadline_ms = deadline_ms
        self._source = source
        self._tls = tls
        self._channels: dict[str, grpc.Channel] = {}
        self._failures: dict[str, Failure] = {}

    def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            channel.close()

    def call(self, method: Method[Answer], request: Message) -> Answer:
        """Return the answer of the first director that gives one.

        Raises:
            CliError: It was refused, or nobody answered within the deadline.
        """
        give_up_at_ms = boot_ms() + self._deadline_ms
        while True:
            answer = self._round(method, request, give_up_at_ms)
            if answer is not None:
                return answer
            # An election takes a second or two; an empty address will not begin to answer.
            is_group_there = any(each.reason for each in self._failures.values())
            if not is_group_there or boot_ms() + _PAUSE_MS >= give_up_at_ms:
                raise self._unreachable(method)
            time.sleep(_PAUSE_MS / 1_000)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every director to ask, the one that answered last first."""
        return tuple(self._endpoints)

    def ask_one(self, endpoint: str, method: Method[Answer], request: Message) -> Answer | Failure:
        """Return what one director answers, or why it gave no answer; no other is asked."""
        invoke = self._channel(endpoint).unary_unary(
            method.path, type(request).SerializeToString, method.answer.FromString
        )
        try:
            answer: Answer = invoke(request, timeout=min(ATTEMPT_MS_MAX, self._deadline_ms) / 1_000)
        except grpc.RpcError as error:
            return failure_of(error)
        return answer

    def call_leader(self, method: Method[Answer], request: Message, answer: Answer) -> Answer:
        """Return the leader's answer in place of ``answer``, which another director gave.

        The leader knows more of the others; a follower's answer is good enough without it.
        """
        for address in self._leader_addresses():
            invoke = self._channel(address).unary_unary(
                method.path, type(request).SerializeToString, method.answer.FromString
            )
            try:
                found: Answer = invoke(request, timeout=LEADER_WAIT_MS_MAX / 1_000)
            except grpc.RpcError:
                continue
            self._prefer(address)
            return found
        return answer

    def _leader_addresses(self) -> list[str]:
        try:
            seen = self.call(methods.GET_CLUSTER, admin.GetClusterRequest())
        except CliError:
            return []
        return [each.address for each in seen.members if each.is_leader and each.address]

    def _round(self, method: Method[Answer], request: Message, give_up_at_ms: int) -> Answer | None:
        """Ask every endpoint once, leaders named on the way first."""
        waiting, asked = list(self._endpoints), set[str]()
        self._failures = {}
        while waiting:
            endpoint = waiting.pop(0)
            left_ms = min(method.attempt_ms or ATTEMPT_MS_MAX, give_up_at_ms - boot_ms())
            if endpoint in asked or left_ms <= 0:
                continue
            asked.add(endpoint)
            invoke = self._channel(endpoint).unary_unary(
                method.path, type(request).SerializeToString, method.answer.FromString
            )
            try:
                answer: Answer = invoke(request, timeout=left_ms / 1_000)
            except grpc.RpcError as error:
                failure = self._noted(method, endpoint, error)
                leader = failure.metadata.get("leaderAddress", "")
                if leader and leader not in asked:
                    waiting.insert(0, leader)
            else:
                self._prefer(endpoint)
                return answer
        return None

    def _noted(self, method: Method[Answer], endpoint: str, error: grpc.RpcError) -> Failure:
        """Keep a failure that may pass; raise any other."""
        failure = failure_of(error)
        if not failure.is_passing:
            raise failure.error() from error
        if not (method.is_repeatable or failure.is_untouched):
            message = f"{endpoint}: {failure.message}; the change may or may not have been made"
            raise CliError(message, ExitCode.UNREACHABLE, reason=failure.reason) from error
        self._failures[endpoint] = failure
        return failure

    def stream(
        self, method: Method[Answer], request: Message, *, give_up_at_ms: int
    ) -> Iterator[Answer]:
        """Yield the answers of one stream from the first director that serves it.

        Ends when the director ends it or the connection breaks after the first answer: the
        caller asks again for what it still wants.

        Raises:
            CliError: It was refused, or nobody answered.
        """
        self._failures = {}
        for endpoint in list(self._endpoints):
            left_ms = give_up_at_ms - boot_ms()
            if left_ms <= 0:
                return
            open_stream = self._channel(endpoint).unary_stream(
                method.path, type(request).SerializeToString, method.answer.FromString
            )
            has_begun = False
            try:
                for answer in open_stream(request, timeout=left_ms / 1_000):
                    if not has_begun:
                        self._prefer(endpoint)
                    has_begun = True
                    yield answer
            except grpc.RpcError as error:
                self._noted(method, endpoint, error)
                if has_begun or boot_ms() >= give_up_at_ms:
                    return
            else:
                return
        raise self._unreachable(method)

    def _prefer(self, endpoint: str) -> None:
        if endpoint in self._endpoints:
            self._endpoints.remove(endpoint)
        self._endpoints.insert(0, endpoint)

    def _channel(self, endpoint: str) -> grpc.Channel:
        if endpoint not in self._channels:
            self._channels[endpoint] = open_sync_channel(endpoint, self._tls)
        return self._channels[endpoint]

    def _unreachable(self, method: Method[Answer]) -> CliError:
        told = [failure for failure in self._failures.values() if failure.reason]
        if told:
            where = ", ".join(sorted(self._failures))
            tail = "; the change may or may not have been made" if method.is_change else ""
            message = f"{told[0].message} (asked {where} for {self._deadline_ms / 1_000:g} s)"
            unknown = any(each.reason == Reason.OUTCOME_UNKNOWN for each in told)
            return CliError(
                message + (tail if unknown else ""),
                ExitCode.UNREACHABLE,
                reason=told[0].reason,
                metadata=told[0].metadata,
            )
        tried = ", ".join(
            f"{endpoint} ({failure.message})" for endpoint, failure in self._failures.items()
        )
        tried = tried or ", ".join(self._endpoints)
        given = f" from {self._source}" if self._source else ""
        return CliError(
            f"no director answered at {tried}{given}; "
            "start one with `director dev` or give --endpoint",
            ExitCode.UNREACHABLE,
        )


def endpoints_from(given: Sequence[str], context: str) -> tuple[tuple[str, ...], str]:
    """Return the endpoints to use and where they were found: flag, environment, file, default.

    Raises:
        CliError: One is no address, or the context file is damaged or has no such context.
    """
    endpoints, source = _found(given, context)
    for endpoint in endpoints:
        matched = _ENDPOINT.fullmatch(endpoint)
        if matched is None or int(matched["port"] or 1) not in range(1, _PORT_MAX + 1):
            where = f" from {source}" if source else ""
            hint = "write HOST:PORT, such as 127.0.0.1:7440 or [::1]:7440, without a scheme"
            if source == "DIRECTOR_ENDPOINTS":
                hint += "; separate several with commas"
            message = f"{endpoint!r}{where} is not the address of a director"
            raise CliError(message, ExitCode.USAGE, hint=hint)
    return endpoints, source


def tls_from(flags: TlsFlags, given: Sequence[str], context: str) -> TlsFiles | None:
    """Return what to show to directors: by flags or environment, else by the context in use.

    Args:
        flags: As given.
        given: Endpoints of the command line, beside which a context counts only if it is named.
        context: Name given; "" means the current one.

    Raises:
        CliError: Files are missing or cannot be used.
    """
    paths = flags.paths()
    if paths is None and (context or not (given or os.environ.get("DIRECTOR_ENDPOINTS"))):
        contexts = read_contexts()
        paths = contexts.tls_by_name.get(context or contexts.current)
    return opened(paths)


def _found(given: Sequence[str], context: str) -> tuple[tuple[str, ...], str]:
    if given:
        return tuple(given), ""
    variable = os.environ.get("DIRECTOR_ENDPOINTS", "")
    from_environment = tuple(part.strip() for part in variable.split(",") if part.strip())
    if from_environment and not context:
        return from_environment, "DIRECTOR_ENDPOINTS"
    contexts = read_contexts()
    name = context or contexts.current
    if not name:
        return (DEFAULT_ENDPOINT,), ""
    endpoints = contexts.endpoints_by_name.get(name, ())
    if not endpoints:
        known = ", ".join(sorted(contexts.endpoints_by_name)) or "none"
        hint = f"known contexts: {known}"
        raise CliError(f"there is no context {name!r}", ExitCode.USAGE, hint=hint)
    return endpoints, f"context {name!r}"
