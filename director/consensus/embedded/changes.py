"""Membership changes and hand-overs: several steps of the log, waited for on the engine's loop."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.driver import Driver
from director.consensus.embedded.framing import AddressNoted, frame_address
from director.consensus.embedded.waiting import Proposals, refused
from director.consensus.port import (
    ConsensusError,
    EngineFailedError,
    MembershipRefusedError,
    NotLeaderError,
)
from director.raft.errors import ProposalRefusedError
from director.raft.membership import AddLearner, MembershipChange
from director.raft.messages import ReplicaId
from director.raft.node import Node, Role


class Office(Protocol):
    """The replica that changes, or hands over, what it leads. ``core`` is one."""

    @property
    def config(self) -> EmbeddedConfig:
        """Its settings."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where it lives."""
        ...

    @property
    def node(self) -> Node:
        """Its Raft."""
        ...

    @property
    def driver(self) -> Driver:
        """What moves the node."""
        ...

    @property
    def proposals(self) -> Proposals:
        """What waits to be committed."""
        ...

    @property
    def leadership_news(self) -> asyncio.Event:
        """Set whenever who leads has changed."""
        ...

    def not_leader(self, term: int) -> NotLeaderError:
        """Say who leads instead, as far as is known."""
        ...

    def stopped_error(self) -> EngineFailedError:
        """Say why nothing is taken in any more."""
        ...


async def add_learner(core: Office, member_id: str, address: str) -> None:
    """Replicate where the member is, then add it."""
    _require_leader(core)
    if core.node.membership.is_member(ReplicaId(member_id)):
        raise MembershipRefusedError(f"{member_id} is a member already", memberId=member_id)
    host, _, port = address.rpartition(":")
    if not member_id or not host or not port.isdigit():
        raise MembershipRefusedError(
            f"{address!r} is not host:port, such as 127.0.0.1:7441", memberId=member_id
        )
    committed: asyncio.Future[Any] = core.loop.create_future()
    framed = frame_address(AddressNoted(member_id, address))
    core.driver.given(
        lambda: core.proposals.propose(framed, lambda outcome: _settle(committed, outcome))
    )
    await committed
    await change(core, AddLearner(ReplicaId(member_id)))


async def change(core: Office, step: MembershipChange) -> None:
    """Make one change of membership and wait until it is committed."""
    _require_leader(core)
    committed: asyncio.Future[Any] = core.loop.create_future()

    def propose() -> None:
        try:
            index, term = core.node.propose_membership(step)
        except ProposalRefusedError as error:
            committed.set_exception(refused(error))
            return
        core.proposals.wait_for(index, term, lambda outcome: _settle(committed, outcome))

    core.driver.given(propose)
    await committed


async def transfer(core: Office, member_id: str | None) -> None:
    """Hand leadership over and wait until somebody took it."""
    _require_leader(core)
    own_id = core.config.replica_id
    target = member_id or _most_caught_up(core)
    if target is None:
        raise MembershipRefusedError(f"{own_id} has no other voter to hand over to")
    if target == own_id:
        return
    refusal: list[ConsensusError] = []

    def begin() -> None:
        try:
            core.node.transfer_leadership(ReplicaId(target))
        except ProposalRefusedError as error:
            refusal.append(refused(error))

    core.driver.given(begin)
    if refusal:
        raise refusal[0]
    await _taken_over(core, target)


async def _taken_over(core: Office, target: str) -> None:
    node = core.node
    late = MembershipRefusedError(
        f"{target} did not catch up within an election timeout", memberId=target
    )
    try:
        # The node itself gives up after an election timeout; the rest is for a vote that is lost.
        async with asyncio.timeout(3 * core.config.election_ms / 1000):
            while not core.driver.has_stopped:
                if node.role is Role.LEADER and node.transferee is None:
                    raise late
                if node.role is not Role.LEADER and node.leader_id is not None:
                    break
                core.leadership_news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(core.config.tick_ms / 1000):
                        await core.leadership_news.wait()
    except TimeoutError:
        raise late from None
    if core.driver.has_stopped:
        raise core.stopped_error()
    if node.leader_id != target:
        raise MembershipRefusedError(f"{node.leader_id} leads instead of {target}", memberId=target)


async def hand_over(core: Office, *, within_ms: int) -> None:
    """Try to leave office in good order before stopping."""
    if _most_caught_up(core) is None:
        return
    with suppress(ConsensusError, TimeoutError):
        async with asyncio.timeout(within_ms / 1000):
            await transfer(core, None)


def _most_caught_up(core: Office) -> str | None:
    candidates = [view for view in core.node.progress() if not view.is_learner and view.is_active]
    if not candidates:
        return None
    return max(candidates, key=lambda view: (view.match_index, view.replica_id)).replica_id


def _require_leader(core: Office) -> None:
    if core.driver.has_stopped:
        raise core.stopped_error()
    if core.node.role is not Role.LEADER:
        raise core.not_leader(core.node.term)


def _settle(waiting: "asyncio.Future[Any]", outcome: object) -> None:
    if waiting.done():
        return
    if isinstance(outcome, BaseException):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)
