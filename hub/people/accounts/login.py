"""Derives the configuration of login from settings and environment, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.environment import Environment
from hub.core.roster.merge import everybody
from hub.core.settings import OAuthSettings, Settings, SettingsError
from hub.facts import env

Kind = Literal["demo", "native", "oauth"]

CLASSES: dict[Kind, str] = {
    "demo": "hub.people.accounts.demo.DemoAuthenticator",
    "native": "hub.people.accounts.passwords.PasswordAuthenticator",
    "oauth": "hub.people.accounts.institution.InstitutionAuthenticator",
}
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class AccountsError(SettingsError):
    """The login settings cannot work here; the message says what to do."""


def login_kind(settings: Settings, environment: Environment) -> Kind:
    """How people log in here.

    Raises AccountsError if that would be demonstration passwords on an address beyond
    this machine.
    """
    login = settings.accounts.login
    if login == "auto":
        return "native" if environment.in_containers else "demo"
    if login == "demo" and environment.in_containers:
        url = environment.url or settings.accounts.url or ""
        if urlsplit(url).hostname not in LOCAL_HOSTS:
            raise AccountsError(
                "accounts.login: demo is for trials on localhost, and this server is at "
                f"{url or 'an unknown address'}.",
                "Set accounts.login to native or oauth.",
            )
    return login


def public_url(folder: CourseFolder) -> str:
    """The public address: the environment's, else `accounts.url`, else the one that the
    embedded server has written down, else its default."""
    settings = folder.settings
    if named := folder.environment.url or settings.accounts.url:
        return named.rstrip("/")
    try:
        return address_file(folder).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return f"http://localhost:{folder.environment.port or settings.server.port}"


def address_file(folder: CourseFolder) -> Path:
    """The file in which the embedded server stores its address, for commands in other terminals."""
    return folder.server / "address"


def oauth_secret(environment: Environment) -> str:
    """The OAuth client secret, from a file or the environment.

    Raises AccountsError if neither is set.
    """
    if path := environment.oauth_secret_file:
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise AccountsError(f"{env.OAUTH_SECRET_FILE}={path}: {error.strerror}") from error
    else:
        secret = environment.oauth_secret
    if not secret:
        raise AccountsError(
            "accounts.login: oauth needs the client's secret.",
            f"Name a file with it in {env.OAUTH_SECRET_FILE}.",
        )
    return secret


def configuration(folder: CourseFolder) -> dict[str, dict[str, Any]]:
    """JupyterHub's login configuration: class -> trait -> value.

    Raises AccountsError if the settings cannot work here.
    """
    settings = folder.settings
    courses = [course.settings for course in courses_of(folder)]
    kind = login_kind(settings, folder.environment)
    name = CLASSES[kind].rpartition(".")[2]
    own: dict[str, Any] = {"course": folder}
    if kind == "demo":
        own["accounts_file"] = str(folder.server / "accounts.json")
    elif kind == "native":
        own |= _passwords(settings)
    elif settings.accounts.oauth:
        url = public_url(folder)
        own |= _oauth(settings.accounts.oauth, url, oauth_secret(folder.environment))
    return {
        "JupyterHub": {"authenticator_class": CLASSES[kind]},
        "Authenticator": {
            "admin_users": {name for each in courses for name in each.people.admins},
            "allowed_users": set(everybody(*courses)),
            # Otherwise anybody who was ever let in always would be.
            "allow_existing_users": False,
            "any_allow_config": True,
        },
        name: own,
    }


def _passwords(settings: Settings) -> dict[str, Any]:
    accounts = settings.accounts
    return {
        "enable_signup": False,
        "open_signup": False,
        "check_common_password": True,
        "minimum_password_length": accounts.password_length,
        "allowed_failed_logins": accounts.lock_after,
        "seconds_before_next_try": 60 * accounts.lock_minutes,
    }


def _oauth(oauth: OAuthSettings, url: str, secret: str) -> dict[str, Any]:
    return {
        "login_service": oauth.service,
        "client_id": oauth.client_id,
        "client_secret": secret,
        "authorize_url": oauth.authorize_url,
        "token_url": oauth.token_url,
        "userdata_url": oauth.userdata_url,
        "username_claim": oauth.username_claim,
        "scope": list(oauth.scopes),
        "oauth_callback_url": f"{url}/hub/oauth_callback",
    }
