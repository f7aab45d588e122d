"""Readies the interpreter for many worlds: CPython's collector, PyPy's compiler."""

import gc
import importlib
import sys

# A world is a flat profile: thousands of places, each run a few hundred times per simulated minute.
# With PyPy's own thresholds most of a campaign passes before they are compiled; with these a
# healthy fleet is at full speed after some 400 simulated seconds and not after 1 600. What a rare
# fault runs would be thrown away before that fault comes again, so compiled code is kept for long.
_JIT = "threshold=200,function_threshold=300,trace_eagerness=40,loop_longevity=100000"


def prepare() -> None:
    """Make ready to play worlds in this process, once everything is imported."""
    # Worlds are made and dropped whole; what was imported is never garbage.
    gc.collect()
    if sys.implementation.name == "pypy":
        importlib.import_module("pypyjit").set_param(_JIT)
    else:
        gc.freeze()
