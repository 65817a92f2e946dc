"""Both ends of a worker's queue: tasks come in order, and what was taken back does not come."""

import os
import socket

import pytest

from stepwell.engines.link import Link
from stepwell.kernel.graph import Constant, StepDef
from stepwell.kernel.ports import Task
from stepwell.worker import wire
from stepwell.worker.inbox import Inbox

STEP = StepDef("s", "m", "q")


@pytest.fixture
def link(tmp_path):
    link = Link(1, b"\0" * 16, tmp_path)
    yield link
    link.close()


@pytest.fixture
def inbox(link):
    tasks, leave, *_ = link.ends
    return Inbox(socket.socket(fileno=os.dup(tasks)), socket.socket(fileno=os.dup(leave)))


def tasks(*nodes):
    return [Task(node, f"s-{node}", "k" * 64, STEP, ()) for node in nodes]


def send(link, *nodes):
    message = wire.pack_tasks([(task, wire.pack_step(STEP)) for task in tasks(*nodes)])
    return link.send(tasks(*nodes), message)


def rest(inbox):
    found = []
    while (task := inbox.now()) is not None:
        found.append(task.node)
    return found


def nodes(back):
    return [task.node for task in back]


def test_tasks_come_as_they_were_sent(link, inbox):
    assert send(link, 1, 2, 3)
    assert send(link, 4)
    assert inbox.next() == tasks(1)[0]
    assert rest(inbox) == [2, 3, 4]
    assert inbox.now() is None
    assert list(link.sent) == [1, 2, 3, 4]


def test_of_a_message_the_last_tasks_are_taken_back(link, inbox):
    send(link, 1, 2, 3, 4, 5)
    send(link, 6, 7)
    assert inbox.next().node == 1
    assert nodes(link.take_back(2)) == [4, 5]
    assert list(link.sent) == [1, 2, 3, 6, 7]
    assert rest(inbox) == [2, 3, 6, 7]


def test_what_is_taken_back_of_several_messages_keeps_its_order(link, inbox):
    send(link, 1, 2)
    send(link, 3, 4)
    send(link, 5, 6)
    assert inbox.next().node == 1
    assert nodes(link.take_back(4)) == [2, 3, 4, 6]
    assert rest(inbox) == [5]
    assert link.take_back(1) == []


def test_a_task_that_comes_back_to_the_same_worker(link, inbox):
    send(link, 1, 2, 3)
    assert inbox.next().node == 1
    assert nodes(link.take_back(10)) == [2, 3]
    send(link, 3, 2)
    assert rest(inbox) == [3, 2]


def test_a_large_task_is_a_file_that_does_not_stay(link, inbox, tmp_path):
    large = Task(1, "s-1", "k" * 64, STEP, (("data", Constant("x" * wire.MESSAGE, "")),))
    for end in (lambda: inbox.next(), lambda: link.take_back(1)):
        assert link.send([large], wire.pack_tasks([(large, wire.pack_step(STEP))]))
        assert list(tmp_path.iterdir())
        end()
        assert not list(tmp_path.iterdir())
    send(link, 2)
    assert inbox.next().node == 2


def test_a_queue_takes_no_more_than_its_numbers_can_tell_apart(link, inbox):
    sent = 0
    while sent < 1000 and send(link, sent):
        sent += 1
    assert 50 < sent < 255
    assert inbox.next().node == 0
    assert len(link.take_back(1000)) == sent - 1
    assert inbox.now() is None
    assert not send(link, 2000)
    link.sent.clear()  # the one that was begun has ended
    assert send(link, 2001)
    assert rest(inbox) == [2001]


def test_when_the_driver_is_gone(link, inbox):
    send(link, 1)
    link.close()
    assert inbox.next().node == 1
    with pytest.raises(EOFError):
        inbox.next()
