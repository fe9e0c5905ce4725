"""The exit message of a kernel that `hub.services.gpuwatch` stops. Standard library only."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

EXIT_MESSAGE = """
Your notebooks together used more GPU memory than your slot has ({mib} MiB), while the GPU was
full for everybody on it. The kernel that used the most was stopped: this one.
Before you run it again: use smaller batches, wrap evaluation in torch.no_grad(), and shut down
kernels that you do not need (the list of running kernels is on the left).
"""


def show_and_exit(mib: str) -> None:
    """Write the reason into the cell that is running (or ran last), then exit as on SIGTERM."""
    print(EXIT_MESSAGE.format(mib=mib), file=sys.stderr)
    sys.stderr.flush()
    time.sleep(0.5)  # another thread sends the message
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def listen(mib: str) -> None:
    """Show the message on SIGUSR1, with which the watcher stops a kernel. Main thread only."""

    def stopped(number: int, frame: Any) -> None:
        show_and_exit(mib)

    signal.signal(signal.SIGUSR1, stopped)
