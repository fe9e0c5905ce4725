"""What holds for all tests: the environment's commands are found, and kernels share the cores."""

import os
import sys
from pathlib import Path

import pytest

# The proxy, `alembic` and `jupyter` are started by name, also where the venv is not activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
# Two BLAS threads a process on a busy machine are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no process is left with one at the end.

    Tests that are long for people who wait run where LOGITLAB_TEST_LONG is set.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if not os.environ.get("LOGITLAB_TEST_LONG"):
        skip = pytest.mark.skip(reason="takes minutes: LOGITLAB_TEST_LONG=1, as CI does")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
