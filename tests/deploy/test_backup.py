"""Backing up and restoring, against a stand-in for `docker`: no engine."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import stat
from pathlib import Path

import pytest

from hub.host.deploy.backup import FORMAT, MANIFEST, backup, check, restore, volumes
from hub.host.deploy.folder import DeployError
from hub.host.deploy.images import IMAGES
from hub.host.deploy.stack import Stack

VARIABLES = {
    "LOGITLAB_PROJECT": "lab",
    "LOGITLAB_TAG": "t1",
    "LOGITLAB_GPUS": "",
    "LOGITLAB_URL": "http://localhost:8000",
}
DATABASES = ("jupyterhub", "exchange", "gradebook")


class Host:
    """A machine with a `docker` that is a stand-in."""

    def __init__(self, folder: Path) -> None:
        self.engine = folder / "engine"
        for name in ("services", "volumes", "databases"):
            (self.engine / name).mkdir(parents=True)
        images = "\n".join(f"logitlab/{name}:t1" for name in IMAGES)
        (self.engine / "images").write_text(images)
        self.folder = folder / "deployment"
        self.folder.mkdir()

    def runs(self) -> Host:
        """A deployment with people's work in it runs here."""
        (self.engine / "services" / "db").touch()
        (self.engine / "services" / "hub").touch()
        for name in DATABASES:
            (self.engine / "databases" / name).write_text(f"-- everything of {name}\n")
        for name in ("course", "exchange", "hub", "people", "gateway", "home_alice", "home_bob"):
            volume = self.engine / "volumes" / f"lab_{name}"
            volume.mkdir()
            (volume / "file").write_text(f"of {name}")
        for name in ("lab_db", "lab_guard_socket", "lab2_home_eve", "other_lab_home_eve"):
            (self.engine / "volumes" / name).mkdir()
        (self.folder / ".env").write_text("COURSE=1\n")
        (self.folder / "course.yaml").write_text("course: {}\n")
        (self.folder / "secrets").mkdir()
        (self.folder / "secrets" / "crypt_key").write_text("key")
        return self

    @property
    def asked(self) -> list[str]:
        path = self.engine / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def content(self, volume: str) -> str:
        return (self.engine / "volumes" / f"lab_{volume}" / "file").read_text()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes machines; the last one is this one."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "docker"
    shutil.copy(Path(__file__).with_name("docker_stand_in.py"), program)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("PROJECT", "lab")
    monkeypatch.setattr(Stack, "variables", VARIABLES)

    def made(name: str) -> Host:
        host = Host(tmp_path / name)
        monkeypatch.setenv("ENGINE", str(host.engine))
        return host

    return made


@pytest.fixture
def running(machine):
    return machine("first").runs()


def made_backup(host: Host, target: Path) -> Path:
    list(backup(Stack(host.folder), target))
    (folder,) = target.iterdir()
    return folder


def test_a_backup_is_complete_on_another_machine(running, machine, tmp_path):
    folder = made_backup(running, tmp_path / "backups")
    other = machine("second")
    lines = list(restore(folder, other.folder))
    assert lines[-1] == "restored; `make up` starts it"
    for name in ("course", "exchange", "hub", "people", "gateway", "home_alice", "home_bob"):
        assert other.content(name) == f"of {name}"
    owners = {"jupyterhub": "hub", "exchange": "exchange", "gradebook": "grader"}
    for name, owner in owners.items():
        database = (other.engine / "databases" / name).read_text()
        assert database == f"SET ROLE {owner};\n-- everything of {name}\n"
    assert (other.folder / "secrets" / "crypt_key").read_text() == "key"
    assert (other.folder / ".env").read_text() == "COURSE=1\n"


def test_a_backup_has_this_deployments_volumes_and_no_others(running, tmp_path):
    homes = ["lab_home_alice", "lab_home_bob"]
    fixed = [f"lab_{name}" for name in ("course", "exchange", "gateway", "hub", "people")]
    assert volumes("lab") == sorted([*fixed, *homes])
    folder = made_backup(running, tmp_path / "to")
    kept = {path.name for path in folder.iterdir()}
    assert kept == {
        *(f"volume-{name.removeprefix('lab_')}.tar.gz" for name in [*fixed, *homes]),
        *(f"{name}.sql.gz" for name in DATABASES),
        *("deployment.tar.gz", MANIFEST),
    }


def test_databases_are_dumped_before_the_files_they_point_to_are_read(running, tmp_path):
    made_backup(running, tmp_path / "to")
    dumps = [number for number, asked in enumerate(running.asked) if "pg_dump" in asked]
    archives = [number for number, asked in enumerate(running.asked) if asked.startswith("run ")]
    assert len(dumps) == 3 and max(dumps) < min(archives)


