"""`director pki`, and the flags that make every other command speak TLS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from director.cli import methods
from director.cli.context_file import read_contexts, remove_context, write_context
from director.cli.exits import CliError
from director.runtime.tls import TlsFiles, TlsPaths
from tests.cli.fake_server import FakeDirector
from tests.cli.running import a_status, run
from tests.support.pki import OPERATOR, FleetPki, Pair, a_director, an_agent, forged


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    made = run("pki", "init", str(directory), "--trust-domain", "test")
    assert made.exit_code == 0, made.stderr
    return directory


def issued(pki: Path, *words: str) -> TlsPaths:
    made = run("pki", "issue", str(pki), *words)
    assert made.exit_code == 0, made.stderr
    cert, key = made.stdout.splitlines()
    return TlsPaths(Path(cert), Path(key), pki / "ca.pem", "test")


def test_what_is_issued_can_be_used_and_is_shown_as_it_is(pki: Path) -> None:
    assert "development" in run("pki", "init", str(pki.parent / "other")).stdout
    for words, identity in (
        (("director", "d0"), a_director("d0")),
        (("agent", "eu-west1", "eu-west1-agent"), an_agent("eu-west1")),
        (("operator", "root", "--minutes", "5"), OPERATOR),
    ):
        paths = issued(pki, *words)
        assert TlsFiles(paths).identity == identity
        shown = run("pki", "show", str(paths.cert))
        assert shown.exit_code == 0
        assert f"identity   {identity.uri}" in shown.stdout


def test_nothing_is_overwritten_unless_it_is_renewed(pki: Path) -> None:
    paths = issued(pki, "director", "d0")
    before = paths.key.read_bytes()

    again = run("pki", "issue", str(pki), "director", "d0")
    assert (again.exit_code, "--renew" in again.stderr) == (2, True)
    over = run("pki", "init", str(pki))
    assert (over.exit_code, "is there already" in over.stderr) == (2, True)
    assert paths.key.read_bytes() == before
    renewed = issued(pki, "director", "d0", "--renew")
    assert renewed.key.read_bytes() != before
    assert renewed.key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("agent", "eu-west1"), "agent is named by REGION NAME"),
        (("director", "d0", "d1"), "director is named by NAME"),
        (("operator", "Bob"), "names nobody"),
        (("operator", "../ca"), "names nobody"),
        (("operator", "bob", "--days", "1", "--minutes", "1"), "not both"),
    ],
)
def test_a_name_that_can_be_none_makes_nothing(
    pki: Path, words: tuple[str, ...], said: str
) -> None:
    before = sorted(pki.iterdir())
    refused = run("pki", "issue", str(pki), *words)

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert sorted(pki.iterdir()) == before


def test_without_an_authority_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    refused = run("pki", "issue", str(tmp_path), "director", "d0")

    assert refused.exit_code == 2
    assert "director pki init" in refused.stderr
    wrong = run("pki", "init", str(tmp_path / "pki"), "--trust-domain", "No Domain")
    assert (wrong.exit_code, "is not a trust domain" in wrong.stderr) == (2, True)


def test_show_says_why_a_certificate_names_nobody(pki: Path, tmp_path: Path) -> None:
    def shown(pair: Pair) -> tuple[int, str]:
        file = tmp_path / "some.pem"
        file.write_bytes(pair.cert)
        result = run("pki", "show", str(file))
        return result.exit_code, result.stderr

    two = [OPERATOR.uri, a_director("d0").uri]
    assert shown(forged(pki, two))[0] == 1
    assert "[URI_COUNT]" in shown(forged(pki, two))[1]
    assert "[PATH]" in shown(forged(pki, ["spiffe://test/nobody"]))[1]
    assert "[NOT_SPIFFE]" in shown(forged(pki, ["https://test/"]))[1]
    assert run("pki", "show", str(tmp_path / "none.pem")).exit_code == 2


# -- the flags ----------------------------------------------------------------------------------


def flags(paths: TlsPaths) -> list[str]:
    given = ["--tls-cert", str(paths.cert), "--tls-key", str(paths.key)]
    return [*given, "--tls-ca", str(paths.ca), "--trust-domain", paths.trust_domain]


def test_a_command_with_certificates_reaches_a_director_that_demands_them(tmp_path: Path) -> None:
    pki = FleetPki(tmp_path / "pki")
    operator = pki.paths(OPERATOR)
    fake = FakeDirector()
    fake.answer(methods.GET_STATUS, a_status())
    server = grpc.server(ThreadPoolExecutor(4), handlers=[fake])
    port = server.add_secure_port("127.0.0.1:0", pki.tls(a_director("d0")).server_credentials())
    server.start()
    contexts = tmp_path / "contexts.yaml"
    try:
        endpoint = ("--endpoint", f"127.0.0.1:{port}")
        done = run("status", *endpoint, *flags(operator))
        assert done.exit_code == 0, done.stderr
        environment = {
            "DIRECTOR_TLS_CERT": str(operator.cert),
            "DIRECTOR_TLS_KEY": str(operator.key),
            "DIRECTOR_TLS_CA": str(operator.ca),
            "DIRECTOR_TRUST_DOMAIN": "test",
        }
        assert run("status", *endpoint, env=environment).exit_code == 0
        write_context("secured", [f"127.0.0.1:{port}"], tls=operator, path=contexts)
        assert run("status", env={"DIRECTOR_CONFIG": str(contexts)}).exit_code == 0

        without = run("status", *endpoint, "--deadline", "2s")
        assert without.exit_code == 4, without.stderr
        foreign = FleetPki(tmp_path / "foreign").paths(OPERATOR)
        mistrusted = run("status", *endpoint, *flags(foreign), "--deadline", "2s")
        assert mistrusted.exit_code == 4
        assert "not one of a director that is trusted here" in mistrusted.stderr
    finally:
        server.stop(None).wait()


def test_some_flags_without_the_others_are_a_mistake_that_is_named() -> None:
    refused = run("status", "--tls-cert", "a.pem", "--trust-domain", "test")

    assert refused.exit_code == 2
    assert "TLS needs --tls-key, --tls-ca too" in refused.stderr


def test_a_key_that_others_can_read_is_refused_by_commands_too(tmp_path: Path) -> None:
    paths = FleetPki(tmp_path / "pki").paths(OPERATOR)
    paths.key.chmod(0o644)

    refused = run("status", *flags(paths))

    assert refused.exit_code == 2
    assert "chmod 0600" in refused.stderr


def test_a_context_keeps_where_its_certificates_are(tmp_path: Path) -> None:
    file = tmp_path / "contexts.yaml"
    tls = TlsPaths(tmp_path / "a.pem", tmp_path / "a-key.pem", tmp_path / "ca.pem", "test")
    write_context("secured", ["127.0.0.1:1"], tls=tls, path=file)
    write_context("plain", ["127.0.0.1:2"], path=file)

    assert read_contexts(file).tls_by_name == {"secured": tls}
    remove_context("plain", current="secured", path=file)
    assert read_contexts(file).tls_by_name == {"secured": tls}
    write_context("secured", ["127.0.0.1:1"], path=file)
    assert read_contexts(file).tls_by_name == {}


def test_a_context_with_half_of_tls_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "contexts.yaml"
    file.write_text("current: a\ncontexts: {a: {endpoints: [], tls: {cert: a.pem}}}\n")

    with pytest.raises(CliError, match="tls needs cert, key, ca and trustDomain"):
        read_contexts(file)
