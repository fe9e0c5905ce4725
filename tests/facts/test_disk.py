"""Free space is checked, and reported in figures, before anything large is written."""

from __future__ import annotations

import shutil

import pytest

from hub.facts.disk import NoRoom, check_room, free_mb


def test_too_little_room_is_reported_in_figures_with_a_fix(tmp_path):
    with pytest.raises(NoRoom) as error:
        check_room(412, 1300, tmp_path, "The installation", "Make room.")
    assert error.value.message == (
        f"The installation needs about 1.3 GB on the disk of {tmp_path}, which has 412 MB free."
    )
    assert error.value.fix == "Make room."


def test_as_much_room_as_is_needed_is_enough(tmp_path):
    check_room(1300, 1300, tmp_path, "The installation", "Make room.")


def test_a_folder_that_is_not_made_yet_is_asked_for_above(tmp_path):
    free = shutil.disk_usage(tmp_path).free / 1e6
    assert free_mb(tmp_path / "not" / "yet") == pytest.approx(free, rel=0.2)


def test_a_folder_that_is_closed_to_us_is_asked_for_above(tmp_path, monkeypatch):
    real = shutil.disk_usage

    def closed(folder):
        if folder == tmp_path:
            raise PermissionError
        return real(folder)

    monkeypatch.setattr(shutil, "disk_usage", closed)
    assert free_mb(tmp_path) > 0
