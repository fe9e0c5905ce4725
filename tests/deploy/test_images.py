"""What is built, and how: command lines and decisions as data."""

import ast
import importlib
import os
import re
from pathlib import Path

import pytest

from hub.facts.disk import NoRoom
from hub.host.deploy import base, disk, images
from hub.host.deploy.__main__ import COMMANDS, main
from hub.host.deploy.engine import DockerClient, choose
from hub.host.deploy.environment import Site, pip_configuration, site
from hub.host.deploy.folder import CHECKOUT, DeployError
from tests.deploy.test_models import smallest

STAGE = Path("/stage")
DOCKERFILE = (CHECKOUT / "docker" / "Dockerfile").read_text()
PINS = {"torch": "2.13.0", "numpy": "2.4.6", "hf-xet": "1.8.0", "ruamel-yaml": "0.19.1"}


def test_every_command_has_a_module_with_arguments_and_run():
    for name, (folder, _) in COMMANDS.items():
        module = importlib.import_module(f"hub.host.deploy.{folder}")
        assert callable(module.add_arguments) and callable(module.run), name


def test_obstacles_are_reported_without_a_traceback(monkeypatch, capsys):
    def refuse(name, arguments):
        raise DeployError("no engine here")

    monkeypatch.setattr(base, "run", refuse)
    assert main(["base"]) == 1
    assert capsys.readouterr().err == "\nno engine here\n"


# -- the docker client ----------------------------------------------------------------------------


def test_the_first_client_that_can_build_is_taken():
    newer = DockerClient("/usr/local/bin/docker", (28, 1), buildx=False)
    debian = DockerClient("/usr/bin/docker", (20, 10), buildx=False)
    assert choose([newer, debian]) == debian


def test_a_new_client_builds_with_its_plugin():
    client = DockerClient("/usr/bin/docker", (28, 1), buildx=True)
    assert choose([client]) == client


@pytest.mark.parametrize("version", [(), (17, 12)])
def test_a_client_that_does_not_run_or_is_too_old_does_not_build(version):
    with pytest.raises(DeployError, match="docker-buildx"):
        choose([DockerClient("/usr/bin/docker", version, buildx=False)])


def test_a_host_without_docker_is_reported_what_to_install():
    with pytest.raises(DeployError, match=r"docker\.io"):
        choose([])


# -- the plan -------------------------------------------------------------------------------------


def test_an_empty_setting_has_its_default():
    assert images.plan({"TORCH": "", "MODELS": ""}) == images.BuildPlan(
        "debian:bookworm-slim", "dev", "cpu", (), images.IMAGES
    )


def test_models_are_named_with_spaces_or_commas_and_only_once():
    assert images.plan({"MODELS": " gpt2, gpt2-medium gpt2 "}).models == ("gpt2", "gpt2-medium")


@pytest.mark.parametrize(
    "given", [{"TORCH": "gpu"}, {"LOGITLAB_TAG": "a b"}, {"MODELS": "../secrets"}]
)
def test_a_setting_that_cannot_be_used_is_refused(given):
    with pytest.raises(DeployError, match=next(iter(given))):
        images.plan(given)


def test_images_are_built_in_order_whatever_the_order_they_are_asked_for():
    assert images.plan({}, ["grader", "server"]).images == ("server", "grader")


def test_the_environment_stands_above_the_file(tmp_path):
    (tmp_path / ".env").write_text("TORCH=cuda\nLOGITLAB_TAG=2\nDOMAIN=x.example\n")
    given = images.settings(tmp_path, {"LOGITLAB_TAG": "3", "DOMAIN": "y.example"})
    assert (given["TORCH"], given["LOGITLAB_TAG"], given["DOMAIN"]) == ("cuda", "3", "x.example")


def test_every_image_is_a_target_of_the_dockerfile():
    assert set(images.IMAGES) <= set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.M))


# -- the build's command line ---------------------------------------------------------------------


def test_a_build_of_a_plain_site_names_no_secret():
    plan = images.plan({"LOGITLAB_TAG": "7", "TORCH": "cuda"})
    assert images.build_command("/usr/bin/docker", plan, "student", Site({}), STAGE) == [
        *("/usr/bin/docker", "build", "--progress=plain", "--file", "docker/Dockerfile"),
        *("--target", "student", "--tag", "logitlab/student:7"),
        *("--build-arg", "BASE_IMAGE=debian:bookworm-slim", "--build-arg", "TORCH=cuda"),
        ".",
    ]


def test_what_a_site_needs_goes_in_as_secrets_and_never_by_value():
    here = site(
        {
            "PIP_CERT": "/etc/site/bundle.pem",
            "NODE_EXTRA_CA_CERTS": "/etc/site/extra.pem",
            "PIP_INDEX_URL": "https://user:pass@packages.example/simple",
            "HTTPS_PROXY": "http://user:pass@proxy.example:3128",
        },
        {},
    )
    command = images.build_command("docker", images.plan({}), "server", here, STAGE)
    text = " ".join(command)
    assert "--secret id=env,src=/stage/env" in text
    assert "--secret id=ca,src=/etc/site/bundle.pem" in text
    assert "--secret id=extra_ca,src=/etc/site/extra.pem" in text
    assert "--build-arg HTTPS_PROXY" in text
    assert "example" not in text


