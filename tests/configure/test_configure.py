"""Settings in, configuration out."""

import json
from pathlib import Path

import pytest
from traitlets.config import Config

from hub.core.course_folder import CourseFolder, new_course
from hub.core.roster.merge import everybody
from hub.core.settings import Settings
from hub.jupyterhub.configuration import jupyterhub, jupyterlab
from hub.jupyterhub.pages import formgrader_redirects
from hub.jupyterhub.spawners.environment import environment, home
from hub.people import roles
from hub.people.accounts.demo import demo_accounts

PORTS = jupyterhub.Ports(public=8000, hub=8001, proxy_api=8002, exchange=8003)


@pytest.fixture
def folder(tmp_path: Path) -> CourseFolder:
    list(new_course(tmp_path / "course"))
    return CourseFolder(tmp_path / "course")


def configured(folder: CourseFolder) -> Config:
    c = Config()
    jupyterhub.update(c, folder, PORTS)
    return c


def test_configuring_twice_changes_nothing(folder):
    c = configured(folder)
    before = repr(c)
    jupyterhub.update(c, folder, PORTS)
    assert repr(c) == before


def test_nothing_listens_beyond_localhost(folder):
    c = configured(folder)
    urls = [
        c.JupyterHub.bind_url,
        c.JupyterHub.hub_bind_url,
        c.ConfigurableHTTPProxy.api_url,
        *(service["url"] for service in c.JupyterHub.services),
    ]
    assert all(url.startswith("http://127.0.0.1:") for url in urls)


def test_only_the_people_of_the_course_may_log_in(folder):
    c = configured(folder)
    assert c.Authenticator.allowed_users == {"admin", "instructor", "alice", "bob"}
    assert c.Authenticator.admin_users == {"admin"}


def test_the_grader_account_belongs_to_the_instructors_and_has_no_password(folder):
    settings = folder.settings
    group = roles.groups(settings)[settings.course.instructor_group]
    assert group["users"] == ["instructor", "grader-mechinterp"]
    accounts = demo_accounts(everybody(settings), folder.server / "accounts.json")
    assert settings.course.grader not in accounts


def test_no_role_outside_the_hub_is_an_admin(folder):
    for role in roles.roles(folder.settings):
        for scope in role["scopes"]:
            assert not scope.startswith("admin"), (role["name"], scope)
            # Whoever may touch other users or groups may do so by name only.
            powerful = scope.split("!")[0] in {"servers", "access:servers", "groups", "tokens"}
            assert "!" in scope or not powerful, (role["name"], scope)


def test_a_student_server_holds_no_more_than_its_owner_needs():
    assert roles.SERVER_TOKEN_SCOPES == [
        "users:activity!user",
        "access:servers!server",
        "access:services!service=exchange",
    ]


def test_only_the_grader_sees_the_gradebook(folder):
    parts: list[jupyterlab.Role] = ["student", "instructor"]
    for role in parts:
        text = json.dumps(jupyterlab.files(role, folder))
        assert str(folder.root) not in text
        assert "gradebook" not in text
    grader = jupyterlab.nbgrader_config("grader", folder)
    assert grader["CourseDirectory"]["db_url"] == folder.gradebook_url


def test_only_the_grader_runs_the_formgrader(folder):
    parts: dict[jupyterlab.Role, bool] = {"student": False, "instructor": False, "grader": True}
    for role, expected in parts.items():
        extensions = jupyterlab.server_config(role)["ServerApp"]["jpserver_extensions"]
        assert extensions.get("hub.singleuser.formgrader", False) is expected
        assert extensions["nbgrader.server_extensions.formgrader"] is False


def test_demo_passwords_are_random_kept_and_private(folder):
    path = folder.server / "accounts.json"
    first = demo_accounts(everybody(folder.settings), path)
    assert demo_accounts(everybody(folder.settings), path) == first
    assert len(set(first.values())) == 4
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_person_gets_a_password_and_the_others_keep_theirs(folder):
    path = folder.server / "accounts.json"
    first = demo_accounts(everybody(folder.settings), path)
    people = {"students": ["alice", "bob", "carol"], "instructors": ["instructor"]}
    grown = Settings.model_validate({"course": {"id": "mechinterp"}, "people": people})
    second = demo_accounts(everybody(grown), path)
    assert second["alice"] == first["alice"]
    assert "carol" in second
    assert "admin" not in second


def test_students_get_homes_of_their_own_and_the_grader_the_course_folder(folder):
    assert home("alice", folder) == folder.server / "homes" / "alice"
    assert home("alice", folder) != home("bob", folder)
    assert home("grader-mechinterp", folder) == folder.root


def test_nothing_is_downloaded_at_run_time(folder):
    assert environment("alice", folder, "http://x")["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("role", ["student", "instructor", "grader"])
def test_the_debuggers_port_is_opened_only_where_no_other_account_reaches_it(folder, role):
    """It asks for no token, and a container has a network of its own."""
    for containers in (False, True):
        page = jupyterlab.page_config(role, folder.settings, containers)
        assert ("@jupyterlab/debugger-extension" in page["disabledExtensions"]) is not containers


def test_only_the_graders_environment_names_the_course_folder(folder):
    for user in ("alice", "instructor"):
        values = environment(user, folder, "http://x")
        del values["JUPYTER_CONFIG_PATH"]
        assert str(folder.root) not in " ".join(values.values())


@pytest.mark.parametrize("role", ["student", "instructor", "grader"])
def test_nbgrader_reads_the_configuration_that_is_written(folder, role, monkeypatch):
    from nbgrader.apps import NbGrader

    jupyterlab.write(folder)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(jupyterlab.config_path(role, folder)))
    monkeypatch.chdir(folder.root)
    app = NbGrader()
    app.load_config_file()
    assert app.config.CourseDirectory.course_id == "mechinterp"
    assert app.config.ExchangeFactory.submit == "hub.exchange.client.ExchangeSubmit"


@pytest.mark.parametrize(
    ("groups", "referer", "url"),
    [
        (["formgrade-a"], "", "/user/grader-a/lab/tree/release/x"),
        (
            ["formgrade-a", "formgrade-b"],
            "http://h/user/grader-b/formgrader/",
            "/user/grader-b/lab/tree/release/x",
        ),
        (["nbgrader-a"], "http://h/user/grader-a/formgrader/", None),
        ([], "", None),
    ],
)
def test_the_formgraders_links_lead_instructors_into_their_courses_files(groups, referer, url):
    assert formgrader_redirects.target(groups, referer, "./release/x") == url


def test_a_link_cannot_leave_the_graders_files():
    assert (
        formgrader_redirects.target(["formgrade-a"], "", "../../hub/logout")
        == "/user/grader-a/lab/tree/hub/logout"
    )
