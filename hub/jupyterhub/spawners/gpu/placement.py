"""Who gets which GPU: decisions on plain data, no clock, no engine.

Every change is a function from one `SlotsState` to the next, so that the tests can try any order of
events and the hub's shell (`slots`) only has to remember one value.

**Students come first.** Instructors, the formgrader and grading (*staff*) hold at most
`staff_slots` slots together, always leave at least one slot to students, never take one while
a student waits, and never wait themselves: they start without a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from hub.facts.gpu_environment import NONE_HERE

WhenFull = Literal["cpu", "ask", "queue"]
QueueChoice = Literal["cpu", "wait"]

# Reasons for starting without a GPU.
NONE_WORKS = "no GPU answers at the moment"
FULL = "all GPU slots are taken"
STUDENTS_FIRST = "the GPU slots are reserved for students"
CHOSEN = "you chose not to wait for one"


@dataclass(frozen=True)
class SlotsState:
    """The state of all slots. `capacity`: device -> maximum servers on it, in the host's order."""

    capacity: Mapping[str, int] = field(default_factory=dict)
    when_full: WhenFull = "cpu"
    staff_slots: int = 1
    taken: Mapping[str, str] = field(default_factory=dict)  # holder -> device, which may be gone
    elsewhere: Mapping[str, int] = field(default_factory=dict)  # device -> others' servers on it
    waiting: tuple[str, ...] = ()  # students, in order of arrival
    unhealthy: frozenset[str] = frozenset()
    staff: frozenset[str] = frozenset()  # holders of `taken` that are staff
    last: Mapping[str, str] = field(default_factory=dict)  # holder -> the device it had

    def held(self, device: str) -> int:
        """Slots of `device` that servers of this deployment hold."""
        return sum(1 for each in self.taken.values() if each == device)

    def load(self, device: str) -> int:
        """Servers on `device`, whatever their deployment."""
        return self.held(device) + self.elsewhere.get(device, 0)

    def room(self, device: str) -> int:
        """Free slots; never negative, even if the cap was lowered below what is running."""
        if device in self.unhealthy:
            return 0
        return max(0, self.capacity.get(device, 0) - self.load(device))

    @property
    def healthy(self) -> list[str]:
        return [device for device, most in self.capacity.items() if device not in self.unhealthy]

    @property
    def free(self) -> int:
        return sum(self.room(device) for device in self.capacity)


@dataclass(frozen=True)
class SlotRequest:
    """`holder`: a user name, or one of the grader's; `answer`: to 'wait or start without?'."""

    holder: str
    staff: bool = False
    answer: QueueChoice | None = None


@dataclass(frozen=True)
class Slot:
    """A slot on `device`."""

    device: str


@dataclass(frozen=True)
class Cpu:
    """No GPU, for this reason."""

    reason: str


@dataclass(frozen=True)
class Ask:
    """The person decides: start without a GPU, or wait at `position` (1: next)."""

    position: int


@dataclass(frozen=True)
class Wait:
    """In the queue at `position` (1: next)."""

    position: int


Decision = Slot | Cpu | Ask | Wait


def decide(state: SlotsState, request: SlotRequest) -> Decision:
    """What `request` gets now. Repeating a request gets the same answer."""
    device = state.taken.get(request.holder)
    if device in state.healthy:
        return Slot(device)
    if not any(state.capacity.values()):
        return Cpu(NONE_HERE)
    if not any(state.capacity[device] for device in state.healthy):
        return Cpu(NONE_WORKS)
    if request.staff:
        return _decide_staff(state, request)
    waiting = state.waiting
    before = waiting.index(request.holder) if request.holder in waiting else len(waiting)
    # Those who wait ahead have their slots, though they do not know yet.
    best = choose(state, request.holder) if state.free > before else None
    if best is not None:
        return Slot(best)
    if request.holder in waiting:
        return Wait(before + 1)
    if request.answer == "cpu" and state.when_full != "cpu":
        return Cpu(CHOSEN)
    if state.when_full == "queue" or (state.when_full == "ask" and request.answer == "wait"):
        return Wait(before + 1)
    return Ask(before + 1) if state.when_full == "ask" else Cpu(FULL)


