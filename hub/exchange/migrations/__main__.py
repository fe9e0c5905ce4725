"""`python -m hub.exchange.migrations "what changes"`: write the next revision.

It is generated from how the tables of `hub.exchange.records` differ from the newest revision. Read
and complete it: Alembic detects neither renamed columns nor what should happen to the rows.
"""

from __future__ import annotations

import click
from alembic import command
from sqlalchemy import create_engine

from hub.exchange.migrations.upgrade import VERSIONS, configuration, revisions, upgrade


@click.command()
@click.argument("message")
def main(message: str) -> None:
    """Write the next revision of the exchange's tables; MESSAGE describes the change."""
    with create_engine("sqlite://").begin() as connection:
        upgrade(connection)
        config = configuration(connection)
        number = f"{int(revisions(config)[-1]) + 1:04}"
        command.revision(
            config, message, autogenerate=True, rev_id=number, version_path=str(VERSIONS[0])
        )


if __name__ == "__main__":
    main(prog_name="python -m hub.exchange.migrations")
