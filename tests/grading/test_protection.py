"""The warning on the formgrader's pages about graded code, and the page that it leads to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.grading.sandbox.landlock import (
    FILES_SINCE,
    SCOPES_SINCE,
    TRUNCATE_SINCE,
    not_protected,
)
from hub.singleuser.protection import DOCUMENT, NEVER, section
from tests.formgrader_server import formgrader_of
from tests.grading.tiny_course import ASSIGNMENT

# The first Linux with each version of Landlock that the sandbox tells apart (landlock(7)).
KERNELS = {FILES_SINCE: "5.19", TRUNCATE_SINCE: "6.2", SCOPES_SINCE: "6.12"}


@pytest.fixture(scope="module")
def text() -> str:
    return section(DOCUMENT.read_text(encoding="utf-8"))


def test_the_warning_names_everything_that_the_document_calls_unprotected(text: str) -> None:
    named = re.findall(r"^- \*(.+?)\*", text, re.MULTILINE)
    *never, depends_on_the_kernel = named
    assert [name.rstrip(".").lower() for name in never] == list(NEVER)
    assert depends_on_the_kernel == "Everything in the tables"


def test_the_document_and_the_warning_name_the_same_kernels(text: str) -> None:
    since = set(re.findall(r"\| (any|\d\.\d+) \|", text))
    assert since == {"any", *KERNELS.values()}
    for version in KERNELS:
        assert not_protected(version - 1) != not_protected(version)


def test_the_warning_leads_to_the_document_on_the_same_server(tmp_path: Path) -> None:
    with formgrader_of(tmp_path) as http:
        page = http.get(f"/formgrader/manage_submissions/{ASSIGNMENT}").raise_for_status().text
        (link,) = re.findall(r'href="(/formgrader/protection)"', page)
        assert "limits of processes, /dev/shm" in page
        shown = http.get(link).raise_for_status().text
    assert "<table>" in shown and "kill the worker or the batch" in shown
    assert "<em>The network.</em>" in shown
