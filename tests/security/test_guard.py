"""What gets past the guard of a server, over real mutual TLS: the negative tests, one by one."""

import asyncio
import shutil
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from director.api.server import RECEIVE_BYTES_MAX
from director.runtime import call_guard
from director.runtime.caller import DENIALS
from director.runtime.clock import boot_ms, wall_ms
from director.runtime.identity import Identity, Kind
from director.runtime.pki import Authority
from tests.security.guarded import (
    D0,
    ECHO,
    MIRROR,
    SUM,
    TICKS,
    YIELDS,
    Guarded,
    a_guarded_server,
)
from tests.support.pki import CLIENT, OPERATOR, TRUST_DOMAIN, Pair, an_agent, forged

Story = Callable[[Guarded], Awaitable[None]]


def run(directory: Path, story: Story, **how: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(14), a_guarded_server(directory, **how) as guarded:
            await story(guarded)

    asyncio.run(whole())


async def failed(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


async def read_until_it_ends(call: Any) -> grpc.aio.AioRpcError:
    while True:
        try:
            assert await call.read() is not grpc.aio.EOF, "it ended without saying why"
        except grpc.aio.AioRpcError as error:
            return error


# -- who gets in --------------------------------------------------------------------------------


def test_who_shows_a_good_certificate_is_known_by_it(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        for who in (OPERATOR, CLIENT, an_agent("eu-west1")):
            async with guarded.channel(guarded.pki.tls(who)) as channel:
                assert await guarded.echo(channel) == f"hi from {who.uri}".encode()
                assert await channel.stream_unary(SUM)(iter([b"a", b"b"])) == b"ab"

    run(tmp_path, story)


def test_who_shows_no_certificate_does_not_get_through_the_handshake(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(None) as channel:
            error = await failed(guarded.echo(channel))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert guarded.refused == []

    run(tmp_path, story)


def test_a_certificate_of_a_foreign_authority_does_not_get_through_the_handshake(
    tmp_path: Path,
) -> None:
    foreign = Authority.make(tmp_path / "foreign", TRUST_DOMAIN)

    async def story(guarded: Guarded) -> None:
        async with guarded.channel(forged(foreign.directory, [OPERATOR.uri])) as channel:
            error = await failed(guarded.echo(channel))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert guarded.refused == []

    run(tmp_path, story)


def test_an_expired_certificate_does_not_get_through_the_handshake(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        expired = forged(
            guarded.pki.authority.directory, [OPERATOR.uri], ends_in=timedelta(seconds=-30)
        )
        async with guarded.channel(expired) as channel:
            error = await failed(guarded.echo(channel))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("forge", "fault"),
    [
        (lambda at: forged(at, [OPERATOR.uri, D0.uri]), "URI_COUNT"),
        (lambda at: forged(at, [], dns_names=["director.test"]), "URI_COUNT"),
        (lambda at: forged(at, [OPERATOR.uri], is_authority=True), "AUTHORITY"),
        (lambda at: forged(at, [OPERATOR.uri], signs=True), "AUTHORITY"),
        (lambda at: forged(at, ["spiffe://other/operator/root"]), "TRUST_DOMAIN"),
        (lambda at: forged(at, ["spiffe://test/root"]), "PATH"),
        (lambda at: forged(at, ["https://test/operator/root"]), "NOT_SPIFFE"),
    ],
    ids=["two", "none", "authority", "signer", "domain", "path", "scheme"],
)
def test_a_certificate_that_names_nobody_gets_to_no_handler_of_any_form(
    tmp_path: Path, forge: Callable[[Path], Pair], fault: str
) -> None:
    async def story(guarded: Guarded) -> None:
        before = DENIALS.count_by_fault[fault]
        async with guarded.channel(forge(guarded.pki.authority.directory)) as channel:
            unary = await failed(guarded.echo(channel))
            down = await read_until_it_ends(channel.unary_stream(TICKS)(b""))
            both = channel.stream_stream(MIRROR)()
            both_ended = await read_until_it_ends(both)
            up = await failed(channel.stream_unary(SUM)(iter([b"a"])))
        for error in (unary, down, both_ended, up):
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert [each.metadata["fault"] for each in guarded.refused] == [fault] * 4
        assert DENIALS.count_by_fault[fault] == before + 4

    run(tmp_path, story)


def test_who_is_refused_on_one_connection_after_the_other_is_told_once(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        nobody = forged(guarded.pki.authority.directory, ["spiffe://test/root"])
        with capture_logs() as logs:
            for _ in range(4):
                async with guarded.channel(nobody) as channel:
                    await failed(guarded.echo(channel))
        assert len(guarded.refused) == 4
        told = [each["identity"] for each in logs if each["event"] == "call_denied"]
        assert told == ["ipv4:127.0.0.1"]

    DENIALS._said_at_ms.clear()
    run(tmp_path, story)


def test_who_is_denied_gets_to_no_handler_and_is_told_who_they_are(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.tls(CLIENT)) as channel:
            unary = await failed(guarded.echo(channel))
            stream = await read_until_it_ends(channel.unary_stream(YIELDS)(b""))
        for error in (unary, stream):
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            assert CLIENT.uri in (error.details() or "")
        async with guarded.channel(guarded.pki.tls(OPERATOR)) as channel:
            assert await guarded.echo(channel)

    run(tmp_path, story, denied=frozenset({CLIENT}))


def test_a_method_that_the_table_does_not_know_is_denied_though_it_is_served(
    tmp_path: Path,
) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.tls(OPERATOR)) as channel:
            error = await failed(channel.unary_unary("/test.Other/Echo")(b"", timeout=5))
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            error = await failed(channel.unary_unary("/test.Nothing/Echo")(b"", timeout=5))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED

    run(tmp_path, story)


def test_a_client_refuses_a_server_that_is_not_whom_it_asked_for(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        shown = guarded.pki.tls(OPERATOR)
        for name in ("d1.director.test", "agent.test", "director.other"):
            async with guarded.channel(shown, name=name) as channel:
                error = await failed(guarded.echo(channel))
                assert error.code() is grpc.StatusCode.UNAVAILABLE
        async with guarded.channel(shown, name="d0.director.test") as channel:
            assert await guarded.echo(channel)

    run(tmp_path, story)


def test_whoever_is_no_server_is_taken_for_none_whatever_they_are_called(tmp_path: Path) -> None:
    # gRPC looks at the common name of a certificate that has no DNS name.
    async def story(guarded: Guarded) -> None:
        for kind in (Kind.OPERATOR, Kind.CLIENT):
            liar = Identity(TRUST_DOMAIN, kind, "director.test")
            server = grpc.aio.server()
            credentials = guarded.pki.tls(liar).server_credentials()
            port = server.add_secure_port("127.0.0.1:0", credentials)
            await server.start()
            elsewhere = Guarded(port, guarded.pki, guarded.tls)
            async with elsewhere.channel(guarded.pki.tls(CLIENT)) as channel:
                error = await failed(elsewhere.echo(channel))
            await server.stop(0)
            # It would be UNIMPLEMENTED, had the question reached them.
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(tmp_path, story)


def test_no_version_below_tls_1_2_is_spoken(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        paths = guarded.pki.paths(OPERATOR)

        async def version(newest: ssl.TLSVersion) -> str | None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # Otherwise this side would not even offer the old ones.
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.check_hostname = False
            context.load_verify_locations(paths.ca)
            context.load_cert_chain(paths.cert, paths.key)
            context.set_alpn_protocols(["h2"])
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = newest
            _, writer = await asyncio.open_connection("127.0.0.1", guarded.port, ssl=context)
            try:
                spoken = writer.get_extra_info("ssl_object")
                return str(spoken.version())
            finally:
                writer.close()

        assert await version(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
            with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset, as it comes
                await version(old)

    with pytest.warns(DeprecationWarning, match="TLSv1"):
        run(tmp_path, story)


# -- for how long -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [TICKS, YIELDS])
def test_a_stream_ends_with_the_certificate_that_it_was_opened_with(
    tmp_path: Path, method: str
) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.short(CLIENT, 2)) as channel:
            began_ms = boot_ms()
            call = channel.unary_stream(method)(b"")
            assert await call.read() == b"tick"
            error = await read_until_it_ends(call)
            lived_ms = boot_ms() - began_ms

            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "expired at" in (error.details() or "")
            # The end of a certificate is a whole second that still counts.
            assert lived_ms < 4_000
            # The connection is still there; a new call on it is refused all the same.
            again = await failed(guarded.echo(channel))
            assert again.code() is grpc.StatusCode.UNAUTHENTICATED
            assert guarded.refused[-1].metadata["fault"] == "EXPIRED"

    run(tmp_path, story)


def test_a_stream_of_both_directions_that_is_silent_ends_with_its_certificate_too(
    tmp_path: Path,
) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.short(CLIENT, 2)) as channel:
            call = channel.stream_stream(MIRROR)()
            await call.write(b"a")
            assert await call.read() == b"a"
            error = await read_until_it_ends(call)
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED

    run(tmp_path, story)


def test_the_wall_clock_is_read_again_within_half_of_the_minute_that_is_promised() -> None:
    assert call_guard.LOOK_AGAIN_MS * 2 <= 60_000


def test_a_clock_that_is_set_forward_ends_streams_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_guard, "LOOK_AGAIN_MS", 100)
    ahead_ms = 0
    monkeypatch.setattr(call_guard, "wall_ms", lambda: wall_ms() + ahead_ms)

    async def story(guarded: Guarded) -> None:
        nonlocal ahead_ms
        async with guarded.channel(guarded.pki.tls(CLIENT)) as channel:
            call = channel.unary_stream(TICKS)(b"")
            assert await call.read() == b"tick"
            ahead_ms = 365 * 24 * 3_600_000
            error = await read_until_it_ends(call)
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED

    run(tmp_path, story)


# -- rotation -----------------------------------------------------------------------------------


def test_new_files_are_taken_by_the_next_connection_and_no_stream_is_dropped(
    tmp_path: Path,
) -> None:
    async def story(guarded: Guarded) -> None:
        assert guarded.tls is not None
        async with guarded.channel(guarded.pki.tls(CLIENT)) as old:
            stream = old.unary_stream(TICKS)(b"")
            assert await stream.read() == b"tick"
            before = _serial_shown(guarded)

            guarded.pki.authority.issue(D0, is_renewal=True)
            guarded.tls.refresh(is_urgent=True)

            async with guarded.channel(guarded.pki.tls(OPERATOR)) as new:
                assert await guarded.echo(new)
            assert await asyncio.to_thread(_serial_shown, guarded) != before
            for _ in range(20):
                assert await stream.read() == b"tick"
            stream.cancel()

    run(tmp_path, story)


def test_during_a_change_of_authorities_certificates_of_both_count_and_then_one(
    tmp_path: Path,
) -> None:
    fresh = Authority.make(tmp_path / "fresh", TRUST_DOMAIN)

    async def story(guarded: Guarded) -> None:
        assert guarded.tls is not None
        ca = guarded.pki.authority.ca
        newcomer = forged(fresh.directory, [OPERATOR.uri])
        oldtimer = forged(guarded.pki.authority.directory, [OPERATOR.uri])
        old_pem, new_pem = ca.read_bytes(), fresh.ca.read_bytes()

        async def gets_in(pair: Pair) -> bool:
            credentials = grpc.ssl_channel_credentials(old_pem + new_pem, pair.key, pair.cert)
            options = (
                ("grpc.ssl_target_name_override", "director.test"),
                ("grpc.use_local_subchannel_pool", 1),
            )
            address = f"127.0.0.1:{guarded.port}"
            async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
                try:
                    await guarded.echo(channel)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    return False
                return True

        def trust(pem: bytes) -> None:
            assert guarded.tls is not None
            written = ca.with_name("new")
            written.write_bytes(pem)
            written.replace(ca)
            assert guarded.tls.refresh(is_urgent=True)

        assert (await gets_in(oldtimer), await gets_in(newcomer)) == (True, False)
        trust(old_pem + new_pem)
        assert (await gets_in(oldtimer), await gets_in(newcomer)) == (True, True)
        trust(new_pem)
        assert (await gets_in(oldtimer), await gets_in(newcomer)) == (False, True)

    run(tmp_path, story)


def _serial_shown(guarded: Guarded) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return ssl.get_server_certificate(("127.0.0.1", guarded.port))


# -- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_tls", [True, False])
def test_a_question_without_a_deadline_or_with_a_long_one_is_refused(
    tmp_path: Path, has_tls: bool
) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.tls(CLIENT)) as channel:
            for within_s in (None, 35, 3_600):
                error = await failed(guarded.echo(channel, within_s=within_s))
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert "deadline" in (error.details() or "")
            assert await guarded.echo(channel, within_s=30)
            # A stream may go on for as long as it likes.
            stream = channel.unary_stream(TICKS)(b"")
            assert await stream.read() == b"tick"
            stream.cancel()

    run(tmp_path, story, has_tls=has_tls)


def test_one_identity_has_only_so_many_streams_and_others_have_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_guard, "STREAMS_MAX_BY_KIND", dict.fromkeys(Kind, 2))

    async def story(guarded: Guarded) -> None:
        async with (
            guarded.channel(guarded.pki.tls(CLIENT)) as first,
            guarded.channel(guarded.pki.tls(CLIENT)) as second,
            guarded.channel(guarded.pki.tls(OPERATOR)) as other,
        ):
            streams = [each.unary_stream(TICKS)(b"") for each in (first, second)]
            for stream in streams:
                assert await stream.read() == b"tick"
            error = await read_until_it_ends(second.unary_stream(TICKS)(b""))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await other.unary_stream(TICKS)(b"").read() == b"tick"
            streams[0].cancel()

            async def again() -> bool:
                try:
                    return bool(await first.unary_stream(TICKS)(b"").read() == b"tick")
                except grpc.aio.AioRpcError:
                    return False

            while not await again():  # the place is free once the server has seen the end
                await asyncio.sleep(0.05)

    run(tmp_path, story)


def test_metadata_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.tls(CLIENT)) as channel:
            call = channel.unary_unary(ECHO)
            assert await call(b"", timeout=5, metadata=(("note", "a" * 4_096),))
            error = await failed(call(b"", timeout=5, metadata=(("note", "a" * 20_000),)))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await guarded.echo(channel)

    run(tmp_path, story)


def test_a_message_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(guarded.pki.tls(CLIENT)) as channel:
            error = await failed(channel.unary_unary(ECHO)(bytes(17 << 20), timeout=5))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            # By the server's limit, and not by this client's own for what comes back.
            assert str(RECEIVE_BYTES_MAX) in (error.details() or "")

    run(tmp_path, story)


def test_who_connects_and_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
        began_ms = boot_ms()
        assert await reader.read() == b"", "the handshake is not waited for"
        assert 3_000 < boot_ms() - began_ms < 9_000
        writer.close()

    run(tmp_path, story)


def test_without_tls_nobody_has_to_say_who_they_are(tmp_path: Path) -> None:
    async def story(guarded: Guarded) -> None:
        async with guarded.channel(None) as channel:
            assert await guarded.echo(channel) == b"hi from anybody"

    run(tmp_path, story, has_tls=False)
    shutil.rmtree(tmp_path / "pki")
