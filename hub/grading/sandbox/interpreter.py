"""An IPython extension: what a cell takes away of Python itself is put back after it.

Without its modules and built-in functions no process runs another cell, and no test. What student
code adds stays, and so does what it changes inside a module.
"""

from __future__ import annotations

import builtins
import os
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from hub.grading.sandbox.outputs import PUT_BACK

_BUILTINS = vars(builtins)
_MODULES = sys.modules
MOST_NAMED = 3


class InterpreterSnapshot:
    """Python's built-in names and the imported modules, as they were when last looked at.

    Modules that lie in the folder of the notebook are left out: whoever deletes one of those means
    to import it afresh.
    """

    def __init__(self) -> None:
        self._names = frozenset(_BUILTINS)
        self.adopt()

    def adopt(self) -> None:
        """Keep what is there now, for a notebook in the current folder."""
        self._folder = os.path.join(os.getcwd(), "")
        self.look()

    def look(self) -> None:
        """Keep what is there now."""
        self._builtins, self._modules = _BUILTINS.copy(), _MODULES.copy()

    def put_back(self) -> list[str]:
        """Put back what is gone or replaced; the names of that.

        Until the built-in names are back nothing here uses one.
        """
        gone = []
        for name, value in self._builtins.items():
            if name in self._names and (name not in _BUILTINS or _BUILTINS[name] is not value):
                _BUILTINS[name] = value
                gone.append(name)
        for name, module in self._modules.items():
            if module is not None and _MODULES.get(name) is None and not self._is_own(module):
                _MODULES[name] = module
                gone.append(name)
        sys.modules = _MODULES
        return gone

    def _is_own(self, module: ModuleType) -> bool:
        return str(getattr(module, "__file__", None)).startswith(self._folder)


def load_ipython_extension(shell: InteractiveShell) -> InterpreterSnapshot:
    """Have `shell` put back after each statement of a cell, and say so in the cell's output.

    IPython calls this where it is told our name.
    """
    kept = InterpreterSnapshot()
    run_code, showtraceback = shell.run_code, shell.showtraceback

    def put_back() -> None:
        if gone := kept.put_back():
            more = f" and {len(gone) - MOST_NAMED:,} more" * (len(gone) > MOST_NAMED)
            with suppress(Exception):  # the stream is the student's too
                print(f"{PUT_BACK} ({', '.join(gone[:MOST_NAMED])}{more})]", file=sys.stderr)

    async def run_and_put_back(*args: Any, **kwargs: Any) -> bool:
        kept.look()
        try:
            return await run_code(*args, **kwargs)
        finally:
            put_back()

    def show_traceback(*args: Any, **kwargs: Any) -> None:
        put_back()  # or an error could not be shown
        showtraceback(*args, **kwargs)

    shell.run_code = run_and_put_back  # type: ignore[method-assign]
    shell.showtraceback = show_traceback  # type: ignore[method-assign]
    return kept
