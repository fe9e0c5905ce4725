"""People where a hub has several courses: accounts are the hub's, roles a course's."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
from jinja2 import Environment as JinjaEnvironment
from jupyterhub import orm
from traitlets.config import Config

from hub.core.course_folder import CourseFolder, new_course
from hub.core.roster.file import write_roster
from hub.core.roster.merge import everybody
from hub.core.roster.student import Student
from hub.core.settings import Settings
from hub.jupyterhub.configuration import jupyterhub as pages
from hub.jupyterhub.configuration import jupyterlab
from hub.jupyterhub.configuration.jupyterhub import exchange_arguments
from hub.jupyterhub.pages.people import AccountsState, rows
from hub.jupyterhub.spawners import environment
from hub.people import rights, roles
from hub.people.accounts import issue, watch
from hub.people.accounts.rules import highest_role, may_issue_link, may_see_people
from hub.people.rights import Rights, difference, reconcile, wanted
from hub.people.roster import importing
from hub.people.roster.changes import described


def course(name: str, people: dict[str, list[str]], **more: object) -> Settings:
    return Settings.model_validate({"course": {"id": name}, "people": people, **more})


A = course(
    "a", {"admins": ["root"], "instructors": ["prof"], "students": ["ada", "both", "ta", "root2"]}
)
B = course(
    "b", {"admins": ["root2"], "instructors": ["ta", "dean"], "students": ["both", "prof", "zoe"]}
)


def test_everybody_of_all_courses_is_there_once():
    assert sorted(everybody(A, B)) == [
        *("ada", "both", "dean", "prof", "root", "root2", "ta", "zoe"),
    ]


def test_each_course_has_groups_and_a_grader_of_its_own():
    groups = roles.groups(A, B)
    assert groups["nbgrader-a"] == {"users": ["ada", "both", "ta", "root2"]}
    assert groups["formgrade-b"] == {"users": ["ta", "dean", "grader-b"]}
    names = [role["name"] for role in roles.roles(A, B)]
    assert len(names) == len(set(names)) == 7
    for role in roles.roles(A, B):
        text = str(role["scopes"])
        if role["name"].endswith("-a"):
            assert "-b" not in text.replace("nbgrader-", ""), role


def test_a_person_has_the_rights_of_all_their_courses():
    then = wanted(A, B)
    assert then["both"] == Rights(False, frozenset({"nbgrader-a", "nbgrader-b"}))
    assert then["prof"] == Rights(False, frozenset({"formgrade-a", "nbgrader-b"}))
    assert then["root2"].admin and then["root"].admin and not then["ta"].admin
    assert {"grader-a", "grader-b"} < set(then)


def test_a_person_who_leaves_a_course_is_removed_only_if_no_other_course_has_them():
    smaller = course("a", {"admins": ["root"], "instructors": ["prof"]})
    found = difference(wanted(A, B), wanted(smaller, B))
    assert found.gone == ("ada",)
    assert found.moved == ("both", "root2", "ta")


def test_the_most_that_somebody_is_in_any_course_counts():
    names = ("root2", "prof", "ta", "both", "grader-a", "mallory")
    assert [highest_role([A, B], name) for name in names] == [
        *("admin", "instructor", "instructor", "student", None, None),
    ]


@pytest.mark.parametrize(
    ("actor", "target", "may"),
    [
        ("prof", "ada", True),
        ("prof", "both", True),  # a student there too
        ("prof", "ta", False),  # a student here, who instructs the other course
        ("prof", "root2", False),  # a student here, who administers the hub
        ("prof", "zoe", False),  # of the other course only
        ("dean", "ada", False),  # instructs the other course only
        ("root2", "ada", True),  # an admin is the hub's
        ("root2", "prof", True),
        ("root", "zoe", False),  # not on this course's page
    ],
)
def test_a_link_never_leads_into_another_course(actor, target, may):
    assert may_issue_link(A, [A, B], actor, target) is may


def test_a_courses_people_are_seen_by_its_own_instructors_and_by_admins():
    names = everybody(A, B)
    assert {name for name in names if may_see_people(A, [A, B], name)} == {"prof", "root", "root2"}


def test_the_exchange_is_told_of_every_course_and_its_own_due_dates():
    due = course("b", {}, assignments={"w": {"due": "2027-02-01 12:00"}})
    arguments = exchange_arguments(A, due)
    assert arguments[:2] == ["--course=a", "--course=b"]
    assert [each for each in arguments if each.startswith("--due")] == [
        "--due=b/w=2027-02-01T12:00:00Z"
    ]


def test_the_exchange_is_told_how_each_course_is_called_and_ordered_and_its_time_zone():
    told = {"id": "b", "title": "Models = maths", "timezone": "Asia/Tokyo", "order": ["z", "a"]}
    arguments = exchange_arguments(A, Settings.model_validate({"course": told}))
    assert "--order=a=start" in arguments and "--timezone=a=UTC" in arguments
    assert {"--title=b=Models = maths", "--timezone=b=Asia/Tokyo", "--order=b=z,a"} <= {*arguments}


@pytest.fixture
def two(tmp_path: Path, monkeypatch) -> tuple[CourseFolder, CourseFolder]:
    """Folders of courses a and b, of one hub that keeps its state in a's."""
    folders = []
    for name, people in (
        ("a", "{instructors: [prof], students: [ada, both]}"),
        ("b", "{instructors: [ada], students: [both, zoe]}"),
    ):
        list(new_course(tmp_path / name))
        folder = CourseFolder(tmp_path / name)
        folder.settings_file.write_text(f"course: {{id: {name}}}\npeople: {people}\n")
        folders.append(folder)
    for module in (rights, jupyterlab, issue, importing):
        monkeypatch.setattr(module, "courses_of", lambda hub: tuple(folders))
    return folders[0], folders[1]