def test_no_build_argument_of_the_dockerfile_can_carry_a_sites_setting():
    assert set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.M)) == {"BASE_IMAGE", "TORCH"}


def test_every_secret_of_the_command_is_one_that_the_dockerfile_mounts():
    mounted = set(re.findall(r"type=secret,id=(\w+)", DOCKERFILE))
    assert mounted == {"env", "ca", "extra_ca"}


# -- the site -------------------------------------------------------------------------------------


def test_pips_settings_reach_uv_under_its_own_names():
    here = site({"PIP_INDEX_URL": "https://packages.example/simple"}, {})
    assert here.variables["UV_DEFAULT_INDEX"] == "https://packages.example/simple"


def test_pips_configuration_stands_below_the_environment():
    output = pip_configuration(
        [
            "[global]\nindex-url = https://one.example/simple\ntimeout = 60\n",
            "[global]\nindex-url = https://two.example/simple\n"
            "[install]\nfind-links =\n  /a\n  /b\n",
        ]
    )
    here = site({"PIP_DEFAULT_TIMEOUT": "90"}, output)
    assert here.variables["PIP_INDEX_URL"] == "https://two.example/simple"
    assert here.variables["PIP_DEFAULT_TIMEOUT"] == "90"
    assert here.wheels == (Path("/a"), Path("/b"))


def test_an_index_that_is_a_folder_of_this_machine_is_left_out():
    urls = "file:///srv/simple https://packages.example/simple"
    here = site({"PIP_EXTRA_INDEX_URL": urls, "PIP_FIND_LINKS": "https://wheels.example/"}, {})
    assert here.variables["PIP_EXTRA_INDEX_URL"] == "https://packages.example/simple"
    assert here.wheels == ()


def test_a_value_with_spaces_and_quotes_survives_the_shell():
    here = Site({"PIP_TRUSTED_HOST": "a b'; rm -rf /; '"})
    read = os.popen(f'{here.shell}printf %s "$PIP_TRUSTED_HOST"').read()
    assert read == "a b'; rm -rf /; '"


# -- wheels ---------------------------------------------------------------------------------------

WHEELS = [
    "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    "torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl",
    "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "torch-2.12.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    "nvidia_cublas-13.0.2-py3-none-manylinux_2_27_x86_64.whl",
    "hf_xet-1.8.0-cp38-abi3-manylinux_2_28_x86_64.whl",
    "ruamel.yaml-0.19.1-py3-none-any.whl",
    "numpy-2.0.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "somebodys_project-1.0-py3-none-any.whl",
]


def test_a_cpu_build_gets_the_pinned_wheels_of_a_folder():
    assert images.wanted_wheels(WHEELS, PINS, "cpu") == [WHEELS[5], WHEELS[6], WHEELS[0]]


def test_a_cuda_build_gets_torchs_own_needs_and_not_the_cpu_build():
    found = images.wanted_wheels(WHEELS, PINS, "cuda")
    assert WHEELS[2] in found and WHEELS[4] in found and WHEELS[0] not in found


def test_pins_are_read_from_locks_with_their_markers():
    assert images.pins_in(["six==1.17.0\nnumpy==2.4.6 ; python_version < '3.12'\n", "# a\n"]) == {
        "six": "1.17.0",
        "numpy": "2.4.6",
    }


def test_staging_gives_the_build_wheels_models_and_a_private_environment(tmp_path):
    wheels, models, stage = tmp_path / "wheels", tmp_path / "models", tmp_path / "stage"
    wheels.mkdir()
    wheel = wheels / WHEELS[0]
    wheel.write_text("torch")
    smallest(models / "gpt2")
    (models / "other").mkdir()
    plan = images.plan({"MODELS": "gpt2"})
    here = Site({"PIP_INDEX_URL": "https://packages.example"}, wheels=(wheels,))
    images.stage_inputs(plan, here, models, stage)
    images.stage_inputs(plan, here, models, stage)  # a second time changes nothing
    assert [path.name for path in (stage / "wheels").iterdir()] == [WHEELS[0]]
    assert [path.name for path in (stage / "models").iterdir()] == ["gpt2"]
    assert (stage / "wheels" / WHEELS[0]).samefile(wheel)
    assert (stage / "env").stat().st_mode & 0o777 == 0o600


def test_a_model_that_is_not_there_is_named_before_anything_is_built(tmp_path):
    with pytest.raises(DeployError, match="add-model NAME=gpt2"):
        images.stage_inputs(images.plan({"MODELS": "gpt2"}), Site({}), tmp_path, tmp_path / "s")


def test_a_bundle_of_certificates_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DeployError, match=r"gone\.pem"):
        here = Site({}, bundle=tmp_path / "gone.pem")
        images.stage_inputs(images.plan({}), here, tmp_path, tmp_path / "stage")


# -- disk, progress, failures ---------------------------------------------------------------------


