"""Names of containers and volumes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.facts.container_names import LONGEST, container_name, home_volume, slug

AWKWARD = [
    *("alice", "Alice", "ALICE", "al-ice", "al--ice", "-alice", "alice-", "al.ice", "al_ice"),
    *("al ice", "al@ice", "alice@example.org", "alice@example_org", "42", "4alice", "_", "@", "-"),
    *(
        "ålice",
        "a\u030alice",
        "\u00e5lice",
        "user",
        "user-1",
        "aliсe",
        "ALİCE",
        "alice\n",
        "a/../b",
    ),
    *("x" * 40, "x" * 41, "x" * 42, "x" * 200, "..", "alice\0", "\ud800"),
]
names = st.one_of(
    st.text(min_size=1, max_size=80),
    st.text(alphabet="aA1-_.@", min_size=1, max_size=8),
    st.from_regex(r"[a-z0-9@._-]{36,46}", fullmatch=True),
    st.sampled_from(AWKWARD),
)


@given(names, names)
def test_two_users_never_share_a_slug(one, other):
    assert (slug(one) == slug(other)) == (one == other)


@given(names)
def test_a_slug_is_short_and_plain(user):
    assert re.fullmatch(r"[a-z0-9](-{0,2}[a-z0-9])*", slug(user))
    assert len(slug(user)) <= LONGEST


@given(names)
def test_no_name_equals_another_names_slug(user):
    # Whoever takes another's slug as user name gets another slug, or had that name already.
    assert slug(slug(user)) != slug(user) or slug(user) == user


def test_awkward_names_are_all_reported_isolated():
    distinct = set(AWKWARD)
    assert len({slug(user) for user in distinct}) == len(distinct)


@pytest.mark.parametrize("user", ["alice", "user-1", "42", "4alice", "x" * 40])
def test_a_plain_name_is_its_own_slug(user):
    assert slug(user) == user


def test_the_readable_part_of_an_awkward_name_stays_readable():
    assert slug("Ada.Lovelace@example.org").startswith("ada-lovelace-examp--")


def test_the_empty_name_has_no_slug():
    with pytest.raises(ValueError, match="at least one"):
        slug("")


def test_names_of_container_and_home_belong_to_one_user():
    assert container_name("lab", "alice") == "lab-user-alice"
    assert home_volume("lab", "alice") == "lab_home_alice"
    assert len(container_name("lab", "x" * 200)) <= 63
