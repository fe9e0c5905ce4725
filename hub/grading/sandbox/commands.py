"""An IPython extension: `!command` in a cell without a terminal.

IPython runs it at a terminal of its own, and student code that is graded may open none: among them
is the one at which somebody grades.
"""

from __future__ import annotations

import codecs
import subprocess
from functools import partial

from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give `shell` our way to run a command; IPython calls this where it is told our name."""
    shell.system = partial(run, shell)  # type: ignore[method-assign]


def run(shell: InteractiveShell, command: str) -> None:
    """Run `command` in a shell and print what it prints, as it comes.

    Its exit status is in `_exit_code`, as IPython leaves it.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with subprocess.Popen(
        shell.var_expand(command, depth=1),
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        assert process.stdout is not None
        try:
            while chunk := process.stdout.read(65536):
                print(decoder.decode(chunk), end="", flush=True)
        except BaseException:  # an interrupt of the cell ends its command
            process.kill()
            raise
    shell.user_ns["_exit_code"] = process.returncode
