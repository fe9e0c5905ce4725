import errno
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hub.exchange.errors import (
    Conflict,
    DiskFull,
    InvalidArchive,
    InvalidName,
    NotFound,
    TooLarge,
    TooManyUploads,
)
from hub.exchange.store import Store
from tests.exchange.conftest import LIMITS
from tests.exchange.samples import (
    ASSIGNMENT,
    COURSE,
    give_feedback,
    key,
    notebook,
    packed,
    release,
    sha256,
    submit,
)
from tests.postgres.server import shared


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return shared().new_schema() if request.param == "postgresql" else None


def stored(store):
    """Names of all files in the store's folders of bytes."""
    return sorted(
        path.name for path in store.blob_path("00").parent.parent.rglob("*") if path.is_file()
    )


def incoming(store):
    return sorted((store.blob_path("00").parent.parent.parent / "incoming").iterdir())


def reopened(store, **options):
    store.close()
    return opened_too(store, **options)


def opened_too(store, **options):
    """Another store of the same folder and database."""
    url = store._database._engine.url.render_as_string(hide_password=False)
    options = {"limits": LIMITS, "database": url, **options}
    return Store(store.blob_path("00").parents[2], **options)


def test_a_receipt_names_the_bytes_the_student_and_the_servers_time(store, clock):
    data = notebook("first")
    receipt = submit(store, data)
    assert receipt.sha256 == sha256(data)
    assert (receipt.student, receipt.assignment, receipt.size) == ("alice", ASSIGNMENT, len(data))
    assert receipt.received_at == clock.now
    assert receipt.notebooks == ["induction-heads"]
    assert store.blob_path(receipt.sha256).read_bytes() == data


def test_an_acknowledged_submission_survives_a_restart(store):
    receipt = submit(store, notebook("kept"))
    again = reopened(store)
    assert again.submission(COURSE, receipt.receipt) == receipt
    again.close()


def test_the_same_key_with_the_same_bytes_gives_the_same_receipt(store, clock):
    mine = key()
    first = submit(store, notebook("one"), with_key=mine)
    clock.now += timedelta(minutes=5)
    assert submit(store, notebook("one"), with_key=mine) == first
    assert store.submissions(COURSE) == [first]


def test_the_same_key_with_other_bytes_is_a_conflict(store):
    mine = key()
    first = submit(store, notebook("one"), with_key=mine)
    with pytest.raises(Conflict):
        submit(store, notebook("two"), with_key=mine)
    assert store.submissions(COURSE) == [first]


def test_a_key_belongs_to_its_student(store):
    mine = key()
    first = submit(store, notebook("one"), with_key=mine)
    other = submit(store, notebook("two"), student="bob", with_key=mine)
    assert first.receipt != other.receipt


def test_the_same_key_sent_many_times_at_once_is_one_submission(store):
    mine, data = key(), notebook("race")

    def send(_):
        try:
            return submit(store, data, with_key=mine).receipt
        except TooManyUploads:
            return None

    with ThreadPoolExecutor(6) as pool:
        receipts = {receipt for receipt in pool.map(send, range(30)) if receipt}
    assert len(receipts) == 1 and len(store.submissions(COURSE)) == 1


def test_submitting_again_keeps_both_in_order(store, clock):
    first, second = submit(store, notebook("one")), submit(store, notebook("two"))
    assert store.submissions(COURSE, student="alice") == [first, second]
    assert second.received_at > first.received_at  # even when the clock stands still


def test_late_is_what_the_servers_clock_says(store, clock):
    release(store, due=clock.now + timedelta(hours=1))
    in_time = submit(store, notebook("in time"))
    clock.now += timedelta(hours=1, microseconds=1)
    late = submit(store, notebook("late"))
    assert (in_time.late, late.late) == (False, True)


def test_a_due_date_stays_when_an_assignment_is_released_again(store, clock):
    due = clock.now + timedelta(days=1)
    release(store, due=due)
    assert release(store, notebook("corrected")).due == due


def test_a_release_is_not_replaced_without_force(store):
    with pytest.raises(Conflict, match="--force"):
        release(store, notebook("other"), force=False)
    assert release(store, notebook("other"), force=True).sha256 == sha256(notebook("other"))


def test_releasing_the_same_bytes_again_does_not_conflict(store):
    first = store.release_of(COURSE, ASSIGNMENT)
    assert release(store, force=False) == first


def test_an_assignment_that_is_not_released_takes_no_submission(store):
    store.unrelease(COURSE, ASSIGNMENT, by="prof")
    with pytest.raises(NotFound):
        submit(store, notebook("x"))
    assert stored(store) == []


def test_taking_a_release_back_keeps_submissions_and_their_bytes(store):
    same = notebook("released")  # a student who submits what was released, unchanged
    receipt = submit(store, same)
    store.unrelease(COURSE, ASSIGNMENT, by="prof")
    assert store.blob_path(receipt.sha256).read_bytes() == same


def test_feedback_is_for_exactly_one_submission(store):
    first, second = submit(store, notebook("one")), submit(store, notebook("two"))
    give_feedback(store, first)
    found = store.submissions(COURSE)
    assert [bool(submission.feedback) for submission in found] == [True, False]
    assert second.receipt == found[1].receipt


def test_released_feedback_replaces_the_earlier_one_and_its_bytes(store):
    receipt = submit(store, notebook("one"))
    give_feedback(store, receipt)
    before = len(stored(store))
    new = packed({"induction-heads.html": b"<p>better"})
    assert give_feedback(store, receipt, new).sha256 == sha256(new)
    assert len(stored(store)) == before


