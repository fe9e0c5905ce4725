"""GPT-2 is available before the first student logs in, in one copy: from a folder and in the image.

With a folder of GPT-2-small's shape, size and layout, and random weights: 548 MB.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.host.deploy.images import IMAGES
from tests.bench.models import gpt2_shaped
from tests.course_package.test_models import own_checkpoint
from tests.docker.kernels import Kernel, KernelError
from tests.docker.stage import CHECKOUT, Deployed, deployed, docker
from tests.docs.test_docs import commands
from tests.e2e.hub_client import Person
from tests.needs import TAG, need

PROJECT = "lltmod"
# A template that is still importing would be charged to the container in between.
SETTINGS = "server: {warm_kernels: false}\n"
BAKED_TAG = "lltmod"
FOLDER = "/opt/logitlab/models"
UNPRIVILEGED = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL")
MODEL = "gpt2"
PARAMETERS_MIB = 124_439_808 * 4 / 2**20
# Of a second copy of the weights, how much may be found: hardly any, and far from one.
LITTLE_MIB = PARAMETERS_MIB / 3

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("images"),
]

# What a student's process says of itself, MiB: pages that it alone has, its part of all pages
# (one that n processes map counts 1/n), all pages, and what its container is charged with.
BEFORE = """
import json, os, sys, time, torch
import transformer_lens.model_bridge
from course import models

USAGE = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")

