"""*Validate*: the result of a notebook's visible tests as grading would see it.

One validator serves JupyterLab's button (`route`) and `nbgrader validate` in a terminal. It works
like grading: the notebook is rebuilt from its release, executed within the same limits, and
its tests are judged by the same rule.
"""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.singleuser.validation"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from hub.singleuser.validation.route import add_handlers

    add_handlers(server)


def in_terminals() -> None:
    """Make `nbgrader validate` use our validator; called by the `nbgrader_config.py` of servers."""
    from hub.singleuser.validation.validator import CourseValidator
    from hub.upstream.nbgrader import name_validator

    name_validator(CourseValidator)
