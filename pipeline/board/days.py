"""Each tenant's running local day, and what the board's sums say of it. Source: metrics.md §1."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.board.sums import Sums, running_end
from pipeline.metrics.buckets import Cells, merge
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import MATURING, TICKETS
from pipeline.metrics.windows import DAY_MS, Window, day_number, day_span, day_window, local_date

_TICKETS: Final = {MATURING.cell(name): TICKETS.cell(name) for name in MATURING.counters}


class Days:
    """The running local day of each tenant."""

    def __init__(self, definitions: Definitions, now: int) -> None:
        self._definitions = definitions
        self._now = now
        self._known: dict[tuple[str, int], tuple[int, Window]] = {}
        self._firsts: dict[tuple[str, str], int] = {}

    def so_far(self, tenant: str, sums: Sums) -> Cells:
        return sums.day_so_far(*self._today(tenant), self._now)

    def over(self, tenant: str, sums: Sums, window: str) -> Cells:
        """The days of a window before today, and today so far."""
        total = self.so_far(tenant, sums)
        merge(total, sums.over_days(self._first(tenant, window), self._today(tenant)[0] - DAY_MS))
        return total

    def ripe(self, tenant: str, sums: Sums, maturing: Sums | None, window: str, maturity_ms: int) -> Cells:
        """The days of a window up to that of now − `maturity_ms`. What is younger is taken out: it lies ahead
        in `maturing`, dated by when it is old enough.
        """
        edge, span = self._day(tenant, self._now - maturity_ms)
        first = self._first(tenant, window)
        if edge < first:
            return {}
        total = dict(sums.over_days(first, edge))
        if maturing is not None:
            ahead = maturing.ahead(Window(running_end(self._now), span.end + maturity_ms))
            merge(total, {_TICKETS[cell]: -amount for cell, amount in ahead.items()})
        return total

    def each_up_to(
        self, tenant: str, sums: Sums, windows: Iterable[str]
    ) -> Iterator[tuple[str, dict[int, Cells]]]:
        """`up_to_today` as it was on each day of each window, the longest of which holds the others."""
        firsts = {window: self._first(tenant, window) for window in windows}
        told = sums.up_to_each(min(firsts.values()), self._today(tenant)[0])
        for window, first in firsts.items():
            yield window, {day: cells for day, cells in told.items() if day >= first}

    def up_to_today(self, tenant: str, sums: Sums) -> Cells:
        return sums.up_to(self._today(tenant)[0])

    def _first(self, tenant: str, window: str) -> int:
        """The first day of a window."""
        known = self._firsts.get((tenant, window))
        if known is None:
            zone = self._definitions.zone(tenant)
            start = day_window(window, self._now, zone).start
            known = self._firsts[tenant, window] = day_number(local_date(start, zone))
        return known

    def _today(self, tenant: str) -> tuple[int, Window]:
        return self._day(tenant, self._now)

    def _day(self, tenant: str, at: int) -> tuple[int, Window]:
        """The local day that holds an instant."""
        known = self._known.get((tenant, at))
        if known is None:
            zone = self._definitions.zone(tenant)
            number = day_number(local_date(at, zone))
            known = self._known[tenant, at] = (number, day_span(number, zone))
        return known
