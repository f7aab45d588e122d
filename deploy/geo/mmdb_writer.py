"""Writes MaxMind DB files (format 2.0): enough of the format for one compact City database.

The search tree is built from sorted address ranges. Equal subtrees are written once and shared:
readers only follow records downwards, so a shared node is as valid as a repeated one, and the
file is smaller. Data values are shared through pointers in the same way.

Format: https://maxmind.github.io/MaxMind-DB/ (sections are cited by name).
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = "str | float | int | bool | UInt16 | UInt64 | list[Value] | Mapping[str, Value]"

METADATA_MARKER = b"\xab\xcd\xefMaxMind.com"
RECORD_BITS = 24
_EMPTY = -1  # A leaf without data: the address is not in the database.
_SEPARATOR_BYTES = 16

# "Data Field Format": type numbers.
_POINTER, _STRING, _DOUBLE, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY, _BOOLEAN = (
    1, 2, 3, 5, 6, 7, 9, 11, 14,
)  # fmt: skip
_EXTENDED_FROM = 8
_SIZE_INLINE = 29
_SIZE_ONE_BYTE = 29 + 256
_SIZE_TWO_BYTES = _SIZE_ONE_BYTE + 65_536
_POINTER_STEPS = ((11, 0), (19, 2048), (27, 526336))  # value bits, bias of the value
_POINTER_WORTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class UInt16:
    """An unsigned number written with the 16-bit type, as readers expect of some keys."""

    value: int


@dataclass(frozen=True, slots=True)
class UInt64:
    """An unsigned number written with the 64-bit type, as readers expect of some keys."""

    value: int


@dataclass(slots=True)
class DataSection:
    """The data section of a file, growing as values are added. Equal values are kept once."""

    buffer: bytearray = field(default_factory=bytearray)
    _offsets: dict[str, int] = field(default_factory=dict)

    def add(self, value: Value) -> int:
        """Append ``value`` unless it is there already, and return its offset."""
        known = self._offsets.get(repr(value))
        if known is not None:
            return known
        offset = len(self.buffer)
        self._append(value, is_root=True)
        return offset

    def _append(self, value: Value, *, is_root: bool = False) -> None:
        key = repr(value)
        known = self._offsets.get(key)
        if known is not None and not is_root:
            self.buffer += _pointer(known)
            return
        start = len(self.buffer)
        self._append_new(value)
        is_shareable = isinstance(value, str | Mapping)
        if is_shareable and len(self.buffer) - start >= _POINTER_WORTH_BYTES:
            self._offsets[key] = start

    def _append_new(self, value: Value) -> None:
        match value:
            case bool():
                self.buffer += _control(_BOOLEAN, int(value))
            case str():
                payload = value.encode()
                self.buffer += _control(_STRING, len(payload)) + payload
            case float():
                self.buffer += _control(_DOUBLE, 8) + struct.pack(">d", value)
            case UInt16(value=number):
                self._append_number(_UINT16, number)
            case UInt64(value=number):
                self._append_number(_UINT64, number)
            case int():
                self._append_number(_UINT32, value)
            case list():
                self.buffer += _control(_ARRAY, len(value))
                for item in value:
                    self._append(item)
            case _:
                self.buffer += _control(_MAP, len(value))
                for name, item in value.items():
                    self._append(name)
                    self._append(item)

    def _append_number(self, kind: int, number: int) -> None:
        payload = number.to_bytes((number.bit_length() + 7) // 8, "big")
        self.buffer += _control(kind, len(payload)) + payload


def _control(kind: int, size: int) -> bytes:
    """Build the control byte, its extension and the size ("Data Field Format")."""
    top = kind if kind < _EXTENDED_FROM else 0
    extension = b"" if top else bytes([kind - 7])
    if size < _SIZE_INLINE:
        return bytes([top << 5 | size]) + extension
    if size < _SIZE_ONE_BYTE:
        return bytes([top << 5 | 29]) + extension + bytes([size - 29])
    if size < _SIZE_TWO_BYTES:
        return bytes([top << 5 | 30]) + extension + (size - _SIZE_ONE_BYTE).to_bytes(2, "big")
    return bytes([top << 5 | 31]) + extension + (size - _SIZE_TWO_BYTES).to_bytes(3, "big")


def _pointer(offset: int) -> bytes:
    """Build the shortest pointer to ``offset`` ("pointer - 1")."""
    for extra_bytes, (bits, bias) in enumerate(_POINTER_STEPS):
        if offset < bias + (1 << bits):
            value = offset - bias
            first = _POINTER << 5 | extra_bytes << 3 | value >> (8 * (extra_bytes + 1))
            rest = value & ((1 << (8 * (extra_bytes + 1))) - 1)
            return bytes([first]) + rest.to_bytes(extra_bytes + 1, "big")
    return bytes([_POINTER << 5 | 3 << 3]) + offset.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Ranges:
    """Sorted, disjoint address ranges: ``[starts[i], ends[i])`` maps to ``values[i]``."""

    starts: Sequence[int]
    ends: Sequence[int]
    values: Sequence[int]


class Tree:
    """A binary search tree over ``bits``-bit addresses, with equal subtrees shared.

    A reference to a subtree is an int: ``-1`` is empty, ``-2 - v`` is the value ``v``, and a
    number from zero is an inner node.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[int, int]] = []
        self._known: dict[tuple[int, int], int] = {}

    def add(self, ranges: Ranges, bits: int) -> int:
        """Add the tree of ``ranges`` and return the reference to its root."""
        return self._subtree(ranges, (0, len(ranges.starts)), 0, bits)

    def join(self, left: int, right: int) -> int:
        """Return the reference to a subtree with these halves; equal leaves merge."""
        if left == right and left < 0:
            return left
        known = self._known.get((left, right))
        if known is None:
            known = len(self.nodes)
            self.nodes.append((left, right))
            self._known[left, right] = known
        return known

    def _subtree(self, ranges: Ranges, part: tuple[int, int], first: int, bits: int) -> int:
        low, high = part
        if low == high:
            return _EMPTY
        covers_start = ranges.starts[low] <= first
        if high - low == 1 and covers_start and ranges.ends[low] >= first + (1 << bits):
            return -2 - ranges.values[low]
        middle = first + (1 << (bits - 1))
        cut = low
        step_low, step_high = low, high  # The first range that begins at or after the middle.
        while step_low < step_high:
            cut = (step_low + step_high) // 2
            if ranges.starts[cut] < middle:
                step_low = cut + 1
            else:
                step_high = cut
        left_end = step_low
        # A range that crosses the middle belongs to both halves.
        right_start = left_end - (left_end > low and ranges.ends[left_end - 1] > middle)
        left = self._subtree(ranges, (low, left_end), first, bits - 1)
        right = self._subtree(ranges, (right_start, high), middle, bits - 1)
        return self.join(left, right)

    def under_zeros(self, reference: int, bits: int) -> int:
        """Hang ``reference`` below ``bits`` zero bits: where IPv4 lives in an IPv6 tree."""
        for _ in range(bits):
            reference = self.join(reference, _EMPTY)
        return reference

    def merged(self, one: int, other: int) -> int:
        """Return the union of two disjoint subtrees."""
        if _EMPTY in {one, other}:
            return other if one == _EMPTY else one
        assert min(one, other) >= 0, "the same address has two values"
        (left_one, right_one), (left_other, right_other) = self.nodes[one], self.nodes[other]
        return self.join(self.merged(left_one, left_other), self.merged(right_one, right_other))


