"""Running sums of one series: its buckets of all source partitions together, and its live windows.

Source: metrics.md §1 (windows), architecture.md §4. Pure; the clock is an argument.
"""

from typing import Final

from pipeline.metrics.buckets import Cells, merge
from pipeline.metrics.windows import BUCKET_MS, DAY_MS, LIVE_WINDOWS, Window, floor_bucket

LONGEST_MS: Final = max(LIVE_WINDOWS.values())
STRETCHES_KEPT: Final = 16


def running_end(now: int) -> int:
    """The end that all live windows share at `now`."""
    return floor_bucket(now) + BUCKET_MS


def difference(new: Cells, old: Cells) -> Cells:
    """What must be added to `old` to get `new`."""
    delta = dict(new)
    merge(delta, negative(old))
    return delta


def negative(cells: Cells) -> Cells:
    return {cell: -amount for cell, amount in cells.items()}


class Sums:
    """10-second buckets by start, day buckets by day number, and the sum of each live window.

    Empty buckets are not kept, so a series without any has nothing to show. What was asked of a step family
    is remembered: a showing costs what has changed since, and a new day only that day.
    """

    __slots__ = ("_ahead", "_each", "_stretches", "_up_to", "days", "live", "windows")

    def __init__(self) -> None:
        self._stretches: dict[tuple[int, int], Cells] = {}
        self._up_to: tuple[int, Cells] | None = None
        self._each: tuple[int, int, dict[int, Cells]] | None = None
        self._ahead: tuple[Window, Cells] | None = None
        self.live: dict[int, Cells] = {}
        self.days: dict[int, Cells] = {}
        self.windows: dict[str, Cells] = {name: {} for name in LIVE_WINDOWS}

    def add_live(self, start: int, delta: Cells, end: int) -> None:
        """Change one 10-second bucket while the windows end at `end`."""
        _add(self.live, start, delta)
        for name, length in LIVE_WINDOWS.items():
            if end - length <= start < end:
                merge(self.windows[name], delta)
        if self._ahead is not None and self._ahead[0].start <= start < self._ahead[0].end:
            self._ahead = (self._ahead[0], _sum(self._ahead[1], delta))

    def add_day(self, number: int, delta: Cells) -> None:
        """Change one day bucket."""
        _add(self.days, number, delta)
        if self._up_to is not None and number <= self._up_to[0]:
            self._up_to = (self._up_to[0], _sum(self._up_to[1], delta))
        if self._each is not None and number <= self._each[1]:
            self._each = None
        for stretch in [(first, last) for first, last in self._stretches if first <= number <= last]:
            del self._stretches[stretch]

    def move(self, old_end: int, new_end: int) -> None:
        """Move every live window's edges from `old_end` to `new_end`."""
        for name, length in LIVE_WINDOWS.items():
            if 0 <= new_end - old_end < length:
                self._step(self.windows[name], length, old_end, new_end)
            else:
                self.windows[name] = self.sum_of(Window(new_end - length, new_end))

    def _step(self, total: Cells, length: int, old_end: int, new_end: int) -> None:
        for start in range(old_end, new_end, BUCKET_MS):
            if entering := self.live.get(start):
                merge(total, entering)
            if leaving := self.live.get(start - length):
                merge(total, negative(leaving))

    def sum_of(self, window: Window) -> Cells:
        """The 10-second buckets that start inside a window, added up from scratch."""
        total: Cells = {}
        for start, cells in self.live.items():
            if window.start <= start < window.end:
                merge(total, cells)
        return total

    def ahead(self, window: Window) -> Cells:
        """As `sum_of`, of a window whose start moves on with the clock: a showing costs what it moved by. Not
        to be changed.
        """
        last, total = self._ahead or (window, None)
        if total is None or last.end != window.end or not 0 <= window.start - last.start < LONGEST_MS:
            total = self.sum_of(window)
        else:
            for start in range(last.start, window.start, BUCKET_MS):
                total = _sum(total, negative(self.live.get(start, {})))
        self._ahead = (window, total)
        return total

    def day_so_far(self, number: int, span: Window, now: int) -> Cells:
        """A day's bucket minus that day's 10-second buckets that start after `now`."""
        total = dict(self.days.get(number, {}))
        for start, cells in self.live.items():
            if now < start < span.end:
                merge(total, negative(cells))
        return total

    def over_days(self, first: int, last: int) -> Cells:
        """The sum of the day buckets from one day to another, both inside. Not to be changed."""
        known = self._stretches.get((first, last))
        if known is None:
            if len(self._stretches) >= STRETCHES_KEPT:  # of days long past
                self._stretches.clear()
            known = self._stretches[first, last] = {}
            for day, cells in self.days.items():
                if first <= day <= last:
                    merge(known, cells)
        return known

    def up_to(self, number: int) -> Cells:
        """The sum of every day bucket up to a day. Not to be changed."""
        reached, total = self._up_to or (-1 << 62, {})
        if number < reached:
            return self._sum_of_days(-1 << 62, number, {})
        if number > reached:
            total = self._sum_of_days(reached, number, total)
            self._up_to = (number, total)
        return total

    def _sum_of_days(self, after: int, last: int, total: Cells) -> Cells:
        found = dict(total)
        for day, cells in self.days.items():
            if after < day <= last:
                merge(found, cells)
        return found

    def up_to_each(self, first: int, last: int) -> dict[int, Cells]:
        """As `up_to`, of every day from one to another, both inside. Not to be changed."""
        if self._each is None or self._each[:2] != (first, last):
            running = self._sum_of_days(-1 << 62, first - DAY_MS, {})
            found = {}
            for day in range(first, last + 1, DAY_MS):
                running = _sum(running, self.days.get(day, {}))
                found[day] = running
            self._each = (first, last, found)
        return self._each[2]

    def gather_before(self, day: int) -> None:
        """Put what is dated before `day` into `day`: the sums from there on stay what they are."""
        for at in [at for at in self.days if at < day]:
            _add(self.days, day, self.days.pop(at))
        if self._up_to is not None and self._up_to[0] < day:
            self._up_to = None
        if self._each is not None and self._each[0] < day:
            self._each = None

    def drop_before(self, start: int, day: int) -> None:
        """Let go of 10-second buckets before `start` and days before `day`."""
        for edge, buckets in ((start, self.live), (day, self.days)):
            for at in [at for at in buckets if at < edge]:
                del buckets[at]


def _sum(cells: Cells, more: Cells) -> Cells:
    if not more:
        return cells
    total = dict(cells)  # a snapshot may hold the former
    merge(total, more)
    return total


def _add(buckets: dict[int, Cells], at: int, delta: Cells) -> None:
    cells = dict(buckets.get(at, ()))  # a snapshot may hold the former
    merge(cells, delta)
    if cells:
        buckets[at] = cells
    else:
        buckets.pop(at, None)
