"""What a process that listens makes sure of before it does."""

from __future__ import annotations

import resource

from google.protobuf.internal import api_implementation


def harden() -> None:
    """Keep keys out of core dumps, and hostile messages out of the slow parser.

    Raises:
        SystemExit: protobuf runs without its compiled parser. The one in Python recurses as deep
            as a message says (CVE-2025-4565), and is fifty times slower.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = api_implementation.Type()
    if kind == "python":
        raise SystemExit(
            "protobuf runs without its compiled parser; unset "
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or install a wheel for this platform"
        )
