"""A student's process that speaks the protocol and lies: it is killed, and earns nothing."""

import os
import socket
import subprocess
import threading

import pytest

from hub.grading.isolation.conversation import Conversation
from hub.grading.isolation.errors import BoundaryError, NotPlainData, StudentProcessDied, TooSlow
from hub.grading.isolation.handles import CallableHandle, Handle, IteratorHandle
from hub.grading.isolation.wire import Channel, Closed
from hub.grading.sandbox.clock import CodeClock, Deadline, process_tree
from hub.grading.sandbox.users import OwnProcess


def within(seconds: float) -> Deadline:
    return Deadline.after(seconds, CodeClock(process_tree(os.getpid())))


class Liar:
    """Stands in for the student process: answers each request with the next of its messages."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock)
        self.heard: list = []
        self._thread: threading.Thread | None = None

    def answer(self, *messages: list, blobs: tuple = ()) -> None:
        def run() -> None:
            try:
                for message in messages:
                    self.heard.append(self.channel.receive(within(5))[0])
                    self.channel.send(message, blobs, within(5))
            except (Closed, ValueError):  # also of a socket that the test has closed meanwhile
                pass

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()


@pytest.fixture
def talk():
    ours, theirs = socket.socketpair()
    victim = subprocess.Popen(["sleep", "60"])
    process = os.pidfd_open(victim.pid)
    conversation = Conversation(Channel(ours), OwnProcess(process))
    conversation.start_cell(within(5))
    conversation.victim = victim  # type: ignore[attr-defined]
    yield conversation, Liar(theirs)
    victim.kill()
    victim.wait()
    os.close(process)
    ours.close()
    theirs.close()


def call(conversation, *args):
    return conversation.call(CallableHandle(conversation, 0, "function"), args, {})


def test_an_honest_answer_is_the_result(talk):
    conversation, student = talk
    student.answer(["return", 1, ["l", 1, 2]])
    assert call(conversation) == [1, 2]


@pytest.mark.parametrize(
    "message",
    [
        ["return", 2, 0],
        ["return", "1", 0],
        ["return", 1],
        ["pass", 1, 0],
        ["return", 1, ["?"]],
        ["return", 1, ["g", "torch"]],
        ["return", 1, ["x", "T", 0]],
        ["return", 1, ["x", "S", 0, "module", ""]],
        ["raise", 1, ["t", "ValueError", "", ""]],
        ["call", 1, ["t", ["x", "T", 7], ["t"], ["d"]]],
        ["call", 1, ["t", "text", ["t"], ["d"]]],
        ["next", 1, ["t", ["l"]]],
        "hello",
    ],
    ids=repr,
)
def test_a_lie_kills_the_students_process(talk, message):
    conversation, student = talk
    student.answer(message)
    with pytest.raises(StudentProcessDied):
        call(conversation)
    assert conversation.victim.wait(5) == -9
    assert isinstance(conversation.failure, BoundaryError)
    with pytest.raises(StudentProcessDied):
        call(conversation)


def test_a_given_function_cannot_be_called_by_the_student_in_the_judge_process(talk):
    conversation, student = talk
    called: list[int] = []
    conversation.give("judge", lambda: called.append(1))
    student.answer(["call", 1, ["t", ["g", "judge"], ["t"], ["d"]]])
    with pytest.raises(StudentProcessDied):
        call(conversation)
    assert called == []


def test_a_function_lent_in_one_cell_is_gone_in_the_next(talk):
    conversation, student = talk
    called: list[int] = []
    student.answer(
        ["return", 1, None],
        ["call", 9, ["t", ["x", "T", 0], ["t"], ["d"]]],
        ["return", 2, None],
    )
    call(conversation, called.append)
    conversation.start_cell(within(5))
    call(conversation)
    assert called == []
    kind, number, tree = student.heard[-1]
    assert (kind, number) == ("raise", 9) and "has ended" in repr(tree)


def test_endless_call_backs_end_at_the_deadline(talk):
    conversation, student = talk
    conversation.start_cell(deadline := within(0.5))
    message = ["call", 1, ["t", ["x", "T", 0], ["t"], ["d"]]]
    student.answer(*[message] * 1_000_000)
    with pytest.raises(TooSlow):
        call(conversation, lambda: None)
    assert deadline.remaining() > -5


def test_an_error_of_the_boundary_satisfies_no_expected_exception(talk):
    conversation, student = talk
    student.answer(["unsendable", 1, "a cycle"])
    with pytest.raises(NotPlainData):
        try:
            call(conversation)
        except Exception:
            pytest.fail("it is an Exception")


def test_a_students_exception_keeps_its_names_and_its_nearest_built_in_base(talk):
    conversation, student = talk
    names = ["l", "Bad", "ValueError", "Exception"]
    student.answer(["raise", 1, ["t", names, "why \x1b[31m", "line 2, in f"]])
    with pytest.raises(ValueError, match=r"why \[31m") as caught:
        call(conversation)
    assert type(caught.value).__name__ == "Bad"


@pytest.mark.parametrize("name", ["StopIteration", "KeyboardInterrupt", "SystemExit", "TooSlow"])
def test_a_student_cannot_raise_exceptions_that_end_a_loop_or_a_process(talk, name):
    conversation, student = talk
    student.answer(["raise", 1, ["t", ["l", name], "", ""]])
    with pytest.raises(Exception) as caught:
        call(conversation)
    assert type(caught.value).__mro__[1] is Exception


def test_calls_nested_without_end_are_refused(talk):
    conversation, student = talk
    student.answer(*[["call", n, ["t", ["x", "T", 0], ["t"], ["d"]]] for n in range(100)])

    def again():
        return conversation.call(CallableHandle(conversation, 0, "f"), (), {})

    conversation.start_cell(within(1))
    with pytest.raises(BoundaryError):
        call(conversation, again)
    assert "nested" in str(conversation.failure)


@pytest.mark.parametrize(
    "use",
    [
        lambda h: h == 1,
        lambda h: h != 1,
        lambda h: h < 1,
        lambda h: bool(h),
        lambda h: 1 in h,
        lambda h: h in [1],
        lambda h: float(h),
        lambda h: hash(h),
        lambda h: __import__("copy").deepcopy(h),
        lambda h: h.equal(1),
        lambda h: h + 1,
        lambda h: 1 + h,
        lambda h: h[0],
        lambda h: len(h),
        lambda h: list(h),
        lambda h: setattr(h, "x", 1),
    ],
)
@pytest.mark.parametrize("kind", [Handle, CallableHandle])
def test_a_handle_judges_nothing(talk, use, kind):
    conversation, student = talk
    with pytest.raises(NotPlainData):
        use(kind(conversation, 0, "Sly"))
    assert student.heard == []


def test_hidden_names_are_refused_even_of_an_object(talk):
    conversation, _ = talk
    readable = Handle(conversation, 0, "Sly", readable=True)
    for name in ("__array__", "_secret"):
        assert not hasattr(readable, name)


def test_an_iterator_that_sends_no_item_is_a_lie(talk):
    conversation, student = talk
    student.answer(["return", 1, ["t", 1, 2]])
    with pytest.raises(StudentProcessDied):
        next(IteratorHandle(conversation, 0, "generator"))
