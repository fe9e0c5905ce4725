"""`images`: build every image with BuildKit, one target of docker/Dockerfile after the other.

Finished steps are cached, so a build resumes where it failed or where something changed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.facts import env
from hub.facts.disk import check_room, free_mb
from hub.host.deploy import disk
from hub.host.deploy.engine import builder
from hub.host.deploy.environment import Site, site_here
from hub.host.deploy.folder import CHECKOUT, DeployError, folder, read_env
from hub.host.deploy.models import need, size_mb

IMAGES = ("server", "student", "grader", "proxy", "db", "gateway")
DEFAULTS = {
    "BASE_IMAGE": "debian:bookworm-slim",
    env.TAG: "dev",
    "MODELS": "",
    "TORCH": "cpu",
}
STAGE = CHECKOUT / "docker" / ".build"
MAX_SECRET_BYTES = 500_000  # BuildKit's own limit
HEARTBEAT = 15.0  # seconds after which a silent step is reported again
TAIL = 25  # lines of a failed build's output that the error repeats
STEP = re.compile(r"^#(\d+) (\[[^\]]+\d+/\d+\]) (?!FROM )(.*)")
DONE = re.compile(r"^#(\d+) (DONE|CACHED|ERROR)")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")


@dataclass(frozen=True)
class BuildPlan:
    """What to build: which images, with which build arguments."""

    base: str
    tag: str
    torch: str
    models: tuple[str, ...]
    images: tuple[str, ...] = IMAGES

    def name(self, image: str) -> str:
        return f"logitlab/{image}:{self.tag}"


def plan(given: Mapping[str, str], only: Sequence[str] = ()) -> BuildPlan:
    """The build plan for the settings in `given`; empty ones get their defaults.

    Raises DeployError if a setting is not valid.
    """
    values = {name: given.get(name) or default for name, default in DEFAULTS.items()}
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", values[env.TAG]):
        raise DeployError(
            f"{env.TAG}={values[env.TAG]} is not a valid image tag.",
            "Use up to 128 letters, digits, '_', '.' and '-', and begin with a letter or digit.",
        )
    if not re.fullmatch(r"cpu|cuda|(cu|rocm|xpu)[0-9.]*", values["TORCH"]):
        raise DeployError(
            f"TORCH={values['TORCH']} is not valid.", "Use cpu, cuda, or a build such as cu130."
        )
    named = re.split(r"[\s,]+", values["MODELS"].strip())
    models = tuple(dict.fromkeys(filter(None, named)))
    for model in models:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", model):
            raise DeployError(
                f"MODELS: {model!r} is not a valid model name.",
                "Use letters, digits, '.', '_' and '-', and begin with a letter or digit.",
            )
    wanted = tuple(image for image in IMAGES if not only or image in only)
    return BuildPlan(values["BASE_IMAGE"], values[env.TAG], values["TORCH"], models, wanted)


def build_command(client: str, plan: BuildPlan, image: str, site: Site, stage: Path) -> list[str]:
    """The command that builds `image` in the checkout. Secrets are given as paths of files."""
    secrets = {"env": stage / "env" if site.variables else None, "ca": site.bundle}
    secrets["extra_ca"] = site.extra
    return [
        *(client, "build", "--progress=plain", "--file", "docker/Dockerfile"),
        *("--target", image, "--tag", plan.name(image)),
        *("--build-arg", f"BASE_IMAGE={plan.base}", "--build-arg", f"TORCH={plan.torch}"),
        *(part for name in site.proxies for part in ("--build-arg", name)),
        *(
            part
            for name, path in secrets.items()
            if path
            for part in ("--secret", f"id={name},src={path}")
        ),
        ".",
    ]


def wanted_wheels(names: Sequence[str], pins: Mapping[str, str], torch: str) -> list[str]:
    """Those of the wheels `names` that a build can use: the pinned versions, for the images'
    Python, and the requested build of torch; for CUDA also torch's own dependencies."""
    found = []
    for name in names:
        project, version, *rest = name.removesuffix(".whl").split("-")
        project = re.sub(r"[-_.]+", "-", project).lower()
        public, _, local = version.partition("+")
        python = rest[-3] if len(rest) >= 3 else ""
        if not re.search(r"cp311|py3|abi3", f"{python}-{rest[-2:]}"):
            continue
        if project == "torch":
            fits = public == pins["torch"] and local == ("" if torch == "cuda" else torch)
        elif re.match(r"nvidia-|cuda-|triton$", project):
            fits = torch != "cpu"
        else:
            fits = pins.get(project) == version
        if fits:
            found.append(name)
    return sorted(found)