def test_a_grader_works_in_its_own_courses_folder(two):
    a, b = two
    assert environment.home("grader-b", a) == b.root
    variables = environment.environment("grader-b", a, "http://x")
    assert variables["LOGITLAB_COURSE"] == str(b.root)
    assert variables["JUPYTER_CONFIG_PATH"] == str(b.server / "config" / "grader")
    assert environment.home("grader-a", a) == a.root


def test_a_persons_one_server_is_served_by_the_most_that_they_are(two):
    a, b = two
    assert jupyterlab.role_of("ada", a) == "instructor"
    assert jupyterlab.role_of("both", a) == "student"
    assert jupyterlab.role_of("grader-b", a) == "grader"
    assert [jupyterlab.course_of(name, a) for name in ("both", "zoe", "grader-b", "nobody")] == [
        *(a, b, b, a),
    ]
    assert environment.home("zoe", a) == a.server / "homes" / "zoe"  # a home is the hub's


def test_a_start_of_the_hub_takes_nobody_away_whom_another_course_has(two, empty_databases):
    a, b = two
    (a.server / "jupyterhub.sqlite").write_bytes(
        (empty_databases / "jupyterhub.sqlite").read_bytes()
    )
    session = orm.new_session_factory(a.hub_database_url)()
    for name, then in wanted(a.settings, b.settings).items():
        user = orm.User(name=name)
        user.groups = [
            session.query(orm.Group).filter_by(name=group).first() or orm.Group(name=group)
            for group in then.groups
        ]
        session.add(user)
        session.commit()
    a.settings_file.write_text("course: {id: a}\npeople: {instructors: [prof]}\n")
    del a.__dict__["settings"]  # to be read anew
    lines = "\n".join(reconcile(a))
    assert "both: no longer in nbgrader-a" in lines
    session.expire_all()
    left = {user.name: {group.name for group in user.groups} for user in session.query(orm.User)}
    session.close()
    assert left["both"] == {"nbgrader-b"} and left["ada"] == {"formgrade-b"}
    assert set(left) == {"prof", "ada", "both", "zoe", "grader-a", "grader-b"}


