"""Small programs that tests run inside containers, and their findings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tests.docker.stage import docker

Target = tuple[str, int]

# Which of many addresses take a connection within two seconds. One thread: pids are limited.
REACH = """
import asyncio, json, sys
async def one(address, port):
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 2)
    except (OSError, asyncio.TimeoutError):
        return None
    writer.close()
    return [address, port]
async def all_of(targets):
    return await asyncio.gather(*(one(*target) for target in targets))
found = asyncio.run(all_of(json.loads(sys.argv[1])))
print(json.dumps([each for each in found if each]))
"""

# Requests one after the other; redirects are answers, not followed.
ASK = """
import hashlib, json, sys, urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
opener, answers = urllib.request.build_opener(Stay), []
for method, url, token, body in json.loads(sys.argv[1]):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    headers["X-Content-SHA256"] = hashlib.sha256(data or b"").hexdigest()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        answer = opener.open(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    answers.append([answer.status, answer.read(100000).decode(errors="replace")])
print(json.dumps(answers))
"""

# Which of some unix sockets take a connection; of the others, why not.
SOCKETS = """
import json, socket, sys
said = {}
for path in json.loads(sys.argv[1]):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        said[path] = "open"
    except OSError as error:
        said[path] = error.strerror
print(json.dumps(said))
"""

# Things that only somebody with more rights can do, each in a process of its own.
RIGHTS = """
import ctypes, errno, json, os, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
def write(path):
    with open(path, "a") as file:
        file.write("")
        os.utime(path)
def setting(path):
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text)
WAYS = {
    "become root": lambda: os.setuid(0),
    "become the hub's account": lambda: os.setuid(910),
    "a user namespace": lambda: call("unshare", 0x10000000),
    "a mount namespace": lambda: call("unshare", 0x00020000),
    "mount": lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "change the root": lambda: os.chroot("/tmp"),
    "make a disk's device": lambda: os.mknod("/tmp/disk", stat.S_IFBLK, os.makedev(254, 0)),
    "raw packets": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "the kernel's log": lambda: call("klogctl", 10, None, 0),
    "another host name": lambda: socket.sethostname("other"),
    "the kernel's settings": lambda: setting("/proc/sys/kernel/hostname"),
    "write the course's code": lambda: write("/opt/logitlab/app/course/__init__.py"),
    "write a file of the system": lambda: write("/etc/passwd"),
}
said = {}
for what, way in WAYS.items():
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            way()
            os.write(writing, b"done")
        except OSError as error:
            os.write(writing, errno.errorcode[error.errno].encode())
        os._exit(0)
    os.waitpid(child, 0)
    said[what] = os.read(reading, 100).decode()
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
said["status"] = {name: status[name] for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
print(json.dumps(said))
"""

# What of the host the kernel's pseudo files show; how many bytes can be read of each.
KERNEL_FILES = """
import json, sys
said = {}
for path in json.loads(sys.argv[1]):
    try:
        with open(path, "rb") as file:
            said[path] = len(file.read(1000))
    except OSError as error:
        said[path] = 0
print(json.dumps(said))
"""

# How many processes there can be; all are ended again.
FORKS = """
import json, os, sys, time
children, said = [], "no limit met"
try:
    while len(children) < int(sys.argv[1]):
        if not (child := os.fork()):
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError as error:
    said = error.strerror
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
print(json.dumps([len(children), said]))
"""

# Fill so many MiB.
MEMORY = "import sys; print(len(b'x' * (int(sys.argv[1]) << 20)) >> 20)"

# Every file that can be read whose text holds one of some words; paths of the kernel left out.
SEARCH = """
import json, os, sys
words, found, skip = [w.encode() for w in json.loads(sys.argv[1])], [], {"/proc", "/sys", "/dev"}
skip |= {"/opt/logitlab/venv", "/usr", "/opt/logitlab/models"}
for place, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(place, name) not in skip]
    for name in names:
        path = os.path.join(place, name)
        try:
            if os.path.isfile(path):
                text = open(path, "rb").read(1 << 20)
                if any(word in text for word in words):
                    found.append(path)
        except OSError:
            pass
for name in os.listdir("/proc"):
    try:
        if name.isdigit() and int(name) != os.getpid():
            text = open(f"/proc/{name}/environ", "rb").read()
            if any(word in text for word in words):
                found.append(f"/proc/{name}/environ")
    except OSError:
        pass
print(json.dumps(found))
"""


def inside(container: str, script: str, given: Any = None, user: str = "") -> Any:
    """Run a program in a container, as its own account or `user`; what it says, from JSON."""
    as_user = [f"--user={user}"] if user else []
    command = ("python", "-c", script, *([json.dumps(given)] if given is not None else []))
    return json.loads(docker("exec", *as_user, container, *command))


def apart(image: str, options: Sequence[str], script: str, given: Any = None) -> Any:
    """Run a program in a throw-away container of `image`, without network."""
    command = ("python", "-c", script, *([json.dumps(given)] if given is not None else []))
    run = ("run", "--rm", "--network=none", "--entrypoint=", *options, image, *command)
    return json.loads(docker(*run))


def reached(container: str, targets: Iterable[Target]) -> set[Target]:
    """Those of `targets` that take a connection from inside a container."""
    return {(address, port) for address, port in inside(container, REACH, list(targets))}


def reached_beside(container: str, targets: Iterable[Target]) -> set[Target]:
    """The same from a container's place in the network, for images without Python."""
    pid = docker("inspect", "--format={{.State.Pid}}", container).strip()
    command = ["nsenter", "-t", pid, "-n", sys.executable, "-c", REACH, json.dumps(list(targets))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return {(address, port) for address, port in json.loads(done.stdout)}
