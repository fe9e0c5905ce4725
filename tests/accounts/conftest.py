"""Databases that nothing stands in yet, made once: making them takes seconds."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyterhub import orm
from sqlalchemy import create_engine, text

import hub.accounts.passwords  # noqa: F401  its tables are made with the hub's
from hub.authoring.gradebook import open_gradebook


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty gradebook.db and jupyterhub.sqlite."""
    folder = tmp_path_factory.mktemp("databases")
    with open_gradebook(f"sqlite:///{folder / 'gradebook.db'}", "m"):
        pass
    orm.new_session_factory(f"sqlite:///{folder / 'jupyterhub.sqlite'}")().close()
    return folder


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket folder of a PostgreSQL of the tests' own, without network; skips without one."""
    programs = shutil.which("pg_ctl")
    if programs is None:
        pytest.skip("no PostgreSQL is installed here")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root")
    place = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # sockets want short names
    control = [str(Path(programs).resolve()), "-D", str(place / "data"), "-w", "-t", "60"]
    if os.geteuid() == 0:
        shutil.chown(place, "nobody")
        control = ["runuser", "-u", "nobody", "--", *control]
    options = f"-k {place} -c listen_addresses='' -c fsync=off"
    steps = (
        ["init", "-o", "-A trust -U hub -E UTF8"],
        ["start", "-o", options, "-l", place / "log"],
    )
    try:
        for step in steps:
            command = [*control, *map(str, step)]
            subprocess.run(command, check=True, timeout=120, cwd="/", stdout=subprocess.DEVNULL)
        yield str(place)
    finally:
        subprocess.run([*control, "stop", "-m", "immediate"], timeout=60, cwd="/", check=False)
        shutil.rmtree(place)


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """SQLAlchemy URL of an empty database."""
    name = f"d{secrets.token_hex(6)}"
    server = create_engine(
        f"postgresql+psycopg://hub@/postgres?host={postgresql}", isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield f"postgresql+psycopg://hub@/{name}?host={postgresql}"
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
