"""The table of rights: each RPC that is served has a row, and each identity gets what it should."""

import importlib
import re
from itertools import product
from pathlib import Path

import grpc
import pytest

from director.api import access
from director.api.access import (
    ACCESS,
    ACCESS_BY_REQUEST,
    Permission,
    Role,
    Roles,
    decide,
    decide_request,
    missing_rows,
)
from director.api.server import ApiServer, MissingRightsError, methods_of
from director.config.roles import ROLES, RolesError, read_roles
from director.runtime.identity import Identity, Kind
from regions.api import access as agent_access
from tests.support.pki import CLIENT, ONLOOKER, TRUST_DOMAIN, a_director, an_agent
from trafficdirector.admin.v1 import admin_pb2

ROOT = Path(__file__).resolve().parents[2]


def an_operator(*roles: Role) -> tuple[Identity, Roles]:
    name = "-".join(roles) or "nobody"
    identity = Identity(TRUST_DOMAIN, Kind.OPERATOR, name)
    return identity, Roles({identity.uri: frozenset(roles)})


# Everybody there is, with what they may do. Written out here a second time on purpose: whoever
# changes the one must mean the other.
LOOK = {Permission.HEALTH, Permission.ROUTE_WATCH, Permission.READ}
EVERYBODY: list[tuple[Identity, Roles, set[Permission]]] = [
    (
        an_agent("eu-west1"),
        Roles(),
        {Permission.HEALTH, Permission.ROUTE_WATCH, Permission.AGENT_REPORT},
    ),
    (a_director("d0"), Roles(), {Permission.HEALTH, Permission.ROUTE_WATCH, Permission.PEER}),
    (CLIENT, Roles(), {Permission.HEALTH, Permission.ROUTE_WATCH}),
    (ONLOOKER, Roles(), LOOK),
    (*an_operator(Role.READ), LOOK),
    (*an_operator(Role.DRAIN), LOOK | {Permission.DRAIN}),
    (*an_operator(Role.FAILOVER), LOOK | {Permission.DRAIN, Permission.FAILOVER}),
    (
        *an_operator(Role.DATALOSS),
        LOOK | {Permission.DRAIN, Permission.FAILOVER, Permission.DATALOSS},
    ),
    (*an_operator(Role.ADMIN), LOOK | {Permission.DRAIN, Permission.FAILOVER, Permission.ADMIN}),
    (
        *an_operator(Role.ADMIN, Role.DATALOSS),
        set(Permission) - {Permission.AGENT_REPORT, Permission.PEER},
    ),
]

# What each RPC is for, by its name: the whole table, said another way.
CHANGES_WORTH_ADMIN = {
    "ApplyManifest",
    "RollbackManifest",
    "TransferLeadership",
    "AddMember",
    "PromoteMember",
    "RemoveMember",
}
READING = re.compile(r"(Get|List|Watch|Plan|Explain)[A-Z]\w*|ServerReflectionInfo")


@pytest.mark.parametrize(
    ("identity", "roles", "held"), EVERYBODY, ids=lambda each: getattr(each, "uri", "")
)
def test_every_method_is_decided_for_every_identity(
    identity: Identity, roles: Roles, held: set[Permission]
) -> None:
    for method, needed in ACCESS.items():
        denied = decide(identity, method, roles)
        assert (denied is None) == (needed in held), f"{identity.uri} {method}"
        if denied is not None:
            assert denied.needed is needed
            assert identity.uri in denied.message


def test_the_rows_are_what_the_names_of_the_methods_say() -> None:
    for method, needed in ACCESS.items():
        service, _, name = method.rpartition("/")
        if ".admin." in service or ".drill." in service or ".event." in service:
            if READING.fullmatch(name):
                assert needed is Permission.READ, method
            elif name in CHANGES_WORTH_ADMIN:
                assert needed is Permission.ADMIN, method
            else:
                assert needed in (Permission.DRAIN, Permission.FAILOVER), method
        elif ".peer." in service:
            assert needed is Permission.PEER, method


def test_a_method_without_a_row_is_denied_to_everybody() -> None:
    for identity, roles, _ in EVERYBODY:
        for method in ("/trafficdirector.admin.v1.FleetService/Nuke", "/a.b/C", ""):
            denied = decide(identity, method, roles)
            assert denied is not None
            assert "has no row" in denied.message


def test_every_rpc_of_the_protos_has_a_row_and_every_row_an_rpc() -> None:
    """Add the row to director/api/access.py (or regions/api/access.py) with the RPC."""
    served: set[str] = set()
    for proto in sorted((ROOT / "protos").rglob("*.proto")):
        module = ".".join(proto.relative_to(ROOT / "protos").with_suffix("").parts) + "_pb2"
        services = importlib.import_module(module).DESCRIPTOR.services_by_name.values()
        served |= set(methods_of(service.full_name for service in services))
    # The peer port has a guard of its own: directors, and nobody else.
    served = {each for each in served if not each.startswith("/trafficdirector.peer.v1.RaftS")}
    standard = {each for each in ACCESS if each.startswith("/grpc.")}
    on_agents = {each for each in agent_access.ACCESS if not each.startswith("/grpc.")}

    assert missing_rows(served - on_agents) == ()
    assert sorted(set(ACCESS) - served - standard) == []
    assert sorted(on_agents - served) == []


