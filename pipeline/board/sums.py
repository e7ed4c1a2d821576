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

    Empty buckets are not kept, so a series without any has nothing to show.
    """

    __slots__ = ("_stretches", "days", "live", "windows")

    def __init__(self) -> None:
        self._stretches: dict[tuple[int, int], Cells] = {}
        self.live: dict[int, Cells] = {}
        self.days: dict[int, Cells] = {}
        self.windows: dict[str, Cells] = {name: {} for name in LIVE_WINDOWS}

    def add_live(self, start: int, delta: Cells, end: int) -> None:
        """Change one 10-second bucket while the windows end at `end`."""
        _add(self.live, start, delta)
        for name, length in LIVE_WINDOWS.items():
            if end - length <= start < end:
                merge(self.windows[name], delta)

    def add_day(self, number: int, delta: Cells) -> None:
        """Change one day bucket."""
        _add(self.days, number, delta)
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
        """The sum of every day bucket up to a day."""
        total: Cells = {}
        for day, cells in self.days.items():
            if day <= number:
                merge(total, cells)
        return total

    def up_to_each(self, first: int, last: int) -> dict[int, Cells]:
        """As `up_to`, of every day from one to another, both inside."""
        running = self.up_to(first - DAY_MS)
        found = {}
        for day in range(first, last + 1, DAY_MS):
            running = dict(running)
            merge(running, self.days.get(day, {}))
            found[day] = running
        return found

    def gather_before(self, day: int) -> None:
        """Put what is dated before `day` into `day`: the sums from there on stay what they are."""
        for at in [at for at in self.days if at < day]:
            _add(self.days, day, self.days.pop(at))

    def drop_before(self, start: int, day: int) -> None:
        """Let go of 10-second buckets before `start` and days before `day`."""
        for edge, buckets in ((start, self.live), (day, self.days)):
            for at in [at for at in buckets if at < edge]:
                del buckets[at]


def _add(buckets: dict[int, Cells], at: int, delta: Cells) -> None:
    cells = dict(buckets.get(at, ()))  # a snapshot may hold the former
    merge(cells, delta)
    if cells:
        buckets[at] = cells
    else:
        buckets.pop(at, None)
