"""Runs commands in this process and builds what directors answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from click.testing import CliRunner, Result

from director.api.failovers import run_to_proto
from director.cli.main import director
from director.core.commands import AdvanceRun, ApplyManifest, GrantOwnership
from director.core.state import Run, State
from director.routing.table import RegionId
from tests.core import builders
from tests.core.builders import (
    CHAT_GROUP,
    EU,
    STAGES,
    Ledger,
    a_region,
    a_service,
    a_stamp,
    a_start,
    a_topology,
    started,
)
from trafficdirector.admin.v1 import admin_pb2 as admin

# Nothing of the person who runs the tests may reach the commands.
CLEAN = {
    "DIRECTOR_ENDPOINTS": None,
    "DIRECTOR_CONFIG": "/nonexistent/contexts.yaml",
    "DIRECTOR_CONTEXT": None,
    "DIRECTOR_OUTPUT": None,
    "DIRECTOR_ACTOR": "alice",
    "COLUMNS": "80",
}


def run(*arguments: str, env: Mapping[str, str | None] | None = None, stdin: str = "") -> Result:
    """Run ``director`` with ``arguments``; the result has exit_code, stdout and stderr."""
    return CliRunner().invoke(director, arguments, env={**CLEAN, **(env or {})}, input=stdin)


def a_settled_run() -> Run:
    """Return failover chat/7 of the director itself, made by the core from its commands."""
    home, target = RegionId("eu-west1"), EU
    service = a_service(
        rto_ms=60_000, rpo_ms=5_000, sites=(builders.a_site(target, 1), builders.a_site(home))
    )
    ledger = Ledger(State(run_count=6, retired_epochs=((CHAT_GROUP, 6),)))
    topology = a_topology(service, regions=(a_region(target), a_region(home)))
    ledger.must(ApplyManifest(a_stamp(), topology))
    ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, home, 6))
    stamp = replace(a_stamp(2_900), reason="PEERS_FAIL")
    begun = replace(a_start(target, epoch=7, loss_bound_ms=300), stamp=stamp)
    run_id = started(ledger, begun)
    for (was, then), at_ms, said in zip(
        pairwise(STAGES),
        (3_100, 5_200, 5_600, 5_900, 6_500),
        (
            "confirmed: PEERS_FAIL",
            "the lease of eu-west1 ran out",
            "eu-north1 serves under 1.8",
            "412 watchers moved",
            "eu-north1 passes its own probe",
        ),
        strict=True,
    ):
        ledger.must(AdvanceRun(a_stamp(at_ms), run_id, was, then, said))
    return ledger.run(run_id)


def a_run(stage: str = "settled", **fields: Any) -> admin.Failover:
    """Return failover chat/7, settled in 5.9 s with 0.3 s lost at most, unless told otherwise.

    None leaves a field out.
    """
    whole = run_to_proto(a_settled_run())
    whole.stage = stage
    for name in fields:
        whole.ClearField(name)
    known = {name: value for name, value in fields.items() if value is not None}
    whole.MergeFrom(admin.Failover(**known))
    return whole


def a_site(region: str, *, verdict: str = "UP", priority: int = 0, **more: Any) -> admin.SiteStatus:
    """Return one region of a service."""
    values = {"serving": True, **more}
    return admin.SiteStatus(region_id=region, verdict=verdict, priority=priority, **values)


def a_status(**fields: Any) -> admin.GetStatusResponse:
    """Return the status of a healthy fleet, seen by its leader."""
    chat = admin.ServiceStatus(
        service_id="chat",
        mode="ActivePassive",
        owner_region_id="eu-west1",
        serving_region_id="eu-west1",
        generation=1,
        epoch=8,
        sites=[
            a_site("eu-north1", priority=1, lag_ms=300, loss_bound_ms=800),
            a_site("eu-west1", gate_open=True),
        ],
        rto_ms=60_000,
        rpo_ms=5_000,
        predicted_rto_ms=6_100,
        automation="Automatic",
    )
    embed = admin.ServiceStatus(
        service_id="embed",
        mode="ActiveActive",
        sites=[a_site(each) for each in ("ap-south1", "eu-north1", "eu-west1", "us-east1")],
        rto_ms=20_000,
        predicted_rto_ms=3_900,
        automation="Automatic",
    )
    regions = [
        admin.RegionStatus(
            region_id=each, agent_count=1, heard_age_ms=200, jurisdiction=each[:2].upper()
        )
        for each in ("ap-south1", "eu-north1", "eu-west1", "us-east1")
    ]
    values: dict[str, Any] = {
        "fleet_id": "dev",
        "replica_id": "d1",
        "leader_id": "d1",
        "term": 1,
        "config_revision": 4,
        "applied_index": 812,
        "voters_alive": 3,
        "voter_count": 3,
        "is_fresh": True,
        "is_leader": True,
        "generation": 1,
        "services": [chat, embed],
        "regions": regions,
    }
    return admin.GetStatusResponse(**{**values, **fields})
