"""The agent as a process: ``shell`` carries out what the core asks for, ``process`` builds it all.

``main`` is the command ``region-agent``.
"""

from regions.app.command import main

__all__ = ["main"]
