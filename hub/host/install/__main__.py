"""`python3 -m hub.host.install server|notebook|dev|all [--venv FOLDER] [--torch-backend NAME]`."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.facts.errors import UserError
from hub.facts.signals import end_in_order
from hub.host.install import checks, state
from hub.host.install.state import TARGETS, InstallTarget
from hub.host.install.steps import install


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    install_target = InstallTarget(Path(options.venv).resolve(), options.torch_backend)
    wanted = tuple(dict.fromkeys(step for target in options.targets for step in TARGETS[target]))
    if not state.outstanding(wanted, install_target):
        return 0
    end_in_order()  # and so the running command too
    try:
        with _only_one(install_target) as lock:
            began = time.monotonic()
            steps = state.outstanding(
                wanted, install_target
            )  # another installation may have done some of them
            for line in _recorded(install(steps, install_target, lock), steps, install_target):
                print(line, flush=True)
    except UserError as error:
        print(f"\n{error.shown}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to resume.", file=sys.stderr)
        return 130
    print(f"Installed in {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m hub.host.install", description=__doc__)
    parser.add_argument("targets", nargs="+", choices=sorted(TARGETS), metavar="TARGET")
    parser.add_argument("--venv", default=state.ROOT / ".venv", help="the virtual environment")
    parser.add_argument(
        "--torch-backend",
        default=os.environ.get("TORCH_BACKEND", ""),
        help="require this build of torch, by uv's name: cpu, cu130, auto, …",
    )
    return parser.parse_args(arguments)


@contextmanager
def _only_one(target: InstallTarget) -> Iterator[int]:
    """Wait until no other installation uses this environment; yields the lock's descriptor."""
    checks.check_writable(target.venv)
    checks.check_venv_folder(target.venv)
    target.records.mkdir(parents=True, exist_ok=True)
    with open(target.records / "install.lock", "w") as lock:
        for line in _wait(lock.fileno(), target):
            print(line, flush=True)
        yield lock.fileno()


def _wait(lock: int, target: InstallTarget) -> Iterator[str]:
    """Take the lock; yields the progress of the installation that holds it meanwhile."""
    output = state.notebook_progress(target.venv)
    waited = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not waited:
                yield "Another installation is using this environment; waiting for it to finish."
                waited = True
        time.sleep(0.2)
        heard, output = output, state.notebook_progress(target.venv)
        if output != heard:
            yield f"      {output}"


def _recorded(lines: Iterator[str], steps: tuple[str, ...], target: InstallTarget) -> Iterator[str]:
    """Pass `lines` on, and to the spawn page too if `steps` install notebook libraries."""
    if "notebook" not in steps and "torch" not in steps:
        yield from lines
        return
    with open(target.progress, "w") as progress:
        try:
            for line in lines:
                print(line.strip(), file=progress, flush=True)
                yield line
        except (UserError, KeyboardInterrupt) as error:
            reason = str(error).partition("\n")[0] or "interrupted"
            print(f"stopped: {reason}", file=progress, flush=True)
            raise


if __name__ == "__main__":
    sys.exit(main())
