"""The agent's configuration file: one YAML document, every fault named with its line.

::

    region: eu-west1
    id: eu-west1-a
    directors: ["127.0.0.1:7440", "127.0.0.1:7441", "127.0.0.1:7442"]
    data_dir: /var/lib/region-agent
    listen: {grpc: "127.0.0.1:7450", http: "127.0.0.1:7451"}
    services:
      - name: chat
        probe: {type: Http, address: "127.0.0.1:8080", path: /healthz}
        every: 500ms
        timeout: 500ms
        rise: 3
        fall: 3
        forgive: 1
        lag: {type: Exec, command: [/usr/local/bin/chat-lag], every: 500ms}
        load: {type: Http, address: "127.0.0.1:8080", path: /load, every: 2s}
        role_file: /run/chat/role.json
    measure_round_trips: true
    geo_database: /usr/share/GeoIP/GeoLite2-City.mmdb
    tls: {cert: agent.pem, key: agent-key.pem, ca: ca.pem, trust_domain: prod.example}

``lag``, ``load`` and ``role_file`` may be left out. ``geo_database`` left out means: the usual
folders, then the database that ships; ``none`` means that client addresses have no place. Without
``tls`` the agent listens on loopback only; with it, ``listen: {..., plain: true}`` still serves the
services beside it on loopback without.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from director.routing.table import RegionId, ServiceId
from director.runtime.durations import parse_ms
from director.runtime.loopback import NotLoopbackError, ensure_loopback
from director.runtime.tls import TlsPaths
from regions.core.ids import AgentId
from regions.core.readings import ProbeKind, ProbeSpec, ProbeTarget
from regions.core.settings import GATE_ANSWER_MS, AgentSettings, GuardedService

FILE_BYTES_MAX = 1 << 20
SERVICES_MAX = 1_000
DIRECTORS_MAX = 9
# A role file is rewritten twice within each answer's life; more often would wear the disk.
ROLE_FILE_ANSWER_MS = 1_000
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
# What the validators are told beside the value.
_HAS_TLS = "has_tls"
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")
_HINTS = {
    "missing": "is required",
    "extra_forbidden": "is not a key here; check the spelling",
}


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("needs a unit, such as 500ms or 2s")  # noqa: TRY004 - pydantic's way
    return parse_ms(value)


def _some(value: object) -> object:
    return () if value is None else value


def _loopback(value: object) -> object:
    return ensure_loopback(value) if isinstance(value, str) else value


def _loopback_without_tls(value: object, info: ValidationInfo) -> object:
    try:
        return _loopback(value)
    except NotLoopbackError:
        if isinstance(info.context, dict) and info.context.get(_HAS_TLS):
            return _host_port(value)
        raise


def _name(value: object) -> object:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(
            f"{value[:70]!r} is not a name: lower-case letters, digits, '-', '.' and '_', "
            "at most 63, beginning and ending with a letter or digit"
        )
    return value


def _host_port(value: object) -> object:
    if isinstance(value, str):
        host, _, port = value.rpartition(":")
        is_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16
        if not _HOST.fullmatch(host) or not is_port:
            raise ValueError(f"{value[:100]!r} is not host:port, such as 127.0.0.1:8080")
    return value


# Written with its unit; a bare number would leave open whether it means seconds.
Duration: TypeAlias = Annotated[int, BeforeValidator(_duration), Field(gt=0, le=600_000)]
Name: TypeAlias = Annotated[str, BeforeValidator(_name)]
Address: TypeAlias = Annotated[str, BeforeValidator(_host_port)]
Listen: TypeAlias = Annotated[str, BeforeValidator(_loopback)]
GuardedListen: TypeAlias = Annotated[str, BeforeValidator(_loopback_without_tls)]
Command: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class ConnectProbe(_Model):
    """A probe over the network."""

    type: Literal["Http", "Tcp", "Grpc"]
    address: Address
    path: str = ""


class ExecProbe(_Model):
    """A program that ends with 0."""

    type: Literal["Exec"]
    command: Command


class ExecLag(_Model):
    """A program that prints the lag in milliseconds."""

    type: Literal["Exec"]
    command: Command
    every: Duration = 500
    timeout: Duration = 500


class HttpLag(_Model):
    """A page that says the lag in milliseconds."""

    type: Literal["Http"]
    address: Address
    path: str = "/"
    every: Duration = 500
    timeout: Duration = 500


class ExecLoad(ExecLag):
    """A program that prints how many requests per second the service takes here."""

    every: Duration = 2_000


class HttpLoad(HttpLag):
    """A page that says how many requests per second the service takes here."""

    every: Duration = 2_000


class ServiceConfig(_Model):
    """A service to guard."""

    name: Name
    probe: Annotated[ConnectProbe | ExecProbe, Field(discriminator="type")]
    every: Duration = 500
    timeout: Duration = 500
    rise: Annotated[int, Field(ge=1, le=100)] = 3
    fall: Annotated[int, Field(ge=1, le=100)] = 3
    forgive: Annotated[int, Field(ge=1, le=100)] = 1
    lag: Annotated[ExecLag | HttpLag, Field(discriminator="type")] | None = None
    load: Annotated[ExecLoad | HttpLoad, Field(discriminator="type")] | None = None
    role_file: Path | None = None


class ListenConfig(_Model):
    """Where the agent's own server listens; anywhere but on loopback only with TLS."""

    grpc: GuardedListen
    http: Listen
    plain: bool = False


