"""Stages and staff as Prometheus and the page read them, from the logs of both streams."""

import pytest
from prometheus_client import CollectorRegistry

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.places import Question
from pipeline.board.showing import snapshot_of
from tests.board.log import Worker, tell
from tests.builders import DAY, UNDECLARED, ms
from tests.unit.state.test_voice_horizons import said

SUPPORT = {"department": "support"}
ACCOUNTS = [
    said("account", "created", -900 * DAY, "a", stage="onboarding"),
    said("account", "stage_changed", -100 * DAY, "a", to="adoption"),
    said("account", "created", -5 * DAY, "b", stage="onboarding"),
]
# Four were there for long, one more came five days ago; two left, one of them 40 days ago; one moved twice.
AGENTS = [
    *(said("agent", "joined", -900 * DAY, name, **SUPPORT) for name in "abcd"),
    said("agent", "joined", -5 * DAY, "e", **SUPPORT),
    said("agent", "left", -40 * DAY, "d"),
    said("agent", "left", -3 * DAY, "c"),
    said("agent", "moved", -4 * DAY, "b", from_department="support", to_department="sales"),
    said("agent", "moved", -2 * DAY, "b", from_department="sales", to_department="support"),
]


def fold_at(at):
    fold = Fold(UNDECLARED, ms(at))
    tell(fold, Worker(stream="account"), ACCOUNTS, ms(at))
    tell(fold, Worker(stream="agent"), AGENTS, ms(at))
    return fold


@pytest.fixture
def snapshot():
    return snapshot_of(fold_at(30), UNDECLARED, ms(30))


def registry_of(snapshot):
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: snapshot))
    return registry


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("success_accounts_in_stage", {"stage": "onboarding"}, 1),
        ("success_accounts_in_stage", {"stage": "adoption"}, 1),
        ("success_headcount", {}, 3),
        ("success_internal_mobility_ratio", {"window": "30d"}, 0.5),  # b moved, c left
        ("success_internal_mobility_ratio", {"window": "90d"}, 1 / 3),  # d left, too
        ("success_internal_mobility_ratio", {"window": "today"}, None),
        ("success_agents_moved", {"window": "7d"}, 1),
        ("success_agents_left", {"window": "90d"}, 2),
        ("success_agents_at_start", {"window": "90d"}, 4),
        ("success_agents_at_start", {"window": "30d"}, 3),
        ("success_attrition_ratio", {"window": "90d"}, 2 / 3.5),
        ("success_attrition_ratio", {"window": "30d"}, 1 / 3),
        ("success_attrition_ratio", {"window": "today"}, 0),
    ],
)
def test_series_of_a_tenant(snapshot, name, labels, value):
    found = registry_of(snapshot).get_sample_value(name, {"tenant": "t", **labels})
    assert found == (None if value is None else pytest.approx(value))


def test_what_is_kept_as_sums_moves_with_the_days():
    fold = fold_at(30)
    fold.advance(ms(27 * DAY))
    later = snapshot_of(fold, UNDECLARED, ms(27 * DAY))
    assert registry_of(later).get_sample_value("success_agents_left", {"tenant": "t", "window": "30d"}) == 0
    assert registry_of(later).get_sample_value("success_agents_moved", {"tenant": "t", "window": "30d"}) == 1
    assert registry_of(later).get_sample_value("success_headcount", {"tenant": "t"}) == 3


def test_rows_are_by_stage_and_window(snapshot):
    rows = list(snapshot.rows(Question(metrics=("accounts_in_stage", "attrition"))))
    stages = {row.place: row.number.value for row in rows if row.metric.name == "accounts_in_stage"}
    assert stages == {("t", "adoption"): 1, ("t", "onboarding"): 1}
    assert {row.window for row in rows if row.metric.name == "attrition"} == {
        "today",
        "7d",
        "30d",
        "90d",
        "month",
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("success_stage_moves", {"from": "onboarding", "to": "adoption", "window": "30d"}, 0),
        ("success_time_in_stage_seconds", {"stage": "onboarding", "window": "30d"}, None),
        ("success_stage_stays", {"stage": "onboarding", "window": "30d"}, 0),
    ],
)
def test_a_move_a_hundred_days_ago_is_in_no_window(name, labels, value):
    fold = Fold(UNDECLARED, ms(-95 * DAY))
    tell(fold, Worker(stream="account"), ACCOUNTS, ms(-95 * DAY))
    fold.advance(ms(-30 * DAY))
    later = registry_of(snapshot_of(fold, UNDECLARED, ms(-30 * DAY)))
    assert later.get_sample_value(name, {"tenant": "t", **labels}) == value
    move = {"tenant": "t", "from": "onboarding", "to": "adoption", "window": "90d"}
    assert later.get_sample_value("success_stage_moves", move) == 1
    stay = {"tenant": "t", "stage": "onboarding", "window": "90d"}
    assert later.get_sample_value("success_time_in_stage_seconds", stay) == 800 * DAY
    assert later.get_sample_value("success_stage_stays_seconds", stay) == 800 * DAY


def test_rows_of_another_tenant_or_a_queue_are_none(snapshot):
    for asked in (Question(metrics=("attrition",), tenant="u"), Question(metrics=("attrition",), queue="q")):
        assert list(snapshot.rows(asked)) == []
