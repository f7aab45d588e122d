"""`director cluster`: the replicas of the director itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.options import change_form, confirm, connected, formatted
from director.cli.output import Form, Printed, echo_change, message_dict
from director.cli.words import ABSENT, columns, seconds
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection


@click.group()
@example("director cluster members")
def cluster() -> None:
    """Show and change the replicas of the director."""


@cluster.command()
@formatted()
@connected
@example("director cluster members")
def members(*, form: Form, connection: Connection) -> None:
    """List the members, the leader and what each holds of the log."""
    request = admin.GetClusterRequest()
    seen = connection.call(methods.GET_CLUSTER, request)
    if seen.leader_id and seen.replica_id != seen.leader_id:
        seen = connection.call_leader(methods.GET_CLUSTER, request, seen)
    # Only the leader knows how the others are.
    is_known = seen.replica_id == seen.leader_id

    def row(member: admin.Member) -> tuple[str, ...]:
        heard = ("active" if member.is_active else "silent") if is_known else "?"
        return (
            member.replica_id,
            member.role,
            "leader" if member.is_leader else ABSENT,
            heard,
            str(member.match_index) if member.match_index else "?",
            member.address or "?",
        )

    def lines(_: Form) -> Iterator[str]:
        leader = f"leader {seen.leader_id}" if seen.leader_id else "no leader"
        yield (
            f"{leader}  term {seen.term}  commit {seen.commit_index}  applied "
            f"{seen.applied_index} on {seen.replica_id}, which heard from a quorum "
            f"{seconds(seen.quorum_contact_age_ms)} ago"
        )
        yield ""
        header = ("REPLICA", "ROLE", "LEADS", "HEARD", "HOLDS", "ADDRESS")
        yield from columns(header, map(row, seen.members))

    names = [each.replica_id for each in seen.members]
    Printed("Cluster", message_dict(seen), names, lines).echo(form)


@cluster.command()
@click.argument("replica", required=False, default="")
@change_form
@connected
@example("director cluster transfer d2")
def transfer(*, replica: str, form: Form, connection: Connection) -> None:
    """Hand leadership to a replica, or to the most caught up."""
    request = admin.TransferLeadershipRequest(replica_id=replica)
    connection.call(methods.TRANSFER_LEADERSHIP, request)
    line = f"leadership goes to {replica or 'the most caught up replica'}"
    echo_change(form, "LeadershipTransfer", {"replica_id": replica}, line)


@cluster.command()
@click.argument("replica")
@change_form
@connected
@example("director cluster add d3")
def add(*, replica: str, form: Form, connection: Connection) -> None:
    """Add a replica as a learner, which receives the log and does not vote."""
    connection.call(methods.ADD_MEMBER, admin.AddMemberRequest(replica_id=replica))
    line = f"{replica} is a learner; `director cluster promote {replica}` once caught up"
    echo_change(form, "Member", {"replica_id": replica, "role": "learner"}, line)


@cluster.command()
@click.argument("replica")
@change_form
@connected
@example("director cluster promote d3")
def promote(*, replica: str, form: Form, connection: Connection) -> None:
    """Make a learner that has caught up a voter."""
    connection.call(methods.PROMOTE_MEMBER, admin.PromoteMemberRequest(replica_id=replica))
    echo_change(form, "Member", {"replica_id": replica, "role": "voter"}, f"{replica} is a voter")


@cluster.command()
@click.argument("replica")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@change_form
@connected
@example("director cluster remove d0 --yes")
def remove(*, replica: str, yes: bool, form: Form, connection: Connection) -> None:
    """Remove a replica for good; it must not come back under its name."""
    confirm(f"Remove {replica}?", is_agreed=yes)
    connection.call(methods.REMOVE_MEMBER, admin.RemoveMemberRequest(replica_id=replica))
    line = f"{replica} is no longer a member"
    echo_change(form, "Member", {"replica_id": replica, "role": "removed"}, line)
