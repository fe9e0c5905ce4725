"""Collecting submissions and releasing feedback without a browser, as nbgrader's commands do.

They reach the exchange as `hub.exchange.hand_out` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from traitlets.config import Config

from hub.core.course_folder import CourseFolder
from hub.exchange.client.base import Exchange
from hub.exchange.client.instructor import ExchangeCollect, ExchangeReleaseFeedback
from hub.exchange.hand_out import exchange_of
from hub.facts.errors import UserError


class NotAll(UserError):
    """Something was not collected or not released; the message says what."""


def collect(
    folder: CourseFolder, config: Config, assignment: str, before_due: bool = False
) -> Iterator[str]:
    """Put each student's newest submission of `assignment` into `submitted/`; repeatable.

    config: nbgrader's, of this course.
    before_due: the newest that was in time instead, where there is one.

    Raises NotAll, or HandOutError where the exchange cannot be reached.
    """
    yield from _run(folder, config, ExchangeCollect, assignment, before_due)


def release_feedback(folder: CourseFolder, config: Config, assignment: str) -> Iterator[str]:
    """Send the pages in `feedback/` to the owners of their submissions; repeatable.

    Raises as `collect` does.
    """
    yield from _run(folder, config, ExchangeReleaseFeedback, assignment, before_due=False)


def _run(
    folder: CourseFolder, config: Config, kind: type[Exchange], assignment: str, before_due: bool
) -> Iterator[str]:
    coursedir = CourseDirectory(config=config)
    coursedir.assignment_id = assignment
    with exchange_of(folder) as (transport, remarks):
        yield from remarks
        exchange = kind(coursedir=coursedir, config=config)
        exchange.__dict__["transport"] = transport  # in place of the one of a server's user
        if isinstance(exchange, ExchangeCollect):
            exchange.update, exchange.before_duedate = True, before_due
        failure = ""
        records = _logged(exchange)
        try:
            exchange.start()
        except ExchangeError as error:
            failure = str(error)
    errors = [record.getMessage() for record in records if record.levelno >= logging.ERROR]
    yield from (record.getMessage() for record in records if record.levelno < logging.ERROR)
    if errors or failure:
        raise NotAll("\n".join(errors or [failure]))


class _LogRecords(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _logged(exchange: Exchange) -> list[logging.LogRecord]:
    """What an exchange class logs from now on, from INFO on."""
    logger, kept = logging.Logger("exchange", logging.INFO), _LogRecords()
    logger.addHandler(kept)
    exchange.log = logger
    return kept.records
