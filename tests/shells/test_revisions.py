"""Documents over time: plan, apply with an etag, history and rollback, at a real leader."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from director.client.resolver import error_info
from director.service.codec import decode_state, encode_state
from tests.shells.fleet import MANIFEST, Fleet, a_fleet, reason_of
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.routing.v1 import routing_pb2

pytestmark = pytest.mark.slow

# Frankfurt is nearer to Mons than to Hamina; without Mons it goes to Hamina.
FROM_FRANKFURT = routing_pb2.ResolveRequest(
    service_id="embed", location=routing_pb2.Location(lat=50.11, lon=8.68)
)
WITHOUT_MONS = MANIFEST.replace(
    '    - {name: eu-west1, endpoints: [{address: "127.0.0.1:9011"}]}\n', ""
)
LONGER = MANIFEST.replace("name: embed}\nspec:", "name: embed}\nspec:\n  routing: {ttl: 30s}")


def run(story: Callable[[Fleet], Awaitable[None]], *, size: int = 1) -> None:
    async def whole() -> None:
        async with a_fleet(size=size) as fleet:
            await story(fleet)

    asyncio.run(whole())


async def fleet_call(fleet: Fleet, name: str, request: Any, *, at: str = "d0") -> Any:
    answer = getattr(pb, type(request).__name__.replace("Request", "Response"))
    return await fleet.call(at, f"admin.v1.FleetService/{name}", request, answer)


async def apply(fleet: Fleet, documents: str, **fields: Any) -> pb.ApplyManifestResponse:
    change = pb.Change(actor="alice", reason=fields.pop("reason", "a test"))
    request = pb.ApplyManifestRequest(documents=documents, change=change, **fields)
    answer: pb.ApplyManifestResponse = await fleet_call(fleet, "ApplyManifest", request)
    return answer


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), reason_of(raised.value), raised.value.details() or ""


def test_every_apply_is_a_numbered_revision_with_who_why_and_what() -> None:
    async def story(fleet: Fleet) -> None:
        first = await apply(fleet, MANIFEST, reason="first")
        second = await apply(fleet, LONGER, reason="longer answers")

        listed = (await fleet_call(fleet, "ListRevisions", pb.ListRevisionsRequest())).revisions

        assert [(each.revision, each.reason, each.actor) for each in listed] == [
            (2, "longer answers", "alice"),
            (1, "first", "alice"),
        ]
        assert [each.etag for each in listed] == [second.etag, first.etag]
        assert listed[0].summary == "changed service embed (routing)"
        assert listed[1].summary.startswith("added ")
        assert [each.index for each in listed] == [second.index, first.index]
        assert all(each.applied_wall_ms and each.document_bytes for each in listed)
        newest = await fleet_call(fleet, "ListRevisions", pb.ListRevisionsRequest(limit=1))
        assert [each.revision for each in newest.revisions] == [2]

    run(story)


def test_the_text_of_an_earlier_revision_is_given_back_byte_for_byte() -> None:
    async def story(fleet: Fleet) -> None:
        commented = f"# as the operator wrote it\n{MANIFEST}"
        await apply(fleet, commented)
        await apply(fleet, LONGER)

        earlier = await fleet_call(fleet, "GetManifest", pb.GetManifestRequest(revision=1))
        now = await fleet_call(fleet, "GetManifest", pb.GetManifestRequest())

        assert (earlier.documents, earlier.revision) == (commented, 1)
        assert (now.documents, now.revision) == (LONGER, 2)
        assert earlier.etag != now.etag
        code, reason, said = await refused(
            fleet_call(fleet, "GetManifest", pb.GetManifestRequest(revision=7))
        )
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "REVISION_NOT_FOUND")
        assert said == "revision 7 was never applied; 1 to 2 are kept"

    run(story)


def test_documents_are_applied_only_on_the_etag_they_were_planned_on() -> None:
    async def story(fleet: Fleet) -> None:
        first = await apply(fleet, MANIFEST)
        await apply(fleet, LONGER, expected_etag=first.etag)

        code, reason, _ = await refused(apply(fleet, MANIFEST, expected_etag=first.etag))

        assert (code, reason) == (grpc.StatusCode.ABORTED, "STALE_REVISION")
        assert (await fleet.status()).config_revision == 2

    run(story)


def test_a_rollback_is_a_new_revision_with_the_old_text() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)
        second = await apply(fleet, LONGER)
        change = pb.Change(actor="bob", reason="answers were kept too long")

        trial = await fleet_call(
            fleet,
            "RollbackManifest",
            pb.RollbackManifestRequest(revision=1, change=pb.Change(validate_only=True)),
        )
        assert (trial.index, trial.revision) == (0, 3)
        assert (await fleet.status()).config_revision == 2
        back = await fleet_call(
            fleet,
            "RollbackManifest",
            pb.RollbackManifestRequest(revision=1, expected_etag=second.etag, change=change),
        )

        assert back.revision == 3
        assert back.etag == trial.etag
        in_force = await fleet_call(fleet, "GetManifest", pb.GetManifestRequest())
        assert (in_force.documents, in_force.etag) == (MANIFEST, back.etag)
        listed = (await fleet_call(fleet, "ListRevisions", pb.ListRevisionsRequest())).revisions
        assert (listed[0].restores, listed[0].actor) == (1, "bob")
        assert listed[0].reason == "answers were kept too long"

    run(story)


def test_a_rollback_that_a_rule_refuses_changes_nothing() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, WITHOUT_MONS)
        await apply(fleet, MANIFEST)
        for region_id in ("eu-north1", "us-east1"):
            # Two of three regions of embed go; the rule leaves it the last one, which is Mons.
            await fleet_call(
                fleet,
                "SetOverride",
                pb.SetOverrideRequest(
                    service_id="embed",
                    region_id=region_id,
                    override="FORCE_DOWN",
                    for_ms=60_000,
                    change=pb.Change(reason="a test"),
                ),
            )

        code, reason, said = await refused(
            fleet_call(fleet, "RollbackManifest", pb.RollbackManifestRequest(revision=1))
        )

        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SAFETY_RULE")
        assert "embed" in said
        assert (await fleet.status()).config_revision == 2

    run(story)


def test_there_is_nothing_to_roll_back_to_what_is_in_force_or_never_was() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)

        _, same, _ = await refused(
            fleet_call(fleet, "RollbackManifest", pb.RollbackManifestRequest(revision=1))
        )
        _, never, _ = await refused(
            fleet_call(fleet, "RollbackManifest", pb.RollbackManifestRequest(revision=9))
        )

        assert (same, never) == ("NOTHING_TO_DO", "REVISION_NOT_FOUND")

    run(story)


def test_a_bad_document_leaves_the_old_ones_running() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)
        before = await fleet.status()
        bad = MANIFEST.replace("objectives: {rto: 60s}", "objectives: {rto: 1s}")

        for call in (
            apply(fleet, bad),
            apply(fleet, "kind: ["),
            apply(fleet, ""),
            fleet_call(fleet, "PlanManifest", pb.PlanManifestRequest(documents=bad)),
        ):
            code, reason, _ = await refused(call)
            assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_DOCUMENT")

        after = await fleet.status()
        assert after.state_digest == before.state_digest
        assert (await fleet.resolve("d0", FROM_FRANKFURT)).region_id == "eu-west1"

    run(story)


def test_a_plan_says_what_changes_who_moves_and_what_a_loss_would_mean() -> None:
    async def story(fleet: Fleet) -> None:
        first = await apply(fleet, MANIFEST)
        before = await fleet.status()

        plan = await fleet_call(
            fleet, "PlanManifest", pb.PlanManifestRequest(documents=WITHOUT_MONS)
        )

        assert (plan.revision, plan.etag) == (1, first.etag)
        [change] = plan.changes
        assert (change.kind, change.name, change.how) == ("Service", "embed", "changed")
        assert [each.path for each in change.fields] == ["spec.regions[eu-west1]"]
        assert change.fields[0].after == ""
        [moved] = plan.traffic
        assert (moved.service_id, moved.subject_jurisdiction) == ("embed", "")
        # Western Europe and most of Africa; every one of them came from Mons.
        assert 100 < moved.moved_per_mille < 500
        assert {each.source_region_id for each in moved.moves} == {"eu-west1"}
        assert {each.target_region_id for each in moved.moves} == {"eu-north1"}
        assert plan.place_count == 256
        assert {each.service_id for each in plan.budgets} == {"chat", "embed"}
        assert all(each.before == each.after for each in plan.budgets)
        assert {each.region_id for each in plan.losses} == {"eu-north1", "eu-west1", "us-east1"}
        assert [each for each in plan.risks if each.severity == "refused"] == []
        assert (await fleet.status()).state_digest == before.state_digest
        # Where the plan says that clients go, they go.
        await apply(fleet, WITHOUT_MONS, expected_etag=plan.etag)
        assert (await fleet.resolve("d0", FROM_FRANKFURT)).region_id == "eu-north1"

    run(story)


def test_a_plan_sees_whom_another_declared_round_trip_moves() -> None:
    def linked(west: str, north: str) -> str:
        links = f"""  links:
    - {{between: [us-east1, eu-west1], rtt: {west}}}
    - {{between: [us-east1, eu-north1], rtt: {north}}}
