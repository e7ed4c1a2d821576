"""What the board says, from events: the product's own state writes the log that is folded here."""

from zlib import crc32

import pytest

from pipeline.board.fold import Fold
from pipeline.board.places import NOW, Question
from pipeline.board.showing import snapshot_of
from pipeline.metrics.catalogue import METRICS, definition_of
from pipeline.metrics.definitions import declare
from tests.board.log import Worker, record, source, tell
from tests.builders import DAY, HOUR, UNDECLARED, event, ms


def answered(contact, at, wait, **more):
    return [
        event("queued", at - wait, contact=contact, **more),
        event("answered", at, contact=contact, answered_by="human", **more),
    ]


def abandoned(contact, at, wait, **more):
    return [
        event("queued", at - wait, contact=contact, **more),
        event("abandoned", at, contact=contact, **more),
    ]


def board(events, at, definitions=UNDECLARED, workers=1):
    """A snapshot at `at` seconds of events spread over workers by contact."""
    fold = Fold(definitions, ms(at))
    for number in range(workers):
        worker = Worker(number, partitions=workers, definitions=definitions)
        own = [said for said in events if crc32(said["data"]["contact_id"].encode()) % workers == number]
        tell(fold, worker, own, ms(at))
    return snapshot_of(fold, definitions, ms(at))


def number(snapshot, metric, window=None, by=("tenant", "queue", "channel")):
    """The number of the default definition; of several places there must be one."""
    rows = [row for row in snapshot.rows(Question(by=by, metrics=(metric,))) if row.window == window]
    (found,) = [row.number for row in rows if row.definition["name"] == row.metric.variants[0]]
    return found


def test_asa_is_the_mean_wait_of_answered_calls_in_the_window():
    events = [*answered("a", 100, 10), *answered("b", 110, 40), *abandoned("c", 115, 90)]
    found = number(board(events, 120), "asa_queue", "1m")
    assert (found.value, found.n) == (25.0, 2)


def test_asa_is_absent_and_counts_are_zero_when_nothing_happened():
    snapshot = board(answered("a", 0, 10), 1000)
    assert number(snapshot, "asa_queue", "1m") == (None, 0, None, None)
    assert number(snapshot, "answered", "1m").value == 0
    assert number(snapshot, "answered", "today").value == 1


def test_a_roll_up_sums_parts_and_never_averages_means():
    # sales: one call of 100 s; billing: three of 10 s → (100 + 30) / 4, not (100 + 10) / 2
    events = answered("s", 10, 100, queue_id="sales")
    for name in "abc":
        events += answered(name, 10, 10, queue_id="billing")
    snapshot = board(events, 20, workers=2)
    found = number(snapshot, "asa_queue", "1m", by=("tenant",))
    assert (found.value, found.n) == (32.5, 4)


def test_today_is_the_tenants_own_day_up_to_now():
    definitions = declare({"tenants": {"t": {"tz": "Europe/Bucharest"}}})
    # Local midnight in March is 22:00 UTC, 11 hours before T0.
    events = [*answered("before", -11 * HOUR - 1, 1), *answered("after", -11 * HOUR, 1)]
    assert number(board(events, 0, definitions), "answered", "today").value == 1


def test_today_leaves_out_what_is_dated_after_now():
    """A callback scheduled for this evening is offered this evening, not yet this morning."""
    events = [
        event("queued", 0, contact="now"),
        event("queued", 0, contact="later", callback=True, enqueued_at=8 * HOUR),
    ]
    assert number(board(events, 60), "offered", "today").value == 1
    assert number(board(events, 8 * HOUR), "offered", "today").value == 2


def test_yesterday_is_not_today():
    assert number(board(answered("a", -DAY, 5), 0), "answered", "today").value == 0


def test_waiting_follows_the_boards_clock():
    snapshot = board([event("queued", 5, contact="a"), event("queued", 9, contact="b")], 65)
    assert number(snapshot, "in_queue").value == 2
    assert number(snapshot, "oldest_waiting").value == 60.0


def test_nobody_waiting_has_no_oldest():
    snapshot = board(answered("a", 0, 10), 60)
    assert number(snapshot, "oldest_waiting").value is None
    assert number(snapshot, "in_queue").value == 0


def test_levels_of_all_partitions_are_read_together():
    events = [event("queued", at, contact=f"c{at}") for at in range(8)]
    snapshot = board(events, 60, workers=3)
    assert number(snapshot, "in_queue", by=()).value == 8
    assert number(snapshot, "oldest_waiting", by=()).value == 60.0


def test_quarantine_belongs_to_a_tenant():
    events = [
        *answered("ok", 50, 1),
        event("queued", 100, contact="x"),
        event("answered", 50, contact="x", answered_by="human"),
    ]
    snapshot = board(events, 120)
    assert number(snapshot, "quarantined", by=("tenant",)).value == 1
    assert number(board(answered("ok", 50, 1), 120), "quarantined", by=("tenant",)).value == 0


def test_every_row_says_its_definition():
    snapshot = board(answered("a", 0, 10), 5)
    named = {row.definition["name"] for row in snapshot.rows(Question(metrics=("asa_queue",)))}
    assert named == {"enqueued", "created"}


def test_windows_choose_rows_and_now_means_levels():
    snapshot = board(answered("a", 0, 10), 5)
    assert {row.window for row in snapshot.rows(Question(windows=("5m",)))} == {"5m"}
    assert {row.window for row in snapshot.rows(Question(windows=(NOW,)))} == {None}


