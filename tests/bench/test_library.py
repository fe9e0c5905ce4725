"""The benchmark of the steps from an idea to its picture: what it counts as a step."""

from tests.bench.library import steps

NOTEBOOK = """# %%
import plotly.graph_objects as go

runs = []
go.Figure(layout={"title": {"text": "the first, with the imports"}})

# %%
runs.append("given")
go.Figure(layout={"title": {"text": "repeated"}})

# %%
runs.append("no picture")

# %% nbgrader={"grade": true, "grade_id": "f_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
raise AssertionError("tests are left out")

# %% tags=["play"]
go.Figure(layout={"title": {"text": str(runs)}})
"""  # noqa: E501


def test_a_step_is_a_cell_that_draws_and_tests_are_left_out(tmp_path):
    text = tmp_path / "notebook.py"
    text.write_text(NOTEBOOK, encoding="utf-8")
    found = list(steps(text, rounds=2))
    assert [(step.title, step.lines) for step in found] == [
        ("the first, with the imports", 3),
        ("repeated", 2),
        ("['given', 'given', 'no picture', 'no picture']", 1),
    ]
    assert all(step.seconds > 0 and step.size > 100 for step in found)
