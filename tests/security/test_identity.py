"""Whom a SPIFFE id and a certificate name, and every way in which they name nobody."""

from datetime import timedelta
from pathlib import Path

import pytest

from director.runtime.certificates import Certificate, read_certificate, spiffe_domain
from director.runtime.clock import wall_ms
from director.runtime.identity import (
    Identity,
    IdentityFault,
    IdentityRefused,
    Kind,
    check_trust_domain,
    parse_identity,
)
from director.runtime.pki import Authority
from tests.support.pki import TRUST_DOMAIN, forged

ALICE = "spiffe://test/operator/alice"


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("spiffe://test/director/d0", Identity("test", Kind.DIRECTOR, "d0")),
        (ALICE, Identity("test", Kind.OPERATOR, "alice")),
        ("spiffe://test/client/app-1", Identity("test", Kind.CLIENT, "app-1")),
        (
            "spiffe://test/region/eu-west1/agent/a.1",
            Identity("test", Kind.AGENT, "a.1", "eu-west1"),
        ),
    ],
)
def test_each_kind_of_path_names_somebody_and_is_written_back_as_it_was(
    uri: str, named: Identity
) -> None:
    assert parse_identity(uri, trust_domain="test") == named
    assert named.uri == uri


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("https://test/operator/alice", IdentityFault.NOT_SPIFFE),
        ("SPIFFE://test/operator/alice", IdentityFault.NOT_SPIFFE),
        ("spiffe://test/operator/" + "a" * 300, IdentityFault.NOT_SPIFFE),
        ("spiffe://other/operator/alice", IdentityFault.TRUST_DOMAIN),
        ("spiffe://test.evil/operator/alice", IdentityFault.TRUST_DOMAIN),
        ("spiffe:///operator/alice", IdentityFault.TRUST_DOMAIN),
        ("spiffe://test", IdentityFault.PATH),
        ("spiffe://test/", IdentityFault.PATH),
        ("spiffe://test/operator", IdentityFault.PATH),
        ("spiffe://test/operator/", IdentityFault.PATH),
        ("spiffe://test/operator/alice/", IdentityFault.PATH),
        ("spiffe://test/operator/alice/admin", IdentityFault.PATH),
        ("spiffe://test//operator/alice", IdentityFault.PATH),
        ("spiffe://test/operator/../director/d0", IdentityFault.PATH),
        ("spiffe://test/operator/%61lice", IdentityFault.PATH),
        ("spiffe://test/operator/Alice", IdentityFault.PATH),
        ("spiffe://test/boss/alice", IdentityFault.PATH),
        ("spiffe://test/region/eu-west1/agent", IdentityFault.PATH),
        ("spiffe://test/region/eu-west1/operator/a", IdentityFault.PATH),
        ("spiffe://test/operator/alice?as=admin", IdentityFault.PATH),
        ("spiffe://test/operator/alice#admin", IdentityFault.PATH),
        ("spiffe://test/operator/" + "a" * 64, IdentityFault.PATH),
    ],
)
def test_every_other_text_is_refused_with_its_fault(uri: str, fault: IdentityFault) -> None:
    refused = parse_identity(uri, trust_domain="test")

    assert isinstance(refused, IdentityRefused)
    assert refused.fault is fault


@pytest.mark.parametrize("text", ["", "Prod", "a/b", "spiffe://a", "a b", ".a", "a" * 64])
def test_a_trust_domain_is_a_host_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a trust domain"):
        check_trust_domain(text)


def test_only_servers_have_names_that_clients_can_ask_for() -> None:
    agent = Identity("test", Kind.AGENT, "a", "eu-west1")
    assert agent.server_names == ("agent.test", "eu-west1.agent.test", "a.eu-west1.agent.test")
    director = Identity("test", Kind.DIRECTOR, "d0")
    assert director.server_names == ("director.test", "d0.director.test")
    assert Identity("test", Kind.OPERATOR, "director").server_names == ()
    assert Identity("test", Kind.CLIENT, "director").server_names == ()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return Authority.make(tmp_path / "pki", TRUST_DOMAIN).directory


def fault_of(pem: bytes) -> IdentityFault | None:
    found = read_certificate(pem, trust_domain=TRUST_DOMAIN)
    return found.fault if isinstance(found, IdentityRefused) else None


def test_a_certificate_with_one_spiffe_id_names_its_holder(authority: Path) -> None:
    found = read_certificate(
        forged(authority, [ALICE], dns_names=["a.test"]).cert, trust_domain=TRUST_DOMAIN
    )

    assert isinstance(found, Certificate)
    assert found.identity == Identity("test", Kind.OPERATOR, "alice")
    assert found.dns_names == ("a.test",)
    assert found.out_of_date(now_ms=wall_ms()) is None


def test_a_certificate_with_two_uris_names_nobody(authority: Path) -> None:
    both = [ALICE, "spiffe://test/director/d0"]
    assert fault_of(forged(authority, both).cert) is IdentityFault.URI_COUNT
    twice = [ALICE, "https://example.com/"]
    assert fault_of(forged(authority, twice).cert) is IdentityFault.URI_COUNT


def test_a_certificate_without_a_uri_names_nobody_whatever_its_common_name_says(
    authority: Path,
) -> None:
    assert fault_of(forged(authority, []).cert) is IdentityFault.URI_COUNT
    named = forged(authority, [], dns_names=["d0.director.test"])
    assert fault_of(named.cert) is IdentityFault.URI_COUNT


def test_a_certificate_that_may_sign_others_names_nobody(authority: Path) -> None:
    as_authority = forged(authority, [ALICE], is_authority=True)
    assert fault_of(as_authority.cert) is IdentityFault.AUTHORITY
    as_signer = forged(authority, [ALICE], signs=True)
    assert fault_of(as_signer.cert) is IdentityFault.AUTHORITY


def test_what_is_no_certificate_names_nobody() -> None:
    assert fault_of(b"") is IdentityFault.UNREADABLE
    assert fault_of(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") is (
        IdentityFault.UNREADABLE
    )


def test_a_certificate_counts_between_its_dates_and_not_a_second_longer(authority: Path) -> None:
    pem = forged(authority, [ALICE], ends_in=timedelta(minutes=1)).cert
    found = read_certificate(pem, trust_domain=TRUST_DOMAIN)
    assert isinstance(found, Certificate)

    def fault_at(now_ms: int) -> IdentityFault | None:
        refused = found.out_of_date(now_ms=now_ms)
        return None if refused is None else refused.fault

    assert fault_at(found.not_before_ms - 1) is IdentityFault.NOT_YET_VALID
    assert fault_at(found.not_before_ms) is None
    assert fault_at(found.not_after_ms) is None
    assert fault_at(found.not_after_ms + 1) is IdentityFault.EXPIRED
    assert found.not_before_ms < found.half_life_at_ms < found.not_after_ms


@pytest.mark.parametrize("odd", [b"\xa3\x02\x05\x00", b"\xa5\x05\xa1\x03\x0c\x01x"])
def test_a_name_of_a_form_that_cannot_be_read_names_nobody_beside_a_good_one(
    authority: Path, odd: bytes
) -> None:
    names = b"\x86" + bytes([len(ALICE)]) + ALICE.encode() + odd
    pem = forged(authority, [], san_der=b"\x30" + bytes([len(names)]) + names).cert

    assert fault_of(pem) is IdentityFault.UNREADABLE
    assert spiffe_domain(pem) == ""
