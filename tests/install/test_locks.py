"""Lock files install from any index, on any hardware, with every supported Python."""

import json

import pytest

from hub.host.install import locks

NAMES = sorted(locks.CONSTRAINTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_names_no_host_no_hardware_and_no_torch(name):
    assert locks.problems_in_lock((locks.REQUIREMENTS / f"{name}.lock").read_text()) == []


def test_the_proxys_lock_names_no_host_and_has_every_hash():
    assert locks.problems_in_npm_lock((locks.PROXY / "package-lock.json").read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "torch==2.13.0",
        "numpy==2.4.6+cpu",
        "nvidia-cublas==13.0.2 ; sys_platform == 'linux'",
        "triton==3.7.0",
        "--index-url https://packages.example.org/simple",
        "--find-links wheels",
        "einops @ file:///srv/einops.whl",
        "einops>=0.8",
        "rfc3987-syntax==1.1.0",
    ],
)
def test_each_thing_a_lock_must_not_say_is_found(line):
    problems = locks.problems_in_lock(f"alembic==1.20.1\n{line}\n")
    assert problems
    assert all("line 2" in problem and line in problem for problem in problems)


def test_an_address_in_the_proxys_lock_is_found():
    package = {"version": "1.0.0", "resolved": "https://packages.example.org/a.tgz"}
    lock = json.dumps({"packages": {"": {"name": "logitlab-proxy"}, "node_modules/a": package}})
    assert locks.problems_in_npm_lock(lock) == [
        "node_modules/a names an address",
        "node_modules/a has no integrity hash",
    ]


def test_a_pin_that_one_python_needs_and_the_lock_lacks_is_found():
    lock = "numpy==2.4.6 ; python_full_version < '3.12'\nsix==1.17.0\n"
    assert locks.missing_pins("numpy==2.4.6\n", lock) == []
    assert locks.missing_pins("numpy==2.5.5\nsix==1.17.0\n", lock) == ["numpy==2.5.5"]


def test_packages_that_two_locks_share_have_one_version_in_both():
    """Where markers do not split them: all locks go into one environment, with --no-deps."""
    pins: dict[str, set[str]] = {}
    for name in NAMES:
        for line in (locks.REQUIREMENTS / f"{name}.lock").read_text().splitlines():
            pins.setdefault(line.partition("==")[0], set()).add(line.partition(" ;")[0])
    split_by_python = {"numpy", "networkx", "soupsieve"}
    assert {name for name, found in pins.items() if len(found) > 1} <= split_by_python