def pins_in(texts: Sequence[str]) -> dict[str, str]:
    """Project -> version, for every pin in the locks `texts`."""
    found = (PIN.match(line) for text in texts for line in text.splitlines())
    return {pin[1].lower(): pin[2] for pin in found if pin}


def stage_inputs(plan: BuildPlan, site: Site, models: Path, stage: Path = STAGE) -> None:
    """Put what a build needs from outside the checkout into `stage`: the site's
    settings, wheels and the models to bake in, hard-linked where possible.

    Raises DeployError if something requested is missing or damaged.
    """
    need(models, plan.models)
    for path in (site.bundle, site.extra):
        if path and not path.is_file():
            raise DeployError(
                f"{path}, which the environment names for certificates, does not exist."
            )
        if path and path.stat().st_size > MAX_SECRET_BYTES:
            raise DeployError(
                f"{path} is larger than {MAX_SECRET_BYTES} bytes, the limit of a build.",
                "Set SSL_CERT_FILE to a file with fewer certificates.",
            )
    for name in ("wheels", "models"):
        shutil.rmtree(stage / name, ignore_errors=True)
        (stage / name).mkdir(parents=True)
    private = stage / "env"
    private.unlink(missing_ok=True)
    private.touch(mode=0o600)
    private.write_text(site.shell, encoding="utf-8")

    requirements = CHECKOUT / "requirements"
    locks = [*requirements.glob("*.lock"), requirements / "torch.txt", requirements / "uv.txt"]
    pins = pins_in([lock.read_text(encoding="utf-8") for lock in locks])
    for source in site.wheels:
        for name in wanted_wheels([wheel.name for wheel in source.glob("*.whl")], pins, plan.torch):
            _link(str(source / name), str(stage / "wheels" / name))
    for model in plan.models:
        shutil.copytree(models / model, stage / "models" / model, copy_function=_link)


def _link(source: str, target: str) -> str:
    """A hard link to a large file; a copy if it is on another disk."""
    if not os.path.exists(target):
        try:
            os.link(os.path.realpath(source), target)
        except OSError:
            shutil.copy2(source, target)
    return target


def build(plan: BuildPlan, site: Site, client: str, models: Path) -> Iterator[str]:
    """Build the images of `plan`. Yields progress, then sizes and seconds.

    Raises DeployError if the disk is too small or a step fails; repeating the call resumes.
    """
    before = {image: _image(client, plan.name(image)) for image in plan.images}
    missing = [image for image, (identity, _) in before.items() if not identity]
    _check_disk(client, plan, missing, size_mb(models / model for model in plan.models))
    stage_inputs(plan, site, models)
    taken = {}
    for number, image in enumerate(plan.images, 1):
        yield f"[{number}/{len(plan.images)}] {plan.name(image)}"
        begun = time.monotonic()
        command = build_command(client, plan, image, site, STAGE)
        yield from (f"      {line}" for line in _run(command, STAGE / f"{image}.log"))
        taken[image] = time.monotonic() - begun
        _forget(client, before[image][0], plan.name(image))
    yield ""
    for image, seconds in taken.items():
        identity, size = _image(client, plan.name(image))
        state = "unchanged" if identity == before[image][0] else "built"
        yield f"{plan.name(image):<28} {size / 1e6:>6.0f} MB {seconds:>5.0f} s  {state}"


