"""``python -m hub.services.guard``: the hub's only way to the Docker engine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import click
from aiohttp import web

from hub.facts.container_paths import COURSES_FILE, GUARD_SOCKET
from hub.services.guard.policy import Policy, PolicyError, policy_from
from hub.services.guard.server import Engine, Guard

log = logging.getLogger(__name__)

CHECK_SECONDS = 2
FAILURES = 5
STOP_SECONDS = 5  # for requests in progress, of the ten that Docker waits


@click.command()
@click.option(
    "--listen",
    type=click.Path(path_type=Path),
    default=Path(GUARD_SOCKET),
    show_default=True,
    help="Unix socket for the hub; group members may connect.",
)
@click.option(
    "--engine",
    type=click.Path(path_type=Path),
    default=Path("/var/run/docker.sock"),
    show_default=True,
    help="Unix socket of the Docker engine.",
)
@click.option(
    "--courses",
    type=click.Path(path_type=Path),
    default=Path(COURSES_FILE),
    show_default=True,
    help="File with the ids of the hub's courses, a line each.",
)
def main(listen: Path, engine: Path, courses: Path) -> None:
    """Let the hub start, stop and inspect its students' containers, and nothing else.

    \b
    Environment variables define what is accepted:
      LOGITLAB_PROJECT      prefix of the names of containers, volumes and network
      LOGITLAB_TAG          tag of logitlab/student and logitlab/grader
      LOGITLAB_GPUS         UUIDs (GPU-… or MIG-…) that may be assigned  [none]
      LOGITLAB_GPU_DRIVER   nvidia or cdi  [nvidia]
      GUARD_MAX_MEMORY_MIB  maximum memory of a container  [the host's]
      GUARD_MAX_CPUS        maximum cores of a container  [the host's]
      GUARD_MAX_PIDS        maximum processes of a container  [4096]

    Exits with status 1 if nobody has listened on the engine's socket for ten seconds: restarted,
    the container sees the engine's new socket instead of the one that it had.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        policy = policy_from(os.environ)
    except PolicyError as error:
        raise click.UsageError(str(error)) from None
    if not asyncio.run(serve(policy, listen, engine, courses)):
        sys.exit(1)


async def serve(policy: Policy, listen: Path, socket: Path, courses: Path) -> bool:
    """Serve until a signal, or until the engine is gone. Returns True after a signal."""
    engine = Engine(socket)
    # A bare server: no routing but the guard's own, and no access log, which would contain queries.
    served = web.Server(Guard(policy, engine, courses).handle, access_log=None)
    runner = web.ServerRunner(served, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        everybodys = os.umask(0o117)  # owner and group may connect
        await web.UnixSite(runner, str(listen)).start()
        os.umask(everybodys)
        log.info("guarding %s for %s", socket, policy.project)
        stop = asyncio.Event()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
        return await stopped(stop, engine)
    finally:
        await runner.cleanup()
        await engine.close()


async def stopped(stop: asyncio.Event, engine: Engine) -> bool:
    """Return True when `stop` is set, False when the engine is gone."""
    failures = 0
    while failures < FAILURES:
        try:
            await asyncio.wait_for(stop.wait(), CHECK_SECONDS)
            return True
        except TimeoutError:
            pass
        failures = 0 if await engine.is_there() else failures + 1
        if failures:
            log.warning("nobody listens on the engine's socket (%d of %d)", failures, FAILURES)
    return False


if __name__ == "__main__":
    main(prog_name="python -m hub.services.guard")
