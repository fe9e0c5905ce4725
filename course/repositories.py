"""Repositories to practise git in, and how a test reads what became of one.

`Practice` makes a folder and runs shell commands in it; it lives where the student's code runs.
`History` reads a repository's own files through `course.calls.read_file` and runs no git: what a
student's folder configures is never obeyed. Each object must have the SHA-1 that names it, so a
history can only be had by making it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from course.calls import read_file

FOLDER = "git-practice"  # in the folder of the notebook
BRANCH = "main"
SECONDS = 30  # for the commands of one call
LARGEST = 1_000_000  # bytes of one object
MOST_COMMITS = 200

_SETTINGS = {
    "user.name": "Student",
    "user.email": "student@example.org",
    "init.defaultBranch": BRANCH,
    "gc.auto": "0",  # packed objects could not be read one by one
    "commit.gpgSign": "false",
    "advice.detachedHead": "false",
    "safe.directory": "*",
}


def git_is_here() -> bool:
    """Whether this machine has git."""
    return shutil.which("git") is not None


class Practice:
    """A fresh folder to practise git in."""

    def __init__(self, name: str, commands: str = "") -> None:
        """Make `git-practice/NAME`, in place of an older one, and prepare it by shell commands.

        Raises:
            ValueError: the name is not made of small letters, digits and hyphens.
        """
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise ValueError(f"{name!r} is no name for a practice folder")
        self.folder = f"{FOLDER}/{name}"
        shutil.rmtree(self.folder, ignore_errors=True)
        Path(self.folder).mkdir(parents=True)
        if commands:
            self._run(commands)

    def run(self, commands: str) -> str:
        """Run shell commands in the folder, one after the other; print and return their output.

        A command that fails stops nothing, as in a terminal.
        """
        output = self._run(commands)
        print(output, end="")
        return output

    def _run(self, commands: str) -> str:
        if not git_is_here():
            return "git is not installed here: these exercises cost no points.\n"
        ran = subprocess.run(
            ["sh", "-c", commands],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
        return ran.stdout


def _environment() -> dict[str, str]:
    """Where only our settings count, no editor opens, and no repository further up is found."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    settings = {"GIT_CONFIG_COUNT": str(len(_SETTINGS))}
    for number, (key, value) in enumerate(_SETTINGS.items()):
        settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        **inherited,
        **settings,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(Path(FOLDER).resolve()),
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_EDITOR": "true",  # keeps the message that git proposes
        "GIT_PAGER": "cat",
        "GIT_TERMINAL_PROMPT": "0",
    }


@dataclass(frozen=True)
class Commit:
    """One commit, as its object says."""

    id: str
    parents: tuple[str, ...]
    message: str
    """Without the line ends after it."""
    files: Mapping[str, bytes]
    """Content by path, folders included: {"notes.md": b"…", "src/model.py": b"…"}."""


class History:
    """The branches and commits in a folder, read file by file.

    All methods raise AssertionError where the repository does not have what they are asked for.
    """

    def __init__(self, folder: str, read: Callable[[str, int], bytes] = read_file) -> None:
        self._git, self._read = f"{folder}/.git", read

    def head(self) -> str:
        """The branch that is checked out, or "" if a single commit is."""
        text = self._file("HEAD", "there is no repository: was git init run in the folder?")
        branch = re.fullmatch(r"ref: refs/heads/(\S+)\n?", text)
        return branch[1] if branch else ""

    def tip(self, branch: str) -> Commit:
        """The last commit of a branch."""
        missing = f"the branch {branch} has no commit"
        text = self._file(f"refs/heads/{branch}", missing).strip()
        assert re.fullmatch(r"[0-9a-f]{40}", text), missing
        return self.commit(text)

    def commit(self, id: str) -> Commit:
        text = self._object(id, "commit").decode(errors="replace")
        head, _, message = text.partition("\n\n")
        parents = tuple(re.findall(r"(?m)^parent ([0-9a-f]{40})$", head))
        tree = re.match(r"tree ([0-9a-f]{40})\n", head)
        assert tree, f"the commit {id[:8]} has no tree"
        return Commit(id, parents, message.rstrip("\n"), dict(self._files(tree[1])))

    def log(self, branch: str) -> list[Commit]:
        """The commits of a branch, the newest first; of a merge, its first parent's."""
        commits = [self.tip(branch)]
        while commits[-1].parents:
            assert len(commits) < MOST_COMMITS, f"the branch {branch} is too long to be read"
            commits.append(self.commit(commits[-1].parents[0]))
        return commits

    def _files(self, tree: str, above: str = "", depth: int = 0) -> Iterable[tuple[str, bytes]]:
        assert depth < 8, "folders lie too deep to be read"
        rest = self._object(tree, "tree")
        while rest:
            head, _, rest = rest.partition(b"\0")
            mode, _, name = head.decode(errors="replace").partition(" ")
            id, rest = rest[:20].hex(), rest[20:]
            path = above + name
            if mode == "40000":
                yield from self._files(id, f"{path}/", depth + 1)
            else:
                yield path, self._object(id, "blob")

    def _object(self, id: str, kind: str) -> bytes:
        lost = f"the {kind} {id[:8]} cannot be read (was git gc run? then begin anew)"
        try:
            packed = self._read(f"{self._git}/objects/{id[:2]}/{id[2:]}", LARGEST)
            whole = zlib.decompressobj().decompress(packed, LARGEST)
        except (OSError, ValueError, zlib.error):
            raise AssertionError(lost) from None
        head, _, content = whole.partition(b"\0")
        assert hashlib.sha1(whole).hexdigest() == id, lost
        assert head == f"{kind} {len(content)}".encode(), lost
        return content

    def _file(self, path: str, missing: str) -> str:
        try:
            return self._read(f"{self._git}/{path}", 1000).decode(errors="replace")
        except (OSError, ValueError):
            raise AssertionError(missing) from None
