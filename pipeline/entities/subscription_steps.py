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

from pipeline.entities.subscription import STEERING, Account, Standing, State, standings, timelines
from pipeline.entities.subscription_metrics import compare, standing_cells
from pipeline.events.decoding import FactEvent
from pipeline.events.subscription import SubscriptionFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FLOW, STANDING, STAYING
from pipeline.metrics.windows import local_date, midnight

ROLLING: Final = {"1d": 1, "30d": 30, "90d": 90}
MONTH: Final = "month"
STEP_WINDOWS: Final = (*ROLLING, MONTH)
"""Kept live. A day's own window `1d` is what `daily_sum` adds up."""
EVER: Final = -1
NEVER: Final = 1 << 52
_Series = tuple[str, tuple[str, ...]]
_Cells = dict[int, int]
_NO_CELLS: Final[_Cells] = {}


def contributions(
    account: Account, definitions: Definitions, tenant: str, since: int = EVER
) -> list[Contribution]:
    """What the account adds to STANDING, STAYING and FLOW, dated at local midnights: everything, or what
    is dated on the local day of `since` (ms) and later.
    """
    if not account.facts or since >= NEVER:
        return []
    zone = definitions.zone(tenant)
    found = standings(timelines(account, definitions.recognition).values(), _everything)
    days = [_day(standing.at, zone) for standing in found]
    first = _day(since, zone) if since > EVER else 0
    parts = list(_steps(_standing_answers(found, days, first), zone))
    for window in STEP_WINDOWS:
        parts += _steps(_window_answers(found, days, window, first), zone)
    return parts


def changes_since(account: Account, event: FactEvent) -> int | None:
    """From which instant on an event can change what the account adds; None: from anywhere.

    A state speaks of what follows it only. NEVER: of nothing that is counted by day.
    """
    fact = event.fact
    if event.voids or not isinstance(fact, SubscriptionFact):
        return None
    if any(known.name == fact.name for known in account.facts):
        return None
    return min(fact.effective, fact.at) if fact.kind in STEERING else NEVER


def _everything(_: State) -> bool:
    return True


def _steps(answers: Iterator[tuple[int, dict[_Series, _Cells]]], zone: ZoneInfo) -> Iterator[Contribution]:
    """Differences between one day's answer and the one before it. The first answer is only compared."""
    _, before = next(answers)
    for day, after in answers:
        for series in {**before, **after}:
            old, new = before.get(series, _NO_CELLS), after.get(series, _NO_CELLS)
            if old == new:
                continue
            cells: list[int] = []
            for cell in {**old, **new}:
                amount = new.get(cell, 0) - old.get(cell, 0)
                if amount:
                    cells += (cell, amount)
            if cells:
                family, dims = series
                yield family, dims, _midnight(day, zone), tuple(cells)
        before = after


def _standing_answers(
    found: list[Standing], days: list[int], first: int
) -> Iterator[tuple[int, dict[_Series, _Cells]]]:
    """The answer on the eve of `first`, and on each later day that may change it."""
    for day in _turns(set(days), first):
        count = bisect_right(days, day)
        told = standing_cells(found[count - 1]) if count else []
        yield day, {(STANDING.name, (currency,)): _cells(cells) for currency, cells in told}


def _window_answers(
    found: list[Standing], days: list[int], window: str, first: int
) -> Iterator[tuple[int, dict[_Series, _Cells]]]:
    for day in _turns({*days, *(_leaves(day, window) for day in days)}, first):
        before, upto = bisect_right(days, _eve(day, window)), bisect_right(days, day)
        stays, flows = compare(found, before, upto)
        answer: dict[_Series, _Cells] = {
            (FLOW.name, (window, currency)): _cells(cells) for currency, cells in flows
        }
        if stays:
            answer[STAYING.name, (window,)] = _cells(stays)
        yield day, answer


def _turns(days: set[int], first: int) -> list[int]:
    return [first - 1, *sorted(day for day in days if day >= first)]


def _eve(day: int, window: str) -> int:
    """The last day before the window that ends with `day`."""
    if window == MONTH:
        return day - date.fromordinal(max(day, 1)).day
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
