"""What a release says of itself, from bytes."""

from __future__ import annotations

import json

import pytest

from hub.exchange.headings import TITLE_CHARACTERS, Heading, heading
from tests.exchange.samples import notebook, release
from tests.exchange.test_page import book


def text(*markdown: str) -> bytes:
    cells = [{"cell_type": "markdown", "source": source} for source in markdown]
    return json.dumps({"cells": cells}).encode()


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        (["# Start here\n\nA model is …"], "Start here"),
        (["Before.", "## *Induction* heads: `find` ##\n# Second"], "Induction heads: find"),
        (["# See [the paper](http://example.org) <b>now</b>"], "See the paper now"),
        (["```\n# a comment\n```\n# The title"], "The title"),
        (["#hashtag", "#"], ""),
        (["no heading"], ""),
        (["# d_model and d_head"], "d_model and d_head"),
        (["#   Ünïcode 注意 🎉"], "Ünïcode 注意 🎉"),
    ],
)
def test_the_title_is_the_first_heading_without_its_marks(markdown, title):
    assert heading([text(*markdown)]).title == title


def test_a_source_may_be_a_list_of_lines():
    cells = [{"cell_type": "markdown", "source": ["# Start\n", "here"]}]
    assert heading([json.dumps({"cells": cells}).encode()]).title == "Start"


def test_a_comment_in_code_is_no_heading():
    cells = [{"cell_type": "code", "source": "# import"}]
    assert heading([json.dumps({"cells": cells}).encode()]) == Heading()


def test_a_long_title_is_cut():
    found = heading([text("# " + "word " * 100)]).title
    assert len(found) <= TITLE_CHARACTERS and found.endswith("word…")


def test_of_several_notebooks_none_gives_the_title_and_all_give_points():
    assert heading([book("A", 2), book("B", 1.5)]) == Heading("", 3.5)


@pytest.mark.parametrize(
    "bad", [b"", b"\xff", b"[]", b'{"cells": 3}', b'{"cells": [1, null]}', b"[" * 100_000]
)
def test_a_notebook_that_cannot_be_read_says_nothing(bad):
    assert heading([bad]) == Heading()


@pytest.mark.parametrize("points", ["x", None, [], float("nan")])
def test_points_that_are_none_count_as_none(points):
    mark = {"cell_type": "code", "metadata": {"nbgrader": {"grade": True, "points": points}}}
    assert heading([json.dumps({"cells": [mark]}).encode()]).points == 0


def test_a_release_without_a_heading_goes_by_its_name(store):
    assert release(store, notebook("plain")).title == "06-induction-heads"


def test_a_release_whose_bytes_are_gone_is_still_listed(store):
    kept = release(store, notebook("gone"))
    store.blob_path(kept.sha256).unlink()
    store._heading.cache_clear()
    assert [each.title for each in store.releases(kept.course)] == ["06-induction-heads"]
