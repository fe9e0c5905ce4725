"""Student code in the executor's container against everything that it must not reach.

Each probe is a cell that prints GOT and what it got. Beside each stands its positive control: the
same probe from a place where it is permitted, or with the one thing that stops it taken away.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from nbformat import NotebookNode

from hub.grading.pipeline.execute import Execution, ExecutionLimits, execute
from tests.executor.container import APP, CHECKOUT, IMAGE, Executor, docker, executor
from tests.grading.test_execute import notebook, text
from tests.isolation.notebooks import failed
from tests.isolation.notebooks import notebook as authored

pytestmark = [pytest.mark.kernel, pytest.mark.docker]

SECRET = "a-secret-of-another-execution"

VICTIM = (
    f"""
import mmap, os, socket, subprocess, sys, time
secret = {SECRET!r}
open('answer.txt', 'w').write(secret)
open(os.environ['TMPDIR'] + '/answer.txt', 'w').write(secret)
child = subprocess.Popen(['sleep', '30'], env=dict(os.environ, MINE=secret))
listening = socket.socket(socket.AF_UNIX); listening.bind('\\0victim'); listening.listen()
""",
    # Long enough for the attacker, and proof that nothing stopped it.
    "time.sleep(14)\nchild.kill()\nprint('unharmed', secret == open('answer.txt').read())",
)

FIND_SECRET = f"""
import glob, os
def look(path, size=50_000_000):
    try:
        with open(path, 'rb') as file:
            return {SECRET[:8]!r}.encode() + {SECRET[8:]!r}.encode() in file.read(size)
    except OSError:
        return False
def memory(pid):
    try:
        lines = open(f'/proc/{{pid}}/maps').read().splitlines()
        with open(f'/proc/{{pid}}/mem', 'rb') as file:
            for line in lines:
                start, end = (int(part, 16) for part in line.split()[0].split('-'))
                if 'rw' in line and end - start < 300_000_000:
                    file.seek(start)
                    try:
                        if ({SECRET[:8]!r}.encode() + {SECRET[8:]!r}.encode()) in file.read(end - start):
                            return True
                    except OSError:
                        pass
    except OSError:
        return False
others = [int(name) for name in os.listdir('/proc') if name.isdigit() and int(name) != os.getpid()]
for pid in others:
    if look(f'/proc/{{pid}}/environ'): print('GOT environment')
    if memory(pid): print('GOT memory')
    for file in glob.glob(f'/proc/{{pid}}/cwd/*') + glob.glob(f'/proc/{{pid}}/fd/*'):
        if os.path.isfile(file) and look(file): print('GOT file by', file)
mine = os.environ['HOME'].rpartition('/')[0]
for folder in ('/scratch', mine + '/work', '/tmp', '/dev/shm', '/var/tmp'):
    for where, _, files in os.walk(folder):
        for name in files:
            if look(os.path.join(where, name)): print('GOT file', where, name)
"""  # noqa: E501

CONNECT = """
import socket
try:
    s = socket.socket(); s.settimeout(2); s.connect((HOST, PORT)); print('GOT', s.recv(20))
except OSError as error:
    print('refused', error)
"""

ABSTRACT = r"""
import socket
for name in ('\0victim',):
    try:
        socket.socket(socket.AF_UNIX).connect(name); print('GOT socket')
    except OSError as error:
        print('refused', error)
"""

PROBES = {
    "others": FIND_SECRET,
    "abstract socket": ABSTRACT,
    "tcp": CONNECT.replace("HOST, PORT", "'127.0.0.1', 8099"),
    "udp": "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nprint('GOT socket')",
    "name service": """
for server in ('127.0.0.11', '127.0.0.1'):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'1', (server, 53)); print('GOT')
    except OSError:
        pass
try:
    print('GOT', socket.getaddrinfo('example.org', 80))
except OSError:
    pass""",
    "other families": """
for family, protocol in ((10, 0), (17, 0), (16, 2), (16, 15), (38, 0), (40, 0), (1 << 32 | 2, 0)):
    try:
        socket.socket(family, 3 if family in (16, 17) else 1, protocol); print('GOT', family)
    except (OSError, OverflowError):
        pass""",
    "doors": """
