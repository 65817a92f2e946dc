"""Who tells of steps hears of their end when it is kept, in order, and of nothing that was not."""

from types import SimpleNamespace

import pytest

from stepwell.app.durably import KEPT, Durably
from stepwell.kernel.events import RunFinished, StepFinished, StepStarted
from stepwell.kernel.plan import Decision
from stepwell.kernel.ports import Started
from stepwell.testing.contracts import result_of


class Engine:
    def __init__(self):
        self.reports, self.asked = [], []

    def wait(self, timeout):
        self.asked.append(timeout)
        reports, self.reports = self.reports, []
        return reports


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def database():
    return SimpleNamespace(pending=False)


@pytest.fixture
def durably(engine, database):
    return Durably(engine, SimpleNamespace(database=database))


def finished(node):
    return StepFinished(node, Decision(node, "run", ()), result_of(f"k{node}"), False, ())


def test_what_begins_is_told_at_once(durably, engine):
    assert list(durably.told(StepStarted(0, 7))) == [StepStarted(0, 7)]
    engine.reports = [Started(1, 8)]
    assert durably.wait(0.5) == [Started(1, 8)]
    assert engine.asked == [0.5]


def test_an_end_and_what_follows_wait_until_it_is_kept(durably, engine, database):
    database.pending = True
    one, two = finished(0), StepStarted(1, 7)
    assert list(durably.told(one)) == []
    assert list(durably.told(two)) == []
    assert durably.wait(0.5) == []
    database.pending = False
    engine.reports = [Started(2, 8)]
    assert durably.wait(0.5) == [KEPT, Started(2, 8)]  # what comes behind it may not be kept yet
    assert engine.asked[-1] == 0
    assert list(durably.told(KEPT)) == [one, two]
    assert list(durably.told(two)) == [two]


def test_the_end_of_the_run_tells_all(durably, database):
    database.pending = True
    one, end = finished(0), RunFinished("succeeded", 1.0)
    durably.told(one)
    assert list(durably.told(end)) == [one, end]
