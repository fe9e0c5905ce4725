"""Each program starts with nothing but what its contract lets it import, as `make lint` has it.

The packages of ours are copied into a folder of their own, and of others only those can be
imported that stand in the locks of the program's image.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.host.deploy.folder import CHECKOUT
from tests.deploy.test_images import copied_into
from tests.install.test_imports import PROVIDERS, locked, normal

SERVER = ("server", "containers")
GRADER = ("server", "notebook", "containers")
SANDBOX = ("hub/facts", "hub/grading/sandbox", "hub/grading/isolation")

# Program: (what of ours it may have, the locks of its image).
PROGRAMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hub.services.guard.__main__": (("hub/facts", "hub/services/guard"), SERVER),
    "hub.services.firewall.__main__": (("hub/facts", "hub/services/firewall"), SERVER),
    "hub.services.gpuwatch.__main__": (("hub/facts", "hub/services/gpuwatch"), SERVER),
    "hub.services.executor.__main__": ((*SANDBOX, "hub/services/executor", "course"), GRADER),
    "hub.grading.worker": ((*SANDBOX, "hub/grading/worker.py", "course"), GRADER),
    "hub.grading.template": (
        (*SANDBOX, "hub/grading/worker.py", "hub/grading/template.py", "course"),
        GRADER,
    ),
    "hub.grading.isolation.student": ((*SANDBOX, "course"), GRADER),
    "hub.grading.isolation.judge": ((*SANDBOX, "course"), GRADER),
    "hub.host.install.__main__": (("hub/facts", "hub/host/install"), ()),
    "hub.host.install.locks": (("hub/facts", "hub/host/install"), ()),
    **{
        f"hub.host.deploy.{name}": (("hub/facts", "hub/host", "course"), ())
        for name in ("__main__", "backup", "base", "doctor", "images", "models", "people", "stack")
    },
    **{
        name: (tuple(copied_into("persons")), ("server", "notebook"))
        for name in (
            "hub.cli",
            "hub.exchange.client",
            "hub.singleuser.gpu.extension",
            "hub.singleuser.gpu.startup",
            "hub.singleuser.opening",
            "hub.singleuser.remarks",
            "hub.singleuser.validation.route",
            "hub.singleuser.validation.validator",
            "course.models",
        )
    },
    **{
        name: (tuple(copied_into("whole")), SERVER)
        for name in (
            "hub.containers.__main__",
            "hub.exchange.__main__",
            "hub.jupyterhub.configuration.containers",
            "hub.jupyterhub.spawners.container",
        )
    },
    "hub.singleuser.formgrader": (tuple(copied_into("whole")), GRADER),
}

ALONE = """
import importlib, json, pathlib, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

program, refused, here = json.loads(sys.argv[1])


class OnlyThese(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        place = pathlib.Path(here, *name.split("."))
        ours = top in ("hub", "course")
        if not (place.is_dir() or place.with_suffix(".py").is_file()) if ours else top in refused:
            return None
        return super().find_spec(name, path, target)


sys.path.insert(0, here)
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, OnlyThese]
importlib.import_module(program)
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_starts_with_only_what_its_image_has(program, tmp_path):
    ours, locks = PROGRAMS[program]
    for folder in ours:
        if folder.startswith(("hub", "course")):
            put(folder, tmp_path)
    packages = locked(*locks) if locks else set()
    refused = [top for top, of in PROVIDERS.items() if not {normal(name) for name in of} & packages]
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALONE, json.dumps([program, refused, str(tmp_path)])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def put(path: str, target: Path) -> None:
    """Copy a package or module of the checkout, and what makes the folders above it packages."""
    source = CHECKOUT / path
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "checkpoints", "training")
        shutil.copytree(source, target / path, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy(source, target / path)
    for folder in Path(path).parents:
        if folder != Path() and (CHECKOUT / folder / "__init__.py").is_file():
            shutil.copy(CHECKOUT / folder / "__init__.py", target / folder)
