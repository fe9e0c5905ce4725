"""`python -m tests.e2e`: play the day against a running server and say how it went."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tests.e2e.day import Day, play, summary
from tests.e2e.embedded import exported_grades


@click.command()
@click.option("--url", default="http://localhost:8000", show_default=True)
@click.option(
    "--course",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Course folder of the running embedded server.",
)
@click.option("--pictures", type=click.Path(path_type=Path), default=Path("artifacts/day"))
def main(url: str, course: Path, pictures: Path) -> None:
    """Play one day of a course; screenshots go to the --pictures folder."""
    accounts = json.loads((course / "server" / "accounts.json").read_text(encoding="utf-8"))
    day = Day(url, accounts, pictures, lambda: exported_grades(course))
    for line in play(day):
        click.echo(line)
    click.echo(json.dumps(summary(day), indent=1))


if __name__ == "__main__":
    main()
