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
from hub.core.environment import Environment, executables_on_path
from hub.core.settings import old_spellings
from hub.facts.errors import UserError
from hub.facts.signals import end_in_order
from hub.facts.text import printable

REPOSITORY = Path(__file__).parent.parent


class CommandFailed(click.ClickException):
    """An error and its fix, printed without a traceback."""

    def format_message(self) -> str:
        return printable(super().format_message())


def say(lines: Iterable[str]) -> None:
    """Print progress as it happens, even to a pipe, so that no line can control the terminal."""
    for line in lines:
        click.echo(printable(line))
        sys.stdout.flush()


class Commands(click.Group):
    """Shows every UserError as a message and exits with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise CommandFailed(error.shown) from error


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


def _environment() -> Environment:
    """What this command was told from outside."""
    return click.get_current_context().ensure_object(Environment)


def _course_folder(named: Path | None) -> CourseFolder:
    here = Path.cwd() if Path("course.yaml").is_file() else None
    environment = _environment()
    folder = open_course(named or here or default_root(environment), environment)
    _ = folder.settings  # report mistakes in course.yaml before doing anything
    return folder


def _check_gradebook(folder: CourseFolder) -> None:
    """For commands that open it: one of another version would end in a traceback, or be changed."""
    from hub.core.gradebook import GRADEBOOK

    GRADEBOOK.check(folder.gradebook_url)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logitlab")
@click.pass_context
def main(context: click.Context) -> None:
    """LogitLab: a course server for mechanistic interpretability."""
    executables_on_path()
    context.obj = Environment.read(os.environ)


@main.command()
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def serve(course: Path | None) -> None:
    """Run the course server on this machine, without Docker or root.

    Without --course, serves the demonstration course, which is created on the first start.
    """
    from hub.demo import demo_course
    from hub.serve import serve

    end_in_order()
    environment = _environment()
    root = course or default_root(environment)
    try:
        if course is None:
            say(demo_course(root, environment))
        say(serve(open_course(root, environment)))
    except KeyboardInterrupt:
        click.echo("\nStopped. All data is kept; `make serve` starts it again.")


@main.group()
def course() -> None:
    """Create a course folder and add assignments to it."""


@course.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Create a course folder at FOLDER. Safe to repeat."""
    from hub.core.course_folder import new_course

    say(new_course(folder))


@course.command()
@click.argument("assignments", nargs=-1)
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def add(assignments: tuple[str, ...], course: Path | None) -> None:
    """Add shipped ASSIGNMENTS to the course and register them in its gradebook.

    Keeps whatever an instructor has changed. Without ASSIGNMENTS, lists those available.
    """
    from hub.authoring import catalogue
    from hub.authoring.contents import add_assignments

    if not assignments:
        say(catalogue.available())
        return
    folder = _course_folder(course)
    _check_gradebook(folder)
    say(add_assignments(folder, list(assignments)))


@main.group()
def models() -> None:
    """Add models to the models folder, list them, check them."""


@models.command("add")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder that holds the model; default: download it from the model hub.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    help="The models folder; default: the first folder in $COURSE_MODELS, "
    "else logitlab/models in the user's data folder.",
)
def add_model(name: str, source: Path | None, target: Path | None) -> None:
    """Check model NAME, such as gpt2, and add it to the models folder."""
    from hub.host.models import add

    say(add(name, source, target))


@models.command("list")
def list_models() -> None:
    """List the models that notebooks can load, and where they are."""
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
    """Check course.yaml, and that assignments are graded as their sources say.

    Reports each problem with its line number.
    """
    from nbgrader.coursedir import CourseDirectory

    from hub.exchange.course_id import changed_id
    from hub.facts.names import assignment_name_fault
    from hub.grading.pipeline.released import not_released
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    course = folder.settings.course.id
    click.echo(f"{folder.settings_file}: course {course}: OK")
    say(old_spellings(folder.settings_file))
    if report := changed_id(course, folder):
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
    help="Which half wins if both were changed; the other is kept as a .bak file.",
)
@in_course
def notebook(assignments: tuple[str, ...], keep: Any, folder: CourseFolder) -> None:
    """Synchronise the text and the .ipynb of ASSIGNMENTS: the newer half updates the other."""
    from hub.authoring.pairing import sync

    for name in assignments:
        say(sync(folder.source / name, keep))


@main.command()
@click.argument("assignments", nargs=-1)
@click.option("--repository", is_flag=True, help="Generate this checkout's release/ from source/.")
@click.option("--check", is_flag=True, help="Only check that release/ is up to date.")
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def generate(
    assignments: tuple[str, ...], repository: bool, check: bool, course: Path | None
) -> None:
    """Generate the student version of ASSIGNMENTS, without solutions, hidden tests or outputs.

    Writes to release/, like the formgrader's Generate button; students get nothing yet.
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
        raise CommandFailed("Name the assignments to generate.")
    _check_gradebook(folder)
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
    """Problems that would keep submissions from being graded with isolated tests."""
    import nbformat

    from hub.grading.pipeline.reference import WAY_OUT, broken_rules

    for path in sorted(source.glob("*.ipynb")):
        if broken := broken_rules(nbformat.read(path, as_version=4)):
            yield f"warning: {path.name} cannot be graded with isolated tests: {broken}. {WAY_OUT}"


def _fresh(found: list[str]) -> None:
    if found:
        raise CommandFailed("\n".join([*found, "Run `make release` to bring release/ up to date."]))
    click.echo("release/ is up to date with source/")


class HandingOut(click.Command):
    """Refuses a bare `release`, which generated `release/` before it took nbgrader's meaning.

    Typing it out of habit must not hand anything out, so this version requires an option.
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
    help="Required, because `release` alone used to generate release/.",
)
@in_course
def release(assignments: tuple[str, ...], hand_out: bool, folder: CourseFolder) -> None:
    """Let students fetch ASSIGNMENTS from release/, as the formgrader's Release button does.

    For a course in containers, use a terminal in the formgrader's JupyterLab.
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
    """Generate the student version of ASSIGNMENT into the course's preview/ folder."""
    from hub.authoring.preview import preview

    click.echo(preview(folder.root, assignment))


