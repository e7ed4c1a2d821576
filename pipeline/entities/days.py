"""On which local days a unit used which features, and what one more such day changes.

A feature is a bit of a mask; which, the caller knows. Knows no facts and no buckets.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from pipeline.metrics.adoption import Adoption

Turns: TypeAlias = Sequence[tuple[int, bool]]
"""Days at whose end the unit is eligible and was not at the end of the day before, or the reverse."""
Step: TypeAlias = tuple[int, int]
"""(day, +1 or −1): from this day on one more, or one less."""


class DaySet(Struct, gc=False):
    """Ordinals of days, ascending, and for each the features used on it."""

    days: "array[int]"
    features: list[int]

    def find(self, day: int) -> int:
        """Where the day is, or belongs."""
        days = self.days
        last = len(days) - 1
        return last if last >= 0 and days[last] == day else bisect_left(days, day)

    def copy_of(self, first: int, last: int) -> "DaySet":
        """Only the days from `first` to `last`, both included."""
        start, end = bisect_left(self.days, first), bisect_right(self.days, last)
        return DaySet(self.days[start:end], self.features[start:end])


def no_days() -> DaySet:
    """Of a unit that has used nothing."""
    return DaySet(array("i"), [])


def active(days: Sequence[int], length: int) -> list[Step]:
    """From when and until when one of `days` lies in the last `length` days."""
    found: list[Step] = []
    until = 0
    for day in days:
        if found and day <= until:
            found.pop()
        else:
            found.append((day, 1))
        until = day + length
        found.append((until, -1))
    return found


def one_more(days: Sequence[int], place: int, length: int) -> tuple[int, int]:
    """In which days [first, after) the unit is active, within `length` days, for the sake of the one at
    `place` alone; empty where after ≤ first.
    """
    day = days[place]
    first, after = day, day + length
    if place:
        first = max(first, days[place - 1] + length)
    if place + 1 < len(days):
        after = min(after, days[place + 1])
    return first, after


def adopted(held: DaySet, core: int, eligible: Turns, rule: Adoption, first: int, after: int) -> list[Step]:
    """From which days of [first, after) on the unit has adopted, or no longer has."""
    places = [place for place, mask in enumerate(held.features) if mask & core]
    days = [held.days[place] for place in places]
    masks = [held.features[place] & core for place in places]
    turned = [day for day, _ in eligible]
    is_on, found = False, []
    turns = {*turned, *days, *(day + rule.w for day in days)}
    for day in [first - 1, *sorted(day for day in turns if first <= day < after)]:
        start, end = bisect_left(days, day - rule.w + 1), bisect_right(days, day)
        count = bisect_right(turned, day)
        has_adopted = (
            count > 0
            and eligible[count - 1][1]
            and end - start >= rule.d
            and _distinct(masks[start:end]) >= rule.k
        )
        if has_adopted != is_on:
            found.append((day, 1 if has_adopted else -1))
            is_on = has_adopted
    return found


def _distinct(masks: Iterable[int]) -> int:
    all_of_them = 0
    for mask in masks:
        all_of_them |= mask
    return all_of_them.bit_count()


def adopted_for(held: DaySet, core: int, place: int, rule: Adoption) -> tuple[int, int]:
    """Where one feature is enough and the day at `place`, the last there is, is the first core use of its
    day: in which days [first, after) the rule holds for its sake alone, an eligible unit given.
    """
    days, masks = held.days, held.features
    day, needed = days[place], rule.d
    # The core days before it that its windows share, the latest first; more than `needed` never matter.
    others: list[int] = []
    place -= 1
    while place >= 0 and days[place] > day - rule.w and len(others) < needed:
        if masks[place] & core:
            others.append(days[place])
        place -= 1
    if len(others) < needed - 1:
        return day, day
    first = max(day, others[needed - 1] + rule.w) if len(others) == needed else day
    after = others[needed - 2] + rule.w if needed > 1 else day + rule.w
    return first, after


def while_eligible(first: int, after: int, eligible: Turns) -> list[Step]:
    """The days [first, after) without those on which the unit is not eligible."""
    found: list[Step] = []
    for index, (day, is_on) in enumerate(eligible):
        end = eligible[index + 1][0] if index + 1 < len(eligible) else after
        start, end = max(first, day), min(after, end)
        if is_on and start < end:
            found += ((start, 1), (end, -1))
    return found