def _image(client: str, name: str) -> tuple[str, int]:
    """Id and size in bytes of the image `name`; None if it does not exist."""
    done = subprocess.run(
        [client, "image", "inspect", "--format", "{{.Id}} {{.Size}}", name],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        return "", 0
    identity, size = done.stdout.split()
    return identity, int(size)


def _forget(client: str, old: str, name: str) -> None:
    """Remove the image that `name` tagged before, unless a container or another tag uses it."""
    if old and _image(client, name)[0] != old:
        subprocess.run([client, "image", "rm", old], capture_output=True, timeout=300)


def _check_disk(client: str, plan: BuildPlan, missing: Sequence[str], models_mb: int) -> None:
    there = [image for image in plan.images if image not in missing]
    if root := disk.engine_folder(client):
        needed = disk.needed_mb(missing, there, plan.torch, models_mb)
        check_room(free_mb(root), needed, root, "Building", disk.FIX)


def _run(command: Sequence[str], log: Path) -> Iterator[str]:
    """Run a build with its complete output in `log`; yields its steps as they start and end.

    Raises DeployError with the end of the output if it fails.
    """
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    with (
        log.open("w", encoding="utf-8") as written,
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout
        try:
            yield from progress(_written(process.stdout, written))
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        output = log.read_text(encoding="utf-8").splitlines()[-TAIL:]
        raise DeployError(
            "\n".join(f"    {line}" for line in output)
            + f"\nThe build failed; its complete output is in {log}.",
            f"{advice(output)}Run the same command again to resume at the failed step.",
        )


def _written(lines, file) -> Iterator[str]:
    for line in lines:
        file.write(line)
        file.flush()
        yield line


def progress(lines) -> Iterator[str]:
    """The steps in BuildKit's output `lines`: each one that is not cached, at its end with its
    seconds, and reminders of one that is taking long."""
    steps: dict[str, str] = {}
    begun: dict[str, float] = {}
    named = time.monotonic()
    for line in lines:
        now = time.monotonic()
        if step := STEP.match(line):
            steps[step[1]] = f"{step[2]} {_short(step[3])}"
            begun.setdefault(step[1], now)
        elif (done := DONE.match(line)) and done[1] in steps:
            title = steps.pop(done[1])
            if done[2] == "DONE":
                yield f"{title} ({now - begun[done[1]]:.0f} s)"
                named = now
        elif now - named > HEARTBEAT and steps:
            running = list(steps.values())[-1]
            yield f"{running} …"
            named = now


def _short(instruction: str) -> str:
    """A Dockerfile instruction without its mounts."""
    words = [word for word in instruction.split() if not word.startswith("--mount=")]
    text = " ".join(words)
    return text if len(text) <= 80 else text[:79] + "…"


def advice(output: Sequence[str]) -> str:
    """What to do about a failure with this `output`; empty if unknown."""
    text = "\n".join(output).lower()
    if "no space left" in text:
        return "The disk is full: `docker system df` shows what Docker uses. "
    if "certificate" in text:
        return "If your site intercepts TLS with its own CA, set SSL_CERT_FILE to its bundle. "
    if re.search(r"(pull access denied|failed to resolve|load metadata|registry)", text):
        return (
            "If no registry can be reached, `python3 -m hub.host.deploy base` builds a base image "
            "here; set BASE_IMAGE to it in .env. "
        )
    return ""


def settings(deployment: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of .env in `deployment`, overridden by the caller's environment."""
    file = deployment / ".env"
    written = read_env(file) if file.exists() else {}
    return {**written, **{name: environ[name] for name in DEFAULTS if environ.get(name)}}


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Arguments of `images`."""
    parser.add_argument(
        *("--only",),
        action="append",
        choices=IMAGES,
        default=[],
        help="only this image; repeatable",
    )
    parser.add_argument("--models", help="models to bake in, from the deployment's models/: gpt2,…")


def run(name: str, arguments: argparse.Namespace) -> int:
    """Build the images. Raises DeployError."""
    deployment = folder()
    given = settings(deployment, os.environ)
    if arguments.models is not None:
        given["MODELS"] = arguments.models
    begun = time.monotonic()
    for line in build(plan(given, arguments.only), site_here(), builder(), deployment / "models"):
        print(line, flush=True)
    print(f"Images are ready after {time.monotonic() - begun:.0f} s.", flush=True)
    return 0