for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/executor/socket',
             '/run/postgresql/.s.PGSQL.5432', '/run/guard/socket'):
    try:
        socket.socket(socket.AF_UNIX).connect(path); print('GOT', path)
    except OSError:
        pass""",
    "answers": """
import pathlib
for path in ('/opt/logitlab/app/source', '/opt/logitlab/app/course/training', '/run/secrets',
             '/srv', '/run/postgresql', '/etc/shadow', '/root'):
    for where, _, files in os.walk(path) if os.path.isdir(path) else [('', [], [path])]:
        for name in files:
            try:
                open(os.path.join(where, name)).read(20); print('GOT', where, name)
            except OSError:
                pass""",
    "credentials": """
print([name for name in os.environ if any(w in name.upper() for w in ('TOKEN', 'SECRET', 'KEY'))])
print('GOT' if 'of-the-deployment' in str(dict(os.environ)) else '')""",
    "rights": r"""
import re
status = open('/proc/self/status').read()
print(re.findall(r'(?:Uid|Gid|Groups|CapPrm|CapEff|CapInh|CapAmb|NoNewPrivs|Seccomp):\s.*', status))
for number in (0, 30000, 30001, 40000, 40001, 912):
    try:
        os.setuid(number); print('GOT user', number) if os.getuid() == number != UID else None
    except OSError:
        pass""".replace("UID", "int(re.search(r'Uid:\\s+(\\d+)', status)[1])"),
    "calls": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
calls = {'shmget': (1234, 4096, 0o1666), 'semget': (1234, 1, 0o1666), 'msgget': (1234, 0o1666),
         'unshare': (0x10000000,), 'ptrace': (16, os.getppid(), 0, 0)}
for name, arguments in calls.items():
    if getattr(libc, name)(*arguments) != -1: print('GOT', name)
if libc.syscall(425, 8, ctypes.create_string_buffer(200)) != -1: print('GOT io_uring')
if libc.syscall(ctypes.c_long(56), 0x10000000 | 17, 0, 0, 0, 0) == 0: os._exit(0)
""",
    "writing": """
mine = os.environ['HOME'].rpartition('/')[0]
for where, folders, files in os.walk('/', topdown=True):
    folders[:] = [f for f in folders if os.path.join(where, f) not in ('/proc', '/sys', mine)]
    if os.access(where, os.W_OK): print('GOT' if where != '/dev/shm' else 'shared memory', where)
    for name in files:
        path = os.path.join(where, name)
        if os.access(path, os.W_OK) and not os.path.islink(path) and not where.startswith('/dev'):
            print('GOT', path)
print(os.access(mine + '/work', os.W_OK) and 'own folder')""",
    "pipes": """
forged = b'{"finished": true}\\n'
for pid in [os.getppid(), *others]:
    for number in range(64):
        try:
            with open(f'/proc/{pid}/fd/{number}', 'r+b', buffering=0) as pipe:
                if pid not in CHILDREN: pipe.write(forged); print('GOT', pid, number)
        except OSError:
            pass""".replace(
        "CHILDREN",
        "[p for p in others if os.path.exists(f'/proc/{p}/status') and "
        "f'Uid:\\t{os.getuid()}\\t' in open(f'/proc/{p}/status').read()]",
    ),
    "killing": """
import signal
for pid in [1, os.getppid(), *others]:
    try:
        owner = open(f'/proc/{pid}/status').read().partition('Uid:')[2].split()[0]
        os.kill(pid, signal.SIGCONT)
        if int(owner) != os.getuid(): print('GOT', pid, owner)
    except OSError:
        pass""",
    "kill all": """
import subprocess
child = subprocess.Popen(['sleep', '60'])
os.kill(-1, signal.SIGKILL)
print('own child', child.wait(5))""",
    # Last: so deep a tree of folders may end the run.
    "leftovers": """
import subprocess
open('/dev/shm/left', 'w').write('left')
try:
    open('/dev/mqueue/left', 'w')
except OSError:
    pass
os.makedirs('deep'); os.chdir('deep')
for _ in range(3000):
    os.mkdir('d'); os.chdir('d')
os.chdir(os.environ['HOME'])
os.makedirs('closed/in'); os.symlink('/etc', 'closed/in/link'); os.symlink('/dev/shm', 'closed/shm')
os.chmod('closed', 0)
os.symlink('/run/executor', '/dev/shm/link')
subprocess.Popen(['setsid', 'sh', '-c', 'trap "" TERM INT HUP; (setsid sleep 600 &) ; sleep 600'])
print(len(os.listdir('/dev/shm')) >= 2 and 'left')""",
}


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    folder = tmp_path_factory.mktemp("executor")
    with executor(folder, options=("--env", "LOGITLAB_WORD=of-the-deployment")) as running:
        yield running


