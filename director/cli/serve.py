"""`director serve`: one director replica, in the foreground."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from director.cli.example import example
from director.cli.parameters import DURATION, bundled
from director.cli.tls_options import TLS_OPTIONS, TlsFlags

_PEER = re.compile(r"(?P<id>[^=,]+)=(?P<peer>[^=,]+),(?P<api>[^=,]+)(?:,(?P<domain>[^=,]+))?")


@dataclass(frozen=True, slots=True)
class Peer:
    """One other replica as the flag names it."""

    replica_id: str
    peer: str
    api: str
    failure_domain: str


class PeerType(click.ParamType[Peer]):
    """``ID=PEERADDR,APIADDR[,DOMAIN]``."""

    name = "peer"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Peer:
        """Return the parts, or fail saying what is right."""
        if isinstance(value, Peer):
            return value
        matched = _PEER.fullmatch(str(value))
        if matched is None:
            form = "ID=PEERADDR,APIADDR[,DOMAIN], such as d1=127.0.0.1:7541,127.0.0.1:7441,eu-b"
            self.fail(f"{value!r} is not {form}", param, ctx)
        # Without a domain of its own a replica fails alone.
        domain = matched["domain"] or matched["id"]
        return Peer(matched["id"], matched["peer"], matched["api"], domain)


@dataclass(frozen=True, slots=True)
class Place:
    """Who this replica is and where it is found."""

    replica_id: str
    fleet_id: str
    failure_domain: str
    data_dir: Path
    listen: str
    peer_listen: str
    http_listen: str


@dataclass(frozen=True, slots=True)
class Running:
    """How it runs."""

    geo_database: Path | None
    log_json: bool | None
    election_ms: int
    is_joining: bool


@dataclass(frozen=True, slots=True)
class Guarded:
    """Who may do what."""

    roles: Path | None
    allow_insecure: bool


_placed = bundled(
    "place",
    Place,
    click.option(
        "--id",
        "replica_id",
        required=True,
        metavar="NAME",
        envvar="DIRECTOR_ID",
        help="Name of this replica.",
    ),
    click.option(
        "--fleet",
        "fleet_id",
        required=True,
        metavar="NAME",
        envvar="DIRECTOR_FLEET",
        help="Name of the fleet; replicas of another fleet are refused.",
    ),
    click.option(
        "--failure-domain",
        default="",
        metavar="NAME",
        envvar="DIRECTOR_FAILURE_DOMAIN",
        help="Replicas of one domain may fail together.  [default: the id]",
    ),
    click.option(
        "--data-dir",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        envvar="DIRECTOR_DATA_DIR",
        help="Log, snapshots and the last route table; of this replica alone.",
    ),
    click.option(
        "--listen",
        default="127.0.0.1:7440",
        metavar="HOST:PORT",
        envvar="DIRECTOR_LISTEN",
        show_default=True,
        help="For clients, agents and operators.",
    ),
    click.option(
        "--peer-listen",
        default="127.0.0.1:7540",
        metavar="HOST:PORT",
        envvar="DIRECTOR_PEER_LISTEN",
        show_default=True,
        help="For the other replicas.",
    ),
    click.option(
        "--http",
        "http_listen",
        default="",
        metavar="HOST:PORT",
        envvar="DIRECTOR_HTTP",
        help="For probes, load balancers and Prometheus.  [default: no such port]",
    ),
)
_run_so = bundled(
    "running",
    Running,
    click.option(
        "--geo-database",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="DIRECTOR_GEO_DATABASE",
        help="An MMDB file.  [default: the usual places, then the one shipped]",
    ),
    click.option(
        "--log-json/--log-text",
        default=None,
        envvar="DIRECTOR_LOG_JSON",
        help="Form of the log on stderr.  [default: text on a terminal]",
    ),
    click.option(
        "--election",
        "election_ms",
        type=DURATION,
        default="1s",
        envvar="DIRECTOR_ELECTION",
        show_default=True,
        help="Silence of a leader after which a follower stands for election.",
    ),
    click.option(
        "--join", "is_joining", is_flag=True, help="Wait to be added to a fleet that runs."
    ),
)


_secured = bundled("tls_flags", TlsFlags, *TLS_OPTIONS)
_guarded = bundled(
    "guarded",
    Guarded,
    click.option(
        "--roles",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="DIRECTOR_ROLES",
        help="What operators may do, YAML.  [default: look, and change nothing]",
    ),
    click.option(
        "--insecure",
        "allow_insecure",
        is_flag=True,
        envvar="DIRECTOR_INSECURE",
        help="Without TLS, listen where other machines can connect; never in production.",
    ),
)


@click.command()
@_placed
@click.option(
    "--peer",
    "peers",
    type=PeerType(),
    multiple=True,
    metavar="ID=PEERADDR,APIADDR[,DOMAIN]",
    help="Another replica; repeat for each.",
)
@_run_so
@_secured
@_guarded
@example("director serve --id d0 --fleet prod --data-dir ./d0")
def serve(
    *,
    place: Place,
    peers: tuple[Peer, ...],
    running: Running,
    tls_flags: TlsFlags,
    guarded: Guarded,
) -> None:
    """Run one director replica until it is told to stop."""
    names = [each.replica_id for each in peers]
    if len(set(names)) != len(names) or place.replica_id in names:
        raise click.UsageError("each replica is named once: --id is this one, --peer the others")
    # Loaded here, so that `director serve --help` does not wait for the whole server.
    from director import app  # noqa: PLC0415 - as said

    settings = app.Settings(
        replica_id=place.replica_id,
        fleet_id=place.fleet_id,
        data_dir=place.data_dir,
        listen=place.listen,
        peer_listen=place.peer_listen,
        http_listen=place.http_listen,
        failure_domain=place.failure_domain,
        peers={
            each.replica_id: app.PeerAddresses(each.peer, each.api, each.failure_domain)
            for each in peers
        },
        join=running.is_joining,
        election_ms=running.election_ms,
        geo_database=running.geo_database,
        log_json=running.log_json,
        tls=tls_flags.paths(),
        roles=guarded.roles,
        allow_insecure=guarded.allow_insecure,
    )
    click.get_current_context().exit(app.serve(settings))
