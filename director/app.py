"""The composition root of a director replica: builds everything, owns start and stop order."""

import asyncio
import errno
import gc
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvloop
from structlog.typing import FilteringBoundLogger

from director.api import agents, cluster, drills, events, evidence, failovers, fleet, routing
from director.api.access import Roles
from director.api.agents import AgentApi
from director.api.cluster import ClusterApi
from director.api.drills import DrillApi
from director.api.events import EventApi
from director.api.evidence import EvidenceApi
from director.api.failovers import FailoverApi
from director.api.fleet import FleetApi
from director.api.routing import RoutingApi
from director.api.server import ApiServer
from director.client.answering import Answerer
from director.client.kept import KeptTable
from director.config.roles import RolesError, read_roles
from director.consensus.embedded import offline
from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.engine import EmbeddedConsensus
from director.consensus.port import Consensus, ConsensusError, EngineFailedError
from director.core.director import Director
from director.core.ids import ReplicaId
from director.core.timing import DEFAULT_TIMING, Timing
from director.geodb.find import open_geo_database
from director.geodb.reader import GeoDatabase, GeoDatabaseError
from director.http.scrape import Counted
from director.http.server import http_faults, open_http
from director.routing.table import RouteTable
from director.runtime.clock import boot_ms
from director.runtime.errors import ReasonedError
from director.runtime.hardening import harden
from director.runtime.http_server import HttpServer
from director.runtime.identity import Kind
from director.runtime.logs import configure
from director.runtime.loopback import ensure_loopback
from director.runtime.signals import assert_debug, exit_if_stuck, stop_event
from director.runtime.tls import HalfLifeAlarm, TlsError, TlsFiles, TlsPaths, open_tls
from director.service.codec import encode_state
from director.service.drill_schedules import DrillSchedules
from director.service.errors import UnknownEntryError
from director.service.measured import MeasuredConsensus
from director.service.replica import Replica, ReplicaSettings
from director.service.restoring import restored_state
from director.service.webhook_sender import WebhookSender

EXIT_STOPPED = 0
EXIT_BAD_SETTINGS = 2
EXIT_BUG = 70
"""A mistake of ours or an entry this release cannot read (EX_SOFTWARE of sysexits.h)."""
EXIT_STORAGE = 74
"""The data directory cannot be used (EX_IOERR of sysexits.h)."""

# Within a graceful stop: long enough for a transfer of leadership, short enough for a supervisor.
TRANSFER_DEADLINE_MS = 2_000
DRAIN_MS = 1_000
# A changed certificate is taken at the next handshake anyway; this finds one that was not changed.
CERTIFICATE_LOOK_MS = 60_000
# All of a stop, twice over. A supervisor that waits longer before it kills would wait for nothing.
STOP_DEADLINE_MS = 10_000

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_NAME_RULE = (
    "lower-case letters, digits, '-', '.' and '_', at most 63, beginning and ending with a letter "
    "or digit"
)
_WHY_NOT_LISTENING = {
    errno.EADDRINUSE: "something listens there already; stop it, or choose another port",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}
