"""The fold's laws: any split into parts, any replay, any `now` give what one pass from scratch gives."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.board.fold import DAYS_KEPT, Fold
from pipeline.metrics.buckets import DAY, LEVEL, LIVE, LevelValue, merge
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import DAY_MS, LIVE_WINDOWS, floor_bucket, live_window
from tests.board.log import record, source
from tests.builders import T0, UNDECLARED

KEY = (LIVE, "leave", "t", ("q", "voice"), T0)
SERIES = ("leave", "t", ("q", "voice"))
MINUTE = 60_000


def folded(*records, now=T0, upto=None):
    fold = Fold(UNDECLARED, now)
    for each in records:
        fold.take(source(), each)
    return fold


def window(fold, name="1m", series=SERIES):
    return fold.series[series].windows[name] if series in fold.series else {}


def test_a_later_value_of_a_bucket_replaces_the_earlier_one():
    fold = folded(record(0, [(KEY, {0: 3, 1: 70})]), record(2, [(KEY, {0: 4, 1: 50, 2: 1})]))
    assert window(fold) == {0: 4, 1: 50, 2: 1}


def test_values_of_all_source_partitions_are_summed():
    fold = folded(record(0, [(KEY, {0: 3})]))
    fold.take(source(1), record(0, [(KEY, {0: 4, 2: 1})]))
    assert window(fold) == {0: 7, 2: 1}


def test_a_commit_is_not_seen_before_its_last_part():
    fold = folded(record(0, [(KEY, {0: 3})], part="1/2", next_offset=9))
    assert window(fold) == {}
    assert fold.positions[source()].next_offset == -1
    assert fold.take(source(), record(1, part="2/2", kind="entities", next_offset=9))
    assert window(fold) == {0: 3}
    assert fold.positions[source()].next_offset == 9


def test_parts_that_never_ended_are_dropped_when_the_next_commit_begins():
    fold = folded(record(0, [(KEY, {0: 3})], part="1/2"), record(5, [(KEY, {1: 8})]))
    assert window(fold) == {1: 8}


def test_entities_are_skipped_unread():
    fold = Fold(UNDECLARED, T0)
    assert fold.take(source(), record(0, kind="entities")._replace(value=b"not msgpack"))


def test_nil_erases_nothing():
    assert window(folded(record(0, [(KEY, {0: 3})]), record(2, [(KEY, None)]))) == {0: 3}


def test_a_retracted_bucket_leaves_nothing_to_show():
    fold = folded(record(0, [(KEY, {0: 3})]), record(2, [(KEY, {})]))
    assert window(fold) == {}
    assert not fold.series[SERIES].live


def test_slices_are_folded_while_catching_up_and_skipped_afterwards():
    fold = folded(record(0, [(KEY, {0: 3})], is_slice=True))
    assert window(fold) == {0: 3}
    fold.caught_up(source())
    fold.take(source(), record(2, [(KEY, {0: 99})], is_slice=True))
    assert window(fold) == {0: 3}


def test_another_format_refuses_the_partition_and_says_what_to_do():
    other = declare({"thresholds": [7]})
    fold = Fold(other, T0)
    assert not fold.take(source(), record(0, [(KEY, {0: 3})]))
    assert "same version and definitions file" in fold.positions[source()].refused
    assert window(fold) == {}


def test_an_unreadable_record_refuses_the_partition_and_keeps_what_was_known():
    fold = folded(record(0, [(KEY, {0: 3})]), record(2)._replace(value=b"\xc1"))
    assert "offset 2" in fold.positions[source()].refused
    fold.take(source(), record(4, [(KEY, {0: 9})]))
    assert window(fold) == {0: 3}


def test_a_log_made_anew_takes_its_old_numbers_with_it():
    level = (LEVEL, "waiting", "t", ("q", "voice"), 0)
    fold = folded(record(7, [(KEY, {0: 3}), (level, LevelValue({T0: 1}, [T0], []))]))
    fold.take(source(1), record(0, [(KEY, {0: 4})]))
    fold.forget(source())
    assert window(fold) == {0: 4}
    assert fold.levels[level[1:4]] == {}
    fold.take(source(), record(0, [(KEY, {0: 1})]))
    assert window(fold) == {0: 5}


def test_a_log_that_goes_back_is_refused():
    """Only a log made anew does, and the part of it below our position was never seen."""
    fold = folded(record(0, [(KEY, {0: 3})], next_offset=5), record(2, [(KEY, {0: 1})], next_offset=4))
    assert "made anew" in fold.positions[source()].refused
    assert window(fold) == {0: 3}


def test_a_window_holds_the_running_bucket_and_loses_the_oldest_when_the_edge_moves():
    # 1m at 09:00:59.999  [09:00:00 ......... 09:01:00)
    # 1m at 09:01:00.000      [09:00:10 ......... 09:01:10)
    fold = folded(record(0, [(KEY, {0: 3})]))
    fold.advance(T0 + 59_999)
    assert window(fold) == {0: 3}
    fold.advance(T0 + 60_000)
    assert window(fold) == {}
    assert window(fold, "5m") == {0: 3}


def test_a_bucket_far_ahead_is_counted_when_its_time_comes():
    """A callback scheduled for the evening is in the cohort of the evening, told hours before."""
    evening = T0 + 8 * 3600_000
    fold = folded(record(0, [((LIVE, "leave", "t", ("q", "voice"), evening), {0: 1})]))
    assert window(fold) == {}
    for minute in range(8 * 60 + 1):
        fold.advance(T0 + minute * MINUTE)
    assert window(fold) == {0: 1}


def test_what_no_window_reaches_leaves_memory():
    day = (DAY, "leave", "t", ("q", "voice"), T0 // DAY_MS * DAY_MS)
    fold = folded(record(0, [(KEY, {0: 3}), (day, {0: 3})]))
    fold.advance(T0 + 3600_000 + 2 * MINUTE)
    assert not fold.series[SERIES].live
    assert list(fold.positions[source()].values) == [day]
    fold.advance(T0 + (DAYS_KEPT + 1) * DAY_MS)
    assert SERIES not in fold.series
    assert not fold.positions[source()].values


def test_an_idle_partition_says_when_it_last_moved():
    fold = folded(record(0, next_offset=5, appended_at=100), record(2, next_offset=5, appended_at=130))
    place = fold.positions[source()]
    assert (place.moved_at, place.committed_at) == (100, 130)


# ---- laws

starts = st.integers(-400, 80).map(lambda n: floor_bucket(T0) + n * 10_000)
series = st.sampled_from(
    [("leave", "t", ("q", "voice")), ("cohort", "t", ("q", "voice")), ("leave", "u", ("r", "chat"))]
)
values = st.none() | st.dictionaries(st.integers(0, 4), st.integers(1, 9), max_size=3)
changes = st.lists(st.tuples(series, starts, values), max_size=4)
commits = st.lists(st.tuples(st.integers(0, 1), st.lists(changes, min_size=1, max_size=3)), max_size=12)
nows = st.lists(st.integers(0, 90 * 60_000), max_size=5).map(sorted)


def log_of(told):
    """(source, record) of commits: each a list of parts, each a list of changes."""
    offsets = {0: 0, 1: 0}
    log = []
    for partition, parts in told:
        for number, part in enumerate(parts, 1):
            buckets = [((LIVE, *key, start), value) for key, start, value in part]
            more = {"part": f"{number}/{len(parts)}", "next_offset": offsets[partition]}
            log.append((source(partition), record(offsets[partition], buckets, **more)))
            offsets[partition] += 1
        offsets[partition] += 1
    return log


def from_scratch(told, now):
    """Window sums by definition: the last value of each bucket and partition, added up."""
    last = {}
    for partition, parts in told:
        for key, start, value in (change for part in parts for change in part):
            if value is not None:
                last[partition, key, start] = value
    sums = {}
    for (_, key, start), value in last.items():
        for name in LIVE_WINDOWS:
            edges = live_window(name, now)
            if edges.start <= start < edges.end:
                merge(sums.setdefault((key, name), {}), value)
    return {at: cells for at, cells in sums.items() if cells}


def shown(fold):
    return {
        (key, name): dict(cells)
        for key, sums in fold.series.items()
        for name, cells in sums.windows.items()
        if cells
    }


@given(told=commits, moves=nows, data=st.data())
def test_windows_equal_a_recomputation_at_any_now(told, moves, data):
    fold = Fold(UNDECLARED, T0)
    log = log_of(told)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), min_size=len(moves), max_size=len(moves))))
    done = 0
    for cut, move in zip(cuts, moves, strict=True):
        for each in log[done:cut]:
            fold.take(*each)
        done = max(done, cut)
        fold.advance(T0 + move)
    for each in log[done:]:
        fold.take(*each)
    now = T0 + (moves[-1] if moves else 0)
    assert shown(fold) == from_scratch(told, now)


@given(told=commits, back=st.integers(0, 60_000))
def test_a_clock_set_back_by_a_minute_shows_that_minute(told, back):
    fold = Fold(UNDECLARED, T0 + 90 * MINUTE)
    for each in log_of(told):
        fold.take(*each)
    fold.advance(T0 + 90 * MINUTE - back)
    assert shown(fold) == from_scratch(told, T0 + 90 * MINUTE - back)


@given(told=commits, data=st.data())
def test_replaying_any_part_of_the_log_changes_nothing(told, data):
    fold = Fold(UNDECLARED, T0)
    log = log_of(told)
    for end, each in enumerate(log, 1):
        fold.take(*each)
        begin = data.draw(st.integers(0, end))
        for again in log[begin : data.draw(st.integers(begin, end))]:
            assert not fold.take(*again)
    assert shown(fold) == from_scratch(told, T0)


@given(told=commits)
def test_parts_do_not_matter(told):
    whole = [(partition, [[change for part in parts for change in part]]) for partition, parts in told]
    folds = [Fold(UNDECLARED, T0), Fold(UNDECLARED, T0)]
    for fold, log in zip(folds, (log_of(told), log_of(whole)), strict=True):
        for each in log:
            fold.take(*each)
    assert shown(folds[0]) == shown(folds[1])
