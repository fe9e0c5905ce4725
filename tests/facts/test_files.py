"""hub/facts/files.py: a file is replaced completely or not at all."""

import os
import stat

import pytest

from hub.facts.files import replace, replacing


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("old", ["old", None])
def test_an_error_half_way_leaves_the_old_file_and_nothing_else(tmp_path, old):
    path = tmp_path / "roster.csv"
    if old:
        path.write_text(old)
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert [each.read_text() for each in tmp_path.iterdir()] == ([old] if old else [])


@pytest.mark.parametrize("wanted", [0o444, 0o600, 0o644])
def test_a_file_has_the_mode_asked_for_and_is_closed_to_others_before(tmp_path, wanted):
    earlier = os.umask(0o027)
    try:
        with replacing(tmp_path / "secret", mode=wanted):
            (partial,) = tmp_path.iterdir()
            assert mode(partial) == 0o600
        assert mode(tmp_path / "secret") == wanted
        replace(tmp_path / "plain", "")
        assert mode(tmp_path / "plain") == 0o640
    finally:
        os.umask(earlier)


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_it_returns(
    tmp_path, monkeypatch
):
    steps = []
    fsync, rename = os.fsync, os.replace

    def noted_fsync(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("folder" if folder else os.fstat(descriptor).st_size)
        fsync(descriptor)

    def noted_rename(source, target):
        steps.append("name")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_rename)
    replace(tmp_path / "kept", "eleven char")
    assert steps == [11, "name", "folder"]
    replace(tmp_path / "lost", "text", durable=False)
    assert steps[3:] == ["name"]


def test_two_writers_at_the_same_time_do_not_mix(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as one, replacing(path) as other:
        one.write(b"1" * 10_000)
        other.write(b"2" * 10_000)
        one.write(b"1" * 10_000)
    assert path.read_bytes() == b"1" * 20_000  # who ends last
    assert list(tmp_path.iterdir()) == [path]
