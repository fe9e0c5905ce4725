"""The manifest of a notebook, with IPython's magics; see `hub.facts.manifest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from hub.facts import manifest
from hub.facts.manifest import CellFacts, Manifest, ManifestError, StudentNames

__all__ = ["CellFacts", "Manifest", "ManifestError", "StudentNames", "given_alone", "read"]


def read(source: Mapping[str, Any], names: StudentNames | None = None) -> Manifest:
    """The manifest of the instructor's notebook, or of a release that says whose the `names` are.

    Raises ManifestError.
    """
    if names is not None:
        return manifest.read_release(source, names, _to_python)
    return manifest.read(source, _to_python)


def given_alone(source: Mapping[str, Any], names: StudentNames | None = None) -> frozenset[str]:
    """Names of the given cells that use no name of the student's."""
    return manifest.given_alone(source, _to_python, names)


def _to_python(text: str) -> str:
    return TransformerManager().transform_cell(text)
