"""A hostile feedback page in its owner's browser, at the address of the hub."""

from __future__ import annotations

import pytest

from tests.e2e.browser import launched
from tests.exchange.conftest import (  # noqa: F401 - fixtures
    clock,
    database,
    service,
    stand_in_hub,
    store,
)
from tests.exchange.samples import COURSE, give_feedback, notebook, packed, submit

HOSTILE = """<!doctype html><title>feedback</title><link rel="icon" href="data:,">
<script>document.title = "owned"; fetch("/services/exchange/")</script>
<meta http-equiv="refresh" content="0;url=/hub/logout">
<link rel="stylesheet" href="/hub/logout"><style>body { background: url(/hub/logout) }</style>
<img src="/hub/logout" onerror="document.title = 'owned'">
<iframe src="/services/exchange/"></iframe><object data="/hub/logout"></object>
<a href="javascript:document.title='owned'">your points</a>
<form method="post" action="/hub/logout"><button>next</button></form>
<a href="/services/exchange/" target="_blank" rel="opener">a window</a><p id="end">good
"""


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_a_hostile_feedback_page_can_do_nothing_with_its_readers_session(store, service):  # noqa: F811
    mine = submit(store, notebook("mine"))
    give_feedback(store, mine, packed({"a.html": HOSTILE.encode()}))
    address = f"{service.url}/feedback/{COURSE}/{mine.receipt}/a.html"
    with launched() as browser:
        context = browser.new_context(extra_http_headers={"Authorization": "token student"})
        page = context.new_page()
        answered: list[str] = []  # what the browser blocks is asked for, and never answered
        context.on("response", lambda response: answered.append(response.url))
        page.goto(address)
        page.click("text=your points")
        page.click("text=next")
        page.click("text=a window")
        page.wait_for_timeout(1000)
        assert page.title() == "feedback" and page.url == address
        assert page.locator("#end").inner_text() == "good"
        assert page.evaluate("self.origin") == "null"
        assert len(context.pages) == 1
    assert answered == [address]
