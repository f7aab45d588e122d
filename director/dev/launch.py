"""Starts a fleet and waits until it does its job: a leader, agents heard, chat accepting writes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from director.dev.directors import Directors, DirectorsError
from director.dev.supervisor import Fleet, FleetError
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as pb

_T = TypeVar("_T")
_POLL_SECONDS = 0.1
READY_WITHIN_MS = 30_000
CHAT = "chat"


@dataclass(frozen=True, slots=True)
class Launched:
    """A fleet that is ready.

    Attributes:
        leader_after_ms: Start of the processes to the first leader known.
        ready_after_ms: Start of the processes to chat accepting writes at its owner.
        owner: Region that owns chat.
        services: The services and their objectives, a line for people.
    """

    leader_id: str
    term: int
    leader_after_ms: int
    ready_after_ms: int
    revision: int
    owner: str
    services: str


class _Launch:
    """One start, with what it waits for, so that giving up can say so."""

    def __init__(self, fleet: Fleet, directors: Directors) -> None:
        self._fleet = fleet
        self._directors = directors
        self.waiting_for = ""
        self.suspects: list[str] = []

    async def run(self) -> Launched:
        plan = self._fleet.plan
        replicas = [each.replica_id for each in plan.replicas]
        started_at_ms = boot_ms()
        self._fleet.start(replicas)
        await self._until("the directors to listen", replicas, self._listening)
        # Only now: an agent that finds nobody waits longer each time, up to seconds.
        self._fleet.start()
        leader = await self._until("a leader", replicas, self._leader)
        leader_after_ms = boot_ms() - started_at_ms
        self._expect("the documents to be applied", replicas)
        applied = await self._directors.apply(self._fleet.documents, "dev")
        await self._until("all three replicas to answer", replicas, self._everyone)
        agents = [f"{each.region_id}/agent" for each in plan.regions]
        await self._until("the agents of all regions", agents, self._heard)
        samples = [f"{each.region_id}/sample" for each in plan.regions]
        owner = await self._until("chat to accept writes", agents + samples, self._writable)
        ready_after_ms = boot_ms() - started_at_ms
        return Launched(
            leader.leader_id,
            leader.term,
            leader_after_ms,
            ready_after_ms,
            applied.revision,
            owner,
            _services(await self._directors.status()),
        )

    def _expect(self, what: str, suspects: list[str]) -> None:
        self.waiting_for, self.suspects = what, suspects

    async def _until(
        self, what: str, suspects: list[str], look: Callable[[], Awaitable[_T | None]]
    ) -> _T:
        self._expect(what, suspects)
        while True:
            self._fleet.assert_running()
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(_POLL_SECONDS)

    async def _listening(self) -> bool | None:
        for address in self._fleet.plan.api_addresses:
            host, port = address.rsplit(":", 1)
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return None
            writer.close()
        return True

    async def _leader(self) -> pb.GetStatusResponse | None:
        statuses = (await self._directors.statuses()).values()
        return next((each for each in statuses if each is not None and each.leader_id), None)

    async def _everyone(self) -> bool | None:
        statuses = (await self._directors.statuses()).values()
        return all(each is not None and each.config_revision > 0 for each in statuses) or None

    async def _heard(self) -> bool | None:
        """Every replica has heard every agent, so that any of them could lead from here on."""
        regions = {each.region_id for each in self._fleet.plan.regions}
        for status in (await self._directors.statuses()).values():
            heard = (
                {each.region_id for each in status.regions if each.agent_count} if status else ()
            )
            if not regions.issubset(heard):
                return None
        return True

    async def _writable(self) -> str | None:
        status = await self._directors.status()
        return open_gate(status, CHAT)


def _services(status: pb.GetStatusResponse) -> str:
    said = []
    for each in status.services:
        mode = "active-passive" if each.mode == "ActivePassive" else "active-active"
        rpo = f", RPO {each.rpo_ms / 1_000:g}s" if each.HasField("rpo_ms") else ""
        said.append(f"{each.service_id} ({mode}, RTO {each.rto_ms / 1_000:g}s{rpo})")
    return " · ".join(said)


def open_gate(status: pb.GetStatusResponse, service_id: str) -> str | None:
    """Return the service's owner if routes point at it and its gate is open, else None."""
    for service in status.services:
        if service.service_id == service_id and service.owner_region_id:
            owner = service.owner_region_id
            gates = {site.region_id: site.gate_open for site in service.sites}
            return owner if gates.get(owner) and service.serving_region_id == owner else None
    return None


async def launch(
    fleet: Fleet, directors: Directors, *, within_ms: int = READY_WITHIN_MS
) -> Launched:
    """Start every process of ``fleet`` and wait until chat accepts writes.

    Raises:
        FleetError: A process ended by itself, or it took too long; with the last words of those
            waited for. The caller must stop the fleet.
    """
    attempt = _Launch(fleet, directors)
    try:
        async with asyncio.timeout(within_ms / 1_000):
            return await attempt.run()
    except (TimeoutError, DirectorsError) as error:
        raise FleetError(_gave_up(fleet, attempt, within_ms, error)) from None


def _gave_up(fleet: Fleet, attempt: _Launch, within_ms: int, error: Exception) -> str:
    why = f": {error}" if isinstance(error, DirectorsError) else ""
    lines = [f"waited for {attempt.waiting_for} for up to {within_ms / 1_000:.0f} s{why}"]
    for name in attempt.suspects:
        lines += [f"--- {name}, last words:", fleet.log_tail(name) or "(nothing)"]
    return "\n".join(lines)
