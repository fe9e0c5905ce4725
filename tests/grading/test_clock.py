"""Limits count the time that code ran and slept, not the time that a busy machine made it wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hub.grading.sandbox.clock import CodeClock, Deadline, charged, process_tree
from hub.grading.sandbox.gate import ExecutionLimiter
from tests.load.machine import load


@pytest.mark.parametrize(
    ("wall", "ran", "waited", "right"),
    [
        (4, 4, 0, 4),  # a loop alone on its core
        (4, 1, 3, 1),  # a loop beside three others
        (4, 0, 0, 4),  # a sleep
        (4, 0.5, 0.5, 3.5),  # reads a disk for three seconds
        (4, 8, 0, 4),  # two threads on two cores
        (4, 2, 6, 1),  # two threads, each beside three other processes
        (4, 8, 392, 4),  # a hundred threads that crowd each other out on two quiet cores
    ],
)
def test_waiting_for_other_processes_is_not_charged_but_waiting_for_ones_own_is(
    wall, ran, waited, right
):
    assert charged(wall, ran, waited, cores=2) == pytest.approx(right)


LOOP = "while True: pass"


def used(code: str, seconds: float) -> float:
    command = [sys.executable, "-c", f"print(1, flush=True)\n{code}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.read(1)
        clock = CodeClock(process_tree(process.pid))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.2)
            clock.used()
        return clock.used()
    finally:
        for pid in process_tree(process.pid)():
            os.kill(pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_on_a_busy_machine_a_loop_is_charged_part_of_its_time_and_a_sleep_all_of_it():
    with load(12):
        loop = used(LOOP, 4)
        child = used(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '{LOOP}'])", 4)
        sleep = used("import time; time.sleep(60)", 4)
    assert loop < 2 and child < 2 and sleep > 3


def test_a_deadline_moves_while_the_machine_is_busy():
    class Slow(CodeClock):
        def used(self) -> float:
            return super().used() / 10

    clock = Slow(lambda: [])
    deadline = Deadline.after(0.2, clock)
    time.sleep(0.3)
    assert deadline.remaining() > 0.1


def begins(gate: ExecutionLimiter) -> threading.Event:
    """Set once another execution has its turn."""
    began = threading.Event()

    def wait() -> None:
        with gate.turn():
            began.set()

    threading.Thread(target=wait, daemon=True).start()
    return began


def test_a_sleeping_execution_lends_its_slot():
    gate = ExecutionLimiter(1, room=lambda: True)
    with gate.turn() as busy:
        busy(True)
        second = begins(gate)
        assert not second.wait(0.2)
        busy(False)
        assert second.wait(5)


def test_twice_as_many_executions_may_begin_before_the_sleepers_are_known():
    gate = ExecutionLimiter(2, room=lambda: True)
    with gate.turn(), gate.turn(), gate.turn(), gate.turn() as busy:
        fifth = begins(gate)
        assert not fifth.wait(0.2)
        busy(True)
        assert not fifth.wait(0.2)
        busy(False)
        assert fifth.wait(5)


def test_no_slot_is_lent_when_memory_is_short():
    gate = ExecutionLimiter(1, room=lambda: False)
    with gate.turn() as busy:
        busy(False)
        second = begins(gate)
        assert not second.wait(0.2)
    assert second.wait(5)
