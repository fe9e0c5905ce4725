"""Attacks on accounts, each beside the honest use that works."""

from __future__ import annotations

import re
import sqlite3
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hub.people.accounts.login import AccountsError
from tests.accounts.running import (
    PASSWORD,
    Browser,
    import_roster,
    link,
    log,
    served,
    within,
    xsrf,
)
from tests.e2e.embedded import RunningServer

pytestmark = [pytest.mark.hub, pytest.mark.slow]

EVIL = "<img src=x onerror=alert(1)>"
ROSTER = f"""username,first_name,last_name,email
ada,Ada,"Lovelace, Countess",ada@example.org
eve,{EVIL},</td><script>alert(2)</script>,e@example.org
lea,Lea,Left,
mia,Mia,M,
zoe,Zoé,Z,
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with served(tmp_path_factory.mktemp("accounts") / "course") as running:
        import_roster(running, ROSTER)
        within(20, lambda: "zoe joined the course" in log(running))
        yield running


@pytest.fixture
def browser(hub: RunningServer) -> Iterator[Browser]:
    browser = Browser(hub.url)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def people(hub: RunningServer) -> Iterator[dict[str, Browser]]:
    """prof, root and ada with passwords, each logged in in a browser of their own."""
    found = {}
    for name in ("prof", "root", "ada"):
        found[name] = Browser(hub.url)
        assert found[name].set_password(link(hub, name)).status_code == 200
        found[name].log_in(name)
        assert found[name].who() == name
    yield found
    for one in found.values():
        one.close()


def refused(answer: httpx.Response) -> bool:
    return answer.status_code in (403, 404) and "Password set" not in answer.text


# --- log-in ---------------------------------------------------------------------------------


def test_nobody_has_a_password_to_begin_with(hub, browser):
    for name in ("bob", "ta", "grader-m"):
        for password in ("", name, "password", "nobody's"):
            answer = browser.log_in(name, password)
            assert answer.status_code in (403, 429)
    assert browser.who() is None


def test_nobody_signs_up_and_natives_other_pages_are_closed(people, browser):
    assert people["root"].get("/hub/people").status_code == 200  # an admin, who would see them
    fields = {"username": "mallory", "password": PASSWORD, "signup_password": PASSWORD}
    fields |= {"signup_password_confirmation": PASSWORD, "new_password": PASSWORD}
    for path in ("signup", "authorize/ada", "discard/ada", "confirm/x", "change-password/ada"):
        for who in (browser, people["ada"], people["root"]):
            assert who.get(f"/hub/{path}").status_code == 404, path
            answer = who.send(who.get("/hub/home"), f"/hub/{path}", **fields)
            assert answer.status_code in (404, 405), path
    assert browser.log_in("mallory").status_code == 403
    assert browser.log_in("ada").status_code == 200


def test_guessing_locks_the_account_also_for_the_right_password(hub, browser):
    assert browser.set_password(link(hub, "mia")).status_code == 200
    assert browser.log_in("mia").status_code == 200  # the right one works
    attacker = Browser(hub.url)
    answers = [attacker.log_in("mia", f"wrong guess {number}").status_code for number in range(7)]
    assert answers == [403] * 5 + [429] * 2
    locked = attacker.log_in("mia")
    assert locked.status_code == 429
    assert "try again in 5 minutes" in locked.text
    assert browser.who() == "mia"  # who is in stays in
    assert attacker.set_password(link(hub, "mia"), "another horse 8").status_code == 200
    assert attacker.log_in("mia", "another horse 8").status_code == 200  # a link unlocks
    attacker.close()


def test_many_guesses_at_once_are_counted_one_by_one(hub):
    def guess(number: int) -> int:
        browser = Browser(hub.url)
        try:
            return browser.log_in("bob", f"guess number {number}").status_code
        finally:
            browser.close()

    browser = Browser(hub.url)
    assert browser.set_password(link(hub, "bob")).status_code == 200  # clears earlier attempts
    browser.close()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(16)))
    assert answers.count(403) == 5
    assert answers.count(429) == 11


def test_a_wrong_login_says_and_takes_the_same_for_names_that_exist_and_others(people, browser):
    def attempt(name: str) -> tuple[int, str, float]:
        page = browser.get("/hub/login")
        began = time.perf_counter()
        answer = browser.send(page, "/hub/login", username=name, password="wrong password 1")
        seconds = time.perf_counter() - began
        output = re.search(r'class="login_error">([^<]*)<', answer.text)
        return answer.status_code, output[1] if output else "", seconds

    there, nowhere = [attempt("prof") for _ in range(4)], [attempt("ghost") for _ in range(4)]
    assert (
        {one[:2] for one in there}
        == {one[:2] for one in nowhere}
        == {(403, "Invalid username or password")}
    )
    ratio = statistics.median(one[2] for one in there) / statistics.median(
        one[2] for one in nowhere
    )
    assert 0.5 < ratio < 2  # without the stand-in hash it is about 20
    for _ in range(2):
        there.append(attempt("prof"))
        nowhere.append(attempt("ghost"))
    assert there[-1][:2] == nowhere[-1][:2]
    assert there[-1][0] == 429


@pytest.mark.parametrize("password", ["x" * 73, "x" * 100_000, "a\0b", "ü" * 40, ""])
def test_odd_passwords_at_the_login_are_wrong_and_nothing_else(people, browser, password):
    assert browser.log_in("ada", password).status_code == 403
    assert browser.log_in("ada").status_code == 200


# --- links ----------------------------------------------------------------------------------


def test_a_link_sets_a_password_once(hub, browser):
    url = link(hub, "zoe")
    page = browser.get(url)
    assert page.status_code == 200 and ">zoe<" in page.text
    assert browser.set_password(url).status_code == 200
    assert refused(browser.set_password(url, "somebody else's 9"))
    key = url.partition("key=")[2]
    page = browser.get("/hub/login")
    answer = browser.send(
        page, "/hub/set-password", key=key, password="somebody else's 9", again="somebody else's 9"
    )
    assert refused(answer)
    assert browser.log_in("zoe", "somebody else's 9").status_code == 403
    assert browser.log_in("zoe").status_code == 200


def test_an_older_link_is_void(hub, browser):
    old, new = link(hub, "zoe"), link(hub, "zoe")
    assert refused(browser.set_password(old))
    assert browser.set_password(new).status_code == 200


def test_an_expired_link_is_refused(hub, browser):
    url = link(hub, "zoe")
    database = hub.course / "server" / "jupyterhub.sqlite"
    with sqlite3.connect(database, timeout=20) as connection:
        changed = connection.execute(
            "UPDATE password_links SET expires = '2020-01-01 00:00:00' WHERE name = 'zoe'"
        )
        assert changed.rowcount == 1
    connection.close()
    assert refused(browser.set_password(url))
    assert browser.set_password(link(hub, "zoe")).status_code == 200


def test_opening_a_link_uses_it_not_up(hub, browser):
    url = link(hub, "zoe")
    for _ in range(3):
        assert browser.get(url).status_code == 200
    assert browser.set_password(url).status_code == 200


def test_a_link_sets_the_password_of_its_owner_whatever_the_form_says(hub, people, browser):
    page = browser.get(url := link(hub, "zoe"))
    answer = browser.send(
        page,
        "/hub/set-password?name=root&username=root",
        key=url.partition("key=")[2],
        name="root",
        username="root",
        account="root",
        password="taken over 12",
        again="taken over 12",
    )
    assert answer.status_code == 200
    assert browser.log_in("root", "taken over 12").status_code == 403
    assert browser.log_in("zoe", "taken over 12").status_code == 200


def test_a_form_without_the_pages_token_sets_nothing(hub, browser):
    url = link(hub, "zoe")
    fields = {"key": url.partition("key=")[2], "password": PASSWORD, "again": PASSWORD}
    assert httpx.post(f"{hub.url}/hub/set-password", data=fields).status_code == 403
    other = Browser(hub.url)
    stolen = xsrf(other.get("/hub/login", headers={"User-Agent": "another"}).text)
    answer = browser.http.post("/hub/set-password", data=fields | {"_xsrf": stolen})
    assert answer.status_code == 403
    assert browser.set_password(url).status_code == 200
    other.close()


@pytest.mark.parametrize(
    ("password", "again", "says"),
    [
        ("short", "short", "At least 10 characters"),
        ("long enough 1", "long enough 2", "t match"),
        ("x" * 73, "x" * 73, "At most 72 bytes"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "Too common"),
        ("1234567890", "1234567890", "Too common"),
        ("zoe123456", "zoe123456", "At least 10"),
    ],
)
def test_a_weak_password_is_refused_and_the_link_stays_good(hub, browser, password, again, says):
    page = browser.get(url := link(hub, "zoe"))
    key = url.partition("key=")[2]
    answer = browser.send(page, "/hub/set-password", key=key, password=password, again=again)
    assert answer.status_code == 400 and says in answer.text
    assert password not in answer.text
    assert browser.set_password(url).status_code == 200


def test_a_link_opened_by_somebody_else_neither_logs_them_out_nor_the_owner_in(hub, people):
    prof = people["prof"]
    page = prof.get(url := link(hub, "zoe"))
    assert "prof</strong> is logged in in this browser" in page.text
    assert prof.set_password(url).status_code == 200
    assert prof.who() == "prof"


def test_a_new_password_ends_the_persons_other_sessions_and_tokens(hub, browser):
    browser.set_password(link(hub, "zoe"))
    browser.log_in("zoe")
    home = browser.get("/hub/home")
    headers = {"X-XSRFToken": xsrf(home.text), "Referer": str(home.url)}
    made = browser.http.post("/hub/api/users/zoe/tokens", headers=headers, json={})
    token = {"Authorization": f"token {made.json()['token']}"}
    assert httpx.get(f"{hub.url}/hub/api/user", headers=token).status_code == 200
    elsewhere = Browser(hub.url)
    assert elsewhere.set_password(link(hub, "zoe"), "new horse 123").status_code == 200
    assert browser.who() is None
    assert httpx.get(f"{hub.url}/hub/api/user", headers=token).status_code == 403
    elsewhere.close()


def test_the_key_of_a_link_is_in_no_log_and_leaves_by_no_header(hub, browser):
    url = link(hub, "zoe")
    key = url.partition("key=")[2]
    page = browser.get(url)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    hosts = re.findall(r'(?:src|href|action)="(https?:)?//', page.text)
    assert hosts == []
    browser.get(f"{url}%ff&key=%ff")  # an address that cannot be decoded fails
    browser.set_password(url)
    browser.get(url)
    assert "/hub/set-password" in log(hub)
    assert key not in log(hub)


def test_a_link_page_says_the_same_of_every_link_that_is_not_good(hub, browser):
    void = link(hub, "zoe")
    link(hub, "zoe")
    output = {
        re.sub(r"xsrf[^,;]*|_xsrf.*", "", browser.get(url).text)
        for url in (void, "/hub/set-password?key=" + "A" * 43, "/hub/set-password?key=")
    }
    texts = {
        re.sub(r"\s+", " ", re.sub(r"<script.*?</script>", "", one, flags=re.S)) for one in output
    }
    assert len(texts) == 1


# --- one's own password ---------------------------------------------------------------------


def test_a_password_is_changed_with_the_old_one_only(hub, browser):
    browser.set_password(link(hub, "zoe"))
    browser.log_in("zoe")
    other = Browser(hub.url)
    other.log_in("zoe")
    page = browser.get("/hub/change-password")
    new = {"password": "changed horse 1", "again": "changed horse 1"}
    for old in ("", "wrong password", "changed horse 1"):
        answer = browser.send(page, "/hub/change-password", old=old, **new)
        assert answer.status_code == 400 and "old password is wrong" in answer.text
    assert other.who() == "zoe"
    assert browser.send(page, "/hub/change-password", old=PASSWORD, **new).status_code == 200
    assert browser.who() == "zoe"  # stays in here
    assert other.who() is None  # and nowhere else
    assert other.log_in("zoe").status_code == 403
    assert other.log_in("zoe", "changed horse 1").status_code == 200
    other.close()


def test_old_passwords_are_not_guessed_by_who_found_a_browser_open(hub, browser):
    browser.set_password(link(hub, "zoe"))
    browser.log_in("zoe")
    page = browser.get("/hub/change-password")
    new = {"password": "changed horse 1", "again": "changed horse 1"}
    answers = [
        browser.send(page, "/hub/change-password", old=f"guess {n}", **new).status_code
        for n in range(7)
    ]
    assert answers == [400] * 5 + [429] * 2
    assert browser.send(page, "/hub/change-password", old=PASSWORD, **new).status_code == 429


def test_a_page_of_somebodys_server_changes_no_password_and_makes_no_link(hub, people):
    """Students' servers share the hub's origin: what they show could read a form's token."""
    for who, path, fields in (
        (
            "ada",
            "change-password",
            {"old": PASSWORD, "password": "b" * 5 + PASSWORD, "again": "b" * 5 + PASSWORD},
        ),
        ("prof", "people", {"name": "bob"}),
    ):
        browser = people[who]
        page = browser.get(f"/hub/{path}")
        data = {"_xsrf": xsrf(page.text), **fields}
        for headers in (
            {},
            {"Referer": f"{hub.url}/user/bob/files/evil.html"},
            {"Referer": "https://evil.example/hub/people"},
        ):
            assert browser.http.post(f"/hub/{path}", data=data, headers=headers).status_code == 403
    again = Browser(hub.url)
    assert again.log_in("ada").status_code == 200  # by the old password
    again.close()
    answer = people["prof"].send(people["prof"].get("/hub/people"), "/hub/people", name="bob")
    assert "set-password?key=" in answer.text


