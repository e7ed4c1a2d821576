"""Each tenant's running local day, and what the board's sums say of it. Source: metrics.md §1."""

from collections.abc import Iterable, Iterator

from pipeline.board.sums import Sums
from pipeline.metrics.buckets import Cells, merge
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.windows import DAY_MS, Window, day_number, day_span, day_window, local_date


class Days:
    """The running local day of each tenant."""

    def __init__(self, definitions: Definitions, now: int) -> None:
        self._definitions = definitions
        self._now = now
        self._known: dict[str, tuple[int, Window]] = {}

    def so_far(self, tenant: str, sums: Sums) -> Cells:
        return sums.day_so_far(*self._today(tenant), self._now)

    def over(self, tenant: str, sums: Sums, window: str) -> Cells:
        """The days of a window before today, and today so far."""
        total = self.so_far(tenant, sums)
        merge(total, sums.over_days(self._first(tenant, window), self._today(tenant)[0] - DAY_MS))
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
        zone = self._definitions.zone(tenant)
        return day_number(local_date(day_window(window, self._now, zone).start, zone))

    def _today(self, tenant: str) -> tuple[int, Window]:
        known = self._known.get(tenant)
        if known is None:
            zone = self._definitions.zone(tenant)
            number = day_number(local_date(self._now, zone))
            known = self._known[tenant] = (number, day_span(number, zone))
        return known
