"""The executor's queue, as data."""

from hypothesis import given
from hypothesis import strategies as st

from hub.services.executor.fair_queue import FairQueue

REQUESTS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=30)


def filled(clients: list[str]) -> FairQueue[tuple[str, int]]:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number, client in enumerate(clients):
        queue.add(client, (client, number))
    return queue


def test_one_notebook_does_not_wait_for_a_whole_class():
    queue = filled(["batch"] * 50 + ["button"])
    assert [queue.take(), queue.take()] == [("batch", 0), ("button", 50)]


@given(REQUESTS)
def test_the_order_reported_is_the_order_taken(clients):
    queue = filled(clients)
    report = queue.order()
    assert [queue.take() for _ in clients] == report and queue.take() is None


@given(REQUESTS)
def test_each_client_is_served_in_its_own_order(clients):
    queue = filled(clients)
    taken = queue.order()
    for client in set(clients):
        numbers = [number for name, number in taken if name == client]
        assert numbers == sorted(numbers) and len(numbers) == clients.count(client)


@given(REQUESTS, st.data())
def test_a_client_that_leaves_is_forgotten_and_no_other(clients, data):
    queue = filled(clients)
    gone = data.draw(st.lists(st.sampled_from([*enumerate(clients)])) if clients else st.just([]))
    before = queue.order()
    for number, client in gone:
        queue.remove(client, (client, number))
        queue.remove(client, (client, number))
    left = {(client, number) for client, number in before} - {(c, n) for n, c in gone}
    assert len(queue) == len(left) and set(queue.order()) == left
