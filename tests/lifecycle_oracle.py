"""Lifecycle, retention and cohorts the slow, obvious way: sets of dates, one question after the other.

Written from docs/metrics/lifecycle.md, not from the views: it shares nothing with `pipeline`.
"""

from datetime import timedelta
from math import ceil

from tests.usage_oracle import instant, what

TURNS = {"signed_up", "left"}
COUNTED = {"signed_up", "left", "feature_used", "milestone_reached", "invited"}


def begin(day, period, week_start):
    """The first day of the period a day lies in; weeks begin on `week_start`, 1 = Monday."""
    while not (
        period == "day"
        or (period == "week" and day.isoweekday() == week_start)
        or (period == "month" and day.day == 1)
    ):
        day -= timedelta(days=1)
    return day


def after(start, period, week_start):
    """The first day of the next period."""
    day = start + timedelta(days=1)
    while begin(day, period, week_start) == start:
        day += timedelta(days=1)
    return day


class Periods:
    """One tenant's periods from that of `first` to the running one, with the units of a book in them."""

    def __init__(self, book, tenant, period, first, week_start):
        self.today = book.local_date(tenant, book.at)
        self.book, self.tenant, self.how = book, tenant, (period, week_start)
        self.starts = []
        start = begin(first, *self.how)
        while start <= self.today:
            self.starts.append(start)
            start = after(start, *self.how)
        self.units = {}
        for key, told in book.by_unit.items():
            if key[0] == tenant:
                self.units[key] = {
                    book.local_date(tenant, instant(e["time"])) for e in told if what(e) == "feature_used"
                }

    def after(self, start):
        return after(start, *self.how)

    def before(self, start):
        return begin(start - timedelta(days=1), *self.how)

    def active(self, start):
        return {
            key for key, days in self.units.items() if any(start <= day < self.after(start) for day in days)
        }

    def lifecycle(self):
        for start in self.starts:
            now, earlier = self.active(start), self.active(self.before(start))
            ever = {key for key, days in self.units.items() if any(day < start for day in days)}
            yield (
                start,
                len(now - ever),
                len(now & earlier),
                len(now & ever - earlier),
                len(earlier - now),
                len(now),
            )

    def cohorts(self, since):
        """Units by the period of their first use, or first sign-up."""
        found = {start: set() for start in self.starts}
        firsts = {key: min(days) for key, days in self.units.items() if days}
        if since == "signed_up":
            firsts = {key: self.book.local_date(self.tenant, at) for key, (at, _) in self.journeys().items()}
        for key, day in firsts.items():
            found.get(begin(day, *self.how), set()).add(key)
        return {start: keys for start, keys in found.items() if keys}

    def retention(self, since):
        for start, cohort in self.cohorts(since).items():
            later, age = start, 0
            while self.after(later) <= self.today:
                yield start, age, len(cohort), len(cohort & self.active(later))
                later, age = self.after(later), age + 1

    def stickiness(self):
        """Days so far, days of use over all units, units."""
        for start in self.starts:
            end = min(self.after(start), self.today + timedelta(days=1))
            used = [day for days in self.units.values() for day in days if start <= day < end]
            yield start, (end - start).days, len(used), len(self.active(start))

    def journeys(self):
        """First sign-up, and seconds to the first milestone at or after it or None, by unit."""
        found = {}
        for key in self.units:
            told = self.book.by_unit[key]
            ups = [instant(e["time"]) for e in told if what(e) == "signed_up"]
            if ups:
                reached = [instant(e["time"]) for e in told if what(e) == "milestone_reached"]
                spans = [(at - min(ups)).total_seconds() for at in reached if at >= min(ups)]
                found[key] = min(ups), min(spans, default=None)
        return found

    def time_to_value(self):
        told = self.journeys()
        for start, cohort in self.cohorts("signed_up").items():
            spans = sorted(told[key][1] for key in cohort if told[key][1] is not None)
            ranks = [spans[ceil(p * len(spans) / 100) - 1] if spans else None for p in (50, 75, 90)]
            yield start, len(cohort), len(spans), *ranks, len(cohort) - len(spans)

    def activation(self, a):
        told, days = self.journeys(), timedelta(days=a)
        for start, cohort in self.cohorts("signed_up").items():
            judged = [key for key in cohort if told[key][0] + days <= self.book.at]
            there = [
                key for key in judged if told[key][1] is not None and told[key][1] <= days.total_seconds()
            ]
            yield start, len(cohort), len(cohort) - len(judged), len(there), len(judged)


def tenants(book):
    """Those of whom anything is known that a unit of this kind counts by."""
    return {
        key[0]
        for key, told in book.by_unit.items()
        for e in told
        if what(e) in COUNTED - TURNS
        or what(e) == "signed_up"
        or (what(e) == "left" and (book.unit == "user" or e["data"].get("user_ref") is None))
    }
