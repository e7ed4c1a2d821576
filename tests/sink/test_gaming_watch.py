"""The watch on gamed numbers: silent on honest weeks, and tells each planted kind with what it rests on."""

from datetime import date, timedelta

import pytest

from pipeline.metrics.definitions import declare
from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import Store
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, TABLES
from pipeline.sink.writer import Writer
from tests.gaming_stories import DAYS, GAMED, story
from tests.sink.told import log_of, rows_of

FIRST, LAST = date(2026, 3, 2), date(2026, 3, 2) + timedelta(days=DAYS - 1)
HONEST = [f"honest-{seed}" for seed in range(4)]
BUSY = "honest-busy"
SPAN = f"first = '{FIRST}', last = '{LAST}'"
WITHOUT_NAMES = "nameless"


def fill(engine, events, **declared):
    for table in TABLES:
        engine.command(f"TRUNCATE TABLE {table.name}")
    definitions = declare(declared)
    store = Store(engine.settings)
    store.insert(DEFINITIONS, [declaration(definitions, 1)])
    batch = Batch()
    for stream in ("call", "ticket", "survey"):
        told = [said for said in events if said["type"].split(".")[1] == stream]
        log = log_of([told], stream=stream, definitions=definitions)
        batch.add((stream, 0), rows_of(log, definitions=definitions), 1)
    Writer(store, pytest.fail, pytest.fail, pytest.fail).write(batch)
    store.close()


def without_names(events):
    for said in events:
        said["data"].pop("customer_ref", None)
        said["data"].pop("respondent_ref", None)
    return events


@pytest.fixture(scope="module")
def weeks(_migrated):
    """Honest queues, one gamed by each kind on its last two days, and one gamed of which no customer is known.

    A heap of waits is looked for in six seconds of a wait: only a busy queue has enough of them in a day.
    """
    events = [said for seed, queue in enumerate(HONEST) for said in story(queue, seed)]
    events += story(BUSY, 50, days=6, per_day=300)
    for seed, (kind, habits) in enumerate(GAMED.items()):
        busy = {"days": 6, "per_day": 300} if kind == "waits_under_threshold" else {}
        events += story(kind, 100 + seed, habits, **busy)
    events += without_names(story(WITHOUT_NAMES, 7, GAMED["short_answers"], days=6))
    fill(_migrated, events, n_min=10)
    return _migrated


@pytest.fixture(scope="module")
def flags(weeks):
    return weeks.query(f"SELECT * FROM gaming_flags({SPAN})")


@pytest.fixture(scope="module")
def evidence(weeks):
    return weeks.query(f"SELECT * FROM gaming_evidence({SPAN})")


def test_honest_weeks_are_silent(weeks, flags):
    judged = weeks.query(
        f"SELECT queue, kind, count() AS days FROM gaming_judged({SPAN}) GROUP BY queue, kind"
    )
    told = {(row["queue"], row["kind"]) for row in judged if row["days"] >= 5}
    kinds = GAMED.keys() - {"waits_under_threshold"}
    assert told >= {(queue, kind) for queue in HONEST for kind in kinds} | {(BUSY, "waits_under_threshold")}
    assert [flag for flag in flags if flag["queue"] in [*HONEST, BUSY]] == []


def test_before_it_was_gamed_a_queue_is_silent(flags):
    assert [flag for flag in flags if flag["day"] <= LAST - timedelta(days=2)] == []


@pytest.mark.parametrize("kind", GAMED)
def test_a_gamed_queue_is_flagged_on_its_days(flags, kind):
    days = {flag["day"] for flag in flags if flag["queue"] == kind and flag["kind"] == kind}
    assert days == {LAST - timedelta(days=1), LAST}


BESIDE = {("faster_reopens_up", "solved_reopened")}
"""Kinds that are seen in each other: many reopenings are one sign, with or without speed."""


def test_a_gamed_queue_is_flagged_for_what_was_done(flags):
    others = {(flag["queue"], flag["kind"]) for flag in flags if flag["queue"] != flag["kind"]}
    assert others <= BESIDE


def test_a_flag_says_by_how_much(flags):
    for flag in flags:
        assert flag["value"] >= flag["low"] > flag["floor"]
        if flag["kind"].startswith("faster"):
            assert flag["low"] > flag["base_high"] > flag["base_value"]
            assert flag["seconds"] < flag["base_seconds"]
            assert flag["base_days"] >= 7


def test_every_flag_has_as_much_evidence_as_it_counts(flags, evidence):
    key = ("tenant", "queue", "day", "kind", "threshold_ms")
    found = {}
    for row in evidence:
        found.setdefault(tuple(row[name] for name in key), []).append(row)
    assert {name: len(rows) for name, rows in found.items()} == {
        tuple(flag[name] for name in key): flag["hits"] for flag in flags
    }


def test_the_evidence_is_of_its_kind(evidence):
    for row in evidence:
        streams = {"faster_csat_worse": "survey", "faster_reopens_up": "ticket", "solved_reopened": "ticket"}
        assert row["stream"] == streams.get(row["kind"], "call")
        assert row["entity"].startswith(row["queue"])
        assert row["customer"].startswith(f"customer {row['queue']}")
        if row["kind"] in ("short_answers", "faster_repeats_up"):
            assert row["related"].startswith(row["queue"])
            assert row["related"] != row["entity"]
        if row["kind"] == "short_answers":
            assert row["value"] < 5000
        if row["kind"] == "waits_under_threshold":
            assert 18_000 < row["value"] <= 20_000


def test_what_no_customer_is_known_of_is_not_judged(weeks):
    rows = weeks.query(f"SELECT * FROM gaming_judged({SPAN}) WHERE queue = {{q:String}}", q=WITHOUT_NAMES)
    assert rows == []
