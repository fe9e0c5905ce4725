"""A student's uid never changes and is never reused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.jupyterhub.spawners.uids import NoUidLeft, keep_uid, uid_for


@given(st.lists(st.text(min_size=1), max_size=30))
def test_two_people_never_share_a_number_and_nobodys_changes(names):
    taken: dict[str, int] = {}
    for name in names:
        uid = uid_for(name, taken)
        assert taken.setdefault(name, uid) == uid
    assert len(set(taken.values())) == len(set(names))


def test_a_number_is_kept_over_restarts(tmp_path):
    path = tmp_path / "uids.json"
    assert [keep_uid(name, path) for name in ("alice", "bob", "alice")] == [
        20000,
        20001,
        20000,
    ]


def test_when_all_are_taken_nobody_gets_somebody_elses():
    with pytest.raises(NoUidLeft):
        uid_for("late", {"last": 29_999})
