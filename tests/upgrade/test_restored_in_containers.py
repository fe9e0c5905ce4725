"""What 2d81227 left behind in PostgreSQL, as a backup of it that is restored in containers."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.facts import accounts
from hub.host.deploy.backup import DATABASES, DEPLOYMENT, FORMAT, MANIFEST
from hub.host.deploy.folder import SECRETS
from hub.serve import free_port
from tests.docker.stage import Deployed, remove, reserved_subnet
from tests.e2e.hub_client import Person
from tests.needs import SOCKET, TAG
from tests.upgrade.class_before import GRADER, PASSWORDS, as_told, observed, without_zone
from tests.upgrade.restored import DATA

PROJECT = "lltsold"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]

# Volume, whose it is, and which of the course folder's paths are in it.
VOLUMES = {
    "course": (accounts.GRADER, r"(?!server/|people/|jupyterhub\.d/)(.+)"),
    "people": (accounts.GRADER, r"people/(.+)"),
    "exchange": (accounts.EXCHANGE, r"server/exchange/(.+)"),
    "home_alice": (accounts.STUDENTS[0], r"server/homes/alice/(.+)"),
}


def _add(archive: tarfile.TarFile, path: str, owner: int, content: bytes | None = None) -> None:
    """A file, or without content a folder."""
    entry = tarfile.TarInfo(path)
    entry.uid = entry.gid = owner
    if content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def write_backup(folder: Path, env: dict[str, str]) -> None:
    """As `make backup` of 2d81227 would have laid it out."""
    folder.mkdir()
    data = DATA / "postgresql"
    for name in DATABASES:
        (folder / f"{name}.sql.gz").write_bytes(gzip.compress((data / f"{name}.sql").read_bytes()))
    with tarfile.open(folder / "volume-hub.tar.gz", "w:gz") as hub:
        content = json.dumps({"alice": accounts.STUDENTS[0]}).encode()
        _add(hub, "./server", accounts.HUB)
        _add(hub, "./server/uids.json", accounts.HUB, content)
    with tarfile.open(data / "course.tar.xz") as course:
        for name, (owner, wanted) in VOLUMES.items():
            with tarfile.open(folder / f"volume-{name}.tar.gz", "w:gz") as volume:
                _add(volume, ".", owner)
                for entry in course.getmembers():
                    found = re.fullmatch(rf"course/{wanted}", entry.name)
                    if found:
                        file = course.extractfile(entry) if entry.isfile() else None
                        volume.addfile(
                            entry.replace(name=f"./{found[1]}", uid=owner, gid=owner), file
                        )
        settings = course.extractfile("course/course.yaml")
        assert settings
        files = {"course.yaml": settings.read()}
    files[".env"] = "".join(f"{name}={value}\n" for name, value in env.items()).encode()
    files |= {f"secrets/{n}": secrets.token_hex(size).encode() for n, size in SECRETS.items()}
    with tarfile.open(folder / DEPLOYMENT, "w:gz") as deployment:
        for name, content in files.items():
            _add(deployment, name, 0, content)
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    manifest = {
        "format": FORMAT,
        "made": "2026-11-30T12:00:00Z",
        "project": PROJECT,
        "tag": TAG,
        "sha256": sums,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder, port = tmp_path_factory.mktemp("containers"), free_port()
    with reserved_subnet() as subnet:
        env = {
            "LOGITLAB_PROJECT": PROJECT,
            "LOGITLAB_TAG": TAG,
            "HTTP_PORT": str(port),
            "STUDENTS_SUBNET": subnet,
            "DOCKER_SOCKET": str(SOCKET),
        }
        write_backup(folder / "backup", env)
        made = Deployed(folder / "deployment", PROJECT, f"http://localhost:{port}")
        try:
            made.deploy("restore", str(folder / "backup"))
            made.deploy("up")
            yield made
        finally:
            remove(made)


def test_everybody_sees_again_what_they_saw_and_finds_their_files(made):
    people = {name: Person(made.url, name, word) for name, word in PASSWORDS.items()}
    people["prof"].start_server(GRADER)
    seen = json.loads((DATA / "postgresql" / "seen.json").read_text(encoding="utf-8"))
    now = observed(people)
    for what in ("people", "exchange", "formgrader"):
        for key, told in seen[what].items():
            found = as_told(now[what][key], told)
            if (what, key) == ("formgrader", "assignments"):
                told, found = without_zone(told), without_zone(found)
            assert found == told, (what, key)
    people["alice"].start_server()
    notebook = people["alice"].read_notebook("warmup/doubling.ipynb")
    assert "return x + x" in json.dumps(notebook)
    for person in people.values():
        person.close()