---"""
        by_latency = "name: embed}\nspec:\n  routing: {strategy: LeastLatency}"
        here = '    - {name: us-east1, endpoints: [{address: "127.0.0.1:9013"}]}\n'
        away = MANIFEST.replace("---", links, 1).replace(here, "")
        return away.replace("name: embed}\nspec:", by_latency)

    async def story(fleet: Fleet) -> None:
        await apply(fleet, linked("88ms", "120ms"))
        request = pb.PlanManifestRequest(documents=linked("188ms", "120ms"))

        plan = await fleet_call(fleet, "PlanManifest", request)

        [moved] = plan.traffic
        assert {(each.source_region_id, each.target_region_id) for each in moved.moves} == {
            ("eu-west1", "eu-north1")
        }

    run(story)


def test_a_plan_names_the_rule_that_would_refuse() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)

        plan = await fleet_call(
            fleet,
            "PlanManifest",
            pb.PlanManifestRequest(documents=MANIFEST.replace("{name: test}", "{name: other}")),
        )

        [risk] = [each for each in plan.risks if each.severity == "refused"]
        assert risk.reason == "INVALID_REQUEST"
        assert "fleet test" in risk.message

    run(story)


def test_a_plan_names_a_service_that_would_go_unless_that_is_meant() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)
        documents = "---".join(part for part in MANIFEST.split("---") if "embed" not in part)

        async def refusals(*allowed: str) -> list[str]:
            request = pb.PlanManifestRequest(documents=documents, allow_removed_service_ids=allowed)
            plan = await fleet_call(fleet, "PlanManifest", request)
            return [each.message for each in plan.risks if each.severity == "refused"]

        [said] = await refusals()
        assert "--remove-service embed" in said
        assert await refusals("embed") == []

    run(story)


def test_the_plan_of_a_rollback_is_asked_for_by_its_number() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)
        await apply(fleet, LONGER)

        plan = await fleet_call(fleet, "PlanManifest", pb.PlanManifestRequest(revision=1))

        [change] = plan.changes
        assert [(each.path, each.before, each.after) for each in change.fields] == [
            ("spec.routing.ttl", "30s", "15s")
        ]
        assert list(plan.traffic) == []
        both = pb.PlanManifestRequest(revision=1, documents=MANIFEST)
        assert (await refused(fleet_call(fleet, "PlanManifest", both)))[1] == "INVALID_REQUEST"

    run(story)


def test_a_follower_plans_nothing_and_names_the_leader() -> None:
    async def story(fleet: Fleet) -> None:
        call = fleet_call(
            fleet, "PlanManifest", pb.PlanManifestRequest(documents=MANIFEST), at="d1"
        )

        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call

        info = error_info(raised.value)
        assert info is not None
        assert (info.reason, info.metadata["leaderId"]) == ("NOT_LEADER", "d0")

    run(story, size=3)


def test_documents_beyond_the_limit_are_not_even_read_for_a_plan() -> None:
    async def story(fleet: Fleet) -> None:
        huge = pb.PlanManifestRequest(documents="#" * (2**20 + 1))

        _, reason, said = await refused(fleet_call(fleet, "PlanManifest", huge))

        assert reason == "INVALID_REQUEST"
        assert "at most 1048576" in said

    run(story)


def test_a_request_id_stands_for_one_rollback_and_not_for_another() -> None:
    async def story(fleet: Fleet) -> None:
        for documents in (MANIFEST, LONGER, WITHOUT_MONS):
            await apply(fleet, documents)
        change = pb.Change(request_id="back", reason="a test")

        def back(revision: int) -> Awaitable[Any]:
            request = pb.RollbackManifestRequest(revision=revision, change=change)
            return fleet_call(fleet, "RollbackManifest", request)

        first = await back(1)
        # Asked again, for instance because the answer was lost: one effect, the same answer.
        again = await back(1)
        _, reason, _ = await refused(back(2))

        assert (again.revision, again.etag, again.index) == (4, first.etag, first.index)
        assert reason == "INVALID_REQUEST"
        assert (await fleet.status()).config_revision == 4

    run(story)


def test_revisions_survive_a_snapshot() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST, reason="first")
        await apply(fleet, LONGER)
        state = fleet.running["d0"].replica.state

        assert decode_state(encode_state(state)).revisions == state.revisions
        assert state.revisions[-1].source == state.manifest_source == LONGER

    run(story)


def test_the_budget_explained_adds_up_to_the_prediction_in_the_status() -> None:
    async def story(fleet: Fleet) -> None:
        await apply(fleet, MANIFEST)

        explained = {
            each: await fleet_call(fleet, "ExplainBudget", pb.ExplainBudgetRequest(service_id=each))
            for each in ("chat", "embed")
        }

        predicted = {
            each.service_id: each.predicted_rto_ms for each in (await fleet.status()).services
        }
        for service_id, answer in explained.items():
            assert sum(line.spent_ms for line in answer.recovery) == predicted[service_id]
            assert answer.predicted_rto_ms == predicted[service_id]
        assert [line.phase for line in explained["chat"].recovery] == [
            "detect",
            "confirm",
            "hold",
            "lease",
            "promote and publish",
        ]
        assert "lease" not in [line.phase for line in explained["embed"].recovery]
        assert {line.phase: line.spent_ms for line in explained["chat"].on_top} == {
            "clients that poll": 15_000,
            "leader lost too": 2_000,
        }
        assert [each.region_id for each in explained["chat"].standbys]
        assert list(explained["embed"].exposure) == []
        unknown = fleet_call(fleet, "ExplainBudget", pb.ExplainBudgetRequest(service_id="x"))
        assert (await refused(unknown))[1] == "SERVICE_NOT_FOUND"

    run(story)
