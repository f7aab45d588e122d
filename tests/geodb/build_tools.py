"""Small databases for the tests, written by the writer of deploy/geo."""

import sys
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

GEO = Path(__file__).parents[2] / "deploy" / "geo"


def _writer() -> Any:
    """Load deploy/geo/mmdb_writer.py, which is no part of the installed program."""
    import importlib.util  # noqa: PLC0415

    name = "deploy_geo_mmdb_writer"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, GEO / "mmdb_writer.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


writer = _writer()


def a_database(
    folder: Path, record_by_network: Mapping[str, object], database_type: str = "Test-City"
) -> Path:
    """Write a database of these networks and return its path."""
    four: list[tuple[int, int, int]] = []
    six: list[tuple[int, int, int]] = []
    for number, text in enumerate(record_by_network):
        network = ip_network(text)
        first, size = int(network.network_address), network.num_addresses
        (four if network.version == 4 else six).append((first, first + size, number))
    tree = writer.Tree()
    roots = [
        tree.add(writer.Ranges(*map(list, zip(*sorted(part), strict=True))), bits) if part else -1
        for part, bits in ((four, 32), (six, 128))
    ]
    root = tree.merged(tree.under_zeros(roots[0], 96), roots[1])
    metadata = {
        "binary_format_major_version": writer.UInt16(2),
        "binary_format_minor_version": writer.UInt16(0),
        "build_epoch": writer.UInt64(1_780_617_600),
        "database_type": database_type,
        "description": {"en": "for tests"},
        "ip_version": writer.UInt16(6),
        "languages": ["en"],
    }
    path = folder / f"{database_type}-{len(list(folder.iterdir()))}.mmdb"
    path.write_bytes(writer.encoded(tree, root, list(record_by_network.values()), metadata))
    return path
