"""Runs one program so that it cannot outlive the fleet: `python -m director.dev.child MODULE ...`.

The kernel kills the process when its parent ends, however that happens (prctl(2),
PR_SET_PDEATHSIG). Without it a killed `director dev` would leave a dozen processes behind.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Arm the death signal, then become the module named in the arguments."""
    parent = int(sys.argv.pop(1))
    module = sys.argv.pop(1)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before the signal was armed
    sys.argv[0] = module
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
