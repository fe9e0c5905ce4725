"""The small page at the exchange's address: who you are, and what you submitted."""

from __future__ import annotations

from html import escape

from hub.exchange.access import Access
from hub.exchange.limits import size_text

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .8rem .4rem 0;"
    "border-bottom:1px solid #ccc;vertical-align:top}code{overflow-wrap:anywhere;font-size:.85em}"
)


def page(access: Access) -> str:
    """The whole page as HTML, with everything from users escaped."""
    courses = access.courses()
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Exchange</title>",
        f"<style>{_STYLE}</style><h1>Exchange</h1>",
        f"<p>You are <strong>{escape(access.caller.name)}</strong>.</p>",
    ]
    if not courses:
        parts.append("<p>You are not in any course here. Ask your instructor to add you.</p>")
    for course in courses:
        roles = " and ".join(course["roles"])
        parts.append(f"<h2>{escape(course['course'])}</h2><p>You are {escape(roles)} here.</p>")
        parts.append(_submissions(access, course["course"]))
    return "".join(parts)


def _submissions(access: Access, course: str) -> str:
    rows = [
        "<tr>"
        f"<td>{escape(submission.assignment)}</td>"
        f"<td>{submission.received_at:%Y-%m-%d %H:%M:%S} UTC{' (late)' if submission.late else ''}"
        f"</td><td>{size_text(submission.size)}</td>"
        f"<td>{'released' if submission.feedback else 'not yet'}</td>"
        f"<td><code>{submission.receipt}</code><br>SHA-256 <code>{submission.sha256}</code></td>"
        "</tr>"
        for submission in reversed(access.my_submissions(course))
    ]
    if not rows:
        return "<p>You have not submitted anything yet.</p>"
    return (
        "<table><tr><th>Assignment<th>Received<th>Size<th>Feedback<th>Receipt</tr>"
        + "".join(rows)
        + "</table>"
    )