def say(**more):
    kib = {}
    for line in open("/proc/self/smaps_rollup"):
        name, *rest = line.split()
        if rest[-1:] == ["kB"]:
            kib[name[:-1]] = int(rest[0])
    charged = int(open(next(filter(os.path.exists, USAGE))).read()) / 2**20
    private = (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024
    figures = dict(private=private, pss=kib["Pss"] / 1024, rss=kib["Rss"] / 1024, charged=charged)
    print(json.dumps(figures | more), flush=True)

say(names=models.available())
"""
LOAD = """
bridge = models.model("gpt2", device="cpu")
with torch.no_grad():
    answer = bridge(torch.arange(64)[None])[0, -1, :4].tolist()
    total = sum(float(p.sum()) for p in bridge.parameters())  # every page of the weights is read
say(answer=answer, total=total)
"""
AGAIN = "say()"
COPY = 'copied = {name: t.clone() for name, t in models.weights("gpt2").items()}; say()'


def grew(before: dict[str, Any], after: dict[str, Any], what: str) -> float:
    return float(after[what] - before[what])


def table(title: str, rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{title} ({PARAMETERS_MIB:.0f} MiB of weights), MiB:")
    for name, figures in rows.items():
        found = "".join(
            f"  {what} {figures[what]:>6.0f}" for what in ("private", "pss", "rss", "charged")
        )
        print(f"  {name:<28}{found}")


def make(line: str, target: Path) -> str:
    """What a command of a page said, for the deployment in `target`."""
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=CHECKOUT,
        env=os.environ | {"LOGITLAB_DEPLOYMENT": str(target)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Iterator[Path]:
    """A folder that an admin brings."""
    need("deployments")
    folder = tmp_path_factory.mktemp("brought") / "gpt2-shaped"
    folder.mkdir()
    gpt2_shaped(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def target(tmp_path_factory, weights) -> Iterator[Path]:
    """A deployment's folder with the model added to it, by the commands of docs/deploy.md."""
    target = tmp_path_factory.mktemp("deployment")
    add, check, _ = commands("models")
    output = make(add.replace("/media/gpt2", str(weights)), target)
    assert "not the published files" in output and f"{MODEL}: ready in" in output
    assert "models: OK" in make(check, target)
    yield target
    shutil.rmtree(target / "models")


@pytest.fixture(scope="module")
def stack(target) -> Iterator[Deployed]:
    with deployed(target, PROJECT, SETTINGS, MODELS_MODE="volume") as made:
        yield made


@pytest.fixture(scope="module")
def people(stack) -> Iterator[dict[str, Person]]:
    found = {n: Person(stack.url, n, stack.passwords[n]) for n in ("alice", "bob", "instructor")}
    found["alice"].start_server()
    found["bob"].start_server()
    found["instructor"].start_server("grader-mechinterp")
    yield found
    for person in found.values():
        person.close()


@pytest.fixture(scope="module")
def kernels(people) -> dict[str, Kernel]:
    return {name: Kernel(people[name]) for name in ("alice", "bob")}


@pytest.fixture(scope="module")
def measured(kernels) -> dict[str, dict[str, Any]]:
    """What both say of themselves, one after the other, the first keeping the model."""
    steps = [
        *(("alice before", BEFORE), ("alice with it", LOAD)),
        *(("bob before", BEFORE), ("bob with it", LOAD)),
        *(("alice, both with it", AGAIN), ("bob with a copy", COPY)),
    ]
    rows = {step: json.loads(kernels[step.split()[0].strip(",")].run(code)) for step, code in steps}
    table("two students' kernels, weights from the deployment's folder", rows)
    return rows


def test_both_students_have_the_model_by_name_and_compute_the_same_with_it(measured):
    for name in ("alice", "bob"):
        assert {MODEL, "induction-2l2h"} <= set(measured[f"{name} before"]["names"])
    for what in ("answer", "total"):
        assert measured["alice with it"][what] == measured["bob with it"][what]
    assert len(set(measured["alice with it"]["answer"])) == 4


def test_the_second_student_costs_no_further_copy(measured):
    before, after = measured["bob before"], measured["bob with it"]
    assert grew(before, after, "rss") > 0.9 * PARAMETERS_MIB, "the weights were not even read"
    assert grew(before, after, "private") < LITTLE_MIB
    assert grew(before, after, "charged") < LITTLE_MIB
    both = grew(before, after, "pss")
    both += grew(measured["alice before"], measured["alice, both with it"], "pss")
    assert both < PARAMETERS_MIB + 2 * LITTLE_MIB


def test_a_copy_would_have_been_seen(measured):
    assert grew(measured["bob with it"], measured["bob with a copy"], "private") > (
        0.9 * PARAMETERS_MIB
    )
    assert grew(measured["bob with it"], measured["bob with a copy"], "charged") > (
        0.9 * PARAMETERS_MIB
    )


def test_nobody_can_write_into_the_folder_from_a_container(stack, kernels):
    file = "/srv/models/gpt2/model.safetensors"
    for attempt in (f"open({file!r}, 'r+b')", "os.mkdir('/srv/models/x')"):
        with pytest.raises(KernelError, match=r"Permission denied|Read-only file system"):
            kernels["alice"].run(attempt)
    servers = [stack.server_of(name) for name in ("alice", "grader-mechinterp")]
    for container in (*servers, stack.container("executor")):  # root of each, who owns the file
        output = stack.exec(container, "sh", "-c", f"touch {file} 2>&1 || true", user="root")
        assert "Read-only file system" in output
    assert sorted(path.name for path in (stack.folder / "models").iterdir()) == [MODEL]


def test_the_formgrader_and_the_code_that_it_grades_load_the_model_by_the_same_name(stack, people):
    grader = stack.server_of("grader-mechinterp")
    assert f"{MODEL} " in stack.exec(grader, "logitlab", "models", "list")
    program = """
import os
from pathlib import Path
import nbformat
from hub.grading.pipeline.execute import execute
code = '''import os
from course import models
rows = len(models.weights("gpt2")["wte.weight"])
print(models.folder_of("gpt2"), rows, os.getuid() >= 30000)'''
cells = [nbformat.v4.new_code_cell(code)]
executor = Path(os.environ["LOGITLAB_EXECUTOR"])
done = execute(nbformat.v4.new_notebook(cells=cells), executor=executor)
print(done.problems, [output.get("text") for output in done.notebook.cells[0].outputs])
"""
    output = stack.exec(grader, "python", "-c", program)
    assert output.strip() == "[] ['/srv/models/gpt2 50257 True\\n']"


def test_a_model_is_there_and_gone_for_running_servers_as_soon_as_the_admin_wants(
    stack, kernels, tmp_path
):
    own_checkpoint(tmp_path, "small")
    names = "print(models.available())"
    stack.deploy("models", "add", "added-later", "--from", str(tmp_path / "small"))
    assert "added-later" in kernels["alice"].run(names)
    shutil.rmtree(stack.folder / "models" / "added-later")
    assert "added-later" not in kernels["alice"].run(names)


def test_up_refuses_a_damaged_model_with_a_message_and_running_servers_go_on(stack, kernels):
    file = stack.folder / "models" / MODEL / "model.safetensors"
    with file.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    try:
        for command in (("up",), ("models", "check")):
            output = stack.deploy(*command, check=False)
            assert f"{MODEL}: model.safetensors has changed since it was added" in output
            assert "make add-model" in output and "The course server is at" not in output
        assert kernels["alice"].run("print(1 + 1)") == "2\n"
    finally:
        with file.open("r+b") as stream:
            stream.seek(-1, os.SEEK_END)
            stream.write(last)
    assert "The course server is at" in stack.deploy("up")


def test_a_fetch_that_does_not_reach_the_model_hub_says_what_to_do_and_leaves_nothing(tmp_path):
    (tmp_path / ".env").write_text(f"LOGITLAB_TAG={TAG}\n", encoding="utf-8")
    done = subprocess.run(
        ["make", "add-model", "NAME=gpt2"],
        cwd=CHECKOUT,
        env=os.environ | {"LOGITLAB_DEPLOYMENT": str(tmp_path), "HF_ENDPOINT": "http://[::1]:9"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode and "from the model hub: " in done.stderr
    assert "make add-model NAME=gpt2 FROM=FOLDER" in done.stderr
    assert list((tmp_path / "models").iterdir()) == []


# -- baked in --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def baked(target) -> Iterator[None]:
    """Images with the model in them, by the command of docs/deploy.md."""
    base = os.environ.get("BASE_IMAGE", "logitlab/base:bookworm")
    settings = target / ".env"
    before = settings.read_text(encoding="utf-8") if settings.exists() else ""
    settings.write_text(f"LOGITLAB_TAG={BAKED_TAG}\nBASE_IMAGE={base}\n", encoding="utf-8")
    try:
        print(make(commands("models")[2], target))
        yield
    finally:
        settings.write_text(before, encoding="utf-8")  # by which `down` knows its deployment
        docker("rmi", *(f"logitlab/{name}:{BAKED_TAG}" for name in IMAGES), check=False)


def test_a_model_in_the_image_is_loaded_offline_by_name_and_once_for_all_containers(baked):
    names = [f"{PROJECT}-baked-{number}" for number in (1, 2)]
    image = f"logitlab/student:{BAKED_TAG}"
    program = BEFORE + LOAD + "time.sleep(600)"
    rows: dict[str, dict[str, Any]] = {}
    try:
        for number, name in enumerate(names):
            options = (*UNPRIVILEGED, "--memory=3g", f"--user={20001 + number}")
            docker("run", "-d", f"--name={name}", *options, image, "python", "-c", program)
            before, after = (json.loads(line) for line in said_by(name, 2))
            rows |= {f"{name} before": before, f"{name} with it": after}
        table("two containers, weights from their image", rows)
    finally:
        docker("rm", "-f", *names, check=False)
    assert MODEL in before["names"]
    assert after["answer"] == rows[f"{names[0]} with it"]["answer"]
    assert grew(before, after, "rss") > 0.9 * PARAMETERS_MIB
    assert grew(before, after, "private") < LITTLE_MIB
    assert grew(before, after, "charged") < LITTLE_MIB


@pytest.mark.parametrize("image", ["student", "grader"])
def test_the_command_lists_it_in_the_images_that_run_notebooks(baked, image):
    name = f"logitlab/{image}:{BAKED_TAG}"
    listed = docker("run", "--rm", *UNPRIVILEGED, name, "logitlab", "models", "list")
    assert any(line.split()[::3] == [MODEL, FOLDER] for line in listed.splitlines()), listed


def said_by(container: str, lines: int) -> list[str]:
    """What the container printed, once that is so many lines. Raises RuntimeError."""
    began = time.monotonic()
    while time.monotonic() - began < 180:
        output = docker("logs", container).splitlines()
        if len(output) >= lines:
            return output
        if docker("inspect", "--format={{.State.Running}}", container).strip() != "true":
            break
        time.sleep(1)
    errors = subprocess.run(["docker", "logs", container], capture_output=True, text=True)
    raise RuntimeError(f"{container}: {errors.stdout}{errors.stderr}")
