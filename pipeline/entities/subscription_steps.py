"""The live projection of revenue and staying: what an account's answers change by, day by day.

Source: architecture.md §3 (rolling business windows are step functions of the day). The answer of a
window on day d compares the account before the window's first day and after day d, by the tenant's
calendar; it can only change on a day where one of these two edges passes a change of the account. The
sum of all days' contributions up to d is the answer on d. Only what an event changes is counted: the
difference between two courses of an account, from where they part.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from pipeline.entities.subscription import Line, State, lines
from pipeline.entities.subscription_account import Account
from pipeline.entities.subscription_metrics import moved
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FLOW, STANDING, STAYING
from pipeline.metrics.windows import DAY_MS, midnight

ROLLING: Final = {"1d": 1, "30d": 30, "90d": 90}
MONTH: Final = "month"
STEP_WINDOWS: Final = (*ROLLING, MONTH)
"""Kept live. A day's own window `1d` is what `daily_sum` adds up."""
EVER: Final = -(1 << 62)
ANY_CURRENCY: Final = ""
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_BASE: Final = FLOW.cell("base")
_START: Final = FLOW.cell("start_minor")
_NONE: Final = State()
_Edges: TypeAlias = list[tuple[int, int, int, int, int]]
"""(day, and before the window and up to the day's end, how many entries of the old and of the new course)."""
_Cells: TypeAlias = dict[int, int]


class Course(NamedTuple):
    """All an account ever had, in columns: an entry per instant (ms) at which a subscription changes, with
    its local day, seats, whether there is MRR in any currency, and by currency the MRR, 0 where none.
    """

    ats: list[int]
    days: list[int]
    seats: list[int]
    active: list[int]
    money: dict[str, list[int]]

    def shared(self, other: "Course") -> int:
        """How many entries from the first on are the same in both."""
        columns = [(self.ats, other.ats), (self.seats, other.seats), (self.active, other.active)]
        currencies = {**self.money, **other.money}
        columns += [(_column(self, each)[1:], _column(other, each)[1:]) for each in currencies]
        most = min(len(self.ats), len(other.ats))
        for place in range(most):
            for mine, others in columns:
                if mine[place] != others[place]:
                    return place
        return most


NO_COURSE: Final = Course([], [], [], [], {})


class Projection:
    """What accounts of one tenant add, by its calendar."""

    def __init__(self, definitions: Definitions, tenant: str) -> None:
        self._zone = definitions.zone(tenant)
        self._recognition = definitions.recognition
        self._midnights: dict[int, int] = {}

    def whole(self, account: Account) -> list[Contribution]:
        """Everything the account adds to STANDING, STAYING and FLOW, dated at local midnights."""
        course, _ = self.course(lines(account.told.facts, self._recognition).values())
        return self.changes(NO_COURSE, course, 0)

    def _midnight(self, day: int) -> int:
        found = self._midnights.get(day)
        if found is None:
            found = self._midnights[day] = midnight(date.fromordinal(day), self._zone)
        return found

    def _day(self, at: int) -> int:
        """The local day, which begins less than a day before or after that of UTC."""
        day = at // DAY_MS + _EPOCH_DAY
        if at < self._midnight(day):
            return day - 1
        return day + 1 if at >= self._midnight(day + 1) else day

    def course(
        self, told: Iterable[Line], former: Course = NO_COURSE, since: int = EVER
    ) -> tuple[Course, int]:
        """What the subscriptions say from `since` (ms) on, behind what `former` says until then; and how
        many entries that is.
        """
        kept = bisect_left(former.ats, since)
        found = Course(
            former.ats[:kept],
            former.days[:kept],
            former.seats[:kept],
            former.active[:kept],
            {currency: column[:kept] for currency, column in former.money.items()},
        )
        holding: list[State] = []
        changes: list[tuple[int, int, State]] = []
        for index, line in enumerate(told):
            timeline = line.timeline()
            first = bisect_left(timeline, (since,))
            holding.append(timeline[first - 1][1] if first else _NONE)
            changes += [(at, index, state) for at, state in timeline[first:]]
        if len(holding) > 1:
            changes.sort()
        for place, (at, index, state) in enumerate(changes, 1):
            holding[index] = state
            if place == len(changes) or changes[place][0] != at:
                self._add(found, at, holding)
        return found, kept

    def _add(self, course: Course, at: int, holding: list[State]) -> None:
        seats = 0
        mrr: dict[str, int] = {}
        for minor, currency, chairs, _ in holding:
            seats += chairs
            mrr[currency] = mrr.get(currency, 0) + minor
        active = 0
        for currency, minor in mrr.items():
            if minor > 0:
                active = 1
                if currency not in course.money:
                    course.money[currency] = [0] * len(course.ats)
        for currency, column in course.money.items():
            column.append(max(mrr.get(currency, 0), 0))
        course.ats.append(at)
        course.days.append(self._day(at))
        course.seats.append(seats)
        course.active.append(active)

    def changes(self, old: Course, new: Course, shared: int) -> list[Contribution]:
        """What `new` adds beyond `old`, whose first `shared` entries are the same."""
        days = sorted({*old.days[shared:], *new.days[shared:]})
        if not days:
            return []
        money = [
            (currency, before, after)
            for currency in {**old.money, **new.money}
            for before, after in [(_column(old, currency), _column(new, currency))]
            if not (_is_flat(before, shared) and _is_flat(after, shared))
        ]
        is_staying = not all(
            _is_flat([0, *column], shared) for column in (old.active, new.active, old.seats, new.seats)
        )
        parts: list[Contribution] = []
        here = [(day, 0, bisect_right(old.days, day), 0, bisect_right(new.days, day)) for day in days]
        for currency, before, after in money:
            self._put(parts, STANDING.name, (currency,), _standing_changes(here, before, after))
        if is_staying:
            sides = [([0, *each.active], [0, *each.seats]) for each in (old, new)]
            self._put(parts, STANDING.name, (ANY_CURRENCY,), _all_changes(here, *sides))
        for window in STEP_WINDOWS:
            edges = _edges(old.days, new.days, shared, days, window)
            for currency, before, after in money:
                self._put(parts, FLOW.name, (window, currency), _flow_changes(edges, before, after))
            if is_staying:
                self._put(parts, STAYING.name, (window,), _staying_changes(edges, *sides))
        return parts

    def _put(
        self,
        parts: list[Contribution],
        family: str,
        dims: tuple[str, ...],
        changes: Iterator[tuple[int, _Cells]],
    ) -> None:
        """A step where the answer's change on a day is another than on the day before it."""
        last: _Cells = {}
        for day, now in changes:
            if now == last:
                continue
            cells: list[int] = []
            for cell, amount in now.items():
                if amount != (was := last.pop(cell, 0)):
                    cells += (cell, amount - was)
            for cell, was in last.items():
                if was:
                    cells += (cell, -was)
            last = now
            if cells:
                parts.append((family, dims, self._midnight(day), tuple(cells)))