@main.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), default="grades.csv")
@in_course
def export(target: Path, folder: CourseFolder) -> None:
    """Write the course's grades to TARGET as CSV: a row per student and assignment, in UTC."""
    from hub.grading.pipeline.export import export_csv

    _check_gradebook(folder)
    late = folder.settings.late
    export_csv(
        folder.gradebook_url,
        folder.settings.course.id,
        target,
        late.policy,
        late.percent_per_day,
        folder.root,
    )
    click.echo(f"{target}: written")


@main.group()
def roster() -> None:
    """Import the roster from the course's office, print it, and make password links."""


@roster.command("import")
@click.argument("table", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Apply without asking.")
@in_course
def import_(table: Path, yes: bool, folder: CourseFolder) -> None:
    """Import students from the CSV file TABLE: username, first_name, last_name, email, lms_id.

    Shows the import plan and asks. Students no longer in TABLE cannot log in, unless they have
    another role or course; home, submissions and grades are kept. Safe to repeat.
    """
    from hub.people.roster.changes import described
    from hub.people.roster.importing import apply_import, plan_import

    proposal = plan_import(folder, table)
    say(f"{table}: {remark}" for remark in proposal.remarks)
    say(described(proposal.changes, proposal.stay))
    if proposal.changes and not yes:
        if not sys.stdin.isatty():
            how = "`make roster … YES=1`" if folder.environment.in_containers else "--yes"
            raise CommandFailed(f"Nothing was changed. Not a terminal; pass {how} to apply.")
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
        raise CommandFailed("Nobody selected: pass --missing or --new NAME.")
    without = without_password(folder, link_is_enough=True) if missing else []
    if missing and (waiting := sorted(set(without_password(folder)) - {*without, *names})):
        click.echo(
            f"Already have an open link: {', '.join(waiting)}. --new NAME makes another and "
            "voids the first.",
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
    """Grade the collected submissions of ASSIGNMENT in parallel, each in its own sandbox.

    The formgrader's Autograde button does the same for one student. Submissions that cannot
    be graded are listed at the end; all others are graded, and manual grades are kept.
    """
    from hub.grading.pipeline.batch import autograde
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    _check_gradebook(folder)
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
@click.argument("assignment")
@click.option("--before-due", is_flag=True, help="The newest in time, where there is one.")
@in_course
def collect(assignment: str, before_due: bool, folder: CourseFolder) -> None:
    """Put each student's newest submission of ASSIGNMENT into submitted/; repeatable.

    The formgrader's Collect button does the same. For a course in containers, use a terminal in the
    formgrader's JupyterLab.
    """
    from hub.exchange.collect import collect
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    _check_gradebook(folder)
    say(collect(folder, grader_config(folder), assignment, before_due))


@main.command()
@click.argument("assignment")
@click.option("--hand-out", is_flag=True, help="Also let each student fetch theirs.")
@in_course
def feedback(assignment: str, hand_out: bool, folder: CourseFolder) -> None:
    """Generate the feedback on graded submissions of ASSIGNMENT into feedback/; repeatable.

    With --hand-out it also reaches students, as with the formgrader's Release Feedback button; for
    a course in containers, use a terminal in the formgrader's JupyterLab.
    """
    from hub.exchange.collect import release_feedback
    from hub.grading.pipeline.feedback import generate
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    _check_gradebook(folder)
    config = grader_config(folder)
    say(generate(config, assignment))
    if hand_out:
        say(release_feedback(folder, config, assignment))
    else:
        click.echo(
            f"Students get nothing yet: logitlab feedback --hand-out {printable(assignment)}"
        )


@main.command()
@click.argument("assignments", nargs=-1)
@click.option(
    "--tests",
    type=click.Choice(["in_kernel", "isolated", "both"]),
    default="both",
    show_default=True,
    help="Where test cells run: in the student's kernel, isolated from it, or one after the other.",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of assignments; default: source/ in this folder if it has a course.yaml, else the "
    "assignments shipped with LogitLab.",
)
@click.option("--workers", type=click.IntRange(1), help="Notebooks executed at once.")
@click.option(
    "--mutants",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Maximum mutants per reference solution, spread over its lines; 0: none.",
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
    """Prove that the tests of ASSIGNMENTS (default: all) award and deduct the right points.

    The reference gets full marks and the stub none; every listed wrong answer loses points on a
    hidden test, and every listed right answer keeps them. Each mutant of the reference, which has
    one small change, fails some test, or answers.py says why no test can notice it. Mutants run
    in only one of the two modes of --tests.
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
    environment = _environment()
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
                        root / name,
                        mode,
                        workers,
                        mutants=most,
                        others=models,
                        sample=tried,
                        executor=environment.executor,
                    )
                    say(proofs)
                except UserError as error:
                    failures.append(error.shown)
    if failures:
        raise CommandFailed("\n".join(dict.fromkeys(failures)))
