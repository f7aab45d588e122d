"""What is to be sent to which webhook, and when: the outbox is the audit trail itself.

Records go out one by one and in order, each until it was taken: at least once, under the same id.
The log keeps how far each webhook is; what this leader knows beyond that is lost with its office,
and then sent again. Nothing here reads a clock or sends anything.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import Random

from director.core.audit import AuditRecord, after
from director.core.commands import Delivery
from director.core.state import State
from director.core.topology import WebhookSpec
from director.runtime.backoff import full_jitter_ms

RETRY_BASE_MS = 1_000
RETRY_CAP_MS = 300_000
# A mark is also moved past records that a webhook does not want, though far less often: every mark
# is an entry of the log.
SKIPPED_NOTED_FROM = 500
TYPE_PREFIX = "io.trafficdirector."
_SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins
_SECRET_BYTES_MIN = 16
_MS_PER_S = 1_000


@dataclass(frozen=True, slots=True)
class Due:
    """One record that is to be sent now.

    Attributes:
        attempt: How often it was tried in vain, in this office.
    """

    webhook: WebhookSpec
    record: AuditRecord
    attempt: int


@dataclass(slots=True)
class _Lane:
    """How far one webhook is, as this leader knows.

    Invariant: ``delivered_through <= through``.
    """

    through: int
    lost_count: int
    delivered_through: int = 0
    attempt: int = 0
    retry_at_ms: int = 0
    is_sending: bool = False


class Outbox:
    """Decides what is due. For one office of one leader."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._lanes: dict[str, _Lane] = {}
        self._newly_lost: list[tuple[str, int]] = []

    def forget(self) -> None:
        """Begin anew from the marks in the log: another leader may have been at work."""
        self._lanes = {}

    def due(self, state: State, *, now_ms: int) -> tuple[Due, ...]:
        """Return what is to be sent now, at most one record for each webhook.

        Each is to be followed by ``delivered`` or ``failed``.
        """
        wanted = {each.name: each for each in state.topology.webhooks}
        self._lanes = {name: lane for name, lane in self._lanes.items() if name in wanted}
        found = []
        for name, webhook in wanted.items():
            lane = self._lane(state, name)
            if lane.is_sending:
                continue
            record = self._next(state, webhook, lane)
            if record is not None and now_ms >= lane.retry_at_ms:
                lane.is_sending = True
                found.append(Due(webhook, record, lane.attempt))
        return tuple(found)

    def _lane(self, state: State, name: str) -> _Lane:
        mark = _mark(state, name)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(mark.through, mark.lost_count)
        return lane

    def _next(self, state: State, webhook: WebhookSpec, lane: _Lane) -> AuditRecord | None:
        """Return the next record the webhook wants; what it does not want is done with."""
        kept_after = state.audit.count - len(state.audit.records)
        if lane.through < kept_after:
            lost_count = kept_after - lane.through
            lane.lost_count += lost_count
            lane.through = kept_after
            self._newly_lost.append((webhook.name, lost_count))
        for record in after(state.audit, lane.through):
            if is_wanted(webhook, record):
                return record
            lane.through = record.number
        return None

    def delivered(self, name: str, number: int) -> int:
        """Note that ``number`` was taken; returns how often it had been tried in vain."""
        lane = self._lanes.get(name)
        if lane is None:
            return 0  # the office was lost meanwhile, or the webhook taken away
        attempt, lane.attempt = lane.attempt, 0
        lane.through = max(lane.through, number)
        lane.delivered_through = lane.through
        lane.retry_at_ms, lane.is_sending = 0, False
        return attempt

    def failed(self, name: str, *, now_ms: int) -> int:
        """Note that the webhook did not take a record; returns the delay before the next try."""
        lane = self._lanes.get(name)
        if lane is None:
            return 0
        delay_ms = full_jitter_ms(
            lane.attempt, base_ms=RETRY_BASE_MS, cap_ms=RETRY_CAP_MS, rng=self._rng
        )
        lane.attempt += 1
        lane.retry_at_ms, lane.is_sending = now_ms + delay_ms, False
        return delay_ms

    def marks(self, state: State) -> tuple[Delivery, ...]:
        """Return the marks that are worth an entry of the log. Empty while nothing happens."""
        marks = []
        for name, lane in self._lanes.items():
            mark = _mark(state, name)
            is_worth = (
                lane.delivered_through > mark.through
                or lane.lost_count > mark.lost_count
                or lane.through - mark.through >= SKIPPED_NOTED_FROM
            )
            if is_worth and lane.through > mark.through:
                marks.append(Delivery(name, lane.through, lane.lost_count))
        return tuple(marks)

    def take_lost(self) -> tuple[tuple[str, int], ...]:
        """Return, once, the webhooks that fell behind what is kept, and by how many records."""
        lost, self._newly_lost = tuple(self._newly_lost), []
        return lost


