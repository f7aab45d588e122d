"""The agent's HTTP side: strict about requests, bounded in everything."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from director.client.answering import Answerer
from director.routing.table import RegionId, ServiceId
from director.runtime import http_server
from director.runtime.http_server import CONNECTIONS_MAX
from director.runtime.loopback import NotLoopbackError
from regions.actuators.gate import Gates
from regions.api.http import HttpServer
from regions.api.vitals import Counts, Vitals
from regions.core.effects import SetGate
from regions.core.ids import FencingToken, GroupId, ReplicaId
from tests.regions.backends import a_table

NOW_MS = 1_000


class AView:
    def view_age_ms(self) -> int:
        return 40

    def source(self) -> int:
        return 1


def an_open_gate() -> SetGate:
    """Chat may write here until 5 000."""
    return SetGate(
        GroupId("chat/0"),
        ServiceId("chat"),
        is_open=True,
        token=FencingToken(1, 7),
        deadline_at_ms=5_000,
        answer_ms=250,
        reason="",
        home=RegionId("eu-west1"),
    )


def serving(story: Callable[[int], Awaitable[None]]) -> None:
    """Run ``story`` with the port of a server whose gate is open."""

    async def run() -> None:
        gates = Gates([ServiceId("chat"), ServiceId("pay")], lambda: NOW_MS)
        gates.put(an_open_gate())
        vitals = Vitals(RegionId("eu-west1"), "1.2.3", Counts(), now_ms=lambda: NOW_MS)
        answerer = Answerer()
        answerer.adopt_table(a_table())
        server = HttpServer(gates, answerer, AView(), vitals)
        port = await server.start("127.0.0.1:0")
        try:
            await story(port)
        finally:
            await server.stop()

    asyncio.run(run())


async def ask(port: int, request: bytes) -> tuple[int, dict[str, object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if b"\r\n\r\n" not in request:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    found: dict[str, object] = json.loads(body)
    return int(head.split(b" ")[1]), found


def asked(target: str, method: str = "GET", extra: str = "") -> tuple[int, dict[str, object]]:
    answers: list[tuple[int, dict[str, object]]] = []

    async def story(port: int) -> None:
        request = f"{method} {target} HTTP/1.1\r\nConnection: close\r\n{extra}\r\n"
        answers.append(await ask(port, request.encode()))

    serving(story)
    return answers[0]


def test_an_open_gate_is_200_with_its_token_and_deadline() -> None:
    assert asked("/gate/chat") == (
        200,
        {
            "service_id": "chat",
            "may_write": True,
            "token": {"generation": 1, "epoch": 7},
            "deadline_boottime_ms": NOW_MS + 250,
            "reason": "",
            "home_region_id": "eu-west1",
        },
    )


def test_a_closed_gate_is_423() -> None:
    status, answer = asked("/gate/pay")

    assert (status, answer["may_write"], answer["token"]) == (423, False, None)


def test_a_resolve_says_where_to_go_and_how_old_the_view_is() -> None:
    status, answer = asked("/resolve?service=chat&from-region=eu-north1")

    assert status == 200
    assert (answer["region_id"], answer["view_age_ms"], answer["source"]) == (
        "eu-west1",
        40,
        "SOURCE_FRESH",
    )


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/resolve", 400, "INVALID_REQUEST"),
        ("/resolve?service=nope", 404, "SERVICE_NOT_FOUND"),
        ("/resolve?service=chat&from=nan,2", 400, "POSITION_UNUSABLE"),
        ("/resolve?service=chat&from=91,2", 400, "POSITION_UNUSABLE"),
        ("/resolve?service=chat&from=here", 400, "POSITION_UNUSABLE"),
        ("/resolve?service=chat&from-region=mars", 400, "POSITION_UNUSABLE"),
        ("/resolve?service=chat&from-ip=300.1.1.1", 400, "POSITION_UNUSABLE"),
        ("/resolve?service=chat&from=1,2&from-ip=192.0.2.1", 400, "POSITION_UNUSABLE"),
        ("/resolve?service=chat&service=chat", 400, "INVALID_REQUEST"),
        ("/resolve?service=chat&form=1,2", 400, "INVALID_REQUEST"),
        ("/resolve?" + "&".join(f"a{n}=1" for n in range(40)), 400, "INVALID_REQUEST"),
        ("/gate/nope", 404, "SERVICE_NOT_FOUND"),
        ("/gate/chat/more", 404, "NOT_FOUND"),
        ("/", 404, "NOT_FOUND"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_a_reason(
    target: str, status: int, reason: str
) -> None:
    answered, answer = asked(target)

    assert (answered, answer["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /gate/chat HTTP/1.1\r\n\r\n", 405),
        (b"GET /gate/chat HTTP/2\r\n\r\n", 400),
        (b"GET gate/chat HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_what_is_not_a_plain_get_is_refused_and_the_connection_ends(
    request_: bytes, status: int
) -> None:
    async def story(port: int) -> None:
        answered, _ = await ask(port, request_)
        assert answered == status

    serving(story)


def test_one_connection_may_ask_many_times() -> None:
    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(50):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert await reader.readline() == b'{"ok": true}\n'
        writer.close()

    serving(story)


def test_a_client_that_never_finishes_its_request_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "REQUEST_WAIT_S", 0.05)

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HT")
        assert await reader.read() == b""
        writer.close()

    serving(story)


def test_more_connections_than_allowed_are_turned_away() -> None:
    async def story(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        for _, writer in held:
            writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
        for reader, _ in held:
            await reader.readuntil(b"\r\n\r\n")

        one_more, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            turned_away = await one_more.read() == b""
        except ConnectionResetError:
            turned_away = True

        assert turned_away
        writer.close()
        for _, writer in held:
            writer.close()

    serving(story)


def test_the_server_listens_on_loopback_only() -> None:
    vitals = Vitals(RegionId("eu-west1"), "1.2.3", Counts())
    server = HttpServer(Gates([], lambda: 0), Answerer(), AView(), vitals)

    with pytest.raises(NotLoopbackError):
        asyncio.run(server.start("0.0.0.0:0"))


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/active?service=chat", 200, None),
        ("/active?service=chat&region=eu-west1", 200, None),
        ("/active?service=chat&region=us-east1", 503, "OTHER_REGION"),
        ("/active?service=pay", 503, "NO_OWNER"),
        ("/active?service=nope", 404, "SERVICE_NOT_FOUND"),
        ("/active", 400, "INVALID_REQUEST"),
        ("/active?service=chat&service=pay", 400, "INVALID_REQUEST"),
        ("/active?service=chat&more=1", 400, "INVALID_REQUEST"),
    ],
)
def test_a_load_balancer_is_told_whether_the_gate_is_open_here(
    target: str, status: int, reason: str | None
) -> None:
    answered, answer = asked(target)

    assert (answered, answer.get("reason")) == (status, reason)


def test_a_target_that_is_no_address_is_answered() -> None:
    assert asked("//[")[0] == 404


def test_a_scrape_tells_of_gates_leases_probes_and_reports() -> None:
    counts = Counts()
    for passed in (True, True, False):
        counts.probed(ServiceId("chat"), RegionId("eu-west1"), passed=passed, rtt_us=1_500)
    counts.reported(ReplicaId("d0"), now_ms=NOW_MS - 250)
    counts.reported(ReplicaId("d1"), now_ms=NOW_MS)
    counts.disconnected(ReplicaId("d1"))
    gates = Gates([ServiceId("chat"), ServiceId("pay")], lambda: NOW_MS)
    gates.put(an_open_gate())
    vitals = Vitals(RegionId("eu-west1"), "1.2.3", counts, now_ms=lambda: NOW_MS)

    text = vitals.text(gates, AView(), Answerer().tallies).decode()

    found = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found == {
        ("director_agent_build_info", ("eu-west1", "1.2.3")): 1,
        ("director_agent_gate_open", ("chat",)): 1,
        ("director_agent_gate_open", ("pay",)): 0,
        ("director_agent_lease_remaining_seconds", ("chat",)): 4,
        ("director_agent_lease_remaining_seconds", ("pay",)): 0,
        ("director_agent_directors_connected", ()): 1,
        ("director_agent_report_age_seconds", ("d0",)): 0.25,
        ("director_agent_probe_results_total", ("eu-west1", "failed", "chat")): 1,
        ("director_agent_probe_results_total", ("eu-west1", "passed", "chat")): 2,
        ("director_agent_probe_rtt_seconds", ("eu-west1",)): 0.0015,
        ("director_agent_view_age_seconds", ()): 0.04,
    }


def test_a_gate_whose_lease_has_run_out_is_not_active_although_nobody_shut_it() -> None:
    now_ms = [NOW_MS]
    gates = Gates([ServiceId("chat")], lambda: now_ms[0])
    gates.put(an_open_gate())
    assert gates.lease_left_ms(ServiceId("chat")) == 4_000
    now_ms[0] = 5_000

    answer = gates.check(ServiceId("chat"))
    assert answer is not None
    assert not answer.may_write
    assert gates.lease_left_ms(ServiceId("chat")) == 0
