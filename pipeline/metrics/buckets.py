"""Buckets: what is stored, and how a contribution becomes integers in one.

A bucket is the sum over entities of their contributions (architecture.md §3). Its key is
(grain, family, tenant, dimensions, start), its value a sparse vector {cell: integer}.
Histograms follow the counters, one stretch of cells each, in the order of `histograms`.
"""

from bisect import bisect_left, insort
from typing import Final, NamedTuple, TypeAlias

DEFAULT_BOUNDS_S: Final = (
    1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 120, 150, 180,
    240, 300, 420, 600, 900, 1200, 1800, 3600,
)  # fmt: skip

LIVE: Final = "live"
DAY: Final = "day"
LEVEL: Final = "level"

Cells: TypeAlias = dict[int, int]
BucketKey: TypeAlias = tuple[str, str, str, tuple[str, ...], int]
"""(grain, family, tenant, dimensions, start); start in ms: 10-second edge, day number, 0."""


Contribution: TypeAlias = tuple[str, tuple[str, ...], int, tuple[int, ...]]
"""What one entity adds to one family: (family, dimensions, at, (cell, amount, cell, amount, …)).

`at` (ms) chooses the bucket; for a level it is the instant since when the thing is there.
"""


class Family(NamedTuple):
    """One kind of bucket and the grains it is kept in."""

    name: str
    stream: str
    dims: tuple[str, ...]
    counters: tuple[str, ...]
    histograms: tuple[str, ...] = ()
    grains: tuple[str, ...] = (LIVE, DAY)

    def cell(self, counter: str) -> int:
        """Index of a counter. Raises ValueError for an unknown one."""
        return self.counters.index(counter)

    def first_bin(self, histogram: str, bounds: int) -> int:
        """Index of a histogram's first bin; it has `bounds` + 1 of them."""
        return len(self.counters) + self.histograms.index(histogram) * (bounds + 1)

    def width(self, bounds: int) -> int:
        """Length of the dense vector."""
        return len(self.counters) + len(self.histograms) * (bounds + 1)


def bin_of(bounds_ms: tuple[int, ...], wait_ms: int) -> int:
    """Bin i holds bounds[i-1] < wait ≤ bounds[i]; the last one everything above."""
    return bisect_left(bounds_ms, wait_ms)


def add(cells: Cells, amounts: tuple[int, ...], sign: int) -> None:
    """Add `sign` times (cell, amount, …) in place."""
    for place in range(0, len(amounts), 2):
        cell = amounts[place]
        cells[cell] = cells.get(cell, 0) + sign * amounts[place + 1]


def merge(cells: Cells, other: Cells) -> None:
    """Add another sparse vector in place; a cell that becomes 0 is dropped."""
    for cell, amount in other.items():
        total = cells.get(cell, 0) + amount
        if total:
            cells[cell] = total
        else:
            cells.pop(cell, None)


def difference(
    before: list[Contribution], after: list[Contribution]
) -> tuple[list[Contribution], list[Contribution]]:
    """What is to be taken back, and what is to be added; equal parts cancel one by one."""
    added, removed = list(after), []
    for part in before:
        if part in added:
            added.remove(part)
        else:
            removed.append(part)
    return removed, added


def dense(cells: Cells, width: int) -> list[int]:
    """The vector as ClickHouse stores it."""
    vector = [0] * width
    for cell, amount in cells.items():
        vector[cell] = amount
    return vector


class Level:
    """A level bucket in the owner's memory: the exact instants of what is there, sorted.

    Readers get `value()`: counts by instant floored to 10 s, the oldest 16 exactly, and of the
    scheduled ones the latest 1,000 (architecture.md §3).
    """

    __slots__ = ("_counts", "instants", "scheduled")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.instants: list[int] = []
        self.scheduled: list[int] = []

    def add(self, at: int, cells: tuple[int, ...], sign: int) -> None:
        """Put one thing in (+1) or take it out (-1). Raises ValueError if it is not there."""
        _move(self.instants, at, sign)
        floor = at - at % 10_000
        count = self._counts.get(floor, 0) + sign
        if count:
            self._counts[floor] = count
        else:
            del self._counts[floor]
        if len(cells) > 2:
            _move(self.scheduled, at, sign)

    def value(self) -> "LevelValue":
        """What goes into the state log."""
        return LevelValue(self._counts.copy(), self.instants[:16], self.scheduled[-1000:])


def _move(instants: list[int], at: int, sign: int) -> None:
    if sign > 0:
        if not instants or instants[-1] <= at:
            instants.append(at)  # what comes in order, nearly always
        else:
            insort(instants, at)
        return
    place = bisect_left(instants, at)
    if place == len(instants) or instants[place] != at:
        raise ValueError(f"nothing at {at} to take out of a level")
    del instants[place]


class LevelValue(NamedTuple):
    """A level as readers see it; instants in ms, ascending."""

    counts: dict[int, int]
    oldest: list[int]
    scheduled: list[int]
