"""The HTTP port beyond loopback: only for certificates of the fleet, as they are just now."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest

from director.http.server import is_loopback
from director.runtime import http_server, https
from director.runtime.clock import wall_ms
from director.runtime.http_server import HttpServer, json_answer
from director.runtime.https import following_context, peer_fault
from director.runtime.loopback import NotLoopbackError
from director.runtime.tls import TlsFiles, TlsPaths
from tests.support.pki import CLIENT, TRUST_DOMAIN, FleetPki, a_director, forged

D0 = a_director("d0")


@pytest.fixture
def pki(tmp_path: Path) -> FleetPki:
    return FleetPki(tmp_path / "pki")


def serving(tls: TlsFiles, story: Callable[[int], Awaitable[None]]) -> None:
    """Run ``story`` with the port of a server that shows ``tls``."""

    async def run() -> None:
        refusal = partial(peer_fault, trust_domain=tls.trust_domain)
        server = HttpServer(lambda _: json_answer(HTTPStatus.OK, {"ok": True}), refusal=refusal)
        port = await server.start("127.0.0.1:0", tls=following_context(tls))
        try:
            await story(port)
        finally:
            await server.stop()

    asyncio.run(run())


def a_client(paths: TlsPaths | None, ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False  # directors are known by identity, not by host
    if paths is not None:
        context.load_cert_chain(paths.cert, paths.key)
    return context


async def asked(port: int, context: ssl.SSLContext | None) -> tuple[bytes, bytes]:
    """Return what was answered, b"" if nothing was, and the certificate that was shown."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return b"", b""
    shown = b""
    if context is not None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return answer.split(b"\r\n")[0], shown


def test_whoever_shows_a_certificate_of_the_fleet_is_answered(pki: FleetPki) -> None:
    async def story(port: int) -> None:
        answer, _ = await asked(port, a_client(pki.paths(CLIENT), pki.authority.ca))
        assert answer == b"HTTP/1.1 200 OK"

    serving(pki.tls(D0), story)


def test_nobody_is_answered_without_one(pki: FleetPki) -> None:
    async def story(port: int) -> None:
        assert (await asked(port, a_client(None, pki.authority.ca)))[0] == b""
        assert (await asked(port, None))[0] == b""

    serving(pki.tls(D0), story)


@pytest.mark.parametrize(
    "uris",
    [
        ("spiffe://elsewhere/client/app",),
        (f"spiffe://{TRUST_DOMAIN}/client/app", f"spiffe://{TRUST_DOMAIN}/client/more"),
        (),
    ],
)
def test_a_certificate_that_names_nobody_of_the_fleet_is_hung_up_on(
    pki: FleetPki, tmp_path: Path, uris: tuple[str, ...]
) -> None:
    pair = forged(pki.authority.directory, uris)
    cert, key = tmp_path / "forged.pem", tmp_path / "forged-key.pem"
    cert.write_bytes(pair.cert)
    key.write_bytes(pair.key)
    paths = TlsPaths(cert, key, pki.authority.ca, TRUST_DOMAIN)

    async def story(port: int) -> None:
        assert (await asked(port, a_client(paths, pki.authority.ca)))[0] == b""

    serving(pki.tls(D0), story)


def test_a_certificate_that_was_replaced_is_shown_to_the_next_client(pki: FleetPki) -> None:
    tls = pki.tls(D0)

    async def story(port: int) -> None:
        context = a_client(pki.paths(CLIENT), pki.authority.ca)
        _, before = await asked(port, context)
        pki.authority.issue(D0, is_renewal=True)
        tls.refresh(is_urgent=True)
        answer, after = await asked(port, context)
        assert answer == b"HTTP/1.1 200 OK"
        assert before != after

    serving(tls, story)


def test_plain_http_is_for_loopback_unless_everything_is_insecure() -> None:
    async def listen(address: str, *, allow_insecure: bool) -> None:
        server = HttpServer(lambda _: json_answer(HTTPStatus.OK, {}))
        try:
            await server.start(address, allow_insecure=allow_insecure)
        finally:
            await server.stop()

    with pytest.raises(NotLoopbackError):
        asyncio.run(listen("0.0.0.0:0", allow_insecure=False))
    asyncio.run(listen("0.0.0.0:0", allow_insecure=True))
    with pytest.raises(ValueError, match="is not host:port"):
        asyncio.run(listen("nowhere", allow_insecure=True))
    assert is_loopback("127.0.0.1:0")
    assert is_loopback("[::1]:0")
    assert not is_loopback("0.0.0.0:0")
    assert not is_loopback("d0.example:80")


def test_a_connection_ends_before_the_certificate_it_began_with_is_long_out_of_date(
    pki: FleetPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(port: int) -> None:
        context = a_client(pki.paths(CLIENT), pki.authority.ca)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        kept = []
        for life_ms in (60_000, 0):
            monkeypatch.setattr(http_server, "TLS_LIFE_MS", life_ms)
            if not life_ms:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            kept.append(b"Connection: keep-alive" in head)
        assert kept == [True, False]
        writer.close()

    assert http_server.TLS_LIFE_MS + http_server.IDLE_WAIT_S * 1_000 <= 60_000
    serving(pki.tls(D0), story)


def test_whoever_begins_no_handshake_is_cut_off(
    pki: FleetPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HANDSHAKE_WAIT_S", 0.2)

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()

    serving(pki.tls(D0), story)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("options", [ssl.OP_ALL, ssl.OP_ALL | ssl.OP_NO_TICKET])
def test_no_session_is_resumed_past_the_end_of_a_certificate_or_of_its_authority(
    pki: FleetPki, newest: ssl.TLSVersion, options: ssl.Options
) -> None:
    context = a_client(pki.paths(CLIENT), pki.authority.ca)
    context.maximum_version, context.options = newest, options

    def once(port: int, session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None]:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with context.wrap_socket(plain, session=session) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n")
            with contextlib.suppress(OSError):
                return connection.recv(15), connection.session
            return b"", None  # a reset, where it was no orderly end

    async def story(port: int) -> None:
        answer, session = await asyncio.to_thread(once, port, None)
        assert answer == b"HTTP/1.1 200 OK"
        if newest is ssl.TLSVersion.TLSv1_3:
            assert session is not None
            assert not session.has_ticket
            return
        answer, _ = await asyncio.to_thread(once, port, session)
        assert answer == b"", "the certificate was not looked at again"

    serving(pki.tls(D0), story)


def test_a_connection_with_a_certificate_that_has_ended_is_hung_up_on(
    pki: FleetPki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "wall_ms", lambda: wall_ms() + 40 * 86_400_000)

    async def story(port: int) -> None:
        assert (await asked(port, a_client(pki.paths(CLIENT), pki.authority.ca)))[0] == b""

    serving(pki.tls(D0), story)


def test_files_that_are_away_for_a_moment_are_taken_when_they_are_back(pki: FleetPki) -> None:
    tls = pki.tls(D0)
    away = tls.paths.key.with_name("away.pem")

    async def story(port: int) -> None:
        context = a_client(pki.paths(CLIENT), pki.authority.ca)
        _, before = await asked(port, context)
        pki.authority.issue(D0, is_renewal=True)
        assert tls.refresh(is_urgent=True)
        tls.paths.key.rename(away)
        answer, meanwhile = await asked(port, context)
        assert (answer, meanwhile) == (b"HTTP/1.1 200 OK", before)
        away.rename(tls.paths.key)
        _, after = await asked(port, context)
        assert after != before

    serving(tls, story)
