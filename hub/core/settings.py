"""`course.yaml` as one validated model: all settings of admins and instructors.

Reading keeps line numbers, so that a wrong key or value is refused with
its line, what was found and what is accepted.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from hub.facts import limits
from hub.facts.errors import UserError
from hub.facts.execution import Tests
from hub.facts.names import (
    COURSE_ID,
    COURSE_ID_RULE,
    USER_NAME,
    USER_NAME_RULE,
    grader_of,
    is_identifier,
    rule_for,
)


class SettingsError(UserError):
    """`course.yaml` cannot be used; the message names the file, the line and what is accepted."""


# Spellings of earlier versions, which somebody's course.yaml may still use.
OLD_TESTS = {"apart": "isolated", "together": "in_kernel"}
OLD_GPU_KEYS = {"staff_places": "staff_slots"}


class Section(BaseModel):
    """A section of the file: refuses unknown keys; immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CourseSettings(Section):
    id: Annotated[str, Field(description="short name in URLs, groups and file names")]
    title: Annotated[str, Field(description="title that people see")] = (
        "Mechanistic interpretability"
    )
    timezone: Annotated[str, Field(description="IANA time zone that people read dates in")] = "UTC"
    order: Annotated[
        list[str],
        Field(description="assignments that come first on the course's page; the rest by name"),
    ] = ["start"]

    @field_validator("id")
    @classmethod
    def _id_is_a_plain_name(cls, value: str) -> str:
        if not COURSE_ID.fullmatch(value):
            raise ValueError(COURSE_ID_RULE)
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("an IANA time zone such as Europe/Berlin or UTC") from None
        return value

    @field_validator("order")
    @classmethod
    def _order_names_assignments(cls, value: list[str]) -> list[str]:
        for name in value:
            if not is_identifier(name):
                raise ValueError(rule_for(name))
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def in_utc(self, time: dt.datetime) -> dt.datetime:
        """`time` in UTC, read in the course's time zone where it names none."""
        return (time if time.tzinfo else time.replace(tzinfo=self.zone)).astimezone(dt.UTC)

    @property
    def student_group(self) -> str:
        return f"nbgrader-{self.id}"

    @property
    def instructor_group(self) -> str:
        return f"formgrade-{self.id}"

    @property
    def grader(self) -> str:
        """The Hub user whose server runs this course's formgrader."""
        return grader_of(self.id)


class PeopleSettings(Section):
    admins: Annotated[list[str], Field(description="full control of the hub")] = []
    instructors: Annotated[list[str], Field(description="release, grade and see everything")] = []
    students: Annotated[list[str], Field(description="fetch, submit and see their own work")] = []

    @field_validator("admins", "instructors", "students")
    @classmethod
    def _names_are_plain(cls, value: list[str]) -> list[str]:
        for name in value:
            if not USER_NAME.fullmatch(name):
                raise ValueError(f"{name!r}: user names are {USER_NAME_RULE}")
        if len(set(value)) != len(value):
            raise ValueError("duplicate names")
        return value

    @model_validator(mode="after")
    def _nobody_grades_themselves(self) -> PeopleSettings:
        both = sorted(set(self.instructors) & set(self.students))
        if both:
            raise ValueError(f"{', '.join(both)}: instructor or student, not both")
        return self


class AssignmentSettings(Section):
    due: Annotated[
        dt.datetime | None,
        Field(description="at the first release, in the course's time zone, e.g. 2027-02-01 23:59"),
    ] = None
    tests: Annotated[
        Tests | None,
        Field(description="where this assignment's test cells run; default: grading.tests"),
    ] = None


class LateSettings(Section):
    policy: Annotated[
        Literal["none", "zero", "percent_per_day"],
        Field(description="what a late submission loses"),
    ] = "none"
    percent_per_day: Annotated[float, Field(ge=0, le=100, description="for percent_per_day")] = 10


class ServerSettings(Section):
    port: Annotated[int, Field(ge=1, le=65535, description="the port people's browsers use")] = 8000
    cpu_threads: Annotated[
        int, Field(ge=1, description="BLAS threads of one kernel; 2 are slower on a busy machine")
    ] = 1
    warm_kernels: Annotated[
        bool,
        Field(description="each server keeps a process ready from which kernels start at once"),
    ] = True


