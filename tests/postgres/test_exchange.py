"""The exchange on PostgreSQL: several processes at once, and a server that is killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.exchange.errors import InvalidName, NotFound, ServiceAway
from hub.exchange.store import Store
from tests.exchange import kill_test
from tests.exchange.conftest import LIMITS
from tests.exchange.samples import COURSE, key, notebook, release, sha256, submit
from tests.postgres.server import Postgres, shared

pytestmark = pytest.mark.slow


@pytest.fixture
def own_server():
    """A server that a test may kill."""
    shared()  # or skip
    server = Postgres()
    yield server
    server.remove()


def submitted(store: Store, data: bytes, student: str) -> str:
    """Submit as the client does: the same key again until there is a receipt."""
    mine = key()
    for _ in range(200):
        try:
            return submit(store, data, student=student, with_key=mine).receipt
        except ServiceAway:
            time.sleep(0.1)
    raise TimeoutError


def test_what_was_acknowledged_survives_kills_of_the_server(tmp_path, own_server):
    store = Store(tmp_path / "store", limits=LIMITS, database=own_server.new_schema())
    release(store)
    receipts: list[tuple[str, str]] = []
    stop = threading.Event()

    def student(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            data = notebook(f"{name} {number}")
            receipts.append((submitted(store, data, name), sha256(data)))

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(student, name) for name in ("alice", "bob", "carol")]
        try:
            for _ in range(3):
                before = len(receipts)
                deadline = time.monotonic() + 30
                while len(receipts) < before + 5 and time.monotonic() < deadline:
                    time.sleep(0.02)
                own_server.kill()
                time.sleep(0.3)
                own_server.start()
        finally:
            stop.set()
        for one in working:
            one.result(60)
    kept = {(one.receipt, one.sha256) for one in store.submissions(COURSE)}
    assert kept == set(receipts) and len(receipts) == len(kept) >= 15
    store.close()


def test_a_server_that_is_away_is_reported_and_comes_back(tmp_path, own_server):
    url = own_server.new_schema()
    store = Store(tmp_path / "store", limits=LIMITS, database=url)
    release(store)
    own_server.kill()
    with pytest.raises(ServiceAway, match="nothing was stored"):
        submit(store, notebook("one"))
    with pytest.raises(ServiceAway):
        store.releases(COURSE)
    with pytest.raises(ServiceAway):
        Store(tmp_path / "other", database=url)
    own_server.start()
    assert submit(store, notebook("one")).receipt and len(store.releases(COURSE)) == 1
    store.close()


WRITER = """
import sys
from pathlib import Path
from hub.exchange.store import Store
from tests.exchange.conftest import LIMITS
from tests.exchange.samples import notebook, release, submit
folder, url, name = sys.argv[1:]
store = Store(Path(folder), limits=LIMITS, database=url)
release(store, notebook(name))
for number in range(8):
    submit(store, notebook(f'same {number}'), student=name)
    submit(store, notebook(f'{name} {number}'), student='both')
store.close()
"""


def test_several_exchanges_write_to_one_database_at_once(tmp_path):
    url = shared().new_schema()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "store"), url, name],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("alice", "bob", "carol")
    ]
    for writer in writers:
        _, words = writer.communicate(timeout=120)
        assert writer.returncode == 0, words
    store = Store(tmp_path / "store", limits=LIMITS, database=url)
    found = store.submissions(COURSE)
    assert len(found) == 48 and len({one.receipt for one in found}) == 48
    both = [one.received_at for one in store.submissions(COURSE, student="both")]
    assert len(set(both)) == 24  # no two at the same time, whichever process took them
    assert all(store.blob_path(one.sha256).is_file() for one in found)
    assert store.blob_path(store.releases(COURSE)[0].sha256).is_file()
    store.close()


def test_a_zero_byte_in_a_name_is_refused_not_an_error(tmp_path):
    store = Store(tmp_path / "store", database=shared().new_schema())
    with pytest.raises((InvalidName, NotFound)):
        store.submission(COURSE, "a\0b")
    store.close()


@pytest.mark.long
@pytest.mark.slow
def test_kill_9_inside_requests_loses_no_acknowledged_submission(tmp_path):
    url = shared().new_schema()
    tally = kill_test.run(tmp_path, submissions=12, kills=5, largest=500_000, database=url)
    assert not tally.faults, "\n".join(tally.lines())
    assert tally.submissions >= 12 and sum(tally.kills.values()) >= 5
