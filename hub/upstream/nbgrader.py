"""nbgrader beyond its configuration points. Known to work with the version in FITS."""

from __future__ import annotations

import asyncio
import functools
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from nbgrader import api
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

FITS = "0.9.6"


# The formgrader ----------------------------------------------------------------------------------


class _TheirPages(FileSystemLoader):
    """nbgrader's templates, for an environment that escapes: values in strings of a
    script become JSON instead, since scripts are not HTML."""

    IN_SCRIPT = re.compile(r'var (\w+) = "\{\{ (\w+) \}\}";')

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        text, path, fresh = super().get_source(environment, template)
        return self.IN_SCRIPT.sub(r"var \1 = {{ \2 | tojson }};", text), path, fresh


def put_pages_before(webapp: Any, folder: Path) -> Environment:
    """Make the formgrader render our templates in `folder` before its own, and escape.

    Our pages extend "nbgrader/…", the page of the same name. Returns its environment.
    """
    from nbgrader.server_extensions.formgrader.handlers import template_path

    theirs = _TheirPages(template_path)
    environment: Environment = webapp.settings["nbgrader_jinja2_env"]
    environment.loader = ChoiceLoader(
        [FileSystemLoader(folder), theirs, PrefixLoader({"nbgrader": theirs})]
    )
    environment.autoescape = True
    return environment


def replace_handler(webapp: Any, theirs: type, ours: type) -> None:
    """Replace the handler `theirs` by `ours` in its routes.

    Raises LookupError if it has none: a newer nbgrader may have renamed it.
    """
    found = [
        rule
        for host in webapp.default_router.rules
        for rule in getattr(host.target, "rules", [])
        if rule.target is theirs
    ]
    if not found:
        raise LookupError(f"nbgrader's formgrader has no {theirs.__name__}")
    for rule in found:
        rule.target = ours


def end_transaction(settings: dict[str, Any]) -> None:
    """End the transaction that the last page left open in the gradebook.

    nbgrader's handlers commit all changes at once but never end a read transaction; PostgreSQL
    closes connections that stay idle in one for long, and the next page would fail.
    """
    if gradebook := settings["nbgrader_gradebook"]:
        gradebook.db.rollback()


def revive_sessions() -> None:
    """Make sessions that lost their connection usable again, on the event loop's next iteration.

    The formgrader keeps one session for its lifetime and never rolls it back: every page would
    fail from then on. The listeners apply to all sessions of the process.
    """
    event.listen(Session, "after_begin", _note_session)
    event.listen(Engine, "handle_error", _roll_back_later)


@contextmanager
def shared_engines() -> Iterator[None]:
    """Within the block, gradebooks at one URL share an engine, and the SQL that it has compiled.

    nbgrader opens a dozen gradebooks to score one submission, and gives each an engine of its own.
    """
    theirs = api.create_engine
    api.create_engine = functools.cache(theirs)
    try:
        yield
    finally:
        api.create_engine = theirs


def _note_session(session: Session, _transaction: Any, connection: Any) -> None:
    connection.info["session"] = weakref.ref(session)


def _roll_back_later(context: Any) -> None:
    if not (context.is_disconnect and context.connection is not None):
        return
    session = context.connection.info.get("session", lambda: None)()
    if session is not None:
        with suppress(RuntimeError):  # no loop is running, so nothing goes on using this session
            asyncio.get_running_loop().call_soon(session.rollback)


# Validate ----------------------------------------------------------------------------------------


def other_validation_routes() -> list[tuple[str, type]]:
    """The routes of the extension behind *Validate*, except the one that validates."""
    from nbgrader.server_extensions.validate_assignment import handlers

    (_, validates), *others = handlers.default_handlers
    if validates is not handlers.ValidateAssignmentHandler:
        raise LookupError("nbgrader's first route of Validate is not the one that validates")
    return others


def name_validator(ours: type) -> None:
    """Make `nbgrader validate` use `ours`: its app hard-codes its validator."""
    from nbgrader.apps import validateapp

    validateapp.Validator = ours
