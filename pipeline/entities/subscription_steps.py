"""The live projection of revenue and staying: what an account's answers change by, day by day.

Source: architecture.md §3 (rolling business windows are step functions of the day). The answer of a
window on day d compares the account before the window's first day and after day d, by the tenant's
calendar; it can only change on a day where one of these two edges passes a change of the account. The
sum of all days' contributions up to d is the answer on d.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.entities.subscription import Account, Standing, State, standings, timelines
from pipeline.entities.subscription_metrics import compare, standing_cells
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FLOW, STANDING, STAYING
from pipeline.metrics.windows import local_date, midnight

ROLLING: Final = {"1d": 1, "30d": 30, "90d": 90}
MONTH: Final = "month"
STEP_WINDOWS: Final = (*ROLLING, MONTH)
"""Kept live. A day's own window `1d` is what `daily_sum` adds up."""
_Series = tuple[str, tuple[str, ...]]
_Cells = dict[int, int]


def contributions(account: Account, definitions: Definitions, tenant: str) -> list[Contribution]:
    """Everything the account adds to STANDING, STAYING and FLOW, dated at local midnights."""
    if not account.facts:
        return []
    zone = definitions.zone(tenant)
    found = standings(timelines(account, definitions.recognition).values(), _everything)
    days = [_day(standing.at, zone) for standing in found]
    parts = list(_steps(_standing_answers(found, days), zone))
    for window in STEP_WINDOWS:
        parts += _steps(_window_answers(found, days, window), zone)
    return parts


def _everything(_: State) -> bool:
    return True


def _steps(answers: Iterator[tuple[int, dict[_Series, _Cells]]], zone: ZoneInfo) -> Iterator[Contribution]:
    """Differences between one day's answer and the one before it."""
    before: dict[_Series, _Cells] = {}
    for day, after in answers:
        for series in sorted({*before, *after}):
            old, new = before.get(series, {}), after.get(series, {})
            cells: list[int] = []
            for cell in sorted({*old, *new}):
                amount = new.get(cell, 0) - old.get(cell, 0)
                if amount:
                    cells += (cell, amount)
            if cells:
                family, dims = series
                yield family, dims, _midnight(day, zone), tuple(cells)
        before = after


def _standing_answers(found: list[Standing], days: list[int]) -> Iterator[tuple[int, dict[_Series, _Cells]]]:
    for day in sorted(set(days)):
        standing = found[bisect_right(days, day) - 1]
        yield day, {(STANDING.name, (currency,)): _cells(told) for currency, told in standing_cells(standing)}


def _window_answers(
    found: list[Standing], days: list[int], window: str
) -> Iterator[tuple[int, dict[_Series, _Cells]]]:
    turns = sorted({*days, *(_leaves(day, window) for day in days)})
    for day in turns:
        first, last = bisect_right(days, _eve(day, window)), bisect_right(days, day)
        stays, flows = compare(found, first, last)
        answer: dict[_Series, _Cells] = {
            (FLOW.name, (window, currency)): _cells(cells) for currency, cells in flows
        }
        if stays:
            answer[STAYING.name, (window,)] = _cells(stays)
        yield day, answer


def _eve(day: int, window: str) -> int:
    """The last day before the window that ends with `day`."""
    if window == MONTH:
        return day - date.fromordinal(day).day
    return day - ROLLING[window]


def _leaves(day: int, window: str) -> int:
    """The first day whose window begins after `day`."""
    if window == MONTH:
        return (date.fromordinal(day).replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
    return day + ROLLING[window]


def _cells(amounts: tuple[int, ...]) -> _Cells:
    pairs = iter(amounts)
    return dict(zip(pairs, pairs, strict=True))


def _day(at: int, zone: ZoneInfo) -> int:
    return local_date(at, zone).toordinal()


@lru_cache(maxsize=1 << 16)
def _midnight(day: int, zone: ZoneInfo) -> int:
    return midnight(date.fromordinal(day), zone)