def test_one_queue_can_be_asked_for():
    events = answered("s", 10, 100, queue_id="sales") + answered("b", 10, 20, queue_id="billing")
    rows = list(
        board(events, 20).rows(Question(by=("tenant", "queue"), queue="sales", metrics=("answered",)))
    )
    assert {row.place for row in rows} == {("t", "sales", None)}


@pytest.mark.parametrize(("moved", "watermark"), [(10, 100), (70, 200)])
def test_the_watermark_is_the_lowest_of_partitions_that_are_not_idle(moved, watermark):
    fold = Fold(UNDECLARED, ms(0))
    fold.take(source(0), record(0, next_offset=1, watermark=100, appended_at=ms(0)))
    fold.take(source(1), record(0, next_offset=1, watermark=200, appended_at=ms(moved)))
    assert snapshot_of(fold, UNDECLARED, ms(moved)).watermark == watermark


def test_the_age_of_data_is_that_of_the_partition_furthest_behind():
    fold = Fold(UNDECLARED, ms(0))
    for partition, at in ((0, 0), (1, 20)):
        fold.take(source(partition), record(0, next_offset=1, appended_at=ms(at)))
    assert snapshot_of(fold, UNDECLARED, ms(30)).age_ms == 30_000


def test_a_board_that_knows_nothing_has_no_age_and_no_watermark():
    snapshot = snapshot_of(Fold(UNDECLARED, ms(0)), UNDECLARED, ms(0))
    assert (snapshot.age_ms, snapshot.watermark, list(snapshot.rows())) == (None, None, [])


def test_half_a_log_shows_no_numbers():
    fold, worker = Fold(UNDECLARED, ms(60)), Worker(partitions=2)
    tell(fold, worker, answered("a", 30, 10), ms(60))
    fold.expect(source(1))
    assert list(snapshot_of(fold, UNDECLARED, ms(60)).rows()) == []
    fold.caught_up(source(1))
    assert number(snapshot_of(fold, UNDECLARED, ms(60)), "answered", "1m").value == 1


def test_a_refused_partition_does_not_hide_the_others():
    fold, worker = Fold(UNDECLARED, ms(60)), Worker(partitions=2)
    tell(fold, worker, answered("a", 30, 10), ms(60))
    fold.refuse(source(1), "no")
    assert number(snapshot_of(fold, UNDECLARED, ms(60)), "answered", "1m").value == 1


RIPENING = [
    event("queued", 30, contact="a"), event("answered", 45, contact="a"),
    event("queued", 38, contact="b"),
    event("queued", 42, contact="d"),
]  # fmt: skip


def level(snapshot, window, **asked):
    definition = definition_of(METRICS["service_level"], asked)
    (row,) = snapshot.rows(Question(metrics=("service_level",), windows=(window,), definition=definition))
    return row.number[:2]


@pytest.mark.parametrize("window", ["1m", "1h", "today"])
def test_service_level_leaves_out_legs_that_still_have_time(window):
    #   ─30a───38b─|40─42d───────60 = now      X = 20 s: buckets that end at or before 40 count
    snapshot = board(RIPENING, 60)
    assert level(snapshot, window) == (0.5, 2)
    assert level(snapshot, window, mature=False) == (1 / 3, 3)
    assert level(snapshot, window, X=10) == (0, 3)
    assert level(snapshot, window, X=30) == (None, 0)
    assert number(snapshot, "offered", window).value == 3


def test_cohorts_as_young_as_the_window_say_nothing_yet():
    assert level(board(RIPENING, 60), "1m", X=60) == (None, 0)


def test_what_is_shown_does_not_change_with_the_fold():
    fold = Fold(UNDECLARED, ms(60))
    worker = Worker()
    tell(fold, worker, RIPENING, ms(60))
    shown = snapshot_of(fold, UNDECLARED, ms(60))
    tell(fold, worker, [event("queued", 41, contact="e")], ms(60))
    assert level(shown, "1m") == (0.5, 2)


def test_customers_are_told_by_path():
    events = [
        *answered("a", 10, 4),
        event("queued", 0, contact="b"),
        event("transferred", 5, contact="b"),
        event("queued", 5, contact="b", leg="2"),
        event("answered", 20, contact="b", leg="2"),
    ]
    snapshot = board(events, 60)
    rows = {
        row.place: row.number[:2]
        for row in snapshot.rows(Question(metrics=("asa_customer",), windows=("5m",)))
    }
    assert rows == {("t", "q", "voice", "direct"): (4, 1), ("t", "q", "voice", "transfer"): (20, 1)}
    (total,) = snapshot.rows(Question(metrics=("asa_customer",), windows=("5m",), by=("tenant",)))
    assert total.number[:2] == (12, 2)


def test_percentile_lies_between_the_bounds_of_its_bucket():
    # Waits of 1, 4, 9 and 40 s: the median is the second, between 3 and 5 s.
    events = [
        said for name, wait in zip("abcd", (1, 4, 9, 40), strict=True) for said in answered(name, 50, wait)
    ]
    found = number(board(events, 60), "asa_p50", "5m")
    assert (found.value, found.n, found.low, found.high) == (5, 4, 3, 5)


def test_percentile_above_the_last_bound_is_known_to_be_no_less():
    found = number(board(answered("a", 5000, 4000), 5000), "asa_p90", "5m")
    assert found == (3600, 1, 3600, None)
