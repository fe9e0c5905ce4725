"""Detects a course id that was changed after something was released under the old one."""

from __future__ import annotations

import os
from pathlib import Path

from hub.exchange.client.transport import HttpTransport
from hub.exchange.errors import Refusal
from hub.exchange.renamed import kept_in, warning


def changed_id(course: str, exchange: Path) -> str:
    """What to do if it was changed; "" if not, or if the exchange cannot be read.

    course: its current id.
    exchange: the exchange's folder, read when not on one of the hub's servers.
    """
    url, token = (os.environ.get(n) for n in ("LOGITLAB_EXCHANGE_URL", "JUPYTERHUB_API_TOKEN"))
    if not (url and token):
        return warning(course, {course}, kept_in(exchange))
    try:
        records = HttpTransport(url, token).courses()
    except Refusal:
        return ""
    return next((one.get("warning", "") for one in records if one["course"] == course), "")
