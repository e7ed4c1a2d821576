"""Views of adoption on the real engine, against numbers worked by hand and replay."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pipeline.metrics.definitions import declare
from pipeline.metrics.families import ADOPTION
from pipeline.metrics.windows import midnight
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS as DECLARED
from pipeline.sink.tables import TABLES
from tests.sink.told import log_of, rows_of
from tests.subscription_stories import TENANTS
from tests.usage_stories import stories

DEFINITIONS = declare({"tenants": TENANTS})
CASES = Path(__file__).parent.parent / "cases"
FEW = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BY_DAY = (
    "adoption", "active_1d", "active_7d", "active_28d", "stickiness", "time_to_value_mean", "time_to_value_censored",
    "activation",
)  # fmt: skip


@pytest.fixture
def tell(engine, store, write):
    def told(events, definitions=DEFINITIONS):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        store.insert(DECLARED, [declaration(definitions, 1)])
        said = [json.loads(line) for line in event_lines(events)]
        half = len(said) // 2
        log = log_of([said[:half], said[half:]], stream="usage", definitions=definitions)
        write(rows_of(log, definitions=definitions))

    return told


def case_events(name):
    return json.loads((CASES / f"{name}.json").read_text())["events"]


def utc(ms):
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def close(value):
    return None if value is None else pytest.approx(value)


def test_counters_have_the_names_the_family_gives_them(engine):
    rows = engine.query(
        "SELECT name FROM system.columns WHERE table = 'adoption_days' AND database = currentDatabase()"
        " ORDER BY position"
    )
    assert tuple(row["name"] for row in rows)[2:] == ADOPTION.counters


def test_500_of_1000_adopted(engine, tell):
    tell(case_events("R1-adoption"), declare({"adoption": {"core": ["board"]}}))
    (row,) = engine.query("SELECT * FROM adoption WHERE day <= '2026-02-25' ORDER BY day DESC LIMIT 1")
    assert (row["value"], row["n"]) == (0.5, 1000)
    assert (row["low"], row["high"]) == (pytest.approx(0.4691, abs=1e-4), pytest.approx(0.5309, abs=1e-4))
    (row,) = engine.query(
        "SELECT * FROM adoption_at(at = '2026-02-25 00:00:00', unit = 'account', core = ['board'], k = 1, d = 3,"
        " w = 28)"
    )
    assert (row["value"], row["n"]) == (0.5, 1000)
    (row,) = engine.query("SELECT * FROM time_to_value_at(at = '2026-02-25 00:00:00', unit = 'account')")
    assert (row["p50"], row["n"], row["censored_share"]) == (604800, 1, 0.999)


def test_case_u1_at_past_instants(engine, tell):
    tell(case_events("U1"))
    ask = (
        "SELECT value, n FROM adoption_at(at = {a:String}, unit = 'account', core = ['board', 'chart'],"
        " k = {k:Int32}, d = 3, w = {w:Int32}) WHERE tenant = 't'"
    )
    told = [engine.query(ask, a="2026-03-30 20:59:59", k=k, w=w) for k, w in ((2, 3), (1, 4))]
    assert told == [[{"value": 1 / 3, "n": 3}], [{"value": 2 / 3, "n": 3}]]
    (row,) = engine.query(ask, a="2026-03-30 11:59:59", k=1, w=3)
    assert row["n"] == 4


def test_case_u2_percentiles(engine, tell):
    tell(case_events("U2"), declare({"tenants": {"t": {"tz": "America/New_York"}}}))
    (row,) = engine.query("SELECT * FROM time_to_value_at(at = '2026-06-01 12:00:00', unit = 'account')")
    assert (row["p50"], row["p75"], row["p90"], row["n"]) == (86400, 1209600, 1209601, 5)
    assert (row["mean"], row["censored"], row["cohort"]) == (pytest.approx(518400.2), 2, 7)


def test_case_u3_counts_and_quantities(engine, tell):
    tell(case_events("U3"))
    ask = "SELECT value FROM {v:Identifier} WHERE day = '2026-03-29'"
    assert [engine.query(ask, v=view) for view in ("invites", "referrals")] == [
        [{"value": 2}],
        [{"value": 1}],
    ]
    rows = engine.query(
        "SELECT feature, value, n FROM usage_quantity(from = '2026-03-28 22:00:00', to = '2026-03-29 21:00:00')"
        " ORDER BY feature"
    )
    assert [tuple(row.values()) for row in rows] == [("board", 0.5, 1), ("export", 101, 2)]


@FEW
@given(stories())
def test_every_row_by_day_is_what_replay_says(engine, tell, story):
    tell(story.events)
    population = replay(event_lines(story.events), DEFINITIONS).population
    for metric in BY_DAY:
        for row in engine.query("SELECT * FROM {v:Identifier}", v=metric):
            end = midnight(row["day"] + timedelta(days=1), DEFINITIONS.zone(row["tenant"]))
            question = Question(metric, None, {"tenant": row["tenant"]}, None, end - 1)
            number = answer(population, question, DEFINITIONS)
            assert (row["value"], row.get("n")) == (close(number.value), number.n), (metric, row)


def test_an_erased_account_is_nowhere(engine, tell):
    gone = {"type": "pulse.usage.deleted", "time": "2026-04-01T00:00:00Z", "accountid": "x", "data": {}}
    tell([*case_events("U1")[:4], gone])
    for view in ("usage_accounts_now", "feature_uses", "usage_facts", "adoption", "active_28d"):
        assert engine.query("SELECT * FROM {v:Identifier}", v=view) == []
