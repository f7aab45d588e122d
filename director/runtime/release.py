"""Which release this is, as the installation says."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def release() -> str:
    """Return the version; "unknown" when the package is not installed."""
    try:
        return version("traffic-director")
    except PackageNotFoundError:
        return "unknown"
