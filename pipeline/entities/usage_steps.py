"""The live projection of adoption: what an account's answers change by, day by day.

Source: architecture.md §3 (rolling business windows are step functions of the day), metrics.md §5. The
answer on day d is that of its last instant, for the unit and the core declared; the sum of all days'
contributions up to d is the answer on d.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from pipeline.entities.usage import Account, Unit, units
from pipeline.entities.usage_metrics import time_to_value, was_activated
from pipeline.events.decoding import FactEvent
from pipeline.events.envelope import tenant_of
from pipeline.events.usage import FEATURE_USED, INVITED, LINKED, SIGNED_UP, UsageFact
from pipeline.metrics.adoption import COHORT_DAYS, STICKY_DAYS, USER, Adoption
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import ADOPTION, INVITATIONS
from pipeline.metrics.windows import DAY_MS, local_date, midnight

EVER: Final = 0
NEVER: Final = 1 << 52
_CELL: Final = {name: ADOPTION.cell(name) for name in ADOPTION.counters}
_ACTIVE: Final = {"active_1d": 1, "active_7d": 7, "active_28d": STICKY_DAYS}
_INVITED: Final = (INVITATIONS.cell("invited"), 1)
_Step: TypeAlias = tuple[int, int, int]
"""(day, cell, amount)."""


def contributions(
    account: Account, definitions: Definitions, tenant: str, since: int = EVER
) -> list[Contribution]:
    """What the account adds to ADOPTION and INVITATIONS: everything, or what is dated on the local day of
    `since` (ms) and later.
    """
    if not account.facts or since >= NEVER:
        return []
    zone, rule = definitions.zone(tenant), definitions.adoption
    first = _day(since, zone) if since > EVER else 0
    parts: list[Contribution] = [
        (INVITATIONS.name, (fact.what,), fact.at, _INVITED)
        for fact in account.facts
        if fact.kind == INVITED and fact.at >= since
    ]
    steps: Counter[tuple[int, int]] = Counter()
    for unit in units(account, rule.unit):
        for day, cell, amount in _steps(unit, rule, zone, first):
            if day >= first:
                steps[day, cell] += amount
    by_day: dict[int, list[int]] = {}
    for (day, cell), amount in sorted(steps.items()):
        if amount:
            by_day.setdefault(day, []).extend((cell, amount))
    parts += [(ADOPTION.name, (), _midnight(day, zone), tuple(cells)) for day, cells in by_day.items()]
    return parts


def changes_since(definitions: Definitions, account: Account, event: FactEvent) -> int | None:
    """From which instant on an event can change what the account adds; None: from anywhere. Every fact
    speaks of its own day and what follows; one more use of a feature on a day changes nothing.
    """
    fact = event.fact
    if event.voids or not isinstance(fact, UsageFact):
        return None
    if any(known.name == fact.name for known in account.facts):
        return None
    is_told = fact.kind == LINKED or (
        fact.kind == FEATURE_USED and _is_used_that_day(definitions, account, event.key, fact)
    )
    return NEVER if is_told else fact.at


def _is_used_that_day(definitions: Definitions, account: Account, key: str, fact: UsageFact) -> bool:
    zone = definitions.zone(tenant_of(key))
    day = _day(fact.at, zone)
    first, after = (bisect_left(account.facts, _midnight(edge, zone), key=_at) for edge in (day, day + 1))
    is_user = definitions.adoption.unit == USER
    return any(
        known.kind == FEATURE_USED and known.what == fact.what and (not is_user or known.user == fact.user)
        for known in account.facts[first:after]
    )


def _at(fact: UsageFact) -> int:
    return fact.at


def _steps(unit: Unit, rule: Adoption, zone: ZoneInfo, first: int) -> Iterator[_Step]:
    """Right from day `first` on. Uses count that a window ending there or on its eve can hold."""
    earliest = first - max(rule.w, STICKY_DAYS) - 1
    start = _midnight(earliest, zone) if earliest > 0 else EVER
    uses = sorted({(_day(fact.at, zone), fact.what) for fact in unit.uses if fact.at >= start})
    days = sorted({day for day, _ in uses})
    eligible = _eligible(unit, zone)
    yield from ((day, _CELL["eligible"], 1 if is_on else -1) for day, is_on in eligible)
    yield from _adopted(uses, eligible, rule, first)
    for name, length in _ACTIVE.items():
        for begin, after in _stretches(days, length):
            yield begin, _CELL[name], 1
            yield after, _CELL[name], -1
    for day in days:
        yield day, _CELL["active_days"], 1
        yield day + STICKY_DAYS, _CELL["active_days"], -1
    yield from _cohorts(unit, rule, zone)


def _eligible(unit: Unit, zone: ZoneInfo) -> list[tuple[int, bool]]:
    """The days at whose end the unit is eligible and was not at the end of the day before, or the reverse."""
    at_end = {_day(fact.at, zone): fact.kind == SIGNED_UP for fact in unit.turns}
    found: list[tuple[int, bool]] = []
    for day, is_on in at_end.items():
        if is_on != (bool(found) and found[-1][1]):
            found.append((day, is_on))
    return found


def _adopted(
    uses: list[tuple[int, str]], eligible: list[tuple[int, bool]], rule: Adoption, first: int
) -> Iterator[_Step]:
    core = [(day, feature) for day, feature in uses if rule.core is None or feature in rule.core]
    turned = [day for day, _ in eligible]
    is_on = False
    days = {*turned, *(day for day, _ in core), *(day + rule.w for day, _ in core)}
    for day in sorted({first - 1, *(day for day in days if day >= first)}):
        count = bisect_right(turned, day)
        held = core[bisect_left(core, (day - rule.w + 1, "")) : bisect_left(core, (day + 1, ""))]
        has_adopted = (
            count > 0
            and eligible[count - 1][1]
            and len({feature for _, feature in held}) >= rule.k
            and len({used for used, _ in held}) >= rule.d
        )
        if has_adopted != is_on:
            yield day, _CELL["adopted"], 1 if has_adopted else -1
            is_on = has_adopted


def _stretches(days: list[int], length: int) -> list[tuple[int, int]]:
    """The days in whose last `length` days one of `days` lies: [first, after)."""
    found: list[tuple[int, int]] = []
    for day in days:
        if found and day <= found[-1][1]:
            found[-1] = (found[-1][0], day + length)
        else:
            found.append((day, day + length))
    return found


def _cohorts(unit: Unit, rule: Adoption, zone: ZoneInfo) -> Iterator[_Step]:
    signed_up = unit.signed_up_at
    if signed_up is None:
        return
    begin = _day(signed_up, zone)
    after = begin + COHORT_DAYS
    yield begin, _CELL["cohort"], 1
    yield after, _CELL["cohort"], -1
    span = time_to_value(unit)
    if span is not None and (reached := _day(signed_up + span, zone)) < after:
        for day, sign in ((reached, 1), (after, -1)):
            yield day, _CELL["reached"], sign
            yield day, _CELL["reached_ms"], sign * span
    judged = _day(signed_up + rule.a * DAY_MS, zone)
    forgotten = _day(signed_up + COHORT_DAYS * DAY_MS + 1, zone)
    for day, sign in ((judged, 1), (forgotten, -1)):
        yield day, _CELL["judged"], sign
        if was_activated(unit, rule.a):
            yield day, _CELL["activated"], sign


def _day(at: int, zone: ZoneInfo) -> int:
    return local_date(at, zone).toordinal()


@lru_cache(maxsize=1 << 16)
def _midnight(day: int, zone: ZoneInfo) -> int:
    return midnight(date.fromordinal(day), zone)
