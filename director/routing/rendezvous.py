"""Weighted rendezvous hashing: a stable choice that moves as little as possible.

Every member gets a score from the key and its own name, and the highest wins. When a member
leaves, only its keys move; when one returns, only its keys come back (Thaler and Ravishankar,
1998; weights after Schindelhauer and Schomaker, 2005). The hash is the same on every machine, in
every process and in every release: a session must not move because a replica restarted.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from math import inf, log

# 52 bits, so that the largest fraction below is still less than 1 as a double.
_FRACTION_BITS = 52
_MASK = (1 << 64) - 1


def _hash(text: str, role: bytes) -> int:
    # A lone surrogate cannot be sent, but a caller may hold one: it must not raise here.
    payload = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(payload, digest_size=8, person=role).digest())


@lru_cache(maxsize=4096)
def _member_hash(member: str) -> int:
    return _hash(member, b"member")


def key_hash(key: str) -> int:
    """Return 64 bits that stand for ``key``, to be mixed with each member."""
    return _hash(key, b"key")


def mixed(hashed_key: int, member: str) -> int:
    """Return 64 bits that depend on a key and a member and on nothing else."""
    # The finalizer of splitmix64 (Steele, Lea and Flood, 2014): each input bit reaches each
    # output bit, at a third of the cost of hashing every pair.
    x = hashed_key ^ _member_hash(member)
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def score(bits: int, weight: int) -> float:
    """Return the score of a member whose mixed hash is ``bits``; the highest score wins.

    Over many keys a member wins in proportion to its weight. Weight zero loses to any other.
    """
    if weight <= 0:
        return -inf
    fraction = ((bits >> (64 - _FRACTION_BITS)) + 0.5) / (1 << _FRACTION_BITS)
    return -weight / log(fraction)


def ranked(key: str, weight_by_member: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """Order members from the one that holds ``key`` to the last to take it over.

    Members of weight zero come last, ordered by the plain hash.
    """
    hashed = key_hash(key)
    scored = [
        (score(bits := mixed(hashed, member), weight), bits, member)
        for member, weight in weight_by_member
    ]
    # The sort key is total: it ends with the member's name.
    scored.sort(reverse=True)
    return tuple(member for _, _, member in scored)
