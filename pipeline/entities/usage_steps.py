"""The live projection of adoption: what an account's answers change by, day by day.

Source: architecture.md §3 (rolling business windows are step functions of the day), metrics.md §5. The
answer on day d is that of its last instant, for the unit and the core declared; the sum of all days'
contributions up to d is the answer on d.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final, TypeAlias

from pipeline.entities.days import (
    DaySet,
    active,
    adopted,
    adopted_for,
    no_days,
    one_more,
    while_eligible,
)
from pipeline.entities.usage import TURNS, Account, Unit, by_turn, known_as, units_of
from pipeline.entities.usage_metrics import time_to_value, was_activated
from pipeline.entities.uses import Uses
from pipeline.events.decoding import PASSING, FactEvent
from pipeline.events.usage import INVITED, LEFT, LINKED, SIGNED_UP, UsageFact
from pipeline.metrics.adoption import COHORT_DAYS, STICKY_DAYS, USER
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import ADOPTION, INVITATIONS
from pipeline.metrics.windows import DAY_MS, HOUR_MS, local_date, midnight

EVER: Final = 0
NEVER: Final = 1 << 52
_NO_END: Final = 1 << 30
_CELL: Final = {name: ADOPTION.cell(name) for name in ADOPTION.counters}
_ACTIVE: Final = ((_CELL["active_1d"], 1), (_CELL["active_7d"], 7), (_CELL["active_28d"], STICKY_DAYS))
_ACTIVE_DAYS: Final = _CELL["active_days"]
_ADOPTED: Final = _CELL["adopted"]
_ELIGIBLE: Final = _CELL["eligible"]
_MOST_HOURS: Final = 24 * 400
_INVITED: Final = (INVITATIONS.cell("invited"), 1)
_NO_UNIT: Final = Unit([], [], [])
_Step: TypeAlias = tuple[int, int, int]
"""(day, cell, amount)."""


class Projection:
    """What a tenant's accounts count by day, as declared. Features get their bits as they are met, so day
    sets belong to the projection that made them.
    """

    def __init__(self, definitions: Definitions, tenant: str) -> None:
        self._zone = definitions.zone(tenant)
        self._rule = definitions.adoption
        self._by_user = self._rule.unit == USER
        self._bits: dict[str, int] = {}
        core = self._rule.core
        self._core = -1 if core is None else sum(self._bit(feature) for feature in core)
        self._midnights: dict[int, int] = {}
        self._hours: dict[int, tuple[int, int]] = {}

    def _bit(self, feature: str) -> int:
        bit = self._bits.get(feature)
        if bit is None:
            bit = self._bits[feature] = 1 << len(self._bits)
        return bit

    def _day(self, at: int) -> int:
        hour = at // HOUR_MS
        known = self._hours.get(hour)
        if known is None:
            if len(self._hours) >= _MOST_HOURS:
                self._hours.clear()
            day = local_date(hour * HOUR_MS, self._zone).toordinal()
            known = self._hours[hour] = day, self._midnight(day + 1)
        day, end = known
        # A day may end within an hour, and not every zone has every day.
        return day if at < end else local_date(at, self._zone).toordinal()

    def _midnight(self, day: int) -> int:
        found = self._midnights.get(day)
        if found is None:
            found = self._midnights[day] = midnight(date.fromordinal(day), self._zone)
        return found

    def day_sets(self, uses: Uses) -> dict[str, DaySet]:
        """By unit, the account's own under "": on which days it used what."""
        found: dict[str, DaySet] = {}
        ats, numbers, cells = uses.ats, uses.of, list(uses.cells)
        place, count = 0, len(ats)
        while place < count:
            day = self._day(ats[place])
            after = bisect_left(ats, self._midnight(day + 1), place)
            for number in set(numbers[place:after]):
                user, feature, _ = cells[number]
                held = found.setdefault(user if self._by_user else "", no_days())
                if held.days and held.days[-1] == day:
                    held.features[-1] |= self._bit(feature)
                else:
                    held.days.append(day)
                    held.features.append(self._bit(feature))
            place = after
        return found

    def whole(self, account: Account) -> list[Contribution]:
        """Everything the account adds to ADOPTION and INVITATIONS."""
        return self.contributions(account, self.day_sets(account.uses))

    def contributions(
        self, account: Account, days: dict[str, DaySet], since: int = EVER
    ) -> list[Contribution]:
        """Everything the account adds, or what is dated on the local day of `since` (ms) and later. `days`
        are its day sets.
        """
        if since >= NEVER or not (account.told.facts or days):
            return []
        first = self._day(since) if since > EVER else 0
        facts = account.told.facts
        parts: list[Contribution] = [
            (INVITATIONS.name, (fact.what,), fact.at, _INVITED)
            for fact in facts
            if fact.kind == INVITED and fact.at >= since
        ]
        told = units_of(facts, self._rule.unit)
        found: list[_Step] = []
        for name in {**told, **days}:
            found += self._steps(told.get(name, _NO_UNIT), days.get(name) or no_days(), first)
        return parts + self._parts(step for step in found if step[0] >= first)

    def _parts(self, steps: Iterable[_Step]) -> list[Contribution]:
        """One contribution a day."""
        amounts: dict[tuple[int, int], int] = {}
        for day, cell, amount in steps:
            amounts[day, cell] = amounts.get((day, cell), 0) + amount
        by_day: dict[int, list[int]] = {}
        for (day, cell), amount in sorted(amounts.items()):
            if amount:
                by_day.setdefault(day, []).extend((cell, amount))
        return [(ADOPTION.name, (), self._midnight(day), tuple(cells)) for day, cells in by_day.items()]

    def _steps(self, unit: Unit, held: DaySet, first: int) -> Iterator[_Step]:
        """Right from day `first` on. Days count that a window ending there or on its eve can hold."""
        rule, eligible = self._rule, self._eligible(unit.turns)
        yield from ((day, _ELIGIBLE, 1 if is_on else -1) for day, is_on in eligible)
        if held.days:
            held = held.copy_of(first - max(rule.w, STICKY_DAYS) - 1, _NO_END)
            for day, amount in adopted(held, self._core, eligible, rule, first, _NO_END):
                yield day, _ADOPTED, amount
            for cell, length in _ACTIVE:
                yield from ((day, cell, amount) for day, amount in active(held.days, length))
            for day in held.days:
                yield day, _ACTIVE_DAYS, 1
                yield day + STICKY_DAYS, _ACTIVE_DAYS, -1
        yield from self._cohorts(unit)

    def _eligible(self, turns: Iterable[UsageFact]) -> list[tuple[int, bool]]:
        """The days at whose end the unit is eligible and was not at the end of the day before, or the
        reverse.
        """
        at_end = {self._day(fact.at): fact.kind == SIGNED_UP for fact in turns}
        found: list[tuple[int, bool]] = []
        for day, is_on in at_end.items():
            if is_on != (bool(found) and found[-1][1]):
                found.append((day, is_on))
        return found

    def _cohorts(self, unit: Unit) -> Iterator[_Step]:
        rule, signed_up = self._rule, unit.signed_up_at
        if signed_up is None:
            return
        begin = self._day(signed_up)
        after = begin + COHORT_DAYS
        yield begin, _CELL["cohort"], 1
        yield after, _CELL["cohort"], -1
        span = time_to_value(unit)
        if span is not None and (reached := self._day(signed_up + span)) < after:
            for day, sign in ((reached, 1), (after, -1)):
                yield day, _CELL["reached"], sign
                yield day, _CELL["reached_ms"], sign * span
        judged = self._day(signed_up + rule.a * DAY_MS)
        forgotten = self._day(signed_up + COHORT_DAYS * DAY_MS + 1)
        for day, sign in ((judged, 1), (forgotten, -1)):
            yield day, _CELL["judged"], sign
            if was_activated(unit, rule.a):
                yield day, _CELL["activated"], sign

    def used(self, account: Account, days: dict[str, DaySet], fact: UsageFact) -> list[Contribution]:
        """What one more use adds, whose name the account has not heard before; it is taken into `days`.

        Nearly always it is of a feature used on that day already, and adds nothing.
        """
        day = self._day(fact.at)
        bit = self._bits.get(fact.what) or self._bit(fact.what)
        name = fact.user if self._by_user else ""
        held = days.get(name)
        if held is None:
            held = days[name] = no_days()
        place = held.find(day)
        is_there = place < len(held.days) and held.days[place] == day
        known = held.features[place] if is_there else 0
        if known & bit:
            return []
        rule, core = self._rule, self._core
        is_core = bool(bit & core) and (rule.k > 1 or not known & core)
        if is_core and (rule.k > 1 or place + is_there < len(held.days)):
            former = held.copy_of(day - rule.w, day + rule.w)
        else:
            former = None
        if is_there:
            held.features[place] = known | bit
            steps: list[_Step] = []
        else:
            held.days.insert(place, day)
            held.features.insert(place, bit)
            steps = _more_active(held.days, place)
        if is_core:
            steps += self._more_adopted(account, name, held, place, former)
        return self._parts(steps) if steps else []

    def _more_adopted(
        self, account: Account, name: str, held: DaySet, place: int, former: DaySet | None
    ) -> list[_Step]:
        """What a first use of a core feature on a day adds; `former`: the days around it as they were, where
        that matters.
        """
        rule, core, day = self._rule, self._core, held.days[place]
        if former is None:
            first, after = adopted_for(held, core, place, rule)
            if first >= after:
                return []
            return [
                (at, _ADOPTED, amount)
                for at, amount in while_eligible(first, after, self._eligible(self._turns(account, name)))
            ]
        eligible = self._eligible(self._turns(account, name))
        latter = held.copy_of(day - rule.w, day + rule.w)
        return [
            (at, _ADOPTED, sign * amount)
            for sign, days in ((-1, former), (1, latter))
            for at, amount in adopted(days, core, eligible, rule, day, day + rule.w + 1)
        ]

    def _turns(self, account: Account, name: str) -> list[UsageFact]:
        turns = [
            fact
            for fact in account.told.facts
            if fact.kind in TURNS
            and (fact.user == name if self._by_user else fact.kind != LEFT or not fact.user)
        ]
        turns.sort(key=by_turn)
        return turns


def _more_active(days: Sequence[int], place: int) -> list[_Step]:
    """What the day at `place`, on which nothing was used before, adds beside the others."""
    day = days[place]
    found = [(day, _ACTIVE_DAYS, 1), (day + STICKY_DAYS, _ACTIVE_DAYS, -1)]
    for cell, length in _ACTIVE:
        first, after = one_more(days, place, length)
        if first < after:
            found += ((first, cell, 1), (after, cell, -1))
    return found


def changes_since(account: Account, event: FactEvent) -> int:
    """From which instant on an event that is more than one more use can change what the account adds.
    Every fact speaks of its own day and what follows.
    """
    fact = event.fact
    if fact.kind == PASSING and not event.voids:
        return NEVER
    if event.voids or not isinstance(fact, UsageFact) or known_as(account, fact.name) is not None:
        return EVER
    return NEVER if fact.kind == LINKED else fact.at
