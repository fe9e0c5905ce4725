"""course.yaml: what is read from it, and how mistakes in it are refused."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from hub.core.course_folder import EXAMPLE, CourseFolderError, new_course, open_course
from hub.core.environment import Environment
from hub.core.settings import Settings, SettingsError, load_settings, old_spellings
from hub.exchange.__main__ import main as exchange_service
from hub.exchange.hand_out import exchange_limits
from hub.exchange.limits import ExchangeLimits
from hub.grading.pipeline.autograde import ExecuteSubmission
from hub.grading.pipeline.execute import ExecutionLimits
from hub.host.install.state import ROOT
from hub.jupyterhub.configuration.jupyterlab import grader_config
from hub.singleuser.validation.validator import CourseValidator


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "course.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(written(tmp_path, text))
    return str(error.value)


def test_the_documented_example_is_valid_and_shows_the_defaults():
    example = load_settings(EXAMPLE)
    plain = Settings.model_validate({"course": {"id": "mechinterp"}})
    for section in ("late", "server", "exchange", "grading"):
        assert getattr(example, section) == getattr(plain, section), section


def test_limits_without_a_course_are_the_defaults_of_its_settings(tmp_path):
    list(new_course(tmp_path / "course"))
    folder = open_course(tmp_path / "course", Environment())
    assert ExchangeLimits() == exchange_limits(folder)
    config = grader_config(folder)
    for grading in (ExecuteSubmission, CourseValidator):
        plain, configured = grading(), grading(config=config)
        assert ExecutionLimits(**plain.limits) == ExecutionLimits(**configured.limits)


def test_the_exchanges_page_tells_the_default_limits():
    report = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
    for option in exchange_service.params:
        for flag in option.opts:
            if flag == "--files":
                assert f"| {option.default} | `{flag}` |" in report
            elif flag.endswith("-mib"):
                assert f"| {option.default} MiB | `{flag}` |" in report


def test_the_example_names_every_key():
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert f"{name}:" in text
        for key in getattr(field.annotation, "model_fields", {}):
            assert re.search(rf"^#?\s+{key}:", text, re.M), f"{name}.{key}"


def test_an_unknown_key_is_refused_with_its_line_and_the_accepted_ones(tmp_path):
    message = refusal(tmp_path, "course:\n  id: m\n  tilte: x\n")
    assert "line 3: course.tilte: unknown key" in message
    assert "accepted: id, title, timezone" in message
    assert "did you mean 'title'" in message


@pytest.mark.parametrize(
    ("text", "line", "accepted"),
    [
        ("course:\n  id: m\nserver:\n  port: 99999\n", 4, "less than or equal to 65535"),
        ("course:\n  id: m\nlate:\n  policy: fine\n", 4, "'none', 'zero' or 'percent_per_day'"),
        ("course:\n  id: Big\n", 2, "lowercase letters"),
        ("course:\n  id: m\n  timezone: Berlin\n", 3, "IANA"),
        ("course:\n  id: m\npeople:\n  students: [a/b]\n", 4, "user names are"),
        ("course:\n  id: m\nassignments:\n  x:\n    deu: 1\n", 5, "accepted: due, tests"),
        ("course:\n  id: m\nassignments:\n  x: {}\n  week 1: {}\n", 5, "for example 'week-1'"),
        ("course:\n  id: m\nassignments:\n  x:\n    tests: up\n", 5, "'isolated' or 'in_kernel'"),
        ("course:\n  id: m\nexchange:\n  file_mib: 900\n", 3, "file_mib <= submission_mib"),
        ("course:\n  id: m\ncontainers:\n  idle_minutes: 60\n", 3, "kernel_idle_minutes < idle"),
        ("course:\n  title: x\n", 1, "required"),
        ("course: [\n", 2, "not YAML"),
        ("", 1, "expected keys"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_what_is_accepted(
    tmp_path, text, line, accepted
):
    message = refusal(tmp_path, text)
    assert f"line {line}:" in message
    assert accepted in message


def test_spellings_of_earlier_versions_are_understood_and_reported_with_their_lines(tmp_path):
    path = tmp_path / "course.yaml"
    path.write_text(
        "course:\n  id: m\ngrading:\n  tests: together\nassignments:\n  a:\n    tests: apart\n"
        "gpus:\n  staff_places: 3\n"
    )
    settings = load_settings(path)
    assert settings.tests_of("a") == "isolated"
    assert settings.tests_of("b") == "in_kernel"
    assert settings.gpus.staff_slots == 3
    assert [line.partition(": ")[2] for line in old_spellings(path)] == [
        "grading.tests: together is now called in_kernel; the old name still works",
        "assignments.a.tests: apart is now called isolated; the old name still works",
        "gpus.staff_places: staff_places is now called staff_slots; the old name still works",
    ]
    assert [line.split("line ")[1][0] for line in old_spellings(path)] == ["4", "7", "9"]


def test_what_is_spelled_as_today_is_not_reported(tmp_path):
    path = tmp_path / "course.yaml"
    path.write_text("course:\n  id: m\ngrading:\n  tests: isolated\ngpus:\n  staff_slots: 3\n")
    assert old_spellings(path) == []


def test_nobody_is_both_instructor_and_student(tmp_path):
    text = "course:\n  id: m\npeople:\n  instructors: [a]\n  students: [a]\n"
    assert "not both" in refusal(tmp_path, text)


def test_every_mistake_is_named_at_once_in_the_order_of_the_lines(tmp_path):
    message = refusal(tmp_path, "course:\n  id: B\nserver:\n  prt: 1\nlate:\n  policy: x\n")
    assert [line.split("line ")[1][0] for line in message.splitlines()] == ["2", "4", "6"]


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="logitlab course new"):
        load_settings(tmp_path / "course.yaml")


def test_due_dates_are_read_in_the_courses_time_zone():
    settings = Settings.model_validate(
        {
            "course": {"id": "m", "timezone": "Europe/Berlin"},
            "assignments": {"a": {"due": "2027-07-01 23:59"}, "b": {"due": "2027-01-01 12:00"}},
        }
    )
    assert settings.due_utc("a") == dt.datetime(2027, 7, 1, 21, 59, tzinfo=dt.UTC)
    assert settings.due_utc("b") == dt.datetime(2027, 1, 1, 11, 0, tzinfo=dt.UTC)
    assert settings.due_utc("another") is None


def test_tests_run_isolated_unless_the_course_or_the_assignment_says_otherwise():
    plain: dict[str, Any] = {
        "course": {"id": "m"},
        "assignments": {"a": {"tests": "in_kernel"}, "b": {}},
    }
    settings = Settings.model_validate(plain)
    assert [settings.tests_of(name) for name in "abc"] == ["in_kernel", "isolated", "isolated"]
    settings = Settings.model_validate(plain | {"grading": {"tests": "in_kernel"}})
    assert [settings.tests_of(name) for name in "abc"] == ["in_kernel"] * 3
    plain["assignments"]["a"]["tests"] = "isolated"
    settings = Settings.model_validate(plain | {"grading": {"tests": "in_kernel"}})
    assert [settings.tests_of(name) for name in "abc"] == ["isolated", "in_kernel", "in_kernel"]


def test_making_a_course_folder_twice_keeps_what_was_written(tmp_path):
    root = tmp_path / "course"
    list(new_course(root))
    settings_file = root / "course.yaml"
    settings_file.write_text("course:\n  id: mine\n", encoding="utf-8")
    (root / "source" / "note.txt").write_text("kept")
    lines = list(new_course(root))
    assert any("kept" in line for line in lines)
    assert open_course(root, Environment()).settings.course.id == "mine"
    assert (root / "source" / "note.txt").read_text() == "kept"


def test_only_the_owner_can_look_into_the_servers_state(tmp_path):
    list(new_course(tmp_path / "course"))
    assert (tmp_path / "course" / "server").stat().st_mode & 0o777 == 0o700


def test_a_folder_without_settings_is_refused_with_the_command_that_makes_it_one(tmp_path):
    with pytest.raises(CourseFolderError, match="logitlab course new"):
        open_course(tmp_path, Environment())
