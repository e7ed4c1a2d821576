"""Business hours: which instants a tenant is open, and how much open time a span holds.

Source: metrics.md §3 `frt_business`; the form is the case format's (`{"mon": ["09:00-17:00"]}`,
holidays as ISO dates). An instant is open when the tenant's wall clock reads inside the hours of
its weekday and its date is no holiday; so a day that changes its offset needs no rule of its own.
"""

import re
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.metrics.windows import DAY_MS, local_date, midnight

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))", re.ASCII)

Spans = tuple[tuple[int, int], ...]
"""Half-open stretches, ms, sorted and apart."""


class Calendar:
    """A tenant's open hours. `week` None: open all hours (but on holidays)."""

    def __init__(self, zone: ZoneInfo, week: tuple[Spans, ...] | None, holidays: frozenset[date]) -> None:
        self._zone = zone
        self._week = week
        self._holidays = holidays
        self._days: dict[date, Spans] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and self._declared == other._declared

    def __hash__(self) -> int:
        return hash(self._declared)

    @property
    def _declared(self) -> tuple[object, ...]:
        return self._zone.key, self._week, self._holidays

    @property
    def is_always_open(self) -> bool:
        """Whether open time is simply time."""
        return self._week is None and not self._holidays

    def open_ms(self, start: int, end: int) -> int:
        """Milliseconds of [start, end) inside business hours."""
        if self.is_always_open:
            return end - start
        total = 0
        day, last = local_date(start, self._zone), local_date(end, self._zone)
        while day <= last:
            total += sum(max(0, min(end, to) - max(start, since)) for since, to in self._open(day))
            day += timedelta(days=1)
        return total

    def _open(self, day: date) -> Spans:
        """The open stretches of one local day, in ms UTC."""
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._opened(day)
        return known

    def _opened(self, day: date) -> Spans:
        if day in self._holidays:
            return ()
        start, end = midnight(day, self._zone), midnight(day + timedelta(days=1), self._zone)
        if self._week is None:
            return ((start, end),)
        spans = []
        for since, to in _steady(start, end, self._zone):
            # Midnight as this stretch's clock counts it; the wall clock reads `since - ahead`.
            ahead = (day - date(1970, 1, 1)).days * DAY_MS - _offset_ms(since, self._zone)
            for opens, closes in self._week[day.weekday()]:
                first, last = max(since, ahead + opens), min(to, ahead + closes)
                if first < last:
                    spans.append((first, last))
        return tuple(spans)


def _steady(start: int, end: int, zone: ZoneInfo) -> Spans:
    """The day in stretches of one UTC offset: one, or two where the clock is put forward or back."""
    offset = _offset_ms(start, zone)
    if _offset_ms(end - 1, zone) == offset:
        return ((start, end),)
    low, high = start, end - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset_ms(middle, zone) == offset else (low, middle)
    return ((start, high), (high, end))


def _offset_ms(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at / 1000, zone).utcoffset()
    return round(offset.total_seconds() * 1000) if offset else 0


def read_week(hours: Any, place: str, faults: list[str]) -> tuple[Spans, ...] | None:
    """{"mon": ["09:00-17:00"], …} as stretches of ms since midnight by weekday; None: all hours.

    A day not named is closed. Hours that end before they begin run into the next day.
    """
    if hours is None:
        return None
    if not isinstance(hours, dict):
        faults.append(f'{place}: must be a table like {{mon = ["09:00-17:00"]}}')
        return None
    week: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
    for name, stretches in hours.items():
        if name not in WEEKDAYS or not isinstance(stretches, list):
            faults.append(f"{place}.{name}: a list of hours under one of {', '.join(WEEKDAYS)}")
            continue
        for text in stretches:
            _put(week, WEEKDAYS.index(name), text, f"{place}.{name}", faults)
    return tuple(_union(day) for day in week)


def _put(week: list[list[tuple[int, int]]], day: int, text: Any, place: str, faults: list[str]) -> None:
    match = _HOURS.fullmatch(text) if isinstance(text, str) else None
    numbers = [int(group) for group in match.groups() if group is not None] if match else [0] * 4
    opens, closes = ((numbers[i] * 60 + numbers[i + 1]) * 60_000 for i in (0, 2))
    if opens == closes:
        faults.append(f'{place}: {text!r} are no hours; write "09:00-17:00"')
    elif opens < closes:
        week[day].append((opens, closes))
    else:
        week[day].append((opens, DAY_MS))
        week[(day + 1) % 7].append((0, closes))


def _union(spans: list[tuple[int, int]]) -> Spans:
    """Sorted, and where two meet or overlap, one."""
    joined: list[tuple[int, int]] = []
    for opens, closes in sorted(spans):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return tuple(joined)


def read_holidays(days: Any, place: str, faults: list[str]) -> frozenset[date]:
    """ISO dates; whole local days on which the tenant is closed."""
    if not isinstance(days, list | tuple):
        faults.append(f'{place}: must be a list of dates like "2026-12-25"')
        return frozenset()
    found = set()
    for day in days:
        try:
            found.add(date.fromisoformat(str(day)))
        except ValueError:
            faults.append(f'{place}: {day!r} is no date like "2026-12-25"')
    return frozenset(found)
