"""ClusterService: the director replicas themselves."""

import asyncio
from collections.abc import Awaitable, Mapping

import grpc

from director.api.changes import replica_name
from director.api.errors import unary
from director.api.handlers import service, unary_unary
from director.client.wire import UINT32_MAX
from director.consensus.port import (
    ConsensusError,
    EngineFailedError,
    Member,
    MembershipRefusedError,
    NotLeaderError,
)
from director.core.reasons import Reason
from director.runtime.clock import boot_ms
from director.service import errors
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb

NAME = "trafficdirector.admin.v1.ClusterService"
# A change of membership or office takes some round trips; this is ten elections.
_DEADLINE_MS = 10_000


class ClusterApi:
    """The handlers.

    Args:
        replica: This replica.
        peer_address_by_id: Peer addresses of the replicas this one was configured with.
    """

    def __init__(self, replica: Replica, peer_address_by_id: Mapping[str, str]) -> None:
        self._replica = replica
        self._consensus = replica.consensus
        self._peer_address_by_id = dict(peer_address_by_id)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "GetCluster": unary_unary(unary(self.get), pb.GetClusterRequest),
                "TransferLeadership": unary_unary(
                    unary(self.transfer), pb.TransferLeadershipRequest
                ),
                "AddMember": unary_unary(unary(self.add), pb.AddMemberRequest),
                "PromoteMember": unary_unary(unary(self.promote), pb.PromoteMemberRequest),
                "RemoveMember": unary_unary(unary(self.remove), pb.RemoveMemberRequest),
            },
        )

    async def get(self, _request: pb.GetClusterRequest) -> pb.GetClusterResponse:
        """Return members, leader and positions as this replica sees them."""
        standing = self._consensus.standing()
        contact_at_ms = standing.quorum_contact_at_ms
        age_ms = UINT32_MAX if contact_at_ms is None else max(0, boot_ms() - contact_at_ms)
        return pb.GetClusterResponse(
            replica_id=standing.member_id,
            leader_id=standing.leader_id or "",
            term=standing.term,
            commit_index=standing.commit_index,
            applied_index=self._replica.state.applied_index,
            members=[
                pb.Member(
                    replica_id=each.member_id,
                    role="voter" if each.is_voter else "learner",
                    is_leader=each.is_leader,
                    match_index=each.match_index,
                    is_active=each.is_active,
                    address=self._replica.settings.api_address_of(each.member_id),
                )
                for each in self._consensus.members()
            ],
            quorum_contact_age_ms=min(UINT32_MAX, age_ms),
        )

    async def transfer(
        self, request: pb.TransferLeadershipRequest
    ) -> pb.TransferLeadershipResponse:
        """Hand leadership over."""
        await self._done(self._consensus.transfer(request.replica_id or None))
        return pb.TransferLeadershipResponse()

    async def add(self, request: pb.AddMemberRequest) -> pb.AddMemberResponse:
        """Add a learner."""
        replica_id = replica_name(request.replica_id)
        address = request.peer_address or self._peer_address_by_id.get(replica_id, "")
        if not address:
            raise errors.InvalidRequestError(
                "peer_address", f"is needed: this replica was not configured with {replica_id}"
            )
        await self._done(self._consensus.add_learner(replica_id, address))
        return pb.AddMemberResponse()

    async def promote(self, request: pb.PromoteMemberRequest) -> pb.PromoteMemberResponse:
        """Make a learner a voter."""
        replica_id = replica_name(request.replica_id)
        if self._member(replica_id).is_voter:
            message = f"{replica_id} is a voter already"
            raise errors.RefusedError(Reason.NOTHING_TO_DO, message, {"replicaId": replica_id})
        await self._done(self._consensus.promote(replica_id))
        return pb.PromoteMemberResponse()

    async def remove(self, request: pb.RemoveMemberRequest) -> pb.RemoveMemberResponse:
        """Remove a member."""
        replica_id = replica_name(request.replica_id)
        self._member(replica_id)
        await self._done(self._consensus.remove(replica_id))
        return pb.RemoveMemberResponse()

    def _member(self, replica_id: str) -> Member:
        """Return a member as the leader knows it.

        Raises:
            DirectorError: There is none of that name, or this replica does not lead.
        """
        self._replica.writes.check_leads()
        members = {each.member_id: each for each in self._consensus.members()}
        if replica_id not in members:
            message = f"{replica_id!r} is no member; members are: {', '.join(sorted(members))}"
            raise errors.InvalidRequestError("replica_id", message)
        return members[replica_id]

    async def _done(self, work: Awaitable[None]) -> None:
        """Wait for a change of the group, and say what its failure means.

        Raises:
            DirectorError: It failed; the reason says how.
        """
        try:
            async with asyncio.timeout(_DEADLINE_MS / 1_000):
                await work
        except NotLeaderError as error:
            self._replica.writes.check_leads()
            raise errors.NoLeaderError(str(error)) from None
        except MembershipRefusedError as error:
            raise errors.RefusedError(Reason.SAFETY_RULE, str(error), error.metadata) from None
        except EngineFailedError as error:
            standing = self._consensus.standing()
            raise errors.EngineStoppedError(str(error), standing.failed_reason) from None
        except (ConsensusError, TimeoutError) as error:
            said = str(error) or "no outcome in time"
            raise errors.OutcomeUnknownError(
                f"the change may or may not come ({said}); look at the members before you ask again"
            ) from None
