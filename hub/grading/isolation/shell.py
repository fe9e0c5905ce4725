"""A notebook kernel's shell without a kernel: cells run in this process, outputs are collected.

ipykernel's own shell is used, so that magics, displays, Plotly's choice of renderer and tracebacks
are those of a notebook. Where it would send messages to a front end it finds a `RecordingSession`.
"""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import getpass
import io
import os
import sys
from collections.abc import Callable
from types import MethodType, SimpleNamespace
from typing import Any, Literal

from ipykernel.compiler import XCachingCompiler
from ipykernel.kernelbase import Kernel
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.interactiveshell import ExecutionResult
from jupyter_client.session import Session
from traitlets.config import Config

from hub.grading.sandbox import commands, interpreter
from hub.grading.sandbox.outputs import PRINT_CUT, error_output

STREAM_LIMIT = 1_000_000
"""Characters of printed text kept for one cell."""


class RecordingSession(Session):
    """Outputs of the cell that runs, as nbformat outputs: a session that sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict]] = {}
        self._printed = 0
        self._clear_next = False

    def start(self) -> None:
        """Begin a cell with no outputs."""
        self.outputs = []
        self._displays.clear()
        self._printed = 0
        self._clear_next = False

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *_: Any, **__: Any) -> None:
        """Take what the shell has for the front end: a message, or its type and content."""
        if isinstance(msg_or_type, dict):
            msg_or_type, content = msg_or_type["header"]["msg_type"], msg_or_type["content"]
        handler = getattr(self, f"_{msg_or_type}", None)
        if handler is not None:
            handler(content)

    def write(self, stream: str, text: str) -> None:
        """Text printed to `stream`, "stdout" or "stderr"."""
        self._clear_if_waiting()
        room = STREAM_LIMIT - self._printed
        self._printed += len(text)
        if room <= 0:
            return
        if len(text) > room:
            text = f"{text[:room]}\n{PRINT_CUT}\n"
        last = self.outputs[-1] if self.outputs else {}
        if last.get("name") == stream:
            last["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": stream, "text": text})

    def _clear_if_waiting(self) -> None:
        if self._clear_next:
            self._clear_next = False
            self.outputs.clear()

    def _clear_output(self, content: dict) -> None:
        self._clear_next = True
        if not content.get("wait"):
            self._clear_if_waiting()

    def _display_data(self, content: dict) -> None:
        self._clear_if_waiting()
        output = {"output_type": "display_data"}
        output |= {"data": content["data"], "metadata": content["metadata"]}
        self.outputs.append(output)
        display_id = content.get("transient", {}).get("display_id")
        if display_id:
            self._displays.setdefault(display_id, []).append(output)

    def _update_display_data(self, content: dict) -> None:
        for output in self._displays.get(content["transient"].get("display_id"), []):
            output |= {"data": content["data"], "metadata": content["metadata"]}

    def _execute_result(self, content: dict) -> None:
        self._clear_if_waiting()
        kept = {key: content[key] for key in ("data", "metadata", "execution_count")}
        self.outputs.append({"output_type": "execute_result", **kept})

    def _error(self, content: dict) -> None:
        self._clear_if_waiting()
        kept = {key: content[key] for key in ("ename", "evalue", "traceback")}
        self.outputs.append({"output_type": "error", **kept})


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr of a notebook: text goes to a recorder."""

    encoding = "utf-8"

    def __init__(self, name: Literal["stdout", "stderr"], recorder: RecordingSession) -> None:
        self.name = name
        self._recorder = recorder

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._recorder.write(self.name, text)
        return len(text)


class DescriptorCapture:
    """What is written to descriptors 1 and 2 past Python, such as by a child process.

    Both go to files in memory; after each cell what was added is read.
    """

    def __init__(self) -> None:
        self._files = {}
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            self._files[name] = os.memfd_create(name)
            os.dup2(self._files[name], descriptor)

    def drain(self, write: Callable[[str, str], None]) -> None:
        """Hand over what was written, and empty the files."""
        for name, file in self._files.items():
            content = os.pread(file, STREAM_LIMIT, 0)
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            if content:
                write(name, content.decode("utf-8", "replace"))


