"""What probes and load balancers are told, and when they are told no."""

import asyncio
from dataclasses import replace

import pytest

from director.client.watch import Source
from director.core.commands import ApplyManifest, GrantOwnership, SetRegionDrained
from director.core.state import State
from director.http.pages import Pages
from director.routing.table import RegionId, ServiceId
from director.runtime.http_server import HttpAnswer
from tests.core.builders import (
    CHAT_GROUP,
    EU,
    US,
    Ledger,
    a_region,
    a_service,
    a_site,
    a_stamp,
    a_topology,
    an_active_active,
)
from tests.http.asking import AView, pages, read


def an_owned_state() -> State:
    """Chat is active-passive and at home in EU; embed is active-active in both regions."""
    chat = a_service(sites=(a_site(EU), a_site(US, 1)))
    embed = an_active_active(ServiceId("embed"), sites=(a_site(EU), a_site(US)))
    ledger = Ledger()
    ledger.must(
        ApplyManifest(a_stamp(), a_topology(chat, embed, regions=(a_region(EU), a_region(US))))
    )
    ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, EU, 0))
    return ledger.state


def moved(state: State, *, home: RegionId, serving: RegionId) -> State:
    groups = tuple(replace(each, home=home, serving=serving) for each in state.groups)
    return replace(state, groups=groups)


def asked(target: str, view: AView) -> tuple[int, str]:
    """Return status and reason."""
    status, body = read(pages(view).answer(target))
    return status, str(body.get("reason", ""))


def test_the_region_that_owns_a_service_is_active_and_no_other() -> None:
    view = AView(an_owned_state())

    assert asked(f"/active?service=chat&region={EU}", view) == (200, "")
    assert asked(f"/active?service=chat&region={US}", view) == (503, "OTHER_REGION")


def test_between_the_grant_and_the_routes_nobody_is_active() -> None:
    # The old home can write no more, and clients are not sent to the new one yet.
    view = AView(moved(an_owned_state(), home=US, serving=EU))

    assert asked(f"/active?service=chat&region={EU}", view) == (503, "MOVING")
    assert asked(f"/active?service=chat&region={US}", view) == (503, "MOVING")


def test_every_region_in_service_is_active_for_an_active_active_service() -> None:
    ledger = Ledger(an_owned_state())
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    view = AView(ledger.state)

    assert asked(f"/active?service=embed&region={EU}", view) == (200, "")
    assert asked(f"/active?service=embed&region={US}", view) == (503, "OUT_OF_SERVICE")


def test_a_service_that_was_never_granted_is_active_nowhere() -> None:
    state = an_owned_state()
    groups = tuple(replace(each, home=None, serving=None) for each in state.groups)
    view = AView(replace(state, groups=groups))

    assert asked(f"/active?service=chat&region={EU}", view) == (503, "NO_OWNER")


@pytest.mark.parametrize("source", [Source.STALE, Source.KEPT])
def test_a_replica_that_may_have_missed_a_move_calls_no_region_active(source: Source) -> None:
    view = AView(an_owned_state(), age_ms=2_500, source=source)

    assert asked(f"/active?service=chat&region={EU}", view) == (503, "STALENESS_BOUND_EXCEEDED")


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("", 400, "INVALID_REQUEST"),
        ("?service=chat", 400, "INVALID_REQUEST"),
        (f"?service=chat&region={EU}&more=1", 400, "INVALID_REQUEST"),
        (f"?service=chat&service=chat&region={EU}", 400, "INVALID_REQUEST"),
        (f"?service=&region={EU}", 400, "INVALID_REQUEST"),
        (f"?service={'x' * 64}&region={EU}", 400, "INVALID_REQUEST"),
        ("?" + "&".join(f"a{n}=1" for n in range(40)), 400, "INVALID_REQUEST"),
        (f"?service=nope&region={EU}", 404, "SERVICE_NOT_FOUND"),
        ("?service=chat&region=nowhere", 404, "REGION_NOT_FOUND"),
    ],
)
def test_a_question_that_cannot_be_answered_gets_a_reason(
    query: str, status: int, reason: str
) -> None:
    assert asked(f"/active{query}", AView(an_owned_state())) == (status, reason)


@pytest.mark.parametrize("target", ["/", "/nope", "//[", "/active/more", "/metrics/", "/livez?x=%"])
def test_every_target_is_answered(target: str) -> None:
    status, _ = read(pages(AView()).answer(target))

    assert status == (200 if target.startswith("/livez?") else 404)


def test_what_was_asked_is_not_sent_back() -> None:
    view = AView(an_owned_state())
    for target in ("/canary", "/active?service=canary&region=canary", "/active?canary=1"):
        answer = pages(view).answer(target)
        assert isinstance(answer, HttpAnswer)
        assert b"canary" not in answer.content


def test_a_replica_is_alive_until_it_stops_itself() -> None:
    assert asked("/livez", AView()) == (200, "")
    assert asked("/livez", AView(failed="stopped")) == (503, "REPLICA_FAILED")


@pytest.mark.parametrize(
    ("view", "status", "reasons"),
    [
        (AView(), 200, []),
        (AView(is_led_by=None), 200, []),  # it answers from its table, and says how old that is
        (AView(has_table=False), 200, []),
        (AView(is_led_by=None, has_table=False), 503, ["NO_LEADER", "NO_TABLE"]),
        (AView(failed="stopped"), 503, ["REPLICA_FAILED"]),
    ],
)
def test_readiness_names_what_is_missing(view: AView, status: int, reasons: list[str]) -> None:
    answered, body = read(pages(view).answer("/readyz"))

    assert (answered, body["reasons"], body["ready"]) == (status, reasons, not reasons)


def test_readiness_says_how_old_the_view_is() -> None:
    _, body = read(pages(AView(age_ms=7_000, source=Source.KEPT)).answer("/readyz"))

    assert (body["view_age_ms"], body["source"]) == (7_000, "KEPT")


def test_a_flood_of_scrapes_costs_one_a_second() -> None:
    made: list[int] = []
    now_ms = [0]

    async def metrics() -> bytes:
        made.append(now_ms[0])
        return b"text"

    served = Pages(AView(), metrics, now_ms=lambda: now_ms[0])

    async def scrape() -> None:
        for at_ms in (0, 10, 999, 1_000, 1_500, 2_000):
            now_ms[0] = at_ms
            answers = [served.answer("/metrics") for _ in range(3)]
            for each in answers:
                assert not isinstance(each, HttpAnswer)
                assert (await each).content == b"text"

    asyncio.run(scrape())
    assert made == [0, 1_000, 2_000]
