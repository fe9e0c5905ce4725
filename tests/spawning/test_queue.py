"""Starts wait for their turn in order, and nothing that happens to one costs another its turn."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.jupyterhub.spawners.queue import StartQueue


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_no_more_start_at_once_than_the_width_and_in_the_order_they_came():
    async def play():
        queue, running, most, order = StartQueue(2), 0, 0, []

        async def start(name):
            nonlocal running, most
            async with queue.turn(name):
                order.append(name)
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.01)
                running -= 1

        names = [f"s{k}" for k in range(7)]
        await asyncio.gather(*(start(name) for name in names))
        return names, order, most, queue.waiting

    names, order, most, waiting = run(play())
    assert order == names
    assert most == 2
    assert waiting == 0


def test_the_position_in_the_queue_counts_down():
    async def play():
        queue, seen = StartQueue(1), []
        release = asyncio.Event()

        async def hold(name):
            async with queue.turn(name):
                await release.wait()

        tasks = [asyncio.create_task(hold(name)) for name in ("a", "b", "c")]
        await asyncio.sleep(0)
        seen.append([queue.position(name) for name in ("a", "b", "c")])
        tasks[0].cancel()
        await asyncio.sleep(0.01)
        seen.append([queue.position(name) for name in ("a", "b", "c")])
        release.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    assert run(play()) == [[0, 1, 2], [0, 0, 1]]


def test_an_abandoned_wait_does_not_hold_up_the_next():
    async def play():
        queue = StartQueue(1)
        release = asyncio.Event()

        async def hold(name):
            async with queue.turn(name):
                await release.wait()
                return name

        first, second, third = (asyncio.create_task(hold(name)) for name in "abc")
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        release.set()
        return await first, await third, queue.waiting

    assert run(play()) == ("a", "c", 0)


def test_a_start_that_fails_gives_its_turn_back():
    async def play():
        queue = StartQueue(1)
        with pytest.raises(RuntimeError):
            async with queue.turn("a"):
                raise RuntimeError
        async with queue.turn("b"):
            return True

    assert run(play())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.lists(st.sampled_from(["hold", "fail", "cancel"]), max_size=12))
def test_whatever_happens_everybody_is_served_and_the_width_is_kept(width, fates):
    async def play():
        queue, running = StartQueue(width), 0
        served = []

        async def start(name, fate):
            nonlocal running
            async with queue.turn(name):
                running += 1
                assert running <= width
                try:
                    await asyncio.sleep(0)
                    if fate == "fail":
                        raise RuntimeError
                    served.append(name)
                finally:
                    running -= 1

        tasks = [asyncio.create_task(start(str(k), fate)) for k, fate in enumerate(fates)]
        await asyncio.sleep(0)
        for task, fate in zip(tasks, fates, strict=True):
            if fate == "cancel":
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with queue.turn("last"):
            return served

    served = run(play())
    assert {str(k) for k, fate in enumerate(fates) if fate == "hold"} <= set(served)
