"""The files of a process: what is refused at start, and how a change of them is taken."""

import re
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from structlog.testing import capture_logs

from director.runtime import pki
from director.runtime.clock import wall_ms
from director.runtime.identity import Identity, Kind
from director.runtime.pki import Authority, PkiError
from director.runtime.tls import (
    HalfLifeAlarm,
    TlsError,
    TlsFiles,
    TlsPaths,
    certificate_expiry_seconds,
    open_tls,
)
from tests.support.pki import CLIENT, OPERATOR, TRUST_DOMAIN, Pair, a_director, an_agent, forged

D0 = a_director("d0")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "pki", TRUST_DOMAIN)


@pytest.fixture
def paths(authority: Authority) -> TlsPaths:
    issued = authority.issue(D0)
    return TlsPaths(issued.cert, issued.key, authority.ca, TRUST_DOMAIN)


def put(paths: TlsPaths, pair: Pair) -> None:
    paths.cert.write_bytes(pair.cert)
    paths.key.write_bytes(pair.key)


def test_good_files_say_who_this_is_and_until_when(paths: TlsPaths) -> None:
    tls = TlsFiles(paths)

    assert tls.identity == D0
    expiries = certificate_expiry_seconds(tls)
    assert expiries["leaf"] == tls.certificate.not_after_ms // 1_000
    assert expiries["ca"] > expiries["leaf"]
    assert certificate_expiry_seconds(None) == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused_and_the_cure_is_named(
    paths: TlsPaths, mode: int
) -> None:
    paths.key.chmod(mode)

    with pytest.raises(TlsError, match=f"mode {mode:04o}.*chmod 0600"):
        TlsFiles(paths)


def test_a_key_of_another_user_is_refused(paths: TlsPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("director.runtime.tls.os.geteuid", lambda: 12_345)

    with pytest.raises(TlsError, match="runs as 12345"):
        TlsFiles(paths)


def test_a_missing_file_is_named(paths: TlsPaths) -> None:
    paths.ca.unlink()

    with pytest.raises(TlsError, match=r"ca\.pem: No such file"):
        TlsFiles(paths)


def test_a_key_of_another_certificate_is_refused(authority: Authority, paths: TlsPaths) -> None:
    other = authority.issue(OPERATOR)

    with pytest.raises(TlsError, match="does not belong to"):
        TlsFiles(TlsPaths(paths.cert, other.key, paths.ca, TRUST_DOMAIN))


def test_what_is_no_key_is_refused_without_showing_it(paths: TlsPaths) -> None:
    paths.key.write_text("canary-5f1c: not a key")

    with pytest.raises(TlsError) as raised:
        TlsFiles(paths)
    assert "canary" not in str(raised.value)


def test_own_certificates_obey_the_rules_for_everybody(paths: TlsPaths) -> None:
    directory = paths.ca.parent
    for pair, said in (
        (forged(directory, [D0.uri, OPERATOR.uri]), "2 URI names"),
        (forged(directory, [D0.uri], is_authority=True), "an authority"),
        (forged(directory, ["spiffe://other/director/d0"]), "not of the trust domain"),
        (forged(directory, [D0.uri], ends_in=timedelta(seconds=-60)), "expired at"),
        (forged(directory, [D0.uri], begins_in=timedelta(minutes=30)), "counts from"),
    ):
        put(paths, pair)
        with pytest.raises(TlsError, match=said):
            TlsFiles(paths)


def test_an_authority_file_without_authorities_is_refused(paths: TlsPaths) -> None:
    paths.ca.write_text("nothing in PEM")

    with pytest.raises(TlsError, match="has no certificate of an authority"):
        TlsFiles(paths)


def test_a_server_refuses_somebody_elses_certificate(paths: TlsPaths) -> None:
    assert open_tls(None, Kind.DIRECTOR, "d0") is None
    assert open_tls(paths, Kind.DIRECTOR, "d0") is not None
    with pytest.raises(TlsError, match="spiffe://test/director/d1 is needed here"):
        open_tls(paths, Kind.DIRECTOR, "d1")
    with pytest.raises(TlsError, match="is needed here"):
        open_tls(paths, Kind.AGENT, "d0", "eu-west1")


def test_a_server_refuses_a_certificate_by_which_no_client_would_know_it(paths: TlsPaths) -> None:
    put(paths, forged(paths.ca.parent, [D0.uri], dns_names=["director.test"]))

    with pytest.raises(TlsError, match=re.escape("lacks the DNS names d0.director.test")):
        open_tls(paths, Kind.DIRECTOR, "d0")


# -- changes ------------------------------------------------------------------------------------


def renewed(authority: Authority) -> None:
    authority.issue(D0, is_renewal=True)


def test_a_renewed_certificate_is_taken_once(authority: Authority, paths: TlsPaths) -> None:
    tls = TlsFiles(paths)
    assert not tls.refresh(is_urgent=True)

    renewed(authority)

    with capture_logs() as logs:
        assert tls.refresh(is_urgent=True)
        assert not tls.refresh(is_urgent=True)
    assert [each["event"] for each in logs] == ["certificate_reloaded"]
    assert tls.generation == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda paths: paths.cert.write_text("half a fi"),
        lambda paths: paths.cert.unlink(),
        lambda paths: paths.key.chmod(0o644) or paths.key.write_bytes(paths.key.read_bytes()),
        lambda paths: put(paths, forged(paths.ca.parent, [OPERATOR.uri])),
        lambda paths: put(paths, forged(paths.ca.parent, [D0.uri], ends_in=timedelta(seconds=-60))),
        lambda paths: paths.cert.write_bytes(forged(paths.ca.parent, [D0.uri]).cert),
    ],
    ids=["torn", "gone", "open", "another-identity", "expired", "key-not-yet-changed"],
)
def test_files_that_cannot_be_used_are_told_once_and_the_old_ones_stay(
    paths: TlsPaths, spoil: Callable[[TlsPaths], object]
) -> None:
    tls = TlsFiles(paths)
    before = tls.certificate

    spoil(paths)

    with capture_logs() as logs:
        assert not tls.refresh(is_urgent=True)
        assert not tls.refresh(is_urgent=True)
    assert [each["event"] for each in logs] == ["certificate_refused"]
    assert tls.certificate == before
    assert tls.generation == 1


