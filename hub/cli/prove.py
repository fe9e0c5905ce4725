"""The command that proves an assignment's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hub.cli.running import CommandFailed, course_folder, current_environment, say
from hub.facts.errors import UserError


@click.command()
@click.argument("assignments", nargs=-1)
@click.option(
    "--tests",
    type=click.Choice(["in_kernel", "isolated", "both"]),
    default="both",
    show_default=True,
    help="Where test cells run: in the student's kernel, isolated from it, or one after the other.",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of assignments; default: source/ in this folder if it has a course.yaml, else the "
    "assignments shipped with LogitLab.",
)
@click.option("--workers", type=click.IntRange(1), help="Notebooks executed at once.")
@click.option(
    "--mutants",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Maximum mutants per reference solution, spread over its lines; 0: none.",
)
@click.option(
    "--sample",
    default="1",
    metavar="SHARE",
    help="Try only this share of the answers and mutants, such as 1/3. The reference and the "
    "stub are always tried.",
)
@click.option("--seed", default="", help="Seed of the sample.")
@click.option(
    "--whole",
    multiple=True,
    metavar="ASSIGNMENT",
    help="No sampling for this assignment; repeatable.",
)
@click.option(
    "--symmetric",
    is_flag=True,
    help="Also check that the reference keeps its points on symmetric models and on a GPT-2 with "
    "random weights. Needs the repository.",
)
def prove(
    assignments: tuple[str, ...],
    tests: Any,
    source: Path | None,
    workers: int | None,
    mutants: int,
    sample: str,
    seed: str,
    whole: tuple[str, ...],
    symmetric: bool,
) -> None:
    """Prove that the tests of ASSIGNMENTS (default: all) award and deduct the right points.

    The reference gets full marks and the stub none; every listed wrong answer loses points on a
    hidden test, and every listed right answer keeps them. Each mutant of the reference, which has
    one small change, fails some test, or answers.py says why no test can notice it. Mutants run
    in only one of the two modes of --tests.
    """
    import tempfile

    from hub.authoring import catalogue
    from hub.verification.prove import prove
    from hub.verification.sampling import Sample
    from hub.verification.symmetric_models import model_variants

    try:
        tried = Sample.parse(sample, seed, whole)
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--sample") from error
    environment = current_environment()
    here = course_folder(None).source if Path("course.yaml").is_file() else None
    root = source or here or catalogue.shipped_sources()
    failures = []
    with tempfile.TemporaryDirectory(prefix="logitlab-") as folder:
        others = model_variants(Path(folder)) if symmetric else []
        for name in assignments or catalogue.available(root):
            for mode in ("in_kernel", "isolated") if tests == "both" else (tests,):
                first = mode == "in_kernel" or tests == "isolated"
                most, models = (mutants, others) if first else (0, [])
                try:
                    proofs = prove(
                        root / name,
                        mode,
                        workers,
                        mutants=most,
                        others=models,
                        sample=tried,
                        executor=environment.executor,
                    )
                    say(proofs)
                except UserError as error:
                    failures.append(error.shown)
    if failures:
        raise CommandFailed("\n".join(dict.fromkeys(failures)))
