"""CSAT and NPS as Prometheus and the page read them, from the log of the survey stream."""

import pytest
from prometheus_client import CollectorRegistry

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.places import Question
from pipeline.board.showing import snapshot_of
from tests.board.log import Worker, tell
from tests.builders import DAY, UNDECLARED, ms
from tests.unit.state.test_voice_horizons import said

FIVE = {"kind": "csat", "scale_min": 1, "scale_max": 5, "queue_id": "q"}
TEN = {"kind": "nps", "scale_min": 0, "scale_max": 10}
TOLD = [
    said("survey", "sent", 0, "a", kind="csat", queue_id="q"),
    said("survey", "sent", 1, "b", kind="csat", queue_id="q"),
    said("survey", "answered", 20, "a", score=5, comment=True, **FIVE),
    said("survey", "answered", 21, "c", score=1, **FIVE),
    said("survey", "answered", 22, "d", score=10, **TEN),
    said("survey", "answered", 23, "e", score=8, **TEN),
]


@pytest.fixture
def snapshot():
    fold = Fold(UNDECLARED, ms(30))
    tell(fold, Worker(stream="survey"), TOLD, ms(30))
    return snapshot_of(fold, UNDECLARED, ms(30))


@pytest.mark.parametrize(
    ("name", "queue", "value"),
    [
        ("support_csat_ratio", "q", 0.5),
        ("support_csat_answers", "q", 2),
        ("support_csat_answers_satisfied", "q", 1),
        ("support_csat_commented_ratio", "q", 0.5),
        ("support_csat_response_ratio", "q", 0.5),
        ("support_csat_sent", "q", 2),
        ("support_csat_sent_answered", "q", 1),
        ("support_nps_points", "", 50),
        ("support_promoters", "", 1),
        ("support_passives", "", 1),
        ("support_detractors", "", 0),
        ("support_csat_ratio", "", None),
        ("support_nps_points", "q", None),
    ],
)
@pytest.mark.parametrize("window", ["1m", "today"])
def test_series_of_a_queue(snapshot, name, queue, value, window):
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: snapshot))
    labels = {"tenant": "t", "queue": queue, "window": window}
    assert registry.get_sample_value(name, labels) == value


def test_rows_are_rolled_up_by_their_parts(snapshot):
    rows = snapshot.rows(Question(by=("tenant",), metrics=("csat", "nps"), windows=("5m",)))
    told = {row.metric.name: (row.number.value, row.number.n) for row in rows}
    assert told == {"csat": (0.5, 2), "nps": (50, 2)}


# Answers on the morning of T0's day and so many days before: 0, 1, 6, 7, 29, 30, 89, 90. T0 is the 2nd of March.
BACK = (0, 1, 6, 7, 29, 30, 89, 90)


def answers_of_days(at):
    told = [said("survey", "answered", -day * DAY, f"s{day}", score=5, **FIVE) for day in reversed(BACK)]
    fold, worker = Fold(UNDECLARED, ms(at)), Worker(stream="survey")
    for each in told:
        tell(fold, worker, [each], ms(at))
    return fold, worker


def counts(fold, at, *windows):
    asked = Question(by=("tenant",), metrics=("csat",), windows=windows)
    return {row.window: row.number.n for row in snapshot_of(fold, UNDECLARED, ms(at)).rows(asked)}


def test_days_before_today_are_in_the_windows_that_hold_them():
    fold, _ = answers_of_days(30)
    assert counts(fold, 30, "1m", "today", "7d", "30d", "90d", "month") == {
        "1m": 1, "today": 1, "7d": 3, "30d": 5, "90d": 7, "month": 2,
    }  # fmt: skip


def test_windows_of_days_move_on_at_midnight_and_take_what_comes_late():
    fold, worker = answers_of_days(30)
    later = DAY + 60
    fold.advance(ms(later))
    assert counts(fold, later, "today", "7d", "90d") == {"today": 0, "7d": 2, "90d": 6}
    tell(fold, worker, [said("survey", "answered", -3 * DAY, "late", score=1, **FIVE)], ms(later))
    assert counts(fold, later, "today", "7d", "90d") == {"today": 0, "7d": 3, "90d": 7}
