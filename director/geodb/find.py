"""Which geo database to use: an explicit path, one that geoipupdate keeps, or the one that ships.

An explicit path that cannot be used is an error: the operator asked for it. A damaged file in one
of the usual folders is passed over, and the description of the database says so.
"""

import hashlib
import json
import lzma
import os
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from director.geodb.reader import GeoDatabase, GeoDatabaseError

# Where geoipupdate and the packages of the usual distributions put their files.
USUAL_FOLDERS = (
    Path("/usr/share/GeoIP"),
    Path("/var/lib/GeoIP"),
    Path("/usr/local/share/GeoIP"),
    Path("/usr/local/var/GeoIP"),
    Path("/opt/homebrew/var/GeoIP"),
)
# Only City files have coordinates. Paid editions before free ones, they are more accurate.
NAMES = (
    "GeoIP2-Enterprise.mmdb",
    "GeoIP2-City.mmdb",
    "DBIP-City.mmdb",
    "GeoLite2-City.mmdb",
    "dbip-city-lite.mmdb",
)
_SHIPPED = "world-coarse.mmdb.xz"
_STATEMENT = "world-coarse.json"
# Four times the file that ships: a damaged archive cannot fill the memory.
_UNPACKED_MAX_BYTES = 64 * 1024 * 1024


def open_geo_database(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folders: tuple[Path, ...] = USUAL_FOLDERS,
    cache_dir: Path | None = None,
) -> GeoDatabase:
    """Open the database to use.

    Args:
        path: A file the operator named, or None to search.
        environ: Read ``GEOIPUPDATE_DB_DIR`` and ``XDG_CACHE_HOME`` from here; None means the
            environment of the process.
        folders: Searched after ``GEOIPUPDATE_DB_DIR``.
        cache_dir: Where the file that ships is unpacked, once; None means the user's cache folder.

    Raises:
        GeoDatabaseError: ``path`` cannot be used, or nothing was found and the file that ships is
            damaged.
    """
    if path is not None:
        return GeoDatabase(path, chosen_by="path")
    environ = os.environ if environ is None else environ
    passed_over: list[str] = []
    for candidate, chosen_by in _candidates(environ, folders):
        try:
            return GeoDatabase(candidate, chosen_by=chosen_by, passed_over=tuple(passed_over))
        except GeoDatabaseError as error:
            passed_over.append(str(error))
    return _shipped(environ, cache_dir, tuple(passed_over))


def _candidates(
    environ: Mapping[str, str], folders: tuple[Path, ...]
) -> Iterator[tuple[Path, str]]:
    named = environ.get("GEOIPUPDATE_DB_DIR", "")
    listed = [(Path(named), "GEOIPUPDATE_DB_DIR")] if named else []
    listed += [(folder, str(folder)) for folder in folders]
    for folder, chosen_by in listed:
        for name in NAMES:
            if (folder / name).is_file():
                yield folder / name, chosen_by


def _shipped(
    environ: Mapping[str, str], cache_dir: Path | None, passed_over: tuple[str, ...]
) -> GeoDatabase:
    """Open the file that ships, unpacked once per user and checked at every start."""
    folder = files("director.geodb") / "data"
    statement = json.loads((folder / _STATEMENT).read_text(encoding="utf-8"))
    digest, attribution = str(statement["sha256"]), str(statement["attribution"])

    def opened(path: Path) -> GeoDatabase:
        return GeoDatabase(
            path, attribution=attribution, chosen_by="shipped", passed_over=passed_over
        )

    where = cache_dir or _user_cache(environ)
    unpacked = where / f"world-coarse-{digest[:16]}.mmdb"
    if _is_intact(unpacked, digest):
        return opened(unpacked)
    content = _unpacked((folder / _SHIPPED).read_bytes(), digest)
    try:
        _replace(unpacked, content)
        return opened(unpacked)
    except OSError:
        # A read-only home. The reader maps the file, so its name may go at once.
        with tempfile.NamedTemporaryFile(suffix=".mmdb") as temporary:
            temporary.write(content)
            temporary.flush()
            return opened(Path(temporary.name))


def _user_cache(environ: Mapping[str, str]) -> Path:
    named = environ.get("XDG_CACHE_HOME")
    cache = Path(named) if named else Path(environ.get("HOME") or "/nonexistent") / ".cache"
    return cache / "trafficdirector"


def _is_intact(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _unpacked(packed: bytes, digest: str) -> bytes:
    try:
        content = lzma.LZMADecompressor().decompress(packed, max_length=_UNPACKED_MAX_BYTES)
    except lzma.LZMAError as error:
        raise GeoDatabaseError(f"{_SHIPPED} is damaged: {error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise GeoDatabaseError(f"{_SHIPPED} does not hold what {_STATEMENT} says")
    return content


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that other processes see it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
        temporary.write(content)
    Path(temporary.name).replace(path)