def test_a_disk_that_is_too_small_stops_a_build_before_it_starts(tmp_path, monkeypatch):
    needed = disk.needed_mb(images.IMAGES, [], "cpu")
    assert 3_000 < needed < 10_000
    plan = images.plan({})
    monkeypatch.setattr(disk, "engine_folder", lambda client: tmp_path)
    monkeypatch.setattr(images, "free_mb", lambda path: 2_000)
    with pytest.raises(NoRoom, match=r"2\.0 GB free") as error:
        images._check_disk("docker", plan, images.IMAGES, 0)
    assert "docker system df" in error.value.fix
    monkeypatch.setattr(images, "free_mb", lambda path: needed)
    images._check_disk("docker", plan, images.IMAGES, 0)


def test_a_cuda_build_a_model_and_the_students_image_below_the_graders_take_room():
    assert disk.needed_mb(["student"], [], "cuda") > 2 * disk.needed_mb(["student"], [], "cpu")
    assert disk.needed_mb(["grader"], [], "cpu") > disk.needed_mb(["grader"], ["student"], "cpu")
    assert disk.needed_mb(["db"], [], "cpu", models_mb=500) == 1000 + disk.needed_mb(
        ["db"], [], "cpu"
    )


def test_progress_names_each_step_that_had_work_to_do():
    output = [
        "#1 [internal] load build definition from Dockerfile",
        "#1 DONE 0.0s",
        "#4 [system 1/4] FROM docker.io/library/debian:bookworm-slim",
        "#4 DONE 0.0s",
        "#7 [python 1/1] RUN --mount=type=bind,source=a   /dev/steps/apt-install python3",
        "#7 CACHED",
        "#8 [db 1/3] RUN --mount=type=bind,source=a   /dev/steps/apt-install postgresql-15",
        "#8 1.2 Selecting previously unselected package",
        "#8 DONE 12.0s",
    ]
    assert list(images.progress(output)) == [
        "[db 1/3] RUN /dev/steps/apt-install postgresql-15 (0 s)"
    ]


def test_a_failed_build_repeats_its_last_lines_and_says_what_to_do(tmp_path):
    script = "echo 'write /var/lib/docker/x: no space left on device'; exit 3"
    with pytest.raises(
        DeployError, match=r"(?s)no space left.*docker system df.*same command again"
    ):
        list(images._run(["sh", "-c", script], tmp_path / "log"))
    assert "no space left" in (tmp_path / "log").read_text()


def test_a_base_image_that_cannot_be_downloaded_can_be_made():
    output = ["#3 ERROR: failed to do request: Head https://registry.example/v2/library/debian"]
    assert "hub.host.deploy base" in images.advice(output)


def test_the_bootstrapped_base_keeps_licences_and_drops_what_the_small_image_drops():
    command = base.bootstrap_command(Path("/x/base.tar"), "http://mirror.example/debian")
    assert command[0] == "mmdebstrap" and command[-3:] == [
        *("bookworm", "/x/base.tar"),
        "http://mirror.example/debian",
    ]
    assert f"--dpkgopt=path-include={base.LICENCES}" in command


# -- what goes into an image ----------------------------------------------------------------------


def copied_into(stage: str) -> list[str]:
    """Sources of the COPY instructions of one stage that come from the checkout."""
    text = DOCKERFILE.partition(f"FROM python AS {stage}\n")[2].partition("\nFROM ")[0]
    text = text.replace("\\\n", " ")
    copies = re.findall(r"^COPY (?!--from)(.*)$", text, re.M)
    return [source for line in copies for source in line.split()[:-1]]


def test_a_students_image_has_every_module_that_a_persons_server_imports():
    """Imports at module level, and those inside functions of what serves a request."""
    there = copied_into("persons")
    missing = {
        module
        for module in closure(["hub.cli"], functions=False)
        | closure(["hub.singleuser.validation", "hub.exchange.client", "hub.grading.template"])
        | closure(["hub.singleuser.gpu.extension", "hub.singleuser.gpu.startup"])
        if not any(str(module).startswith(folder) for folder in there)
    }
    assert missing == set()


def closure(starts: list[str], functions: bool = True) -> set[Path]:
    """The files of ours that importing `starts` reads; with `functions`, also running them."""
    seen: dict[str, Path] = {}
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name.partition(".")[0] not in ("hub", "course"):
            continue
        folder = Path(*name.split("."))
        options = [folder.with_suffix(".py"), folder / "__init__.py"]
        found = next((path for path in options if (CHECKOUT / path).is_file()), None)
        if name in seen or found is None:
            continue
        seen[name] = found
        waiting.append(name.rpartition(".")[0])
        tree = ast.parse((CHECKOUT / found).read_text())
        for node in ast.walk(tree) if functions else tree.body:
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return set(seen.values())


def test_a_students_image_gets_no_source_no_answers_and_no_server():
    there = copied_into("persons")
    assert not [folder for folder in there if folder.startswith(("source", "tests", "release"))]
    assert not {"hub", "hub/authoring", "hub/host", "hub/jupyterhub", "hub/services"} & set(there)


def test_the_context_is_an_allow_list():
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not {"!docker", "!docker/.env", "!tests", "!release", "!.git"} & set(rules)