class NotebookShell:
    """Runs a notebook's cells in this process."""

    def __init__(self) -> None:
        self.recorder = RecordingSession()
        config = Config()
        config.HistoryManager.enabled = False
        self.shell = ZMQInteractiveShell.instance(config=config, compiler_class=XCachingCompiler)
        self.shell.kernel = SimpleNamespace(eventloop=None, _allow_stdin=False)
        # They say that nobody is there to answer, instead of reading an empty file.
        builtins.input = MethodType(Kernel.raw_input, self.shell.kernel)
        getpass.getpass = MethodType(Kernel.getpass, self.shell.kernel)
        commands.load_ipython_extension(self.shell)
        self.kept = interpreter.load_ipython_extension(self.shell)
        publishers: tuple[Any, Any] = (self.shell.displayhook, self.shell.display_pub)
        for publisher in publishers:
            publisher.session = self.recorder
        sys.path.insert(0, "")  # as in a notebook: modules beside it can be imported
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._context = contextvars.copy_context()
        self._take_descriptors()

    def adopt(self) -> None:
        """Make it the shell of this process, which was forked from the one that made it."""
        sys.modules["__main__"] = self.shell.user_module
        self.kept.adopt()
        self.shell.init_environment()
        self.shell.user_ns["_dh"] = [os.getcwd()]
        self.recorder.start()
        self._take_descriptors()

    def _take_descriptors(self) -> None:
        self._descriptors = DescriptorCapture()
        sys.stdout = Stream("stdout", self.recorder)
        sys.stderr = Stream("stderr", self.recorder)
        self._new_loop()

    @property
    def names(self) -> dict[str, Any]:
        """The global names of the cells."""
        return self.shell.user_ns

    def run(self, text: str, number: int) -> list[dict[str, Any]]:
        """Run one cell as `In [number]` and return its nbformat outputs."""
        self.recorder.start()
        self.shell.execution_count = number
        result = self._complete(text)
        self._descriptors.drain(self.recorder.write)
        if not result.success and not any(
            o["output_type"] == "error" for o in self.recorder.outputs
        ):
            self.recorder.outputs.append(error_output("CellFailed", "this cell could not be run"))
        return self.recorder.outputs

    def _new_loop(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Kept: one that is forgotten closes descriptors whose numbers are others' after a fork.
        self._loops.append(self._loop)
        asyncio.set_event_loop(self._loop)

    def _complete(self, text: str) -> ExecutionResult:
        """Run a cell in the event loop, as a kernel does."""
        if self._loop.is_closed():
            self._new_loop()
        started: list[str] = []
        # One context for all cells, as in a kernel: NumPy keeps its print options in it.
        cell = self._loop.create_task(self._execute(text, started), context=self._context)
        try:
            return self._loop.run_until_complete(cell)
        except KeyboardInterrupt:  # while the cell was awaiting something
            if not cell.done():
                cell.cancel()
            return self._loop.run_until_complete(cell)
        except Exception:  # student code has stopped the loop, or closed what it waits with
            if cell.done():
                return cell.result()
            if started:
                return self._loop.run_until_complete(cell)
            self._new_loop()
            return self._complete(text)

    async def _execute(self, text: str, started: list[str]) -> ExecutionResult:
        """As `IPythonKernel.do_execute` runs a cell: only what awaits is a task of its own."""
        started.append(text)
        shell, failed, result = self.shell, None, None
        try:
            transformed = shell.transform_cell(text)
        except Exception:
            transformed, failed = text, sys.exc_info()
        prepared = {"transformed_cell": transformed, "preprocessing_exc_tuple": failed}
        if not shell.should_run_async(text, **prepared):
            return shell.run_cell(text, store_history=True)
        try:
            result = await asyncio.ensure_future(
                shell.run_cell_async(text, store_history=True, **prepared)
            )
            return result
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)

    def discard(self) -> None:
        """Forget what was printed since the cell ended."""
        self._descriptors.drain(lambda name, text: None)
        self.recorder.start()
