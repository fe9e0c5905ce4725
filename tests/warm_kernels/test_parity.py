"""Every kind of cell shows in a kernel from the template what it shows in a fresh one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient

from hub.singleuser.warm_kernels.provisioner import KernelTemplate
from tests.isolation.kinds_of_cells import KINDS
from tests.isolation.test_kernel_parity import all_kinds, cells_of, shown
from tests.warm_kernels.kernels import wait_until_ready

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def executed(folder: Path) -> list[Any]:
    folder.mkdir()
    book = all_kinds()
    NotebookClient(book, allow_errors=True, resources={"metadata": {"path": folder}}).execute()
    return [shown(cell) for cell in book.cells]


def test_every_kind_of_cell_shows_the_same(warm: KernelTemplate, tmp_path: Path) -> None:
    wait_until_ready(warm)
    forked = executed(tmp_path / "forked")
    warm.stop()
    fresh = executed(tmp_path / "fresh")
    different = [kind for kind in KINDS if cells_of(kind, forked) != cells_of(kind, fresh)]
    assert different == []