@pytest.fixture(name="both", scope="module")
def _both(running: Executor) -> tuple[Execution, Execution]:
    """An attacker and, at the same time, a victim."""
    with ThreadPoolExecutor(2) as pool:
        victim = pool.submit(execute, notebook(*VICTIM), executor=running.socket)
        deadline = time.monotonic() + 60
        while "sleep 30" not in " ".join(running.job_processes()):
            assert time.monotonic() < deadline, running.log()
            time.sleep(0.2)
        attacker = execute(notebook(*PROBES.values()), executor=running.socket)
        return attacker, victim.result()


@pytest.fixture(name="probe", scope="module")
def _probe(both: tuple[Execution, Execution]) -> Callable[[str], str]:
    def result(name: str) -> str:
        cell: NotebookNode = both[0].notebook.cells[list(PROBES).index(name)]
        assert not any(output.get("ename") == "NotRun" for output in cell.outputs)
        return text(cell)

    return result


@pytest.mark.parametrize("name", [name for name in PROBES if name not in ("kill all", "leftovers")])
def test_a_probe_gets_nothing(probe, name):
    assert "GOT" not in probe(name)


def test_a_victims_execution_is_unharmed_by_all_attacks(both):
    assert "unharmed True" in text(both[1].notebook.cells[1])
    assert both[1].problems == []


def test_the_search_finds_the_secrets_of_its_own_execution(running):
    own = execute(notebook(*VICTIM[:1], FIND_SECRET, ABSTRACT), executor=running.socket)
    found = text(own.notebook.cells[1])
    assert "GOT environment" in found and "GOT file by" in found and "GOT file /scratch" in found
    assert "GOT socket" in text(own.notebook.cells[2])


def test_the_network_probe_gets_through_without_an_executor():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        threading.Thread(
            target=lambda: listening.accept()[0].sendall(b"hello"), daemon=True
        ).start()
        cell = CONNECT.replace("HOST, PORT", f"'127.0.0.1', {port}")
        assert "GOT b'hello'" in text(execute(notebook(cell)).notebook.cells[0])


def test_there_is_no_network_even_for_accounts_that_may_open_sockets(running):
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
    out = running.inside("python", "-c", code, user="30050", check=False)
    assert "Network is unreachable" in out
    devices = running.inside("cat", "/proc/net/dev")
    assert "lo:" in devices and "eth0" not in devices


def test_the_executors_socket_answers_accounts_that_may_ask(running):
    code = "import socket; socket.socket(socket.AF_UNIX).connect('/run/executor/socket'); print(1)"
    assert running.inside("python", "-c", code).strip() == "1"
    for user in ("30050", "20001", "912"):
        assert "Permission denied" in running.inside("python", "-c", code, user=user, check=False)


def test_the_accounts_that_may_read_the_answers_can(running):
    read = "cat /opt/logitlab/app/source/*/*.py"
    assert "BEGIN SOLUTION" in running.inside("sh", "-c", read, user="912")
    assert "BEGIN SOLUTION" not in running.inside("sh", "-c", read, user="30050", check=False)


def test_nothing_is_left_of_the_attacker(running, both):
    assert "left" in text(both[0].notebook.cells[list(PROBES).index("leftovers")])  # the control
    running.cleared()
    assert running.job_processes() == []
    found = running.inside("ls", "-A", "/scratch", "/dev/shm", "/dev/mqueue").split()
    left = [name for name in found if not name.startswith("logitlab-template-")]
    assert left == ["/dev/mqueue:", "/dev/shm:", "/scratch:"]
    assert running.inside("ls", "/etc/passwd", "/run/executor/socket")  # links were not followed


