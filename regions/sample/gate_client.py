"""Keeps the gate's latest permit in memory by watching the agent beside this service."""

import threading
from dataclasses import dataclass

import grpc

from director.client.channel import open_sync_channel
from director.runtime.clock import boot_ms
from director.runtime.identity import Kind, region_name
from director.runtime.tls import TlsFiles
from trafficdirector.agent.v1 import agent_pb2, agent_pb2_grpc

# The agent pushes a permit several times a second; silence for this long means it is gone.
_RECONNECT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to write until ``deadline_ms`` on CLOCK_BOOTTIME, under one fencing token.

    ``home`` is the region that owns the group as far as the agent knows; "" when unknown.
    """

    may_write: bool
    generation: int
    epoch: int
    deadline_ms: int
    reason: str
    home: str

    def is_valid(self, *, now_ms: int) -> bool:
        """Whether a write may be acknowledged at ``now_ms``."""
        return self.may_write and now_ms < self.deadline_ms


_CLOSED = Permit(may_write=False, generation=0, epoch=0, deadline_ms=0, reason="NO_AGENT", home="")


class GateClient:
    """Watches one service's gate in a thread of its own."""

    def __init__(
        self, agent_address: str, service_id: str, tls: TlsFiles | None = None, region_id: str = ""
    ) -> None:
        self._address = agent_address
        self._service_id = service_id
        self._tls = tls
        # The agent of this region must answer: another one's permits are not ours.
        self._server_name = (
            None if tls is None else region_name(Kind.AGENT, region_id, tls.trust_domain)
        )
        self._permit = _CLOSED
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gate", daemon=True)

    def start(self) -> None:
        """Begin to watch. Until the first answer the gate counts as closed."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    @property
    def permit(self) -> Permit:
        """The latest permit; look at its deadline before each acknowledgement."""
        return self._permit

    def now_ms(self) -> int:
        """The clock that deadlines are on."""
        return boot_ms()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            # The SDK's settings: gRPC's own wait after a refused connection outlasts a lease.
            with open_sync_channel(
                self._address, self._tls, server_name=self._server_name
            ) as channel:
                stub = agent_pb2_grpc.GateServiceStub(channel)
                request = agent_pb2.WatchGateRequest(service_id=self._service_id)
                try:
                    for answer in stub.WatchGate(request):
                        self._permit = _permit_from(answer.gate)
                except grpc.RpcError:
                    # The permit in hand stays good until its deadline: the agent counts on that.
                    pass
            self._stopping.wait(_RECONNECT_SECONDS)


def _permit_from(gate: agent_pb2.CheckGateResponse) -> Permit:
    return Permit(
        may_write=gate.may_write,
        generation=gate.token.generation,
        epoch=gate.token.epoch,
        deadline_ms=gate.deadline_boottime_ms,
        reason=gate.reason,
        home=gate.home_region_id,
    )