# --- people ---------------------------------------------------------------------------------


def test_the_people_page_is_for_instructors_and_admins(people, browser):
    assert "ada@example.org" in people["prof"].get("/hub/people").text
    assert "ada@example.org" in people["root"].get("/hub/people").text
    answer = people["ada"].get("/hub/people")
    assert answer.status_code == 403 and "ada@example.org" not in answer.text
    assert "/hub/login" in str(browser.get("/hub/people").url)
    assert 'href="/hub/people' not in people["ada"].get("/hub/home").text
    assert 'href="/hub/people/m"' in people["prof"].get("/hub/home").text


def test_the_people_page_is_a_courses_and_its_old_address_leads_there(people, browser):
    prof = people["prof"]
    page = prof.get("/hub/people")
    assert page.url.path == "/hub/people/m" and "ada@example.org" in page.text
    for path in ("other", "grader-m", "m/", "M", "m%2F..%2Fm"):
        assert prof.get(f"/hub/people/{path}").status_code == 404, path
    assert people["ada"].get("/hub/people/m").status_code == 403
    assert people["ada"].get("/hub/people/other").status_code == 403  # nor whether there is one
    assert "/hub/login" in str(browser.get("/hub/people/m").url)
    # A page that was open before an upgrade sends its form to the address without the course.
    answer = prof.send(page, "/hub/people", name="bob")
    assert answer.status_code == 200 and "set-password?key=" in answer.text


