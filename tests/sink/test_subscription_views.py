"""Views of revenue and staying on the real engine, against numbers worked by hand and replay."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pipeline.metrics.definitions import declare
from pipeline.metrics.families import FLOW, STANDING, STAYING
from pipeline.metrics.windows import Window, midnight
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from pipeline.sink.tables import TABLES
from tests.sink.told import log_of, rows_of
from tests.subscription_stories import TENANTS, first_of, stories

DEFINITIONS = declare({"tenants": TENANTS})
CASES = Path(__file__).parent.parent / "cases"
FEW = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FLOWS = ("nrr", "grr", "gross_churn_mrr", "net_churn_mrr", "mrr_new", "mrr_expansion", "mrr_contraction",
         "mrr_churn", "mrr_reactivation")  # fmt: skip


@pytest.fixture
def tell(engine, write):
    def told(events):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        said = [json.loads(line) for line in event_lines(events)]
        half = len(said) // 2
        log = log_of([said[:half], said[half:]], stream="subscription", definitions=DEFINITIONS)
        write(rows_of(log, definitions=DEFINITIONS))

    return told


def the(engine, sql, **parameters):
    (row,) = engine.query(sql, **parameters)
    return row


def utc(ms):
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def case_events(name):
    return json.loads((CASES / f"{name}.json").read_text())["events"]


@pytest.mark.parametrize(
    ("view", "family", "names"),
    [("staying_days", STAYING, 3), ("flow_days", FLOW, 4), ("standing_days", STANDING, 3)],
)
def test_counters_have_the_names_the_families_give_them(engine, view, family, names):
    rows = engine.query("SELECT name FROM system.columns WHERE table = {t:String} ORDER BY position", t=view)
    assert tuple(row["name"] for row in rows)[names:] == family.counters


def test_case_r2_by_day_and_by_window(engine, tell):
    """100 at the start; 10 churned, 10 contracted, 10 expanded: gross 20 %, net 10 %."""
    tell(case_events("R2"))
    end = "SELECT value FROM {v:Identifier} WHERE window = 'month' AND day <= '2026-02-28' ORDER BY day DESC LIMIT 1"
    told = {view: the(engine, end, v=view)["value"] for view in FLOWS}
    assert told == {
        "nrr": 0.9, "grr": 0.8, "gross_churn_mrr": 0.2, "net_churn_mrr": 0.1, "mrr_new": 0,
        "mrr_expansion": 1000, "mrr_contraction": 1000, "mrr_churn": 1000, "mrr_reactivation": 0,
    }  # fmt: skip
    row = the(
        engine,
        "SELECT * FROM revenue_window(from = '2026-02-01 00:00:00', to = '2026-03-01 00:00:00',"
        " recognition = 'effective')",
    )
    assert (row["nrr"], row["grr"], row["start_minor"], row["end_minor"]) == (0.9, 0.8, 10000, 9000)


def test_churn_of_50_in_1000_has_its_interval(engine, tell):
    tell(case_events("R1-churn"))
    row = the(
        engine,
        "SELECT * FROM churn WHERE window = 'month' AND definition = 'start' AND day <= '2026-02-28'"
        " ORDER BY day DESC LIMIT 1",
    )
    assert (row["value"], row["n"]) == (0.05, 1000)
    assert (row["low"], row["high"]) == (pytest.approx(0.0381, abs=1e-4), pytest.approx(0.0653, abs=1e-4))
    at = "SELECT sum(mrr_minor) AS mrr FROM account_mrr_at(at = '2026-02-20 00:00:00', recognition = 'effective')"
    assert the(engine, at)["mrr"] == 9_500_000


def test_an_erased_account_is_nowhere(engine, tell):
    started = case_events("R2")[0]
    gone = {
        "type": "pulse.subscription.deleted",
        "time": "2026-03-01T00:00:00Z",
        "accountid": "a",
        "data": {},
    }
    tell([started, gone])
    for view in ("subscriptions_now", "subscription_states", "churn", "mrr", "nrr", "seats"):
        assert engine.query("SELECT * FROM {v:Identifier}", v=view) == []


def close(value):
    return None if value is None else pytest.approx(value)


@FEW
@given(stories())
def test_every_row_by_day_is_what_replay_says(engine, tell, story):
    tell(story.events)
    population = replay(event_lines(story.events), DEFINITIONS).population

    def right(metric, row, variant=None):
        zone = DEFINITIONS.zone(row["tenant"])
        end = midnight(row["day"] + timedelta(days=1), zone)
        span, at = None, end - 1
        if "window" in row:
            span, at = Window(midnight(first_of(row["day"], row["window"]), zone), end), None
        dims = {name: row[name] for name in ("tenant", "currency") if name in row}
        return answer(population, Question(metric, variant, dims, span, at), DEFINITIONS)

    for row in engine.query("SELECT * FROM churn"):
        number = right("churn", row, row["definition"])
        assert (row["value"], row["n"]) == (close(number.value), number.n)
        assert (row["low"], row["high"]) == (close(number.low), close(number.high))
    for metric in (*FLOWS, "seat_expansion", "mrr", "arr", "active_accounts", "seats"):
        for row in engine.query("SELECT * FROM {v:Identifier}", v=metric):
            assert row["value"] == close(right(metric, row).value), (metric, row)


@FEW
@given(stories())
def test_free_windows_over_facts_are_what_replay_says(engine, tell, story):
    tell(story.events)
    zone = DEFINITIONS.zone("t")
    span = Window(midnight(min(story.days), zone), midnight(max(story.days), zone))
    for recognition in ("effective", "event", "scheduled"):
        population = replay(event_lines(story.events), DEFINITIONS).population
        rows = engine.query(
            "SELECT * FROM revenue_window(from = {f:String}, to = {t:String}, recognition = {r:String})"
            " WHERE tenant = 't' AND currency != ''",
            f=utc(span.start), t=utc(span.end), r=recognition,
        )  # fmt: skip
        for row in rows:
            dims = {"tenant": "t", "currency": row["currency"]}
            for metric in ("nrr", "grr", "mrr_new", "mrr_expansion", "mrr_contraction", "mrr_churn",
                           "mrr_reactivation"):  # fmt: skip
                question = Question(metric, {"recognition": recognition}, dims, span)
                name = metric.replace("mrr_", "") + "_minor" if metric.startswith("mrr_") else metric
                assert row[name] == close(answer(population, question, DEFINITIONS).value), (metric, row)


@FEW
@given(stories())
def test_values_of_a_customer_are_what_replay_says(engine, tell, story):
    tell(story.events)
    population = replay(event_lines(story.events), DEFINITIONS).population
    zone = DEFINITIONS.zone("t")
    at = midnight(max(story.days) + timedelta(days=1), zone) - 1000
    rows = engine.query(
        "SELECT * FROM clv_realised(at = {a:String}, recognition = 'effective') WHERE tenant = 't'", a=utc(at)
    )
    for row in rows:
        dims = {"tenant": "t", "currency": row["currency"]}
        number = answer(population, Question("clv_realised", None, dims, None, at), DEFINITIONS)
        assert (row["value"], row["n"]) == (close(number.value), number.n)
    for metric in ("clv_predictive", "churn_cost"):
        for row in engine.query("SELECT * FROM {v:Identifier}", v=metric):
            zone = DEFINITIONS.zone(row["tenant"])
            end = midnight(row["day"] + timedelta(days=1), zone)
            span = Window(midnight(first_of(row["day"], row["window"]), zone), end)
            dims = {"tenant": row["tenant"], "currency": row["currency"]}
            number = answer(population, Question(metric, None, dims, span), DEFINITIONS)
            assert (row["value"], row["n"]) == (close(number.value), number.n), (metric, row)


def test_a_hundred_a_month_for_36_months_is_3600(engine, tell):
    data = {"subscription_id": "s", "mrr_minor": 100, "currency": "EUR"}
    tell(
        [
            {
                "type": "pulse.subscription.started",
                "time": "2026-01-01T00:00:00Z",
                "accountid": "a",
                "data": data,
            }
        ]
    )
    assert the(engine, "SELECT value FROM clv_given(months = 36)")["value"] == 3600


def test_custom_work_of_300_beside_100_of_services_and_600_of_mrr_is_three_tenths(engine, tell):
    started = {"subscription_id": "s", "mrr_minor": 600, "currency": "EUR"}
    invoice = {"subscription_id": "s", "currency": "EUR"}
    base = {"accountid": "a", "tenantid": "t"}
    events = [
        base | {"type": "pulse.subscription.started", "time": "2026-01-10T00:00:00Z", "data": started},
        base
        | {
            "type": "pulse.subscription.services_invoiced",
            "time": "2026-02-10T00:00:00Z",
            "data": {**invoice, "amount_minor": 300, "scope": "out"},
        },
        base
        | {
            "type": "pulse.subscription.services_invoiced",
            "time": "2026-02-11T00:00:00Z",
            "data": {**invoice, "amount_minor": 100, "scope": "in"},
        },
    ]
    tell(events)
    row = the(
        engine,
        "SELECT * FROM custom_revenue_share(from = '2026-02-01 00:00:00', to = '2026-03-01 00:00:00',"
        " recognition = 'effective')",
    )
    assert (row["value"], row["n"]) == (0.3, 2)
    declared = declare({})
    span = Window(1_769_904_000_000, 1_772_323_200_000)
    population = replay(event_lines(events), declared).population
    assert answer(population, Question("custom_revenue_share", None, {}, span), declared)[:2] == (0.3, 2)


@FEW
@given(stories())
def test_rates_of_days_added_up_are_what_replay_says(engine, tell, story):
    tell(story.events)
    population = replay(event_lines(story.events), DEFINITIONS).population
    first, last = min(story.days), max(story.days)
    rows = engine.query(
        "SELECT * FROM churn_daily_sum(first = {f:String}, last = {l:String})", f=str(first), l=str(last)
    )
    for row in rows:
        zone = DEFINITIONS.zone(row["tenant"])
        span = Window(midnight(first, zone), midnight(last + timedelta(days=1), zone))
        question = Question("churn", "daily_sum", {"tenant": row["tenant"]}, span)
        number = answer(population, question, DEFINITIONS)
        assert (row["value"], row["n"]) == (close(number.value), number.n)
