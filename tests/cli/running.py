"""Runs commands in this process and builds what directors answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from click.testing import CliRunner, Result

from director.cli.main import director
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


def a_run(stage: str = "settled", **fields: Any) -> admin.Failover:
    """Return failover chat/7, settled in 5.9 s with 0.3 s lost at most, unless told otherwise."""
    settled = {
        "failover_id": "chat/7",
        "kind": "failover",
        "service_id": "chat",
        "source_region_id": "eu-west1",
        "target_region_id": "eu-north1",
        "stage": stage,
        "actor": "alice",
        "source_epoch": 7,
        "rto_ms": 60_000,
        "rpo_ms": 5_000,
        "loss_bound_ms": 300,
        "measured_rto_ms": 5_900,
        "ledger": [
            admin.PhaseTime(phase=phase, spent_ms=spent_ms)
            for phase, spent_ms in (
                ("detect", 2_900),
                ("decide", 200),
                ("fence", 2_100),
                ("promote", 400),
                ("publish", 300),
            )
        ],
        "notes": ["2 of 3 observers", "committed", "eu-west1 lease ran out", "gate open", "412"],
    }
    values = {**settled, **fields}
    return admin.Failover(**{key: value for key, value in values.items() if value is not None})


def a_site(region: str, *, verdict: str = "UP", priority: int = 0, **more: Any) -> admin.SiteStatus:
    """Return one region of a service."""
    return admin.SiteStatus(region_id=region, verdict=verdict, priority=priority, **more)


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
