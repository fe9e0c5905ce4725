"""Says in a student version whose the names of its cells are, so that *Validate* isolates tests.

A release has no solutions, so it does not show which names the student is to bind. Grading reads
that off the instructor's notebook, which is never where students are.
"""

from IPython.core.inputtransformer2 import TransformerManager
from nbformat.notebooknode import NotebookNode, from_dict

from hub.authoring.notebook import complete
from hub.facts.manifest import KEY, ManifestError, names_for_release


def add_names(released: NotebookNode, source: NotebookNode) -> None:
    """Add to the metadata of `released` what it has to say of the names of `source`.

    It says nothing if `source` breaks the rules for isolated tests, as grading cannot isolate them
    either.
    """
    try:
        names = names_for_release(complete(source), released, _to_python)
    except ManifestError:
        return
    released.metadata[KEY] = from_dict(names.as_data())


def _to_python(text: str) -> str:
    return TransformerManager().transform_cell(text)
