"""A course's people and their accounts, for its instructors and for admins: `/people/<course>`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyterhub import orm
from tornado import web

from hub.core.course_folder import CourseFolder, courses_of
from hub.core.roster.merge import everybody
from hub.core.settings import Settings, SettingsError
from hub.facts.names import COURSE_ID
from hub.jupyterhub.pages.guarded import AccountPage
from hub.people.accounts import password_links
from hub.people.accounts.login import login_kind, public_url
from hub.people.accounts.rules import may_issue_link, may_see_people, role


@dataclass(frozen=True)
class PersonRow:
    """One person on the page. Times are in the course's time zone."""

    name: str
    full_name: str
    email: str
    role: str
    password: str
    last_seen: str
    may_issue: bool


@dataclass(frozen=True)
class AccountsState:
    """Accounts in the hub's database. Times are in UTC, naive."""

    with_password: frozenset[str]
    links: Mapping[str, dt.datetime]
    last_seen: Mapping[str, dt.datetime | None]


def rows(
    folder: CourseFolder, courses: Sequence[Settings], state: AccountsState, actor: str
) -> list[PersonRow]:
    """The page's rows that `actor` may see: admins, instructors, students by last name.

    folder: of the course; courses: all of the hub's.
    """
    settings = folder.settings
    listed = {one.username: one for one in folder.roster}

    def when(moment: dt.datetime | None) -> str:
        if moment is None:
            return ""
        return f"{moment.replace(tzinfo=dt.UTC).astimezone(settings.course.zone):%Y-%m-%d %H:%M}"

    def row(name: str) -> PersonRow:
        one = listed.get(name)
        password = "set" if name in state.with_password else ""
        if name in state.links:
            password = f"{password or 'none yet'}; link valid until {when(state.links[name])}"
        return PersonRow(
            name=name,
            full_name=one.full_name if one else "",
            email=one.email if one else "",
            role=role(settings, name) or "",
            password=password or "none, no link",
            last_seen=when(state.last_seen.get(name)),
            may_issue=may_issue_link(settings, courses, actor, name),
        )

    order = ("admin", "instructor", "student")
    last_names = {name: one.last_name.casefold() for name, one in listed.items()}

    def place(row: PersonRow) -> tuple[int, str, str]:
        return order.index(row.role), last_names.get(row.name) or row.name, row.name

    return sorted((row(name) for name in everybody(settings)), key=place)


class CoursePage(AccountPage):
    """A page of one course, for its instructors and for the hub's admins."""

    def _courses(self) -> dict[str, CourseFolder]:
        """id -> each current course of the hub whose people this person may see.

        Raises HTTPError if there is none.
        """
        courses = courses_of(self.authenticator.course.reread())
        try:
            self.all_courses = [course.settings for course in courses]
        except SettingsError as error:
            self.log.error("%s", error)
            raise web.HTTPError(503, "course.yaml or the roster cannot be read.") from error
        seen = {
            course.settings.course.id: course
            for course in courses
            if may_see_people(course.settings, self.all_courses, self.current_user.name)
        }
        if not seen:
            raise web.HTTPError(403, "This page is for instructors.")
        return seen


class PeopleRedirect(CoursePage):
    """`/people`, the URL from before it named a course, redirects to their first one."""

    @web.authenticated
    async def get(self) -> None:
        self._forward()

    @web.authenticated
    async def post(self) -> None:
        self._forward()

    def _forward(self) -> None:
        course = next(iter(self._courses()))
        self.redirect(f"{self.hub.base_url}people/{course}", status=307)  # a form stays one


class PeoplePage(CoursePage):
    """The list, and new links for people on it."""

    @web.authenticated
    async def get(self, course: str) -> None:
        await self._page(self._folder(course))

    @web.authenticated
    async def post(self, course: str) -> None:
        folder = self._folder(course)
        self.refuse_other_forms()
        if login_kind(folder.settings, folder.environment) != "native":
            raise web.HTTPError(404)
        actor, name = self.current_user.name, self.get_body_argument("name", "")
        if not may_issue_link(folder.settings, self.all_courses, actor, name):
            raise web.HTTPError(403, "You cannot make a link for this account.")
        link = password_links.issue(self.db, name, folder.settings.accounts.link_days, actor)
        self.log.info("%s made a password link for %s", actor, name)
        await self._page(folder, name, link.url(public_url(folder)))

    def _folder(self, course: str) -> CourseFolder:
        """The current course `course`. Raises HTTPError for anybody who may not see its people."""
        seen = self._courses()
        if course not in seen:
            raise web.HTTPError(404)
        return seen[course]

    async def _page(self, folder: CourseFolder, new_for: str = "", link: str = "") -> None:
        settings = folder.settings
        native = login_kind(settings, folder.environment) == "native"
        await self.show(
            "people.html",
            course=settings.course,
            rows=rows(folder, self.all_courses, self._state(native), self.current_user.name),
            passwords=native,
            new_for=new_for,
            link=link,
            days=settings.accounts.link_days,
            roster_command="make roster FILE=students.csv"
            if folder.environment.in_containers
            else "logitlab roster import students.csv",
        )

    def _state(self, native: bool) -> AccountsState:
        seen = self.db.query(orm.User.name, orm.User.last_activity)
        return AccountsState(
            with_password=frozenset(self.authenticator.with_password()) if native else frozenset(),
            links=password_links.open_links(self.db) if native else {},
            last_seen=dict(tuple(found) for found in seen),
        )


HANDLERS = [("/people", PeopleRedirect), (rf"/people/({COURSE_ID.pattern})", PeoplePage)]
