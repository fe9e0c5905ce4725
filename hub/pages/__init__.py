"""What people see in a browser besides JupyterLab and the formgrader."""

from __future__ import annotations

from typing import Any


def landing(handler: Any) -> str:
    """Where somebody goes after logging in: instructors choose, students go to their work."""
    user = handler.current_user
    instructs = user and any(group.name.startswith("formgrade-") for group in user.groups)
    return f"{handler.hub.base_url}home" if instructs else f"{handler.hub.base_url}spawn"
