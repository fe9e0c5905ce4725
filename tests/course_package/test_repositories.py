"""Repositories to practise git in, and what is read of them without git."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import pytest

from course import repositories
from course.repositories import History, Practice

TWO_COMMITS = """
git init
mkdir src
echo one > src/a.txt
git add src
git commit -m "Begin"
echo two > b.txt
git add b.txt
git commit -m "Go on" -m "With a body."
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_history_is_read_as_git_made_it() -> None:
    made = Practice("two", TWO_COMMITS)
    history = History(made.folder)
    last, first = history.log("main")
    assert history.head() == "main" and history.tip("main") == last
    assert first.message == "Begin" and first.parents == ()
    assert last.message == "Go on\n\nWith a body." and last.parents == (first.id,)
    assert last.files == {"src/a.txt": b"one\n", "b.txt": b"two\n"}
    assert made.run("git rev-parse HEAD").strip() == last.id


def test_a_merge_has_both_parents() -> None:
    made = Practice("merge", TWO_COMMITS)
    made.run("git switch -c idea HEAD~1; git commit --allow-empty -m Idea; git switch main")
    made.run("git merge idea")
    history = History(made.folder)
    merge, *others = history.log("main")
    assert merge.parents == (others[0].id, history.tip("idea").id)
    assert [commit.message for commit in others] == ["Go on\n\nWith a body.", "Begin"]


def test_output_is_printed_and_a_failing_command_stops_nothing(capsys) -> None:
    made = Practice("terminal")
    assert made.run("git log\necho after") == capsys.readouterr().out
    assert "not a git repository" in made.run("git log")
    assert made.run("git log 2> log; echo after") == "after\n"


def test_an_older_folder_gives_way_to_a_fresh_one() -> None:
    Practice("again", TWO_COMMITS)
    assert list(Path(Practice("again").folder).iterdir()) == []


@pytest.mark.parametrize("name", ["..", "a/b", "", "A"])
def test_a_folder_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a practice folder"):
        Practice(name)


def test_settings_of_the_machine_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[init]\ndefaultBranch = other\n[core]\neditor = false\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    subprocess.run(["git", "init", "-q", str(tmp_path)], env={"PATH": "/usr/bin:/bin"}, check=True)
    assert "not a git repository" in Practice("outside").run("git status")
    assert History(Practice("own", TWO_COMMITS).folder).head() == "main"


def test_what_is_missing_is_said(capsys) -> None:
    with pytest.raises(AssertionError, match="was git init run"):
        History(Practice("bare").folder).head()
    history = History(Practice("empty", "git init").folder)
    assert history.head() == "main"
    with pytest.raises(AssertionError, match="the branch main has no commit"):
        history.tip("main")
    alone = Practice("alone", TWO_COMMITS + "git checkout -q HEAD~1")
    assert History(alone.folder).head() == ""


def test_an_object_that_was_written_by_hand_is_refused() -> None:
    made = Practice("forged", TWO_COMMITS)
    tip = History(made.folder).tip("main")
    path = Path(made.folder, ".git", "objects", tip.id[:2], tip.id[2:])
    path.chmod(0o644)
    path.write_bytes(zlib.compress(zlib.decompress(path.read_bytes()).replace(b"Go", b"No")))
    with pytest.raises(AssertionError, match="cannot be read"):
        History(made.folder).tip("main")
    path.write_bytes(zlib.compress(b"\0" * 5_000_000))
    with pytest.raises(AssertionError, match="cannot be read"):
        History(made.folder).tip("main")


def test_without_git_it_is_said_and_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories.shutil, "which", lambda name: None)
    assert "git is not installed here" in Practice("none").run("echo anything")
