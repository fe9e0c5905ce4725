"""Kernels of a person's server, forked from the kernel template wherever it has one.

JupyterLab's server asks the provisioner that it is configured with for every kernel. This one does
all that jupyter_client's own does, but for the start: where the kernel is a plain one of this
Python it comes from the template, else, or where the template cannot, it is started afresh.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from hub.singleuser.warm_kernels.template import MESSAGE_LIMIT

log = logging.getLogger(__name__)

# A module that it is importing is finished first.
ANSWER_SECONDS = 60.0
# Arrow's allocator would start a thread, which would not be in a forked process.
FORK_SAFE = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


class KernelTemplate:
    """The template process of this server, started by `start` and where it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._connection: socket.socket | None = None
        self._asking = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its number while it runs."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.pid is not None:
            return
        self.stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = ("-m", "hub.singleuser.warm_kernels.template")
            self._process = subprocess.Popen(
                [sys.executable, *command, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",  # from where `-m` imports first
                env=os.environ | FORK_SAFE,
                start_new_session=True,
            )
        ours.settimeout(ANSWER_SECONDS)
        self._connection = ours

    def stop(self) -> None:
        """End it; its kernels go on."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None

    def fork(
        self, arguments: Sequence[str], folder: str, environment: Mapping[str, str]
    ) -> WarmKernel | None:
        """A kernel that runs `python -m ipykernel_launcher ARGUMENTS`; None if there is none."""
        request = {"arguments": arguments, "folder": folder, "environment": dict(environment)}
        answer = self._ask(request)
        if "pid" not in answer:
            log.info("a kernel starts afresh: %s", answer.get("why", "the template has ended"))
            return None
        return WarmKernel(answer["pid"], self)

    def left(self) -> int | None:
        """How many modules it has still to import; None if it has ended."""
        return self._ask({"left": True}).get("left")

    def reap(self, pid: int) -> int:
        """The exit status of a kernel that has ended, after which its number may be another's."""
        return self._ask({"pid": pid}).get("status", 1)

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._asking:
            if self._connection is None:
                return {}
            try:
                self._connection.sendall(json.dumps(request).encode())
                answer = self._connection.recv(MESSAGE_LIMIT)
            except OSError as error:
                log.warning("the kernel template does not answer: %r", error)
                answer = b""
            if not answer:
                self.stop()
                return {}
            return json.loads(answer)


TEMPLATE = KernelTemplate()


class WarmKernel:
    """A kernel that the template has forked; to `LocalProvisioner` it is a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, template: KernelTemplate) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._template = template
        self._ended = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its status once it has ended, as far as it is known before `wait`; None while it runs."""
        if self.returncode is not None or not select.select([self._ended], [], [], 0)[0]:
            return self.returncode
        return 1

    def wait(self) -> int:
        if self.returncode is None:
            select.select([self._ended], [], [])
            self.returncode = self._template.reap(self.pid)
            os.close(self._ended)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            signal.pidfd_send_signal(self._ended, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel from the template; one that is not a plain one of this Python afresh."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        arguments = kernel_arguments(cmd)
        kernel = None
        if arguments is not None and kwargs.keys() <= {"cwd", "env", "kernel_id"}:
            kernel = await asyncio.to_thread(
                TEMPLATE.fork,
                arguments,
                str(kwargs.get("cwd") or os.getcwd()),
                kwargs.get("env") or os.environ,
            )
        if kernel is None:
            TEMPLATE.start()  # for those that follow
            return await super().launch_kernel(cmd, **kwargs)
        self.process = cast(subprocess.Popen, kernel)
        self.pid = self.pgid = kernel.pid
        return self.connection_info

    async def wait(self) -> int | None:
        kernel: Any = self.process
        if isinstance(kernel, WarmKernel):
            while await self.poll() is None:
                await asyncio.sleep(0.1)
            # The template may be importing, for which this server's loop must not wait.
            await asyncio.to_thread(kernel.wait)
        return await super().wait()


def kernel_arguments(command: Sequence[str]) -> list[str] | None:
    """What follows `python -m ipykernel_launcher`, if that is what `command` starts."""
    python, *rest = command
    if rest[:1] == ["-Xfrozen_modules=off"]:  # without it the debugger warns in a fresh process
        rest = rest[1:]
    ours = os.path.dirname(python) == os.path.dirname(sys.executable)
    return list(rest[2:]) if ours and rest[:2] == ["-m", "ipykernel_launcher"] else None
