import string
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.exchange import archive, names
from hub.exchange.errors import InvalidName

plain = st.text(string.ascii_letters + string.digits + "_-é日 ", min_size=1, max_size=30).filter(
    lambda name: name == name.strip()
)
plain_paths = st.lists(plain, min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize("name", ["06-induction-heads", "start", "a.b_c-d", "0"])
def test_ordinary_assignment_names_are_taken(name):
    assert names.check_assignment(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "a/b", "../a", "a b", "a+b", "a\n", "é", "-a", "a" * 101, "a."]
)
def test_names_that_could_leave_the_folder_cannot_name_an_assignment(name):
    with pytest.raises(InvalidName):
        names.check_assignment(name)


@pytest.mark.parametrize("name", ["alice", "grader-mechinterp", "j.doe@example.org", "josé"])
def test_ordinary_user_names_are_taken(name):
    assert names.check_student(name) == name


@pytest.mark.parametrize("name", ["..", "a/b", ".ssh", "*", "a?", "a\u202eb", "", "x" * 101])
def test_a_user_name_that_cannot_name_a_folder_is_refused(name):
    with pytest.raises(InvalidName):
        names.check_student(name)


@given(plain_paths)
def test_plain_relative_paths_are_taken_and_fit_a_header(path):
    if len(path.encode()) <= names.PATH_BYTES:
        try:
            checked = names.check_path(path)
        except InvalidName:
            parts = path.split("/")
            assert any(len(part.encode()) > names.COMPONENT_BYTES for part in parts) or any(
                names._folded(part) in names.RESERVED for part in parts
            )
        else:
            assert len(archive.header(checked, 0)) == archive.BLOCK


@given(st.text(max_size=40))
@example("Screenshot 9.41\u202fAM.png")  # as macOS names them
def test_whatever_is_taken_stays_inside_and_is_written_one_way_only(path):
    try:
        checked = names.check_path(path)
    except InvalidName:
        return
    parts = checked.split("/")
    assert checked == path and not path.startswith("/")
    assert not any(part in ("", "..") or part.startswith(".") for part in parts)
    spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in path)
    assert "\\" not in path and spaced.isprintable()


@given(
    st.sampled_from(["..", ".", "", ".git", "a\\b", "a\0", "a\n", "a\u200b", " a", "a.", "e\u0301"])
)
def test_a_bad_part_is_refused_wherever_it_stands(part):
    for path in (part, f"{part}/x", f"x/{part}", f"x/{part}/y"):
        with pytest.raises(InvalidName):
            names.check_path(path)


@given(st.sampled_from(sorted(names.RESERVED)), st.data())
def test_reserved_names_are_refused_in_any_case_and_any_folder(name, data):
    spelled = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in name)
    for path in (spelled, f"data/{spelled}", f"{spelled}/x"):
        with pytest.raises(InvalidName):
            names.check_path(path)


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "A"],
        ["a", "a/b"],
        ["a/b", "a"],
        ["Data/x", "data/y"],
        ["straße", "STRASSE"],
        ["\uff54imer", "timer"],  # a full-width t
        ["x", "x"],
    ],
)
def test_paths_that_are_one_file_somewhere_are_refused(paths):
    with pytest.raises(InvalidName, match="same file"):
        names.check_paths(paths)


@given(st.lists(plain_paths, max_size=5))
def test_an_archive_has_no_two_names_that_fold_alike(paths):
    try:
        names.check_paths(paths)
    except InvalidName:
        return
    assert len({path.casefold() for path in paths}) == len(paths)


@pytest.mark.parametrize("key", ["", "x", "A" * 36, "0" * 36, "../" * 12])
def test_a_key_is_a_uuid_and_nothing_else(key):
    with pytest.raises(InvalidName):
        names.check_key(key)
