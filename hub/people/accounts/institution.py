"""Login with an institution's accounts, through OAuth 2 or OpenID Connect."""

from __future__ import annotations

from typing import Any

from oauthenticator.generic import GenericOAuthenticator

from hub.people.accounts.course import CourseAuthenticator


class InstitutionAuthenticator(CourseAuthenticator, GenericOAuthenticator):
    """The institution identifies people; the course's list of people decides who is let in."""

    def get_handlers(self, app: Any) -> list[Any]:
        return [*super().get_handlers(app), *GenericOAuthenticator.get_handlers(self, app)]

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """Raise ValueError for an e-mail address that the institution has not verified, as
        anybody could have entered it."""
        if self.username_claim == "email" and user_info.get("email_verified") is False:
            raise ValueError("the institution has not verified this e-mail address")
        return str(super().user_info_to_username(user_info))
