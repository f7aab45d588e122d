"""Directed connectivity graphs up to renaming of their corners.

A graph is a number: bit ``i`` set means that the link ``links(count)[i]`` works. A shape stands for
all graphs that differ only in the names of their corners, and is the smallest of their numbers.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations

# Links are renamed half a graph at a time, by table.
_HALVES = 2

SHAPE_COUNTS = {2: 3, 3: 16, 4: 218, 5: 9_608}
"""How many shapes there are (OEIS A000273): what `shapes` must come to."""


@cache
def links(count: int) -> tuple[tuple[int, int], ...]:
    """Return the links there can be among ``count`` corners, each one way."""
    return tuple(permutations(range(count), 2))


@cache
def shapes(count: int) -> tuple[int, ...]:
    """Return the shapes of ``count`` corners, ascending. Below a second for five."""
    seen = bytearray(1 << len(links(count)))
    renamings = _renamings(count)
    half_bits = len(links(count)) // _HALVES
    low_mask = (1 << half_bits) - 1
    found: list[int] = []
    graph = seen.find(0)
    while graph >= 0:
        found.append(graph)
        for low, high in renamings:
            seen[low[graph & low_mask] | high[graph >> half_bits]] = 1
        graph = seen.find(0, graph)
    return tuple(found)


def labellings(count: int, shape: int) -> tuple[int, ...]:
    """Return every graph of ``shape``, ascending."""
    half_bits = len(links(count)) // _HALVES
    low_mask = (1 << half_bits) - 1
    graphs = {low[shape & low_mask] | high[shape >> half_bits] for low, high in _renamings(count)}
    return tuple(sorted(graphs))


def two_way(count: int, graph: int) -> tuple[frozenset[int], ...]:
    """Return, for each corner, those it is linked with both ways."""
    works = {link for bit, link in enumerate(links(count)) if graph >> bit & 1}
    return tuple(
        frozenset(other for other in range(count) if {(one, other), (other, one)} <= works)
        for one in range(count)
    )


@cache
def _renamings(count: int) -> tuple[tuple[list[int], list[int]], ...]:
    """Return, for each renaming, what it makes of the lower and of the upper half of a graph."""
    bit_by_link = {link: bit for bit, link in enumerate(links(count))}
    half_bits = len(links(count)) // _HALVES
    tables = []
    for names in permutations(range(count)):
        renamed = [1 << bit_by_link[names[one], names[other]] for one, other in links(count)]
        tables.append((_table(renamed[:half_bits]), _table(renamed[half_bits:])))
    return tuple(tables)


def _table(renamed: list[int]) -> list[int]:
    table = [0]
    for bit in renamed:
        table += [graph | bit for graph in table]
    return table