def test_feedback_with_a_swapped_receipt_is_refused(store):
    mine, other = submit(store, notebook("one")), submit(store, notebook("two"), student="bob")
    upload = store.begin_upload("prof")
    data = packed({"a.html": b"x"})
    upload.write(data)
    with pytest.raises(Conflict):
        store.put_feedback(
            COURSE,
            other.receipt,
            upload,
            sha256(data),
            student=mine.student,
            assignment=ASSIGNMENT,
            by="prof",
        )
    upload.close()


def test_feedback_is_pages_only(store):
    with pytest.raises(InvalidName, match="not a feedback page"):
        give_feedback(store, submit(store, notebook("one")), packed({"run.sh": b""}))


def test_bytes_that_are_not_those_announced_are_refused(store):
    upload = store.begin_upload("alice")
    upload.write(notebook("one"))
    with pytest.raises(InvalidArchive, match="damaged"):
        store.submit(COURSE, ASSIGNMENT, "alice", key(), upload, sha256(notebook("two")))
    upload.close()
    assert incoming(store) == [] and store.submissions(COURSE) == []


def test_a_quota_counts_all_submissions_of_a_student_in_a_course(store):
    big = packed({"a.bin": b"x" * 900_000})
    for _ in range(3):
        submit(store, big)
    with pytest.raises(
        TooLarge, match=r"3\.6 MB together; your quota is 3\.0 MB, of which 2\.7 MB is used"
    ):
        submit(store, big)
    submit(store, big, student="bob")
    assert store.used_bytes(COURSE, "alice") == 3 * len(big)


def test_an_upload_larger_than_the_limit_is_stopped_while_it_arrives(store):
    upload = store.begin_upload("alice")
    with pytest.raises(TooLarge, match=r"larger than 2\.0 MB"):
        for _ in range(30):
            upload.write(bytes(100_000))
    assert upload.path.stat().st_size <= LIMITS.submission_bytes
    upload.close()
    assert incoming(store) == []


def test_one_user_cannot_hold_many_uploads_open(store):
    open_ones = [store.begin_upload("alice") for _ in range(LIMITS.uploads_at_once)]
    with pytest.raises(TooManyUploads):
        store.begin_upload("alice")
    store.begin_upload("bob").close()
    for upload in open_ones:
        upload.close()
    store.begin_upload("alice").close()


class PowerCut(BaseException):
    pass


STEPS = ["fsync", "replace", "sync_directory", "commit"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_any_step_leaves_nothing_or_the_whole(store, monkeypatch, step, moment):
    kept, mine, data = submit(store, notebook("kept")), key(), notebook("cut")
    target = {
        "fsync": "os.fsync",
        "replace": "os.replace",
        "sync_directory": "hub.exchange.blobs.sync_directory",
        "commit": "sqlalchemy.orm.Session.commit",
    }[step]
    module, _, name = target.rpartition(".")
    import importlib

    try:
        owner = importlib.import_module(module)
    except ModuleNotFoundError:
        owner = getattr(
            importlib.import_module(module.rpartition(".")[0]), module.rpartition(".")[2]
        )
    real = getattr(owner, name)

    def cut(*arguments, **options):
        if moment == "after":
            real(*arguments, **options)
        raise PowerCut

    upload = store.begin_upload("alice")
    upload.write(data)
    with monkeypatch.context() as patched, pytest.raises(PowerCut):
        patched.setattr(owner, name, cut)
        store.submit(COURSE, ASSIGNMENT, "alice", mine, upload, sha256(data))
    # The process is gone: its file is closed by the kernel, nothing of ours runs.
    upload.file.close()
    again = reopened(store)
    acknowledged = step == "commit" and moment == "after"
    found = again.submissions(COURSE)
    assert [submission.sha256 for submission in found] == [kept.sha256] + [
        sha256(data)
    ] * acknowledged
    for submission in found:
        assert sha256(again.blob_path(submission.sha256).read_bytes()) == submission.sha256
    assert incoming(again) == []
    assert len(stored(again)) == 2 + acknowledged  # the release, the kept one, perhaps this one
    receipt = submit(again, data, with_key=mine)
    assert len(again.submissions(COURSE)) == 2 and receipt.sha256 == sha256(data)
    again.close()


def test_leftovers_are_not_swept_while_another_process_uses_the_store(store):
    upload = store.begin_upload("alice")
    upload.write(b"half")
    second = opened_too(store)
    assert upload.path.exists()
    second.close()
    upload.close()


def test_a_store_opened_with_another_database_removes_nothing_acknowledged(store, tmp_path):
    receipt = submit(store, notebook("kept"))
    store.close()
    folder = store.blob_path("00").parents[2]
    Store(folder, database=f"sqlite:///{tmp_path / 'wrong.sqlite'}").close()
    again = opened_too(store)
    assert again.blob_path(receipt.sha256).exists()
    again.close()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_reported_and_leaves_nothing(store, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(DiskFull, match="nothing was stored"):
        patched.setattr(os, call, full)
        submit(store, notebook("one"))
    assert store.submissions(COURSE) == []
    assert len(stored(store)) == 1


@pytest.mark.parametrize("database", [None])
def test_a_full_database_is_reported(store):
    with store._database.write() as session:
        connection = session.connection()
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    engine = store._database._engine
    from sqlalchemy import event

    @event.listens_for(engine, "begin")
    def limit(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(DiskFull):
        for n in range(200):
            submit(store, packed({f"{n}.ipynb": b""}))
    taken = store.submissions(COURSE)
    assert all(store.blob_path(submission.sha256).exists() for submission in taken)
