"""Is there disk space for the images? Figures measured with the pinned packages, on amd64."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

FIX = (
    "`docker system df` shows what Docker uses; `docker image prune` and `docker builder prune` "
    "free unused space."
)
BASE_MB = 200  # base image and build tools
CUDA_MB = 9000  # extra for a CUDA build of torch, in image and build cache: estimated, NOT measured


# Disk use of a first build of each, image and build cache, MB; all of them together took
# 3.9 GB; the figures have a fifth added.
IMAGE_MB = {"server": 800, "student": 3000, "grader": 100, "proxy": 300, "db": 150, "gateway": 100}
REBUILD_MB = 500  # for an existing image: most of its layers are reused


def needed_mb(missing: Iterable[str], there: Iterable[str], torch: str, models_mb: int = 0) -> int:
    """MB of disk for building the images `missing` and rebuilding those already `there`."""
    first = set(missing)
    if "grader" in first and "student" not in set(there):
        first.add("student")  # which it is built on
    total = BASE_MB + sum(IMAGE_MB[name] for name in first) + sum(REBUILD_MB for _ in there)
    if "student" in first and torch != "cpu":
        total += CUDA_MB
    return total + 2 * models_mb  # in the layer, and in the build context


def engine_folder(client: str) -> Path | None:
    """Where the engine keeps images; None if it runs on another machine."""
    done = subprocess.run(
        [client, "info", "--format", "{{.DockerRootDir}}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    remote = os.environ.get("DOCKER_HOST", "unix:").split(":")[0] != "unix"
    folder = Path(done.stdout.strip())
    return None if remote or done.returncode or not folder.is_absolute() else folder
