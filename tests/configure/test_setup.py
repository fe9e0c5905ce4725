"""What `setup` puts into the volumes, for one course and for several."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hub.containers.setup import FOLDERS, folders_of, setup
from hub.core.environment import Environment
from hub.core.settings import load_settings
from hub.facts import accounts
from hub.facts.container_paths import COURSES_FILE
from hub.facts.containers import FIRST_COURSE, CourseStorage

COMPOSE = Path(__file__).parents[2] / "docker" / "compose.yaml"
IN_CONTAINERS = Environment(in_containers=True)
OTHER = CourseStorage("_b")


@pytest.fixture
def settings_files(tmp_path):
    """The settings of the hub's courses `a` and `b`."""
    files = [tmp_path / "settings" / name / "course.yaml" for name in ("a", "b")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(f"course: {{id: {file.parent.name}}}\n")
    return files


@pytest.mark.needs("root")
def test_each_course_gets_a_folder_a_roster_and_a_graders_configuration_of_its_own(
    tmp_path, settings_files
):
    lines = list(setup(settings_files, IN_CONTAINERS, tmp_path))
    assert lines == [f"course {name}: settings in order, course folder made" for name in "ab"]
    srv = tmp_path / "srv"
    for name, storage in (("a", FIRST_COURSE), ("b", OTHER)):
        folder = srv / storage.folder
        assert load_settings(folder / "course.yaml").course.id == name
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {folder.stat().st_uid, (folder / "source").stat().st_uid} == {accounts.GRADER}
        assert (srv / storage.people).stat().st_uid == accounts.GRADER
        config = (srv / storage.config / "nbgrader_config.py").read_text()
        assert f"'{storage.gradebook_url}'" in config and f"'{folder}'" in config
        assert f"'course_id': '{name}'" in config
    assert load_settings(srv / "hub" / "course.yaml").course.id == "a"
    known = tmp_path / COURSES_FILE[1:]
    assert known.read_text() == "a\nb\n"
    assert (known.stat().st_uid, known.stat().st_mode & 0o777) == (accounts.GUARD, 0o400)


@pytest.mark.needs("root")
def test_a_second_run_keeps_what_is_in_a_course_folder(tmp_path, settings_files):
    list(setup(settings_files, IN_CONTAINERS, tmp_path))
    work = tmp_path / "srv" / OTHER.folder / "source" / "01" / "work.py"
    work.parent.mkdir()
    work.write_text("mine")
    lines = list(setup(settings_files, IN_CONTAINERS, tmp_path))
    assert lines[1] == "course b: settings in order, course folder kept"
    assert work.read_text() == "mine"


def test_compose_mounts_every_folder_that_setup_fills_for_one_course():
    mounts = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["setup"]["volumes"]
    mounted = {mount.split(":")[1] for mount in mounts}
    filled = [each.path for each in (*FOLDERS, *folders_of(FIRST_COURSE))]
    configs = [f"srv/config_{role}" for role in ("student", "instructor")]
    for path in (*filled, *configs, f"srv/{FIRST_COURSE.config}"):
        assert any(Path("/", path).is_relative_to(mount) for mount in mounted), path