def _mark(state: State, name: str) -> Delivery:
    found = next((each for each in state.deliveries if each.webhook == name), None)
    return Delivery(name, state.audit.count) if found is None else found


def is_wanted(webhook: WebhookSpec, record: AuditRecord) -> bool:
    """Tell whether ``webhook`` is to hear of ``record``."""
    return not webhook.events or record.action.startswith(webhook.events)


# -- the message -----------------------------------------------------------------------------------


class SecretUnusableError(Exception):
    """The environment variable is not set, or holds no signing secret. The message names it."""


def message_id(record: AuditRecord) -> str:
    """Return the id by which a receiver knows a repetition, whoever sends it."""
    return f"audit_{record.number}_{record.hash[:16]}"


def cloud_event(fleet_id: str, record: AuditRecord) -> bytes:
    """Return a record as a CloudEvent (1.0, JSON format): the same bytes at each try."""
    subject = record.run_id or "/".join(filter(None, (record.service_id, record.region_id)))
    event = {
        "specversion": "1.0",
        "id": message_id(record),
        "source": f"/trafficdirector/{fleet_id}",
        "type": TYPE_PREFIX + record.action,
        **({"subject": subject} if subject else {}),
        "time": _rfc3339(record.wall_ms),
        "datacontenttype": "application/json",
        "data": asdict(record),
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _rfc3339(wall_ms: int) -> str:
    moment = datetime.fromtimestamp(wall_ms / _MS_PER_S, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def signed_headers(
    secret: str, record: AuditRecord, body: bytes, *, wall_ms: int
) -> dict[str, str]:
    """Return the headers of Standard Webhooks for ``body``.

    Args:
        secret: As in the environment: ``whsec_`` and base64; several, separated by blanks, while
            the receiver changes from one to the next.
        record: What is sent.
        body: How it is sent.
        wall_ms: The time of this try; receivers refuse old ones.

    Raises:
        SecretUnusableError: That is no secret.
    """
    number, timestamp = message_id(record), str(wall_ms // _MS_PER_S)
    content = f"{number}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        for key in _keys(secret)
    ]
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": number,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def secret_of(webhook: WebhookSpec, environment: Mapping[str, str]) -> str:
    """Return the signing secret.

    Raises:
        SecretUnusableError: It is not set.
    """
    secret = environment.get(webhook.secret_env, "").strip()
    if not secret:
        raise SecretUnusableError(f"{webhook.secret_env} is not set")
    return secret


def _keys(secret: str) -> list[bytes]:
    keys = []
    for word in secret.split():
        try:
            key = base64.b64decode(word.removeprefix(_SECRET_PREFIX), validate=True)
        except ValueError:  # also for letters that no base64 has
            key = b""
        if not word.startswith(_SECRET_PREFIX) or len(key) < _SECRET_BYTES_MIN:
            raise SecretUnusableError(
                f"a signing secret is {_SECRET_PREFIX} and at least {_SECRET_BYTES_MIN} bytes in "
                "base64"
            )
        keys.append(key)
    return keys
