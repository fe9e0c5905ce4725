"""GPU slots: a table of decisions, and what holds after any order of events."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.facts.gpu_environment import NONE_HERE
from hub.jupyterhub.spawners.gpu import placement
from hub.jupyterhub.spawners.gpu.placement import (
    CHOSEN,
    FULL,
    NONE_WORKS,
    STUDENTS_FIRST,
    Ask,
    Cpu,
    Slot,
    SlotRequest,
    SlotsState,
    Wait,
    decide,
    rebuild,
    release,
    serve,
    take,
    wait,
)

TWO = SlotsState(capacity={"A": 2, "B": 2})
FULL_UP = replace(TWO, taken={"a": "A", "b": "B", "c": "A", "d": "B"})


def table() -> list[tuple[str, SlotsState, SlotRequest, placement.Decision]]:
    """(what is shown, state, request, decision)."""
    new = SlotRequest("new")
    ask, queue = replace(FULL_UP, when_full="ask"), replace(FULL_UP, when_full="queue")
    queued = replace(queue, waiting=("x", "y"))
    roomy = replace(queued, taken={"a": "A"})
    one = SlotsState(capacity={"A": 1})
    staff = SlotRequest("grader", staff=True)
    return [
        ("the first of equal devices", TWO, new, Slot("A")),
        ("the emptier device", replace(TWO, taken={"a": "A"}), new, Slot("B")),
        ("the one with room", replace(TWO, taken={"a": "B", "b": "B"}), new, Slot("A")),
        (
            "a device with twice the slots gets twice the servers",
            SlotsState(capacity={"A": 2, "B": 4}, taken={"a": "A", "b": "B"}),
            new,
            Slot("B"),
        ),
        ("the share afterwards counts", SlotsState(capacity={"A": 1, "B": 4}), new, Slot("B")),
        (
            "of equal shares afterwards the first",
            SlotsState(capacity={"A": 1, "B": 4}, taken={"a": "B", "b": "B", "c": "B"}),
            new,
            Slot("A"),
        ),
        ("the same again while it runs", FULL_UP, SlotRequest("d"), Slot("B")),
        ("the same device as last time", replace(TWO, last={"new": "B"}), new, Slot("B")),
        (
            "another than last time where that is full",
            replace(TWO, last={"new": "B"}, taken={"a": "B", "b": "B"}),
            new,
            Slot("A"),
        ),
        ("full", FULL_UP, new, Cpu(FULL)),
        ("full, an answer to no question", FULL_UP, replace(new, answer="cpu"), Cpu(FULL)),
        ("full, no queue to wait in", FULL_UP, replace(new, answer="wait"), Cpu(FULL)),
        ("full, asked", ask, new, Ask(1)),
        ("full, asked, without", ask, replace(new, answer="cpu"), Cpu(CHOSEN)),
        ("full, asked, waits", ask, replace(new, answer="wait"), Wait(1)),
        (
            "an answer is not needed while there is room",
            TWO,
            SlotRequest("n", answer="cpu"),
            Slot("A"),
        ),
        ("full, queue", queue, new, Wait(1)),
        ("behind those who wait", queued, new, Wait(3)),
        ("own position in the queue", queued, SlotRequest("y"), Wait(2)),
        ("those who wait are served before", replace(roomy, waiting=("x", "y", "z")), new, Wait(4)),
        ("room for more than those who wait", roomy, new, Slot("B")),
        ("asked behind those who wait", replace(queued, when_full="ask"), new, Ask(3)),
        ("no device", SlotsState(), new, Cpu(NONE_HERE)),
        ("no slots", SlotsState(capacity={"A": 0}), new, Cpu(NONE_HERE)),
        ("the healthy one", replace(TWO, unhealthy=frozenset("A")), new, Slot("B")),
        ("none healthy", replace(queue, unhealthy=frozenset("AB")), new, Cpu(NONE_WORKS)),
        (
            "a restart on a device that broke moves",
            replace(TWO, taken={"new": "A"}, unhealthy=frozenset("A")),
            new,
            Slot("B"),
        ),
        (
            "cap below what runs: nobody is added",
            SlotsState(capacity={"A": 1}, taken={"a": "A", "b": "A", "c": "A"}),
            new,
            Cpu(FULL),
        ),
        (
            "cap below what runs: nobody is thrown out",
            SlotsState(capacity={"A": 1}, taken={"a": "A", "b": "A", "c": "A"}),
            SlotRequest("c"),
            Slot("A"),
        ),
        ("staff", TWO, staff, Slot("A")),
        (
            "staff, one slot held",
            take(TWO, SlotRequest("i", True), "A"),
            staff,
            Cpu(STUDENTS_FIRST),
        ),
        ("staff while a student waits", roomy, staff, Cpu(STUDENTS_FIRST)),
        ("staff and full", FULL_UP, staff, Cpu(FULL)),
        ("staff never waits", queue, staff, Cpu(FULL)),
        ("staff gets one of two slots", SlotsState(capacity={"A": 1, "B": 1}), staff, Slot("A")),
        (
            "staff gets a second slot where two are allowed",
            replace(take(TWO, SlotRequest("i", True), "A"), staff_slots=2),
            staff,
            Slot("B"),
        ),
        ("staff never gets the only slot", one, staff, Cpu(STUDENTS_FIRST)),
        ("staff keeps its own", take(TWO, staff, "B"), staff, Slot("B")),
        (
            "another deployment's servers fill a device",
            replace(TWO, elsewhere={"A": 2}),
            new,
            Slot("B"),
        ),
        (
            "ours and another deployment's together are full",
            replace(TWO, taken={"a": "A", "b": "B"}, elsewhere={"A": 1, "B": 1}),
            new,
            Cpu(FULL),
        ),
        ("the device emptier of others", replace(TWO, elsewhere={"A": 1}), new, Slot("B")),
        (
            "who runs keeps the slot, however many others came",
            replace(TWO, taken={"new": "A"}, elsewhere={"A": 9}),
            new,
            Slot("A"),
        ),
        (
            "a device that others overfill takes nothing away from the rest",
            SlotsState(capacity={"A": 1, "B": 2}, elsewhere={"A": 2}),
            staff,
            Slot("B"),
        ),
        (
            "staff never gets the last slot that other deployments leave",
            replace(TWO, elsewhere={"A": 2, "B": 1}),
            staff,
            Cpu(STUDENTS_FIRST),
        ),
    ]


@pytest.mark.parametrize(
    ("state", "request_", "expected"), [row[1:] for row in table()], ids=[row[0] for row in table()]
)
def test_a_request_gets_what_the_table_says(state, request_, expected):
    assert decide(state, request_) == expected


def test_the_emptiest_device_first_spreads_a_class_evenly():
    state = SlotsState(capacity={"A": 4, "B": 4, "C": 4})
    for number in range(9):
        decision = decide(state, SlotRequest(f"s{number}"))
        assert isinstance(decision, Slot)
        state = take(state, SlotRequest(f"s{number}"), decision.device)
    assert [state.load(device) for device in "ABC"] == [3, 3, 3]


def test_a_waiting_person_goes_on_without_a_gpu_when_the_last_device_breaks():
    state = placement.mark(wait(FULL_UP, "x"), frozenset("AB"))
    state, served = serve(state)
    assert served == {"x": Cpu(NONE_WORKS)}
    assert not state.waiting


def test_a_person_whose_gpu_failed_at_the_start_waits_first():
    state = wait(wait(wait(FULL_UP, "x"), "y"), "z", first=True)
    assert state.waiting == ("z", "x", "y")


def test_a_waiting_person_holds_no_slot_on_a_broken_device():
    state = wait(placement.mark(replace(FULL_UP, when_full="queue"), frozenset("A")), "a")
    assert "a" not in state.taken
    state, served = serve(placement.mark(state, frozenset()))
    assert served == {"a": Slot("A")}
    assert state.load("A") == 2


def test_a_removed_device_keeps_who_runs_on_it_and_gets_nobody_more():
    state = replace(rebuild(TWO, {"a": "A", "b": "B"}, frozenset()), capacity={"B": 2})
    assert state.taken == {"a": "A", "b": "B"}
    assert decide(state, SlotRequest("c")) == Slot("B")
    # Started again, who was on it moves.
    assert decide(release(state, "a"), SlotRequest("a")) == Slot("B")


def test_a_slot_taken_as_staff_counts_as_staff_until_it_is_given_back():
    one, other = SlotRequest("teacher", staff=True), SlotRequest("grader", staff=True)
    both = take(take(TWO, one, "A"), other, "B")
    assert both.staff == {"teacher", "grader"}
    assert release(both, "teacher").staff == {"grader"}
    # Who is no instructor any more takes the next slot as a student.
    assert take(both, SlotRequest("teacher"), "A").staff == {"grader"}


def test_a_person_with_a_slot_waits_no_longer_and_is_remembered():
    state = take(replace(FULL_UP, waiting=("x", "y"), last={"y": "A"}), SlotRequest("x"), "B")
    assert state.waiting == ("y",)
    assert state.taken["x"] == "B" and state.last == {"y": "A", "x": "B"}


def test_a_count_of_other_deployments_servers_takes_the_place_of_the_last_one():
    state = placement.count_elsewhere(replace(FULL_UP, elsewhere={"A": 1}), {"B": 2})
    assert state == replace(FULL_UP, elsewhere={"B": 2})
    assert (state.load("A"), state.load("B"), state.held("B")) == (2, 4, 2)


def test_a_running_server_is_remembered_on_its_device():
    assert rebuild(replace(TWO, last={"a": "B"}), {"a": "A"}, frozenset()).last == {"a": "A"}


def test_a_rebuild_takes_the_engines_word_and_keeps_who_waits_and_who_was_where():
    state = SlotsState(
        capacity={"A": 1}, waiting=("x", "y"), last={"x": "A", "z": "B"}, taken={"q": "A"}
    )
    running = {"y": "A", "grader": "A", "c": "cpu", "d": "cpu: full", "e": ""}
    assert rebuild(state, running, frozenset({"grader", "gone"})) == replace(
        state,
        taken={"grader": "A", "y": "A"},
        staff=frozenset({"grader"}),
        last={"x": "A", "z": "B", "grader": "A", "y": "A"},
        waiting=("x",),
    )


HOLDERS = [f"s{number}" for number in range(8)]
DEVICES = ["A", "B", "C", "gone", "cpu", "cpu: full"]


@given(
    running=st.dictionaries(st.sampled_from(HOLDERS), st.sampled_from(DEVICES)),
    order=st.randoms(use_true_random=False),
)
def test_a_rebuild_gives_the_same_slot_in_any_order(running, order):
    shuffled = list(running.items())
    order.shuffle(shuffled)
    start = SlotsState(capacity={"A": 2, "B": 2, "C": 1}, when_full="queue")
    rebuilt = rebuild(start, dict(shuffled), frozenset({"s0"}))
    assert rebuilt == rebuild(start, running, frozenset({"s0"}))
    assert rebuilt.taken == {
        holder: device for holder, device in running.items() if not device.startswith("cpu")
    }
    # Whoever runs asks again and gets the same device, where it is still there.
    for holder, device in rebuilt.taken.items():
        if device in start.capacity:
            assert decide(rebuilt, SlotRequest(holder)) == Slot(device)
    for request in (SlotRequest("s0", True), SlotRequest("new")):
        assert decide(rebuilt, request) == decide(
            rebuild(start, running, frozenset({"s0"})), request
        )


class AnyOrder(RuleBasedStateMachine):
    """Requests, releases, breakdowns, other caps and rebuilds in any order, with a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.state = SlotsState(capacity={"A": 2, "B": 1}, when_full="queue", staff_slots=1)
        self.queue: list[str] = []  # in the order in which people came

    def change(self, state: SlotsState) -> None:
        """Every change is followed by serving those who wait, as in `Slots`."""
        before = state
        self.state, served = serve(state)
        for holder, decision in served.items():
            assert holder == self.queue.pop(0), "served out of order"
            if isinstance(decision, Slot):
                assert before.room(decision.device) > 0
        for device in self.state.capacity:
            added = self.state.load(device) - before.load(device)
            assert added <= before.room(device), "over the cap"

    @rule(holder=st.sampled_from(HOLDERS), answer=st.sampled_from([None, "cpu", "wait"]))
    def ask_for_a_slot(self, holder, answer):
        request = SlotRequest(holder, answer=answer)
        decision = decide(self.state, request)
        assert decision == decide(self.state, request)
        if isinstance(decision, Slot):
            here = self.state.taken.get(holder) == decision.device
            assert here or self.state.room(decision.device) > 0, "over the cap"
            left = self.state.free - (0 if here else 1)
            assert here or left >= len(self.state.waiting) - (holder in self.queue), "overtook"
            self.queue = [each for each in self.queue if each != holder]
            self.change(take(self.state, request, decision.device))
        elif isinstance(decision, Wait):
            if holder not in self.queue:
                self.queue.append(holder)
            assert decision.position == self.queue.index(holder) + 1
            self.change(wait(self.state, holder))

    @rule(holder=st.sampled_from(["teacher", "grader"]))
    def staff_asks(self, holder):
        request = SlotRequest(holder, staff=True)
        decision = decide(self.state, request)
        assert not isinstance(decision, Wait | Ask)
        if isinstance(decision, Slot):
            assert holder in self.state.taken or not self.state.waiting
            self.change(take(self.state, request, decision.device))

    @rule(holder=st.sampled_from([*HOLDERS, "teacher", "grader"]))
    def release(self, holder):
        once = release(self.state, holder)
        assert release(once, holder) == once
        self.queue = [each for each in self.queue if each != holder]
        self.change(once)

    @rule(devices=st.sets(st.sampled_from("ABC")))
    def devices_break_and_heal(self, devices):
        self.change(placement.mark(self.state, frozenset(devices)))

    @rule(positions=st.dictionaries(st.sampled_from("ABC"), st.integers(0, 3)))
    def other_devices_and_caps(self, positions):
        running = dict(self.state.taken)
        self.change(replace(self.state, capacity=positions))
        assert running.items() <= self.state.taken.items(), "somebody was thrown out"

    @rule(elsewhere=st.dictionaries(st.sampled_from("ABC"), st.integers(0, 3)))
    def other_deployments_come_and_go(self, elsewhere):
        running = dict(self.state.taken)
        self.change(placement.count_elsewhere(self.state, elsewhere))
        assert running.items() <= self.state.taken.items(), "somebody was thrown out"

    @precondition(lambda self: self.state.taken)
    @rule()
    def rebuild_from_containers(self):
        state = rebuild(self.state, dict(self.state.taken), self.state.staff)
        assert state == self.state

    @invariant()
    def the_queue_is_first_come_first_served(self):
        assert list(self.state.waiting) == self.queue

    @invariant()
    def nobody_waits_beside_a_free_slot(self):
        assert not (self.state.waiting and self.state.free)
        assert not set(self.state.waiting) & self.state.taken.keys()

    @invariant()
    def staff_holds_no_more_than_its_own(self):
        assert len(self.state.staff) <= 1
        assert self.state.staff <= self.state.taken.keys()

    def teardown(self):
        """Nobody starves: when all who run have stopped once, everybody had a slot."""
        self.change(placement.count_elsewhere(self.state, {}))
        for _ in range(len(HOLDERS) + 2):
            for holder in list(self.state.taken):
                if self.state.waiting:
                    self.queue = [each for each in self.queue if each != holder]
                    self.change(release(self.state, holder))
        assert not self.state.waiting


AnyOrder.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
test_what_must_hold_holds_in_any_order = AnyOrder.TestCase


@pytest.mark.parametrize("positions", [{"A": 1, "B": 1}, {"A": 2}, {"A": 1, "B": 3}])
def test_every_waiting_student_is_served_after_as_many_releases_as_are_before(positions):
    waiting = ("w1", "w2", "w3")
    holders = list(itertools.chain(*([device] * most for device, most in positions.items())))
    taken = {f"t{number}": device for number, device in enumerate(holders)}
    state = SlotsState(capacity=positions, when_full="queue", taken=taken, waiting=waiting)
    served: list[str] = []
    for holder in itertools.chain(taken, waiting):
        # Newcomers do not get before those who wait.
        assert isinstance(decide(state, SlotRequest(f"new{holder}")), Wait)
        state, now = serve(release(state, holder))
        served += now
        if len(served) == len(waiting):
            break
    assert served == list(waiting)
