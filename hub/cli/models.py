"""Commands about the models that notebooks load."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.running import say


@click.group()
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
