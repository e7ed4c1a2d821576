"""The watch on the simulator's business: silent on its honest weeks, and on what is planted it speaks."""

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

import pytest

from pipeline.sources.business.gaming import KINDS, gaming_days
from pipeline.sources.business.params import Business, Gaming
from pipeline.sources.business.story import simulate_business
from tests.sink.test_gaming_watch import fill

CALLS_A_MONTH = 6.0
START = date(2026, 1, 5)
DAYS = 40
FIRST_DAY = 32
SEED = 3
WATCHED = ("call", "ticket", "survey")
SEEN = {
    "just_under": {"waits_under_threshold"},
    "hung_up": {"short_answers"},
    "solved_early": {"solved_reopened"},
}
"""What is planted, and what the watch calls it. The day of `rushed` is no faster than honest days are: a line
of one agent swings between 0 and 300 s, so no test can tell; tests/gaming_stories.py holds those kinds.
"""


def told(gaming: Gaming | None):
    start_ms = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp() * 1000)
    end_ms = start_ms + DAYS * 86_400_000
    story = simulate_business(Business(gaming=gaming, calls=CALLS_A_MONTH), SEED, start_ms)
    for each in takewhile(lambda each: each.deliver_at_ms < end_ms, story):
        if each.stream in WATCHED:
            yield each.event


def flags(engine, events):
    fill(engine, list(events))
    last = START + timedelta(days=DAYS - 1)
    return engine.query(f"SELECT * FROM gaming_flags(first = '{START}', last = '{last}')")


@pytest.fixture(scope="module")
def honest(_migrated):
    return flags(_migrated, told(None))


def test_the_honest_business_is_silent(honest):
    assert honest == []


@pytest.fixture(scope="module")
def planted(_migrated):
    return flags(_migrated, told(Gaming(first_day=FIRST_DAY)))


@pytest.mark.parametrize("kind", SEEN)
def test_what_is_planted_is_flagged_on_its_day(planted, kind):
    start_ms = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp() * 1000)
    day = gaming_days(Gaming(first_day=FIRST_DAY), start_ms)[kind]
    assert {flag["kind"] for flag in planted if flag["day"] == day} >= SEEN[kind]


def test_nothing_else_is_flagged(planted):
    first = START + timedelta(days=FIRST_DAY)
    assert [flag for flag in planted if not first <= flag["day"] < first + timedelta(days=len(KINDS))] == []
