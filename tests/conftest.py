"""What holds for all tests: the environment's commands are found, and kernels share the cores."""

import os
import sys
from pathlib import Path

# The proxy, `alembic` and `jupyter` are started by name, also where the venv is not activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
# Two BLAS threads a process on a busy machine are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
