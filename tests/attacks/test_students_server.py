"""A student of a course without containers, at their own notebook, against everybody's files.

The attacks are those of `test_embedded`, typed into a cell instead of handed in. There each is seen
to work where nothing confines it.
"""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.singleuser.confined import describe
from tests.attacks.test_embedded import (
    PRODUCT,
    PRODUCT_FOLDER,
    SOLUTIONS,
    START_UP,
    TERMINAL,
    TRIGGER,
)
from tests.docker.kernels import Kernel
from tests.e2e.embedded import RunningServer, served
from tests.e2e.hub_client import Person

pytestmark = [pytest.mark.hub, pytest.mark.slow, pytest.mark.needs("landlock")]

OF_ALICE = "what alice has written so far"


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with served(tmp_path_factory.mktemp("embedded") / "course") as running:
        alice = running.course / "server" / "homes" / "alice"
        alice.mkdir(parents=True, exist_ok=True)
        (alice / "draft.txt").write_text(OF_ALICE)
        yield running


@pytest.fixture(name="bob", scope="module")
def _bob(server: RunningServer) -> Iterator[Kernel]:
    person = Person(server.url, "bob", server.passwords["bob"])
    person.start_server()
    yield Kernel(person)
    person.close()


def located(server: RunningServer, attack: str, home: Path) -> str:
    paths = (str(server.course), str(PRODUCT_FOLDER), str(home))
    return "course, product, home = {!r}, {!r}, {!r}\n".format(*paths) + attack


def test_the_gradebook_gets_no_trigger(server: RunningServer, bob: Kernel) -> None:
    bob.run(located(server, TRIGGER, server.course))
    with sqlite3.connect(server.course / "gradebook.db") as gradebook:
        triggers = "select * from sqlite_master where type='trigger'"
        assert gradebook.execute(triggers).fetchall() == []


def test_neither_solutions_nor_secrets_nor_others_work_can_be_read(
    server: RunningServer, bob: Kernel
) -> None:
    wanted = [
        *("gradebook.db", "course.yaml", "source/start/start.ipynb", "server/accounts.json"),
        *("server/homes/alice/draft.txt", "server/jupyterhub.sqlite"),
    ]
    assert (server.course / wanted[0]).exists() and (server.course / wanted[4]).exists()
    printed = bob.run(
        f"from pathlib import Path\ncourse = Path({str(server.course)!r})\n"
        f"for name in {wanted}:\n"
        "    try:\n"
        "        print('GOT', (course / name).read_bytes()[:9])\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__)\n"
    )
    assert "GOT" not in printed
    assert "GOT" not in bob.run(located(server, SOLUTIONS, server.course))


def test_neither_logitlab_nor_what_others_start_is_changed(
    server: RunningServer, bob: Kernel
) -> None:
    assert "GOT" not in bob.run(located(server, PRODUCT, server.course))
    alice = server.course / "server" / "homes" / "alice"
    bob.run(located(server, START_UP, alice))
    assert not list(alice.rglob("usercustomize.py"))
    assert (alice / "draft.txt").read_text() == OF_ALICE


def test_no_terminal_of_the_account_is_opened(bob: Kernel) -> None:
    assert "GOT" not in bob.run(TERMINAL)


def test_no_process_of_others_is_seen_or_ended(server: RunningServer, bob: Kernel) -> None:
    hub = server.process.pid
    printed = bob.run(
        "import os, signal\nfrom pathlib import Path\n"
        "commands = [p.read_bytes() for p in Path('/proc').glob('[0-9]*/cmdline')]\n"
        "if any(b'jupyterhub_config' in command for command in commands): print('GOT the hub')\n"
        f"try:\n    os.kill({hub}, signal.SIGKILL)\n    print('GOT it')\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
    )
    assert "GOT" not in printed
    assert server.process.poll() is None


def test_no_file_outside_gets_other_permissions_or_times(
    server: RunningServer, bob: Kernel
) -> None:
    gradebook, product = server.course / "gradebook.db", PRODUCT_FOLDER / "Makefile"
    before = gradebook.stat()
    printed = bob.run(
        "import os\n"
        f"for path in {[str(gradebook), str(server.course), str(product)]}:\n"
        "    for change in (lambda: os.chmod(path, 0o666), lambda: os.utime(path),\n"
        "            lambda: os.setxattr(path, 'user.x', b''), lambda: os.truncate(path, 0)):\n"
        "        try:\n            change()\n            print('GOT', path)\n"
        "        except OSError as error:\n            print(type(error).__name__)\n"
    )
    assert "GOT" not in printed
    assert (before.st_mode, before.st_size) == (gradebook.stat().st_mode, gradebook.stat().st_size)


