"""The process that executes one notebook, forked from the template or started afresh as
`python -m hub.grading.worker ARGUMENTS`, which are those of `run` as JSON.

Reads the request (JSON) from standard input and writes one JSON line a finished cell to
standard output, so that what has run is kept even if this process is killed. It starts the
kernel, or the two processes of isolated tests, and is the parent of whatever they leave behind.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import Empty
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

from hub.facts.limits import MIB
from hub.grading.sandbox.clock import CodeClock, Deadline, process_tree
from hub.grading.sandbox.confine import confine
from hub.grading.sandbox.landlock import confined_options
from hub.grading.sandbox.limits import ExecutionLimits, ReferenceTimes
from hub.grading.sandbox.outputs import OutputRecorder, first_error, remarked
from hub.grading.sandbox.processes import adopt_orphans, end_tree, has_ended
from hub.grading.sandbox.run import students_environment
from hub.grading.sandbox.trouble import Kind, Trouble, not_interrupted, out_of_time
from hub.grading.sandbox.users import OwnGroup, Users, drop_rights, make_expendable

START_SECONDS = 120  # for the kernel to answer, of its own clock: a cold disk is slow
INTERRUPT_SECONDS = 3  # between SIGINT and SIGKILL of a cell that is over its time
REPLY_SECONDS = 10  # for the kernel to say that a cell has ended, once it has
SPARE_THREADS = 256  # that an honest notebook's libraries may start besides its processes

Send = Callable[[dict[str, Any]], None]


class KernelGone(Exception):
    """The kernel can run no more cells."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


def main() -> None:
    run(**json.loads(sys.argv[1]), forked=False)


def run(mode: str, limits: Mapping[str, Any], users: Sequence[int], *, forked: bool) -> None:
    """Serve one request.

    mode: where tests run.
    limits: those of the request, as `ExecutionLimits` has them.
    users: student, tests and control of `Users`, or none.
    forked: whether this process has imported already what those that it starts need, and has one
        thread.
    """
    own = Users(*users) if users else None
    if own is not None:
        confine()
    # What is started inherits descriptors 0 to 2: neither the request nor the results are there.
    requests, lines = os.dup(0), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    adopt_orphans()
    _limit_resources(ExecutionLimits(**limits), own)

    def send(line: dict[str, Any]) -> None:
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    def receive() -> dict[str, Any]:
        with open(requests, "rb") as text:
            return json.load(text)

    try:
        if mode == "isolated":
            _run_isolated(receive, own, send, forked)
        else:
            asyncio.run(_run_in_kernel(receive(), own, send))
        send({"finished": True})
    finally:
        if own is None:
            end_tree(os.getpid())


def _limit_resources(limits: ExecutionLimits, users: Users | None) -> None:
    """Limit what this process may use, and each that it starts."""
    memory = limits.memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.files_mib * MIB,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if users is not None:
        # Counts threads, and all of a user, so only for users that nobody else has.
        most = limits.processes + SPARE_THREADS
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _run_isolated(
    receive: Callable[[], dict[str, Any]], users: Users | None, send: Send, forked: bool
) -> None:
    from hub.grading.isolation.session import ProcessSetup, processes, start, start_forked

    scratch = _scratch()
    setup = ProcessSetup(
        student=scratch / "work",
        judge=scratch / "tests",
        environment=students_environment(scratch),
        users=users,
        options=users.as_student() if users else confined_options(scratch),
        launch=start_forked if forked else start,
    )
    # The request, which has the tests and the reference, is read when the student process is there:
    # it must not inherit it.
    with processes(setup) as pair:
        request = receive()
        drop_rights(users)
        _run_pair(request, pair, send)


def _run_pair(request: dict[str, Any], pair: ProcessPair, send: Send) -> None:
    from nbformat import from_dict

    from hub.grading.isolation import ManifestError, MismatchError
    from hub.grading.isolation.session import isolated_cells

    limits = ExecutionLimits(**request["limits"])
    recorder = OutputRecorder(limits.output_bytes)
    cells = isolated_cells(
        from_dict(request["notebook"]),
        from_dict(request["source"]),
        cell_seconds=limits.cell_seconds,
        total_seconds=limits.total_seconds,
        given_seconds=ReferenceTimes.from_data(request["yardstick"]).budget,
        left_out=request["left_out"],
        pair=pair,
    )
    try:
        for ran in cells:
            if ran.index < 0:
                send({"ready": ran.trouble is None})
            else:
                recorder.start_cell()
                for output in ran.outputs:
                    recorder.receive(output["output_type"], output)
                _send_cell(send, ran.index, recorder, ran.count, ran.seconds)
            if ran.problem:
                send({"problem": ran.problem, "cell": ran.index, "slow": ran.slow})
            if ran.trouble:
                send({"trouble": asdict(ran.trouble)})
    except (ManifestError, MismatchError) as error:
        send({"refused": str(error)})
        return
    if recorder.cut:
        send({"problem": _cut(limits)})


