"""Values of a webhook: where the audit trail may be sent, and by which secret it is signed."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from director.config.quantities import refusal, shown

URL_CHARS_MAX = 500
_URL_TEXT = re.compile(r"[!-~]+\Z")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,62}\Z")
_PREFIX = re.compile(r"[a-z][a-z_]{0,62}\Z")
_HINT = "https://host/path, or http on loopback such as http://127.0.0.1:9000/hook"


def _url(value: object) -> str:
    if not isinstance(value, str) or not _URL_TEXT.match(value) or len(value) > URL_CHARS_MAX:
        raise refusal(f"{shown(value)} is not a URL of at most {URL_CHARS_MAX} characters", _HINT)
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise refusal(f"{shown(value)} is not a URL", _HINT) from None
    if not host or port == 0:
        raise refusal(f"{shown(value)} names no host", _HINT)
    if parts.username is not None or parts.password is not None or parts.fragment:
        # The log and every snapshot keep the documents.
        message = "the URL of a webhook may have no user, password or fragment"
        raise refusal(message, "put the secret into the environment variable named by secretEnv")
    is_plain_allowed = parts.scheme == "http" and _is_loopback(host)
    if parts.scheme != "https" and not is_plain_allowed:
        message = f"{shown(value)} would send the audit trail in the clear"
        raise refusal(message, _HINT, "D126")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _variable(value: object) -> str:
    if not isinstance(value, str) or not _VARIABLE.match(value):
        hint = "upper-case letters, digits and '_', such as OPS_WEBHOOK_SECRET"
        raise refusal(f"{shown(value)} is not the name of an environment variable", hint)
    return value


def _prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.match(value):
        hint = "the beginning of an action, such as start_run or set_"
        raise refusal(f"{shown(value)} is not the beginning of an action", hint)
    return value


WebhookUrl = Annotated[
    str,
    BeforeValidator(_url),
    WithJsonSchema({"type": "string", "format": "uri", "examples": ["https://ops.example/hook"]}),
]
EnvironmentVariable = Annotated[
    str,
    BeforeValidator(_variable),
    WithJsonSchema(
        {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,62}$", "examples": ["OPS_WEBHOOK_SECRET"]}
    ),
]
ActionPrefix = Annotated[
    str,
    BeforeValidator(_prefix),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z_]{0,62}$", "examples": ["start_run"]}),
]
