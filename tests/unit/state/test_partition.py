"""What becomes of each record of a batch."""

import pytest

from pipeline.events.rejects import Reason
from pipeline.state.partition import GapError, Partition
from pipeline.state.retention import NO_HORIZONS
from tests.builders import UNDECLARED, Record, event, ms, raw, records


def fresh(**more):
    return Partition(UNDECLARED, NO_HORIZONS, **more)


def test_applied_batch_says_what_became_of_each_record():
    found = fresh(check_future=False)
    batch = records(
        [
            event("queued", 0),
            event("queued", 0),
            event("praised", 1),
            event("answered", 2, timebasis="arrival"),
        ]
    )
    applied = found.apply([*batch, Record(4, b"no event", ms(9), b"k"), Record(5, None)])
    assert applied._replace(dead_letters=[]) == (6, 1, 0, 1, 1, [], ms(9))
    assert [
        (letter.offset, letter.timestamp, letter.value, letter.key) for letter in applied.dead_letters
    ] == [
        (4, ms(9), b"no event", b"k"),
        (5, None, b"", None),
    ]
    assert {letter.rejected.reason for letter in applied.dead_letters} == {Reason.NOT_JSON}


def test_next_offset_lies_behind_the_last_record():
    found = fresh(check_future=False)
    found.apply(records([event("queued", 0)] * 3))
    assert found.next_offset == 3


def test_records_below_the_next_offset_are_skipped():
    found = fresh(check_future=False)
    found.apply(records([event("queued", 0), event("queued", 1)]))
    applied = found.apply(records([event("queued", 0), event("queued", 1), event("answered", 2)]))
    assert (applied.consumed, applied.duplicate, found.next_offset) == (1, 0, 3)


def test_batch_that_starts_too_high_is_refused_and_changes_nothing():
    found = fresh(check_future=False)
    found.apply(records([event("queued", 0)]))
    with pytest.raises(GapError, match="offset 3 came where 1 was expected"):
        found.apply(records([event("queued", 9, contact="d")], first=3))
    assert (found.next_offset, found.watermark, list(found.entities.by_key)) == (1, ms(0), ["t|c"])


def test_hole_that_somebody_accepted_is_passed():
    found = fresh(check_future=False)
    found.apply(records([event("queued", 0)], first=3), hole_accepted=True)
    assert found.next_offset == 4


def test_holes_inside_a_batch_are_transactions_markers():
    found = fresh(check_future=False)
    batch = [Record(0, raw(event("queued", 0))), Record(2, raw(event("answered", 5)))]
    assert (found.apply(batch).consumed, found.next_offset) == (2, 3)


def test_empty_batch_changes_nothing():
    found = fresh()
    assert found.apply([]) == (0, 0, 0, 0, 0, [], 0)
    assert (found.next_offset, found.watermark) == (0, 0)


def test_watermark_is_the_largest_time_of_accepted_events():
    found = fresh()
    found.apply(
        [
            Record(0, raw(event("queued", 50, enqueued_at=4000)), ms(50)),  # not moved by enqueued_at
            Record(1, raw(event("queued", 20, contact="d")), ms(60)),  # never backwards
            Record(2, raw(event("queued", 500, contact="e")), ms(60)),  # future: not accepted
            Record(3, raw(event("praised", 70)), ms(70)),  # ignored
        ]
    )
    assert found.watermark == ms(50)


def test_event_too_far_ahead_of_its_append_time_is_a_dead_letter():
    batch = [Record(0, raw(event("queued", 301)), ms(0)), Record(1, raw(event("queued", 300)), ms(0))]
    assert [letter.offset for letter in fresh().apply(batch).dead_letters] == [0]
    assert fresh(check_future=False).apply(batch).dead_letters == []


def test_one_bad_event_does_not_spoil_its_neighbours():
    found = fresh(check_future=False)
    found.apply([Record(0, b"{"), Record(1, raw(event("queued", 0))), Record(2, b"")])
    assert list(found.entities.by_key) == ["t|c"]


def test_tenants_with_equal_contacts_do_not_meet():
    found = fresh(check_future=False)
    found.apply(records([event("queued", 0), event("answered", 5, tenantid="u")]))
    assert sorted(found.entities.by_key) == ["t|c", "u|c"]