class ExchangeSettings(Section):
    submission_mib: Annotated[int, Field(ge=1, description="largest submission, MiB")] = (
        limits.SUBMISSION_MIB
    )
    file_mib: Annotated[int, Field(ge=1, description="largest file of a submission, MiB")] = (
        limits.SUBMISSION_FILE_MIB
    )
    files: Annotated[int, Field(ge=1, description="maximum files in a submission")] = (
        limits.SUBMISSION_FILES
    )
    quota_mib: Annotated[int, Field(ge=1, description="one student's submissions, MiB")] = (
        limits.SUBMISSIONS_MIB
    )

    @model_validator(mode="after")
    def _limits_fit_in_each_other(self) -> ExchangeSettings:
        if not self.file_mib <= self.submission_mib <= self.quota_mib:
            raise ValueError("file_mib <= submission_mib <= quota_mib")
        return self


class GradingSettings(Section):
    tests: Annotated[
        Tests,
        Field(
            description="where test cells run: isolated in a process of their own, or in_kernel, "
            "in the student's kernel, where student code can fake its score"
        ),
    ] = "isolated"
    cell_seconds: Annotated[int, Field(ge=1, description="time limit of one cell, seconds")] = (
        limits.CELL_SECONDS
    )
    notebook_seconds: Annotated[
        int, Field(ge=1, description="time limit of one notebook, seconds")
    ] = limits.NOTEBOOK_SECONDS
    memory_mib: Annotated[int, Field(ge=256, description="memory limit of one kernel, MiB")] = (
        limits.KERNEL_MIB
    )
    output_mib: Annotated[int, Field(ge=1, description="output kept of one notebook, MiB")] = (
        limits.OUTPUT_MIB
    )
    workers: Annotated[
        int | Literal["auto"], Field(description="notebooks executed at once; auto: one per core")
    ] = "auto"

    @property
    def limits(self) -> dict[str, float]:
        """Limits of executing one notebook, by the names of `ExecutionLimits`."""
        return {
            "cell_seconds": float(self.cell_seconds),
            "total_seconds": float(self.notebook_seconds),
            "memory_mib": self.memory_mib,
            "output_mib": float(self.output_mib),
        }


class ContainerSettings(Section):
    """One person's server, if servers are containers."""

    cpus: Annotated[float, Field(gt=0, description="maximum cores of one server")] = (
        limits.SERVER_CPUS
    )
    memory_mib: Annotated[int, Field(ge=512, description="memory of one server, MiB")] = (
        limits.SERVER_MIB
    )
    pids: Annotated[
        int, Field(ge=64, description="maximum processes and threads of one server")
    ] = 512
    starts_at_once: Annotated[
        int | Literal["auto"], Field(description="servers started at once; auto: two per core")
    ] = "auto"
    idle_minutes: Annotated[
        int, Field(ge=0, description="idle servers are stopped after this; 0: never")
    ] = 90
    kernel_idle_minutes: Annotated[
        int, Field(ge=0, description="idle kernels are stopped after this; 0: never")
    ] = 60

    @model_validator(mode="after")
    def _kernels_go_before_servers(self) -> ContainerSettings:
        if 0 < self.idle_minutes <= self.kernel_idle_minutes:
            raise ValueError(
                "kernel_idle_minutes < idle_minutes: an idle server's kernels are stopped first"
            )
        return self


