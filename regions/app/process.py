"""Builds the agent and owns the order in which it starts and stops."""

import asyncio
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from director.client.answering import Answerer
from director.client.watch import RouteWatcher
from director.geodb.find import open_geo_database
from director.geodb.reader import GeoDatabaseError
from director.routing.table import RegionId, ServiceId
from director.runtime.clock import boot_ms
from director.runtime.directory_lock import DirectoryLock
from director.runtime.identity import Kind
from director.runtime.logs import get_logger
from director.runtime.tls import HalfLifeAlarm, TlsFiles, open_tls
from regions.actuators.gate import Gates
from regions.actuators.proof_file import ProofFile
from regions.actuators.role_file import RoleFile, kernel_boot_id
from regions.actuators.token_file import TokenFile
from regions.api.gate import GateServicer
from regions.api.http import HttpServer
from regions.api.routing import RoutingServicer
from regions.api.server import AgentServer
from regions.api.view import LatePlaces
from regions.api.vitals import Counts, Vitals
from regions.app.disk import Disk
from regions.app.role_files import RoleFiles
from regions.app.shell import Shell
from regions.config import AgentConfig, ExecLag, HttpLag
from regions.core.agent import Agent
from regions.core.inputs import Stopping, Ticked
from regions.core.settings import AgentIdentity
from regions.probes.lag import LagSpec
from regions.transport.codec import hello
from regions.transport.director_stream import DirectorStreams

VERSION = "0.1.0"

# A changed certificate is taken with the next connection; this finds one that was not changed.
CERTIFICATE_LOOK_MS = 60_000


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the agent listens, once it does."""

    grpc: int
    http: int


class AgentProcess:
    """One agent, from its configuration to its end."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._lock: DirectoryLock | None = None
        self._geo: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> Ports:
        """Take the data directory, serve, and begin to look for the directors.

        Raises:
            DirectoryInUseError: Another process has the data directory.
            ForeignDirectoryError: It belongs to another agent.
            CorruptFileError: The kept tokens are damaged.
            TlsError: The certificate files cannot be used, or are another agent's.
            OSError: A file or a port cannot be had.
        """
        config = self._config
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = DirectoryLock(config.data_dir)
        try:
            return await self._start(config)
        except BaseException:
            self._lock.close()
            raise

    async def _start(self, config: AgentConfig) -> Ports:
        tls = open_tls(config.tls_paths(), Kind.AGENT, config.id, config.region)
        tokens = TokenFile(config.data_dir / "tokens", region_id=config.region, agent_id=config.id)
        identity = AgentIdentity(RegionId(config.region), config.agent_id(), secrets.token_hex(8))
        settings = config.settings()
        agent = Agent(settings, identity, tokens.read())
        service_ids = tuple(each.service_id for each in settings.services)
        gates = Gates(service_ids, boot_ms)
        counts = Counts()
        vitals = Vitals(identity.region_id, VERSION, counts, tls=tls)
        self._shell = Shell(agent, gates, _lags(config), counts)
        self._shell.loads = _loads(config)
        self._disk = Disk(tokens, ProofFile(config.data_dir / "proof"), self._shell.receive)
        rng = random.Random()  # noqa: S311 - spreads load; nothing secret depends on it
        self._streams = DirectorStreams(
            config.directors,
            lambda: hello(identity, service_ids, VERSION),
            self._shell.receive,
            rng,
            tls,
        )
        self._shell.attach(self._streams, self._disk)
        self._role_files = RoleFiles(gates, _role_files(config))
        places = LatePlaces()
        answerer = Answerer(places, caller_region=identity.region_id)
        self._watcher = RouteWatcher(
            config.directors,
            answerer.adopt,
            kept_path=config.data_dir / "routes",
            watcher_id=f"agent/{config.region}/{config.id}",
            tls=tls,
        )
        self._server = AgentServer(
            GateServicer(gates),
            RoutingServicer(answerer, self._watcher),
            region_id=config.region,
            tls=None if config.listen.plain else tls,
        )
        self._http = HttpServer(gates, answerer, self._watcher, vitals)
        # The kept routes are loaded before the first answer is given.
        await self._watcher.start()
        ports = Ports(
            await self._server.start(config.listen.grpc), await self._http.start(config.listen.http)
        )
        # The first input closes every gate; then whoever reads a file may see one.
        self._shell.receive(Ticked())
        self._role_files.start()
        self._streams.start()
        self._geo = asyncio.create_task(_locate(config, places), name="geo-database")
        self._renewal = asyncio.create_task(_watch_certificate(tls), name="certificate")
        get_logger().info(
            "agent_started",
            region_id=config.region,
            boot_id=identity.boot_id,
            grpc_port=ports.grpc,
            http_port=ports.http,
            service_count=len(service_ids),
        )
        return ports

    async def stop(self) -> None:
        """Close the gates, say so, and end. The lease ends by itself soon after."""
        self._shell.receive(Stopping())
        await self._role_files.stop()
        await self._streams.stop()
        await self._shell.stop()
        await self._disk.stop()
        for task in filter(None, (self._geo, self._renewal)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._http.stop()
        await self._server.stop()
        await self._watcher.stop()
        if self._lock is not None:
            self._lock.close()
        get_logger().info("agent_stopped")


async def _watch_certificate(tls: TlsFiles | None) -> None:
    """Warn of a certificate that should have been renewed."""
    if tls is None:
        return
    alarm = HalfLifeAlarm(tls)
    while True:
        alarm.look()
        await asyncio.sleep(CERTIFICATE_LOOK_MS / 1_000)


async def _locate(config: AgentConfig, places: LatePlaces) -> None:
    """Open the geo database beside everything else; without one, addresses have no place."""
    wanted = config.geo_database
    if wanted == "none":
        return
    path = None if wanted is None else Path(wanted)
    try:
        database = await asyncio.to_thread(open_geo_database, path)
    except (GeoDatabaseError, OSError) as error:
        get_logger().error("geo_database_unusable", reason=str(error))
        return
    places.adopt(database)


def _lags(config: AgentConfig) -> Mapping[ServiceId, LagSpec]:
    return {
        ServiceId(service.name): _source(service.lag)
        for service in config.services
        if service.lag is not None
    }


def _loads(config: AgentConfig) -> Mapping[ServiceId, LagSpec]:
    return {
        ServiceId(service.name): _source(service.load)
        for service in config.services
        if service.load is not None
    }


def _source(source: ExecLag | HttpLag) -> LagSpec:
    if isinstance(source, ExecLag):
        return LagSpec(command=source.command, timeout_ms=source.timeout)
    return LagSpec(address=source.address, path=source.path, timeout_ms=source.timeout)


def _role_files(config: AgentConfig) -> Mapping[ServiceId, RoleFile]:
    if not any(service.role_file for service in config.services):
        return {}
    boot_id = kernel_boot_id()
    return {
        ServiceId(service.name): RoleFile(service.role_file, boot_id)
        for service in config.services
        if service.role_file is not None
    }
