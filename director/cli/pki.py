"""`director pki`: an authority and certificates for development, and a look at any certificate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.runtime.certificates import read_certificate, said_at, spiffe_domain
from director.runtime.clock import wall_ms
from director.runtime.identity import (
    Identity,
    IdentityRefused,
    Kind,
    check_trust_domain,
    parse_identity,
)
from director.runtime.pki import CA_DAYS, LEAF_DAYS, Authority, PkiError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
# What names an identity of each kind.
_NAMED_BY = {
    Kind.AGENT: ("REGION", "NAME"),
    Kind.DIRECTOR: ("NAME",),
    Kind.OPERATOR: ("NAME",),
    Kind.CLIENT: ("NAME",),
}


@click.group()
@example("director pki init ./pki")
def pki() -> None:
    """Make certificates for development; production has an authority of its own."""


@pki.command()
@click.argument("directory", type=_DIRECTORY)
@click.option(
    "--trust-domain",
    default="dev",
    show_default=True,
    metavar="NAME",
    help="Stands in every identity; other domains are refused.",
)
@click.option("--days", type=click.IntRange(1, 3_650), default=CA_DAYS, show_default=True)
@example("director pki init ./pki --trust-domain staging.example")
def init(directory: Path, trust_domain: str, days: int) -> None:
    """Make an authority in DIRECTORY."""
    try:
        check_trust_domain(trust_domain)
        made = Authority.make(directory, trust_domain, days=days)
    except (PkiError, ValueError) as error:
        raise CliError(str(error), ExitCode.USAGE) from None
    click.echo(f"{made.ca} is the authority of {trust_domain}; its key is beside it")
    click.echo("whoever has the key can be anybody: for development only")


@pki.command()
@click.argument("directory", type=_DIRECTORY)
@click.argument("kind", type=click.Choice([str(each) for each in Kind]))
@click.argument("names", nargs=-1, required=True, metavar="[REGION] NAME")
@click.option("--days", type=click.IntRange(1, 3_650), help=f"Lifetime.  [default: {LEAF_DAYS}]")
@click.option("--minutes", type=click.IntRange(1, 525_600), help="Lifetime, when it is short.")
@click.option("--renew", is_flag=True, help="Replace what is there; running processes take it.")
@example("director pki issue ./pki agent eu-west1 eu-west1-a")
def issue(
    directory: Path,
    kind: str,
    names: Sequence[str],
    days: int | None,
    minutes: int | None,
    *,
    renew: bool,
) -> None:
    """Make a certificate: director NAME, agent REGION NAME, operator NAME or client NAME."""
    if days is not None and minutes is not None:
        raise click.UsageError("give --days or --minutes, not both")
    lifetime = timedelta(days=days or LEAF_DAYS) if minutes is None else timedelta(minutes=minutes)
    try:
        authority = Authority(directory)
        identity = _identity(Kind(kind), names, authority.trust_domain)
        made = authority.issue(identity, lifetime=lifetime, is_renewal=renew)
    except PkiError as error:
        raise CliError(str(error), ExitCode.USAGE) from None
    click.echo(f"{made.cert}\n{made.key}")


def _identity(kind: Kind, names: Sequence[str], trust_domain: str) -> Identity:
    wanted = _NAMED_BY[kind]
    if len(names) != len(wanted):
        raise click.UsageError(f"{kind} is named by {' '.join(wanted)}")
    region_id = names[0] if kind is Kind.AGENT else ""
    identity = Identity(trust_domain, kind, names[-1], region_id)
    parsed = parse_identity(identity.uri, trust_domain=trust_domain)
    if isinstance(parsed, IdentityRefused):
        raise click.UsageError(parsed.message)
    return parsed


@pki.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@example("director pki show ./pki/director-d0.pem")
def show(file: Path) -> None:
    """Say whom the certificate in FILE names, and until when; exit 1 if it names nobody now."""
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}", ExitCode.USAGE) from None
    found = read_certificate(pem, trust_domain=spiffe_domain(pem))
    if isinstance(found, IdentityRefused):
        raise CliError(f"{found.message} [{found.fault}]", ExitCode.NO)
    click.echo(f"identity   {found.identity.uri}")
    click.echo(f"names      {' '.join(found.dns_names) or '-'}")
    click.echo(f"valid      {said_at(found.not_before_ms)} to {said_at(found.not_after_ms)}")
    click.echo(f"half life  {said_at(found.half_life_at_ms)}; renew it by then")
    refused = found.out_of_date(now_ms=wall_ms())
    if refused is not None:
        raise CliError(f"{refused.message} [{refused.fault}]", ExitCode.NO)