def test_a_student_makes_no_link(hub, people):
    page = people["ada"].get("/hub/home")
    for name in ("ada", "bob", "root"):
        answer = people["ada"].http.post(
            "/hub/people",
            data={"_xsrf": xsrf(page.text), "name": name},
            headers={"Referer": f"{hub.url}/hub/people"},
        )
        assert answer.status_code == 403


def test_an_instructor_makes_links_for_students_and_no_others(hub, people):
    prof, root = people["prof"], people["root"]
    for name, status in (
        *(("bob", 200), ("zoe", 200), ("root", 403), ("ta", 403), ("prof", 403)),
        *(("grader-m", 403), ("mallory", 403), ("", 403)),
    ):
        answer = prof.send(prof.get("/hub/people"), "/hub/people", name=name)
        assert answer.status_code == status, name
        assert ("set-password?key=" in answer.text) is (status == 200), name
    assert root.send(root.get("/hub/people"), "/hub/people", name="ta").status_code == 200
    page = prof.send(prof.get("/hub/people"), "/hub/people", name="zoe").text
    url = re.findall(r'value="([^"]*set-password[^"]*)"', page)[0]
    student = Browser(hub.url)
    assert student.set_password(url).status_code == 200
    assert student.log_in("zoe").status_code == 200
    assert "prof made a password link for zoe" in log(hub)
    assert url.partition("key=")[2] not in log(hub)
    student.close()


