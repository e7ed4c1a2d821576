"""Intervals against published ones; absent is not zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.numbers import Number, count, mean_seconds, proportion


# R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
# methods", Statistics in Medicine 17 (1998) 857-872, table I, method 3 (Wilson's score interval).
@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_of_a_proportion_is_wilsons(part, n, low, high):
    found = proportion(part, n)
    assert (found.value, found.n) == (part / n, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_interval_of_all_is_the_mirror_of_that_of_none():
    none, everything = proportion(0, 20), proportion(20, 20)
    assert (everything.low, everything.high) == (pytest.approx(1 - none.high), pytest.approx(1 - none.low))


@given(st.integers(1, 10**9), st.data())
def test_interval_holds_the_proportion_and_stays_within_0_and_1(n, data):
    found = proportion(data.draw(st.integers(0, n)), n)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_proportion_of_nothing_is_absent_and_says_so():
    assert proportion(0, 0) == Number(None, 0)


def test_mean_of_nothing_is_absent_and_says_so():
    assert mean_seconds(0, 0) == Number(None, 0)


def test_mean_is_in_seconds():
    assert mean_seconds(7_500, 3) == Number(2.5, 3)


def test_count_of_nothing_is_zero():
    assert count(0) == Number(0)
