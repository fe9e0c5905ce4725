"""The *Validate* button of a notebook, behind nbgrader's own button and route.

nbgrader's handler executes the notebook inside the student's server, which stands still
meanwhile, and reports a right cell that wrote a warning as failed. Here the same check runs in a
process of its own, through the same execution and the same rule for warnings as grading does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join
from nbformat import NotebookNode
from nbgrader.apps import NbGrader
from nbgrader.preprocessors import CheckCellMetadata, ClearOutput, NbGraderPreprocessor
from nbgrader.server_extensions.validate_assignment import handlers as stock
from nbgrader.validator import Validator
from tornado import web
from traitlets import Float, Integer, List

from hub.grading.autograde import JudgeOutputs
from hub.grading.execute import Limits, execute, files_below


class ExecuteForValidation(NbGraderPreprocessor):
    """Executes the notebook in a process tree of its own, with the files beside it."""

    cell_seconds = Float(60, help="Time limit of one cell, seconds.").tag(config=True)
    total_seconds = Float(600, help="Time limit of the notebook, seconds.").tag(config=True)
    memory_mib = Integer(4096, help="Memory limit of each process, MiB.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        limits = Limits(
            cell_seconds=self.cell_seconds,
            total_seconds=self.total_seconds,
            memory_mib=self.memory_mib,
        )
        # The validator has entered the notebook's folder.
        files = files_below(Path.cwd(), ["*.ipynb", "feedback"])
        return execute(nb, files=files, limits=limits).notebook, resources


class CourseValidator(Validator):
    """nbgrader's validator, executing apart from the server and indifferent to warnings."""

    preprocessors = List([CheckCellMetadata, ClearOutput, ExecuteForValidation, JudgeOutputs])


class ValidateHandler(stock.ValidateAssignmentHandler):
    """Answers nbgrader's button without holding up the rest of the student's server."""

    @web.authenticated
    async def post(self) -> None:
        body = self.get_json_body() or {}
        path = body.get("path") or self.get_argument("path")
        root = Path(self.root_dir).resolve()
        target = (root / path).resolve()
        if not target.is_relative_to(root):
            raise web.HTTPError(403, "That path is outside your files.")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub.validation", str(target)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        answer, log = await process.communicate()
        if process.returncode:
            last = log.decode(errors="replace").strip().rpartition("\n")[2]
            self.finish(json.dumps({"success": False, "value": last}))
        else:
            self.finish(answer)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.validation"}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.web_app.settings["root_dir"] = server.root_dir
    base = server.web_app.settings["base_url"]
    routes = [("/assignments/validate", ValidateHandler), *stock.default_handlers[1:]]
    server.web_app.add_handlers(".*$", [(url_path_join(base, at), who) for at, who in routes])


def main(path: str) -> None:
    """Validate one notebook and print what nbgrader's extension expects to hear, as JSON."""
    app = NbGrader()
    app.load_config_file()
    result = CourseValidator(config=app.config).validate(path)
    print(json.dumps({"success": True, "value": result}))


if __name__ == "__main__":
    main(sys.argv[1])