def test_a_token_opens_no_page_about_accounts(hub, people):
    """Code in an instructor's own server holds a token of theirs."""
    home = people["prof"].get("/hub/home")
    headers = {"X-XSRFToken": xsrf(home.text), "Referer": str(home.url)}
    made = people["prof"].http.post("/hub/api/users/prof/tokens", headers=headers, json={})
    token = {"Authorization": f"token {made.json()['token']}", "Referer": f"{hub.url}/hub/people"}
    assert httpx.get(f"{hub.url}/hub/api/user", headers=token).json()["name"] == "prof"
    for path in ("people", "change-password"):
        answer = httpx.get(f"{hub.url}/hub/{path}", headers=token)
        assert answer.status_code == 302 and "/hub/login" in answer.headers["Location"]
        answer = httpx.post(f"{hub.url}/hub/{path}", headers=token, data={"name": "ada"})
        assert answer.status_code == 403


def test_names_in_a_list_are_text_on_the_page(people):
    page = people["prof"].get("/hub/people").text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert EVIL not in page
    assert "<script>alert(2)" not in page


# --- leaving and coming back ----------------------------------------------------------------


def test_a_student_who_leaves_the_roster_is_out_within_seconds_and_comes_back_with_everything(hub):
    browser = Browser(hub.url)
    browser.set_password(link(hub, "lea"))
    browser.log_in("lea")
    home = browser.get("/hub/home")
    headers = {"X-XSRFToken": xsrf(home.text), "Referer": str(home.url)}
    made = browser.http.post("/hub/api/users/lea/tokens", headers=headers, json={})
    token = {"Authorization": f"token {made.json()['token']}"}
    browser.get("/hub/spawn/lea")

    def running() -> bool:
        answer = httpx.get(f"{hub.url}/user/lea/api/status", headers=token)
        return answer.status_code == 200 and "started" in answer.text

    within(120, running)
    mine = {"type": "file", "format": "text", "content": "kept"}
    url = f"{hub.url}/user/lea/api/contents/mine.txt"
    assert httpx.put(url, headers=token, json=mine).status_code == 201
    others = link(hub, "lea")

    import_roster(hub, "\n".join(line for line in ROSTER.splitlines() if "lea" not in line))
    within(30, lambda: not running())
    within(30, lambda: browser.who() is None)
    assert httpx.get(f"{hub.url}/hub/api/user", headers=token).status_code == 403
    assert browser.log_in("lea").status_code == 403
    assert refused(browser.set_password(others))
    with pytest.raises(AccountsError, match="lea: not in the course"):
        link(hub, "lea")

    import_roster(hub, ROSTER)
    within(20, lambda: browser.log_in("lea").status_code == 200)
    assert browser.who() == "lea"
    assert (hub.course / "server" / "homes" / "lea" / "mine.txt").read_text() == "kept"
    browser.close()


