"""Whether the id of a course was changed after something was released under the old one."""

from __future__ import annotations

import os
from pathlib import Path

from hub.exchange.client.transport import HttpTransport
from hub.exchange.errors import Refusal
from hub.exchange.renamed import kept_in, warning


def changed_id(course: str, exchange: Path) -> str:
    """What to do where it was changed; "" where not, or where the exchange cannot be asked.

    course: its id now.
    exchange: the folder of the exchange, read where this is no server of the hub's.
    """
    url, token = (os.environ.get(n) for n in ("LOGITLAB_EXCHANGE_URL", "JUPYTERHUB_API_TOKEN"))
    if not (url and token):
        return warning(course, {course}, kept_in(exchange))
    try:
        records = HttpTransport(url, token).courses()
    except Refusal:
        return ""
    return next((one.get("warning", "") for one in records if one["course"] == course), "")
