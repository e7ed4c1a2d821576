"""Revenue and staying as the board shows them: from day buckets of the log, equal to replay."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.board.collector import SnapshotCollector
from pipeline.board.fold import Fold
from pipeline.board.places import Question as Asked
from pipeline.board.showing import snapshot_of
from pipeline.metrics.catalogue import DefinitionError
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import local_date, midnight
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from tests.board.log import Worker, tell
from tests.subscription_oracle import instant
from tests.subscription_stories import TENANTS, stories

DEFINITIONS = declare({"tenants": TENANTS})
DAY_MS = 86_400_000


def ms(text):
    return round(instant(text).timestamp() * 1000)


def said(what, time, account, mrr=None, currency="EUR", **data):
    data |= {"subscription_id": "s"} | ({} if mrr is None else {"mrr_minor": mrr, "currency": currency})
    return {
        "specversion": "1.0", "source": "/b", "id": f"{what}-{time}-{account}", "tenantid": "z", "accountid": account,
        "type": f"pulse.subscription.{what}", "time": time, "data": data,
    }  # fmt: skip


STORY = [
    said("started", "2026-01-05T00:00:00Z", "a", 1000),
    said("started", "2026-01-05T00:00:00Z", "b", 4000, seats=3),
    said("started", "2026-01-05T00:00:00Z", "c", 5000),
    said("started", "2026-01-05T00:00:00Z", "d", 70, "USD"),
    said("cancelled", "2026-02-10T00:00:00Z", "a"),
    said("changed", "2026-02-11T00:00:00Z", "b", 3000),
    said("changed", "2026-02-12T00:00:00Z", "c", 6000),
]


def board(events, moments, batch=3):
    """The last snapshot of a board that reads commits of a few events and is shown at each moment."""
    fold = Fold(DEFINITIONS, moments[0])
    worker = Worker(stream="subscription", definitions=DEFINITIONS)
    for first in range(0, len(events), batch):
        tell(fold, worker, events[first : first + batch], moments[0])
    return [snapshot_of(fold, DEFINITIONS, now) for now in moments][-1]


@pytest.fixture(scope="module")
def registry():
    snapshot = board(STORY, [ms("2026-02-20T12:00:00Z")])
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: snapshot))
    return registry


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("success_churn_ratio", {"window": "30d", "definition": "start"}, 0.25),
        ("success_churn_lost_accounts", {"window": "30d"}, 1),
        ("success_churn_base_accounts", {"window": "30d", "definition": "start"}, 4),
        ("success_churn_base_accounts", {"window": "90d", "definition": "start"}, 0),
        ("success_churn_ratio", {"window": "90d", "definition": "start"}, None),
        ("success_nrr_ratio", {"window": "month", "currency": "EUR"}, 0.9),
        ("success_grr_ratio", {"window": "month", "currency": "EUR"}, 0.8),
        ("success_nrr_ratio", {"window": "month", "currency": "USD"}, 1),
        ("success_nrr_ratio", {"window": "today", "currency": "EUR"}, 1),
        ("success_mrr_churn_minor", {"window": "30d", "currency": "EUR"}, 1000),
        ("success_mrr_minor", {"currency": "EUR"}, 9000),
        ("success_mrr_minor", {"currency": "USD"}, 70),
        ("success_arr_minor", {"currency": "USD"}, 840),
        ("success_active_accounts", {}, 3),
        ("success_seats", {}, 3),
    ],
)
def test_series(registry, name, labels, value):
    assert registry.get_sample_value(name, {"tenant": "z", **labels}) == value


def test_rows_answer_the_ratios_of_revenue_by_currency():
    shown = board(STORY, [ms("2026-02-20T12:00:00Z")])
    asked = Asked(by=("tenant",), metrics=("nrr", "grr", "net_churn_mrr"), windows=("month",))
    told = {(row.metric.name, row.place[-1]): row.number.value for row in shown.rows(asked)}
    assert told == {
        ("nrr", "EUR"): 0.9, ("grr", "EUR"): 0.8, ("net_churn_mrr", "EUR"): 0.1,
        ("nrr", "USD"): 1, ("grr", "USD"): 1, ("net_churn_mrr", "USD"): 0,
    }  # fmt: skip


def test_the_value_of_a_customer_is_told_by_currency():
    """In the month EUR began with a, b and c at 10 000, one of three left: ARPA 3333 / (1/3) = 10 000."""
    shown = board(STORY, [ms("2026-02-20T12:00:00Z")])
    for name, euro in (("clv_predictive", 10_000), ("churn_cost", 3000)):
        asked = Asked(by=("tenant",), metrics=(name,), windows=("month",))
        told = {row.place[-1]: row.number.value for row in shown.rows(asked)}
        assert told == {"EUR": pytest.approx(euro), "USD": None}
    given = Asked(by=(), metrics=("clv_given",), definition={"months": 36})
    # Now 9000 of two accounts, and 70 of one.
    assert {row.place[-1]: row.number.value for row in shown.rows(given)} == {"EUR": 162_000, "USD": 2520}
    with pytest.raises(DefinitionError, match="say how many months"):
        list(shown.rows(Asked(metrics=("clv_given",))))


def test_churn_added_up_by_day_is_told_beside_the_others(registry):
    """From the 22nd of January on: four accounts at 20 starts of days, one lost, then three at 10: 1/4 of 110."""
    labels = {"tenant": "z", "window": "30d", "definition": "daily_sum"}
    assert registry.get_sample_value("success_churn_ratio", labels) == 0.25
    assert registry.get_sample_value("success_churn_base_accounts", labels) == 110
    assert registry.get_sample_value("success_churn_ratio_low", labels) is None


def test_churn_by_day_is_rolled_up_day_by_day():
    """Tenant z loses 1 of 4 on the 10th, y none of 4: that day 1 of 8."""
    others = [{**each, "tenantid": "y"} for each in STORY if not each["type"].endswith("cancelled")]
    shown = board([*STORY, *others], [ms("2026-02-20T12:00:00Z")])
    asked = Asked(by=(), metrics=("churn",), windows=("month",), definition={"name": "daily_sum"})
    (row,) = shown.rows(asked)
    assert (row.place, row.number.value) == ((None,), 0.125)


def test_days_long_past_stay_part_of_the_sums():
    """The board lets go of day buckets after a month; of step families it keeps what they add up to."""
    shown = board(STORY, [ms("2026-01-06T00:00:00Z"), ms("2026-02-20T00:00:00Z"), ms("2027-08-01T00:00:00Z")])
    (mrr,) = [row.number.value for row in shown.rows(Asked(metrics=("mrr",))) if row.place == ("z", "EUR")]
    (churn,) = [
        (row.number.value, row.number.n)
        for row in shown.rows(Asked(metrics=("churn",)))
        if row.window == "90d" and row.definition["name"] == "start"
    ]
    assert (mrr, churn) == (9000, (0, 3))


def test_amounts_of_currencies_stay_apart_when_tenants_are_rolled_up():
    shown = board(STORY, [ms("2026-02-20T12:00:00Z")])
    rows = list(shown.rows(Asked(by=(), metrics=("mrr", "active_accounts"))))
    assert {(row.metric.name, row.place, row.number.value) for row in rows} == {
        ("mrr", (None, "EUR"), 9000),
        ("mrr", (None, "USD"), 70),
        ("active_accounts", (None,), 3),
    }


@settings(max_examples=60, deadline=None)
@given(stories(), st.sampled_from([0, 1, 29, 30, 31, 90]), st.booleans())
def test_every_row_is_what_replay_says_at_the_end_of_the_running_day(story, later, is_advanced):
    now = ms(f"{story.days[-1] + timedelta(days=later)}T12:00:00Z")
    moments = [now - 40 * DAY_MS, now - DAY_MS, now] if is_advanced else [now]
    shown = board([{"specversion": "1.0", **event} for event in story.events], moments)
    population = replay(event_lines(story.events), DEFINITIONS).population
    rows = [row for row in shown.rows() if row.metric.stream == "subscription"]
    assert rows or not shown.steps["staying"]
    for row in rows:
        dims = dict(zip(row.dims, row.place, strict=True))
        zone = DEFINITIONS.zone(dims["tenant"])
        at = midnight(local_date(now, zone) + timedelta(days=1), zone) - 1
        question = Question(row.metric.name, row.definition, dims, None, at, row.window)
        assert row.number == answer(population, question, DEFINITIONS), row
