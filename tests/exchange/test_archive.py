import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exchange import archive
from hub.exchange.errors import InvalidArchive, InvalidName, Refusal, TooLarge
from hub.exchange.limits import ExchangeLimits
from tests.exchange.samples import packed

LIMITS = ExchangeLimits(submission_bytes=100_000, file_bytes=10_000, files=5)


def write(folder, files):
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def pack(folder):
    out = io.BytesIO()
    archive.pack(archive.files_in(folder, lambda path, entry: False), out, LIMITS)
    return out.getvalue()


FILES = {"b.ipynb": b"{}", "a.txt": b"x" * 512, "data/points.csv": b"1,2\n", "empty": b""}


def test_the_same_files_give_the_same_bytes_whenever_they_are_packed(tmp_path):
    first = write(tmp_path / "first", FILES)
    second = write(tmp_path / "second", dict(reversed(FILES.items())))
    os.utime(second / "a.txt", (0, 0))
    (second / "a.txt").chmod(0o400)
    assert pack(first) == pack(second) == packed(FILES)


def test_packed_files_come_out_the_same(tmp_path):
    file = io.BytesIO(pack(write(tmp_path / "in", FILES)))
    (tmp_path / "out").mkdir()
    archive.extract(file, tmp_path / "out", archive.read(file, LIMITS))
    assert {path: (tmp_path / "out" / path).read_bytes() for path in FILES} == FILES


def test_an_ordinary_tar_reads_it(tmp_path):
    long = "d" * 60 + "/" + "n" * 90
    with tarfile.open(fileobj=io.BytesIO(packed({**FILES, long: b"deep"}))) as tar:
        assert sorted(tar.getnames()) == sorted([*FILES, long])
        deep = tar.extractfile(long)
        assert deep is not None and deep.read() == b"deep"


def test_a_symbolic_link_in_the_folder_is_refused_not_followed(tmp_path):
    write(tmp_path, FILES)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidName, match="symbolic link"):
        pack(tmp_path)


def test_a_fifo_in_the_folder_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidName, match="not a regular file"):
        pack(tmp_path)


def test_a_file_that_becomes_a_link_while_packing_is_not_followed(tmp_path):
    write(tmp_path, {"a.txt": b"x"})
    files = archive.files_in(tmp_path, lambda path, entry: False)
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").symlink_to("/etc/hostname")
    with pytest.raises(OSError):
        archive.pack(files, io.BytesIO(), LIMITS)


def test_a_file_too_large_is_refused_with_the_figures(tmp_path):
    write(tmp_path, {"a.bin": b"x" * 10_001})
    with pytest.raises(TooLarge, match=r"10\.0 kB; the limit for a file is 10\.0 kB"):
        pack(tmp_path)


def test_too_many_files_are_refused_with_the_figures(tmp_path):
    write(tmp_path, {str(n): b"" for n in range(6)})
    with pytest.raises(TooLarge, match="6 files; the limit is 5"):
        pack(tmp_path)


@given(st.binary(max_size=3000))
def test_arbitrary_bytes_are_refused_with_a_message(data):
    if data != archive.END:
        with pytest.raises(Refusal):
            archive.read(io.BytesIO(data), LIMITS)


@given(st.integers(0, len(packed(FILES)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_lies_in_a_file(position, change):
    data = bytearray(packed(FILES))
    data[position] ^= change
    file = io.BytesIO(bytes(data))
    try:
        members = archive.read(file, LIMITS)
    except Refusal:
        return
    assert packed({m.path: b"".join(archive.contents(file, m)) for m in members}) == bytes(data)


@given(st.integers(0, len(packed(FILES)) - 1))
def test_a_truncated_archive_is_refused(length):
    with pytest.raises(InvalidArchive):
        archive.read(io.BytesIO(packed(FILES)[:length]), LIMITS)


def test_bytes_after_the_end_are_refused():
    with pytest.raises(InvalidArchive):
        archive.read(io.BytesIO(packed(FILES) + bytes(512)), LIMITS)


def test_existing_files_are_not_overwritten(tmp_path):
    file = io.BytesIO(packed({"a.txt": b"new"}))
    (tmp_path / "a.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        archive.extract(file, tmp_path, archive.read(file, LIMITS))
    assert not (tmp_path / "elsewhere").exists()
