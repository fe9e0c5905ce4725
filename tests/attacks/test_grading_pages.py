"""Submissions that attack the pages on which people look at them.

The formgrader is one process for all who grade, and its session may do everything in the course.
"""

from __future__ import annotations

import copy
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook, SubmittedNotebook
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from hub.grading.pipeline.batch import autograde
from hub.grading.pipeline.sanitise import RENDER_SECONDS, highlighted, sanitise
from tests.e2e.browser import PATIENCE, launched
from tests.formgrader_server import formgrader_of
from tests.grading.conftest import pristine  # noqa: F401
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK, answered, course_config, submit
from tests.needs import need

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
    assert time.process_time() - began < 5 * RENDER_SECONDS


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


def _gradebook(root: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny")


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
    with formgrader_of(root) as http:
        with _gradebook(root) as gradebook:
            found = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, "mallory")
            http.base_url = http.base_url.join(f"/formgrader/submissions/{found.id}/")
        yield http


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


# As a name of a person it may hold anything, as one of a file no slash.
SHORT = """<img src=x onerror=window.ran=1>"';window.ran=1//\\"""
NAME = f"{SHORT}</script><script>window.ran=1</script>"
FILE_NAME = SHORT.replace("/", "")


@dataclass(frozen=True)
class Reviewed:
    """A formgrader open in a browser, and the address of a submission of the student NAME."""

    page: Page
    url: str
    submission: str


@pytest.fixture(name="reviewed", scope="module")
def _reviewed(
    pristine: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Reviewed]:
    need("chromium")
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("names") / "course"))
    for student in ("mallory", FILE_NAME):
        submit(root, student, answered(root))
    list(autograde(root, ASSIGNMENT, config=course_config(root)))
    (root / "source" / FILE_NAME).mkdir()
    with _gradebook(root) as gradebook:
        for student in ("mallory", FILE_NAME):
            gradebook.update_or_create_student(
                student, first_name=NAME, last_name=NAME, email=f"{NAME}@example.org"
            )
        missing = gradebook.add_notebook(FILE_NAME, ASSIGNMENT)
        submission = gradebook.find_submission(ASSIGNMENT, "mallory")
        gradebook.db.add(SubmittedNotebook(notebook=missing, assignment=submission))
        for comment in gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, "mallory").comments:
            comment.manual_comment = NAME
        gradebook.db.commit()
        for student in ("mallory", FILE_NAME):
            found = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student)
    with formgrader_of(root) as http, launched() as browser:
        context = browser.new_context(extra_http_headers={"Authorization": "token t"})
        context.set_default_timeout(PATIENCE)
        yield Reviewed(context.new_page(), f"{str(http.base_url).rstrip('/')}/formgrader", found.id)


QUOTED = quote(FILE_NAME, safe="")
WITH_NAMES = {
    "manage_assignments": FILE_NAME,
    f"manage_submissions/{ASSIGNMENT}": NAME,
    f"gradebook/{ASSIGNMENT}": FILE_NAME,
    f"gradebook/{ASSIGNMENT}/{NOTEBOOK}": NAME,
    "manage_students": NAME,
    "manage_students/mallory/" + ASSIGNMENT: FILE_NAME,
    f"manage_students/{QUOTED}": FILE_NAME,
    "submissions/{submission}/": NAME,
    # Addresses that a link of a student may have.
    f"gradebook/{quote(NAME, safe='')}": NAME,
    f"gradebook/{ASSIGNMENT}/{quote(NAME, safe='')}": NAME,
    f"manage_submissions/{quote(NAME, safe='')}": NAME,
    f"manage_students/{quote(NAME, safe='')}/{quote(NAME, safe='')}": NAME,
}


@pytest.mark.parametrize("address", WITH_NAMES)
def test_a_name_with_scripts_is_text_on_each_page_of_the_formgrader(
    reviewed: Reviewed, address: str
) -> None:
    page = reviewed.page
    page.goto(f"{reviewed.url}/{address.replace('{submission}', reviewed.submission)}")
    # Lists are filled by requests of the page.
    with suppress(PlaywrightTimeout):
        page.wait_for_function(
            "text => document.body.textContent.includes(text)",
            arg=WITH_NAMES[address],
            timeout=30_000,
        )
    assert WITH_NAMES[address] in str(page.evaluate("document.body.textContent"))
    assert page.evaluate("window.ran") is None
