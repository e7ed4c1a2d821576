"""Cells, bins and levels: integers in, integers out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.buckets import DEFAULT_BOUNDS_S, Level, add, bin_of, dense, merge
from pipeline.metrics.families import COHORT, FAMILIES, LEAVE

BOUNDS = (1_000, 5_000, 20_000)


@pytest.mark.parametrize(
    ("wait_ms", "place"),
    #      ≤ 1 s         ≤ 5 s             ≤ 20 s            above
    [(0, 0), (1_000, 0), (1_001, 1), (5_000, 1), (5_001, 2), (20_000, 2), (20_001, 3), (10**9, 3)],
)
def test_bin_holds_waits_up_to_and_including_its_bound(wait_ms, place):
    assert bin_of(BOUNDS, wait_ms) == place


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_cells_of_a_family_do_not_overlap(family):
    bounds = len(DEFAULT_BOUNDS_S)
    cells = [family.cell(name) for name in family.counters]
    for name in family.histograms:
        first = family.first_bin(name, bounds)
        cells += range(first, first + bounds + 1)
    assert sorted(cells) == list(range(family.width(bounds)))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_family_is_registered_by_its_name_and_stream(family):
    assert FAMILIES[family.name] is family
    assert family.stream in {"call", "ticket", "usage", "subscription", "survey", "account", "agent"}
    assert family.grains


def test_histograms_follow_the_counters_in_their_order():
    assert COHORT.first_bin("abandoned_wait", 3) == len(COHORT.counters) + 4
    assert COHORT.first_bin("callback_wait", 3) == len(COHORT.counters) + 8
    assert COHORT.width(3) == len(COHORT.counters) + 12


def test_unknown_counter_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        LEAVE.cell("offered")


def test_taking_back_leaves_zero():
    cells = {}
    add(cells, (0, 1, 3, 500), 1)
    add(cells, (0, 1, 3, 500), -1)
    assert cells == {0: 0, 3: 0}


def test_merging_drops_cells_that_become_zero():
    cells = {0: 2, 3: 5}
    merge(cells, {0: -2, 3: 1, 4: 7, 5: 0})
    assert cells == {3: 6, 4: 7}


def test_dense_vector_has_every_cell():
    assert dense({0: 2, 3: 5}, 5) == [2, 0, 0, 5, 0]


vectors = st.dictionaries(st.integers(0, 5), st.integers(-3, 3).filter(bool))


@given(st.lists(vectors), st.randoms(use_true_random=False))
def test_sums_do_not_care_about_order(parts, shuffler):
    one, other = {}, {}
    for part in parts:
        merge(one, part)
    shuffler.shuffle(parts)
    for part in parts:
        merge(other, part)
    assert one == other


def test_level_counts_by_ten_seconds_and_names_the_oldest_exactly():
    level = Level()
    for at in (25_000, 10_000, 19_999, 20_000):
        level.add(at, (0, 1), 1)
    value = level.value()
    assert value.counts == {10_000: 2, 20_000: 2}
    assert value.oldest == [10_000, 19_999, 20_000, 25_000]
    assert value.scheduled == []


def test_level_names_sixteen_of_the_oldest():
    level = Level()
    for at in reversed(range(20)):
        level.add(at, (0, 1), 1)
    assert level.value().oldest == list(range(16))
    assert level.value().counts == {0: 20}


def test_level_names_the_latest_thousand_of_the_scheduled():
    level = Level()
    for at in range(1_100):
        level.add(at, (0, 1, 1, 1), 1)
    assert level.value().scheduled == list(range(100, 1_100))


def test_level_gives_back_exactly_what_it_took():
    level = Level()
    level.add(7, (0, 1), 1)
    level.add(7, (0, 1), 1)
    level.add(7, (0, 1), -1)
    assert level.instants == [7]


@pytest.mark.parametrize("at", [6, 8])
def test_level_refuses_to_give_what_is_not_there(at):
    level = Level()
    level.add(7, (0, 1), 1)
    with pytest.raises(ValueError, match=f"nothing at {at}"):
        level.add(at, (0, 1), -1)
