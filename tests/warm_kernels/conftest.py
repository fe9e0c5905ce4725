"""A kernel template of this test process, and kernels as a server starts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from hub.singleuser.warm_kernels.extension import use_warm_kernels
from hub.singleuser.warm_kernels.provisioner import TEMPLATE, KernelTemplate


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KernelTemplate]:
    """The template from which kernels that this test starts come."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    factory = KernelProvisionerFactory.instance()
    monkeypatch.setattr(factory, "provisioners", dict(factory.provisioners))
    default = factory.default_provisioner_name
    use_warm_kernels(factory)
    TEMPLATE.start()
    try:
        yield TEMPLATE
    finally:
        factory.default_provisioner_name = default
        TEMPLATE.stop()
