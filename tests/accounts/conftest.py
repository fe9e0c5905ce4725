"""Empty databases, made once: making them takes seconds."""

from pathlib import Path

import pytest
from jupyterhub import orm

import hub.people.accounts.passwords  # noqa: F401  its tables are made with the hub's
from hub.core.gradebook import open_gradebook
from tests.postgres.server import shared


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty gradebook.db and jupyterhub.sqlite."""
    folder = tmp_path_factory.mktemp("databases")
    with open_gradebook(f"sqlite:///{folder / 'gradebook.db'}", "m"):
        pass
    orm.new_session_factory(f"sqlite:///{folder / 'jupyterhub.sqlite'}")().close()
    return folder


@pytest.fixture
def postgresql_url() -> str:
    """SQLAlchemy URL of an empty database."""
    return shared().new_database()