_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}|unix:.+")

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PeerAddresses:
    """Where one replica of the fleet is found.

    Attributes:
        peer: ``host:port`` for the other replicas.
        api: ``host:port`` for everyone else.
        failure_domain: Replicas of one domain may fail together.
    """

    peer: str
    api: str
    failure_domain: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a replica is started with.

    Attributes:
        listen: ``host:port`` of the API; port 0 takes any free one.
        peer_listen: ``host:port`` for the other replicas.
        peers: All replicas by id. This one is added if it is missing.
        join: Wait to be added to a running fleet rather than found one.
        election_ms: A follower campaigns after a silence of once to twice this.
        geo_database: An MMDB file; None looks in the usual places and then uses the shipped one.
        log_json: True for JSON, False for key=value; None: JSON unless on a terminal.
        snapshot_every: Entries between snapshots.
        allow_insecure: Listen where other machines can connect, without TLS.
        http_listen: ``host:port`` for probes, load balancers and scrapes; "" opens no such port.
        tls: Certificate, key and authorities; None serves and connects without TLS.
        roles: File that says what operators may do, with TLS; None: look, and nothing else.
    """

    replica_id: str
    fleet_id: str
    data_dir: Path
    listen: str
    peer_listen: str
    failure_domain: str = ""
    peers: Mapping[str, PeerAddresses] = field(default_factory=dict)
    timing: Timing = DEFAULT_TIMING
    join: bool = False
    election_ms: int = 1_000
    geo_database: Path | None = None
    log_json: bool | None = None
    log_level: str = "info"
    snapshot_every: int = 4_096
    allow_insecure: bool = False
    http_listen: str = ""
    tls: TlsPaths | None = None
    roles: Path | None = None

    @property
    def all_peers(self) -> dict[str, PeerAddresses]:
        """All replicas, this one included, sorted by id."""
        own = PeerAddresses(self.peer_listen, self.listen, self.failure_domain or self.replica_id)
        peers = {self.replica_id: own, **self.peers}
        return {replica_id: peers[replica_id] for replica_id in sorted(peers)}


class SettingsError(ValueError):
    """The replica cannot be started with these settings. The message says what to change."""


class DataDirectoryError(Exception):
    """The data directory cannot be made or used. The message says why."""


def serve(settings: Settings) -> int:
    """Run a replica until it is told to stop; return the exit code."""
    assert_debug()
    harden()
    configure(json=settings.log_json, level=settings.log_level, replica_id=settings.replica_id)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(settings))


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to.

    Attributes:
        index: Of the last entry that the restored state includes.
        revision: Number of the documents in force; 0 means none.
        generation: The one that starts before anybody acts, or a higher one.
        dropped_count: Entries of the copy that it does not know to be committed.
        cut_bytes: Bytes at the end of the copy that were never synced.
    """

    fleet_id: str
    copied_from: str
    index: int
    revision: int
    generation: int
    dropped_count: int
    cut_bytes: int


class RestoreError(Exception):
    """Nothing was restored. The message says why, and what was left as it was."""


def restore(copy: Path, target: Path, replica_id: str, *, generation_min: int = 0) -> Restored:
    """Make the data directory of a fleet of one replica from a copy of an older one.

    Args:
        copy: A data directory as it was; nothing in it is changed.
        target: The new directory; it must not exist.
        replica_id: The one voter. The others join as new members.
        generation_min: The generation is at least this, and above that of the copy.

    Raises:
        RestoreError: The copy is damaged or of a later release, or the target is there already.
        OSError: The disk failed or is full.
    """
    if not _NAME.fullmatch(replica_id):
        raise RestoreError(f"--id: {replica_id!r} is not a name: {_NAME_RULE}")
    if target.exists():
        raise RestoreError(f"{target} is there already; a restore makes a new directory")
    if not target.absolute().parent.is_dir():
        raise RestoreError(f"{target.absolute().parent} is not a directory")
    try:
        copied = offline.read_copy(copy, target)
        state = restored_state(copied.snapshot, copied.payloads, generation_min=generation_min)
        assert state.applied_index == copied.index, "every entry was applied"
        offline.found_directory(
            target,
            fleet_id=copied.fleet_id,
            replica_id=replica_id,
            index=copied.index,
            term=copied.term,
            payload=encode_state(state),
        )
    except (offline.CopyUnusableError, UnknownEntryError, ReasonedError) as error:
        raise RestoreError(str(error)) from error
    return Restored(
        copied.fleet_id,
        copied.replica_id,
        copied.index,
        state.revision,
        state.generation_due,
        copied.dropped_count,
        copied.cut_bytes,
    )


