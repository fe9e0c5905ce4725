"""The command line `logitlab`: thin commands over functions that yield their progress."""

from __future__ import annotations

import os

import click

from hub.cli import authoring, course, exchange, grading, models, prove, roster
from hub.cli.running import Commands
from hub.core.environment import Environment, executables_on_path

COMMANDS = (
    *(course.serve, course.course, course.check),
    *(authoring.notebook, authoring.generate, authoring.preview, prove.prove),
    *(exchange.release, exchange.publish, exchange.due, exchange.extend),
    *(exchange.collect, exchange.feedback),
    *(grading.autograde, grading.export, grading.seed),
    *(roster.roster, models.models),
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logitlab")
@click.pass_context
def main(context: click.Context) -> None:
    """LogitLab: a course server for mechanistic interpretability."""
    executables_on_path()
    context.obj = Environment.read(os.environ)


for command in COMMANDS:
    main.add_command(command)
