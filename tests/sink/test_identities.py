"""Laws that any true account of a business obeys, on the simulator's stories, as ClickHouse answers them."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import BUCKET_MS
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, TABLES
from tests.builders import HOUR, T0, ms
from tests.simulated import (
    QUEUES,
    TENANTS,
    YEAR_DAYS,
    calls,
    edges_with_nobody_waiting,
    time_in_queue,
    turns,
    year,
)
from tests.sink.told import rows_of_streams

SEED = 1
DECLARED = declare({"tenants": TENANTS, "stuck_after": 90})


@pytest.fixture
def tell(engine, write, store):
    def told(events):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        store.insert(DEFINITIONS, [declaration(DECLARED, 1)])
        write(rows_of_streams([events], DECLARED))

    return told


def utc(at):
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


class Floor:
    """The queues as `waiting_at` shows them; every instant is asked for once."""

    def __init__(self, engine):
        self.engine, self.seen = engine, {}

    def waiting(self, tenant, queue, at):
        if at not in self.seen:
            rows = self.engine.query("SELECT * FROM waiting_at(at = {a:String})", a=utc(at))
            found = self.seen[at] = {}
            for row in rows:
                place = row["tenant"], row["queue"]
                found[place] = found.get(place, 0) + row["in_queue"] + row["stuck"]
        return self.seen[at].get((tenant, queue), 0)

    def time_waited(self, tenant, queue, first, last):
        steps = pairwise(turns(SEED, tenant, queue, first, last))
        return sum(self.waiting(tenant, queue, since) * (until - since) for since, until in steps)


def test_littles_law_on_closed_intervals_and_on_any(engine, tell):
    """Where the queue is empty at both ends: ∫ waiting dt = Σ waits of who left, to the millisecond; else cut."""
    tell(calls(SEED))
    floor = Floor(engine)
    closed = 0
    for tenant, queue in QUEUES:
        edges = edges_with_nobody_waiting(SEED, tenant, queue, ms(HOUR))
        for first, last in pairwise(edges):
            if not time_in_queue(SEED, tenant, queue, first, last):
                continue
            rows = engine.query(
                "SELECT metric, counted_by, sum(part) AS part, sum(n) AS n FROM"
                " support_window(from = {f:String}, to = {t:String})"
                " WHERE tenant = {n:String} AND queue = {q:String} AND metric IN ('wait_all', 'offered')"
                " GROUP BY metric, counted_by",
                f=utc(first), t=utc(last), n=tenant, q=queue,
            )  # fmt: skip
            told = {(row["metric"], row["counted_by"]): row for row in rows}
            waits = told["wait_all", "leave"]
            assert waits["n"] == told["offered", "enqueue"]["n"]
            assert floor.time_waited(tenant, queue, first, last) == waits["part"]
            closed += 1
        for first, last in ((ms(0.001), ms(777.777)), (ms(1800), ms(1800.5))):
            assert floor.time_waited(tenant, queue, first, last) == time_in_queue(
                SEED, tenant, queue, first, last
            )
    assert closed > 20


def test_everybody_offered_leaves_in_one_way_or_still_waits(engine, tell):
    """Each bucket of ten seconds, each day, and what waits at an instant from the facts of legs."""
    tell(calls(SEED))
    ways = "'answered', 'bot_answered', 'abandoned', 'callbacks_requested', 'transferred_out', 'flowed_out'"
    for grain, least in (("live", 300), ("day", 3)):
        rows = engine.query(
            "SELECT tenant, queue, start, sumIf(part, metric = 'offered') AS offered,"
            f" sumIf(part, metric IN ({ways})) AS gone"
            " FROM support_parts WHERE counted_by = 'enqueue' AND grain = {g:String} GROUP BY tenant, queue, start",
            g=grain,
        )  # fmt: skip
        waiting = {}
        for row in engine.query("SELECT tenant, queue, enqueued_at FROM legs_now WHERE isNull(left_at)"
                                " AND enqueued_at IS NOT NULL AND direction = 'inbound'"):  # fmt: skip
            at = round(row["enqueued_at"].replace(tzinfo=UTC).timestamp() * 1000)
            start = at - at % BUCKET_MS if grain == "live" else T0 - T0 % 86_400_000
            place = row["tenant"], row["queue"], start
            waiting[place] = waiting.get(place, 0) + 1
        assert len(rows) >= least
        for row in rows:
            start = round(row["start"].replace(tzinfo=UTC).timestamp() * 1000)
            left = waiting.get((row["tenant"], row["queue"], start), 0)
            assert row["offered"] == row["gone"] + left, row


MOVEMENTS = """
WITH days AS (
    SELECT DISTINCT s.tenant AS tenant, s.currency AS currency, first + n AS day
    FROM standing_days AS s
    CROSS JOIN (SELECT toDate('2026-03-02') AS first, number AS n FROM numbers({days:UInt32})) AS d
    WHERE s.currency != ''
)
SELECT d.tenant AS tenant, d.currency AS currency, d.day AS day, f.start_minor AS start_minor,
    f.new_minor AS new, f.reactivation_minor AS reactivation, f.expansion_minor AS expansion,
    f.contraction_minor AS contraction, f.churn_minor AS churn, e.mrr_minor AS end_level, s.mrr_minor AS start_level
