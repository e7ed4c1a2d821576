"""A number as it is shipped: value, n, interval; and the arithmetic of intervals.

Source: metrics.md §1. Absent (None) is not zero.
"""

from math import sqrt
from typing import Final, NamedTuple

Z_95: Final = 1.959963984540054


class Number(NamedTuple):
    """`value` None means absent. `n` is the denominator or the count behind a mean.

    `low` and `high` bound a proportion (Wilson, 95 %). Seconds, ratios 0-1 or counts.
    """

    value: float | None
    n: int | None = None
    low: float | None = None
    high: float | None = None


def count(value: int) -> Number:
    """A count is 0 when nothing happened."""
    return Number(value)


def mean_seconds(total_ms: int, n: int) -> Number:
    """Integer milliseconds over n, in seconds; absent when n is 0."""
    return Number(total_ms / n / 1000 if n else None, n)


def proportion(part: int, n: int) -> Number:
    """Part / n with its Wilson interval (Wilson 1927); absent when n is 0.

    Parts that cannot be (of a log half read) have no interval rather than an error.
    """
    if n == 0:
        return Number(None, 0)
    share = part / n
    if not 0 <= share <= 1:
        return Number(share, n)
    z2 = Z_95 * Z_95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Number(share, n, max(0.0, centre - half), min(1.0, centre + half))
