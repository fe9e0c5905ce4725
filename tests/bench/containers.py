"""`make bench-containers`: a class that logs in at the same moment, as ratios to a plain hub.

The baseline is DockerSpawner with the settings of JupyterHub's reference deployment in Docker
(a bridge of its own, a home volume each, SQLite, no limits, no queue), with the same images for
hub, proxy and students. Its NativeAuthenticator has a login page that JupyterHub 6 cannot show; the
baseline has DummyAuthenticator instead, which spares it the hashing of passwords. Both hubs are up
all the time and take turns, so that both see the same other load of the machine:
a few people alone, then all together while the hub's health page is asked four times a second,
then what an idle server holds in memory.
"""

from __future__ import annotations

import json
import math
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import docker.errors
import httpx
from docker.api import APIClient

from hub.serve import free_port
from tests.docker.stage import deployed
from tests.docker.stage import docker as run_docker
from tests.docker.starts import start, stop
from tests.e2e.hub_client import Person
from tests.needs import TAG, unmet

PLAIN = "lltplain"
PLAIN_CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = "{image}"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.network_name = "{network}"
c.DockerSpawner.prefix = "{network}"
c.DockerSpawner.notebook_dir = "/home/student"
c.DockerSpawner.volumes = {{"{network}-{{username}}": "/home/student"}}
c.DockerSpawner.remove = True
c.JupyterHub.hub_ip = "hub"
c.JupyterHub.hub_port = 8081
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy:8001"
c.JupyterHub.db_url = "sqlite:////tmp/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/tmp/cookie_secret"
"""
HEALTH_SECONDS = 0.25  # between two looks at the health page
SETTLE_SECONDS = 20
ALONE = 3


@dataclass
class Server:
    """A running hub: where it is, who can log in, and how its students' containers begin."""

    url: str
    passwords: dict[str, str]
    containers: str


@dataclass
class Figures:
    """Of one hub. Seconds, spawns a minute, MiB."""

    alone: float
    median: float
    p95: float
    a_minute: float
    refused: int
    health_worst: float
    memory: float
    working_set: float


@contextmanager
def ours(names: list[str], scratch: Path) -> Iterator[Server]:
    """A deployment as `make up` makes it, with the settings that a new one has."""
    with deployed(scratch / "ours", "lltbench") as made:
        table = scratch / "students.csv"
        table.write_text("username,first_name,last_name\n" + "".join(f"{n},,\n" for n in names))
        made.deploy("roster", str(table), "--yes")

        def everybody_is_in() -> bool:
            made.set_passwords()
            return set(names) <= set(made.passwords)

        _wait_for(everybody_is_in, "the roster")
        yield Server(made.url, made.passwords, "lltbench-user-")


@contextmanager
def plain(names: list[str], scratch: Path) -> Iterator[Server]:
    """The baseline, in containers of the same images."""
    (folder := scratch / "plain").mkdir()
    token, password, port = secrets.token_hex(32), secrets.token_hex(8), free_port()
    filled = PLAIN_CONFIG.format(network=PLAIN, image=f"logitlab/student:{TAG}", password=password)
    (folder / "jupyterhub_config.py").write_text(filled)
    (folder / "token").write_text(token)
    (folder / "token").chmod(0o444)
    _remove_plain()
    run_docker("network", "create", PLAIN)
    common = ("run", "--detach", f"--network={PLAIN}", "--user=root")
    try:
        run_docker(
            *(*common, f"--name={PLAIN}-proxy", "--network-alias=proxy"),
            *(f"--publish=127.0.0.1:{port}:8000", "--env=PROXY_API_IP=0.0.0.0"),
            *("--env=HUB_URL=http://hub:8081", f"--volume={folder}/token:/run/secrets/proxy_token"),
            f"logitlab/proxy:{TAG}",
        )
        run_docker(
            *(*common, f"--name={PLAIN}-hub", "--network-alias=hub"),
            *(f"--env=CONFIGPROXY_AUTH_TOKEN={token}", f"--volume={folder}:/config:ro"),
            *("--volume=/var/run/docker.sock:/var/run/docker.sock", "--workdir=/tmp"),
            f"logitlab/server:{TAG}",
            *("jupyterhub", "-f", "/config/jupyterhub_config.py"),
        )
        passwords = dict.fromkeys(names, password)
        server = Server(f"http://localhost:{port}", passwords, f"{PLAIN}-s")
        _wait_for(lambda: httpx.get(f"{server.url}/hub/health").status_code == 200, "the hub")
        yield server
    finally:
        _remove_plain()