def test_a_running_hub_follows_every_courses_files_and_removes_nobody_for_a_lost_one(
    two, monkeypatch
):
    folders = [folder.root for folder in two]
    monkeypatch.setattr(watch, "courses_of", lambda hub: tuple(map(CourseFolder, folders)))
    errors: list[str] = []
    log = SimpleNamespace(error=lambda text, *values: errors.append(text % values))
    follows = watch.PeopleWatch(SimpleNamespace(http_server=True, log=log), two[0])
    applied: list[list[str]] = []

    async def apply(*courses: Settings) -> bool:
        applied.append(sorted(everybody(*courses)))
        return True

    monkeypatch.setattr(follows, "apply", apply)

    def look() -> int:
        asyncio.run(follows.look())
        return len(applied)

    write_roster(two[1].roster_file, (Student("yan"),))
    assert look() == 1 and applied[0] == ["ada", "both", "prof", "yan", "zoe"]
    assert look() == 1  # nothing changed
    two[1].roster_file.unlink()
    two[0].settings_file.write_text("course: {id: a}\npeople: {instructors: [prof]}\n")
    assert look() == 1 and str(two[1].roster_file) in errors[0]
    write_roster(two[1].roster_file, (Student("yan"), Student("xia")))
    assert look() == 2 and applied[1] == ["ada", "both", "prof", "xia", "yan", "zoe"]


def test_an_import_plan_says_who_can_still_log_in_for_another_role_or_course(two, tmp_path):
    a = two[0]
    write_roster(a.roster_file, tuple(map(Student, ("both", "ian", "yan", "zoe"))))
    a.settings_file.write_text("course: {id: a}\npeople: {instructors: [prof], students: [yan]}\n")
    (tmp_path / "list.csv").write_text("username\nnew\n")
    plan = importing.plan_import(a.reread(), tmp_path / "list.csv")
    lines = {line.split()[1].strip(":"): line for line in described(plan.changes, plan.stay)}
    for name in ("both", "yan", "zoe"):
        assert "can still log in, for another role or course; home" in lines[name]
    assert "can no longer log in; home" in lines["ian"]


@pytest.mark.parametrize(
    ("groups", "admin", "linked"),
    [
        (["formgrade-a", "formgrade-b"], False, {"grader-a", "grader-b", "people/a", "people/b"}),
        (["formgrade-b", "nbgrader-a"], False, {"grader-b", "people/b"}),
        (["nbgrader-a", "nbgrader-b"], False, set()),
        ([], True, {"people/a", "people/b"}),
    ],
)
@pytest.mark.parametrize("page", ["home.html", "page.html"])
def test_the_hubs_pages_link_every_course_that_somebody_instructs(
    two, monkeypatch, groups, admin, linked, page
):
    monkeypatch.setattr(pages, "courses_of", lambda hub: two)
    c = Config()
    pages.update_pages(c, two[0])
    stock = {
        "templates/home.html": "{% block main %}{% endblock %}",
        "templates/page.html": "{% block nav_bar_left_items %}{% endblock %}",
    }
    ours = FileSystemLoader(c.JupyterHub.template_paths[0])
    user = SimpleNamespace(groups=[SimpleNamespace(name=name) for name in groups], admin=admin)
    jinja = JinjaEnvironment(loader=ChoiceLoader([DictLoader(stock), ours]))
    text = jinja.get_template(page).render(user=user, **c.JupyterHub.template_vars)
    found = set(re.findall(r'href="/hub/(?:spawn/)?(grader-.|people/.)', text))
    assert found == {link for link in linked if page == "page.html" or "people" not in link}
    assert re.findall(r'href="(.*?)"', text)[0] == "/services/exchange/"
    ids = re.findall(r' id="(.+?)"', text)
    assert len(ids) == len(set(ids))


def test_a_link_is_one_persons_whichever_course_asks(two, empty_databases, monkeypatch):
    a = two[0]
    monkeypatch.setattr(issue, "_check_login", lambda folder: None)
    (a.server / "jupyterhub.sqlite").write_bytes(
        (empty_databases / "jupyterhub.sqlite").read_bytes()
    )
    assert [name for name, _, _ in issue.new_links(a, ["zoe", "both"])] == ["zoe", "both"]
    assert sorted(issue.without_password(a, link_is_enough=True)) == ["ada", "prof"]
    with pytest.raises(issue.AccountsError, match="grader-a, mallory: not in the course"):
        issue.new_links(a, ["zoe", "mallory", "grader-a"])


def test_the_people_page_lists_its_own_course_only():
    a = CourseFolder(Path("/nowhere"))
    a.__dict__["settings"], a.__dict__["roster"] = A, ()
    state = AccountsState(frozenset(), {}, {})
    listed = rows(a, [A, B], state, "prof")
    assert {row.name for row in listed} == {"root", "prof", "ada", "both", "ta", "root2"}
    assert {row.name for row in listed if row.may_issue} == {"ada", "both"}
