"""Views of surveys, stages and staff on the real engine, against numbers worked by hand and the oracle."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.metrics.definitions import declare
from pipeline.metrics.families import SURVEY_ANSWERS, SURVEY_SENT
from pipeline.metrics.windows import DAY_WINDOWS, midnight
from pipeline.sink.event_rows import source_rows
from pipeline.sink.tables import TABLES
from tests import voice_oracle as oracle
from tests.sink.told import log_of, rows_of, source_record
from tests.voice_strategies import FRIDAY, KEYS, SLOT_MS, TENANTS, histories

DEFINITIONS = declare({"tenants": TENANTS})
CASES = Path(__file__).parent.parent / "cases"
FEW = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def tell(engine, write):
    def told(stream, events):
        for table in TABLES:
            engine.command(f"TRUNCATE TABLE {table.name}")
        half = len(events) // 2
        log = log_of([events[:half], events[half:]], stream=stream, definitions=DEFINITIONS)
        write(rows_of(log, definitions=DEFINITIONS))

    return told


def case_events(name):
    case = json.loads((CASES / f"{name}.json").read_text())
    return [
        {"specversion": "1.0", "source": "/case", "id": f"e{place}", "tenantid": "t", **said}
        for place, said in enumerate(case["events"])
    ]


def the(engine, sql, **parameters):
    (row,) = engine.query(sql, **parameters)
    return row


def utc(ms):
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def test_case_s1_by_day(engine, tell):
    """Of 100 NPS answers 70 are 9, 10 are 7, 20 are low; 192 of 240 CSAT answers are in the top two."""
    tell("survey", case_events("S1"))
    nps = the(engine, "SELECT * FROM nps WHERE day = '2026-03-02'")
    assert (nps["value"], nps["n"]) == (50, 100)
    assert (nps["low"], nps["high"]) == (pytest.approx(34.2, abs=0.05), pytest.approx(65.8, abs=0.05))
    csat = the(engine, "SELECT * FROM csat")
    assert (csat["value"], csat["n"]) == (pytest.approx(0.8), 240)
    assert (csat["low"], csat["high"]) == (pytest.approx(0.745, abs=1e-3), pytest.approx(0.8457, abs=1e-3))
    assert the(engine, "SELECT value FROM csat_commented")["value"] == 0.25
    assert the(engine, "SELECT count() AS n FROM surveys_now")["n"] == 340


def test_cells_have_the_names_the_families_give_them(engine):
    for view, family in (("survey_answers_now", SURVEY_ANSWERS), ("survey_sent_now", SURVEY_SENT)):
        rows = engine.query(
            "SELECT name FROM system.columns WHERE table = {t:String} ORDER BY position", t=view
        )
        assert tuple(row["name"] for row in rows)[4:] == family.counters


def test_a_window_off_the_ten_second_edges_is_an_error(engine):
    with pytest.raises(Exception, match="10-second edges"):
        engine.query("SELECT * FROM voice_window(from = '2026-03-02 09:00:01', to = '2026-03-02 10:00:00')")


@pytest.mark.parametrize("stream", sorted(KEYS))
def test_an_erased_entity_is_nowhere(engine, write, store, stream):
    entity = {KEYS[stream]: "x"}
    data = {
        "survey": ("sent", {**entity, "kind": "csat"}),
        "account": ("created", {"stage": "onboarding"}),
        "agent": ("joined", {**entity, "department": "support"}),
    }
    what, said = data[stream]
    base = {"specversion": "1.0", "source": "/s", "tenantid": "t", "time": "2026-03-02T09:00:00Z"}
    base |= {"accountid": "x"} if stream == "account" else {}
    made = {**base, "id": "1", "type": f"pulse.{stream}.{what}", "data": said}
    gone = {
        **base,
        "id": "2",
        "type": f"pulse.{stream}.deleted",
        "data": entity if stream != "account" else {},
    }
    for offset, each in enumerate((made, gone, made)):
        write(source_rows(source_record(each, offset), stream))
    write(rows_of(log_of([[made]], stream=stream)))
    assert engine.query(f"SELECT * FROM {stream}s_now") == []
    kinds = [row["type"] for row in engine.query("SELECT type FROM raw_events_now")]
    assert kinds == [f"pulse.{stream}.deleted"]
    store.purge()


def agree(found, expected):
    value, n = expected
    assert found["value"] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9))
    assert n is None or found["n"] == n


@FEW
@given(told=histories("survey", 40), start=st.integers(0, 100), length=st.integers(20, 400))
def test_windows_of_voice_are_the_oracles(engine, tell, told, start, length):
    tell("survey", told)
    span = FRIDAY + start * SLOT_MS, FRIDAY + (start + length) * SLOT_MS
    rows = engine.query(
        "SELECT * FROM voice_window(from = {f:String}, to = {t:String})", f=utc(span[0]), t=utc(span[1])
    )
    for row in rows:
        dims = {"tenant": row["tenant"], "queue": row["queue"]}
        agree(row, oracle.SURVEYS[row["metric"]](told, *span, dims, None))
    assert {row["metric"] for row in rows} <= set(oracle.SURVEYS)
    for metric in ("csat", "csat_response_rate"):
        counted = sum(row["n"] for row in rows if row["metric"] == metric)
        assert counted == oracle.SURVEYS[metric](told, *span, {}, None)[1]


@FEW
@given(told=histories("account", 40), after=st.integers(0, 40 * 48))
def test_stages_are_the_oracles(engine, tell, told, after):
    tell("account", told)
    at = FRIDAY + after * SLOT_MS
    rows = engine.query("SELECT * FROM accounts_in_stage_at(at = {at:String})", at=utc(at))
    for row in rows:
        dims = {"tenant": row["tenant"], "stage": row["stage"]}
        assert row["value"] == oracle.accounts_in_stage(told, at, dims)[0]
    assert sum(row["value"] for row in rows) == oracle.accounts_in_stage(told, at, {})[0]
    for row in engine.query("SELECT * FROM accounts_in_stage"):
        zone = DEFINITIONS.zone(row["tenant"])
        end = midnight(row["day"] + timedelta(days=1), zone) - 1
        dims = {"tenant": row["tenant"], "stage": row["stage"]}
        assert row["value"] == oracle.accounts_in_stage(told, end, dims)[0]
    for row in engine.query("SELECT * FROM time_in_stage"):
        zone = DEFINITIONS.zone(row["tenant"])
        span = midnight(row["day"], zone), midnight(row["day"] + timedelta(days=1), zone)
        dims = {"tenant": row["tenant"], "stage": row["stage"]}
        agree(row, oracle.time_in_stage(told, *span, dims, None))
    moves = sum(row["value"] for row in engine.query("SELECT value FROM stage_moves"))
    assert moves == oracle.stage_moves(told, 0, 1 << 50, {}, None)[0]


@FEW
@given(told=histories("agent", 40), seed=st.integers(0, 1000))
def test_staff_is_the_oracles(engine, tell, told, seed):
    tell("agent", told)
    rng = random.Random(seed)
    for metric in ("internal_mobility", "attrition"):
        rows = engine.query("SELECT * FROM {v:Identifier}", v=metric)
        for row in rng.sample(rows, min(25, len(rows))):
            zone = DEFINITIONS.zone(row["tenant"])
            end = midnight(row["day"] + timedelta(days=1), zone) - 1
            assert row["window"] in DAY_WINDOWS
            span = oracle.window(row["window"], end, zone)
            agree(row, oracle.DAYS[metric](told, *span, {"tenant": row["tenant"]}, None))
    first = date(2026, 3, 27) + timedelta(days=rng.randrange(5))
    for tenant in TENANTS:
        zone = DEFINITIONS.zone(tenant)
        span = midnight(first, zone), midnight(first + timedelta(days=rng.randrange(1, 30)), zone)
        rows = engine.query(
            "SELECT * FROM staff_window(from = {f:String}, to = {t:String}) WHERE tenant = {n:String}",
            f=utc(span[0]), t=utc(span[1]), n=tenant,
        )  # fmt: skip
        for row in rows:
            for metric in ("internal_mobility", "attrition"):
                value, _ = oracle.DAYS[metric](told, *span, {"tenant": tenant}, None)
                assert row[metric] == (None if value is None else pytest.approx(value))


def test_headcount_by_department_holds_until_the_next_row(engine, tell):
    base = {"specversion": "1.0", "source": "/hr", "tenantid": "t"}
    facts = [
        ("joined", "a", "2026-03-02T09:00:00+02:00", {"department": "support"}),
        ("joined", "b", "2026-03-02T10:00:00+02:00", {"department": "support"}),
        (
            "moved",
            "b",
            "2026-03-04T09:00:00+02:00",
            {"from_department": "support", "to_department": "product"},
        ),
        ("left", "a", "2026-03-05T23:30:00+02:00", {"voluntary": True}),
    ]
    told = [
        {
            **base,
            "id": f"e{i}",
            "type": f"pulse.agent.{what}",
            "time": at,
            "data": {"agent_id": agent, **data},
        }
        for i, (what, agent, at, data) in enumerate(facts)
    ]
    tell("agent", told)
    rows = engine.query("SELECT day, department, value FROM headcount ORDER BY day, department")
    assert [(row["day"].day, row["department"], row["value"]) for row in rows] == [
        (2, "support", 2),
        (4, "product", 1),
        (4, "support", 1),
        (5, "support", 0),
    ]
    agent = the(engine, "SELECT * FROM agents_now WHERE agent_id = 'a'")
    assert (agent["department"], list(agent["departed_voluntarily"])) == ("", [1])