async def run(settings: Settings) -> int:
    """Run a replica until SIGTERM, SIGINT or a failure; return the exit code.

    0: stopped when told to. 2: the settings cannot be used. 70: the replica stopped itself. 74: the
    data directory cannot be used. The reason is in the log, and on standard error at start.
    """
    stop = stop_event()
    began_at_ms = boot_ms()
    try:
        running = await start(settings)
    except SettingsError as error:
        return _refuse(EXIT_BAD_SETTINGS, error)
    except (EngineFailedError, DataDirectoryError) as error:
        return _refuse(EXIT_STORAGE, error)
    except OSError as error:
        return _refuse(EXIT_STORAGE if error.filename else EXIT_BAD_SETTINGS, error)
    log.info(
        "replica_started",
        listen=running.listen,
        peer_listen=settings.peer_listen,
        http_listen=running.http_listen,
        fleet_id=settings.fleet_id,
        failure_domain=running.replica.settings.failure_domain,
        voters=",".join(settings.all_peers),
        data_dir=str(settings.data_dir),
        start_ms=boot_ms() - began_at_ms,
    )
    waiting = asyncio.create_task(stop.wait(), name="stop-signal")
    await asyncio.wait((waiting, running.replica.stopped), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    failed = running.replica.stopped.done()
    exit_if_stuck(STOP_DEADLINE_MS, EXIT_BUG, lambda: log.error("stop_overdue"))
    await running.stop()
    log.info("replica_stopped", exit_code=EXIT_BUG if failed else EXIT_STOPPED)
    return EXIT_BUG if failed else EXIT_STOPPED


@dataclass(slots=True)
class Running:
    """A replica that serves.

    Attributes:
        listen: Address of the API, with the port it got.
        http: Serves probes and scrapes; None without a port for them.
        http_listen: Its address, with the port it got; "" without one.
    """

    replica: Replica
    server: ApiServer
    consensus: Consensus
    listen: str
    watcher: asyncio.Task[None]
    http: HttpServer | None = None
    http_listen: str = ""

    async def stop(self) -> None:
        """Hand over, drain, and leave in good order."""
        self.watcher.cancel()
        await self.server.set_serving(is_serving=False)
        standing = self.consensus.standing()
        if standing.is_leader and len(self.consensus.members()) > 1:
            try:
                async with asyncio.timeout(TRANSFER_DEADLINE_MS / 1_000):
                    await self.consensus.transfer()
            except (ConsensusError, TimeoutError) as error:
                log.warning("leadership_not_transferred", reason=str(error) or "not in time")
        self.replica.hub.close()
        self.replica.links.close()
        await self.server.stop(grace_ms=DRAIN_MS)
        if self.http is not None:
            await self.http.stop()
        await self.replica.stop()


async def start(settings: Settings, *, consensus: Consensus | None = None) -> Running:
    """Build and start everything; ``consensus`` replaces the engine, for tests.

    Raises:
        SettingsError: A name, an address, the timing or the geo database cannot be used.
        DataDirectoryError: The data directory cannot be made.
        EngineFailedError: The log cannot be opened.
        OSError: A file in the data directory cannot be used.
    """
    _check(settings)
    tls, roles = _secured(settings)
    peers = settings.all_peers
    places = await asyncio.to_thread(_open_places, settings)
    _make_directory(settings.data_dir)
    engine = MeasuredConsensus(consensus if consensus is not None else _engine(settings, tls))
    answerer = Answerer(places)
    replica = _replica(settings, engine, answerer, tls)
    resolving = RoutingApi(answerer, replica.hub, replica.view.label)
    server = ApiServer(
        [
            resolving.handlers(),
            AgentApi(replica).handlers(),
            EvidenceApi(replica).handlers(),
            FleetApi(replica).handlers(),
            FailoverApi(replica).handlers(),
            DrillApi(replica).handlers(),
            EventApi(replica).handlers(),
            ClusterApi(replica, {each: peer.peer for each, peer in peers.items()}).handlers(),
        ],
        (
            routing.NAME,
            agents.NAME,
            evidence.NAME,
            events.NAME,
            fleet.NAME,
            failovers.NAME,
            drills.NAME,
            cluster.NAME,
        ),
        tls=tls,
        roles=roles,
    )
    await replica.start()
    try:
        port = await server.start(_listen(settings.listen, settings))
        counted = Counted(engine, answerer.tallies, resolving.times)
        http = await open_http(
            replica, counted, settings.http_listen, allow_insecure=settings.allow_insecure
        )
    except OSError as error:
        await server.stop(grace_ms=0)
        await replica.stop()
        raise SettingsError(str(error)) from error
    watcher = asyncio.create_task(_watch_over(replica, server, tls), name="readiness")
    # What was built so far lives as long as the process; collections need not look at it again.
    gc.collect()
    gc.freeze()
    host = settings.listen.rpartition(":")[0]
    return Running(replica, server, engine, f"{host}:{port}", watcher, *http)


def _replica(
    settings: Settings, engine: Consensus, answerer: Answerer, tls: TlsFiles | None
) -> Replica:
    peers = settings.all_peers
    own = peers[settings.replica_id]
    return Replica(
        ReplicaSettings(
            settings.replica_id,
            own.failure_domain or settings.replica_id,
            settings.timing,
            tuple((replica_id, each.api) for replica_id, each in peers.items()),
            failure_domains=tuple(
                each.failure_domain or replica_id for replica_id, each in peers.items()
            ),
            snapshot_entries=settings.snapshot_every,
            election_ms=settings.election_ms,
            tls=tls,
        ),
        Director(
            ReplicaId(settings.replica_id),
            own.failure_domain or settings.replica_id,
            settings.timing,
            {ReplicaId(each): peer.failure_domain or each for each, peer in peers.items()},
        ),
        engine,
        kept=KeptTable(settings.data_dir / "routes.kept"),
        on_table=lambda table: _adopt(answerer, table),
    )


def _adopt(answerer: Answerer, table: RouteTable) -> None:
    answerer.adopt_table(table)


async def _watch_over(replica: Replica, server: ApiServer, tls: TlsFiles | None) -> None:
    webhooks = WebhookSender(replica.consensus, lambda: replica.state)
    calendar = DrillSchedules(replica.writes, replica.consensus.standing, lambda: replica.state)
    await asyncio.gather(
        _watch_readiness(replica, server), _watch_certificate(tls), webhooks.run(), calendar.run()
    )


async def _watch_certificate(tls: TlsFiles | None) -> None:
    """Warn of a certificate that should have been renewed; it is read again here as well."""
    if tls is None:
        return
    alarm = HalfLifeAlarm(tls)
    while True:
        alarm.look()
        await asyncio.sleep(CERTIFICATE_LOOK_MS / 1_000)


async def _watch_readiness(replica: Replica, server: ApiServer) -> None:
    """Say SERVING as soon as resolves can be answered; a lost leader does not take that back."""
    await replica.has_table.wait()
    await server.set_serving(is_serving=True)


def _check(settings: Settings) -> None:
    faults = list(settings.timing.faults())
    for word, name in (("--id", settings.replica_id), ("--fleet", settings.fleet_id)):
        if not _NAME.fullmatch(name):
            faults.append(f"{word}: {name!r} is not a name: {_NAME_RULE}")
    listeners = (
        ("--listen", settings.listen),
        ("--peer-listen", settings.peer_listen),
        *([("--http", settings.http_listen)] if settings.http_listen else []),
    )
    for word, address in listeners:
        try:
            _check_free(_listen(address, settings))
        except ValueError as error:
            faults.append(f"{word}: {error}")
    faults += _peer_faults(settings)
    faults += http_faults(settings.http_listen, settings.listen, settings.peer_listen)
    if faults:
        raise SettingsError("; ".join(faults))


def _peer_faults(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the list of replicas."""
    first_by_address: dict[str, str] = {}
    for replica_id, peer in settings.all_peers.items():
        if replica_id != settings.replica_id and not _NAME.fullmatch(replica_id):
            yield f"--peer {replica_id}: it is not a name: {_NAME_RULE}"
        for address in (peer.peer, peer.api):
            if not _ADDRESS.fullmatch(address):
                yield f"--peer {replica_id}: {address!r} is not HOST:PORT"
            elif not address.endswith(":0"):
                other = first_by_address.setdefault(address, replica_id)
                if other != replica_id:
                    yield f"{other} and {replica_id} both have the address {address}"
    own = settings.all_peers[settings.replica_id]
    if own.peer == own.api and not own.peer.endswith(":0"):
        yield f"--listen and --peer-listen are both {own.api}; give each a port of its own"


def _check_free(address: str) -> None:
    """Say plainly that a port is taken, before anything is opened.

    Raises:
        ValueError: Another process listens there, or the address is not of this machine.
    """
    host, colon, port = address.rpartition(":")
    if not colon or address.startswith("unix:"):
        return
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            said = _WHY_NOT_LISTENING.get(error.errno or 0, "")
            if said:  # anything else is for the listener itself to find
                raise ValueError(f"cannot listen at {address}: {said}") from None


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        hint = "choose another --data-dir, or make it and give it to this user"
        raise DataDirectoryError(f"the data directory {path} cannot be made: {said}; {hint}") from (
            error
        )


def _listen(address: str, settings: Settings) -> str:
    is_open = settings.allow_insecure or settings.tls is not None
    return address if is_open else ensure_loopback(address)


def _secured(settings: Settings) -> tuple[TlsFiles | None, Roles]:
    """Return what this replica shows and trusts, and what operators may do.

    Raises:
        SettingsError: A file cannot be used; the message names it.
    """
    if settings.tls is None:
        if settings.roles is not None:
            raise SettingsError("--roles needs --tls-cert: without TLS nobody can say who they are")
        return None, Roles()
    try:
        tls = open_tls(settings.tls, Kind.DIRECTOR, settings.replica_id)
        if settings.roles is None:
            return tls, Roles()
        domain = settings.tls.trust_domain
        return tls, Roles.of(read_roles(settings.roles, trust_domain=domain))
    except (TlsError, RolesError) as error:
        raise SettingsError(str(error)) from error


def _engine(settings: Settings, tls: TlsFiles | None) -> EmbeddedConsensus:
    try:
        config = EmbeddedConfig(
            replica_id=settings.replica_id,
            fleet_id=settings.fleet_id,
            data_dir=settings.data_dir,
            listen=settings.peer_listen,
            peers={each: peer.peer for each, peer in settings.all_peers.items()},
            join=settings.join,
            election_ms=settings.election_ms,
            heartbeat_ms=min(100, max(1, settings.election_ms // 10)),
            tick_ms=min(50, max(1, settings.election_ms // 20)),
            allow_insecure=settings.allow_insecure,
            tls=tls,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return EmbeddedConsensus(config)


def _open_places(settings: Settings) -> GeoDatabase | None:
    wanted = settings.geo_database
    if wanted is not None and not wanted.is_file():
        raise SettingsError(f"--geo-database: there is no file {wanted}")
    try:
        places = open_geo_database(wanted)
    except (GeoDatabaseError, OSError) as error:
        if settings.geo_database is not None:
            raise SettingsError(str(error)) from error
        log.warning("geo_database_unavailable", reason=str(error))
        return None
    described = places.describe()
    log.info(
        "geo_database_opened",
        path=described.path,
        built_on=described.built_on,
        attribution=described.attribution,
        chosen_by=described.chosen_by,
    )
    return places


def _refuse(exit_code: int, error: BaseException) -> int:
    log.error("replica_not_started", reason=str(error), exit_code=exit_code)
    sys.stderr.write(f"director: {error}\n")
    return exit_code
