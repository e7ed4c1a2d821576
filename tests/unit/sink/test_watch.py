"""The watch asks, tells, and says nothing while it knows nothing; the gauge forgets what is no longer judged."""

from threading import Event

import pytest
from clickhouse_connect.driver.exceptions import OperationalError
from prometheus_client import CollectorRegistry

from pipeline.sink.gauges import SinkGauges
from pipeline.sink.status import SinkStatus
from pipeline.sink.watch import PAUSE_SECONDS, Watch
from pipeline.telemetry import Telemetry

FLAGS = {("t", "sales", "short_answers"): 2}


class Told(Event):
    """Is told to stop after so many pauses, which it keeps."""

    def __init__(self, pauses):
        super().__init__()
        self.left, self.pauses = pauses, []

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        if len(self.pauses) == self.left:
            self.set()
        return self.is_set()


class Store:
    def __init__(self, answers):
        self.answers, self.closed = answers, 0

    def gaming_flags(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed += 1


def watched(*answers, seconds=0.5):
    """What is told, how long it paused, and the store, when each question takes `seconds`."""
    store, stopping, told = Store(list(answers)), Told(len(answers)), []
    ticks = iter(range(100))
    Watch(lambda: store, told.append, stopping, lambda: next(ticks) * seconds).run()
    return told, stopping.pauses, store


def test_every_answer_is_told_and_every_client_is_closed():
    told, _, store = watched(FLAGS, {}, FLAGS)
    assert told == [FLAGS, {}, FLAGS, {}]
    assert store.closed == 3


def test_nothing_is_known_while_clickhouse_does_not_answer():
    told, _, store = watched(FLAGS, OperationalError("away"), FLAGS)
    assert told == [FLAGS, {}, FLAGS, {}]
    assert store.closed == 3


def test_a_watch_that_ends_leaves_nothing_behind():
    told = []
    broken = Store([KeyError("flags")])
    with pytest.raises(KeyError):
        Watch(lambda: broken, told.append, Event()).run()
    assert told == [{}]


@pytest.mark.parametrize(("took", "pause"), [(0.5, PAUSE_SECONDS), (6, PAUSE_SECONDS), (20, 200)])
def test_a_question_takes_no_more_than_a_tenth_of_the_time(took, pause):
    _, pauses, _ = watched({}, seconds=took)
    assert pauses == [pytest.approx(pause)]


def test_the_gauge_shows_what_is_known_and_forgets_the_rest():
    telemetry = Telemetry(CollectorRegistry())
    gauges = SinkGauges(telemetry)

    def shown():
        labels = {"tenant": "t", "queue": "sales", "kind": "short_answers"}
        return telemetry.registry.get_sample_value("pulse_gaming_flags", labels)

    gauges.show(SinkStatus(gaming=FLAGS))
    assert shown() == 2
    gauges.show(SinkStatus())
    assert shown() is None
