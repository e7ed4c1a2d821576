"""Why a closed bucket changed: the cause that the revision log shows (metrics.md §8)."""

import pytest

from pipeline.metrics.buckets import DAY, LEVEL, LIVE
from pipeline.metrics.definitions import declare
from tests.builders import DAY as ONE_DAY
from tests.builders import HOUR, T0, event, partition, records

MIDNIGHT = T0 - 9 * 3_600_000
LEFT = (LIVE, "leave", "t", ("q", "voice"), T0)
COHORT = (LIVE, "cohort", "t", ("q", "voice"), T0)
DAY_LEFT = (DAY, "leave", "t", ("q", "voice"), MIDNIGHT)


def causes_after(before, *then):
    """Causes of what changes when `then` follows on a commit of `before`."""
    found = partition(before)
    found.ledger.changed.clear()
    found.apply(records(then, found.next_offset))
    return dict(found.ledger.changed)


def tick(at):
    return event("initiated", at, contact=f"tick{at}")


def test_what_comes_in_its_time_has_no_cause():
    changed = causes_after([event("queued", 0)], event("abandoned", 3))
    assert (changed[LEFT], changed[DAY_LEFT]) == ("", "")


@pytest.mark.parametrize(("clock", "cause"), [(69.999, ""), (70, "late")])
def test_bucket_is_closed_when_the_clock_has_passed_its_end_by_sixty_seconds(clock, cause):
    #   [0 ── 10) ────── 60 s ────── 70
    assert causes_after([event("queued", 0), tick(clock)], event("abandoned", 3))[LEFT] == cause


def test_day_is_open_while_its_buckets_are_closed():
    assert causes_after([event("queued", 0), tick(HOUR)], event("abandoned", 3))[DAY_LEFT] == ""


@pytest.mark.parametrize(("clock", "cause"), [(15 * HOUR + 59.999, ""), (15 * HOUR + 60, "late")])
def test_day_is_closed_sixty_seconds_after_midnight(clock, cause):
    assert causes_after([event("queued", 0), tick(clock)], event("abandoned", 3))[DAY_LEFT] == cause


def test_correction_and_erasure_are_causes_of_their_own():
    told = [event("queued", 0), event("abandoned", 3, id="1"), tick(HOUR)]
    assert causes_after(told, event("abandoned", 4, corrects="1"))[LEFT] == "corrected"
    assert causes_after(told, event("voided", HOUR, corrects="1"))[LEFT] == "corrected"
    assert causes_after(told, event("deleted", HOUR))[LEFT] == "deleted"


def test_what_nets_to_nothing_is_a_change_all_the_same():
    found = partition([event("queued", 0, id="1"), event("abandoned", 3)])
    found.ledger.changed.clear()
    found.apply(records([event("deleted", 9)], found.next_offset))
    assert found.ledger.buckets[LEFT] == {}
    assert LEFT in found.ledger.changed


def test_unchanged_buckets_are_not_written_again():
    assert LEFT not in causes_after([event("queued", 0), event("abandoned", 3)], event("ended", 4))


def test_duplicate_changes_nothing():
    assert causes_after([event("queued", 0)], event("queued", 0)) == {}


def test_level_is_told_when_it_changes():
    changed = causes_after([event("queued", 0)], event("abandoned", 3))
    assert (LEVEL, "waiting", "t", ("q", "voice"), 0) in changed


def test_day_is_the_tenants_own():
    there = declare({"tenants": {"t": {"tz": "Pacific/Kiritimati"}}})  # UTC+14: 09:00 UTC is 23:00
    told = [event("queued", 0), event("abandoned", 3), event("queued", HOUR, contact="d")]
    found = partition(told, definitions=there)
    days = {key[4]: cells for key, cells in found.ledger.buckets.items() if key[:2] == (DAY, "cohort")}
    assert sorted(days) == [MIDNIGHT, MIDNIGHT + ONE_DAY * 1000]


def test_call_across_midnight_counts_on_the_day_it_entered_and_on_the_day_it_left():
    late = 15 * HOUR
    found = partition([event("queued", late - 1), event("answered", late)])
    days = {key[1]: key[4] for key in found.ledger.buckets if key[0] == DAY}
    next_day = MIDNIGHT + ONE_DAY * 1000
    assert days == {"cohort": MIDNIGHT, "leave": next_day, "customer": next_day}
