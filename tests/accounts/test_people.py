"""What people lose when they are removed from course.yaml, or moved within it."""

import shutil
from pathlib import Path

import pytest
from jupyterhub import orm
from nativeauthenticator.orm import UserInfo

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.core.roster.file import write_roster
from hub.core.roster.student import Student
from hub.people.accounts import password_links
from hub.people.accounts.passwords import with_password
from hub.people.rights import has_hub_database, reconcile


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(tmp_path: Path, request, empty_databases: Path) -> CourseFolder:
    """A course whose hub knows everybody of the example, and two have a token."""
    list(new_course(tmp_path))
    folder = CourseFolder(tmp_path)
    if request.param == "sqlite":
        shutil.copy(empty_databases / "jupyterhub.sqlite", folder.server)
    else:
        url = request.getfixturevalue("postgresql_url")
        folder = CourseFolder(tmp_path, Environment(hub_database=url))
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
    return folder.reread()


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


def test_nothing_changes_for_people_who_stay(folder):
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


def test_a_student_stays_and_leaves_with_the_roster(folder):
    people = "{admins: [admin], instructors: [instructor], students: [alice]}"
    write_roster(folder.roster_file, (Student("bob"),))
    folder = write_people(folder, people)
    assert list(reconcile(folder)) == []
    assert hub_state(folder)["bob"][1] == ["nbgrader-mechinterp"]
    write_roster(folder.roster_file, (Student("carol"),))
    folder = folder.reread()
    assert "bob" in "\n".join(reconcile(folder))
    assert "bob" not in hub_state(folder)


def test_a_person_who_left_while_their_server_runs_has_no_rights_until_the_hub_removes_them(folder):
    session = orm.new_session_factory(folder.hub_database_url)()
    bob = session.query(orm.User).filter_by(name="bob").one()
    cookie = bob.cookie_id
    bob._orm_spawners.append(orm.Spawner(name="", server=orm.Server(ip="127.0.0.1", port=1)))
    session.commit()
    session.close()
    folder = write_people(folder, "{admins: [admin], instructors: [instructor], students: [alice]}")
    assert "bob" in "\n".join(reconcile(folder))
    assert hub_state(folder)["bob"] == (False, [], 0)
    session = orm.new_session_factory(folder.hub_database_url)()
    assert session.query(orm.User).filter_by(name="bob").one().cookie_id != cookie
    session.close()


def test_passwords_outlive_a_time_away_from_the_course(folder):
    session = orm.new_session_factory(folder.hub_database_url)()
    session.add(UserInfo(username="bob", password=b"hash", is_authorized=True))
    session.commit()
    list(reconcile(write_people(folder, "{admins: [admin]}")))
    assert with_password(session) == {"bob"}
    session.close()


def test_links_work_in_this_database_too(folder):
    session = orm.new_session_factory(folder.hub_database_url)()
    old, new = (
        password_links.issue(session, "bob", 1, "admin"),
        password_links.issue(session, "bob", 1, "admin"),
    )
    assert password_links.use(session, old.key) is None
    assert set(password_links.open_links(session)) == {"bob"}
    assert password_links.use(session, new.key) == "bob"
    session.commit()
    assert password_links.use(session, new.key) is None
    session.close()


def test_a_database_where_no_hub_has_been_yet_is_left_alone(postgresql_url, tmp_path):
    list(new_course(tmp_path))
    folder = CourseFolder(tmp_path, Environment(hub_database=postgresql_url))
    assert list(reconcile(folder)) == []
    assert not has_hub_database(postgresql_url)


def test_before_the_first_start_there_is_nothing_to_do(tmp_path):
    list(new_course(tmp_path))
    assert list(reconcile(CourseFolder(tmp_path))) == []
