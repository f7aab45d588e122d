"""The audit trail: who did what, why, and what became of it, chained by hashes.

Each record's hash covers the record before it. So whoever knows one hash (printed, mailed, kept
elsewhere) can tell whether anything that led up to it was changed since. The state keeps the newest
records; those that were dropped stay covered by the hash that the oldest kept one goes on from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from operator import attrgetter

# Months of moves and drains, or a few hours of a service that flaps as fast as verdicts can. Every
# snapshot carries all of it: about 600 bytes each, before packing.
AUDIT_KEPT_MAX = 2_000
# Of a reason, evidence or detail. What is longer is cut, so that no one can fill the snapshots.
TEXT_CHARS_MAX = 256
_NAME_CHARS_MAX = 128


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One thing that was done, or refused.

    Attributes:
        number: From 1, without a gap.
        index: Log index of the entry.
        at_ms: Director time.
        wall_ms: Wall clock of the leader that proposed it, for people; ms since 1970.
        actor: "director" or an operator's name.
        reason: Why, in the actor's words.
        action: The command, such as ``start_run``.
        service_id: What it was about; "" when that is no service, or several.
        region_id: Likewise.
        run_id: The failover or drill; "" when none.
        request_id: Of an operator's request; "" for the director's own.
        request_hash: Stands for all that was asked; "" for the director's own.
        evidence: What it rests on: vantage point, finding and age of each.
        result: The event, such as ``run_started`` or ``rejected``.
        refusal: The reason of the refusal; "" when it was carried out.
        detail: What changed, or why not, for people.
        before_hash: Hash of the record before; "" for the first.
        hash: See :func:`record_hash`.
    """

    number: int
    index: int
    at_ms: int
    wall_ms: int
    actor: str
    reason: str
    action: str
    service_id: str = ""
    region_id: str = ""
    run_id: str = ""
    request_id: str = ""
    request_hash: str = ""
    evidence: str = ""
    result: str = ""
    refusal: str = ""
    detail: str = ""
    before_hash: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The chain, as far as it is kept.

    Attributes:
        count: Records ever made; the number of the newest.
        head: Hash of the newest record; "" when there is none.
        first_before_hash: Hash of the newest record that is no longer kept; "" when all are.
        records: Oldest first, at most ``AUDIT_KEPT_MAX``.

    Invariant: ``verify(records, first_before_hash, head) is None``.
    """

    count: int = 0
    head: str = ""
    first_before_hash: str = ""
    records: tuple[AuditRecord, ...] = ()


NO_AUDIT = AuditLog()


@dataclass(frozen=True, slots=True)
class AuditFault:
    """Where a chain breaks.

    Attributes:
        number: Of the record at fault; 0 when it is the end that does not fit.
        message: What does not fit, for people.
    """

    number: int
    message: str


_NAMES = tuple(each.name for each in fields(AuditRecord))
# Everything that is hashed, in this order. The hash itself comes last and is not.
_hashed = attrgetter("before_hash", *_NAMES[:-2])


def record_hash(record: AuditRecord) -> str:
    """Return the SHA-256, in hex, of ``before_hash`` and then every other field in its order.

    Each as its length in bytes, a colon, the UTF-8 text and a comma (a netstring); numbers in
    decimal. So no two records have the same bytes, and any language can compute them.
    """
    texts = [str(value).encode(errors="surrogatepass") for value in _hashed(record)]
    return sha256(b"".join([b"%d:%b," % (len(text), text) for text in texts])).hexdigest()


def clipped(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return ``text``, or its beginning with an ellipsis when it is longer."""
    return text if len(text) <= chars_max else f"{text[: chars_max - 3]}..."


def appended(log: AuditLog, record: AuditRecord) -> AuditLog:
    """Return ``log`` with ``record`` at its end: bounded, numbered and hashed here."""
    linked = _bounded(record, log.count + 1, log.head)
    hashed = replace(linked, hash=record_hash(linked))
    records = (*log.records, hashed)
    dropped = len(records) - AUDIT_KEPT_MAX
    if dropped <= 0:
        return AuditLog(hashed.number, hashed.hash, log.first_before_hash, records)
    return AuditLog(hashed.number, hashed.hash, records[dropped - 1].hash, records[dropped:])


def _bounded(record: AuditRecord, number: int, before_hash: str) -> AuditRecord:
    return AuditRecord(
        number,
        record.index,
        record.at_ms,
        record.wall_ms,
        clipped(record.actor),  # a SPIFFE identity may be long
        clipped(record.reason),
        record.action,
        clipped(record.service_id, _NAME_CHARS_MAX),
        clipped(record.region_id, _NAME_CHARS_MAX),
        clipped(record.run_id, _NAME_CHARS_MAX),
        clipped(record.request_id, _NAME_CHARS_MAX),
        clipped(record.request_hash, _NAME_CHARS_MAX),
        clipped(record.evidence),
        record.result,
        record.refusal,
        clipped(record.detail),
        before_hash,
    )


def verify(records: Sequence[AuditRecord], before_hash: str, head: str) -> AuditFault | None:
    """Return where the chain breaks, or None if it holds.

    Args:
        records: Oldest first, without a gap.
        before_hash: What the first goes on from; "" when it is the very first.
        head: Hash that the last must have, as it was learnt elsewhere.
    """
    expected_hash, expected_number = before_hash, records[0].number if records else 0
    for record in records:
        if record.number != expected_number:
            return AuditFault(
                record.number, f"record {record.number} stands where {expected_number} should"
            )
        if record.before_hash != expected_hash:
            return AuditFault(
                record.number, f"record {record.number} does not go on from the one before it"
            )
        if record_hash(record) != record.hash:
            return AuditFault(
                record.number, f"record {record.number} is not what its hash was made of"
            )
        expected_hash, expected_number = record.hash, record.number + 1
    if expected_hash != head:
        return AuditFault(0, "the last record is not the head of the chain")
    return None


def after(log: AuditLog, number: int) -> tuple[AuditRecord, ...]:
    """Return the records kept that come after ``number``, oldest first."""
    first = log.count - len(log.records) + 1
    return log.records[max(0, number + 1 - first) :]
