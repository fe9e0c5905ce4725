"""The commands that make the student version and hand it out: nbgrader's verbs, and old ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.cli import main
from hub.core.course_folder import CourseFolder, new_course, open_course
from hub.core.environment import Environment
from hub.exchange.store import Store

REFUSAL = (
    "release now hands out (nbgrader's meaning). To make the student version: "
    "logitlab generate NAME. To hand it out: logitlab release --hand-out NAME\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> CourseFolder:
    """A course with one assignment, `start`, of which students got nothing yet."""
    list(new_course(tmp_path))
    folder = open_course(tmp_path, Environment())
    (folder.source / "start").mkdir()
    (folder.source / "start" / "start.py").write_text("# %% [markdown]\n# Welcome.\n")
    return folder


@pytest.fixture
def generated(folder: CourseFolder) -> CourseFolder:
    (folder.release / "start").mkdir()
    (folder.release / "start" / "start.ipynb").write_text("{}")
    return folder


def logitlab(folder: CourseFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--course", str(folder.root)])


def handed_out(folder: CourseFolder) -> list[str]:
    store = Store(folder.exchange)
    try:
        return [release.assignment for release in store.releases(folder.settings.course.id)]
    finally:
        store.close()


@pytest.mark.parametrize(
    "words", [["start"], ["start", "other"], [], ["--repository"], ["--repository", "--check"]]
)
def test_release_as_it_was_typed_before_is_refused_with_both_new_commands(generated, words):
    done = logitlab(generated, "release", *words)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", REFUSAL)
    assert (generated.release / "start" / "start.ipynb").read_text() == "{}"
    assert handed_out(generated) == []


def test_generate_makes_the_student_version_and_hands_nothing_out(folder):
    done = logitlab(folder, "generate", "start")
    assert done.exit_code == 0, done.output
    assert (folder.release / "start" / "start.ipynb").is_file()
    assert handed_out(folder) == []


def test_release_hand_out_lets_students_fetch(generated):
    done = logitlab(generated, "release", "--hand-out", "start")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "start: released to students\n", "")
    assert handed_out(generated) == ["start"]


def test_what_was_never_generated_is_not_handed_out_and_the_command_for_it_is_named(generated):
    done = logitlab(generated, "release", "--hand-out", "start", "other")
    assert done.exit_code == 1 and "Run `logitlab generate other`." in done.stderr
    assert handed_out(generated) == []


def test_publish_works_and_says_its_new_name(generated):
    done = logitlab(generated, "publish", "start")
    assert done.exit_code == 0, done.output
    assert done.stderr == "publish is now: logitlab release --hand-out start\n"
    assert handed_out(generated) == ["start"]


def test_the_help_lists_the_new_verbs_and_not_the_old_one():
    listed = CliRunner().invoke(main, ["--help"]).output
    assert "generate " in listed and "release " in listed and "publish" not in listed
    shown = CliRunner().invoke(main, ["release", "--help"])
    assert shown.exit_code == 0 and "--hand-out" in shown.output


def test_in_a_course_folder_its_own_assignments_are_proved_not_the_shipped_ones(
    folder, monkeypatch
):
    monkeypatch.chdir(folder.root)
    refused = CliRunner().invoke(main, ["prove", "06-induction-heads"])
    assert refused.exit_code == 1
    assert f"There is no folder {folder.source / '06-induction-heads'}" in refused.output
