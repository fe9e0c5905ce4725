"""Settings and environment in, a way to log in out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from traitlets.config import Config

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.core.settings import SettingsError, load_settings
from hub.jupyterhub.configuration import jupyterhub
from hub.people.accounts.institution import InstitutionAuthenticator
from hub.people.accounts.login import (
    AccountsError,
    address_file,
    configuration,
    login_kind,
    public_url,
)

OAUTH = """
  oauth:
    service: Example University
    client_id: logitlab
    authorize_url: https://login.example.org/authorize
    token_url: https://login.example.org/token
    userdata_url: https://login.example.org/userinfo
"""
CONTAINERS = {"LOGITLAB_SHAPE": "containers", "LOGITLAB_URL": "https://course.example.org"}


def course(tmp_path: Path, accounts: str, **environ: str) -> CourseFolder:
    list(new_course(tmp_path))
    (tmp_path / "course.yaml").write_text(
        f"course:\n  id: m\npeople:\n  admins: [root]\n  students: [ada]\naccounts:\n  {accounts}\n"
    )
    return CourseFolder(tmp_path, Environment.read(environ))


@pytest.mark.parametrize(
    ("login", "environ", "kind"),
    [
        ("auto", {}, "demo"),
        ("auto", CONTAINERS, "native"),
        ("native", {}, "native"),
        ("demo", {}, "demo"),
        ("demo", CONTAINERS | {"LOGITLAB_URL": "http://localhost:8080"}, "demo"),
        ("auto", CONTAINERS | {"LOGITLAB_URL": "http://localhost:8080"}, "native"),
    ],
)
def test_the_way_to_log_in_follows_setting_and_shape(tmp_path, login, environ, kind):
    folder = course(tmp_path, f"login: {login}", **environ)
    assert login_kind(folder.settings, folder.environment) == kind


@pytest.mark.parametrize(
    "url", ["https://course.example.org", "http://localhost.example.org", "http://10.0.0.1", ""]
)
def test_demonstration_passwords_are_refused_beyond_this_machine(tmp_path, url):
    folder = course(tmp_path, "login: demo", **CONTAINERS | {"LOGITLAB_URL": url})
    with pytest.raises(AccountsError, match="native or oauth"):
        login_kind(folder.settings, folder.environment)


def test_passwords_of_ones_own_come_without_sign_up(tmp_path):
    found = configuration(course(tmp_path, "login: native"))
    own = found["PasswordAuthenticator"]
    assert own["enable_signup"] is False and own["open_signup"] is False
    assert own["minimum_password_length"] == 10
    assert own["allowed_failed_logins"] == 8 and own["seconds_before_next_try"] == 300
    assert found["Authenticator"]["allowed_users"] == {"root", "ada"}
    assert found["Authenticator"]["allow_existing_users"] is False


def test_configuring_twice_changes_nothing(tmp_path):
    folder = course(tmp_path, "login: native")
    c = Config()
    jupyterhub.update_people(c, folder)
    before = repr(c)
    jupyterhub.update_people(c, folder)
    assert repr(c) == before
    assert c.JupyterHub.authenticator_class == "hub.people.accounts.passwords.PasswordAuthenticator"


def test_an_institutions_accounts_are_configured_from_the_settings_and_a_secret_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    folder = course(
        tmp_path / "course",
        f"login: oauth\n  url: https://course.example.org{OAUTH}",
        LOGITLAB_OAUTH_SECRET_FILE=str(secret),
    )
    found = configuration(folder)
    assert found["JupyterHub"]["authenticator_class"].endswith("InstitutionAuthenticator")
    own = found["InstitutionAuthenticator"]
    assert own["client_secret"] == "hush"
    assert own["username_claim"] == "preferred_username"
    assert own["oauth_callback_url"] == "https://course.example.org/hub/oauth_callback"
    assert own["login_service"] == "Example University"


def test_an_institution_without_a_secret_is_refused_with_where_to_put_it(tmp_path):
    for environ in ({}, {"LOGITLAB_OAUTH_SECRET_FILE": "/nowhere"}):
        folder = course(tmp_path, f"login: oauth{OAUTH}", **environ)
        with pytest.raises(AccountsError, match="LOGITLAB_OAUTH_SECRET_FILE"):
            configuration(folder)


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        (f"login: oauth{OAUTH}    client_secret: hush\n", "line 14: accounts.oauth.client_secret"),
        (f"login: oauth{OAUTH.replace('https://login', 'http://login')}", "https:// address"),
        ("login: oauth", "accounts.oauth"),
        ("login: open", "'auto', 'demo', 'native' or 'oauth'"),
        ("password_length: 4", "greater than or equal to 8"),
        ("url: course.example.org", "https://course.example.org"),
        ("url: https://user:pass@example.org", "https://course.example.org"),
    ],
)
def test_wrong_settings_of_accounts_are_refused(tmp_path, accounts, expected):
    folder = course(tmp_path, accounts)
    with pytest.raises(SettingsError) as error:
        load_settings(folder.settings_file)
    assert expected in str(error.value)


def test_links_begin_with_the_address_that_is_named_first(tmp_path):
    named = "url: https://course.example.org/"
    elsewhere = course(tmp_path, named, LOGITLAB_URL="https://else.example/")
    assert public_url(elsewhere) == "https://else.example"
    assert public_url(course(tmp_path, named)) == "https://course.example.org"
    plain = course(tmp_path, "login: native")
    assert public_url(plain) == "http://localhost:8000"
    moved = course(tmp_path, "login: native", LOGITLAB_PORT="8080")
    assert public_url(moved) == "http://localhost:8080"
    address_file(plain).write_text("http://localhost:9999\n")
    assert public_url(plain) == "http://localhost:9999"


@pytest.mark.parametrize(
    ("claim", "info", "name"),
    [
        ("preferred_username", {"preferred_username": "Ada"}, "Ada"),
        ("email", {"email": "ada@x.org", "email_verified": True}, "ada@x.org"),
        ("email", {"email": "ada@x.org", "email_verified": False}, None),
        ("preferred_username", {"email": "ada@x.org"}, None),
    ],
)
def test_an_institution_says_a_name_only_where_it_vouches_for_it(claim, info, name):
    authenticator = InstitutionAuthenticator(username_claim=claim)
    if name is None:
        with pytest.raises(ValueError):
            authenticator.user_info_to_username(info)
    else:
        assert authenticator.user_info_to_username(info) == name


def test_an_institutions_account_gets_in_only_if_it_is_in_the_course():
    authenticator = InstitutionAuthenticator(allowed_users={"ada"}, allow_existing_users=False)
    for model in ({"admin": True}, {"admin": False}, None):
        assert asyncio.run(authenticator.check_allowed("ada", model)) is True
        assert asyncio.run(authenticator.check_allowed("mallory", model)) is False
