"""Commands that reach the exchange: release, due, extend, collect, feedback."""

from __future__ import annotations

import re

import click

from hub.cli.running import check_gradebook, in_course, say
from hub.core.course_folder import CourseFolder
from hub.facts.text import printable


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


@click.command(cls=HandingOut)
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


@click.command(hidden=True)
@click.argument("assignments", nargs=-1, required=True)
@in_course
def publish(assignments: tuple[str, ...], folder: CourseFolder) -> None:
    """The old name of `logitlab release --hand-out`."""
    names = " ".join(assignments)
    click.echo(f"publish is now: logitlab release --hand-out {printable(names)}", err=True)
    _hand_out(assignments, folder)


def _hand_out(assignments: tuple[str, ...], folder: CourseFolder) -> None:
    from hub.exchange.hand_out import hand_out

    check_gradebook(folder)
    say(hand_out(folder, list(assignments)))


@click.command()
@click.argument("assignment")
@click.argument("date", nargs=-1)
@click.option("--none", "never", is_flag=True, help="No due date.")
@click.option("--from-settings", is_flag=True, help="The date in course.yaml.")
@in_course
def due(
    assignment: str, date: tuple[str, ...], never: bool, from_settings: bool, folder: CourseFolder
) -> None:
    """Show when ASSIGNMENT is due, or change it: for everybody, at once, also after its release.

    DATE is read in the course's time zone: 2027-02-01 23:59.

    For a course in containers, use a terminal in the formgrader's JupyterLab.
    """
    from hub.exchange.due import due_in_settings, read_date, set_due, show_due

    if bool(date) + never + from_settings > 1:
        raise click.UsageError("Give a date, --none or --from-settings.")
    check_gradebook(folder)
    if never:
        say(set_due(folder, assignment, None))
    elif from_settings:
        say(set_due(folder, assignment, due_in_settings(folder, assignment)))
    elif date:
        say(set_due(folder, assignment, read_date(" ".join(date), folder.settings.course)))
    else:
        say(show_due(folder, assignment))


@click.command()
@click.argument("assignment")
@click.argument("words", nargs=-1, metavar="[STUDENT... DATE]")
@click.option("--remove", is_flag=True, help="Take the extensions back.")
@in_course
def extend(assignment: str, words: tuple[str, ...], remove: bool, folder: CourseFolder) -> None:
    """Give each STUDENT until DATE for ASSIGNMENT, at once; without them, show who has more time.

    DATE is read in the course's time zone: 2027-02-01 23:59. Nobody else sees it. For a course in
    containers, use a terminal in the formgrader's JupyterLab.
    """
    from hub.exchange.due import extend, read_date, show_extensions

    check_gradebook(folder)
    if not words and not remove:
        say(show_extensions(folder, assignment))
        return
    students, date = (list(words), "") if remove else _with_date(words)
    if not students:
        raise click.UsageError("Name the students.")
    due = None if remove else read_date(date, folder.settings.course)
    say(extend(folder, assignment, students, due))


def _with_date(words: tuple[str, ...]) -> tuple[list[str], str]:
    """Students and the date after them, which may be two words."""
    parts = 2 if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", words[-1]) else 1
    return list(words[:-parts]), " ".join(words[-parts:])


@click.command()
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

    check_gradebook(folder)
    say(collect(folder, grader_config(folder), assignment, before_due))


@click.command()
@click.argument("assignment")
@click.option("--hand-out", is_flag=True, help="Also let each student fetch theirs.")
@in_course
def feedback(assignment: str, hand_out: bool, folder: CourseFolder) -> None:
    """Generate the feedback on graded submissions of ASSIGNMENT into feedback/; repeatable.

    With --hand-out it also reaches students, as with the formgrader's Release Feedback button; for
    a course in containers, use a terminal in the formgrader's JupyterLab.
    """
    from hub.exchange.collect import release_feedback
    from hub.exchange.due import refresh
    from hub.grading.pipeline.feedback import generate
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    check_gradebook(folder)
    config = grader_config(folder)
    say(refresh(folder))
    say(generate(config, assignment))
    if hand_out:
        say(release_feedback(folder, config, assignment))
    else:
        click.echo(
            f"Students get nothing yet: logitlab feedback --hand-out {printable(assignment)}"
        )
