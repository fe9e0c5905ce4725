"""What somebody loses who is taken out of course.yaml, or moved within it."""

from pathlib import Path

import pytest
from jupyterhub import orm

from hub.course_folder import CourseFolder, new_course
from hub.people import reconcile


@pytest.fixture
def folder(tmp_path: Path) -> CourseFolder:
    """A course whose hub knows everybody of the example, and each has a token."""
    list(new_course(tmp_path))
    folder = CourseFolder(tmp_path)
    session = orm.new_session_factory(folder.hub_database_url)()
    users = {}
    for name in ("admin", "instructor", "alice", "bob", "grader-mechinterp"):
        users[name] = orm.User(name=name, admin=name == "admin")
        session.add(users[name])
    session.commit()
    session.add(orm.OAuthClient(identifier="jupyterhub"))
    session.commit()
    for name in ("alice", "bob"):
        users[name].new_api_token(scopes=["inherit"])
    students = orm.Group(name="nbgrader-mechinterp", users=[users["alice"], users["bob"]])
    teachers = [users["instructor"], users["grader-mechinterp"]]
    session.add_all([students, orm.Group(name="formgrade-mechinterp", users=teachers)])
    session.commit()
    session.close()
    return folder


def write_people(folder: CourseFolder, people: str) -> CourseFolder:
    folder.settings_file.write_text(f"course:\n  id: mechinterp\npeople: {people}\n")
    return CourseFolder(folder.root)


def hub_state(folder: CourseFolder) -> dict[str, tuple[bool, list[str], int]]:
    """name -> (admin, groups, number of tokens)"""
    session = orm.new_session_factory(folder.hub_database_url)()
    try:
        return {
            user.name: (
                user.admin,
                sorted(group.name for group in user.groups),
                len(user.api_tokens),
            )
            for user in session.query(orm.User)
        }
    finally:
        session.close()


def test_nothing_changes_for_those_who_are_still_there(folder):
    before = hub_state(folder)
    assert list(reconcile(folder)) == []
    assert hub_state(folder) == before


def test_a_student_who_was_taken_out_loses_account_tokens_and_groups(folder):
    folder = write_people(folder, "{admins: [admin], instructors: [instructor], students: [alice]}")
    assert "bob" in "\n".join(reconcile(folder))
    after = hub_state(folder)
    assert "bob" not in after
    assert after["alice"] == (False, ["nbgrader-mechinterp"], 1)
    session = orm.new_session_factory(folder.hub_database_url)()
    assert session.query(orm.APIToken).count() == 1
    session.close()


def test_an_instructor_who_became_a_student_grades_no_longer(folder):
    folder = write_people(folder, "{admins: [admin], students: [alice, bob, instructor]}")
    list(reconcile(folder))
    assert hub_state(folder)["instructor"][1] == []


def test_an_admin_who_is_none_any_more_loses_the_rights_and_keeps_the_account(folder):
    folder = write_people(folder, "{instructors: [instructor], students: [alice, bob, admin]}")
    list(reconcile(folder))
    assert hub_state(folder)["admin"][0] is False


def test_the_graders_account_stays(folder):
    list(reconcile(folder))
    assert hub_state(folder)["grader-mechinterp"][1] == ["formgrade-mechinterp"]


def test_before_the_first_start_there_is_nothing_to_do(tmp_path):
    list(new_course(tmp_path))
    assert list(reconcile(CourseFolder(tmp_path))) == []
