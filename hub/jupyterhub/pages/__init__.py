"""Pages other than JupyterLab and the formgrader."""

from __future__ import annotations

from typing import Any


def landing(handler: Any) -> str:
    """Where people go after login: instructors to the home page, students to their server.

    JupyterHub's `default_url`; if empty, as before login, JupyterHub shows the login page.
    """
    user = handler.current_user
    if user is None:
        return ""
    instructs = any(group.name.startswith("formgrade-") for group in user.groups)
    return f"{handler.hub.base_url}{'home' if instructs else 'spawn'}"
