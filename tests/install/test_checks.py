"""What a machine must have, decided on plain data."""

import pytest

from hub.host.install import checks
from hub.host.install.checks import Interpreter
from hub.host.install.errors import InstallError


def found(version: str, *, venv: bool = True, path: str = "python3") -> Interpreter:
    return Interpreter(path, tuple(int(part) for part in version.split(".")), venv)


@pytest.mark.parametrize("version", ["3.11.0", "3.12.1", "3.13.9"])
def test_a_supported_python_is_taken(version):
    assert checks.choose_python([found(version)]).version == found(version).version


@pytest.mark.parametrize(
    ("version", "verdict"), [("3.10.13", "too old"), ("3.14.0", "too new"), ("2.7.18", "too old")]
)
def test_an_unsupported_python_is_named_with_what_to_do(version, verdict):
    with pytest.raises(InstallError) as error:
        checks.choose_python([found(version)])
    message = str(error.value)
    assert f"Python {version}" in message
    assert verdict in message
    assert "3.11, 3.12 or 3.13" in message
    assert "make serve PYTHON=" in message


def test_another_python_on_path_is_taken_where_the_first_is_unsupported():
    chosen = checks.choose_python([found("3.14.0"), found("3.12.1", path="/usr/bin/python3.12")])
    assert chosen.path == "/usr/bin/python3.12"


def test_a_python_with_venv_is_preferred_to_one_without():
    bare = found("3.11.2", venv=False)
    assert checks.choose_python([bare, found("3.13.0", path="b")]).path == "b"


def test_a_missing_venv_module_is_answered_with_the_one_apt_get_line():
    with pytest.raises(InstallError, match=r"sudo apt-get install python3-venv git make$"):
        checks.choose_python([found("3.11.2", venv=False)])


def test_a_missing_venv_module_of_another_python_names_that_pythons_package():
    others = [found("3.14.0"), found("3.13.0", venv=False, path="/usr/bin/python3.13")]
    with pytest.raises(InstallError, match=r"apt-get install python3\.13-venv"):
        checks.choose_python(others)


def test_a_python_that_does_not_run_is_not_found(tmp_path):
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert checks.probe(shim) is None
    assert checks.probe(tmp_path / "nowhere") is None


def test_a_folder_that_is_not_an_environment_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InstallError, match="not a virtual environment"):
        checks.check_venv_folder(tmp_path)


def test_an_empty_missing_or_half_made_environment_may_be_filled(tmp_path):
    checks.check_venv_folder(tmp_path / "new")
    checks.check_venv_folder(tmp_path)
    (tmp_path / "logitlab").mkdir()
    (tmp_path / "bin").mkdir()
    checks.check_venv_folder(tmp_path)


def test_a_missing_home_folder_is_reported(tmp_path):
    checks.check_home({"HOME": str(tmp_path)})
    with pytest.raises(InstallError, match="Set HOME"):
        checks.check_home({"HOME": str(tmp_path / "nobody")})
