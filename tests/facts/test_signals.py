"""A command that waits for its end can be ended at any moment."""

from __future__ import annotations

import subprocess
import sys

WAITS = """
import os, signal, time
from hub.facts.signals import StopRequest

assert not StopRequest().wait(0)
stop = StopRequest()
child = os.fork()
if not child:
    for number in range(3000):
        os.kill(os.getppid(), signal.SIGTERM if number % 2 else signal.SIGINT)
        time.sleep(1e-5)
    os._exit(0)
while not os.waitpid(child, os.WNOHANG)[0]:
    stop.wait(0)
assert stop.wait(0)
"""


def test_a_signal_at_any_moment_ends_the_waiting():
    """With a threading.Event that the handler sets, this hangs."""
    subprocess.run([sys.executable, "-c", WAITS], check=True, timeout=60)
