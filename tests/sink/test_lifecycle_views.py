"""Units over periods, in cohorts and at instants on the real engine, against a slow oracle on random stories, to the integer."""

import json
import random
from datetime import timedelta

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.metrics.definitions import declare
from pipeline.replay.cases import event_lines
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, TABLES
from tests.lifecycle_oracle import Periods, tenants
from tests.sink.told import log_of, rows_of
from tests.subscription_stories import midnight
from tests.usage_oracle import Book
from tests.usage_stories import ALL_ZONES, EDGES, OFFSETS, stories

STORIES = 8
ZONES = {f"{tenant}{number}": zone for tenant, zone in ALL_ZONES.items() for number in range(STORIES)}
WEEKS = {tenant: 7 if tenant[0] == "u" else 1 for tenant in ZONES}
DECLARED = declare(
    {
        "tenants": {
            tenant: {"tz": zone} | ({"week_start": "sun"} if tenant[0] == "u" else {})
            for tenant, zone in ZONES.items()
            if tenant[0] != "w"
        }
    }
)
SOME = settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def many(draw):
    """Stories around one day, each with tenants of its own: what is asked once is asked of all of them."""
    edge = draw(st.sampled_from(EDGES))
    told = [draw(stories((edge,))).events for _ in range(STORIES)]
    return edge, [
        {**event, "id": event.get("id", f"e{place}"), "tenantid": f"{event['tenantid']}{number}"}
        for number, events in enumerate(told)
        for place, event in enumerate(events)
    ]


rules = st.fixed_dictionaries(
    {
        "core": st.sampled_from([None, ["board"], ["board", "chart"], ["nothing"]]),
        "k": st.integers(1, 2),
        "d": st.integers(1, 2),
        "w": st.sampled_from([1, 7, 28]),
    }
)


@pytest.fixture
def tell(engine, store, write):
    """Events as sources deliver them: some twice, in any order, over several commits."""

    def told(events, rng):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        store.insert(DEFINITIONS, [declaration(DECLARED, 1)])
        said = [json.loads(line) for line in event_lines(events)]
        said += rng.choices(said, k=len(said) // 3)
        rng.shuffle(said)
        commits = [said[place::3] for place in range(3)]
        write(rows_of(log_of(commits, stream="usage", definitions=DECLARED), definitions=DECLARED))

    return told


def asked(engine, view, columns, **parameters):
    """Rows by tenant, as tuples of the columns."""
    text = ", ".join(f"{name} = {value!r}" for name, value in parameters.items())
    rows = engine.query(f"SELECT tenant, {columns} FROM {view}({text}) ORDER BY ALL")
    return [tuple(row.values()) for row in rows]


def utc(moment):
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3]


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize("unit", ["account", "user"])
@SOME
@given(many(), st.integers(-2, 40), st.sampled_from(OFFSETS), st.integers(0, 70), st.integers(0, 99))
def test_periods_and_cohorts_are_those_of_the_oracle(
    engine, tell, unit, period, told, later, offset, back, seed
):
    day, events = told
    tell(events, random.Random(seed))
    at = midnight(day + timedelta(days=later), "t") + timedelta(milliseconds=offset)
    first = day - timedelta(days=back)
    book = Book(events, at, ZONES, unit, joined=True)
    known = [Periods(book, tenant, period, first, WEEKS[tenant]) for tenant in tenants(book)]
    how = {"unit": unit, "period": period, "first": str(first), "at": utc(at)}

    def right(read):
        return sorted((each.tenant, *row) for each in known for row in read(each))

    lives = asked(engine, "lifecycle", "start, new, returning, resurrecting, dormant, active", **how)
    assert lives == right(Periods.lifecycle)
    for since in ("first_use", "signed_up"):
        kept = asked(engine, "retention", "start, age, n, retained", since=since, **how)
        assert kept == right(lambda each, since=since: each.retention(since))
    sticky = asked(engine, "stickiness_by_period", "start, days, unit_days, n", **how)
    assert sticky == right(Periods.stickiness)
    spans = asked(engine, "time_to_value_cohorts", "start, cohort, n, p50, p75, p90, censored", **how)
    assert spans == right(Periods.time_to_value)
    reached = asked(engine, "activation_cohorts", "start, cohort, waiting, activated, n", a=14, **how)
    assert reached == right(lambda each: each.activation(14))


@pytest.mark.parametrize("unit", ["account", "user"])
@SOME
@given(many(), st.integers(-2, 5), st.sampled_from(OFFSETS), rules, st.integers(0, 99))
def test_instants_are_those_of_the_oracle(engine, tell, unit, told, later, offset, rule, seed):
    day, events = told
    tell(events, random.Random(seed))
    at = midnight(day + timedelta(days=later), "t") + timedelta(milliseconds=offset)
    books = {tenant: Book(events, at, ZONES, unit, tenant, joined=True) for tenant in ZONES}
    how = {"unit": unit, "at": utc(at)}

    def right(read):
        found = {tenant: read(book) for tenant, book in books.items() if tenant in tenants(book)}
        return sorted((tenant, *numbers) for tenant, numbers in found.items() if numbers[-1])

    def given_(rows):
        return [row for row in rows if row[-1]]

    adopted = asked(engine, "adoption_at", "value, n", **how, **{**rule, "core": rule["core"] or []})
    assert adopted == right(lambda book: book.adoption(**rule))
    active = asked(engine, "activity_at", "active_1d, active_7d, stickiness, active_28d", **how)
    assert given_(active) == right(
        lambda book: (book.active(1), book.active(7), *approximate(book.stickiness()))
    )
    spans = asked(engine, "time_to_value_at", "p50, p75, p90, mean, censored_share, cohort", **how)
    assert spans == right(
        lambda book: (
            *(book.percentile(percent)[0] for percent in (50, 75, 90)),
            *approximate(book.mean())[:1],
            *book.censored(),
        )
    )
    reached = asked(engine, "activation_at", "value, n", a=14, **how)
    assert reached == right(lambda book: book.activation(14))


def approximate(number):
    value, n = number
    return (None if value is None else pytest.approx(value)), n


@pytest.mark.parametrize(
    ("view", "wrong", "text"),
    [
        ("lifecycle", {"period": "year"}, "period is day, week or month"),
        ("lifecycle", {"unit": "team"}, "unit is account or user"),
        ("retention", {"since": "birth"}, "since is first_use or signed_up"),
    ],
)
def test_what_cannot_be_asked_is_refused(engine, tell, view, wrong, text):
    event = {"type": "pulse.usage.signed_up", "time": "2026-03-02T09:00:00Z", "accountid": "x", "data": {}}
    tell([event], random.Random(0))
    how = {"unit": "account", "period": "day", "first": "2026-03-01", "at": "2026-03-03 00:00:00"}
    how |= {"since": "signed_up"} if view == "retention" else {}
    with pytest.raises(DatabaseError, match=text):
        asked(engine, view, "start", **{**how, **wrong})
