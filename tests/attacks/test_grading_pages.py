"""Work handed in to be looked at: to hold up or to take over who looks.

The formgrader is one process for all who grade, and its session may do everything in the course.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook

from hub.configure.jupyterlab import GRADER_CSP
from hub.grading.batch import autograde
from hub.grading.sanitise import PATIENCE_SECONDS, highlighted, sanitise
from hub.serve import free_port
from tests.grading.conftest import pristine  # noqa: F401
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK, answered, course_config, submit

pytestmark = pytest.mark.kernel

# A notebook of 25 MB is taken; each of these was seen to take hours in far less.
CELLS = 60
SLOW = {
    "TeX that never ends": [new_markdown_cell("\\\\[" * 6000)] * CELLS,
    "an environment never closed": [new_markdown_cell("\\begin{a}" * 2000)] * CELLS,
    "links never closed": [new_markdown_cell("[a](" * 5000)] * CELLS,
    "code of blanks in text": [new_markdown_cell("```python\n" + " " * 19_000 + "x\n```")],
    "code of blanks": [new_code_cell(" " * 200_000 + "x")],
    "code of empty lines": [new_code_cell("x" + "\n" * 200_000 + "x")],
    "code in one word": [new_code_cell("a" * 200_000)],
    "code of many small runs": [new_code_cell(("x" + "\n" * 38) * 20_000)],
    "another language": [new_code_cell("%%perl\n" + "s{" * 200_000)],
    "many cells of code": [new_code_cell("a.b " * 20_000)] * CELLS,
}
PAGES = {
    "backslashes": "\\" * 99_000 + "href ",
    "depth": "<div>" * 20_000,
}


def _shown(page: str) -> list[NotebookNode]:
    output = new_output("display_data", {"text/html": page})
    return [new_code_cell("show()", outputs=[output] * 10)] * 10


@pytest.mark.parametrize("name", [*SLOW, *PAGES])
@pytest.mark.timeout(300)
def test_a_notebook_made_to_take_long_is_a_page_soon(tmp_path: Path, name: str) -> None:
    cells = SLOW.get(name) or _shown(PAGES[name])
    notebook = new_notebook(cells=[copy.deepcopy(cell) for cell in cells])
    exporter = HTMLExporter(config=course_config(tmp_path))
    began = time.process_time()
    exporter.from_notebook_node(notebook)
    assert time.process_time() - began < 5 * PATIENCE_SECONDS


def test_an_honest_notebook_is_shown_in_full() -> None:
    cells = [new_markdown_cell("# Title\n" + "word " * 500)] * 50
    cells += [new_code_cell("def f(x):\n    return [x]\n" * 60)] * 50
    shown = sanitise(new_notebook(cells=[copy.deepcopy(cell) for cell in cells])).cells
    assert all("<h1" in cell.source for cell in shown[:50])
    assert all("<span" in highlighted(cell.source, cell.metadata) for cell in shown[50:])


SCRIPT = "<script>document.title = 'taken over'</script>"
FILES = {
    "figure.html": SCRIPT,
    "figure.svg": f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>",
}


@pytest.fixture(name="formgrader", scope="module")
def _formgrader(
    pristine: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A formgrader of a course in which a student has handed in the FILES too."""
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("pages") / "course"))
    folder = submit(root, "mallory", answered(root))
    for name, text in FILES.items():
        (folder / name).write_text(text)
    list(autograde(root, ASSIGNMENT, config=course_config(root)))
    port = free_port()
    headers = {"Content-Security-Policy": GRADER_CSP}
    chosen = root / "jupyter_server_config.py"
    chosen.write_text(
        "c.ServerApp.jpserver_extensions = {'hub.formgrader': True}\n"
        f"c.ServerApp.tornado_settings = {{'headers': {headers}}}\n"
        f"c.CourseDirectory.root = {str(root)!r}\n"
        "c.CourseDirectory.course_id = 'tiny'\n"
    )
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            *(f"--config={chosen}", f"--ServerApp.root_dir={root}", f"--port={port}"),
            *("--IdentityProvider.token=t", "--ServerApp.port_retries=0"),
        ],
        cwd=root,
        env=os.environ | {"JUPYTER_NO_CONFIG": "1", "HOME": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "token t"}, timeout=60
    ) as http:
        try:
            for _ in range(120):
                try:
                    http.get("/api/status").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.5)
            with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
                found = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, "mallory")
                http.base_url = http.base_url.join(f"/formgrader/submissions/{found.id}/")
            yield http
        finally:
            server.terminate()
            server.wait()


@pytest.mark.parametrize("name", FILES)
def test_no_file_that_a_student_handed_in_runs_in_the_formgrader(
    formgrader: httpx.Client, name: str
) -> None:
    answer = formgrader.get(name)
    assert answer.status_code == 200 and answer.text == FILES[name]
    policy = [part.strip() for part in answer.headers["Content-Security-Policy"].split(";")]
    assert "sandbox" in policy  # without allow-scripts and allow-same-origin
    assert "default-src 'none'" in policy
    assert not re.search(r"script-src|allow-", ";".join(policy))