def test_a_container_that_reads_a_volume_can_do_nothing_else(running, tmp_path):
    made_backup(running, tmp_path / "to")
    runs = [asked for asked in running.asked if asked.startswith("run ")]
    assert len(runs) == 7
    for asked in runs:
        assert "--network=none" in asked and "--cap-drop=ALL" in asked and "--read-only" in asked
        assert re.search(r"--volume=lab_\w+:/volume:ro ", asked)


def test_a_backup_is_its_owners_only_and_says_what_it_holds(running, tmp_path):
    lines = list(backup(Stack(running.folder), tmp_path / "to"))
    (folder,) = (tmp_path / "to").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z", folder.name)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert "password hashes" in lines[-1] and str(folder) in lines[-1]
    manifest = check(folder)
    assert (manifest["format"], manifest["project"], manifest["tag"]) == (FORMAT, "lab", "t1")
    with gzip.open(folder / "exchange.sql.gz", "rt") as dump:
        assert dump.read() == "-- everything of exchange\n"


def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(running, tmp_path):
    (running.engine / "databases" / "gradebook").unlink()
    with pytest.raises(DeployError, match="no database gradebook"):
        list(backup(Stack(running.folder), tmp_path / "to"))
    assert list((tmp_path / "to").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_reported_by_name(running, tmp_path):
    (tmp_path / "to").write_text("a file")
    with pytest.raises(DeployError, match=r"to/.*partial: Not a directory"):
        list(backup(Stack(running.folder), tmp_path / "to"))


def test_a_deployment_that_does_not_run_is_not_backed_up(running, tmp_path):
    (running.engine / "services" / "db").unlink()
    with pytest.raises(DeployError, match=r"Not running: db\. Run `make up` first"):
        list(backup(Stack(running.folder), tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def damaged(folder: Path) -> None:
    with (folder / "volume-course.tar.gz").open("ab") as file:
        file.write(b"x")


def missing(folder: Path) -> None:
    (folder / "gradebook.sql.gz").unlink()


def outside(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["sha256"] = {"../outside": "0" * 64}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def newer(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"format": FORMAT + 1}))


def no_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damaged, "volume-course.tar.gz is missing or damaged; nothing was restored"),
        (missing, "gradebook.sql.gz is missing or damaged; nothing was restored"),
        (outside, "outside is missing or damaged"),
        (newer, f"format {FORMAT + 1}; this version reads {FORMAT}"),
        (no_manifest, "is not a backup"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_before_anything_changes(
    running, machine, tmp_path, change, reason
):
    folder = made_backup(running, tmp_path / "backups")
    change(folder)
    other = machine("second")
    with pytest.raises(DeployError, match=reason):
        list(restore(folder, other.folder))
    assert other.asked == [] and list(other.folder.iterdir()) == []


def test_nothing_is_restored_over_a_deployment(running, machine, tmp_path):
    folder = made_backup(running, tmp_path / "backups")
    with pytest.raises(DeployError, match="already holds a deployment"):
        list(restore(folder, running.folder))
    with pytest.raises(DeployError, match="lab already exists"):
        list(restore(folder, tmp_path / "empty"))
    other = machine("second")
    (other.engine / "services" / "hub").touch()  # a container without a volume
    with pytest.raises(DeployError, match="lab already exists"):
        list(restore(folder, other.folder))


def test_images_that_are_missing_are_named_before_anything_changes(running, machine, tmp_path):
    folder = made_backup(running, tmp_path / "backups")
    other = machine("second")
    (other.engine / "images").write_text("logitlab/server:t1\nlogitlab/student:t0\n")
    with pytest.raises(DeployError, match=r"Not on this machine: .*logitlab/student:t1"):
        list(restore(folder, other.folder))
    assert list(other.folder.iterdir()) == []


def test_settings_that_were_written_with_defaults_are_kept_aside(running, machine, tmp_path):
    folder = made_backup(running, tmp_path / "backups")
    other = machine("second")
    (other.folder / ".env").write_text("mine\n")
    lines = list(restore(folder, other.folder))
    assert (other.folder / ".env.before-restore").read_text() == "mine\n"
    assert any(".env existed: kept as .env.before-restore" in line for line in lines)
    assert stat.S_IMODE((other.folder / "secrets").stat().st_mode) == 0o700


def test_a_restore_that_fails_halfway_says_what_to_remove(running, machine, tmp_path, monkeypatch):
    folder = made_backup(running, tmp_path / "backups")
    other = machine("second")
    shutil.rmtree(other.engine / "databases")
    with pytest.raises(
        DeployError, match=r"The restored deployment is incomplete.*docker volume rm"
    ):
        list(restore(folder, other.folder))


def test_volumes_come_back_with_composes_labels(running, machine, tmp_path):
    folder = made_backup(running, tmp_path / "backups")
    other = machine("second")
    list(restore(folder, other.folder))
    created = [asked for asked in other.asked if asked.startswith("volume create")]
    assert len(created) == 5
    for asked in created:
        name = asked.rpartition("lab_")[2]
        assert "--label=com.docker.compose.project=lab" in asked
        assert f"--label=com.docker.compose.volume={name} " in asked