def test_a_replica_with_an_rpc_that_has_no_row_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = "/trafficdirector.admin.v1.FleetService/SetRegionDrain"
    rows = {key: value for key, value in ACCESS.items() if key != method}
    monkeypatch.setattr(access, "ACCESS", rows)

    with pytest.raises(MissingRightsError, match=method):
        ApiServer([], [admin_pb2.DESCRIPTOR.services_by_name["FleetService"].full_name])


def test_accepting_a_loss_needs_a_right_of_its_own() -> None:
    method = "/trafficdirector.admin.v1.FailoverService/StartFailover"
    message = admin_pb2.StartFailoverRequest

    for identity, roles, held in EVERYBODY:
        lossless = decide_request(identity, method, message(service_id="chat"), roles)
        lossy = decide_request(
            identity, method, message(service_id="chat", accept_data_loss_ms=0), roles
        )
        assert (lossless is None) == (Permission.FAILOVER in held), identity.uri
        assert (lossy is None) == (Permission.DATALOSS in held), identity.uri
    # Bytes that are no message of the method are refused by its handler, which says so.
    assert decide_request(ONLOOKER, method, object(), Roles()) is None
    assert set(ACCESS_BY_REQUEST) <= set(ACCESS)


def test_roles_count_for_operators_only() -> None:
    everything = frozenset(Role)
    for identity in (an_agent("eu-west1"), a_director("d0"), CLIENT):
        roles = Roles({identity.uri: everything})
        assert roles.permissions(identity) == Roles().permissions(identity)


# -- the agent's table --------------------------------------------------------------------------


def test_an_agents_methods_are_decided_for_every_kind() -> None:
    own = {Kind.AGENT, Kind.CLIENT, Kind.OPERATOR}
    for method, (identity, _, _) in product(agent_access.ACCESS, EVERYBODY):
        kinds = own
        if method.startswith("/grpc.health"):
            kinds = set(Kind)
        elif method.startswith("/grpc.reflection"):
            kinds = {Kind.OPERATOR}
        denied = agent_access.decide(identity, method, region_id="eu-west1")
        assert (denied is None) == (identity.kind in kinds), f"{identity.uri} {method}"


def test_an_agent_answers_no_agent_of_another_region() -> None:
    method = "/trafficdirector.agent.v1.GateService/CheckGate"

    assert agent_access.decide(an_agent("eu-west1"), method, region_id="eu-west1") is None
    denied = agent_access.decide(an_agent("us-east1"), method, region_id="eu-west1")
    assert denied is not None
    assert "may not call the agent of eu-west1" in denied


def test_an_agents_method_without_a_row_is_denied() -> None:
    denied = agent_access.decide(CLIENT, "/a.b/C", region_id="eu-west1")

    assert denied is not None
    assert "has no row" in denied


# -- the roles file -----------------------------------------------------------------------------


def test_a_roles_file_gives_operators_their_roles(tmp_path: Path) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text("operators:\n  spiffe://test/operator/bob: [drain, admin]\n")

    read = read_roles(file, trust_domain="test")

    assert read == {"spiffe://test/operator/bob": ("drain", "admin")}
    bob = Identity("test", Kind.OPERATOR, "bob")
    assert Permission.ADMIN in Roles.of(read).permissions(bob)
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has one key, operators"),
        ("operators: [a]\n", "it has one key, operators"),
        ("operators: {}\nadmins: {}\n", "it has one key, operators"),
        ("operators: {spiffe://test/operator/bob: admin}\n", "write a list of roles"),
        ("operators: {spiffe://test/operator/bob: [root]}\n", "'root' is no role"),
        ("operators: {spiffe://other/operator/bob: [admin]}\n", "not of the trust domain"),
        ("operators: {bob: [admin]}\n", "not a SPIFFE id"),
        ("operators: {spiffe://test/director/d0: [admin]}\n", "only operators have roles"),
        ("operators: {spiffe://test/operator/bob: [admin]\n", "roles.yaml"),
        ("operators: {a: [admin], a: [drain]}\n", "roles.yaml"),
    ],
)
def test_a_roles_file_that_means_nothing_certain_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(text)

    with pytest.raises(RolesError, match=said):
        read_roles(file, trust_domain="test")


def test_a_roles_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RolesError, match="No such file"):
        read_roles(tmp_path / "none.yaml", trust_domain="test")
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(RolesError, match="not UTF-8"):
        read_roles(tmp_path / "latin.yaml", trust_domain="test")
    (tmp_path / "large.yaml").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(RolesError, match="larger than"):
        read_roles(tmp_path / "large.yaml", trust_domain="test")


def test_a_denial_has_the_status_that_says_so() -> None:
    from director.api.errors import STATUS_BY_REASON  # noqa: PLC0415
    from director.core.reasons import Reason  # noqa: PLC0415

    assert STATUS_BY_REASON[Reason.PERMISSION_DENIED] is grpc.StatusCode.PERMISSION_DENIED
    assert STATUS_BY_REASON[Reason.UNAUTHENTICATED] is grpc.StatusCode.UNAUTHENTICATED
