"""Logging in with an institution's accounts, by OAuth 2 or OpenID Connect."""

from __future__ import annotations

from typing import Any

from oauthenticator.generic import GenericOAuthenticator

from hub.people.accounts.course import CourseAuthenticator


class InstitutionAuthenticator(CourseAuthenticator, GenericOAuthenticator):
    """The institution says who somebody is; the course's people say who is let in."""

    def get_handlers(self, app: Any) -> list[Any]:
        return [*super().get_handlers(app), *GenericOAuthenticator.get_handlers(self, app)]

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """Raises ValueError for an e-mail address that the institution has not verified: there,
        anybody could have entered anybody's."""
        if self.username_claim == "email" and user_info.get("email_verified") is False:
            raise ValueError("the institution has not verified this e-mail address")
        return str(super().user_info_to_username(user_info))