def test_killing_every_process_kills_only_ones_own(probe):
    assert "own child -9" in probe("kill all")


def test_a_fork_bomb_ends_itself_while_another_is_graded(running):
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(
            execute,
            notebook(bomb),
            limits=ExecutionLimits(cell_seconds=60),
            executor=running.socket,
        )
        honest = execute(
            notebook("import time; time.sleep(3)", "print('right')"), executor=running.socket
        )
        assert text(honest.notebook.cells[1]) == "right\n"
        assert any("processes were started" in problem for problem in ended.result().problems), (
            ended.result().problems
        )
    running.cleared()
    assert running.job_processes() == []


@pytest.mark.parametrize(
    "fill",
    [
        "while True: open(str(n), 'wb').write(bytes(5_000_000)); n += 1",
        "while True: open('/dev/shm/' + str(n), 'wb').write(bytes(5_000_000)); n += 1",
        "while True: open(str(n), 'wb').close(); n += 1",
    ],
    ids=["bytes", "shared memory", "names"],
)
def test_filling_the_disk_ends_the_execution_that_does_it(running, fill):
    execution = execute(
        notebook("n = 0", fill),
        limits=ExecutionLimits(cell_seconds=20, files_mib=64),
        executor=running.socket,
    )
    reason = " ".join(execution.problems) + text(execution.notebook.cells[1])
    assert "more than 64 MiB" in reason or "more than 50000 files" in reason or "space" in reason
    running.cleared()
    size = running.inside("df", "--output=pcent", "/scratch", "/dev/shm").split()
    assert size[1:] in (["Use%", "0%", "0%"], ["0%", "0%"], ["1%", "0%"])


HIDDEN = authored(
    ("solution", "def f(x):\n    return x + 1"),
    ("test", f"want = '{SECRET[:8]}' + '{SECRET[8:]}'\nassert f(1) == 2\nassert want"),
    ("test", f"assert '{SECRET}'\nassert f(5) == 6"),
)


SPY = f"""
def f(x):
    import contextlib, io
    seen = io.StringIO()
    with contextlib.redirect_stdout(seen):
        exec({FIND_SECRET!r}, {{}})
    open('found', 'a').write(seen.getvalue())
    return x + 1
"""


def test_isolated_tests_have_another_user_and_their_memory_is_closed(running):
    """That the spy finds what it may is shown above, in an execution of its own."""
    spying = authored(
        ("solution", SPY),
        *(("test", cell.source) for cell in HIDDEN.cells[1:]),
        ("student", "print(open('found').read(), 'END')"),
    )
    done = execute(spying, source=HIDDEN, tests="isolated", executor=running.socket)
    executed = done.notebook
    assert failed(executed) == []
    assert "END" in text(executed.cells[3]) and "GOT" not in text(executed.cells[3])


@pytest.mark.needs("images")
def test_an_executor_that_could_not_keep_its_promises_does_not_start():
    mount = f"{CHECKOUT / 'hub'}:{APP}/hub:ro"
    output = docker(
        *("run", "--rm", "--user", "root", "--volume", mount, "--env", "PROXY_TOKEN=1"),
        *("--volume", "/run:/var/run", IMAGE),
        *("python", "-m", "hub.services.executor"),
        check=False,
    )
    for words in (
        "network: eth0",
        "PROXY_TOKEN",
        "root file system",
        "capabilities",
        "docker.sock",
    ):
        assert words in output, output


def test_a_killed_executor_repeats_its_executions(running):
    with ThreadPoolExecutor(1) as pool:
        cells = notebook("import time; time.sleep(3)", "print('whole')")
        work = pool.submit(execute, cells, executor=running.socket)
        deadline = time.monotonic() + 30
        while not running.job_processes():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        docker("restart", "--time", "0", running.name)
        execution = work.result(90)
    assert text(execution.notebook.cells[1]) == "whole\n" and execution.problems == []
