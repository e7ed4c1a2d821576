"""What a series remembers of its days never tells another sum than its days do."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.board.sums import Sums
from pipeline.metrics.buckets import merge
from pipeline.metrics.windows import DAY_MS

days = st.integers(0, 12).map(lambda day: day * DAY_MS)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("add"), days, st.dictionaries(st.integers(0, 2), st.integers(-2, 2), max_size=2)),
        st.tuples(st.just("up to"), days),
        st.tuples(st.just("each"), days, days),
        st.tuples(st.just("over"), days, days),
    ),
    max_size=30,
)


def summed(told, first, last):
    total = {}
    for day, cells in told:
        if first <= day <= last:
            merge(total, cells)
    return total


@given(acts)
def test_sums_of_days_are_what_was_added_whenever_it_is_asked(acts):
    sums, told, shown = Sums(), [], []
    for act, first, *rest in acts:
        if act == "add":
            sums.add_day(first, rest[0])
            told.append((first, rest[0]))
        elif act == "up to":
            shown.append((sums.up_to(first), summed(told, 0, first)))
        elif act == "over":
            assert sums.over_days(first, rest[0]) == summed(told, first, rest[0])
        else:
            found = sums.up_to_each(first, rest[0])
            right = {day: summed(told, 0, day) for day in range(first, rest[0] + 1, DAY_MS)}
            assert found == right
            shown += [(found[day], right[day]) for day in found]
    # What a snapshot was given stays as it was.
    assert all(given == right for given, right in shown)


@given(acts, days, days)
def test_gathering_old_days_leaves_every_later_sum_as_it_was(acts, oldest, asked):
    sums, told = Sums(), []
    for act, first, *rest in acts:
        if act == "add":
            sums.add_day(first, rest[0])
            told.append((first, rest[0]))
        elif act == "up to":
            sums.up_to(first)
        elif act == "each":
            sums.up_to_each(first, rest[0])
    sums.gather_before(oldest)
    later = max(asked, oldest)
    assert sums.up_to(later) == summed(told, 0, later)
    last = later + 3 * DAY_MS
    assert sums.up_to_each(later, last) == {
        day: summed(told, 0, day) for day in range(later, last + 1, DAY_MS)
    }
