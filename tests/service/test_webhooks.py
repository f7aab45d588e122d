"""Webhooks: what is due and when, how it is signed, and what a real HTTP server gets."""

import asyncio
import base64
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from director.consensus.port import NotLeaderError
from director.core.audit import AUDIT_KEPT_MAX, NO_AUDIT, AuditLog, AuditRecord, appended
from director.core.commands import Delivery
from director.core.state import State
from director.core.topology import Topology, WebhookSpec
from director.runtime.clock import boot_ms
from director.service import webhooks
from director.service.webhook_post import Poster, PostFailedError
from director.service.webhook_sender import WebhookSender
from director.service.webhooks import (
    RETRY_CAP_MS,
    SKIPPED_NOTED_FROM,
    Outbox,
    SecretUnusableError,
    cloud_event,
    message_id,
    secret_of,
    signed_headers,
)
from tests.shells.fleet import eventually
from tests.support.pki import FleetPki, a_director
from tests.support.webhook_receiver import KEY, SECRET, Got, a_receiver

HOOK = WebhookSpec("ops", "https://ops.example/hook", "OPS_SECRET")


def a_log(*actions: str) -> AuditLog:
    log = NO_AUDIT
    for at, action in enumerate(actions):
        record = AuditRecord(
            0, at, at, 1_700_000_000_123, "alice", "why", action, "chat", "eu", detail="ä"
        )
        log = appended(log, record)
    return log


def a_state(
    *actions: str, through: int = 0, lost: int = 0, hooks: tuple[WebhookSpec, ...] = (HOOK,)
) -> State:
    marks = tuple(Delivery(each.name, through, lost) for each in hooks)
    return State(audit=a_log(*actions), topology=Topology("prod", webhooks=hooks), deliveries=marks)


def an_outbox() -> Outbox:
    return Outbox(Random(1))


def numbers(outbox: Outbox, state: State, now_ms: int = 0) -> list[int]:
    return [each.record.number for each in outbox.due(state, now_ms=now_ms)]


# -- what is due -----------------------------------------------------------------------------------


def test_records_go_out_one_by_one_and_in_order() -> None:
    outbox, state = an_outbox(), a_state("start_run", "advance_run", "abort_run")

    assert numbers(outbox, state) == [1]
    assert numbers(outbox, state) == []  # it is on its way
    outbox.delivered("ops", 1)
    assert numbers(outbox, state) == [2]


def test_each_webhook_goes_at_its_own_pace() -> None:
    hooks = (HOOK, replace(HOOK, name="pager"))
    outbox, state = an_outbox(), a_state("start_run", "advance_run", hooks=hooks)
    assert numbers(outbox, state) == [1, 1]

    outbox.delivered("pager", 1)

    assert [(each.webhook.name, each.record.number) for each in outbox.due(state, now_ms=0)] == [
        ("pager", 2)
    ]


def test_only_actions_that_begin_as_wanted_are_sent() -> None:
    hook = replace(HOOK, events=("start_", "set_region"))
    outbox = an_outbox()
    state = a_state("record_verdicts", "set_override", "set_region_drained", hooks=(hook,))

    assert numbers(outbox, state) == [3]


def test_what_was_delivered_before_is_not_due() -> None:
    assert numbers(an_outbox(), a_state("start_run", "advance_run", through=1)) == [2]


def test_a_refused_record_comes_again_later_and_later() -> None:
    outbox, state = an_outbox(), a_state("start_run")
    now_ms, delays = 0, []
    for attempt in range(12):
        (due,) = outbox.due(state, now_ms=now_ms)
        assert (due.record.number, due.attempt) == (1, attempt)
        delays.append(outbox.failed("ops", now_ms=now_ms))
        assert numbers(outbox, state, now_ms + delays[-1] - 1) == []
        now_ms += delays[-1]

    assert max(delays[:2]) <= 2_000
    assert 10_000 < max(delays) <= RETRY_CAP_MS
    assert outbox.delivered("ops", 1) == 12


def test_marks_are_noted_after_a_delivery_and_never_at_rest() -> None:
    outbox, state = an_outbox(), a_state("start_run", "advance_run")
    assert outbox.marks(state) == ()
    outbox.due(state, now_ms=0)
    assert outbox.marks(state) == ()

    outbox.delivered("ops", 1)

    assert outbox.marks(state) == (Delivery("ops", 1),)
    noted = replace(state, deliveries=(Delivery("ops", 1),))
    assert outbox.marks(noted) == ()


def test_records_that_are_not_wanted_move_the_mark_only_in_large_steps() -> None:
    hook = replace(HOOK, events=("set_override",))
    few = a_state(*["start_run"] * (SKIPPED_NOTED_FROM - 1), hooks=(hook,))
    many = a_state(*["start_run"] * SKIPPED_NOTED_FROM, hooks=(hook,))
    outbox = an_outbox()

    assert numbers(outbox, few) == []
    assert outbox.marks(few) == ()
    assert numbers(outbox, many) == []
    assert outbox.marks(many) == (Delivery("ops", SKIPPED_NOTED_FROM),)


