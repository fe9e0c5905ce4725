"""Who may open whose server in a browser, and by which cookie: decisions, without a hub."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets.config import Config

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.facts.deployment import Deployment
from hub.facts.names import USER_NAME
from hub.jupyterhub.configuration import containers, jupyterhub
from hub.jupyterhub.pages.server_access import (
    AccessRequest,
    GrantPage,
    access_request,
    cookie_name,
    cookie_prefix,
    decision,
    revoke_grants,
)

GRADER = "grader-m"
LETTERS_OF_COOKIES = set("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")
names = st.from_regex(USER_NAME, fullmatch=True)


@pytest.mark.parametrize(
    ("visitor", "owner", "may_access", "expected"),
    [
        ("alice", "alice", False, "open"),
        ("alice", "bob", False, "refuse"),
        ("alice", GRADER, False, "refuse"),
        ("prof", GRADER, True, "open"),
        ("prof", "bob", False, "refuse"),
        ("root", GRADER, True, "open"),
        ("root", "bob", True, "ask"),
        ("root", "grader-other", True, "ask"),
    ],
)
def test_owners_and_instructors_go_on_and_admins_are_asked(visitor, owner, may_access, expected):
    assert decision(visitor, owner, {GRADER}, may_access) == expected


OPEN = "/logitlab/open?course=c&assignment=06-a"  # of the course's page


@pytest.mark.parametrize("rest", ["", "/", "/lab/tree/a%20b?reset", "?x=/user/bob/", "/a//b", OPEN])
def test_a_visit_leads_to_the_very_page_that_was_asked_for(rest):
    assert access_request(f"/hub/visit/user/alice{rest}", "/hub/") == AccessRequest(
        "alice", f"/user/alice{rest}"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "/hub/visit",
        "/hub/visit/",
        "/hub/visit/hub/home",
        "/hub/visit//evil.example/user/alice/",
        "/hub/visit/user//evil.example",
        "/hub/visit/user/",
        "/hub/visit/user/%6dallory/",
        "/hub/visit/user/alice%2F..%2Fbob/",
        "/hub/visit/user/alice\\bob",
        "/hub/visit/user/alice:80",
        "/hub/visit/user/a b",
        "/hub/visits/user/alice",
        "http://evil.example/hub/visit/user/alice",
    ],
)
def test_an_address_that_is_not_plainly_a_server_gets_no_grant(uri):
    assert access_request(uri, "/hub/") is None


@given(names)
def test_everybody_who_can_be_in_a_course_can_open_their_server(name):
    assert access_request(f"/hub/visit/user/{name}/lab", "/hub/") == AccessRequest(
        name, f"/user/{name}/lab"
    )
    assert set(cookie_name(name, "visit-")) <= LETTERS_OF_COOKIES


@given(names, names)
def test_no_two_people_have_the_same_cookie(one, other):
    assert (cookie_name(one, "visit-") == cookie_name(other, "visit-")) == (one == other)


def test_a_name_with_an_at_sign_is_the_same_in_both_spellings():
    assert access_request("/hub/visit/user/a%40b.c/", "/hub/") == AccessRequest(
        "a@b.c", "/user/a%40b.c/"
    )
    assert cookie_name("a@b.c", "visit-") == "visit-a%40b.c"


def test_with_tls_no_other_host_of_the_domain_can_set_the_cookie():
    assert cookie_prefix("https://course.example") == "__Host-visit-"
    assert cookie_prefix("http://localhost:8000") == "visit-"


def test_logging_in_takes_every_visit_away_and_nothing_else():
    cookies = ["__Host-visit-bob", "visit-bob", "_xsrf", "jupyterhub-session-id", "my-visit-x"]
    cleared = []
    handler = SimpleNamespace(
        request=SimpleNamespace(cookies=dict.fromkeys(cookies)),
        clear_cookie=lambda name, path: cleared.append((name, path)),
    )
    assert revoke_grants(None, handler, {"name": "alice"}) == {"name": "alice"}
    assert cleared == [("__Host-visit-bob", "/"), ("visit-bob", "/")]


@pytest.fixture(name="folder")
def _folder(tmp_path) -> CourseFolder:
    list(new_course(tmp_path))
    return CourseFolder(tmp_path)


def test_the_hub_in_containers_gives_grants_and_revokes_them_at_every_login(folder):
    database = "postgresql+psycopg:///jupyterhub"
    folder = CourseFolder(folder.root, Environment(hub_database=database, in_containers=True))
    c = Config()
    containers.update(c, folder, Deployment("lab", "1", "https://course.example"))
    pages = [each for each in c.JupyterHub.extra_handlers if each[1] is GrantPage]
    graders = {folder.settings.course.grader}
    assert pages == [("/visit/.*", GrantPage, {"graders": graders, "begins": "__Host-visit-"})]
    assert c.Authenticator.post_auth_hook is revoke_grants


def test_the_embedded_server_has_no_gateway_and_so_no_grants(folder):
    c = Config()
    jupyterhub.update(c, folder, jupyterhub.Ports(1, 2, 3, 4))
    assert all(each[1] is not GrantPage for each in c.JupyterHub.extra_handlers)
    assert "post_auth_hook" not in c.Authenticator