def test_an_instructor_removed_from_course_yaml_loses_rights_without_a_restart(hub, browser):
    browser.set_password(link(hub, "ta"))
    browser.log_in("ta")
    assert browser.get("/hub/people").status_code == 200
    path: Path = hub.course / "course.yaml"
    before = path.read_text()
    path.write_text(before.replace("instructors: [prof, ta]", "instructors: [prof]"))
    within(20, lambda: browser.who() is None)
    assert browser.log_in("ta").status_code == 403
    path.write_text(before.replace("students: [bob]", "students: [bob, nobody-new"))  # half-typed
    within(20, lambda: "people stay as they were" in log(hub))
    other = Browser(hub.url)
    assert other.log_in("ada").status_code == 200
    path.write_text(before)
    within(20, lambda: browser.log_in("ta").status_code == 200)
    assert browser.get("/hub/people").status_code == 200
    other.close()


def test_a_roster_that_vanishes_puts_nobody_out(hub, browser):
    browser.log_in("ada")
    roster = hub.course / "people" / "roster.csv"
    content = roster.read_bytes()
    roster.unlink()
    within(20, lambda: "roster file is missing" in log(hub))
    assert browser.who() == "ada"
    roster.write_bytes(content)
    assert Browser(hub.url).log_in("ada").status_code == 200


def test_wrong_keys_are_slowed_down(hub, browser):
    # The last one, for this address has to wait for a minute afterwards.
    url = link(hub, "zoe")
    assert browser.get(url).status_code == 200
    answers = [
        browser.get(f"/hub/set-password?key={number:043}").status_code for number in range(25)
    ]
    assert set(answers[:10]) == {404} and set(answers[20:]) == {429}
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Real-IP": "192.0.2.7"}
    assert browser.get(url, headers=forwarded).status_code == 429
    assert "minute" in browser.get(url).text
    assert url.partition("key=")[2] not in log(hub)