def test_a_webhook_that_fell_behind_skips_and_says_how_many_were_lost() -> None:
    state = a_state(*["start_run"] * (AUDIT_KEPT_MAX + 5), through=2, lost=1)
    outbox = an_outbox()

    # 6 is the first that is kept; 3, 4 and 5 are gone.
    assert numbers(outbox, state) == [6]
    assert outbox.take_lost() == (("ops", 3),)
    assert outbox.take_lost() == ()
    assert outbox.marks(state) == (Delivery("ops", 5, lost_count=4),)


def test_another_office_begins_from_the_marks() -> None:
    outbox, state = an_outbox(), a_state("start_run", "advance_run")
    outbox.due(state, now_ms=0)
    outbox.delivered("ops", 1)
    assert numbers(outbox, state) == [2]

    outbox.forget()

    assert numbers(outbox, state) == [1]  # the mark of the first was not in the log yet


def test_an_answer_that_comes_after_the_webhook_was_taken_away_changes_nothing() -> None:
    outbox, state = an_outbox(), a_state("start_run")
    outbox.due(state, now_ms=0)
    outbox.due(replace(state, topology=Topology("prod")), now_ms=0)

    assert outbox.delivered("ops", 1) == 0
    assert outbox.failed("ops", now_ms=0) == 0
    assert outbox.marks(state) == ()


# -- the message -----------------------------------------------------------------------------------


def test_the_body_is_a_cloud_event() -> None:
    record = a_log("set_region_drained").records[0]

    event = json.loads(cloud_event("prod", record))

    assert {key: value for key, value in event.items() if key != "data"} == {
        "specversion": "1.0",
        "id": f"audit_1_{record.hash[:16]}",
        "source": "/trafficdirector/prod",
        "type": "io.trafficdirector.set_region_drained",
        "subject": "chat/eu",
        "time": "2023-11-14T22:13:20.123Z",
        "datacontenttype": "application/json",
    }
    assert (event["data"]["actor"], event["data"]["hash"]) == ("alice", record.hash)


def test_a_body_is_the_same_bytes_at_each_try() -> None:
    record = a_log("start_run").records[0]

    assert cloud_event("prod", record) == cloud_event("prod", record)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - everybody knows it
    record = a_log("start_run").records[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhooks, "message_id", lambda _: "msg_p5jXN8AQM9LWM0D4loKWxJek")
        headers = signed_headers(secret, record, b'{"test": 2432232314}', wall_ms=1_614_265_330_000)

    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_both_while_a_receiver_changes_over() -> None:
    other = b"another key of 24 bytes."
    secret = f"{SECRET} whsec_{base64.b64encode(other).decode()}"
    record = a_log("start_run").records[0]
    body = cloud_event("prod", record)

    got = Got("/", signed_headers(secret, record, body, wall_ms=5_000), body)

    assert got.is_signed_with(KEY)
    assert got.is_signed_with(other)
    assert not got.is_signed_with(b"a key nobody was given..")


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_"), "whsec_?", "whsec_ä"]
)
def test_a_secret_that_is_none_signs_nothing(secret: str) -> None:
    record = a_log("start_run").records[0]

    with pytest.raises(SecretUnusableError, match="16 bytes"):
        signed_headers(secret, record, b"{}", wall_ms=0)


def test_a_secret_that_is_not_set_is_named() -> None:
    with pytest.raises(SecretUnusableError, match="OPS_SECRET is not set"):
        secret_of(HOOK, {})


# -- over HTTP -------------------------------------------------------------------------------------


def post(url: str, *, deadline_ms: int = 5_000) -> int:
    record = a_log("start_run").records[0]
    body = cloud_event("prod", record)

    async def sent() -> int:
        poster = Poster(deadline_ms=deadline_ms)
        try:
            return await poster.post(url, signed_headers(SECRET, record, body, wall_ms=1_000), body)
        finally:
            poster.close()

    return asyncio.run(sent())


def test_a_receiver_can_check_who_sent_it() -> None:
    with a_receiver() as receiver:
        assert post(receiver.url) == 204

    (got,) = receiver.got
    assert got.path == "/hook?team=ops"
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.headers["webhook-id"] == message_id(a_log("start_run").records[0])
    assert got.is_signed_with(KEY)
    assert not replace(got, body=got.body + b" ").is_signed_with(KEY)


def test_a_redirect_is_not_followed() -> None:
    with a_receiver() as receiver:
        receiver.answer = lambda _: 302

        assert post(receiver.url) == 302


def test_nobody_there_is_said_without_the_address() -> None:
    with pytest.raises(PostFailedError, match="refused") as raised:
        post("http://127.0.0.1:1/secret-path")

    assert "secret-path" not in str(raised.value)


