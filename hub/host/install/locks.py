"""Writes and checks the lock files: `python -m hub.host.install.locks write|check`.

A lock holds for Python 3.11 to 3.13 on every platform, names no package index and no build of
torch, as it must install from any index, on any hardware.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from hub.host.install.state import PROXY, ROOT, InstallTarget
from hub.host.install.steps import node_folder

REQUIREMENTS = ROOT / "requirements"
# Each lock is resolved with the pins of those before it, so that all fit into one environment.
CONSTRAINTS = {
    "server": (),
    "notebook": ("server",),
    "containers": ("server", "notebook"),
    "dev": ("server", "notebook", "containers"),
}
PYTHONS = ("3.11", "3.12", "3.13")
# The packages without a wheel; pure Python, so no compiler is needed to install them.
SOURCE_ONLY = ("onetimepass", "transformers-stream-generator")
LEFT_OUT = """\
torch ; python_version < '0'
rfc3987-syntax ; python_version < '0'
"""
"""Dependencies that are left out of every lock: torch, whose build each deployment chooses, and a
check of international addresses, which jsonschema can do without. Importing it compiles a
grammar, which costs 0.8 CPU-s in every process that reads a notebook: servers, kernels'
tools, each worker."""
FORBIDDEN = {
    "a build for one kind of hardware": re.compile(r"==[^\s;]*\+"),
    "an address": re.compile(r"://|\s@\s"),
    "an option": re.compile(r"^\s*-"),
    "torch or what only its CUDA build needs": re.compile(r"^(torch|triton|nvidia|cuda)\b"),
    "what costs every process its start": re.compile(r"^rfc3987-syntax\b"),
    "no exact version": re.compile(r"^(?!.*==)"),
}


def problems_in_lock(text: str) -> list[str]:
    """What a lock of Python packages must not contain, each with its line."""
    return [
        f"line {number} has {what}: {line}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]


def problems_in_npm_lock(text: str) -> list[str]:
    """Packages of an npm lock that name an address or lack an integrity hash."""
    packages = json.loads(text)["packages"]
    return [
        f"{name} {fault}"
        for name, package in packages.items()
        if name
        for fault, found in (
            ("names an address", "resolved" in package),
            ("has no integrity hash", "integrity" not in package),
        )
        if found
    ]


def missing_pins(resolved: str, lock: str) -> list[str]:
    """Pins that one Python needs (`resolved`) but the common lock lacks."""
    pins = {line.partition(";")[0].strip() for line in lock.splitlines()}
    needed = {line.partition(";")[0].strip() for line in resolved.splitlines()}
    return sorted(needed - pins)


def compile_lock(name: str, *options: str, prefer: str = "") -> str:
    """Resolve requirements/`name`.in; pins in `prefer`, the text of a lock, are kept if possible.

    Raises subprocess.CalledProcessError if no set of versions fits.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock, override = Path(folder, "lock"), Path(folder, "override")
        lock.write_text(prefer)
        override.write_text(LEFT_OUT)
        constraints = (REQUIREMENTS / f"{other}.lock" for other in CONSTRAINTS[name])
        command = [
            *(Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--no-header"),
            *("--no-annotate", "--override", override, "-o", lock, REQUIREMENTS / f"{name}.in"),
            *(part for constraint in constraints for part in ("-c", constraint)),
            *options,
        ]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        return lock.read_text()


def write(upgrade: bool) -> Iterator[str]:
    """Rewrite every lock, keeping its versions unless `upgrade`."""
    for name in CONSTRAINTS:
        lock = REQUIREMENTS / f"{name}.lock"
        known = lock.read_text() if lock.exists() and not upgrade else ""
        lock.write_text(compile_lock(name, *_universal(), prefer=known))
        yield f"{lock.relative_to(ROOT)}: {len(lock.read_text().splitlines())} packages"
    node = node_folder(InstallTarget(Path(sys.prefix)))
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    subprocess.run(
        [
            *(node / "bin" / "node", npm, "update" if upgrade else "install"),
            *("--package-lock-only", "--omit-lockfile-registry-resolved=true"),
            *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
        ],
        cwd=PROXY,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield "hub/host/proxy/package-lock.json"


def _universal() -> tuple[str, ...]:
    return ("--universal", "--python-version", PYTHONS[0])


def check() -> Iterator[str]:
    """Every problem of the current locks: their text, their freshness, and each Python."""
    for problem in problems_in_npm_lock((PROXY / "package-lock.json").read_text()):
        yield f"hub/host/proxy/package-lock.json: {problem}"
    locks = {name: (REQUIREMENTS / f"{name}.lock").read_text() for name in CONSTRAINTS}
    for name, lock in locks.items():
        yield from (f"{name}.lock: {problem}" for problem in problems_in_lock(lock))
    questions = [partial(_check_fresh, name, lock) for name, lock in locks.items()]
    questions += [
        partial(_check_python, name, lock, python)
        for name, lock in locks.items()
        for python in PYTHONS
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:  # mostly waiting for the package index
        for problems in pool.map(lambda question: question(), questions):
            yield from problems


def _check_fresh(name: str, lock: str) -> list[str]:
    """Does the lock follow from its .in file?"""
    fresh = compile_lock(name, *_universal(), prefer=lock) == lock
    return [] if fresh else [f"{name}.lock is out of date with {name}.in: run make lock"]


def _check_python(name: str, lock: str, python: str) -> list[str]:
    """Does the lock hold on this Python, with a wheel for each package?"""
    options = ["--python-version", python, "--only-binary", ":all:"]
    for package in SOURCE_ONLY:
        options += ["--no-binary", package]
    try:
        resolved = compile_lock(name, *options, prefer=lock)
    except subprocess.CalledProcessError:
        return [f"{name}.lock cannot be resolved for Python {python}"]
    return [f"{name}.lock lacks {pin}, for Python {python}" for pin in missing_pins(resolved, lock)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hub.host.install.locks", description=__doc__)
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("--upgrade", action="store_true", help="use the newest versions that fit")
    options = parser.parse_args(arguments)
    if options.action == "write":
        for line in write(options.upgrade):
            print(line, flush=True)
        return 0
    problems = list(check())
    print(
        "\n".join(problems) or f"The locks are clean and resolve for Python {', '.join(PYTHONS)}."
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
