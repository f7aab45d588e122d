"""The agents connected to this replica, and what is on its way to each.

What waits for an agent is kept by subject, the newest replacing the one before: a slow agent gets
present facts rather than a history, and takes a bounded amount of memory.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from director.core.effects import (
    DirectGroup,
    DirectInjection,
    DirectProbes,
    GrantLease,
    RefuseLease,
)
from director.core.ids import AgentId
from director.core.observation_log import AGENTS_PER_REGION_MAX
from director.routing.table import RegionId
from director.runtime.clock import boot_ms
from director.service.agent_wire import (
    group_directive,
    injection,
    lease_grant,
    lease_refusal,
    probe_plan,
    pulse,
)
from director.service.errors import OverloadedError
from trafficdirector.agent.v1 import agent_pb2 as pb

# Far more than one replica serves (the bar is 1 000); a limit nevertheless.
AGENTS_MAX = 10_000


@dataclass(eq=False, slots=True)
class AgentLink:
    """One agent's stream.

    Attributes:
        opened_at_ms: When it began, by this replica's clock.
        outbox: By subject, what is still to be sent.
        wake: Set when there is something in the outbox, or the link was closed.
    """

    region_id: RegionId
    agent_id: AgentId
    boot_id: str
    service_ids: frozenset[str]
    opened_at_ms: int = field(default_factory=boot_ms)
    outbox: dict[tuple[str, str], pb.ReportResponse] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False

    def put(self, subject: tuple[str, str], response: pb.ReportResponse) -> None:
        """Send ``response`` soon, in place of what waits under the same subject."""
        # A replaced directive goes to the end: the order of facts is the order they became true.
        self.outbox.pop(subject, None)
        self.outbox[subject] = response
        self.wake.set()

    def pulse(self) -> None:
        """Send a stamp of now to be given back. If it has to wait, it only bounds less tightly."""
        self.put(("pulse", ""), pulse(boot_ms()))

    async def take(self) -> list[pb.ReportResponse]:
        """Wait for something to send; empty once the link was closed."""
        while not self.outbox and not self.is_closed:
            self.wake.clear()
            await self.wake.wait()
        taken, self.outbox = list(self.outbox.values()), {}
        return [] if self.is_closed else taken

    def close(self) -> None:
        """End the stream."""
        self.is_closed = True
        self.wake.set()


class AgentLinks:
    """All of them, one per (region, agent)."""

    def __init__(self) -> None:
        self._links: dict[tuple[RegionId, AgentId], AgentLink] = {}
        self._count_by_region: Counter[RegionId] = Counter()

    def __len__(self) -> int:
        return len(self._links)

    def connect(self, link: AgentLink) -> None:
        """Take a link in. An older one of the same agent is closed: a half-open connection.

        Raises:
            OverloadedError: There are too many, in all or of its region.
        """
        key = (link.region_id, link.agent_id)
        former = self._links.get(key)
        if former is None and len(self._links) >= AGENTS_MAX:
            raise OverloadedError(f"{AGENTS_MAX} agents are connected", agentCountMax=AGENTS_MAX)
        if former is None and self._count_by_region[link.region_id] >= AGENTS_PER_REGION_MAX:
            raise OverloadedError(
                f"{AGENTS_PER_REGION_MAX} agents of {link.region_id} are connected",
                regionId=link.region_id,
                agentCountMax=AGENTS_PER_REGION_MAX,
            )
        if former is None:
            self._count_by_region[link.region_id] += 1
        else:
            former.close()
        self._links[key] = link

    def disconnect(self, link: AgentLink) -> None:
        """Forget a link, unless a newer one took its place."""
        key = (link.region_id, link.agent_id)
        if self._links.get(key) is link:
            del self._links[key]
            self._count_by_region[link.region_id] -= 1
            if not self._count_by_region[link.region_id]:
                del self._count_by_region[link.region_id]

    def close(self) -> None:
        """End every stream."""
        for link in self._links.values():
            link.close()

    def send_to_all(self, subject: tuple[str, str], response: pb.ReportResponse) -> None:
        """Send one message to everyone."""
        for link in self._links.values():
            link.put(subject, response)

    def direct(
        self,
        effect: DirectGroup | DirectProbes | DirectInjection,
        *,
        only: Callable[[AgentLink], bool] = lambda _: True,
    ) -> None:
        """Carry out a directive, for those links of its audience that pass ``only``."""
        match effect:
            case DirectGroup():
                response = group_directive(effect)
                subject = ("group", str(effect.group_id))
                for link in self._links.values():
                    if effect.service_id in link.service_ids and only(link):
                        link.put(subject, response)
            case DirectInjection():
                # Anybody may be probing the service there.
                response = injection(effect)
                for link in self._links.values():
                    if only(link):
                        link.put(("injection", ""), response)
            case DirectProbes():
                response = probe_plan(effect)
                for link in self._links.values():
                    if link.region_id == effect.region_id and only(link):
                        link.put(("probes", ""), response)

    def answer_lease(self, effect: GrantLease | RefuseLease) -> None:
        """Answer one agent; if it is not connected any more, nobody waits for it."""
        link = self._links.get((effect.region_id, effect.agent_id))
        if link is None:
            return
        response = lease_grant(effect) if isinstance(effect, GrantLease) else lease_refusal(effect)
        link.put(("lease", str(effect.group_id)), response)
