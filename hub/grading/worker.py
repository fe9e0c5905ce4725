"""The process that executes one notebook: `python -m hub.grading.worker [STUDENT TESTS CONTROL]`.

Reads the request (JSON) from standard input and writes one JSON line a finished cell to
standard output, so that what has run is kept even if this process is killed. It starts the
kernel, or the two processes of tests apart, and is the parent of whatever they leave behind.
The executor starts it as root and names the users that student code and this process become
(see `users`); it is root no longer when the first cell runs. It imports jupyter_client and
nothing heavier: nbformat alone would cost a second of CPU.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from subprocess import DEVNULL
from typing import Any

from hub.grading.confine import confine
from hub.grading.landlock import confined_options
from hub.grading.limits import Limits
from hub.grading.outputs import Recorder
from hub.grading.processes import MIB, adopt_orphans, end_tree
from hub.grading.run import students_environment
from hub.grading.users import OwnGroup, Users, drop_rights, make_expendable

START_SECONDS = 60  # for the kernel to answer: a cold disk and a busy machine are slow
INTERRUPT_SECONDS = 3  # between SIGINT and SIGKILL of a cell that is over its time
SPARE_THREADS = 256  # that an honest notebook's libraries may start besides its processes

SCRATCH = Path.cwd().parent  # this process is started in one of its folders

Send = Callable[[dict[str, Any]], None]


class KernelGone(Exception):
    """The kernel has died or had to be killed; the message says why, in words."""


def main() -> None:
    users = Users(*map(int, sys.argv[1:])) if sys.argv[1:] else None
    if users is not None:
        confine()
    request = json.load(sys.stdin.buffer)
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # The kernel inherits descriptors 0 to 2: neither the request nor the results are there.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    limits = Limits(**request["limits"])
    adopt_orphans()
    _limit_resources(limits, users)

    def send(line: dict[str, Any]) -> None:
        results.write(json.dumps(line) + "\n")
        results.flush()

    try:
        if request["tests"] == "apart":
            _run_apart(request, limits, users, send)
        else:
            asyncio.run(_run_together(request["notebook"], limits, users, send))
        send({"finished": True})
    finally:
        if users is None:
            end_tree(os.getpid())


def _limit_resources(limits: Limits, users: Users | None) -> None:
    memory = limits.memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.files_mib * MIB,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if users is not None:
        # Counts threads, and all of a user, so only for users that nobody else has.
        most = limits.processes + SPARE_THREADS
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _run_apart(request: dict[str, Any], limits: Limits, users: Users | None, send: Send) -> None:
    from nbformat import from_dict

    from hub.grading.apart import ManifestError, MismatchError
    from hub.grading.apart.session import Places, cells_apart

    recorder = Recorder(limits.output_bytes)
    cells = cells_apart(
        from_dict(request["notebook"]),
        from_dict(request["source"]),
        cell_seconds=limits.cell_seconds,
        total_seconds=limits.total_seconds,
        places=Places(
            student=SCRATCH / "work",
            trusted=SCRATCH / "tests",
            environment=students_environment(SCRATCH),
            users=users,
            options=users.as_student() if users else confined_options(SCRATCH),
        ),
    )
    try:
        for cell in cells:
            recorder.start_cell()
            for output in cell.outputs:
                recorder.receive(output["output_type"], output)
            _send_cell(send, cell.index, recorder.outputs, cell.count)
            if cell.problem:
                send({"problem": cell.problem, "cell": cell.index})
            if cell.ended:
                send({"problem": f"{cell.ended}."})
    except (ManifestError, MismatchError) as error:
        send({"refused": str(error)})
        return
    if recorder.cut:
        send({"problem": _cut(limits)})


async def _run_together(
    notebook: dict[str, Any], limits: Limits, users: Users | None, send: Send
) -> None:
    recorder = Recorder(limits.output_bytes)
    kernel = Kernel(notebook, users)
    try:
        await kernel.start()
        deadline = time.monotonic() + limits.total_seconds
        for index, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] != "code" or not cell["source"].strip():
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                raise KernelGone(
                    f"The time for the whole notebook, {limits.total_seconds:g} s, was over"
                )
            recorder.start_cell()
            try:
                problem = await kernel.run(cell["source"], min(left, limits.cell_seconds), recorder)
            except KernelGone as gone:
                recorder.add_error("KernelStopped", f"{gone}.")
                raise
            else:
                if problem:
                    send({"problem": problem, "cell": index})
            finally:
                _send_cell(send, index, recorder.outputs, recorder.execution_count)
    except KernelGone as gone:
        send({"stopped": str(gone)})
    finally:
        kernel.close()
        if recorder.cut:
            send({"problem": _cut(limits)})


def _send_cell(send: Send, index: int, outputs: list[Any], count: int | None) -> None:
    send({"cell": index, "outputs": outputs, "execution_count": count})


def _cut(limits: Limits) -> str:
    return f"The output was cut: a notebook may print at most {limits.output_mib:g} MiB."


class Kernel:
    """One kernel in the student's folder, spoken to through unix sockets in a folder beside it."""

    def __init__(self, notebook: dict[str, Any], users: Users | None) -> None:
        self._name = notebook["metadata"].get("kernelspec", {}).get("name", "python3")
        self._users = users

    async def start(self) -> None:
        """Start the kernel; from here on this process is of the user that judges."""
        from jupyter_client.asynchronous.client import AsyncKernelClient
        from jupyter_client.connect import write_connection_file

        # The same relative path, short as sockets want it, from our folder and the kernel's.
        file, connection = write_connection_file(
            str(SCRATCH / "tmp" / "kernel.json"), transport="ipc", ip="../run/kernel"
        )
        if self._users is None:
            options = confined_options(SCRATCH)
        else:
            os.chown(file, self._users.student, self._users.student)
            options = self._users.as_student()
        self._process = subprocess.Popen(
            self._command(file),
            cwd=SCRATCH / "work",
            env=self._environment,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
            **options,
        )
        make_expendable(self._process.pid)
        self._signals = OwnGroup(self._process.pid) if self._users is None else self._users.signals
        drop_rights(self._users)
        self._client = AsyncKernelClient()
        self._client.load_connection_info(connection)
        self._client.start_channels(stdin=False, hb=False, control=False)
        await self._wait_until_ready()

    async def _wait_until_ready(self) -> None:
        """Wait for an answer, and for what the kernel publishes: else a cell's output is lost."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self._client.kernel_info()
            try:
                await self._client.get_shell_msg(timeout=1)
                await self._client.get_iopub_msg(timeout=0.2)
                return
            except Empty:
                await self._check_alive()
        raise KernelGone(f"The kernel did not start within {START_SECONDS} s")

    def _command(self, connection_file: str) -> list[str]:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        known = KernelSpecManager()
        try:
            spec = known.get_kernel_spec(self._name)
        except (NoSuchKernel, ValueError, TypeError):
            spec = known.get_kernel_spec("python3")
        self._environment = {
            **os.environ,
            **students_environment(SCRATCH),
            **spec.env,
            "JPY_PARENT_PID": str(os.getpid()),
        }
        python = sys.executable if spec.argv[0].startswith("python") else spec.argv[0]
        rest = [part.replace("{connection_file}", connection_file) for part in spec.argv[1:]]
        ours = ["--HistoryManager.hist_file=:memory:", "--ext=hub.grading.commands"]
        return [python, *rest, *ours]

    def close(self) -> None:
        """Close the channels; the processes are ended with the rest of the tree."""
        if hasattr(self, "_client"):
            self._client.stop_channels()

    async def run(self, source: str, seconds: float, recorder: Recorder) -> str | None:
        """Run one cell into `recorder`; a sentence if it was stopped, else None.

        Raises KernelGone if the kernel died or could not be interrupted.
        """
        request = self._client.execute(source, allow_stdin=False, stop_on_error=False)
        finished = await self._collect(request, recorder, seconds)
        problem = None
        if not finished:
            problem = f"was stopped after {seconds:.0f} s, its time limit"
            self._signals.interrupt()
            if not await self._collect(request, recorder, INTERRUPT_SECONDS):
                raise KernelGone(
                    f"A cell could not be interrupted at its time limit of {seconds:.0f} s, "
                    "so the kernel was ended"
                )
            recorder.add_error("CellTimeout", f"This cell {problem}.")
        await self._record_reply(request, recorder)
        return problem

    async def _collect(self, request: str, recorder: Recorder, seconds: float) -> bool:
        """Take messages until the cell is idle (True) or `seconds` are over (False)."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = await self._client.get_iopub_msg(timeout=min(left, 0.5))
                if message["parent_header"].get("msg_id") != request:
                    continue
                kind, content = message["msg_type"], message["content"]
                if kind == "status" and content["execution_state"] == "idle":
                    return True
                recorder.receive(kind, content)
            except Empty:
                await self._check_alive()
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                # Student code holds the kernel's sockets: what it sends need not be a message.
                raise KernelGone(
                    f"The kernel sent something that is no message ({error})"
                ) from error
        return False

    async def _record_reply(self, request: str, recorder: Recorder) -> None:
        """An error of the reply counts even where student code kept it from being shown."""
        deadline = time.monotonic() + 10
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = await self._client.get_shell_msg(timeout=min(left, 0.5))
            except Empty:
                await self._check_alive()
                continue
            if reply["parent_header"].get("msg_id") == request:
                content = reply["content"]
                if content["status"] != "ok" and not recorder.has_error(content.get("ename")):
                    recorder.receive("error", content)
                return
        raise KernelGone("The kernel did not answer")

    async def _check_alive(self) -> None:
        if self._process.poll() is not None:
            raise KernelGone(f"The kernel ended ({_describe(self._process.returncode)})")


def _describe(status: int) -> str:
    if status == -9:
        return "killed by signal 9, most often because memory ran out"
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"


if __name__ == "__main__":
    main()