def encoded(
    tree: Tree, root: int, records: Sequence[Value], metadata: Mapping[str, Value]
) -> bytes:
    """Return the whole file. ``records[v]`` is the data of the value ``v``.

    Raises:
        ValueError: The tree and data are too large for 24-bit records.
    """
    data = DataSection()
    offsets = [data.add(record) for record in records]
    order, position = _numbered(tree, root)
    count = len(order)
    if count + _SEPARATOR_BYTES + len(data.buffer) >= 1 << RECORD_BITS:
        raise ValueError("the tree and its data need records of more than 24 bits")

    def record(reference: int) -> bytes:
        if reference == _EMPTY:
            number = count
        elif reference < 0:
            number = count + _SEPARATOR_BYTES + offsets[-2 - reference]
        else:
            number = position[reference]
        return number.to_bytes(3, "big")

    out = bytearray()
    for node in order:
        left, right = tree.nodes[node]
        out += record(left)
        out += record(right)
    out += bytes(_SEPARATOR_BYTES)
    out += data.buffer
    out += METADATA_MARKER
    description = DataSection()
    description.add({**metadata, "node_count": count, "record_size": UInt16(RECORD_BITS)})
    out += description.buffer
    return bytes(out)


def _numbered(tree: Tree, root: int) -> tuple[list[int], dict[int, int]]:
    """Number the nodes reachable from ``root``, parents first, left before right.

    So most left records are their own node's number plus one, which packs well.
    """
    order: list[int] = []
    position: dict[int, int] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node < 0 or node in position:
            continue
        position[node] = len(order)
        order.append(node)
        left, right = tree.nodes[node]
        stack.append(right)
        stack.append(left)
    return order, position
