"""One-time links, counting of wrong attempts, and who may give whom a link: without a hub."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from jupyterhub import orm

from hub.core.settings import Settings
from hub.jupyterhub.pages.guarded import sender
from hub.people.accounts import password_links
from hub.people.accounts.rules import may_issue_link, may_see_people, role
from hub.people.accounts.throttle import Throttle
from hub.people.sessions import end_sessions


@pytest.fixture
def database(tmp_path: Path, empty_databases: Path) -> Path:
    return Path(shutil.copy(empty_databases / "jupyterhub.sqlite", tmp_path))


@pytest.fixture
def session(database: Path):
    session = orm.new_session_factory(f"sqlite:///{database}")()
    yield session
    session.close()


def test_a_link_is_its_owners_until_it_is_used(session):
    link = password_links.issue(session, "ada", 14, "prof")
    assert password_links.owner(session, link.key) == "ada"
    assert password_links.owner(session, link.key) == "ada", "looking uses nothing up"
    assert password_links.use(session, link.key) == "ada"
    assert password_links.use(session, link.key) is None
    assert password_links.owner(session, link.key) is None


def test_the_key_is_kept_nowhere(session, database):
    link = password_links.issue(session, "ada", 14, "prof")
    assert len(link.key) == 43
    assert link.key.encode() not in database.read_bytes()
    assert b"ada" in database.read_bytes()


def test_a_new_link_voids_the_older_ones_of_the_same_person_only(session):
    old, other = (
        password_links.issue(session, "ada", 14, "prof"),
        password_links.issue(session, "zoe", 14, "prof"),
    )
    new = password_links.issue(session, "ada", 14, "prof")
    assert password_links.owner(session, old.key) is None
    assert password_links.owner(session, new.key) == "ada"
    assert password_links.owner(session, other.key) == "zoe"
    password_links.void(session, "zoe", "nobody")
    assert password_links.owner(session, other.key) is None


def test_a_link_ends_when_its_days_are_over(session, monkeypatch):
    link = password_links.issue(session, "ada", 14, "prof")
    issued = password_links.now()
    monkeypatch.setattr(password_links, "now", lambda: issued + dt.timedelta(days=13, hours=23))
    assert password_links.owner(session, link.key) == "ada"
    assert set(password_links.open_links(session)) == {"ada"}
    monkeypatch.setattr(password_links, "now", lambda: issued + dt.timedelta(days=14, seconds=1))
    assert password_links.owner(session, link.key) is None
    assert password_links.use(session, link.key) is None
    assert password_links.open_links(session) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: key.swapcase(),
        lambda key: password_links._hash(key),
        lambda key: "%",
        lambda key: "' OR 1=1 --",
        lambda key: "\0" * 43,
    ],
)
def test_only_the_very_key_opens(session, change):
    link = password_links.issue(session, "ada", 14, "prof")
    assert password_links.owner(session, change(link.key)) is None
    assert password_links.owner(session, link.key) == "ada"


def test_two_uses_at_the_same_moment_are_one(database):
    make = orm.new_session_factory(f"sqlite:///{database}")
    first, second = make(), make()
    key = password_links.issue(first, "ada", 14, "prof").key
    assert password_links.owner(second, key) == "ada"
    second.commit()
    assert password_links.use(first, key) == "ada"
    first.commit()
    assert password_links.use(second, key) is None
    first.close()
    second.close()


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_wrong_attempts_lock_for_a_time_and_each_key_by_itself():
    clock = Clock()
    throttle = Throttle(3, 60, clock)
    assert [throttle.attempt("ada") for _ in range(5)] == [True, True, True, False, False]
    assert throttle.attempt("zoe")
    clock.time += 59
    assert not throttle.attempt("ada")
    clock.time += 2
    assert throttle.attempt("ada")


def test_waiting_attempts_do_not_prolong_the_lock():
    clock = Clock()
    throttle = Throttle(2, 60, clock)
    for _ in range(61):
        throttle.attempt("ada")
        clock.time += 1
    assert not throttle.locked("ada")


def test_a_right_password_clears_the_count():
    throttle = Throttle(3, 60, Clock())
    for _ in range(10):
        assert throttle.attempt("ada")
        assert throttle.attempt("ada")
        throttle.forgive("ada")


def test_a_flood_of_names_takes_a_bounded_memory():
    throttle = Throttle(1, 60, Clock())
    for number in range(30_000):
        throttle.attempt(number)
    assert len(throttle._attempts) <= 20_000
    assert throttle.locked(29_999)


COURSE = Settings.model_validate(
    {
        "course": {"id": "m"},
        "people": {
            "admins": ["root", "both"],
            "instructors": ["prof", "ta"],
            "students": ["ada", "zoe", "both"],
        },
    }
)


@pytest.mark.parametrize(
    ("actor", "target", "may"),
    [
        ("prof", "ada", True),
        ("root", "ada", True),
        ("root", "prof", True),
        ("root", "root", True),
        ("root", "both", True),
        ("prof", "root", False),
        ("prof", "ta", False),
        ("prof", "prof", False),
        ("prof", "both", False),
        ("prof", "grader-m", False),
        ("root", "grader-m", False),
        ("prof", "mallory", False),
        ("root", "mallory", False),
        ("ada", "ada", False),
        ("ada", "zoe", False),
        ("grader-m", "ada", False),
        ("mallory", "ada", False),
    ],
)
def test_a_link_never_leads_upwards(actor, target, may):
    assert may_issue_link(COURSE, [COURSE], actor, target) is may


def test_people_are_seen_by_instructors_and_admins():
    everyone = ("root", "prof", "ta", "ada", "both", "grader-m", "mallory")
    assert [name for name in everyone if may_see_people(COURSE, [COURSE], name)] == [
        *("root", "prof", "ta", "both")
    ]
    assert role(COURSE, "grader-m") is None


def test_ending_sessions_spares_the_token_of_a_running_server_and_no_other(session):
    session.add(orm.OAuthClient(identifier="jupyterhub"))
    session.add(orm.OAuthClient(identifier="jupyterhub-user-ada"))
    user = orm.User(name="ada")
    other = orm.User(name="zoe")
    session.add_all([user, other])
    session.commit()
    cookie = user.cookie_id
    forged = user.new_api_token(note="Server at /user/ada/", scopes=["inherit"])
    server = user.new_api_token(note="Server at /user/ada/", scopes=["inherit"])
    user._orm_spawners.append(orm.Spawner(name="", started=password_links.now()))
    own = user.new_api_token(note="mine", scopes=["inherit"])
    late = user.new_api_token(note="Server at /user/ada/", scopes=["inherit"])
    orm.APIToken.find(session, late).created = password_links.now() + dt.timedelta(seconds=1)
    browser = user.new_api_token(
        oauth_client=session.query(orm.OAuthClient)
        .filter_by(identifier="jupyterhub-user-ada")
        .one(),
        scopes=["inherit"],
    )
    theirs = other.new_api_token(scopes=["inherit"])
    session.commit()

    end_sessions(session, user)
    session.commit()
    session.expire_all()
    assert user.cookie_id != cookie
    alive = [
        token
        for token in (forged, server, own, late, browser, theirs)
        if orm.APIToken.find(session, token)
    ]
    assert alive == [server, theirs]

    end_sessions(session, user, servers_live=False)
    session.commit()
    assert orm.APIToken.find(session, server) is None


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("10.9.9.9, 192.0.2.1", "192.0.2.1"),
        ("10.9.9.9, 192.0.2.1, 172.20.0.2", "192.0.2.1"),
        ("172.20.0.2", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_a_client_chooses_no_address_for_itself(forwarded, address):
    assert sender(forwarded, "127.0.0.1", ["172.20.0.2"]) == address