async def _run_in_kernel(request: dict[str, Any], users: Users | None, send: Send) -> None:
    limits = ExecutionLimits(**request["limits"])
    recorder = OutputRecorder(limits.output_bytes)
    notebook, given = request["notebook"], set(request["given"])
    budget = ReferenceTimes.from_data(request["yardstick"]).budget
    kernel = Kernel(notebook, users)
    index, left = None, limits.total_seconds
    try:
        await kernel.start()
        send({"ready": True})
        for index, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] != "code" or not cell["source"].strip():
                continue
            if index in request["left_out"]:
                continue
            seconds = min(limits.cell_seconds, left)
            if index in given:
                seconds = budget(cell["metadata"]["nbgrader"]["grade_id"])
            over = Trouble("time", index, out_of_time(limits.total_seconds))
            if seconds <= 0:
                send({"trouble": asdict(over)})
                return
            recorder.start_cell()
            began = kernel.clock.used()
            try:
                problem = await kernel.run(cell["source"], seconds, recorder)
            except KernelGone as gone:
                recorder.add_error("CellStopped", f"{gone.message}.")
                raise
            else:
                if problem and index not in given and seconds < limits.cell_seconds:
                    send({"trouble": asdict(over)})
                    return
                slow, problem = problem is not None, problem or remarked(recorder.outputs)
                if problem:
                    send({"problem": problem, "cell": index, "slow": slow})
            finally:
                used = kernel.clock.used() - began
                left -= 0 if index in given else used
                _send_cell(send, index, recorder, recorder.execution_count, used)
            if index in given and (failed := first_error(recorder.outputs)):
                send({"trouble": asdict(Trouble("given", index, failed))})
    except KernelGone as gone:
        send({"trouble": asdict(Trouble(gone.kind, index, gone.message))})
    finally:
        kernel.close()
        if recorder.cut:
            send({"problem": _cut(limits)})


def _send_cell(
    send: Send, index: int, recorder: OutputRecorder, count: int | None, seconds: float
) -> None:
    send(
        {
            "cell": index,
            "outputs": recorder.outputs,
            "execution_count": count,
            "seconds": round(seconds, 3),
        }
    )


def _scratch() -> Path:
    """This run's folder: a worker is started in one of its folders."""
    return Path.cwd().parent


def _cut(limits: ExecutionLimits) -> str:
    return f"The output was cut: a notebook may print at most {limits.output_mib:g} MiB."


class Kernel:
    """One kernel in the student's folder, spoken to through unix sockets in a folder beside it."""

    def __init__(self, notebook: dict[str, Any], users: Users | None) -> None:
        self._name = notebook["metadata"].get("kernelspec", {}).get("name", "python3")
        self._users, self._scratch = users, _scratch()

    async def start(self) -> None:
        """Start the kernel; from here on this process is of the user that judges."""
        from jupyter_client.asynchronous.client import AsyncKernelClient
        from jupyter_client.connect import write_connection_file

        # The same relative path, short as sockets want it, from our folder and the kernel's.
        file, connection = write_connection_file(
            str(self._scratch / "tmp" / "kernel.json"), transport="ipc", ip="../run/kernel"
        )
        if self._users is None:
            options = confined_options(self._scratch)
        else:
            os.chown(file, self._users.student, self._users.student)
            options = self._users.as_student()
        self._process = subprocess.Popen(
            self._command(file),
            cwd=self._scratch / "work",
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
        self.clock = CodeClock(process_tree(self._process.pid))
        deadline = Deadline.after(START_SECONDS, self.clock)
        while deadline.remaining() > 0:
            self._client.kernel_info()
            try:
                await self._client.get_shell_msg(timeout=1)
                await self._client.get_iopub_msg(timeout=0.2)
                return
            except Empty:
                await self._check_alive()
        raise KernelGone("grading", "the kernel did not start")

    def _command(self, connection_file: str) -> list[str]:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        known = KernelSpecManager()
        try:
            spec = known.get_kernel_spec(self._name)
        except (NoSuchKernel, ValueError, TypeError):
            spec = known.get_kernel_spec("python3")
        self._environment = {
            **os.environ,
            **students_environment(self._scratch),
            **spec.env,
            "JPY_PARENT_PID": str(os.getpid()),
        }
        python = sys.executable if spec.argv[0].startswith("python") else spec.argv[0]
        rest = [part.replace("{connection_file}", connection_file) for part in spec.argv[1:]]
        ours = [
            "--HistoryManager.hist_file=:memory:",
            "--ext=hub.grading.sandbox.commands",
            "--ext=hub.grading.sandbox.interpreter",
        ]
        return [python, *rest, *ours]

    def close(self) -> None:
        """Close the channels; the processes are ended with the rest of the tree."""
        if hasattr(self, "_client"):
            self._client.stop_channels()

    async def run(self, source: str, seconds: float, recorder: OutputRecorder) -> str | None:
        """Run one cell into `recorder`; a sentence if it was stopped, else None.

        Raises KernelGone if the kernel died or could not be interrupted.
        """
        request = self._client.execute(source, allow_stdin=False, stop_on_error=False)
        finished = await self._collect(request, recorder, seconds)
        problem = None
        if not finished:
            problem = f"was stopped after {seconds:.3g} s, its time limit"
            self._signals.interrupt()
            if not await self._collect(request, recorder, INTERRUPT_SECONDS):
                raise KernelGone("deaf", not_interrupted(seconds))
            recorder.add_error("CellTimeout", f"This cell {problem}.")
        await self._record_reply(request, recorder)
        return problem

    async def _collect(self, request: str, recorder: OutputRecorder, seconds: float) -> bool:
        """Take messages until the cell is idle (True) or `seconds` are over (False)."""
        deadline = Deadline.after(seconds, self.clock)
        while (left := deadline.remaining()) > 0:
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
                raise KernelGone("ended", "the kernel sent what is no message") from error
        return False

    async def _record_reply(self, request: str, recorder: OutputRecorder) -> None:
        """An error of the reply counts even where student code kept it from being shown."""
        deadline = Deadline.after(REPLY_SECONDS, self.clock)
        while (left := deadline.remaining()) > 0:
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
        raise KernelGone("ended", "the kernel did not answer")

    async def _check_alive(self) -> None:
        if ended := has_ended(self._process):
            raise KernelGone(*ended)


if TYPE_CHECKING:
    from hub.grading.isolation.session import ProcessPair

if __name__ == "__main__":
    main()
