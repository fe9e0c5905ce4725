"""Errors that people put right: what is wrong, and apart from it what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from click.testing import CliRunner

from hub.cli import main
from hub.facts.errors import UserError
from hub.host.deploy.__main__ import main as deploy

HUB = Path(__file__).parents[2] / "hub"
ADVICE = re.compile(
    r"`| --\w|apt-get|[:;,] (?:use|run|choose|set|make|name|grade|generate|fix|remove) "
)
# What a sentence with a command in it says is wrong, not what to do.
NO_ADVICE = ("` failed", "written by `logitlab roster import`")


def test_what_to_do_stands_on_a_line_of_its_own():
    assert UserError("It is broken.", "Mend it.").shown == "It is broken.\nMend it."
    assert UserError("It is broken.").shown == "It is broken."
    assert str(UserError("It is broken.", "Mend it.")) == "It is broken. Mend it."


def test_the_command_line_shows_it_so(tmp_path):
    done = CliRunner().invoke(main, ["check", "--course", str(tmp_path)])
    assert done.exit_code == 1
    assert done.output == (
        f"Error: {tmp_path} is not a course folder (it has no course.yaml).\n"
        f"Make one with `logitlab course new {tmp_path}`, or name another with --course.\n"
    )


def test_the_deployments_command_line_shows_it_so(capsys):
    assert deploy(["restore", "/nowhere"]) == 1
    first, second = capsys.readouterr().err.strip().splitlines()
    assert first == "/nowhere is not a backup (manifest.json cannot be read)."
    assert second.startswith("Usage: `make restore FROM=")


def test_no_message_holds_its_own_advice():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in HUB.rglob("*.py")}
    errors = _errors(trees.values())
    found = [
        f"{path.relative_to(HUB)}: {text}"
        for path, tree in trees.items()
        for text in _messages(tree, errors)
        if ADVICE.search(text) and not any(each in text for each in NO_ADVICE)
    ]
    assert found == []


def _errors(trees: Iterable[ast.Module]) -> set[str]:
    """The names of all classes below UserError."""
    classes = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    found = {"UserError"}
    while True:
        more = {c.name for c in classes if {getattr(b, "id", "") for b in c.bases} & found}
        if more <= found:
            return found
        found |= more


def _messages(tree: ast.Module, errors: set[str]) -> Iterator[str]:
    """The first argument of each error that is made, without what is filled in but constants."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        named = isinstance(node.func, ast.Name) and node.func.id in errors
        parents = isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
        if named or parents:
            values = (
                constants.get(part.id) if isinstance(part, ast.Name) else part.value
                for part in ast.walk(node.args[0])
                if isinstance(part, ast.Constant | ast.Name)
            )
            yield "".join(value for value in values if isinstance(value, str))
