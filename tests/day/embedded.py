"""The embedded server as the day's stage: `make serve` in a folder of its own, and its commands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

LOGITLAB = Path(sys.executable).parent / "logitlab"


def exported_grades(course: Path) -> str:
    """What `logitlab export` writes."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "grades.csv"
        command = [str(LOGITLAB), "export", f"--course={course}", str(target)]
        subprocess.run(command, check=True, timeout=120)
        return target.read_text(encoding="utf-8")