def test_a_receiver_that_says_nothing_is_left_after_the_deadline() -> None:
    with a_receiver() as receiver:
        receiver.hangs = threading.Event()
        began_ms = boot_ms()

        with pytest.raises(PostFailedError, match="no answer within 200 ms"):
            post(receiver.url, deadline_ms=200)

        # The thread ends with it; else the interpreter would wait for it at its own end.
        assert boot_ms() - began_ms < 5_000


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://ops.example/hook", "169.254.169.254"),
        ("https://ops.example/hook", "::ffff:169.254.169.254"),
        ("https://ops.example/hook", "fe80::1%eth0"),
        ("http://localhost/hook", "10.0.0.1"),
    ],
)
def test_a_name_that_comes_to_stand_for_another_kind_of_address_is_not_followed(
    url: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found])

    with pytest.raises(PostFailedError, match="not sent to") as raised:
        post(url)

    assert address not in str(raised.value)


def test_a_look_up_that_hangs_holds_one_thread_and_no_other_webhook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released, looked_up, real = threading.Event(), [], socket.getaddrinfo

    def hanging(host: str, *rest: Any, **more: Any) -> Any:
        if host == "slow.example":
            looked_up.append(host)
            released.wait(20)
        return real("127.0.0.1", *rest, **more)

    async def story(url: str) -> int:
        poster = Poster(deadline_ms=500)
        try:
            for _ in range(9):  # more often than there are threads
                with pytest.raises(PostFailedError):
                    await poster.post("https://slow.example/hook", {}, b"")
            return await poster.post(url, {}, b"{}")
        finally:
            released.set()
            poster.close()

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    with a_receiver() as receiver:
        assert asyncio.run(story(receiver.url)) == 204
    assert looked_up == ["slow.example"]


def test_over_tls_only_a_receiver_with_a_certificate_that_is_trusted_gets_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = FleetPki(tmp_path / "pki")
    paths = pki.paths(a_director("d0"))
    showing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    showing.load_cert_chain(paths.cert, paths.key)
    trusting = ssl.create_default_context(cafile=str(pki.authority.ca))
    trusting.check_hostname = False  # directors are known by identity, not by host

    with a_receiver(tls=showing) as receiver:
        with pytest.raises(PostFailedError):
            post(receiver.url)
        assert receiver.got == []
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        assert post(receiver.url) == 204
    (got,) = receiver.got
    assert got.is_signed_with(KEY)


# -- over two offices ------------------------------------------------------------------------------


class Office:
    """The log and the receiver of one sender, as far as it sees them."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.term, self.is_leader = 1, True
        self.barrier_index = 0
        self.sent: list[str] = []
        self.status = 200

    def standing(self) -> Any:
        return SimpleNamespace(term=self.term, is_leader=self.is_leader)

    async def read_barrier(self, *, term: int) -> int:
        assert term == self.term
        return self.barrier_index

    async def propose(self, payload: bytes, *, term: int) -> None:
        raise NotLeaderError("elsewhere")  # nothing that is noted ever gets into the log

    async def post(self, _url: str, headers: Mapping[str, str], _body: bytes) -> int:
        self.sent.append(headers["webhook-id"].split("_")[1])
        return self.status

    def close(self) -> None:
        pass


def while_sending(office: Office, story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        consensus: Any = office
        sender = WebhookSender(
            consensus, lambda: office.state, posts=office, environment={"OPS_SECRET": SECRET}
        )
        task = asyncio.create_task(sender.run())
        try:
            await story()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())


def test_a_leader_that_comes_back_goes_on_from_what_others_noted_meanwhile() -> None:
    office = Office(a_state("start_run", "advance_run", "abort_run"))

    async def story() -> None:
        office.status = 500
        await eventually(lambda: office.sent == ["1"])
        office.is_leader = False
        await asyncio.sleep(0.5)
        office.state = replace(office.state, deliveries=(Delivery("ops", 2),))
        office.status, office.term, office.is_leader = 200, 3, True
        await eventually(lambda: office.sent == ["1", "3"])
        # That the mark cannot be noted is no reason to send it again.
        await asyncio.sleep(1.5)
        assert office.sent == ["1", "3"]

    while_sending(office, story)


def test_nothing_is_sent_before_this_replica_knows_what_was_noted() -> None:
    office = Office(a_state("start_run", "advance_run"))
    office.barrier_index = 7

    async def story() -> None:
        await asyncio.sleep(0.6)
        assert office.sent == []
        office.state = replace(office.state, applied_index=7, deliveries=(Delivery("ops", 1),))
        await eventually(lambda: office.sent == ["2"])

    while_sending(office, story)


def test_a_follower_sends_nothing() -> None:
    office = Office(a_state("start_run"))
    office.is_leader = False

    async def story() -> None:
        await asyncio.sleep(0.6)
        assert office.sent == []
        office.is_leader = True
        await eventually(lambda: office.sent[:1] == ["1"])

    while_sending(office, story)