def _decide_staff(state: SlotsState, request: SlotRequest) -> Slot | Cpu:
    # Other deployments' slots cannot be kept free for students here.
    whole = sum(
        max(0, state.capacity[device] - state.elsewhere.get(device, 0)) for device in state.healthy
    )
    most = min(state.staff_slots, whole - 1)
    held = sum(1 for holder in state.staff if holder != request.holder)
    if held >= most or state.waiting:
        return Cpu(STUDENTS_FIRST)
    best = choose(state, request.holder)
    return Cpu(FULL) if best is None else Slot(best)


def choose(state: SlotsState, holder: str) -> str | None:
    """The device that `holder` had, else the emptiest one; None if all are full.

    Emptiest by share: a device with twice the slots gets twice the servers. Ties in the
    host's order.
    """
    before = state.last.get(holder)
    if before is not None and state.room(before):
        return before
    roomy = [device for device in state.capacity if state.room(device)]
    # min() returns the first of equals.
    return min(
        roomy,
        key=lambda device: Fraction(state.load(device) + 1, state.capacity[device]),
        default=None,
    )


def take(state: SlotsState, request: SlotRequest, device: str) -> SlotsState:
    """`request`'s holder is now on `device`, and no longer waits."""
    holder = request.holder
    return replace(
        state,
        taken={**state.taken, holder: device},
        last={**state.last, holder: device},
        staff=state.staff | {holder} if request.staff else state.staff - {holder},
        waiting=tuple(each for each in state.waiting if each != holder),
    )


def wait(state: SlotsState, holder: str, *, first: bool = False) -> SlotsState:
    """`holder` waits, at the end or (if their GPU failed at the start) as the first.

    Waiting holders hold nothing: a slot on a device that failed or is gone is released.
    """
    if holder in state.waiting:
        return state
    state = release(state, holder)
    waiting = (holder, *state.waiting) if first else (*state.waiting, holder)
    return replace(state, waiting=waiting)


def release(state: SlotsState, holder: str) -> SlotsState:
    """`holder` has no slot and waits for none. Idempotent."""
    return replace(
        state,
        taken={each: device for each, device in state.taken.items() if each != holder},
        staff=state.staff - {holder},
        waiting=tuple(each for each in state.waiting if each != holder),
    )


def mark(state: SlotsState, devices: frozenset[str]) -> SlotsState:
    """Exactly `devices` are broken. Servers that run on one keep it."""
    return replace(state, unhealthy=devices)


def count_elsewhere(state: SlotsState, elsewhere: Mapping[str, int]) -> SlotsState:
    """Exactly `elsewhere` (device -> number) run there for other deployments of this host."""
    return replace(state, elsewhere=elsewhere)


def serve(state: SlotsState) -> tuple[SlotsState, dict[str, Slot | Cpu]]:
    """Give slots to those who wait, in order, as long as there are any.

    If no device works any more, nobody is left waiting: all start without.
    """
    served: dict[str, Slot | Cpu] = {}
    while state.waiting:
        request = SlotRequest(state.waiting[0])
        decision = decide(state, request)
        if isinstance(decision, Slot):
            state = take(state, request, decision.device)
        elif isinstance(decision, Cpu):
            state = release(state, request.holder)
        else:
            break
        served[request.holder] = decision
    return state, served


def rebuild(state: SlotsState, running: Mapping[str, str], staff: frozenset[str]) -> SlotsState:
    """Set the slots from the engine's containers (holder -> device label), in any order.

    A container without a GPU holds none; one on a device that is gone, or above the cap, keeps
    what it has. Waiting holders go on waiting.
    """
    taken = {
        holder: device
        for holder, device in running.items()
        if device and not device.startswith("cpu")
    }
    return replace(
        state,
        taken=taken,
        staff=staff & taken.keys(),
        last={**state.last, **taken},
        waiting=tuple(each for each in state.waiting if each not in taken),
    )
