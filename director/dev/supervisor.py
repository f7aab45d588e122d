"""Starts, kills, stops and restores the processes of the fleet.

Each process runs in a session of its own, so that Ctrl-C reaches only the supervisor, which then
ends the others in order. ``director.dev.child`` makes sure that none outlives it.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from director.dev.credentials import (
    CLIENT,
    OPERATOR,
    Credentials,
    agent_identity,
    director_identity,
    sample_identity,
)
from director.dev.documents import agent_config, sample_documents
from director.dev.plan import FleetPlan, RegionPlan, ReplicaPlan
from director.runtime.clock import boot_ms
from director.runtime.directory_lock import DirectoryInUseError, DirectoryLock
from director.runtime.tls import TlsFiles

PREFIX = "director-dev-"
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 15


class FleetError(Exception):
    """The fleet could not be started or changed; the message says which process and why."""


class How(StrEnum):
    """How a region is lost: its processes end, are frozen, or only its agent ends."""

    KILL = "kill"
    STOP = "stop"
    AGENT = "agent"


@dataclass(slots=True)
class _Child:
    """One process of the fleet and how to start it again."""

    name: str
    arguments: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Fleet:
    """The processes of one sample fleet, in a temporary directory unless told where.

    ``is_tls``: everybody shows a certificate, of an authority made in the directory.

    Names: ``d0`` is a replica, ``eu-west1/agent`` and ``eu-west1/sample`` run in a region.

    Raises:
        DirectoryInUseError: Another fleet runs in ``data_dir``.
    """

    def __init__(
        self, plan: FleetPlan, data_dir: Path | None = None, *, is_tls: bool = False
    ) -> None:
        self.plan = plan
        self._is_temporary = data_dir is None
        if data_dir is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = DirectoryLock(self.data_dir)
        self._logs = self.data_dir / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self.documents = sample_documents(plan)
        self.credentials = Credentials(plan, self.data_dir / "pki") if is_tls else None
        self._children: dict[str, _Child] = {}
        self._lost: dict[str, tuple[How, list[str]]] = {}
        for replica in plan.replicas:
            self._add(replica.replica_id, self._replica_arguments(replica))
        for region in plan.regions:
            self._add(f"{region.region_id}/agent", self._agent_arguments(region))
            self._add(f"{region.region_id}/sample", self._sample_arguments(region))

    # -- what to run ---------------------------------------------------------------------------

    def _add(self, name: str, arguments: list[str]) -> None:
        log = self._logs / f"{name.replace('/', '-')}.log"
        self._children[name] = _Child(name, arguments, log)

    def _replica_arguments(self, replica: ReplicaPlan) -> list[str]:
        arguments = ["director", "serve", "--id", replica.replica_id, "--fleet", self.plan.fleet_id]
        arguments += ["--data-dir", str(self.data_dir / replica.replica_id), "--log-json"]
        arguments += ["--listen", replica.api, "--peer-listen", replica.peer]
        arguments += ["--http", replica.http]
        arguments += ["--failure-domain", replica.failure_domain]
        others = [each for each in self.plan.replicas if each.replica_id != replica.replica_id]
        for peer in others:
            member = f"{peer.replica_id}={peer.peer},{peer.api},{peer.failure_domain}"
            arguments += ["--peer", member]
        if self.credentials is not None:
            arguments += self.credentials.flags(director_identity(replica.replica_id))
            arguments += ["--roles", str(self.credentials.roles)]
        return arguments

    def _agent_arguments(self, region: RegionPlan) -> list[str]:
        directory = self.data_dir / region.region_id
        directory.mkdir(exist_ok=True)
        config = directory / "agent.yaml"
        tls = None
        if self.credentials is not None:
            tls = self.credentials.paths(agent_identity(region.region_id))
        config.write_text(agent_config(self.plan, region.region_id, str(directory), tls))
        return ["regions", "--config", str(config)]

    def _sample_arguments(self, region: RegionPlan) -> list[str]:
        arguments = ["regions.sample", "--region", region.region_id]
        arguments += ["--data-dir", str(self.data_dir / region.region_id)]
        arguments += ["--agent", region.agent_grpc, "--chat", region.chat]
        if region.embed:
            arguments += ["--embed", region.embed]
        for peer in self.plan.regions:
            arguments += ["--peer", f"{peer.region_id}={peer.chat}"]
        if self.credentials is not None:
            arguments += self.credentials.flags(sample_identity(region.region_id))
        return arguments

    def client_tls(self) -> TlsFiles | None:
        """What clients of the fleet show to directors; None without TLS."""
        return None if self.credentials is None else self.credentials.opened(CLIENT)

    def operator_tls(self) -> TlsFiles | None:
        """What its operator shows to directors; None without TLS."""
        return None if self.credentials is None else self.credentials.opened(OPERATOR)

    # -- who runs where ------------------------------------------------------------------------

    @property
    def journals(self) -> list[Path]:
        """The write logs that exist by now."""
        paths = (self.data_dir / each.region_id / "chat.jsonl" for each in self.plan.regions)
        return [path for path in paths if path.exists()]

    def names_in(self, region_id: str) -> list[str]:
        """Every process that is lost with the region, its director replica included."""
        replicas = [each.replica_id for each in self.plan.replicas if each.region_id == region_id]
        return [*replicas, f"{region_id}/agent", f"{region_id}/sample"]

    def running(self) -> list[str]:
        """Names of the processes that run (or are stopped by SIGSTOP)."""
        return [name for name, child in self._children.items() if child.is_running]

    def log_tail(self, name: str) -> str:
        """The last lines a process wrote."""
        child = self._children[name]
        if not child.log.exists():
            return ""
        lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    # -- doing ---------------------------------------------------------------------------------

    def start(self, names: Iterable[str] | None = None) -> None:
        """Start the named processes, or all; those that run already are left alone."""
        for name in self._children if names is None else names:
            child = self._children[name]
            if not child.is_running:
                with child.log.open("ab") as log:
                    child.process = _spawn(child.arguments, log)

    def signal(self, names: Iterable[str], number: signal.Signals) -> None:
        """Send a signal to the named processes, all at once."""
        for name in names:
            child = self._children[name]
            if child.is_running and child.process is not None:
                child.process.send_signal(number)

    def lose(self, region_id: str, how: How) -> tuple[int, list[str]]:
        """Lose a region at once; return when (boot time) and which processes.

        Raises:
            FleetError: There is no such region, or it is lost already.
        """
        if region_id not in {each.region_id for each in self.plan.regions}:
            raise FleetError(f"there is no region {region_id}")
        if region_id in self._lost:
            raise FleetError(f"{region_id} is lost already")
        names = [f"{region_id}/agent"] if how is How.AGENT else self.names_in(region_id)
        self._lost[region_id] = (how, names)
        at_ms = boot_ms()
        self.signal(names, signal.SIGSTOP if how is How.STOP else signal.SIGKILL)
        return at_ms, names

    def restore(self, region_id: str) -> None:
        """Bring a lost region back: start its processes again, or let them go on."""
        how, names = self._lost.pop(region_id, (How.STOP, []))
        if how is How.STOP:
            self.signal(names, signal.SIGCONT)
            return
        for name in names:
            self.wait(name)  # SIGKILL was sent; without this it might count as running
        self.start(names)

    def wait(self, name: str) -> None:
        """Wait for the end of a process that was sent SIGKILL."""
        process = self._children[name].process
        if process is not None:
            process.wait()

    @property
    def lost_regions(self) -> list[str]:
        """Regions lost and not yet restored."""
        return sorted(self._lost)

    def ended(self) -> list[str]:
        """Processes that ended by themselves since the last call, each with its last words."""
        expected = {name for _, names in self._lost.values() for name in names}
        told = []
        for name, child in self._children.items():
            if name in expected or child.process is None or child.process.poll() is None:
                continue
            told.append(
                f"{name} ended with exit code {child.process.returncode}:\n{self.log_tail(name)}"
            )
            child.process = None
        return told

    def assert_running(self) -> None:
        """Raise when a process ended by itself.

        Raises:
            FleetError: Names it, its exit code and its last words.
        """
        told = self.ended()
        if told:
            raise FleetError("\n".join(told))

    async def stop(self) -> None:
        """End every process, kindly first, and remove a temporary directory. Idempotent."""
        try:
            self.signal(self._children, signal.SIGCONT)
            self.signal(self._children, signal.SIGTERM)
            # 5 s for all: enough to flush, short enough for whoever pressed Ctrl-C.
            for _ in range(int(_STOP_SECONDS / _POLL_SECONDS)):
                if not self.running():
                    break
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self.signal(self._children, signal.SIGKILL)
            for child in self._children.values():
                if child.process is not None:
                    child.process.wait()
            if self._is_temporary:
                shutil.rmtree(self.data_dir, ignore_errors=True)
            self._lock.close()


def remove_leftovers() -> None:
    """Remove temporary directories of fleets whose supervisor was killed; best effort."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, DirectoryInUseError):
            # Another user's directory cannot be locked, and a living fleet holds its lock.
            if directory.stat().st_uid == os.getuid():
                with DirectoryLock(directory):
                    shutil.rmtree(directory, ignore_errors=True)


def _spawn(arguments: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "director.dev.child", str(os.getpid()), *arguments]
    return subprocess.Popen(  # noqa: S603 - our own program with arguments from the plan
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
