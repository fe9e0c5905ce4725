"""`backup` of a running deployment, and `restore` on this or another machine.

A backup is a folder: a dump of each database, an archive of each volume, the deployment's own
files, and a manifest with the SHA-256 of each. Databases are dumped before the files they point
to are read: a file that arrives in between is in the archive but not in the database, which is
harmless; in the other order a submission could be lost.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hub.facts import containers, env, files
from hub.host.deploy.folder import DeployError, folder
from hub.host.deploy.stack import IMAGES, Stack, need_running, opened

FORMAT = 1
DATABASES = ("jupyterhub", "exchange", "gradebook")
# Sockets, configuration and state that every start recreates are left out; so is the database's
# own folder, as the dumps hold its content.
VOLUMES = ("hub", "course", "people", "exchange", "gateway")
MANIFEST = "manifest.json"
DEPLOYMENT = "deployment.tar.gz"
COPY_BYTES = 2**20


def backup(stack: Stack, target: Path) -> Iterator[str]:
    """Write a backup into a new folder of `target`, named by the time in UTC. Yields progress.

    Raises DeployError if the deployment is not running or something cannot be read; what was
    written so far is then removed.
    """
    need_running(stack, "db")
    name = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H%M%SZ}"
    partial = target / f"{name}.partial"
    try:
        partial.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise DeployError(f"{partial}: {error.strerror}") from error
    try:
        yield from _databases_out(stack, partial)
        yield from _volumes_out(stack, partial)
        _deployment_out(stack, partial)
        _write_manifest(stack, partial)
        partial.rename(target / name)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise DeployError(f"{partial}: {error.strerror}; no backup was made.") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    size = sum(path.stat().st_size for path in (target / name).iterdir())
    yield f"{target / name}: {size / 2**20:.1f} MiB. It contains password hashes, keys and grades."


def _container(stack: Stack, service: str) -> str:
    found = stack.docker(
        *("ps", "-q", "--filter", f"label=com.docker.compose.project={stack.project}"),
        *("--filter", f"label=com.docker.compose.service={service}"),
    ).stdout.split()
    if len(found) != 1:
        raise DeployError(f"{service} is not running.", "Run `make up` first.")
    return found[0]


def _databases_out(stack: Stack, target: Path) -> Iterator[str]:
    db = _container(stack, "db")
    for name in DATABASES:
        path = target / f"{name}.sql.gz"
        command = ["docker", "exec", db, "pg_dump", "--no-owner", "--no-privileges", name]
        _piped_out(command, path)
        yield f"database {name}: {path.stat().st_size / 2**10:.0f} KiB"


def _piped_out(command: list[str], path: Path) -> None:
    """Write the output of `command` to `path`, compressed."""
    # To a file: a warning per file could fill a pipe that nobody is reading yet.
    with (
        tempfile.TemporaryFile() as errors,
        gzip.open(path, "wb", compresslevel=5) as out,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout
        shutil.copyfileobj(process.stdout, out, COPY_BYTES)
        process.wait()
        errors.seek(0)
        output = errors.read().decode(errors="replace")
    if process.returncode:
        raise DeployError(f"`{' '.join(command)}` failed:\n{output[-2000:]}")


def volumes(project: str) -> list[str]:
    """The volumes of `project` to back up: the fixed ones that exist, and every home."""
    there = _docker("volume", "ls", "-q", f"--filter=name={project}_").split()
    wanted = {containers.volume(project, name) for name in VOLUMES}
    return sorted(n for n in there if n in wanted or n.startswith(f"{project}_home_"))


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise DeployError(f"`docker {' '.join(arguments)}` failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _volumes_out(stack: Stack, target: Path) -> Iterator[str]:
    found = volumes(stack.project)
    for number, volume in enumerate(found, 1):
        path = target / f"volume-{volume.removeprefix(f'{stack.project}_')}.tar.gz"
        # Exit status 1: a file changed while it was read, such as a notebook being saved.
        script = "tar -C /volume --numeric-owner -c . ; [ $? -le 1 ]"
        command = [*_tar_container(stack, volume, "ro"), "sh", "-c", script]
        _piped_out(command, path)
        yield f"volume {volume} ({number} of {len(found)}): {path.stat().st_size / 2**20:.1f} MiB"


def _tar_container(stack: Stack, volume: str, mode: str) -> list[str]:
    """A container with one volume mounted and no capabilities but those over files."""
    return [
        *("docker", "run", "--rm", "-i", "--network=none", "--user=root", "--read-only"),
        *("--cap-drop=ALL", "--cap-add=DAC_OVERRIDE", "--cap-add=CHOWN", "--cap-add=FOWNER"),
        *("--security-opt=no-new-privileges:true", "--entrypoint="),
        f"--volume={volume}:/volume:{mode}",
        containers.image("server", stack.variables[env.TAG]),
    ]


def _deployment_out(stack: Stack, target: Path) -> None:
    with tarfile.open(target / DEPLOYMENT, "w:gz") as archive:
        for name in (".env", "course.yaml", "compose.override.yaml", "secrets", "jupyterhub.d"):
            if (stack.folder / name).exists():
                archive.add(stack.folder / name, name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(stack: Stack, target: Path) -> None:
    files = sorted(path.name for path in target.iterdir())
    manifest = {
        "format": FORMAT,
        "made": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        "project": stack.project,
        "tag": stack.variables[env.TAG],
        "sha256": {name: _sha256(target / name) for name in files},
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    for path in target.iterdir():
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())


def check(source: Path) -> dict:
    """The manifest of a backup, once all its files have been verified.

    Raises DeployError if it is not a backup, has another format, or a file is damaged.
    """
    try:
        manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeployError(
            f"{source} is not a backup ({MANIFEST} cannot be read).",
            "Usage: `make restore FROM=docker/backups/2027-01-31T040000Z`.",
        ) from error
    if manifest.get("format") != FORMAT:
        raise DeployError(
            f"{source} has format {manifest.get('format')}; this version reads {FORMAT}"
        )
    for name, expected in manifest["sha256"].items():
        path = source / name
        if path.parent != source or not path.is_file() or _sha256(path) != expected:
            raise DeployError(f"{path} is missing or damaged; nothing was restored.")
    return manifest


def restore(source: Path, deployment: Path) -> Iterator[str]:
    """Restore the backup `source` into the folder `deployment`. Yields progress.

    Refuses, before changing anything, if the backup is damaged, images are missing, or it would
    overwrite a deployment. Raises DeployError.
    """
    manifest = check(source)
    yield f"{source}: complete, made {manifest['made']}"
    _check_nothing_is_there(manifest["project"], deployment)
    _check_images(manifest["tag"])
    yield from _deployment_in(source, deployment)
    stack = Stack(deployment)
    try:
        # setup creates the volumes, and db its databases; nothing else starts.
        made = stack.compose("up", "-d", "db", capture_output=True, text=True)
        if made.returncode:
            raise DeployError(made.stderr[-3000:])
        yield from _databases_in(stack, source)
        yield from _volumes_in(stack, source, sorted(manifest["sha256"]))
    except DeployError as error:
        raise DeployError(
            f"{error}\nThe restored deployment is incomplete.",
            f"To try again: `make down`, remove the volumes {stack.project}_… (`docker volume rm`) "
            f"and the folder {deployment / 'secrets'}.",
        ) from error
    yield "restored; `make up` starts it"


def _check_nothing_is_there(project: str, deployment: Path) -> None:
    if (deployment / "secrets").exists():
        raise DeployError(
            f"{deployment} already holds a deployment.",
            "Set LOGITLAB_DEPLOYMENT to an empty folder or, if that deployment is no longer "
            f"needed, remove {deployment / 'secrets'}.",
        )
    label = f"label=com.docker.compose.project={project}"
    there = volumes(project)
    there += _docker("ps", "-aq", f"--filter={label}").split()
    if there:
        raise DeployError(
            f"{project} already exists ({', '.join(there[:3])} ...).",
            "Restore on another machine, or remove it first: `make down`, then `docker volume rm` "
            "of its volumes.",
        )


def _check_images(tag: str) -> None:
    there = set(_docker("image", "ls", "--format={{.Repository}}:{{.Tag}}").split())
    if missing := [name for image in IMAGES if (name := containers.image(image, tag)) not in there]:
        raise DeployError(f"Not on this machine: {', '.join(missing)}.", "Run `make images`.")


def _deployment_in(source: Path, deployment: Path) -> Iterator[str]:
    deployment.mkdir(parents=True, exist_ok=True)
    for path in (deployment / ".env", deployment / "course.yaml"):
        if path.exists():
            aside = path.rename(path.with_name(f"{path.name}.before-restore"))
            yield f"{path} existed: kept as {aside.name}"
    with tarfile.open(source / DEPLOYMENT) as archive:
        files.unpack(archive, deployment)
    (deployment / "secrets").chmod(0o700)
    for path in (deployment / "secrets").iterdir():
        path.chmod(0o444)
    (deployment / "jupyterhub.d").mkdir(exist_ok=True)


def _databases_in(stack: Stack, source: Path) -> Iterator[str]:
    db = _container(stack, "db")
    for _ in range(120):
        ready = stack.docker("exec", db, "pg_isready", "-q", "-d", "postgres").returncode == 0
        if ready:
            break
        time.sleep(0.5)
    owners = {"jupyterhub": "hub", "exchange": "exchange", "gradebook": "grader"}
    for name in DATABASES:
        # As the owner, so that it owns every table: psql runs as postgres and switches role.
        script = f"(echo 'SET ROLE {owners[name]};'; gunzip) | psql -q -v ON_ERROR_STOP=1 -d {name}"
        _piped_in(["docker", "exec", "-i", db, "sh", "-c", script], source / f"{name}.sql.gz")
        yield f"database {name}: restored"


def _volumes_in(stack: Stack, source: Path, files: list[str]) -> Iterator[str]:
    for file in files:
        if not (found := re.fullmatch(r"volume-(.+)\.tar\.gz", file)):
            continue
        name = found[1]
        volume = containers.volume(stack.project, name)
        if name in VOLUMES:  # with Compose's labels, or Compose warns that it is not its own
            labels = {"project": stack.project, "volume": name}
            named = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
            _docker("volume", "create", *named, volume)
        script = "tar -C /volume --numeric-owner --same-owner -xz"
        _piped_in([*_tar_container(stack, volume, "rw"), "sh", "-c", script], source / file)
        yield f"volume {volume}: restored"


def _piped_in(command: list[str], path: Path) -> None:
    with path.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, timeout=3600)
    if done.returncode:
        output = done.stderr.decode(errors="replace")
        raise DeployError(f"{path}: could not be restored:\n{output[-2000:]}")


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand `name`."""
    if name == "backup":
        parser.add_argument(
            "--to",
            type=Path,
            help="folder for backups; default: backups/ in the deployment's folder",
        )
    else:
        parser.add_argument("source", type=Path, help="the folder of one backup")


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run the subcommand `name`; returns the exit status. Raises DeployError."""
    if name == "backup":
        stack = opened()
        lines = backup(stack, (arguments.to or stack.folder / "backups").resolve())
    else:
        lines = restore(arguments.source.resolve(), folder())
    for line in lines:
        print(line, flush=True)
    return 0
