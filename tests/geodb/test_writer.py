"""The writer of the build: what it writes, MaxMind's own reader reads back."""

from ipaddress import IPv4Address, ip_network
from itertools import pairwise
from pathlib import Path

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.geodb.build_tools import a_database, writer


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Draw sorted, disjoint ranges of 16-bit numbers with few values, so that subtrees repeat."""
    edges = sorted(draw(st.sets(st.integers(0, 1 << 16), max_size=30)))
    return [
        (first, end, draw(st.integers(0, 2)))
        for first, end in pairwise(edges)
        if draw(st.booleans())
    ]


@given(drawn=ranges())
def test_the_tree_maps_every_address_as_the_ranges_do(drawn: list[tuple[int, int, int]]) -> None:
    tree = writer.Tree()
    columns = [list(column) for column in zip(*drawn, strict=True)] or [[], [], []]
    root = tree.add(writer.Ranges(*columns), 16)
    probes = {0, (1 << 16) - 1}
    probes |= {edge + d for first, end, _ in drawn for edge in (first, end) for d in (-1, 0)}
    for address in probes:
        if not 0 <= address < 1 << 16:
            continue
        reference, bit = root, 15
        while reference >= 0:
            reference = tree.nodes[reference][address >> bit & 1]
            bit -= 1
        expected = next((v for first, end, v in drawn if first <= address < end), None)
        assert (None if reference == -1 else -2 - reference) == expected


def test_values_of_every_kind_survive(tmp_path: Path) -> None:
    record = {
        "text": "Zürich 東京",
        "long": "x" * 28 + "y" * 300,
        "longer": "z" * 70_000,
        "number": 7,
        "zero": 0,
        "double": -33.9258,
        "yes": True,
        "no": False,
        "list": ["a", {"b": "c"}],
        "nested": {"names": {"en": "name"}},
    }
    path = a_database(tmp_path, {"8.8.8.0/24": record})
    with maxminddb.open_database(path) as reader:
        assert reader.get("8.8.8.1") == {**record}
        assert reader.get_with_prefix_len("8.8.8.1")[1] == 24


def test_repeated_values_are_written_once(tmp_path: Path) -> None:
    shared = {"names": {"en": "A rather long name of a country, written out in full"}}
    many = {f"8.8.{n}.0/24": {"country": shared, "number": n} for n in range(200)}
    path = a_database(tmp_path, many)
    content = path.read_bytes()
    assert content.count(b"A rather long name") == 1
    with maxminddb.open_database(path) as reader:
        assert [reader.get(f"8.8.{n}.9") for n in range(200)] == list(many.values())


def test_both_readers_and_iteration_agree(tmp_path: Path) -> None:
    wanted = {"1.0.0.0/8": {"n": 1}, "8.8.8.0/24": {"n": 2}, "2a00::/20": {"n": 1}}
    path = a_database(tmp_path, wanted)
    for mode in (maxminddb.MODE_AUTO, maxminddb.MODE_FILE):
        with maxminddb.open_database(path, mode) as reader:
            assert {str(network): record for network, record in reader} == wanted
            assert reader.get(IPv4Address("9.0.0.1")) is None


@pytest.mark.parametrize("offset", [0, 2047, 2048, 526_335, 526_336, 134_744_063, 134_744_064])
def test_pointers_of_every_length_hold_their_offset(offset: int) -> None:
    """Decoded here by the letter of the format, section "pointer - 1"."""
    encoded = writer._pointer(offset)
    size, low = encoded[0] >> 3 & 3, encoded[0] & 7
    rest = int.from_bytes(encoded[1:])
    assert encoded[0] >> 5 == 1
    decoded = {
        0: (low << 8) + rest,
        1: (low << 16) + rest + 2048,
        2: (low << 24) + rest + 526_336,
        3: rest,
    }[size]
    assert (decoded, len(encoded)) == (offset, size + 2)


def test_a_tree_too_large_for_its_records_is_refused() -> None:
    tree = writer.Tree()
    network = ip_network("8.8.8.0/24")
    first = int(network.network_address)
    root = tree.under_zeros(tree.add(writer.Ranges([first], [first + 256], [0]), 32), 96)
    records = [{"text": f"{n:060000}"} for n in range(290)]
    with pytest.raises(ValueError, match="24 bits"):
        writer.encoded(tree, root, records, {})