def test_what_was_refused_is_taken_when_it_is_right(authority: Authority, paths: TlsPaths) -> None:
    tls = TlsFiles(paths)
    paths.cert.write_text("half a fi")
    assert not tls.refresh(is_urgent=True)

    renewed(authority)

    assert tls.refresh(is_urgent=True)


def test_a_certificate_past_the_half_of_its_life_is_told_once_until_it_is_renewed(
    authority: Authority, paths: TlsPaths
) -> None:
    put(
        paths,
        forged(
            paths.ca.parent,
            [D0.uri],
            begins_in=timedelta(hours=-2),
            ends_in=timedelta(hours=1),
        ),
    )
    tls = TlsFiles(paths)
    alarm = HalfLifeAlarm(tls)

    with capture_logs() as logs:
        assert alarm.look()
        assert not alarm.look()
    assert [each["event"] for each in logs] == ["certificate_half_life"]
    renewed(authority)
    tls.refresh(is_urgent=True)
    assert not alarm.look()


# -- making them --------------------------------------------------------------------------------


def test_an_authority_and_its_keys_are_this_users_alone_and_never_overwritten(
    authority: Authority,
) -> None:
    issued = authority.issue(CLIENT)

    for key in (authority.directory / "ca-key.pem", issued.key):
        assert key.stat().st_mode & 0o777 == 0o600
    before = issued.key.read_bytes()
    with pytest.raises(PkiError, match="is there already"):
        authority.issue(CLIENT)
    with pytest.raises(PkiError, match="is there already"):
        Authority.make(authority.directory, TRUST_DOMAIN)
    assert issued.key.read_bytes() == before


def test_a_certificate_never_outlives_its_authority(tmp_path: Path) -> None:
    short = Authority.make(tmp_path, TRUST_DOMAIN, days=1)
    issued = short.issue(an_agent("eu-west1"), lifetime=timedelta(days=365))

    tls = TlsFiles(TlsPaths(issued.cert, issued.key, short.ca, TRUST_DOMAIN))
    assert tls.certificate.not_after_ms <= tls.ca_end_ms + 999


def test_the_key_that_is_looked_at_is_the_one_that_is_read(
    authority: Authority, paths: TlsPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, other = paths.key.with_name("kept.pem"), authority.issue(CLIENT).key
    paths.key.rename(kept)
    paths.key.symlink_to(kept)
    plain = stat.S_IMODE

    def swapping(mode: int) -> int:
        paths.key.unlink()
        paths.key.symlink_to(other)
        return plain(mode)

    monkeypatch.setattr(stat, "S_IMODE", swapping)

    assert TlsFiles(paths).identity == D0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (a_director("x"), a_director("x-key")),
        (a_director("x-key"), a_director("x")),
        (
            Identity(TRUST_DOMAIN, Kind.AGENT, "b-c", "a"),
            Identity(TRUST_DOMAIN, Kind.AGENT, "c", "a-b"),
        ),
    ],
    ids=lambda who: who.name,
)
def test_a_renewal_never_writes_over_the_files_of_somebody_else(
    authority: Authority, first: Identity, second: Identity
) -> None:
    issued = authority.issue(first)
    before = issued.cert.read_bytes(), issued.key.read_bytes()

    with pytest.raises(PkiError, match="is not of"):
        authority.issue(second, is_renewal=True)

    assert (issued.cert.read_bytes(), issued.key.read_bytes()) == before
    authority.issue(first, is_renewal=True)
    assert issued.key.read_bytes() != before[1]


def test_an_authority_that_has_ended_signs_nothing_and_says_so(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    years_ms = 10 * 365 * 86_400_000
    monkeypatch.setattr(pki, "wall_ms", lambda: wall_ms() + years_ms)

    with pytest.raises(PkiError, match="make a new one"):
        authority.issue(CLIENT)
    assert list(authority.directory.glob("client-*.pem")) == []


@pytest.mark.parametrize(
    "who", [D0, an_agent("eu-west1"), OPERATOR, CLIENT], ids=lambda who: who.kind
)
def test_a_certificate_lets_its_holder_do_what_it_is_for_and_no_more(
    authority: Authority, who: Identity
) -> None:
    ca, leaf = (
        x509.load_pem_x509_certificate(path.read_bytes())
        for path in (authority.ca, authority.issue(who).cert)
    )

    for cert, is_authority in ((ca, True), (leaf, False)):
        constraints = cert.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (constraints.critical, constraints.value.ca) == (True, is_authority)
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
        assert (usage.critical, usage.value.key_cert_sign) == (True, is_authority)
        assert usage.value.digital_signature != is_authority
        assert cert.serial_number.bit_length() > 64
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    is_server = who.kind in (Kind.DIRECTOR, Kind.AGENT)
    assert ExtendedKeyUsageOID.CLIENT_AUTH in uses
    assert (ExtendedKeyUsageOID.SERVER_AUTH in uses) == is_server
    # gRPC takes the common name of a certificate without DNS names for one.
    (name,) = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert " " in str(name.value)
