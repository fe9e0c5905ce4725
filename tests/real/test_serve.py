"""Starting and stopping the embedded server, and who gets in where."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from hub.serve import free_port
from tests.docker.kernels import Kernel
from tests.e2e.embedded import LOGITLAB, RunningServer, start, stop
from tests.e2e.hub_client import Person

pytestmark = [pytest.mark.hub, pytest.mark.slow]

GRADER = "grader-mechinterp"


@pytest.fixture(scope="module")
def alice(server: RunningServer):
    person = Person(server.url, "alice", server.passwords["alice"])
    person.start_server()
    yield person
    person.close()


@pytest.fixture(scope="module")
def instructor(server: RunningServer):
    person = Person(server.url, "instructor", server.passwords["instructor"])
    person.start_server(GRADER)
    yield person
    person.close()


def test_the_start_prints_the_address_the_accounts_and_whom_it_is_for(server):
    output = "\n".join(server.said)
    assert server.url in output
    for name, password in server.passwords.items():
        assert name in output and password in output
    assert "people who trust each other" in output


def test_everything_listens_on_localhost_only(server, alice):
    mine = psutil.Process(server.process.pid)
    processes = [mine, *mine.children(recursive=True)]
    listening = [
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 4
    assert set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("password", ["", "alice", "wrong"])
def test_a_wrong_password_does_not_get_in(server, password):
    with pytest.raises(PermissionError):
        Person(server.url, "alice", password)


def test_the_graders_account_cannot_log_in(server):
    with pytest.raises(PermissionError):
        Person(server.url, GRADER, "")


def test_the_pages_say_their_version_to_those_who_are_logged_in(server, alice):
    output = f"LogitLab {version('logitlab')}"
    for page in ("home", "token", "no-such-page"):
        assert output in alice.http.get(f"/hub/{page}").text, page
    login = httpx.get(f"{server.url}/hub/login")
    assert login.status_code == 200 and output not in login.text


def test_an_instructor_opens_the_formgrader_and_sees_the_assignments(instructor):
    answer = instructor.server("GET", "/formgrader/api/assignments", owner=GRADER)
    assert {item["name"] for item in answer.json()} >= {"06-induction-heads", "start"}


@pytest.mark.parametrize(
    "path",
    ["/formgrader/manage_assignments", "/formgrader/api/assignments", "/api/contents", "/lab"],
)
def test_a_student_does_not_get_into_the_graders_server(alice, instructor, path):
    answer = alice.server("GET", path, owner=GRADER)
    assert answer.status_code == 403
    assert "06-induction-heads" not in answer.text


def test_a_student_cannot_start_stop_or_read_anothers_server(server, alice):
    assert alice.api("POST", "/users/bob/server").status_code in (403, 404)
    assert alice.api("GET", "/users/bob").status_code in (403, 404)
    assert alice.api("DELETE", f"/users/{GRADER}/server").status_code in (403, 404)
    assert alice.api("GET", "/users").json() in ([], {"message": "Forbidden", "status": 403}) or (
        alice.api("GET", "/users").status_code == 403
    )


def test_a_students_server_token_can_do_no_more_than_it_must(server, alice):
    name = alice.server("POST", "/api/terminals").json()["name"]
    alice.type_into_terminal(name, "printenv JUPYTERHUB_API_TOKEN > token.txt\r")
    deadline = time.monotonic() + 30
    token = ""
    while time.monotonic() < deadline and not token:
        answer = alice.server("GET", "/api/contents/token.txt")
        token = answer.json()["content"].strip() if answer.status_code == 200 else ""
        time.sleep(0.5)
    with httpx.Client(base_url=f"{server.url}/hub/api") as http:
        http.headers["Authorization"] = f"token {token}"
        assert http.get("/user").json()["name"] == "alice"
        for path in ("/users", "/users/bob", "/groups", "/proxy", "/services"):
            assert http.get(path).status_code in (403, 404), path
        assert http.post("/users/alice/tokens", json={}).status_code in (403, 404)


def test_a_students_kernel_is_forked_from_the_template_of_her_server(alice):
    kernel = Kernel(alice)
    parent = "import os; print(open(f'/proc/{os.getppid()}/cmdline').read())"
    assert "hub.singleuser.warm_kernels.template" in kernel.run(parent)


def test_stopping_stops_every_process_and_the_next_start_continues(tmp_path):
    course, port = tmp_path / "course", free_port()
    running = start(course, port)
    passwords = running.passwords
    alice = Person(running.url, "alice", passwords["alice"])
    alice.start_server()
    alice.server(
        "PUT", "/api/contents/mine.txt", json={"type": "file", "format": "text", "content": "kept"}
    ).raise_for_status()
    kernel = alice.server("POST", "/api/kernels", json={"name": "python3"})
    kernel.raise_for_status()
    mine = psutil.Process(running.process.pid)
    processes = mine.children(recursive=True)
    assert len(processes) >= 5
    output = stop(running)
    assert "All data is kept" in output
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive
    alice.close()

    again = start(course, port)
    try:
        assert again.passwords == passwords
        alice = Person(again.url, "alice", passwords["alice"])
        alice.start_server()
        assert alice.server("GET", "/api/contents/mine.txt").json()["content"] == "kept"
        alice.close()
    finally:
        stop(again)


def refused(course: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(LOGITLAB), "serve"],
        env=os.environ | {"LOGITLAB_COURSE": str(course)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_server_on_the_same_course_is_refused(server):
    assert "is already running" in refused(server.course, LOGITLAB_PORT=str(free_port()))


def test_a_taken_port_is_named_with_what_to_do(server, tmp_path):
    port = server.url.rpartition(":")[2]
    message = refused(tmp_path / "other", LOGITLAB_PORT=port)
    assert f"Port {port}" in message
    assert f"PORT={int(port) + 1}" in message


def test_wrong_settings_are_refused_at_the_start_with_their_line(tmp_path):
    (tmp_path / "course.yaml").write_text("course:\n  id: x\nserver:\n  prot: 1\n")
    (tmp_path / "server").mkdir()
    done = subprocess.run(
        [str(LOGITLAB), "serve", f"--course={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "line 4: server.prot: unknown key" in done.stderr


def test_the_login_page_answers_while_a_server_starts(server):
    bob = Person(server.url, "bob", server.passwords["bob"])
    bob.http.get("/hub/spawn/bob")
    began = time.monotonic()
    assert httpx.get(f"{server.url}/hub/login").status_code == 200
    assert time.monotonic() - began < 30
    bob.close()


def test_the_formgraders_preview_link_leads_to_the_release(instructor):
    answer = instructor.http.get("/tree/./release/06-induction-heads")
    assert answer.status_code == 200
    assert answer.url.path == f"/user/{GRADER}/lab/tree/release/06-induction-heads"


def test_a_student_gets_nowhere_by_the_formgraders_links(alice):
    assert alice.http.get("/tree/./source/06-induction-heads").status_code == 404


def test_a_trial_of_the_release_is_not_saved_over_it(instructor):
    path = "/api/contents/release/start/start.ipynb"
    notebook = instructor.server("GET", path, owner=GRADER).json()["content"]
    body = {"type": "notebook", "format": "json", "content": notebook}
    answer = instructor.server("PUT", path, owner=GRADER, json=body)
    assert answer.status_code == 403
    assert "generated" in answer.text


def test_saving_the_text_of_a_notebook_updates_the_notebook(instructor):
    text = "/api/contents/source/start/start.py"
    content = instructor.server("GET", f"{text}?type=file", owner=GRADER).json()["content"]
    body = {"type": "file", "format": "text", "content": content.replace("# # ", "# # New: ", 1)}
    instructor.server("PUT", text, owner=GRADER, json=body).raise_for_status()
    notebook = "/api/contents/source/start/start.ipynb"
    cells = instructor.server("GET", notebook, owner=GRADER).json()["content"]["cells"]
    assert cells[0]["source"].startswith("# New: ")


def test_the_courses_commands_are_found_in_a_terminal(server, alice):
    name = alice.server("POST", "/api/terminals").json()["name"]
    alice.type_into_terminal(name, "command -v nbgrader logitlab > found.txt\r")
    deadline = time.monotonic() + 30
    text = ""
    while time.monotonic() < deadline and "logitlab" not in text:
        answer = alice.server("GET", "/api/contents/found.txt")
        text = answer.json()["content"] if answer.status_code == 200 else ""
        time.sleep(0.5)
    assert [Path(line).name for line in text.split()] == ["nbgrader", "logitlab"]


def logitlab(server: RunningServer, *words: str) -> str:
    """What a command prints in another terminal of the machine that serves the course."""
    command = [str(LOGITLAB), *words, f"--course={server.course}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_reaches_the_exchange_while_the_server_runs(server):
    assert logitlab(server, "release", "--hand-out", "start") == "start: released to students\n"
    assert "No submissions of start" in logitlab(server, "collect", "start")
    assert "start" in logitlab(server, "feedback", "--hand-out", "start")
    engine = create_engine(f"sqlite:///{server.course / 'server' / 'jupyterhub.sqlite'}")
    query = "SELECT expires_at FROM api_tokens WHERE note = 'logitlab, on the command line'"
    with engine.connect() as connection:
        ends = connection.execute(text(query)).scalars().all()
    engine.dispose()
    now = datetime.now(UTC).replace(tzinfo=None)
    assert all(datetime.fromisoformat(str(end)) <= now for end in ends)
