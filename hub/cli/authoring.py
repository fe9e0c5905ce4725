"""Commands for authors: synchronise, generate and preview assignments."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from hub.cli.running import CommandFailed, check_gradebook, course_folder, in_course, say
from hub.core.course_folder import CourseFolder

REPOSITORY = Path(__file__).parents[2]


@click.command()
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


@click.command()
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
    folder = course_folder(course)
    if not assignments:
        raise CommandFailed("Name the assignments to generate.")
    check_gradebook(folder)
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

    from hub.grading.pipeline.reference import broken_rules, way_out

    for path in sorted(source.glob("*.ipynb")):
        if broken := broken_rules(nbformat.read(path, as_version=4)):
            why = f"warning: {path.name} cannot be graded with isolated tests: {broken}."
            yield f"{why} {way_out(source.name)}"


def _fresh(found: list[str]) -> None:
    if found:
        raise CommandFailed("\n".join([*found, "Run `make release` to bring release/ up to date."]))
    click.echo("release/ is up to date with source/")


@click.command()
@click.argument("assignment")
@in_course
def preview(assignment: str, folder: CourseFolder) -> None:
    """Generate the student version of ASSIGNMENT into the course's preview/ folder."""
    from hub.authoring.preview import preview

    click.echo(preview(folder.root, assignment))
