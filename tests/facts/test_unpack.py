"""Archives are unpacked alike by a Python that has tarfile's filters, and by Debian 12's first."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from hub.facts.files import unpack


def archive(**members: tuple[bytes, str]) -> tarfile.TarFile:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        for name, (kind, text) in members.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.type, member.linkname = kind, text if kind != tarfile.REGTYPE else ""
            member.size = len(text) if kind == tarfile.REGTYPE else 0
            made.addfile(member, io.BytesIO(text.encode()))
    file.seek(0)
    return tarfile.open(fileobj=file)


@pytest.fixture(params=["this Python", "one without filters"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "one without filters":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def test_files_and_folders_are_unpacked(either: None, tmp_path: Path) -> None:
    unpack(archive(a=(tarfile.DIRTYPE, ""), a__b=(tarfile.REGTYPE, "kept")), tmp_path)
    assert (tmp_path / "a" / "b").read_text() == "kept"


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("..__out", tarfile.REGTYPE, "x"),
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("pipe", tarfile.FIFOTYPE, ""),
    ],
)
def test_nothing_leads_out_of_the_folder(
    either: None, tmp_path: Path, name: str, kind: bytes, text: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises((ValueError, tarfile.TarError)):
        unpack(archive(**{name: (kind, text)}), folder)
    assert [*tmp_path.rglob("*")] == [folder]