class GpuSettings(Section):
    """GPUs shared by students: a number of slots per device, each with a memory budget."""

    devices: Annotated[
        Literal["auto", "none"] | list[str],
        Field(description="auto: all of the host's | none | a list of GPU- or MIG- UUIDs"),
    ] = "auto"
    students_per_device: Annotated[int, Field(ge=1, description="servers sharing one device")] = 4
    mib_per_student: Annotated[
        int | Literal["auto"],
        Field(description="GPU memory of one slot, MiB; auto: the device's, divided by its slots"),
    ] = "auto"
    when_full: Annotated[
        Literal["cpu", "ask", "queue"],
        Field(description="if no slot is free: start without a GPU, ask first, or wait for one"),
    ] = "cpu"
    staff_slots: Annotated[
        int,
        Field(ge=0, description="maximum slots for instructors and the formgrader together"),
    ] = 1

    @field_validator("mib_per_student")
    @classmethod
    def _a_slot_holds_a_model(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1024:
            raise ValueError("at least 1024 MiB (PyTorch itself takes about 500), or auto")
        return value


class OAuthSettings(Section):
    """Logging in with an institution's accounts: OAuth 2, OpenID Connect.

    The client secret is never here: `$LOGITLAB_OAUTH_SECRET_FILE` or `$LOGITLAB_OAUTH_SECRET`.
    """

    service: Annotated[str, Field(description="name on the login button")] = "your institution"
    client_id: Annotated[str, Field(description="client id registered with the institution")]
    authorize_url: Annotated[str, Field(description="where browsers are sent to log in")]
    token_url: Annotated[str, Field(description="where a code is exchanged for a token")]
    userdata_url: Annotated[str, Field(description="who a token belongs to")]
    username_claim: Annotated[
        str, Field(description="claim in the response that is the user name in the roster")
    ] = "preferred_username"
    scopes: Annotated[list[str], Field(description="requested scopes")] = ["openid", "profile"]

    @field_validator("authorize_url", "token_url", "userdata_url")
    @classmethod
    def _urls_are_safe(cls, value: str) -> str:
        if not re.match(r"https://[^/]|http://(localhost|127\.0\.0\.1)[:/]", value):
            raise ValueError("an https:// address")
        return value


class AccountSettings(Section):
    """How people log in."""

    login: Annotated[
        Literal["auto", "demo", "native", "oauth"],
        Field(
            description="demo: passwords in the terminal | native: passwords set through a link "
            "| oauth: an institution's accounts | auto: demo, in containers native"
        ),
    ] = "auto"
    url: Annotated[
        str | None, Field(description="the server's public address, for password links")
    ] = None
    password_length: Annotated[
        int, Field(ge=8, le=64, description="minimum length of passwords")
    ] = 10
    lock_after: Annotated[
        int, Field(ge=3, description="wrong passwords in a row before an account is locked")
    ] = 8
    lock_minutes: Annotated[int, Field(ge=1, description="how long it is locked")] = 5
    link_days: Annotated[
        int, Field(ge=1, le=90, description="validity of a password link, days")
    ] = 14
    oauth: OAuthSettings | None = None

    @field_validator("url")
    @classmethod
    def _url_is_one(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise ValueError("an address such as https://course.example.org")
        return value and value.rstrip("/")

    @model_validator(mode="after")
    def _oauth_is_described(self) -> AccountSettings:
        if self.login == "oauth" and self.oauth is None:
            raise ValueError("login: oauth requires the keys of accounts.oauth")
        return self


def _assignment_name(value: str) -> str:
    if not is_identifier(value):
        raise ValueError(rule_for(value))
    return value


class Settings(Section):
    """Everything in `course.yaml`. See `hub/core/course.example.yaml` for a documented example."""

    course: CourseSettings
    people: PeopleSettings = PeopleSettings()
    assignments: dict[Annotated[str, AfterValidator(_assignment_name)], AssignmentSettings] = {}
    late: LateSettings = LateSettings()
    server: ServerSettings = ServerSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    grading: GradingSettings = GradingSettings()
    containers: ContainerSettings = ContainerSettings()
    gpus: GpuSettings = GpuSettings()
    accounts: AccountSettings = AccountSettings()

    @model_validator(mode="after")
    def _grader_is_not_a_person(self) -> Settings:
        people = {*self.people.admins, *self.people.instructors, *self.people.students}
        if self.course.grader in people:
            raise ValueError(f"{self.course.grader} is the course's own account, not a person's")
        return self

    def tests_of(self, assignment: str) -> Tests:
        """Where the test cells of `assignment` run."""
        return self.assignments.get(assignment, AssignmentSettings()).tests or self.grading.tests

    def due_utc(self, assignment: str) -> dt.datetime | None:
        """The due date of `assignment` in UTC, or None."""
        due = self.assignments.get(assignment, AssignmentSettings()).due
        return None if due is None else self.course.in_utc(due)

    @property
    def due_dates(self) -> dict[str, dt.datetime]:
        """The due dates in UTC, by assignment, of those that have one here."""
        return {name: due for name in self.assignments if (due := self.due_utc(name))}


def load_settings(path: Path) -> Settings:
    """Read and validate `course.yaml` at `path`.

    Raises SettingsError, with the line of each mistake, if the file is missing, is not
    YAML, or has an unknown key or a value that is not accepted.
    """
    tree = _read(path)
    plain = _plain(tree)
    for (*section, key), old, new in list(_old_spellings(plain)):
        node = plain
        for name in section:
            node = node[name]
        if key == old:
            node.setdefault(new, node.pop(old))
        else:
            node[key] = new
    try:
        return Settings.model_validate(plain)
    except ValidationError as error:
        problems = sorted(error.errors(), key=lambda problem: _line(tree, problem["loc"]))
        lines = [_explain(path, tree, problem) for problem in problems]
        raise SettingsError("\n".join(lines)) from error


def old_spellings(path: Path) -> list[str]:
    """Old spellings in `course.yaml`, with their lines. Raises SettingsError."""
    tree = _read(path)
    return [
        f"{path}, line {_line(tree, where)}: {'.'.join(where)}: {old} is now called {new}; "
        "the old name still works"
        for where, old, new in _old_spellings(_plain(tree))
    ]


def _old_spellings(plain: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Key, old spelling and new one."""

    def section(node: Any, name: str) -> dict[str, Any]:
        found = node.get(name)
        return found if isinstance(found, dict) else {}

    assignments = section(plain, "assignments")
    places: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (("grading",), section(plain, "grading")),
        *((("assignments", name), section(assignments, name)) for name in assignments),
    ]
    for where, node in places:
        if (old := node.get("tests")) in ("apart", "together"):
            yield (*where, "tests"), old, OLD_TESTS[old]
    for old, new in OLD_GPU_KEYS.items():
        if old in section(plain, "gpus"):
            yield ("gpus", old), old, new


def _read(path: Path) -> dict[str, Any]:
    """The file with its line numbers."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}).",
            "`logitlab course new FOLDER` creates a course folder with one.",
        ) from error
    try:
        tree = YAML().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{path}, line {line}: not YAML: {error.problem}") from error
    if not isinstance(tree, dict):
        raise SettingsError(f"{path}, line 1: expected keys such as 'course:', found {tree!r}")
    return tree


def _plain(node: Any) -> Any:
    """ruamel's annotated containers as plain ones (dates stay strings)."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _explain(path: Path, tree: Any, problem: Any) -> str:
    where = tuple(part for part in problem["loc"] if part != "[key]")  # pydantic's marker for a key
    if problem["type"] == "extra_forbidden":
        what = f"unknown key; accepted: {', '.join(_accepted(where))}"
        near = difflib.get_close_matches(str(where[-1]), _accepted(where), 1)
        what += f" (did you mean {near[0]!r}?)" if near else ""
    elif problem["type"] == "missing":
        what = "this key is required"
    else:
        wanted = problem["msg"].removeprefix("Value error, ")
        what = f"found {problem['input']!r}, accepted: {wanted}"
        what = what if len(what) < 400 else f"accepted: {wanted}"
    key = ".".join(str(part) for part in where) or "the file"
    return f"{path}, line {_line(tree, where)}: {key}: {what}"


def _accepted(where: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in where[:-1]:
        if model is Settings and part == "assignments":
            model = AssignmentSettings
        elif part in model.model_fields:
            field = model.model_fields[part].annotation
            kinds = [field, *get_args(field)]  # also those of `Section | None`
            sections = [kind for kind in kinds if isinstance(kind, type)]
            model = next((kind for kind in sections if issubclass(kind, BaseModel)), model)
    return list(model.model_fields)


def _line(tree: Any, where: tuple[Any, ...]) -> int:
    """1-based line of the key at `where`, or of the closest enclosing key that exists."""
    line = 1
    for part in where:
        try:
            marks = tree.lc
            mark = marks.item(part) if isinstance(tree, list) else marks.key(part)
            line, tree = mark[0] + 1, tree[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line