FROM days AS d
ASOF LEFT JOIN (SELECT * FROM flow_days WHERE window_ = {w:String}) AS f
    ON f.tenant = d.tenant AND f.currency = d.currency AND f.day <= d.day
ASOF LEFT JOIN standing_days AS e ON e.tenant = d.tenant AND e.currency = d.currency AND e.day <= d.day
ASOF LEFT JOIN (SELECT tenant, currency, day + 1 AS after, mrr_minor FROM standing_days) AS s
    ON s.tenant = d.tenant AND s.currency = d.currency
    AND s.after <= if({w:String} = 'month', toStartOfMonth(d.day), d.day - toUInt16OrZero(replaceOne({w:String}, 'd', '')) + 1)
"""


@pytest.fixture
def business(tell):
    tell(year(2, "subscription"))


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize("window", ["1d", "30d", "90d", "month"])
def test_mrr_at_the_end_of_every_day_of_a_year_is_the_start_and_what_became_of_it(engine, window):
    rows = engine.query(MOVEMENTS, days=YEAR_DAYS, w=window)
    assert len(rows) == 4 * YEAR_DAYS
    for row in rows:
        gained = row["new"] + row["reactivation"] + row["expansion"]
        assert row["start_minor"] == row["start_level"], row
        assert row["end_level"] == row["start_minor"] + gained - row["contraction"] - row["churn"], row
    for movement in ("new", "reactivation", "expansion", "contraction", "churn"):
        assert any(row[movement] for row in rows), movement


@pytest.mark.usefixtures("business")
def test_mrr_of_any_months_from_facts_obeys_the_same(engine):
    for month in range(3, 15):
        first = f"{2026 + (month - 1) // 12}-{(month - 1) % 12 + 1:02}-01 00:00:00"
        last = f"{2026 + month // 12}-{month % 12 + 1:02}-01 00:00:00"
        rows = engine.query(
            "SELECT * FROM revenue_window(from = {f:String}, to = {t:String}, recognition = 'effective')",
            f=first, t=last,
        )  # fmt: skip
        assert len(rows) == 4
        for row in rows:
            gained = row["new_minor"] + row["reactivation_minor"] + row["expansion_minor"]
            lost = row["contraction_minor"] + row["churn_minor"]
            assert row["end_minor"] == row["start_minor"] + gained - lost, row


@pytest.mark.parametrize("unit", ["account", "user"])
def test_the_active_are_new_returning_or_back_and_next_time_returning_or_dormant(engine, tell, unit):
    """Held to a count of units by SQL of its own, not to the sum the view makes."""
    tell(year(2, "usage"))
    begin = {"day": "day", "week": "toStartOfWeek(day, 1)", "month": "toStartOfMonth(day)"}
    for period, start in begin.items():
        rows = engine.query(
            "SELECT * FROM lifecycle(unit = {u:String}, period = {p:String}, first = '2026-03-02',"
            " at = '2027-03-03 10:00:00') ORDER BY tenant, start",
            u=unit, p=period,
        )  # fmt: skip
        counted = engine.query(
            f"SELECT tenant, {start} AS start, uniqExact(account, if({{u:String}} = 'user', person, '')) AS active"
            " FROM (SELECT f.*, if(l.person = '', f.user_ref, l.person) AS person, toDate(toString(fromUnixTimestamp64Milli(at_ms, 'UTC'),"
            " if(tenant = 'acme', 'Europe/Bucharest', 'America/New_York'))) AS day FROM feature_uses AS f"
            " LEFT JOIN linked_users_at(at = '2027-03-03 10:00:00') AS l USING (tenant, account, user_ref))"
            " GROUP BY tenant, start",
            u=unit,
        )  # fmt: skip
        active = {(row["tenant"], row["start"]): row["active"] for row in counted}
        assert sum(row["active"] for row in rows) == sum(active.values())
        for row in rows:
            told = row["new"] + row["returning"] + row["resurrecting"]
            assert told == active.get((row["tenant"], row["start"]), 0), row
        for before, after in pairwise(rows):
            if before["tenant"] == after["tenant"]:
                assert before["active"] == after["returning"] + after["dormant"]
        assert all(any(row[name] for row in rows) for name in ("returning", "resurrecting", "dormant"))
