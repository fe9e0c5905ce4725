"""nbgrader's exchange classes over this course's exchange.

With these configured, nbgrader's command line and JupyterLab extensions work unchanged::

    c.ExchangeFactory.exchange = "hub.exchange.client.Exchange"
    c.ExchangeFactory.fetch_assignment = "hub.exchange.client.ExchangeFetchAssignment"
    …

The address comes from the environment variable ``LOGITLAB_EXCHANGE_URL``, the identity from
``JUPYTERHUB_API_TOKEN``.
"""

from hub.exchange.client.base import Exchange
from hub.exchange.client.instructor import (
    ExchangeCollect,
    ExchangeReleaseAssignment,
    ExchangeReleaseFeedback,
)
from hub.exchange.client.listing import ExchangeList
from hub.exchange.client.student import (
    ExchangeFetchAssignment,
    ExchangeFetchFeedback,
    ExchangeSubmit,
)

__all__ = [
    "Exchange",
    "ExchangeCollect",
    "ExchangeFetchAssignment",
    "ExchangeFetchFeedback",
    "ExchangeList",
    "ExchangeReleaseAssignment",
    "ExchangeReleaseFeedback",
    "ExchangeSubmit",
]
