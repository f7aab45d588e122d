"""The `director` command line. Imports nothing but click until a command is called."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

import click

from director.cli.example import example
from director.cli.lazy import Lazy, RootGroup

_SECTIONS = {
    "Ask": {
        "status": Lazy("director.cli.status:status", "Who serves, and what is at risk."),
        "check": Lazy("director.cli.check:check", "Is all well; could a region be lost now?"),
        "resolve": Lazy("director.cli.resolve:resolve", "Where one client goes now."),
        "explain": Lazy("director.cli.resolve:explain", "Why: a route, a failover, a budget."),
        "get": Lazy("director.cli.get:get", "List regions, services, policies and more."),
        "describe": Lazy("director.cli.get:describe", "All about one of them."),
    },
    "Declare": {
        "validate": Lazy("director.cli.documents:validate", "Check documents, offline."),
        "plan": Lazy("director.cli.plans:plan", "What documents would change, and for whom."),
        "apply": Lazy("director.cli.documents:apply", "Put documents in force, all or none."),
        "diff": Lazy("director.cli.plans:diff", "How documents differ from those in force."),
        "export": Lazy("director.cli.documents:export", "Print the documents in force."),
        "history": Lazy("director.cli.revisions:history", "Revisions: when, who, why, what."),
        "rollback": Lazy("director.cli.revisions:rollback", "Go back to an earlier revision."),
        "schema": Lazy("director.cli.documents:schema", "Print the documents' JSON Schema."),
    },
    "Move": {
        "switchover": Lazy("director.cli.moves:switchover", "Move a service; nothing is lost."),
        "failover": Lazy("director.cli.moves:failover", "Move a service whose owner is gone."),
        "failback": Lazy("director.cli.moves:failback", "Move a service back home."),
        "wait": Lazy("director.cli.moves:wait", "Follow a move until it ends."),
        "cancel": Lazy("director.cli.moves:cancel", "Abort a move that granted nothing yet."),
        "approve": Lazy("director.cli.moves:approve", "Make the move the director proposes."),
        "drain": Lazy("director.cli.drains:drain", "Take new work off a region."),
        "undrain": Lazy("director.cli.drains:undrain", "Give a drained region work again."),
        "override": Lazy("director.cli.drains:override", "Set or clear a verdict by hand."),
        "pause": Lazy("director.cli.automation:pause", "No moves by the director for a while."),
        "resume": Lazy("director.cli.automation:resume", "End a pause."),
        "acknowledge": Lazy("director.cli.automation:acknowledge", "Let past moves rest."),
    },
    "Rehearse": {
        "drill": Lazy("director.cli.drill:drill", "Lose a region on purpose, and measure."),
    },
    "Run": {
        "dev": Lazy("director.cli.dev:dev", "A whole fleet on this machine, to try things."),
        "serve": Lazy("director.cli.serve:serve", "Run one director replica."),
        "agent": Lazy("director.cli.agent:agent", "Run the agent of one region."),
        "cluster": Lazy("director.cli.cluster:cluster", "Members and leader of the directors."),
        "pki": Lazy("director.cli.pki:pki", "Certificates for development."),
        "restore": Lazy("director.cli.restore:restore", "Begin anew from a copy of a directory."),
        "completion": Lazy("director.cli.completion:completion", "Completion for your shell."),
    },
}


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's own
    if not value or ctx.resilient_parsing:
        return
    try:
        number = version("traffic-director")
    except PackageNotFoundError:
        number = "not installed"
    click.echo(f"director {number}")
    ctx.exit()


@click.group(
    cls=RootGroup,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
@example("director status")
def director() -> None:
    """Direct traffic between regions, and fail services over inside their budgets."""


def main() -> None:
    """Run the command line."""
    # Read when gRPC is imported, which the commands do: its own lines are not for operators.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # gRPC's own handlers around a fork garble TLS connections (grpc/grpc#28557) and can stop a
    # server with TLS for good (grpc/grpc#14258); what is forked here is another program at once.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    director.main()
