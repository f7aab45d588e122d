"""The agent as a process: ``shell`` carries out what the core asks for, ``process`` builds it all.

``main`` is the command ``region-agent``.
"""

import os

# Read when gRPC is imported: its own lines are not for operators.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

from regions.app.command import main

__all__ = ["main"]
