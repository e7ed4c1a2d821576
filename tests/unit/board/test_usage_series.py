"""Adoption as Prometheus and /api/metrics read it, from the log: the end of the tenant's running day."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from prometheus_client import CollectorRegistry

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.places import Question as Asked
from pipeline.board.showing import snapshot_of
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import local_date, midnight
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from tests.board.log import Worker, tell
from tests.subscription_stories import TENANTS
from tests.subscription_stories import midnight as midnight_of
from tests.subscription_stories import ms as ms_of
from tests.usage_oracle import instant
from tests.usage_stories import stories

DEFINITIONS = declare({"tenants": TENANTS, "adoption": {"core": ["board", "chart"], "k": 2, "d": 3, "w": 3}})
LIVE = [
    "adoption", "active_1d", "active_7d", "active_28d", "stickiness", "time_to_value_mean", "time_to_value_censored",
    "activation",
]  # fmt: skip
DAY_MS = 86_400_000


def board(events, now):
    fold = Fold(DEFINITIONS, now)
    tell(fold, Worker(stream="usage", definitions=DEFINITIONS), events, now)
    return snapshot_of(fold, DEFINITIONS, now)


@pytest.fixture(scope="module")
def snapshot():
    case = json.loads((Path(__file__).parents[2] / "cases" / "U1.json").read_text())
    events = [json.loads(line) for line in event_lines(case["events"])]
    return board(events, ms_of(instant("2026-03-30T20:00:00Z")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success_adoption_ratio", 1 / 3),
        ("success_adoption_ratio_low", 0.0615),
        ("success_adoption_units", 3),
        ("success_active_1d", 3),
        ("success_stickiness_ratio", 9 / 28 / 3),
        ("success_time_to_value_seconds", None),
        ("success_time_to_value_reached", 0),
        ("success_time_to_value_censored_ratio", 1),
        ("success_time_to_value_censored_units", 4),
        ("success_activation_ratio", 0),
    ],
)
def test_series_of_a_tenant(snapshot, name, value):
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: snapshot))
    found = registry.get_sample_value(name, {"tenant": "t"})
    assert found == (None if value is None else pytest.approx(value, rel=1e-3))


def test_rows_answer_what_is_declared_and_nothing_else(snapshot):
    (row,) = snapshot.rows(Asked(metrics=("adoption",), tenant="t"))
    assert (row.number.n, row.window, row.place) == (3, None, ("t",))
    for definition in ({"unit": "user"}, {"k": 1}, {"core": None}):
        assert list(snapshot.rows(Asked(metrics=("adoption",), tenant="t", definition=definition))) == []


@pytest.mark.parametrize(("name", "kind", "expected"), [("invites", "user", 4), ("referrals", "referral", 1)])
def test_invitations_are_told_by_kind(name, kind, expected):
    """U3 at 29 March, 21:00Z: its numbers of the last seven days."""
    case = json.loads((Path(__file__).parents[2] / "cases" / "U3.json").read_text())
    events = [json.loads(line) for line in event_lines(case["events"])]
    shown = board(events, ms_of(instant("2026-03-29T21:00:00Z")))
    (row,) = shown.rows(Asked(by=("tenant",), metrics=(name,), windows=("7d",), tenant="t"))
    assert row.number.value == expected
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: shown))
    labels = {"tenant": "t", "kind": kind, "window": "7d"}
    assert registry.get_sample_value("success_invitations", labels) == expected


@settings(max_examples=60, deadline=None)
@given(stories())
def test_every_row_is_what_replay_says_of_the_end_of_the_day(story):
    events = [json.loads(line) for line in event_lines(story.events)]
    now = ms_of(midnight_of(story.days[0], "t")) + 10 * 3_600_000
    population = replay(event_lines(story.events), DEFINITIONS).population
    for row in board(events, now).rows(Asked(metrics=tuple(LIVE))):
        zone = DEFINITIONS.zone(row.place[0])
        end = midnight(local_date(midnight(local_date(now, zone), zone) + DAY_MS * 3 // 2, zone), zone)
        question = Question(row.metric.name, None, {"tenant": row.place[0]}, None, end - 1)
        number = answer(population, question, DEFINITIONS)
        assert row.number.value == (None if number.value is None else pytest.approx(number.value))
        assert row.number.n == number.n
