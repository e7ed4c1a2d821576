"""What one unit counts for at an instant, by days of its tenant's calendar.

Source: metrics.md §5. The last n days are the local day of the instant and the n − 1 before it. A unit
here knows nothing dated after the instant.
"""

from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline.entities.usage import Unit
from pipeline.metrics.adoption import COHORT_DAYS, Adoption
from pipeline.metrics.windows import DAY_MS, local_date, midnight


class Moment(NamedTuple):
    """An instant (ms) and the calendar it is seen by."""

    at: int
    zone: ZoneInfo

    def first_of(self, days: int) -> int:
        """Where the last `days` local days begin."""
        return midnight(local_date(self.at, self.zone) - timedelta(days=days - 1), self.zone)


def has_adopted(unit: Unit, rule: Adoption, now: Moment) -> bool:
    """≥ k distinct core features in the last w days, and a core feature on ≥ d distinct days of them."""
    start = now.first_of(rule.w)
    used = [fact for fact in unit.uses if fact.at >= start and (rule.core is None or fact.what in rule.core)]
    if len({fact.what for fact in used}) < rule.k:
        return False
    return len({local_date(fact.at, now.zone) for fact in used}) >= rule.d


def active_days(unit: Unit, days: int, now: Moment) -> set[date]:
    """Those of the last `days` days on which anything was used."""
    start = now.first_of(days)
    return {local_date(fact.at, now.zone) for fact in unit.uses if fact.at >= start}


def in_cohort(unit: Unit, now: Moment) -> bool:
    """Whether the first sign-up lies in the last 90 local days."""
    return unit.signed_up_at is not None and unit.signed_up_at >= now.first_of(COHORT_DAYS)


def time_to_value(unit: Unit) -> int | None:
    """First sign-up → first milestone at or after it, ms; None: not there."""
    start, end = unit.signed_up_at, unit.value_at
    return None if start is None or end is None else end - start


def had_its_days(unit: Unit, days: int, now: Moment) -> bool:
    """Whether the unit first signed up between 90 and `days` days ago, days of 24 hours: nobody is judged
    before the time is up.
    """
    start = unit.signed_up_at
    return start is not None and _ago(now, COHORT_DAYS) <= start <= _ago(now, days)


def was_activated(unit: Unit, days: int) -> bool:
    """Whether the milestone was reached within so many days of 24 hours."""
    span = time_to_value(unit)
    return span is not None and span <= days * DAY_MS


def _ago(now: Moment, days: int) -> int:
    return now.at - days * DAY_MS
