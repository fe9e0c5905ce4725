"""What people see in a browser besides JupyterLab and the formgrader."""

from __future__ import annotations

from typing import Any


def landing(handler: Any) -> str:
    """Where somebody goes after logging in: instructors choose, students go to their work.

    JupyterHub's `default_url`; empty, for somebody not logged in yet, means the login page.
    """
    user = handler.current_user
    if user is None:
        return ""
    instructs = any(group.name.startswith("formgrade-") for group in user.groups)
    return f"{handler.hub.base_url}{'home' if instructs else 'spawn'}"
