"""The HTTP side, for services and tools without gRPC. GET only; a small and strict server.

====================  ===========================================================
``/gate/<service>``   200 when the service may write now, 423 when not; JSON
``/resolve?...``      ``service``, and ``from-ip``, ``from`` (lat,lon) or ``from-region``;
                      ``session``, ``subject-jurisdiction``; JSON
``/active?...``       ``service``, and perhaps ``region``: 200 while the gate is open here, and 503
                      with the reason otherwise; for load balancers
``/metrics``          the text that Prometheus reads
``/livez``            200 while the process answers
``/readyz``           200 as soon as this answers, for it listens after gRPC does; never depends
                      on a director or a route table
====================  ===========================================================
"""

import ssl
from collections.abc import Set
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

from google.protobuf.json_format import MessageToDict

from director.client.answering import Answerer
from director.client.errors import ClientError, InvalidRequestError, PositionError
from director.routing.table import ServiceId
from director.runtime import http_server
from director.runtime.http_server import HttpAnswer, json_answer
from director.runtime.metrics import CONTENT_TYPE
from regions.api.errors import to_http
from regions.api.gate import not_guarded
from regions.api.view import Gatekeeper, View
from regions.api.vitals import Vitals
from regions.core.gate_answer import GateAnswer
from trafficdirector.routing.v1 import routing_pb2 as pb

_QUERY_FIELDS_MAX = 16

_POSITIONS = ("from", "from-region", "from-ip")
_ALLOWED = frozenset({"service", "session", "subject-jurisdiction", *_POSITIONS})
_ACTIVE_FIELDS = frozenset({"service", "region"})


class HttpServer:
    """Serves on loopback until stopped."""

    def __init__(self, gates: Gatekeeper, answerer: Answerer, view: View, vitals: Vitals) -> None:
        self._gates = gates
        self._answerer = answerer
        self._view = view
        self._vitals = vitals
        self._server = http_server.HttpServer(self._answer)

    async def start(self, address: str, *, tls: ssl.SSLContext | None = None) -> int:
        """Listen and return the port.

        Raises:
            NotLoopbackError: The address could be reached from elsewhere.
            ValueError: It is not ``host:port``.
            OSError: It cannot be bound.
        """
        return await self._server.start(address, tls=tls)

    async def stop(self) -> None:
        """Stop listening and hang up."""
        await self._server.stop()

    def _answer(self, target: str) -> HttpAnswer:
        path, _, query = target.partition("?")
        if path == "/metrics":
            text = self._vitals.text(self._gates, self._view, self._answerer.tallies)
            return HttpAnswer(HTTPStatus.OK, text, CONTENT_TYPE)
        status, body = self._answer_json(path, query)
        return json_answer(status, body)

    def _answer_json(self, path: str, query: str) -> tuple[HTTPStatus, dict[str, object]]:
        try:
            match path.split("/")[1:]:
                case ["livez"] | ["readyz"]:
                    return HTTPStatus.OK, {"ok": True}
                case ["gate", name]:
                    return self._gate(unquote(name))
                case ["active"]:
                    return self._active(query)
                case ["resolve"]:
                    return self._resolve(query)
                case _:
                    return HTTPStatus.NOT_FOUND, {
                        "reason": "NOT_FOUND",
                        "message": "there are /gate/<service>, /active, /resolve, /metrics, "
                        "/livez and /readyz",
                    }
        except ClientError as error:
            return HTTPStatus(to_http(error)), {
                "reason": error.reason,
                "message": str(error),
                "metadata": dict(error.metadata),
            }

    def _gate(self, name: str) -> tuple[HTTPStatus, dict[str, object]]:
        answer = self._gates.check(ServiceId(name))
        if answer is None:
            raise not_guarded(name)
        return (HTTPStatus.OK if answer.may_write else HTTPStatus.LOCKED), gate_json(answer)

    def _active(self, query: str) -> tuple[HTTPStatus, dict[str, object]]:
        fields = _fields(query, _ACTIVE_FIELDS)
        name, region = fields.get("service", ""), fields.get("region", self._vitals.region_id)
        if not name:
            raise InvalidRequestError("service", "is needed: /active?service=NAME")
        answer = self._gates.check(ServiceId(name))
        if answer is None:
            raise not_guarded(name)
        if region != self._vitals.region_id:
            reason, message = "OTHER_REGION", f"this agent speaks for {self._vitals.region_id}"
        elif not answer.may_write:
            reason, message = answer.reason, f"the gate of {name} is closed here"
        else:
            return HTTPStatus.OK, {"active": True, "region_id": self._vitals.region_id}
        return HTTPStatus.SERVICE_UNAVAILABLE, {"reason": reason, "message": message}

    def _resolve(self, query: str) -> tuple[HTTPStatus, dict[str, object]]:
        request = request_from_query(query)
        encoded = self._answerer.resolve_bytes(
            request, self._view.view_age_ms(), self._view.source()
        )
        response = pb.ResolveResponse.FromString(encoded)
        return HTTPStatus.OK, MessageToDict(response, preserving_proto_field_name=True)


def gate_json(answer: GateAnswer) -> dict[str, object]:
    """Return the answer with the field names of the proto."""
    token = None
    if answer.token is not None:
        token = {"generation": answer.token.generation, "epoch": answer.token.epoch}
    return {
        "service_id": answer.service_id,
        "may_write": answer.may_write,
        "token": token,
        "deadline_boottime_ms": answer.deadline_boottime_ms,
        "reason": answer.reason,
        "home_region_id": answer.home or "",
    }


def request_from_query(query: str) -> pb.ResolveRequest:
    """Return the question in a query string.

    Raises:
        InvalidRequestError: A field is unknown, repeated or malformed.
    """
    one = _fields(query, _ALLOWED)
    if sum(name in one for name in _POSITIONS) > 1:
        raise PositionError("from", f"give one of {', '.join(_POSITIONS)}")
    request = pb.ResolveRequest(
        service_id=one.get("service", ""),
        session_id=one.get("session", ""),
        subject_jurisdiction=one.get("subject-jurisdiction", ""),
    )
    if "from" in one:
        request.location.CopyFrom(_location(one["from"]))
    elif "from-region" in one:
        request.region_id = one["from-region"]
    elif "from-ip" in one:
        request.address = one["from-ip"]
    return request


def _fields(query: str, allowed: Set[str]) -> dict[str, str]:
    """Return the fields of a query string, each of which is allowed and given once.

    Raises:
        InvalidRequestError: One is unknown or repeated, or there are too many.
    """
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        raise InvalidRequestError("query", f"has more than {_QUERY_FIELDS_MAX} fields") from None
    for name, values in fields.items():
        if name not in allowed:
            raise InvalidRequestError(
                name[:63], f"is not a field; there are: {', '.join(sorted(allowed))}"
            )
        if len(values) > 1:
            raise InvalidRequestError(name, "is given more than once")
    return {name: values[0] for name, values in fields.items()}


def _location(text: str) -> pb.Location:
    lat, _, lon = text.partition(",")
    try:
        return pb.Location(lat=float(lat), lon=float(lon))
    except ValueError:
        raise PositionError("from", f"{text[:40]!r} is not LAT,LON such as 48.85,2.35") from None