class TlsConfig(_Model):
    """The files of the agent's certificate, key and authorities."""

    cert: Path
    key: Path
    ca: Path
    trust_domain: str


class AgentConfig(_Model):
    """The whole file."""

    region: Name
    id: Name
    directors: Annotated[tuple[Address, ...], Field(min_length=1, max_length=DIRECTORS_MAX)]
    data_dir: Path
    listen: ListenConfig
    # An agent may guard nothing, and only watch other regions and answer resolves.
    services: Annotated[
        tuple[ServiceConfig, ...], BeforeValidator(_some), Field(max_length=SERVICES_MAX)
    ] = ()
    measure_round_trips: bool = True
    geo_database: Literal["none"] | Path | None = None
    tls: TlsConfig | None = None

    @model_validator(mode="after")
    def _plain_is_local(self) -> Self:
        if self.listen.plain:
            try:
                ensure_loopback(self.listen.grpc)
            except ValueError as error:
                raise ValueError(f"listen.plain: {error}") from None
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [service.name for service in self.services]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"services: {', '.join(twice)} is given more than once")
        if len(set(self.directors)) < len(self.directors):
            raise ValueError("directors: an address is given more than once")
        return self

    def settings(self) -> AgentSettings:
        """Return what the core needs to know."""
        return AgentSettings(
            services=tuple(
                _guarded(each, RegionId(self.region))
                for each in sorted(self.services, key=lambda each: each.name)
            ),
            measure_round_trips=self.measure_round_trips,
        )

    def tls_paths(self) -> TlsPaths | None:
        """Return where certificate, key and authorities are; None without TLS."""
        if self.tls is None:
            return None
        return TlsPaths(self.tls.cert, self.tls.key, self.tls.ca, self.tls.trust_domain)

    def agent_id(self) -> AgentId:
        """Return the name of the agent."""
        return AgentId(self.id)


