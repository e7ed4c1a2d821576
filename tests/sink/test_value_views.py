"""Custom work, recurring impact and what churn costs: random events against replay, edges worked by hand."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import Window, day_window, local_date, midnight
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS
from tests.builders import DAY, HOUR, event, ms
from tests.customer_stories import CURRENCIES, TENANTS, story
from tests.sink.told import rows_of_streams

MONTHS_AND_DAYS = pytest.mark.parametrize(
    ("period", "first"), [("month", date(2025, 10, 1)), ("day", date(2026, 2, 20))]
)
COST = {"currency": "EUR", "hour_minor": 3600, "ticket_minor": 100}


@pytest.fixture
def tell(engine, write, store):
    """Events of any streams into the tables, with what is declared."""

    def told(events, **declared):
        definitions = declare({"tenants": TENANTS, **declared})
        store.insert(DEFINITIONS, [declaration(definitions, 1)])
        write(rows_of_streams([events], definitions))
        return definitions

    return told


def utc(at):
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def said(stream, what, at, account="a", **data):
    more = {} if account is None else {"accountid": account}
    return event(
        what, at, type=f"pulse.{stream}.{what}", contact=data.pop("contact", None),
        id=f"{stream}-{what}-{account}-{at}-{data}", **more, **data,
    )  # fmt: skip


def started(at, account="a", minor=1000, currency="EUR", name="s"):
    return said(
        "subscription", "started", at, account, subscription_id=name, mrr_minor=minor, currency=currency
    )


def cancelled(at, account="a", name="s"):
    return said("subscription", "cancelled", at, account, subscription_id=name, reason="other")


def windows(tenant, period, first, at):
    """Each period by its first day, and the questions of its window: up to `at` the running one."""
    zone = ZoneInfo(TENANTS[tenant]["tz"])
    day, today = first, local_date(at, zone)
    while day <= today:
        after = day + timedelta(days=1) if period == "day" else (day + timedelta(days=31)).replace(day=1)
        is_over = after <= today
        window = Window(midnight(day, zone), midnight(after, zone))
        name = "today" if period == "day" else "month"
        assert is_over or day_window(name, at, zone).start == window.start
        yield day, is_over, {"span": window} if is_over else {"at": at, "window": name}
        day = after


@pytest.mark.parametrize("seed", range(3))
@MONTHS_AND_DAYS
def test_both_shares_are_what_replay_answers(engine, tell, seed, period, first):
    events = story(seed)
    definitions = tell(events)
    population = replay(event_lines(events), definitions).population
    at = ms(5 * HOUR + 0.5)
    rows = {
        (row["tenant"], row["start"], row["currency"]): row
        for row in engine.query(
            "SELECT * FROM custom_work(period = {p:String}, first = {f:String}, at = {a:String})",
            p=period, f=str(first), a=utc(at),
        )
    }  # fmt: skip
    seen = 0
    for tenant in TENANTS:
        for day, is_over, asked in windows(tenant, period, first, at):
            support = answer(
                population, Question("custom_work_share", dims={"tenant": tenant}, **asked), definitions
            )
            for currency in CURRENCIES:
                dims = {"tenant": tenant, "currency": currency}
                money = answer(population, Question("custom_revenue_share", dims=dims, **asked), definitions)
                row = rows.get((tenant, day, currency))
                if row is None:
                    assert (money.value, money.n) == (None, 0)
                    continue
                seen += 1
                assert row["is_over"] == is_over
                assert (row["tickets"], row["support_share"]) == (support.n, support.value)
                assert row["support_low"] == (None if not support.n else pytest.approx(support.low))
                assert row["support_high"] == (None if not support.n else pytest.approx(support.high))
                assert row["invoices"] == money.n
                share = row["revenue_share"]
                assert share == (None if money.value is None else pytest.approx(money.value))
    assert seen > 10


@pytest.mark.parametrize("recognition", ["effective", "event"])
def test_nrr_beside_milestones_is_nrr_of_the_month(engine, tell, recognition):
    events = story(1)
    definitions = tell(events, recognition=recognition)
    population = replay(event_lines(events), definitions).population
    at = ms(5 * HOUR)
    rows = engine.query(
        "SELECT * FROM recurring_impact(first = '2025-10-01', at = {a:String}) WHERE is_over", a=utc(at)
    )
    assert len(rows) > 5
    for row in rows:
        start, zone = row["start"], ZoneInfo(TENANTS[row["tenant"]]["tz"])
        window = Window(midnight(start, zone), midnight((start + timedelta(days=31)).replace(day=1), zone))
        dims = {"tenant": row["tenant"], "currency": row["currency"]}
        told = answer(population, Question("nrr", dims=dims, span=window), definitions)
        assert (row["nrr"], row["n"]) == (pytest.approx(told.value), told.n)
        assert row["value"] == row["milestones"] / row["n"]
    assert sum(row["milestones"] for row in rows) > 0


@pytest.mark.parametrize("seed", range(3))
def test_churn_cost_is_what_replay_answers(engine, tell, seed):
    events = story(seed)
    definitions = tell(events)
    population = replay(event_lines(events), definitions).population
    zone = ZoneInfo(TENANTS["t"]["tz"])
    window = Window(midnight(date(2026, 2, 1), zone), midnight(date(2026, 3, 1), zone))
    for row in engine.query(
        "SELECT * FROM churn_cost_window(from = {f:String}, to = {t:String}, recognition = 'effective')"
        " WHERE tenant = 't'",
        f=utc(window.start), t=utc(window.end),
    ):  # fmt: skip
        dims = {"tenant": "t", "currency": row["currency"]}
        told = answer(population, Question("churn_cost", dims=dims, span=window), definitions)
        assert (row["churn_cost"], row["n"]) == (
            None if told.value is None else pytest.approx(told.value),
            told.n,
        )


def cost_of(engine):
    """Of [T0, T0 + 1 day): by currency what is saved."""
    rows = engine.query(
        "SELECT * FROM churn_cost_window(from = {f:String}, to = {t:String}, recognition = 'effective')",
        f=utc(ms(0)), t=utc(ms(DAY)),
    )  # fmt: skip
    return {row["currency"]: row["support_cost_saved"] for row in rows}


LEAVES = [started(-40 * DAY), cancelled(HOUR), said("ticket", "created", -DAY, ticket_id="k")]
"""One account, one ticket in the 90 days before, and it is gone: 100 / 3 / (1 / 1)."""


def costing(**cost):
    return {"tenants": {"t": {"support_cost": {**COST, **cost}}}}


def test_what_support_of_the_lost_account_cost_is_saved(engine, tell):
    tell(LEAVES, **costing())
    assert cost_of(engine) == {"EUR": pytest.approx(100 / 3)}


def test_nothing_is_known_where_no_cost_is_declared(engine, tell):
    tell(LEAVES)
    assert cost_of(engine) == {"EUR": None}


def test_a_cost_in_another_currency_is_not_set_against_it(engine, tell):
    tell(LEAVES, **costing(currency="USD"))
    assert cost_of(engine) == {"EUR": None}


def test_nothing_is_known_where_no_contact_names_an_account(engine, tell):
    tell([*LEAVES[:2], said("ticket", "created", -DAY, None, ticket_id="k")], **costing())
    assert cost_of(engine) == {"EUR": None}


def test_a_lost_account_that_asked_for_nothing_saves_nothing(engine, tell):
    tell([*LEAVES[:2], said("ticket", "created", -DAY, "other", ticket_id="k")], **costing())
    assert cost_of(engine) == {"EUR": 0}


def test_who_keeps_a_subscription_in_another_currency_still_costs(engine, tell):
    tell([*LEAVES, started(-30 * DAY, currency="USD", name="d")], **costing())
    assert cost_of(engine) == {"EUR": 0, "USD": None}


@pytest.mark.parametrize(
    ("at", "saved"), [(-90 * DAY, 100 / 3), (-90 * DAY - 0.001, 0), (-0.001, 100 / 3), (0, 0)]
)
def test_support_counts_from_90_days_before_the_window_until_it_begins(engine, tell, at, saved):
    kept = [*LEAVES[:2], said("ticket", "created", -DAY, "other", ticket_id="o")]
    tell([*kept, said("ticket", "created", at, ticket_id="k")], **costing())
    assert cost_of(engine) == {"EUR": pytest.approx(saved)}


def test_only_talks_with_a_person_that_ended_cost(engine, tell):
    """A talk of half an hour costs 1,800; a bot's, an outbound one and one that lasts cost nothing."""
    calls = []
    for name, more in (("person", {}), ("bot", {"answered_by": "bot"}), ("out", {"direction": "outbound"})):
        calls += [
            said("call", "answered", -2 * HOUR, contact=name, **more),
            said("call", "ended", -1.5 * HOUR, contact=name),
        ]
    tell([*calls, said("call", "answered", -HOUR, contact="lasting")], **costing())
    rows = engine.query(
        "SELECT handled, handle_ms, tickets, cost_minor FROM account_support_cost(from = {f:String}, to = {t:String})",
        f=utc(ms(-DAY)), t=utc(ms(0)),
    )  # fmt: skip
    assert rows == [{"handled": 1, "handle_ms": 1_800_000, "tickets": 0, "cost_minor": 1800}]


def test_tickets_without_any_money_stand_under_no_currency(engine, tell):
    tell([said("ticket", "created", 0, ticket_id="k", custom_work=True)])
    (row,) = engine.query(
        "SELECT * FROM custom_work(period = 'day', first = '2026-03-02', at = {a:String})", a=utc(ms(1))
    )
    assert (row["currency"], row["tickets"], row["support_share"], row["revenue_share"]) == ("", 1, 1, None)


def test_a_quarantined_ticket_is_no_custom_work(engine, tell):
    tell([said("ticket", "created", 0, ticket_id="k"), said("ticket", "solved", -1, ticket_id="k")])
    assert (
        engine.query(
            "SELECT * FROM custom_work(period = 'day', first = '2026-03-02', at = {a:String})", a=utc(ms(1))
        )
        == []
    )


def test_an_unknown_period_is_refused(engine, tell):
    tell([started(0)])
    with pytest.raises(Exception, match="period is day, week or month"):
        engine.query(
            "SELECT * FROM custom_work(period = 'year', first = '2026-03-02', at = {a:String})", a=utc(ms(1))
        )
