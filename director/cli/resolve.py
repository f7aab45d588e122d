"""`director resolve` and `director explain resolve`: where one client goes, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.explain_budget import explain_budget
from director.cli.explain_failover import explain_failover
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from director.cli.parameters import POINT, bundled
from director.cli.words import columns, seconds
from trafficdirector.routing.v1 import routing_pb2 as routing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection

_US_PER_MS = 1_000
_SOURCE_WORDS = {
    routing.SOURCE_FRESH: "fresh",
    routing.SOURCE_STALE: "stale: this director has no contact with a quorum",
    routing.SOURCE_KEPT: "kept on disk, not confirmed since the start",
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as the flags say."""

    point: tuple[float, float] | None
    address: str | None
    region: str | None
    session: str
    jurisdiction: str

    def request(self, service: str) -> routing.ResolveRequest:
        """Return the question.

        Raises:
            click.UsageError: More than one flag says where the client is.
        """
        given = [
            name
            for name, value in (
                ("--from", self.point),
                ("--from-ip", self.address),
                ("--from-region", self.region),
            )
            if value is not None
        ]
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(given)} both say where the client is; give one")
        request = routing.ResolveRequest(
            service_id=service, session_id=self.session, subject_jurisdiction=self.jurisdiction
        )
        if self.point is not None:
            request.location.lat, request.location.lon = self.point
        elif self.address is not None:
            request.address = self.address
        elif self.region is not None:
            request.region_id = self.region
        return request


_by_client = bundled(
    "client",
    Client,
    click.option("--from", "point", type=POINT, help="Where the client is, in degrees."),
    click.option("--from-ip", "address", metavar="IP", help="The client's address."),
    click.option("--from-region", "region", metavar="REGION", help="Region it runs in."),
    click.option("--session", default="", metavar="ID", help="Session to keep in one place."),
    click.option(
        "--subject-jurisdiction",
        "jurisdiction",
        default="",
        metavar="CODE",
        help="Jurisdiction of the data's subject, such as EU.",
    ),
)


@click.command()
@click.argument("service")
@_by_client
@formatted()
@connected
@example("director resolve chat --from 48.85,2.35")
def resolve(*, service: str, client: Client, form: Form, connection: Connection) -> None:
    """Show which endpoint one client would be sent to now."""
    answer = connection.call(methods.RESOLVE, client.request(service))

    def lines(form: Form) -> Iterator[str]:
        yield f"{answer.service_id} -> {answer.region_id}  ({answer.reason})"
        for endpoint in answer.endpoints:
            zone = f"  zone {endpoint.zone}" if endpoint.zone else ""
            yield f"  {endpoint.address}{zone}"
            if form is Form.WIDE and endpoint.labels:
                labels = sorted(endpoint.labels.items())
                yield "    " + " ".join(f"{key}={value}" for key, value in labels)
        yield _facts(answer)

    names = [each.address for each in answer.endpoints]
    Printed("Resolution", message_dict(answer), names, lines).echo(form)


def _facts(answer: routing.ResolveResponse) -> str:
    token = f", token {answer.generation}.{answer.epoch}" if answer.epoch else ""
    source = _SOURCE_WORDS.get(answer.source, "source not stated")
    open_ = "; health was ignored, too little of it was left" if answer.fail_open else ""
    return (
        f"revision {answer.revision}{token}, keep for {seconds(answer.ttl_ms)}, "
        f"view age {seconds(answer.view_age_ms)} ({source}){open_}"
    )


@click.group()
@example("director explain resolve chat --from-ip 81.2.69.142")
def explain() -> None:
    """Show a decision, candidate by candidate, with the reason for each."""


explain.add_command(explain_budget)


explain.add_command(explain_failover)


@explain.command("resolve")
@click.argument("service")
@_by_client
@formatted()
@connected
@example("director explain resolve chat --from 48.85,2.35 --subject-jurisdiction EU")
def explain_resolve(*, service: str, client: Client, form: Form, connection: Connection) -> None:
    """Show why one client would be sent where it would be."""
    request = routing.ExplainResolveRequest(request=client.request(service))
    answer = connection.call(methods.EXPLAIN_RESOLVE, request)

    def lines(form: Form) -> Iterator[str]:
        wide = form is Form.WIDE
        rows = [_candidate_row(each, wide=wide) for each in answer.candidates]
        header = ("REGION", "OUTCOME", "WHY")
        # No header in the usual form: three words per line explain themselves.
        yield from (f"  {line}" for line in columns(header, rows)[0 if wide else 1 :])
        if answer.result.HasField("refusal"):
            yield f"no region: {answer.result.refusal.message} [{answer.result.refusal.reason}]"
        yield _position(answer.position)
        yield f"decision at revision {answer.revision}, view age {seconds(answer.view_age_ms)}"

    names = [each.region_id for each in answer.candidates if each.outcome == "CHOSEN"]
    Printed("Explanation", message_dict(answer), names, lines).echo(form)


def _candidate_row(candidate: routing.Candidate, *, wide: bool) -> tuple[str, str, str]:
    facts = [candidate.text]
    if wide:
        facts.append(candidate.reason)
        facts.append(candidate.verdict)
    if candidate.HasField("rtt_us"):
        facts.append(f"{candidate.rtt_us / _US_PER_MS:g} ms")
    if candidate.HasField("distance_km") and " km" not in candidate.text:
        facts.append(f"{candidate.distance_km:,} km".replace(",", " "))
    outcome = candidate.outcome.lower().replace("_", " ")
    return candidate.region_id, outcome, ", ".join(filter(None, facts))


def _position(position: routing.Position) -> str:
    source = position.source.lower().replace("_", " ")
    if not position.HasField("location"):
        return (
            "client position unknown: priority and weight decide"
            if source in {"", "none"}
            else (f"client position from its {source}")
        )
    place = ", ".join(filter(None, (position.place, position.country)))
    accuracy = f", within {position.accuracy_km} km" if position.HasField("accuracy_km") else ""
    point = f"{position.location.lat:.2f},{position.location.lon:.2f}"
    return f"client at {point}{f' ({place})' if place else ''} by {source}{accuracy}"
