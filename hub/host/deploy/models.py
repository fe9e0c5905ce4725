"""`models`: the deployment's folder `models/`, beside .env.

Its models can be baked into images (`images --models`) or mounted (`MODELS_MODE=volume`). In the
second case the volume `<project>_models` is this folder itself, mounted read-only, so that there is
nothing to copy and a model that is added or removed appears or disappears at once. Only this host
writes to it; `up` refuses to start with a model that is damaged or that students cannot read.
"""

from __future__ import annotations

import argparse
import os
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hub.facts import container_paths, containers, env
from hub.host.deploy.environment import Site, site_here
from hub.host.deploy.folder import DeployError, folder, make_models_folder, read_env
from hub.host.models import ModelsError, add, damage

INSIDE = container_paths.DEPLOYMENTS_MODELS
CERTIFICATES = "/run/certificates.pem"
# The model hub client's own variables.
HANDED_ON = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT")


def check(models: Path) -> Iterator[str]:
    """Verify every model in the folder `models`, reading all of it. Yields a line before each.

    Raises DeployError with every problem and its fix.
    """
    wrong = [] if _open_to_all(models) else [f"closed to others: `chmod a+rx {models}`"]
    there = [path for path in sorted(models.iterdir()) if not path.name.startswith(".")]
    there = [path for path in there if path.is_dir() or path.is_symlink()]
    if not there:
        yield f"no models in {models} yet: `make add-model NAME=gpt2`"
    for path in there:
        yield f"checking model {path.name}, {size_mb([path])} MB"
        wrong += [f"{path.name}: {fault}" for fault in faults(path)]
    if wrong:
        raise DeployError(
            f"There are problems in {models}:\n" + "\n".join(f"  {fault}" for fault in wrong),
            "`make add-model NAME=…` replaces a damaged model; removing its folder drops it.",
        )


def faults(model: Path) -> list[str]:
    """Why containers cannot load the model in the folder `model`; empty if they can."""
    inside = [model, *([] if model.is_symlink() else sorted(model.rglob("*")))]
    if link := next((path for path in inside if path.is_symlink()), None):
        return [
            f"{link} is a symbolic link, which containers cannot follow: remove it and copy its "
            f"target with `make add-model NAME={model.name} FROM={model.resolve()}`"
        ]
    if not all(_open_to_all(path) for path in inside):
        return [f"closed to others: `chmod -R a+rX {model}`"]
    return damage(model)


def need(models: Path, names: Iterable[str]) -> None:
    """Raise DeployError if one of the models `names` is missing from the folder, or is damaged."""
    for name in names:
        if not (models / name).is_dir():
            raise DeployError(
                f"{models / name} does not exist.", f"Add it with `make add-model NAME={name}`."
            )
        if wrong := damage(models / name):
            raise DeployError(
                f"{models / name} is damaged: {wrong[0]}.",
                f"Replace it with `make add-model NAME={name}`.",
            )


def size_mb(models: Iterable[Path]) -> int:
    files = (file for model in models for file in model.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files) // 1_000_000


def _open_to_all(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & wanted == wanted


def settle_volume(
    docker: Callable[..., subprocess.CompletedProcess], volume: str, models: Path
) -> None:
    """Remove the models volume if it is bound to another folder than `models`: Compose recreates
    it, and nothing is lost, as it has no content of its own.

    Raises DeployError if it cannot be removed.
    """
    device = '{{index .Options "device"}}'
    found = docker("volume", "inspect", "--format", device, volume)
    there = found.stdout.strip()
    if found.returncode or there == str(models.resolve()):
        return
    if not there:
        raise DeployError(
            f"The volume {volume} has files of its own.",
            f"Move those you need to {models}, then run `make down` and "
            f"`docker volume rm {volume}`.",
        )
    if docker("volume", "rm", volume).returncode:
        # An engine restarted while containers ran goes on counting them as users of the volume.
        raise DeployError(
            f"Containers still use the models in {there}.",
            "Run `make down` first. If nothing is running, restart the engine and run "
            f"`docker volume rm {volume}`.",
        )


def fetch_command(
    name: str, models: Path, tag: str, site: Site, environ: Iterable[str]
) -> list[str]:
    """A container that downloads a published model into the folder `models`. It has the model hub
    client, which this host may lack, and mounts nothing but that folder."""
    certificates: list[str] = []
    if site.bundle:
        certificates = [f"--volume={site.bundle}:{CERTIFICATES}:ro"]
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            certificates.append(f"--env={variable}={CERTIFICATES}")
    return [
        *("docker", "run", "--rm", "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp"),
        *("--security-opt=no-new-privileges:true", f"--user={os.getuid()}:{os.getgid()}"),
        f"--volume={models.resolve()}:{INSIDE}",
        # Its faster transfer keeps gigabytes in its own cache.
        *("--env=HF_HUB_OFFLINE=0", "--env=HF_HUB_DISABLE_XET=1", "--env=HOME=/tmp"),
        *(f"--env={variable}" for variable in (*HANDED_ON, *site.proxies) if variable in environ),
        *certificates,
        containers.image("grader", tag),
        *("logitlab", "models", "add", "--to", INSIDE, "--", name),
    ]


def fetch(name: str, models: Path, tag: str) -> Iterator[str]:
    """Download a published model into the folder `models`. Yields progress.

    Raises DeployError if the download fails.
    """
    image = containers.image("grader", tag)
    asked = ["docker", "image", "inspect", image]
    if subprocess.run(asked, capture_output=True, timeout=60).returncode:
        raise DeployError(
            f"{image}, which downloads models, is not on this machine.", "Run `make images`."
        )
    command = fetch_command(name, models, tag, site_here(), os.environ)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                yield line.rstrip("\n").replace(INSIDE, str(models))
        except BaseException:
            process.terminate()
            raise
    if process.returncode:  # its errors went to this terminal, just above
        raise DeployError(
            f"{name} was not added.",
            f"To add it from a local folder: `make add-model NAME={name} FROM=FOLDER`.",
        )


def _add(name: str, source: Path | None, deployment: Path) -> Iterator[str]:
    models = make_models_folder(deployment)
    if source is None:
        file = deployment / ".env"
        given = read_env(file) if file.exists() else {}
        yield from fetch(name, models, given.get(env.TAG) or "dev")
        return
    if not source.is_dir():
        raise DeployError(f"{source}: no such folder.")
    try:
        yield from add(name, source, models)
    except ModelsError as error:
        raise DeployError(error.message, error.fix) from error


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Arguments of `models`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="add|check")
    adding = what.add_parser("add", help="put a model into models/")
    adding.add_argument("model", help="the name that notebooks load it by, such as gpt2")
    adding.add_argument(
        *("--from",),
        dest="source",
        type=Path,
        help="folder that holds it; default: download it from the model hub",
    )
    what.add_parser("check", help="verify the models' checksums")


def run(name: str, arguments: argparse.Namespace) -> int:
    """Add a model, or check all. Raises DeployError."""
    deployment = folder()
    if arguments.what == "add":
        lines = _add(arguments.model, arguments.source, deployment)
    else:
        lines = check(make_models_folder(deployment))
    for line in lines:
        print(line, flush=True)
    if arguments.what == "check":
        print(f"{deployment / 'models'}: OK", flush=True)
    return 0
