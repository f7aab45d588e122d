"""The documents that were in force: kept so that an operator can look back, and go back.

The last ``REVISIONS_KEPT_MAX`` are kept, with as much of their text as fits. Every snapshot carries
all of it, hence the bound in bytes.
"""

from dataclasses import dataclass, replace

from director.core.digest import digest

# Enough to go back over a bad week.
REVISIONS_KEPT_MAX = 20
# Two texts at the limit of one; hundreds of ordinary ones.
REVISION_BYTES_MAX = 2 << 20
SUMMARY_CHARS_MAX = 200
_ETAG_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Revision:
    """One manifest that was applied.

    Attributes:
        revision: Its number, from 1.
        index: Log index of the entry that applied it.
        wall_ms: Wall clock at which it was decided, for people; ms since 1970.
        summary: What it changed of what routing and failover depend on, in a few words.
        etag: Stands for the number and the text; see :func:`etag`.
        source: The documents as written; "" when they are no longer kept.
        restores: The earlier revision whose text this is, when it was rolled back to; 0: none.
    """

    revision: int
    index: int
    wall_ms: int
    actor: str
    reason: str
    summary: str
    etag: str
    source: str
    restores: int = 0


def etag(revision: int, source: str) -> str:
    """Return a word that no other number or text has: ``4-1f3a90c2be77``.

    The number alone would not do: a state that was restored from a copy counts on from the past.
    """
    return f"{revision}-{digest(source)[:_ETAG_DIGITS]}"


def kept(revisions: tuple[Revision, ...], latest: Revision) -> tuple[Revision, ...]:
    """Return ``revisions``, oldest first, with ``latest`` and within the limits.

    The text of ``latest`` is always kept; of the others the oldest go first.
    """
    listed = (*revisions, latest)[-REVISIONS_KEPT_MAX:]
    left_bytes = REVISION_BYTES_MAX - len(latest.source.encode())
    bounded = [latest]
    for each in reversed(listed[:-1]):
        left_bytes -= len(each.source.encode())
        # Once one does not fit no older one is kept: a gap would be hard to explain.
        bounded.append(each if left_bytes >= 0 else replace(each, source=""))
    return tuple(reversed(bounded))
