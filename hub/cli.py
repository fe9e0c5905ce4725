"""The command line `logitlab`: thin commands over functions that yield their progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hub.core.course_folder import CourseFolder, default_root, open_course
from hub.core.settings import old_spellings
from hub.facts.errors import UserError
from hub.facts.signals import end_in_order
from hub.facts.text import printable

REPOSITORY = Path(__file__).parent.parent


class RequestRefused(click.ClickException):
    """An error with what to do about it, printed without a traceback."""

    def format_message(self) -> str:
        return printable(super().format_message())


def say(lines: Iterable[str]) -> None:
    """Print progress as it happens, also into a pipe; nothing in a line controls the terminal."""
    for line in lines:
        click.echo(printable(line))
        sys.stdout.flush()


class Commands(click.Group):
    """Shows every error that is for people as a message, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise RequestRefused(str(error)) from error


def in_course(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--course` and, as `folder`, the course folder it names."""

    @click.option(
        "--course",
        type=click.Path(path_type=Path, file_okay=False),
        help="Course folder; default: this folder if it has a course.yaml, else "
        "$LOGITLAB_COURSE, else the demonstration course.",
    )
    @wraps(command)
    def run(course: Path | None, *args: Any, **kwargs: Any) -> Any:
        return command(*args, folder=_course_folder(course), **kwargs)

    return run


def _course_folder(named: Path | None) -> CourseFolder:
    here = Path.cwd() if Path("course.yaml").is_file() else None
    folder = open_course(named or here or default_root())
    _ = folder.settings  # mistakes in course.yaml are told before anything is done
    return folder


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logitlab")
def main() -> None:
    """LogitLab: a course server for mechanistic interpretability."""
    # nbgrader starts `alembic` and `jupyter` by name, also where the venv is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


@main.command()
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def serve(course: Path | None) -> None:
    """Run the course server on this machine, without Docker or root.

    Without --course this is the demonstration course, made on the first start.
    """
    from hub.demo import demo_course
    from hub.serve import serve

    end_in_order()
    root = course or default_root()
    try:
        if course is None:
            say(demo_course(root))
        say(serve(open_course(root)))
    except KeyboardInterrupt:
        click.echo("\nStopped. All data is kept; `make serve` starts it again.")


@main.group()
def course() -> None:
    """Make a course folder and put assignments into it."""


@course.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Make FOLDER a course folder. Repeating it changes nothing."""
    from hub.core.course_folder import new_course

    say(new_course(folder))


@course.command()
@click.argument("assignments", nargs=-1)
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def add(assignments: tuple[str, ...], course: Path | None) -> None:
    """Put shipped ASSIGNMENTS into the course and register them in its gradebook.

    What an instructor has changed is kept. Without ASSIGNMENTS: say which there are.
    """
    from hub.authoring import catalogue
    from hub.authoring.contents import add_assignments

    if not assignments:
        say(catalogue.available())
        return
    folder = _course_folder(course)
    say(add_assignments(folder, list(assignments)))


@main.group()
def models() -> None:
    """Put models into the models folder, list them, check them."""


@models.command("add")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with the model; default: the published one, from the model hub.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    help="The models folder; default: the first of $COURSE_MODELS, "
    "else logitlab/models in the user's data folder.",
)
def add_model(name: str, source: Path | None, target: Path | None) -> None:
    """Put model NAME, such as gpt2, where notebooks find it; check it first."""
    from hub.host.models import add

    say(add(name, source, target))


@models.command("list")
def list_models() -> None:
    """Say which models notebooks can load, and where they lie."""
    from hub.host.models import listing

    say(listing())


@models.command("check")
@click.argument("names", nargs=-1)
def check_models(names: tuple[str, ...]) -> None:
    """Check models NAMES (default: all) against their config and checksums."""
    from hub.host.models import check

    say(check(list(names)))


@main.command()
@in_course
def check(folder: CourseFolder) -> None:
    """Check course.yaml, and whether assignments are graded as their sources say.

    Says what is wrong, with line numbers.
    """
    from nbgrader.coursedir import CourseDirectory

    from hub.exchange.course_id import changed_id
    from hub.facts.names import assignment_name_fault
    from hub.grading.pipeline.released import not_released
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    course = folder.settings.course.id
    click.echo(f"{folder.settings_file}: course {course}: in order")
    say(old_spellings(folder.settings_file))
    if report := changed_id(course, folder.exchange):
        say([f"warning: {report}"])
    for written in sorted(path.name for path in folder.source.glob("[!._]*") if path.is_dir()):
        say([fault] if (fault := assignment_name_fault(written)) else [])
    coursedir = CourseDirectory(config=grader_config(folder))
    for released in sorted(path for path in folder.release.glob("*") if path.is_dir()):
        say(not_released(coursedir, released.name))


@main.command()
@click.argument("assignments", nargs=-1, required=True)
@click.option(
    "--keep",
    type=click.Choice(["text", "notebook"]),
    help="Which half wins where both were changed; the other is kept as a .bak file.",
)
@in_course
def notebook(assignments: tuple[str, ...], keep: Any, folder: CourseFolder) -> None:
    """Bring the text and the .ipynb of ASSIGNMENTS into step: the newer half updates the other."""
    from hub.authoring.pairing import sync

    for name in assignments:
        say(sync(folder.source / name, keep))


@main.command()
@click.argument("assignments", nargs=-1)
@click.option("--repository", is_flag=True, help="All of this checkout's source/ to its release/.")
@click.option("--check", is_flag=True, help="Only say whether release/ is fresh.")
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def generate(
    assignments: tuple[str, ...], repository: bool, check: bool, course: Path | None
) -> None:
    """Make the student version of ASSIGNMENTS: without solutions, hidden tests and outputs.

    It goes into release/, as with the formgrader's Generate button; students get nothing yet.
    """
    from hub.authoring import catalogue
    from hub.authoring.register import release_in_course
    from hub.authoring.release import differences, make_release

    if repository:
        source, target = catalogue.shipped_sources(), REPOSITORY / "release"
        names = list(assignments) or catalogue.available(source)
        if check:
            _fresh(differences(source, target))
            return
        for name in names:
            say(make_release(source, name, target))
        return
    folder = _course_folder(course)
    if not assignments:
        raise RequestRefused("Name the assignments to generate.")
    settings = folder.settings
    for name in assignments:
        lines = release_in_course(
            folder.root,
            name,
            course_id=settings.course.id,
            db_url=folder.gradebook_url,
            due=settings.due_utc(name),
        )
        say(lines)
        if settings.tests_of(name) == "isolated":
            say(_rules_broken(folder.source / name))


def _rules_broken(source: Path) -> Iterable[str]:
    """What would keep submissions from being graded, where tests run isolated."""
    import nbformat

    from hub.grading.pipeline.reference import WAY_OUT, broken_rules

    for path in sorted(source.glob("*.ipynb")):
        if broken := broken_rules(nbformat.read(path, as_version=4)):
            yield f"warning: {path.name} cannot be graded with isolated tests: {broken}. {WAY_OUT}"


def _fresh(found: list[str]) -> None:
    if found:
        raise RequestRefused("\n".join([*found, "`make release` brings release/ up to date."]))
    click.echo("release/ is what source/ generates")


class HandingOut(click.Command):
    """Refuses `release` alone, which made `release/` before it had nbgrader's meaning.

    Who types it out of habit must not hand anything out. In this version it takes an option.
    """

    REFUSAL = (
        "release now hands out (nbgrader's meaning). To make the student version: "
        "logitlab generate NAME. To hand it out: logitlab release --hand-out NAME"
    )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not {"--hand-out", *ctx.help_option_names} & set(args):
            click.echo(self.REFUSAL, err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)


@main.command(cls=HandingOut)
@click.argument("assignments", nargs=-1, required=True)
@click.option(
    "--hand-out",
    is_flag=True,
    required=True,
    help="Needed: without it, release made release/ once.",
)
@in_course
def release(assignments: tuple[str, ...], hand_out: bool, folder: CourseFolder) -> None:
    """Let students fetch ASSIGNMENTS from release/, as the formgrader's Release button does.

    Where the course's server runs, this works in a terminal of the formgrader's JupyterLab.
    """
    _hand_out(assignments, folder)


@main.command(hidden=True)
@click.argument("assignments", nargs=-1, required=True)
@in_course
def publish(assignments: tuple[str, ...], folder: CourseFolder) -> None:
    """The old name of `logitlab release --hand-out`."""
    names = " ".join(assignments)
    click.echo(f"publish is now: logitlab release --hand-out {printable(names)}", err=True)
    _hand_out(assignments, folder)


def _hand_out(assignments: tuple[str, ...], folder: CourseFolder) -> None:
    from hub.exchange.hand_out import hand_out

    say(hand_out(folder, list(assignments)))


@main.command()
@click.argument("assignment")
@in_course
def preview(assignment: str, folder: CourseFolder) -> None:
    """Make the student's version of ASSIGNMENT in the course's preview/ folder, to look at."""
    from hub.authoring.preview import preview

    click.echo(preview(folder.root, assignment))


@main.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), default="grades.csv")
@in_course
def export(target: Path, folder: CourseFolder) -> None:
    """Write the course's grades to TARGET as CSV: one row a student and assignment, in UTC."""
    from hub.grading.pipeline.export import export_csv

    late = folder.settings.late
    export_csv(
        folder.gradebook_url, folder.settings.course.id, target, late.policy, late.percent_per_day
    )
    click.echo(f"{target}: written")


@main.group()
def roster() -> None:
    """The course's students as its office lists them, and links to set a password."""


@roster.command("import")
@click.argument("table", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Apply without asking.")
@in_course
def import_(table: Path, yes: bool, folder: CourseFolder) -> None:
    """Take the students from the CSV file TABLE: username, first_name, last_name, email, lms_id.

    Shows what would change and asks. Who is not in TABLE any more cannot log in, and keeps home,
    submissions and grades. Repeatable.
    """
    from hub.people.accounts.login import in_containers
    from hub.people.roster.changes import described
    from hub.people.roster.importing import apply_import, plan_import

    proposal = plan_import(folder, table)
    say(f"{table}: {remark}" for remark in proposal.remarks)
    say(described(proposal.changes))
    if proposal.changes and not yes:
        if not sys.stdin.isatty():
            how = "`make roster … YES=1`" if in_containers(os.environ) else "--yes"
            raise RequestRefused(f"Nothing was changed. Not a terminal; pass {how} to apply.")
        click.confirm("Apply these changes?", abort=True)
    say(apply_import(folder, proposal))


@roster.command("list")
@in_course
def list_(folder: CourseFolder) -> None:
    """Print the roster as CSV."""
    from hub.core.roster.file import csv_lines

    say(csv_lines(folder.roster))


@roster.command()
@click.option("--new", "names", multiple=True, help="This person only; repeatable.")
@click.option("--missing", is_flag=True, help="Everybody without a password or an open link.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a CSV file that only you can read.",
)
@in_course
def links(names: tuple[str, ...], missing: bool, target: Path | None, folder: CourseFolder) -> None:
    """Make one-time links to set a password; a new link voids a person's older one.

    Prints CSV: name, link, expires_utc.
    """
    from hub.people.accounts.issue import csv_lines, new_links, without_password, write_links

    if not names and not missing:
        raise RequestRefused("Nobody selected: pass --missing or --new NAME.")
    without = without_password(folder, link_is_enough=True) if missing else []
    if missing and (waiting := sorted(set(without_password(folder)) - {*without, *names})):
        click.echo(
            f"Already have an open link: {', '.join(waiting)}. --new NAME makes another, and the "
            "first is void then.",
            err=True,
        )
    wanted = dict.fromkeys([*names, *without])
    rows = new_links(folder, list(wanted))
    if target:
        write_links(target, rows)
        click.echo(f"{target}: {len(rows)} link(s) written")
    else:
        say(csv_lines(rows))


@main.command()
@click.argument("assignment")
@click.option("--student", "students", multiple=True, help="This student only; repeatable.")
@click.option("--workers", type=click.IntRange(1), help="Notebooks executed at once.")
@click.option("--force", is_flag=True, help="Also regrade submissions that are already graded.")
@in_course
def autograde(
    assignment: str,
    students: tuple[str, ...],
    workers: int | None,
    force: bool,
    folder: CourseFolder,
) -> None:
    """Grade the collected submissions of ASSIGNMENT: in parallel, each in a sandbox of its own.

    The formgrader's Autograde button does the same for one student. A submission that cannot
    be graded is named at the end; the others are graded, and manual grades stay.
    """
    from hub.grading.pipeline.batch import autograde
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    configured = folder.settings.grading.workers
    workers = workers or (None if configured == "auto" else configured)

    lines = autograde(
        folder.root,
        assignment,
        list(students) or None,
        workers,
        force,
        grader_config(folder),
    )
    say(lines)


@main.command()
@click.argument("assignments", nargs=-1)
@click.option(
    "--tests",
    type=click.Choice(["in_kernel", "isolated", "both"]),
    default="both",
    show_default=True,
    help="Where test cells run: in the student's kernel, isolated from it, or first one, then "
    "the other.",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of assignments; default: source/ of this folder if it has a course.yaml, else the "
    "assignments that come with LogitLab.",
)
@click.option("--workers", type=click.IntRange(1), help="Notebooks executed at once.")
@click.option(
    "--mutants",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Most mutants per reference solution, spread over its lines; 0: none.",
)
@click.option(
    "--sample",
    default="1",
    metavar="SHARE",
    help="Try only this share of the answers and mutants, such as 1/3. The reference and the "
    "stub are always tried.",
)
@click.option("--seed", default="", help="Seed of the sample.")
@click.option(
    "--whole",
    multiple=True,
    metavar="ASSIGNMENT",
    help="No sampling for this assignment; repeatable.",
)
@click.option(
    "--symmetric",
    is_flag=True,
    help="Also check that the reference keeps its points on symmetric models and on a GPT-2 with "
    "random weights. Needs the repository.",
)
def prove(
    assignments: tuple[str, ...],
    tests: Any,
    source: Path | None,
    workers: int | None,
    mutants: int,
    sample: str,
    seed: str,
    whole: tuple[str, ...],
    symmetric: bool,
) -> None:
    """Prove that the tests of ASSIGNMENTS (default: all) give and take the points they should.

    The reference has full marks, the stub none, every listed wrong answer loses points on a
    hidden test, every listed right answer keeps them. Mutants of the reference, with one small
    slip each, fail some test, or answers.py says in a line why none can see it. They run in one
    of the two ways of --tests only.
    """
    import tempfile

    from hub.authoring import catalogue
    from hub.verification.prove import prove
    from hub.verification.sampling import Sample
    from hub.verification.symmetric_models import model_variants

    try:
        tried = Sample.parse(sample, seed, whole)
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--sample") from error
    here = _course_folder(None).source if Path("course.yaml").is_file() else None
    root = source or here or catalogue.shipped_sources()
    failures = []
    with tempfile.TemporaryDirectory(prefix="logitlab-") as folder:
        others = model_variants(Path(folder)) if symmetric else []
        for name in assignments or catalogue.available(root):
            for mode in ("in_kernel", "isolated") if tests == "both" else (tests,):
                first = mode == "in_kernel" or tests == "isolated"
                most, models = (mutants, others) if first else (0, [])
                try:
                    proofs = prove(
                        root / name, mode, workers, mutants=most, others=models, sample=tried
                    )
                    say(proofs)
                except UserError as error:
                    failures.append(f"{error}")
    if failures:
        raise RequestRefused("\n".join(dict.fromkeys(failures)))
