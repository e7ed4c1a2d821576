"""Views of tickets on the real engine, against the cases worked by hand and the oracle."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.metrics.definitions import declare
from pipeline.metrics.families import TICKETS
from pipeline.metrics.tickets import AGES
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, TABLES
from tests import ticket_oracle as oracle
from tests.builders import HOUR, ms
from tests.sink.told import log_of, rows_of
from tests.tickets import event, histories

TENANTS = {
    "t": {"tz": "Europe/Bucharest", "business_hours": {"mon": ["09:00-12:30"], "tue": ["10:00-18:00"]}}
}
CASES = Path(__file__).parent.parent / "cases"
FEW = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def tell(engine, write):
    def told(events, tenants):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        defined, half = declare({"tenants": tenants}), len(events) // 2
        log = log_of([events[:half], events[half:]], stream="ticket", definitions=defined)
        write(rows_of(log, definitions=defined))

    return told


def utc(at):
    text = oracle.datetime.fromtimestamp(at / 1000, oracle.ZoneInfo("UTC"))
    return f"{text:%Y-%m-%d %H:%M:%S}.{at % 1000:03d}"


def case_events(case):
    base = {"specversion": "1.0", "source": "/case", "tenantid": "t"}
    return [{**base, "id": f"e{place}", **said} for place, said in enumerate(case["events"])]


def asked(expected):
    """The view, its arguments and the filter an expectation means; None: no view answers it."""
    name, dims = expected["metric"], expected.get("dims", {})
    where = " AND ".join(["1", *(f"`{dim}` = '{value}'" for dim, value in dims.items())])
    if "from" in expected:
        start, end = (utc(oracle.instant(expected[edge])) for edge in ("from", "to"))
        view = f"ticket_window(from = '{start}', to = '{end}')"
        return f"SELECT sum(part) AS part, sum(n) AS n FROM {view} WHERE metric = '{name}' AND {where}"
    if "window" not in expected and name == "backlog":
        at = utc(oracle.instant(expected["at"]))
        return f"SELECT sum(value) AS part, 0 AS n FROM backlog(at = '{at}') WHERE {where}"
    return None


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T15", "T16", "T17"])
def test_case_is_answered_by_its_views(engine, tell, name):
    case = json.loads((CASES / f"{name}.json").read_text())
    tell(case_events(case), case.get("tenants", {}))
    answered = 0
    for expected in case["expect"]:
        if (sql := asked(expected)) is None:
            continue
        (row,) = engine.query(sql)
        scale = 1000 if expected["metric"] in ("frt", "frt_business", "nrt", "resolution") else 1
        is_count = expected["metric"] in ("backlog", "resolutions", "solve_events")
        value = row["part"] if is_count else row["part"] / row["n"] / scale if row["n"] else None
        assert value == (None if expected.get("absent") else pytest.approx(expected["value"])), expected
        assert row["n"] == expected.get("n", row["n"])
        answered += 1
    assert answered


def test_cells_have_the_names_the_family_gives_them(engine):
    rows = engine.query("SELECT name FROM system.columns WHERE table = 'ticket_cells_now' ORDER BY position")
    assert tuple(row["name"] for row in rows)[5:] == TICKETS.counters


def test_a_window_off_the_ten_second_edges_is_an_error(engine):
    with pytest.raises(Exception, match="10-second edges"):
        engine.query("SELECT * FROM ticket_window(from = '2026-03-02 09:00:01', to = '2026-03-02 10:00:00')")


def test_a_ticket_whose_created_was_voided_goes_away(engine, tell):
    tell([event("created", 0, id="c"), event("voided", 1, id="v", corrects="c")], {})
    assert engine.query("SELECT * FROM tickets_now") == []


def test_a_contradictory_ticket_stands_in_quarantine(engine, tell):
    tell([event("created", 10), event("solved", 5)], {})
    (row,) = engine.query("SELECT ticket_id, contradiction FROM tickets_quarantine")
    assert (row["ticket_id"], row["contradiction"]) == ("k", "fact_before_created")
    assert engine.query(f"SELECT * FROM tickets_at(at = '{utc(ms(20))}')") == []


@FEW
@given(told=histories(30))
def test_days_say_what_the_oracle_says(engine, tell, told):
    tell(told, TENANTS)
    zones = {"t": oracle.ZoneInfo("Europe/Bucharest"), "u": oracle.ZoneInfo("UTC")}
    tickets = oracle.tickets(told)
    for row in engine.query("SELECT * FROM ticket_days"):
        midnight = oracle.datetime.combine(row["day"], oracle.datetime.min.time(), zones[row["tenant"]])
        start = round(midnight.timestamp() * 1000)
        mine = oracle.chosen(tickets, row["tenant"], row["channel"])
        asked = oracle.Asked(mine, start, start + 24 * HOUR * 1000, row["group"], TENANTS)
        value, n = oracle.WINDOWS[row["metric"]](asked)
        assert row["value"] == (None if value is None else pytest.approx(value)), row
        assert row["n"] == (value if n is None else n)


@FEW
@given(told=histories(30), hours=st.sampled_from([0, 1, 2, 3, 4, 27, 74, 76, 120]))
def test_past_instants_say_what_the_oracle_says(engine, tell, told, hours):
    tell(told, TENANTS)
    now = ms(hours * HOUR)
    then = oracle.tickets(told, now)
    for row in engine.query(f"SELECT * FROM backlog(at = '{utc(now)}')"):
        asked = oracle.Asked(oracle.chosen(then, row["tenant"], row["channel"]), group=row["group"])
        least, most = AGES[row["age"]]
        assert row["value"] == oracle.backlog(asked, now, least, most or float("inf"))[0]
    (total,) = engine.query(f"SELECT sum(value) AS n FROM backlog(at = '{utc(now)}')")
    assert total["n"] == oracle.backlog(oracle.Asked(then), now)[0]
    late = f"frt_overdue(at = '{utc(now)}', target = 3600)"
    (total,) = engine.query(f"SELECT sum(value) AS n, max(oldest) AS oldest FROM {late}")
    assert total["n"] == oracle.frt_overdue(oracle.Asked(then), now, HOUR * 1000)[0]
    assert total["oldest"] == (oracle.oldest_overdue(oracle.Asked(then), now, HOUR * 1000)[0] or 0)


@FEW
@given(told=histories(), hours=st.integers(60, 200))
def test_the_reopen_rate_of_an_instant_is_of_what_is_72_hours_old(engine, tell, told, hours):
    now = ms(hours * HOUR)
    told = [said for said in told if oracle.instant(said["time"]) <= now]
    tell(told, TENANTS)
    for tenant in ("t", "u"):
        rows = engine.query(
            f"SELECT sum(part) AS part, sum(n) AS n FROM reopen_rate_at(at = '{utc(now)}') WHERE tenant = '{tenant}'"
        )
        then = oracle.chosen(oracle.tickets(told, now), tenant)
        value, n = oracle.reopen_rate(oracle.Asked(then, 0, now + 1, None, TENANTS, now - oracle.HOURS_72))
        assert rows[0]["n"] == n
        assert value is None or rows[0]["part"] / n == pytest.approx(value)


def test_the_reopen_rate_of_an_instant_stands_by_the_local_day_of_the_solving(engine, tell, store):
    #  T0 is Monday 09:00 UTC: solved at 21:30 and 22:30 UTC, which in Bucharest is Tuesday at half past midnight.
    at = [12.5 * HOUR, 13.5 * HOUR]
    told = [event("created", 0, ticket=f"k{place}", group_id="g") for place in (0, 1)]
    told += [event("solved", when, ticket=f"k{place}") for place, when in enumerate(at)]
    told += [event("reopened", 14 * HOUR, ticket="k1")]
    tell(told, TENANTS)
    store.insert(DEFINITIONS, [declaration(declare({"tenants": TENANTS}), 1)])
    asked = "SELECT toString(day) AS day, `group`, value, n FROM reopen_rate_at(at = '{}') ORDER BY day"
    young, old = (engine.query(asked.format(utc(ms(when + 72 * HOUR)))) for when in at)
    assert young == [{"day": "2026-03-02", "group": "g", "value": 0, "n": 1}]
    assert old == [*young, {"day": "2026-03-03", "group": "g", "value": 1, "n": 1}]