def _column(course: Course, currency: str) -> list[int]:
    """MRR after that many entries."""
    return [0, *course.money.get(currency, [0] * len(course.ats))]


def _is_flat(column: list[int], shared: int) -> bool:
    """Whether nothing changes behind the first `shared` entries."""
    last = column[shared]
    return all(each == last for each in column[shared + 1 :])


def _edges(old: list[int], new: list[int], shared: int, days: list[int], window: str) -> _Edges:
    """Every day on which one of a window's edges passes a change that either course has to itself, or its
    start one that both have while its end is past where they part.
    """
    first = days[0]
    if window == MONTH:
        known = new[bisect_left(new, _month(first)[0], 0, shared) : shared]
        turns = {*days, *[_month(day)[1] for day in known], *[_month(day)[1] for day in days]}
        eves = [(day, _month(day)[0] - 1) for day in sorted(turns)]
    else:
        length = ROLLING[window]
        known = new[bisect_right(new, first - length, 0, shared) : shared]
        turns = {*days, *[day + length for day in known], *[day + length for day in days]}
        eves = [(day, day - length) for day in sorted(turns)]
    return [
        (day, bisect_right(old, eve), bisect_right(old, day), bisect_right(new, eve), bisect_right(new, day))
        for day, eve in eves
    ]


@lru_cache(maxsize=1 << 16)
def _month(day: int) -> tuple[int, int]:
    """The first day of a day's month, and of the next."""
    first = date.fromordinal(day).replace(day=1)
    return first.toordinal(), (first + timedelta(days=32)).replace(day=1).toordinal()


def _standing_changes(here: _Edges, before: list[int], after: list[int]) -> Iterator[tuple[int, _Cells]]:
    for day, _, old, _, new in here:
        was, is_now = before[old], after[new]
        yield day, {0: (is_now > 0) - (was > 0), 1: is_now - was}


_Side: TypeAlias = tuple[list[int], list[int]]
"""Whether there is MRR in any currency, and seats, after that many entries."""


def _all_changes(here: _Edges, old: _Side, new: _Side) -> Iterator[tuple[int, _Cells]]:
    for day, _, was, _, now in here:
        yield day, {0: new[0][now] - old[0][was], 2: new[1][now] - old[1][was]}


def _flow_changes(edges: _Edges, before: list[int], after: list[int]) -> Iterator[tuple[int, _Cells]]:
    for day, old_start, old_end, new_start, new_end in edges:
        was, start = before[old_start], after[new_start]
        cells: _Cells = {}
        if was != start:
            cells[_START] = start - was
            cells[_BASE] = (start > 0) - (was > 0)
        former, lost = moved(was, before[old_end], before, old_start)
        counter, minor = moved(start, after[new_end], after, new_start)
        if former == counter and minor and lost:
            if minor != lost:
                cells[counter + 1] = minor - lost
        else:
            if lost:
                cells[former], cells[former + 1] = -1, -lost
            if minor:
                cells[counter], cells[counter + 1] = 1, minor
        yield day, cells


def _staying_changes(edges: _Edges, old: _Side, new: _Side) -> Iterator[tuple[int, _Cells]]:
    for day, old_start, old_end, new_start, new_end in edges:
        before, after = _stay(*old, old_start, old_end), _stay(*new, new_start, new_end)
        yield day, {cell: now - was for cell, was, now in zip(range(5), before, after, strict=True)}


def _stay(active: list[int], seats: list[int], start: int, end: int) -> tuple[int, int, int, int, int]:
    if active[start]:
        return 1, 1 - active[end], 0, seats[start], seats[end]
    return 0, 0, int(1 in active[start + 1 : end + 1]), 0, 0
