"""Archives that a student makes by hand to write outside, to hide, to overwrite or to exhaust."""

from __future__ import annotations

import gzip
import io
import tarfile

import httpx
import pytest

from hub.exchange import archive
from tests.exchange.conftest import shared_service, stand_in_hub  # noqa: F401 - fixtures
from tests.exchange.samples import ASSIGNMENT, COURSE, key, notebook, packed, sha256

# ruff: noqa: F811 - fixtures are parameters


def send(service, data: bytes, **headers: str) -> httpx.Response:
    return httpx.put(
        f"{service.url}/api/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions/{key()}",
        content=data,
        headers={"Authorization": "token student", "X-Content-SHA256": sha256(data), **headers},
        trust_env=False,
        verify=False,
    )


def assert_refused(service, data: bytes, *statuses: int, **headers: str) -> None:
    """Refused in words, and nothing of it is left anywhere."""
    folder = service.store.blob_path("00").parents[2]
    before = sorted(folder.rglob("*"))
    response = send(service, data, **headers)
    assert response.status_code in statuses, response.text
    assert set(response.json()) == {"error", "what_to_do"}
    assert service.store.submissions(COURSE, student="alice") == []
    assert sorted(folder.rglob("*")) == before


def test_the_honest_archive_is_taken_so_that_the_refusals_below_mean_something(shared_service):
    honest = send(shared_service, notebook(), Authorization="token other-student")
    assert honest.status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        "../escape.ipynb",
        "../../source/06-induction-heads/induction-heads.ipynb",
        "/etc/cron.d/x",
        "a/../../x",
        "a/..",
        "..",
        ".",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "\\..\\x",
        "a\\b",
        "C:\\x\\y",
        "~/.ssh/../x",
        ".ssh/authorized_keys",
        ".git/hooks/post-checkout",
        "x/.jupyter/jupyter_server_config.py",
        "a\nb",
        "a\x1b[2Jb",
        "notebook\u202egpj.ipynb",
        "a\u200bb",
        "e\u0301.txt",
        " a",
        "a ",
        "a.",
    ],
)
def test_a_path_that_leaves_the_folder_or_hides_is_refused(shared_service, path):
    assert_refused(shared_service, packed({path: b"x"}), 400)


@pytest.mark.parametrize(
    "path",
    [
        "timestamp.txt",
        "TimeStamp.TXT",
        "receipt.json",
        "submission_secret.txt",
        "data/timestamp.txt",
        "nbgrader_config.py",
        "sub/nbgrader_config.json",
        "gradebook.db",
        "ipython_config.py",
        "\uff54imestamp.txt",
    ],
)
def test_a_reserved_file_name_is_refused(shared_service, path):
    assert_refused(shared_service, packed({path: b"2020-01-01 00:00:00 UTC"}), 400)


@pytest.mark.parametrize(
    "files",
    [
        {"a.ipynb": b"", "A.ipynb": b""},
        {"a": b"", "a/b": b""},
        {"Data/x": b"", "data/y": b""},
    ],
)
def test_files_that_would_overwrite_each_other_somewhere_are_refused(shared_service, files):
    assert_refused(shared_service, packed(files), 400)


def tar_with(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


SPECIAL = {
    "a symbolic link to a file": member("a", type=tarfile.SYMTYPE, linkname="/etc/shadow"),
    "a symbolic link to a folder": member("data", type=tarfile.SYMTYPE, linkname="../.."),
    "a hard link": member("a", type=tarfile.LNKTYPE, linkname="/etc/shadow"),
    "a character device": member("a", type=tarfile.CHRTYPE, devmajor=1, devminor=8),
    "a block device": member("a", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
    "a fifo": member("a", type=tarfile.FIFOTYPE),
    "a folder": member("a", type=tarfile.DIRTYPE),
    "a contiguous file": member("a", type=tarfile.CONTTYPE),
    "a sparse file": member("a", type=tarfile.GNUTYPE_SPARSE),
    "a setuid file": member("a", mode=0o4755),
    "a file of root's group": member("a", mode=0o644, uname="root", gname="root", gid=1),
    "a file with a time of its own": member("a", mode=0o644, mtime=1577836800),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_anything_but_a_plain_file_is_refused(shared_service, kind):
    assert_refused(shared_service, tar_with((SPECIAL[kind], b"")), 400)


def test_a_link_followed_by_a_file_through_it_is_refused(shared_service):
    link = member("data", type=tarfile.SYMTYPE, linkname="/tmp")
    assert_refused(shared_service, tar_with((link, b""), (member("data/x", mode=0o644), b"x")), 400)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_long_name_or_an_extended_header_is_refused(shared_service, form):
    long = member("d/" * 60 + "../" * 80 + "etc/passwd", mode=0o644)
    assert_refused(shared_service, tar_with((long, b"x"), form=form), 400)


def test_an_extended_header_that_renames_the_next_file_is_refused(shared_service):
    record = b"22 path=../../escape\n\n"
    pax = member("PaxHeader", type=tarfile.XHDTYPE)
    assert_refused(shared_service, tar_with((pax, record), (member("a", mode=0o644), b"x")), 400)


def test_a_file_that_declares_eight_gigabytes_is_refused_at_once(shared_service):
    data = archive.header("a", 8**11 - 1) + bytes(512) + archive.END
    assert_refused(shared_service, data, 400)


def test_thousands_of_empty_files_are_refused(shared_service):
    data = packed({f"{n:05}": b"" for n in range(3800)})
    assert_refused(shared_service, data, 413)


def test_many_files_in_less_than_the_size_limit_cannot_make_millions(shared_service):
    header = archive.header("a", 0)
    assert_refused(shared_service, header * 3800 + archive.END, 400)


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_a_compressed_bomb_is_never_unpacked(shared_service, headers):
    bomb = gzip.compress(packed({"a": bytes(20_000_000)}))
    assert_refused(shared_service, bomb, 400, **headers)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"#!/bin/sh\n",
        lambda data: data + data,
        lambda data: data[:-1],
        lambda data: data[:-1024],
        lambda data: data[:700],
        lambda data: b"",
        lambda data: bytes(1024) + data,
        lambda data: data.replace(b"ustar\x00", b"ustar "),
    ],
)
def test_an_archive_with_something_more_or_less_is_refused(shared_service, spoil):
    assert_refused(shared_service, spoil(notebook("x")), 400)


def test_two_files_of_one_name_are_refused(shared_service):
    one = archive.header("a", 0)
    assert_refused(shared_service, one + one + archive.END, 400)


def test_a_file_over_the_limit_is_refused_with_the_figures(shared_service):
    response = send(shared_service, packed({"a.bin": bytes(1_000_001)}))
    assert response.status_code == 413
    assert "the limit for a file is 1.0 MB" in response.json()["error"]
