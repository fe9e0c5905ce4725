"""What a person's container is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.settings import Settings
from hub.facts.containers import FIRST_COURSE, CourseStorage
from hub.facts.deployment import Deployment
from hub.jupyterhub.spawners.options import options

SETTINGS = Settings.model_validate(
    {"course": {"id": "mech"}, "people": {"students": ["alice", "bob"], "instructors": ["ida"]}}
)
PLACE = Deployment(project="lab", tag="1", url="http://localhost:8000")


def made(user, role="student", folder=PLACE, storage=FIRST_COURSE):
    return options(user, role, 20000, "mech", storage, SETTINGS, folder)


def test_a_student_has_no_right_over_the_machine():
    host = made("alice").host
    assert host["cap_drop"] == ["ALL"]
    assert host["security_opt"] == ["no-new-privileges:true"]
    assert host["read_only"]
    assert host["pids_limit"] and host["mem_limit"] and host["cpu_quota"]
    assert made("alice").create["user"] == "20000:20000"


def test_nobody_outside_is_asked_for_a_students_names_where_there_is_no_internet():
    assert made("alice").host["dns"] == ["127.0.0.1"]
    online = replace(PLACE, internet=True)
    assert made("alice", folder=online).host["dns"] == []


def test_swap_is_not_a_way_around_the_memory_limit():
    host = made("alice").host
    assert host["memswap_limit"] == host["mem_limit"]


def test_students_share_no_volume_that_one_of_them_can_write():
    alice, bob = made("alice"), made("bob")
    assert not set(alice.volumes) & set(bob.volumes)


@pytest.mark.parametrize("role", ["student", "instructor"])
def test_only_the_formgrader_mounts_course_database_and_executor(role):
    graders = made("grader-mech", "grader")
    secret = {"lab_course", "lab_people", "lab_db_socket", "lab_executor_socket"}
    assert secret <= {*graders.volumes, *graders.read_only_volumes}
    person = made("alice", role)
    assert not secret & {*person.volumes, *person.read_only_volumes}
    assert "LOGITLAB_GRADEBOOK" not in person.environment


def test_a_second_courses_grader_has_nothing_of_the_first_ones():
    storage = CourseStorage.of("b", ["mech", "b"])
    first, second = made("grader-mech", "grader"), made("grader-b", "grader", storage=storage)
    theirs = {"lab_course_b": "/srv/course", "lab_people_b": "/srv/people"}
    assert second.volumes == {"lab_home_grader-b": "/home/student", **theirs}
    assert second.read_only_volumes["lab_config_grader_b"] == "/srv/config"
    assert not {*first.volumes, "lab_config_grader"} & {*second.volumes, *second.read_only_volumes}
    assert "/gradebook_b?" in second.environment["LOGITLAB_GRADEBOOK"]


def test_a_container_says_whose_it_is_and_for_which_course():
    assert made("alice").create["labels"] == {
        "logitlab.project": "lab",
        "logitlab.course": "mech",
        "logitlab.user": "alice",
        "logitlab.gpu": "cpu",
    }


def test_a_server_talks_to_the_proxy_and_to_nobody_else():
    addresses = [v for v in made("alice").environment.values() if "://" in v]
    assert addresses == ["http://proxy:8000/services/exchange"]


def test_models_come_from_the_image_or_from_a_volume_that_cannot_be_written():
    assert "COURSE_MODELS" not in made("alice").environment
    folder = Deployment(project="lab", tag="1", url="http://x", models_volume=True)
    with_volume = made("alice", folder=folder)
    assert with_volume.read_only_volumes["lab_models"] == "/srv/models"
    assert with_volume.environment["COURSE_MODELS"].startswith("/srv/models")
