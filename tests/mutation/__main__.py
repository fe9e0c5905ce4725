"""`make mutants`: small changes of the rules that others rely on, which tests must notice.

The mutation operators are those that `logitlab prove --mutants` applies to reference solutions, and
those that fit rules: a refusal, a member of a collection or an entry left out. A mutant that no
test can tell is listed in `equivalent.py`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from hub.verification.mutants import mutants
from hub.verification.sampling import Sample
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.modules import MODULES, MutatedModule
from tests.mutation.operators import server_mutations
from tests.mutation.run import baseline, tested

ROOT = Path(__file__).parents[2]


@click.command(help=__doc__)
@click.argument("modules", nargs=-1)
@click.option("--sample", default="1", metavar="SHARE", help="of each module's mutants, e.g. 1/4")
@click.option("--seed", default="", help="which ones: the same for the same words")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="processes at once")
def main(modules: Sequence[str], sample: str, seed: str, jobs: int) -> None:
    try:
        chosen = Sample.parse(sample, seed)
    except ValueError as error:
        raise click.UsageError(f"--sample: {error}") from error
    if unknown := set(modules) - {module.name for module in MODULES}:
        raise click.UsageError(f"no such module in modules.py: {', '.join(sorted(unknown))}")
    os.chdir(ROOT)
    survived = sum(
        check(module, chosen, jobs) for module in MODULES if not modules or module.name in modules
    )
    if survived:
        click.echo("Write a test that fails, or list an equivalent mutant in equivalent.py.")
        sys.exit(1)


def check(module: MutatedModule, chosen: Sample, jobs: int) -> int:
    """Prints each mutant that survives, and a line on all. Returns how many are to be dealt with.

    Raises ClickException where the tests fail without a mutant.
    """
    began = time.monotonic()
    text = Path(*module.name.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    found = mutants(text, server_mutations)
    equivalent = {after for name, after in EQUIVALENT if name == module.name}
    unknown = sorted(equivalent - {mutant.after for mutant in found})
    tried = chosen.of(found, name=lambda one: f"{one.line} {one.after}", list_of=lambda _: "")
    killed = known = survived = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        before = baseline(module, scratch)
        if before.code:
            click.echo((scratch / "baseline.log").read_text(), err=True)
            raise click.ClickException(f"{module.name}: its tests fail as they are")
        # The text as it is comes first: a process that fails for a reason of its own kills nothing.
        texts = [text, *(mutant.source for mutant in tried)]
        for number, failed in tested(module, texts, before, scratch, jobs):
            if number == 0:
                if failed:
                    raise click.ClickException(f"{module.name}: its tests fail without a mutant")
                continue
            mutant = tried[number - 1]
            if failed:
                killed += 1
            elif mutant.after in equivalent:
                known += 1
            else:
                survived += 1
                click.echo(
                    f"  line {mutant.line}, {mutant.what}:\n"
                    f"    - {mutant.before}\n    + {mutant.after}"
                )
    for after in unknown:
        click.echo(f"  equivalent.py lists what is no mutant (any more):\n    {after}")
    click.echo(
        f"{module.name}: {len(tried)} of {len(found)} mutants, {killed} killed, "
        f"{known} equivalent, {survived} survived, {time.monotonic() - began:.0f} s"
    )
    return survived + len(unknown)


if __name__ == "__main__":
    main()
