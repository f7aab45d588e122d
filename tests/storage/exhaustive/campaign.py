"""All crashes and all damage, cut into pieces of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.storage.exhaustive import crashes, damage
from tests.storage.exhaustive.images import NAMES
from tests.storage.exhaustive.trace import OPERATIONS

if TYPE_CHECKING:
    from tests.support.sweep import Tally

# A piece runs the whole trace, which takes a tenth of a second, and plays its share of the crashes.
_CRASH_PIECES = 400
_DAMAGE_PER_PIECE = 4_000


@dataclass(frozen=True, slots=True)
class DamagePiece:
    """Some of what can be done to one file in one way."""

    image: str
    path: str
    kind: damage.Kind
    numbers: range
    """Which of ``damage.possible_damage``."""


Piece = crashes.Piece | DamagePiece


def crash_pieces(seeds: range, stride: int) -> list[Piece]:
    """Return the crashes at every ``stride``-th call of a trace for each seed."""
    count = _CRASH_PIECES if stride == 1 else 1
    return [
        crashes.Piece(seed, OPERATIONS, stride * count, stride * number)
        for seed in seeds
        for number in range(count)
    ]


def damage_pieces(stride: int) -> list[Piece]:
    """Return every ``stride``-th damage of each kind to each file."""
    pieces: list[Piece] = []
    for name in NAMES:
        for path in damage.paths(name):
            for kind in damage.kinds(name):
                numbers = range(0, len(damage.possible_damage(name, path, kind)), stride)
                pieces += [
                    DamagePiece(name, path, kind, numbers[at : at + _DAMAGE_PER_PIECE])
                    for at in range(0, len(numbers), _DAMAGE_PER_PIECE)
                ]
    return pieces


def play(piece: Piece) -> Tally:
    """Play ``piece`` and tally how its cases ended."""
    if isinstance(piece, crashes.Piece):
        return crashes.play_piece(piece)
    possible = damage.possible_damage(piece.image, piece.path, piece.kind)
    return damage.play_all(
        [
            damage.Damage(piece.image, piece.path, piece.kind, possible[number])
            for number in piece.numbers
        ]
    )
