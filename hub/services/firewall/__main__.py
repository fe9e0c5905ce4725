"""``python -m hub.services.firewall``: keeps the rules for the students' bridge applied."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from pathlib import Path

import click

from hub.facts import files
from hub.facts.container_paths import FIREWALL_HEARTBEAT
from hub.facts.signals import StopRequest
from hub.services.firewall.host import ensure_rules, remove_rules
from hub.services.firewall.rules import Firewall, FirewallError, firewall_from, resolvers

log = logging.getLogger("hub.services.firewall")


@click.command()
@click.option(
    "--heartbeat",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(FIREWALL_HEARTBEAT),
    show_default=True,
    help="Touched at each check while the rules are applied, removed otherwise.",
)
@click.option("--seconds", default=3.0, show_default=True, help="Interval between checks.")
@click.option("--once", is_flag=True, help="Apply the rules, check them once, and exit.")
@click.option("--remove", is_flag=True, help="Remove the rules and exit.")
def main(heartbeat: Path, seconds: float, once: bool, remove: bool) -> None:
    """Let only the hub and the proxy reach students' servers, which reach only the proxy.

    \b
    Runs in the host's network with NET_ADMIN. Read from the environment:
      LOGITLAB_BRIDGE    name of the bridge that students' containers are on
      LOGITLAB_HUB_IP    address of the hub on it
      LOGITLAB_PROXY_IP  address of the proxy on it; its port 8000 is open to students
      STUDENT_INTERNET   yes: students' containers reach public addresses  [no]

    When it exits, the rules stay in place, but the heartbeat is removed, so that the
    hub starts no further servers while nobody checks the rules.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = StopRequest()
    try:
        wanted = firewall_from(os.environ, resolvers(_resolv_conf()))
        if remove:
            for line in remove_rules(wanted):
                log.info(line)
        elif once:
            for line in ensure_rules(wanted):
                log.info(line)
    except FirewallError as error:
        log.error(error)
        sys.exit(1)
    if not (once or remove):
        watch(wanted, heartbeat, seconds, stop)


def watch(wanted: Firewall, heartbeat: Path, seconds: float, stop: StopRequest) -> None:
    """Check the rules every few `seconds` until `stop`, and touch `heartbeat` while applied."""
    last = ""
    try:
        while True:
            try:
                for line in ensure_rules(wanted):
                    log.info(line)
                _beat(heartbeat)
                level, now = logging.INFO, f"the rules for {wanted.bridge} are applied"
            except (FirewallError, OSError) as error:
                heartbeat.unlink(missing_ok=True)
                level, now = (
                    logging.ERROR,
                    f"the rules for {wanted.bridge} are not applied: {error}",
                )
            if now != last:
                log.log(level, now)
            last = now
            if stop.wait(seconds):
                return
    finally:
        heartbeat.unlink(missing_ok=True)


def _beat(heartbeat: Path) -> None:
    files.replace(heartbeat, f"{time.time():.0f}\n", durable=False)


def _resolv_conf() -> str:
    with contextlib.suppress(OSError):
        return Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace")
    return ""


if __name__ == "__main__":
    main(prog_name="python -m hub.services.firewall")