def _guarded(service: ServiceConfig, region_id: RegionId) -> GuardedService:
    probe = service.probe
    if isinstance(probe, ExecProbe):
        spec, address = ProbeSpec(ProbeKind.EXEC, command=probe.command), ""
    else:
        spec, address = ProbeSpec(ProbeKind(probe.type), probe.path), probe.address
    target = ProbeTarget(
        ServiceId(service.name),
        region_id,
        address,
        spec,
        every_ms=service.every,
        timeout_ms=service.timeout,
        rise_count=service.rise,
        fall_count=service.fall,
        forgive_count=service.forgive,
    )
    return GuardedService(
        ServiceId(service.name),
        target,
        lag_every_ms=None if service.lag is None else service.lag.every,
        gate_answer_ms=GATE_ANSWER_MS if service.role_file is None else ROLE_FILE_ANSWER_MS,
        load_every_ms=None if service.load is None else service.load.every,
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the file.

    Attributes:
        line: Counted from 1; 0 when it is about the whole file.
        path: Dotted, e.g. ``services.0.every``; "" for the whole document.
    """

    source: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.source}:{self.line}: {where}{self.message}"


def load_config(
    text: str, source: str, overrides: Mapping[str, object] | None = None
) -> tuple[AgentConfig | None, tuple[Fault, ...]]:
    """Read the configuration.

    Args:
        text: The YAML document.
        source: Name of the file, for the faults.
        overrides: Top-level keys from flags; they win over the file.

    Returns:
        The configuration, or None and every fault found.
    """
    if len(text.encode()) > FILE_BYTES_MAX:
        return None, (Fault(source, 0, "", f"is larger than {FILE_BYTES_MAX} bytes"),)
    try:
        document = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        return None, (Fault(source, line, "", str(error.problem or error.context)),)
    except (YAMLError, RecursionError) as error:
        return None, (Fault(source, 0, "", str(error).splitlines()[0]),)
    if not isinstance(document, dict):
        return None, (Fault(source, 1, "", "must be a mapping with region, id, directors, ..."),)
    merged = {**document, **(overrides or {})}
    try:
        has_tls = merged.get("tls") is not None
        return AgentConfig.model_validate(merged, context={_HAS_TLS: has_tls}), ()
    except ValidationError as error:
        faults = sorted(_faults(error, document, source), key=lambda each: (each.line, each.path))
        return None, tuple(faults)


def _faults(error: ValidationError, document: Any, source: str) -> Iterator[Fault]:  # noqa: ANN401
    for each in error.errors(include_url=False):
        # A union's tag is part of pydantic's path but not of the file.
        steps = [step for step in each["loc"] if step not in ("Http", "Tcp", "Grpc", "Exec")]
        if each["type"] == "too_short" and each["loc"] in _incomplete(error):
            continue  # its parts were given, and are at fault themselves
        message = _message(each)
        line, path = _line(document, steps)
        yield Fault(source, line, ".".join(str(step) for step in path), message)


def _incomplete(error: ValidationError) -> set[tuple[int | str, ...]]:
    """Return the paths of lists in which a part is at fault."""
    places = (each["loc"] for each in error.errors(include_url=False))
    return {each[:-1] for each in places if each and isinstance(each[-1], int)}


def _message(fault: ErrorDetails) -> str:
    """Return pydantic's word as people say it."""
    context = fault.get("ctx", {})
    match fault["type"]:
        case "union_tag_invalid":
            return f"type {context['tag']!r} is none of {context['expected_tags']}"
        case "union_tag_not_found":
            return "needs a type, such as {type: Http, ...}"
        case "too_short":
            return f"needs at least {context['min_length']}"
        case "too_long":
            return f"has more than {context['max_length']}"
        case other:
            return _HINTS.get(other, fault["msg"].removeprefix("Value error, "))


def _line(document: Any, steps: list[int | str]) -> tuple[int, list[int | str]]:  # noqa: ANN401
    """Find the line of the innermost part of a path that is in the file."""
    line, path = 1, []
    at = document
    for step in steps:
        path.append(step)
        marks = getattr(at, "lc", None)
        if marks is None:
            continue
        if isinstance(at, dict) and step in at:
            line = marks.key(step)[0] + 1
            at = at[step]
        elif isinstance(at, list) and isinstance(step, int) and step < len(at):
            line = marks.item(step)[0] + 1
            at = at[step]
        else:
            at = None
    return line, path