def test_no_socket_of_the_account_is_reached(server: RunningServer, bob: Kernel) -> None:
    """As an engine's, an agent's or a session manager's, which would act for the account."""
    path = server.course / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        printed = bob.run(
            "import os, socket\n"
            f"try:\n    socket.socket(socket.AF_UNIX).connect({str(path)!r})\n"
            "    print('GOT it')\n"
            "except OSError as error:\n    print(type(error).__name__)\n"
            "for each in ('docker.sock', 'dbus', 'user'):\n"
            "    if os.path.exists(f'/run/{each}'): print('GOT', each)\n"
        )
    assert "GOT" not in printed and "Error" in printed


def test_what_other_kernels_compute_is_not_heard(server: RunningServer, bob: Kernel) -> None:
    """Every listening port of the machine is asked for a kernel's messages."""
    person = Person(server.url, "alice", server.passwords["alice"])
    person.start_server()
    alice = Kernel(person)
    alice.run("print('its ports are open')")
    bob.run(
        "import threading, zmq\nfrom pathlib import Path\n"
        "lines = [line.split() for line in Path('/proc/net/tcp').read_text().splitlines()[1:]]\n"
        "ports = {int(line[1].split(':')[1], 16) for line in lines if line[3] == '0A'}\n"
        "ear = zmq.Context().socket(zmq.SUB)\near.subscribe(b'')\n"
        "for port in ports: ear.connect(f'tcp://127.0.0.1:{port}')\n"
        "heard = []\n"
        "def listen():\n"
        "    while ear.poll(20_000): heard.append(b''.join(ear.recv_multipart()))\n"
        "listener = threading.Thread(target=listen, daemon=True)\nlistener.start()\n"
    )
    time.sleep(2)
    for _ in range(5):
        assert alice.run("print('what only', 'alice', 'knows')") == "what only alice knows\n"
        time.sleep(0.5)
    assert bob.run("print(len(ports) > 5, sum(b'alice' in each for each in heard))") == "True 0\n"
    person.close()


def test_what_was_open_at_the_start_is_their_own(server: RunningServer, bob: Kernel) -> None:
    log = server.course / "server" / "log" / "hub.log"
    before = log.read_bytes()
    assert before
    bob.run(
        "import os\nfor number in range(300):\n"
        "    try:\n        os.ftruncate(number, 0) if os.fstat(number).st_size else None\n"
        "    except OSError:\n        pass\n"
    )
    assert log.read_bytes()[: len(before)] == before
    assert (
        int(bob.run("print([l for l in open('/proc/self/status') if 'CapEff' in l][0][7:])"), 16)
        == 0
    )


def test_their_own_work_goes_on_as_ever(server: RunningServer, bob: Kernel) -> None:
    """Home, temporary files, shared memory, subprocesses, models, costs, and a terminal."""
    printed = bob.run(
        "import multiprocessing, os, pty, subprocess, sys, tempfile\n"
        "from pathlib import Path\n"
        "from course import calls\n"
        "from course.models import model\n"
        "Path('mine.txt').write_text('kept')\n"
        "tempfile.NamedTemporaryFile().close()\n"
        "multiprocessing.get_context('fork').Lock()\n"
        "print(subprocess.run(['git', '--version'], capture_output=True).returncode == 0)\n"
        "print(model('induction-2l2h').cfg.n_layers)\n"
        "calls.Usage.reset_peak(os.getpid())\n"
        "child, terminal = pty.fork()\n"
        "if not child:\n"
        "    os.execv('/bin/sh', ['sh', '-c', 'echo in a terminal'])\n"
        "print(os.read(terminal, 99))\n"
    )
    assert "True\n2\n" in printed and "in a terminal" in printed
    assert (server.course / "server" / "homes" / "bob" / "mine.txt").read_text() == "kept"


def test_the_start_says_what_is_protected(server: RunningServer) -> None:
    assert any("kept to their own files" in line for line in server.said)


@pytest.mark.parametrize(
    ("version", "namespaces", "words"),
    [
        (0, True, "Not protected here"),
        (6, False, "can change the permissions of others"),
        (2, True, "kept to their own files and processes."),
    ],
)
def test_what_a_machine_lacks_is_said(version: int, namespaces: bool, words: str) -> None:
    assert words in describe(version, namespaces)
