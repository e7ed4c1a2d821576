"""The watch on the simulator's business: silent on its honest weeks, and on what is planted it speaks."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest

from pipeline.sources.business.gaming import KINDS, gaming_days
from pipeline.sources.business.params import Business, Gaming
from pipeline.sources.business.story import simulate_business
from tests.sink.test_gaming_watch import fill

DECLARED = tomllib.loads((Path(__file__).parents[2] / "definitions.toml").read_text(encoding="utf-8"))
"""By which the line of what is planted has its own desk: their names differ."""
CALLS_A_MONTH = 6.0
START = date(2026, 1, 5)
START_MS = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp() * 1000)
DAYS = 40
GAMING = Gaming(first_day=32)
HONEST_SEEDS = (3, 4, 5, 6)
PLANTED_SEEDS = (3, 4)
WATCHED = ("call", "ticket", "survey")
SEEN = {
    "rushed": {"faster_csat_worse", "faster_repeats_up", "faster_transfers_up", "faster_reopens_up"},
    "just_under": {"waits_under_threshold"},
    "hung_up": {"short_answers"},
    "solved_early": {"solved_reopened"},
}
"""What is planted, and what the watch calls it."""


def told(gaming: Gaming | None, seed: int):
    end_ms = START_MS + DAYS * 86_400_000
    story = simulate_business(Business(gaming=gaming, calls=CALLS_A_MONTH), seed, START_MS)
    for each in takewhile(lambda each: each.deliver_at_ms < end_ms, story):
        if each.stream in WATCHED:
            yield each.event


def flags(engine, events, **declared):
    fill(engine, list(events), **{"tenants": DECLARED["tenants"], **declared})
    last = START + timedelta(days=DAYS - 1)
    return engine.query(f"SELECT * FROM gaming_flags(first = '{START}', last = '{last}')")


@pytest.mark.parametrize("seed", HONEST_SEEDS)
def test_the_honest_business_is_silent(engine, seed):
    assert flags(engine, told(None, seed)) == []


@pytest.fixture(scope="module", params=PLANTED_SEEDS)
def planted(_migrated, request):
    return flags(_migrated, told(GAMING, request.param))


def test_all_that_is_planted_is_looked_for():
    assert set(SEEN) == set(KINDS)


@pytest.mark.parametrize("kind", SEEN)
def test_what_is_planted_is_flagged_on_its_day(planted, kind):
    day = gaming_days(GAMING, START_MS)[kind]
    found = {flag["kind"] for flag in planted if (flag["day"], flag["queue"]) == (day, GAMING.queue)}
    assert found >= SEEN[kind]


def test_nothing_else_is_flagged(planted):
    days = set(gaming_days(GAMING, START_MS).values())
    assert [flag for flag in planted if flag["day"] not in days or flag["queue"] != GAMING.queue] == []


def test_a_desk_of_another_name_is_not_held_to_the_speed_of_a_line_it_is_not_declared_for(engine):
    found = flags(engine, told(GAMING, PLANTED_SEEDS[0]), tenants={})
    assert {flag["queue"] for flag in found if flag["kind"] == "solved_reopened"} == {GAMING.group}
    assert {flag["kind"] for flag in found if flag["queue"] == GAMING.queue} == set().union(
        *(kinds - {"faster_reopens_up", "solved_reopened"} for kinds in SEEN.values())
    )