def _remove_plain() -> None:
    for kind in (["ps", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"]):
        if found := run_docker(*kind, f"--filter=name=^/?{PLAIN}").split():
            what = [] if kind[0] == "ps" else [kind[0]]
            run_docker(*what, "rm", *(["-f"] if kind[0] != "network" else []), *found, check=False)


def _wait_for(holds: Callable[[], object], what: str, seconds: float = 90) -> None:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {seconds} s")


# -- measuring -------------------------------------------------------------------------------------


def log_in_and_start(server: Server, name: str) -> tuple[float, int, Person]:
    """Seconds from *Sign in* to the page of JupyterLab, and how often the person was refused."""
    began, refused = time.monotonic(), 0
    person = Person(server.url, name, server.passwords[name])
    while not (seen := start(person)).ready:
        refused += 1
        if refused > 20:
            raise RuntimeError(f"{name} gets no server: {seen}")
        time.sleep(2)  # and tries again by hand
    person.http.get(f"/user/{name}/lab").raise_for_status()
    return time.monotonic() - began, refused, person


class HealthWatch(threading.Thread):
    """Asks the hub's health page all the time; keeps the longest answer, in seconds."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.worst, self._ended = url, 0.0, threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=300) as http:
            while not self._ended.wait(HEALTH_SECONDS):
                began = time.monotonic()
                try:
                    http.get(f"{self.url}/hub/health")
                finally:
                    self.worst = max(self.worst, time.monotonic() - began)

    def end(self) -> float:
        self._ended.set()
        self.join(300)
        return self.worst


def together(server: Server, names: list[str]) -> list[tuple[float, int, Person]]:
    """All log in and start at once."""
    found: list[tuple[float, int, Person]] = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(log_in_and_start(server, name)))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(900)
    if len(found) < len(names):
        raise RuntimeError(f"{len(names) - len(found)} of {len(names)} did not get a server")
    return found


def memory_of(prefix: str) -> list[tuple[float, float]]:
    """Of each container: private memory, and what `docker stats` shows; MiB."""
    engine, found = APIClient(), []
    for container in engine.containers(filters={"name": [f"^/{prefix}"]}):
        try:
            memory = engine.stats(container["Id"], stream=False)["memory_stats"]
        except docker.errors.NotFound:
            continue
        parts = memory["stats"]
        private = parts.get("total_rss", parts.get("anon", 0))
        inactive = parts.get("total_inactive_file", parts.get("inactive_file", 0))
        found.append((private / 2**20, (memory["usage"] - inactive) / 2**20))
    return found


@dataclass
class Samples:
    """What was seen of one hub, over all rounds."""

    alone: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    refused: int = 0
    health: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

    def figures(self) -> Figures:
        waits = sorted(self.waits)
        return Figures(
            alone=statistics.median(self.alone),
            median=statistics.median(waits),
            p95=waits[math.ceil(0.95 * len(waits)) - 1],
            a_minute=statistics.median(self.rates),
            refused=self.refused,
            health_worst=max(self.health),
            memory=statistics.median(private for private, _ in self.memory),
            working_set=statistics.median(shown for _, shown in self.memory),
        )


def one_alone(server: Server, name: str, seen: Samples) -> None:
    """One person comes and goes."""
    seconds, _, person = log_in_and_start(server, name)
    seen.alone.append(seconds)
    stop(person)
    person.close()


def simultaneous_class(server: Server, names: list[str], seen: Samples) -> None:
    """All come at once; when their servers have been idle for a while, all go."""
    watch = HealthWatch(server.url)
    watch.start()
    began = time.monotonic()
    found = together(server, names)
    seen.rates.append(60 * len(names) / (time.monotonic() - began))
    seen.health.append(watch.end())
    seen.waits += [seconds for seconds, _, _ in found]
    seen.refused += sum(times for _, times, _ in found)
    time.sleep(SETTLE_SECONDS)
    seen.memory += memory_of(server.containers)
    for _, _, person in found:
        stop(person)
        person.close()


TITLES = {
    "alone": "login to JupyterLab's page, one person, median (s)",
    "median": "the same, all together, median (s)",
    "p95": "the same, all together, p95 (s)",
    "a_minute": "servers started a minute, all together",
    "refused": "starts that were refused or failed, and tried again",
    "health_worst": "longest answer of /hub/health meanwhile (s)",
    "memory": "private memory of an idle server, median (MiB)",
    "working_set": "memory of it by `docker stats`, median (MiB)",
}


@click.command()
@click.option("--students", default=10, show_default=True, help="That log in together.")
@click.option("--rounds", default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(students: int, rounds: int, out: Path | None) -> None:
    """Measure both hubs in turn, and print figures and ratios."""
    if lacking := unmet("deployments"):
        raise click.ClickException(lacking[1])
    names = [f"student{number:02}" for number in range(1, students + 1)]
    seen = {"plain": Samples(), "ours": Samples()}
    with (
        tempfile.TemporaryDirectory() as scratch,
        plain(names, Path(scratch)) as a_plain_hub,
        ours(names, Path(scratch)) as our_hub,
    ):
        hubs = {"plain": a_plain_hub, "ours": our_hub}
        for turn in range(ALONE):
            for name, server in hubs.items():
                one_alone(server, names[turn % students], seen[name])
        for turn in range(rounds):
            for name, server in hubs.items():
                simultaneous_class(server, names, seen[name])
                click.echo(f"round {turn + 1}, {name}: {seen[name].rates[-1]:.1f} a minute")
    rows = {name: asdict(found.figures()) for name, found in seen.items()}
    click.echo(f"{'':<54}{'plain':>9}{'ours':>9}{'ratio':>8}")
    for key, title in TITLES.items():
        a, b = rows["plain"][key], rows["ours"][key]
        click.echo(f"{title:<54}{a:>9.1f}{b:>9.1f}" + (f"{b / a:>8.2f}" if a else ""))
    if out:
        out.write_text(json.dumps({"students": students, **rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
