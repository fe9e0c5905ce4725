"""``python -m hub.services.executor``: runs students' notebooks in a separate container."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import click

from hub.facts import accounts
from hub.facts.container_paths import EXECUTOR_SOCKET
from hub.grading.sandbox.landlock import SCOPES_SINCE, landlock_version
from hub.grading.sandbox.remote import status
from hub.services.executor.boxes import Box
from hub.services.executor.promises import unkept
from hub.services.executor.service import serve

BOXES_PER_WORKER = 16  # one for an execution that needs a CPU, the others for those that sleep

log = logging.getLogger("hub.services.executor")


@click.command()
@click.option(
    "--socket",
    "path",
    type=click.Path(path_type=Path),
    default=EXECUTOR_SOCKET,
    show_default=True,
    help="Unix socket to listen on. Its folder is made accessible to --grader only.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    default="/scratch",
    show_default=True,
    help="Scratch folder; its contents are removed at startup.",
)
@click.option(
    "--workers",
    default="auto",
    show_default=True,
    help="Notebooks executed at once, not counting those that sleep; auto: one per core.",
)
@click.option(
    "--grader",
    default=accounts.GRADER,
    show_default=True,
    help="User and group allowed to connect.",
)
@click.option(
    "--check", is_flag=True, help="List the promises that this machine cannot keep, and exit."
)
@click.option("--health", is_flag=True, help="Check the health of the running executor, and exit.")
@click.option("--trial", is_flag=True, help="Serve even if some promises cannot be kept.")
def main(
    path: Path,
    scratch: Path,
    workers: str,
    grader: int,
    check: bool,
    health: bool,
    trial: bool,
) -> None:
    """Serve executions on a unix socket, to the grader only."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if health:
        try:
            state = status(path)
        except OSError as error:
            raise click.ClickException(f"the executor does not answer ({error})") from None
        click.echo(", ".join(f"{key} {value}" for key, value in state.items()))
        sys.exit(0 if state["boxes"] else 1)
    if not check:
        # Mounts leave these open to everybody.
        if not trial and os.path.isdir("/dev/mqueue"):
            os.chmod("/dev/mqueue", 0o755)
        scratch.mkdir(mode=0o711, parents=True, exist_ok=True)
        scratch.chmod(0o711)
    lacks = unkept(os.environ)
    for lack in lacks:
        click.echo(f"promise not kept: {lack}", err=True)
    if check or (lacks and not trial):
        sys.exit(1 if lacks else 0)
    if landlock_version() < SCOPES_SINCE:
        log.info(
            "this kernel has no Landlock scopes: executions that run at the same time can "
            "collude through abstract sockets"
        )
    count = (os.cpu_count() or 1) if workers == "auto" else int(workers)
    boxes = [Box(number, scratch) for number in range(count * BOXES_PER_WORKER)]
    asyncio.run(_serve(path, boxes, {0, grader}, grader, count))


async def _serve(path: Path, boxes: list[Box], allowed: set[int], group: int, workers: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(path, boxes, allowed, group, stop, workers)


if __name__ == "__main__":
    main(prog_name="python -m hub.services.executor")
