"""The roles file: which operator may do what.

::

    operators:
      spiffe://prod.example/operator/alice: [failover]
      spiffe://prod.example/operator/bob: [admin, dataloss]

Whoever is not in it can look at everything and change nothing. It is read at start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from director.config.yaml_text import parse_documents
from director.runtime.identity import IdentityRefused, Kind, parse_identity

ROLES = ("read", "drain", "failover", "dataloss", "admin")
FILE_BYTES_MAX = 1 << 20


class RolesError(ValueError):
    """The file cannot be used. The message lists every fault, one a line."""


def read_roles(path: Path, *, trust_domain: str) -> dict[str, tuple[str, ...]]:
    """Return the roles by SPIFFE id of an operator.

    Raises:
        RolesError: It cannot be read, names somebody who is no operator, or has an unknown role.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise RolesError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RolesError(f"{path}: it is not UTF-8") from None
    if len(content) > FILE_BYTES_MAX:
        raise RolesError(f"{path}: it is larger than {FILE_BYTES_MAX} bytes")
    documents, faults = parse_documents(str(path), text)
    if faults:
        raise RolesError("\n".join(str(fault) for fault in faults))
    value = documents[0].value if len(documents) == 1 else None
    operators = value.get("operators") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(operators, dict):
        raise RolesError(f"{path}: it has one key, operators: who to a list of roles")
    wrong = list(_faults(operators, trust_domain))
    if wrong:
        raise RolesError("\n".join(f"{path}: {each}" for each in wrong))
    return {
        uri: tuple(map(str, roles)) for uri, roles in operators.items() if isinstance(roles, list)
    }


def _faults(operators: Mapping[str, object], trust_domain: str) -> Iterator[str]:
    for uri, roles in operators.items():
        identity = parse_identity(uri, trust_domain=trust_domain)
        if isinstance(identity, IdentityRefused):
            yield identity.message
        elif identity.kind is not Kind.OPERATOR:
            yield f"{uri}: only operators have roles; what others may do is fixed"
        if not isinstance(roles, list):
            yield f"{uri}: write a list of roles, such as [failover]"
            continue
        for role in roles:
            if role not in ROLES:
                yield f"{uri}: {role!r} is no role; there are {', '.join(ROLES)}"
