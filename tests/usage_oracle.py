"""The numbers of metrics.md §5 the slow, obvious way: facts in a list, definitions in a few lines.

Written from the pages, not from the code: it shares nothing with `pipeline`.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo


def instant(text):
    moment = datetime.fromisoformat(text)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def what(event):
    return event["type"].rpartition(".")[2]


def facts(events):
    """What holds, for ever: neither void nor of an erased account, each once."""
    void = {(e["tenantid"], e["accountid"], e["source"], e["corrects"]) for e in events if e.get("corrects")}
    gone = {(e["tenantid"], e["accountid"]) for e in events if what(e) == "deleted"}
    found = {}
    for e in events:
        name = e["tenantid"], e["accountid"], e["source"], e["id"]
        if name not in void and name[:2] not in gone:
            found[name] = e
    return list(found.values())


def persons(told):
    """Users by account joined into persons: every link gives all who bear either name one name."""
    name = {}
    for e in told:
        if what(e) == "linked":
            account = e["tenantid"], e["accountid"]
            one, other = (
                name.setdefault((*account, e["data"][ref]), (e["data"][ref],))
                for ref in ("user_ref", "same_as")
            )
            for user, known in name.items():
                if user[:2] == account and known in {one, other}:
                    name[user] = tuple(sorted({*one, *other}))
    return name


class Book:
    """The facts of the units of one kind dated at or before an instant. `joined`: linked users are one."""

    def __init__(self, events, at, zones, unit="account", tenant=None, joined=False):
        self.at, self.zones = at, zones
        self.by_unit = defaultdict(list)
        told = [e for e in facts(events) if instant(e["time"]) <= at]
        linked = persons(told) if joined else {}
        for e in told:
            user = e["data"].get("user_ref")
            if tenant not in {None, e["tenantid"]} or (unit == "user" and user is None):
                continue
            person = linked.get((e["tenantid"], e["accountid"], user), user)
            self.by_unit[e["tenantid"], e["accountid"], person if unit == "user" else None].append(e)
        self.unit = unit

    def local_date(self, tenant, moment):
        return moment.astimezone(ZoneInfo(self.zones.get(tenant, "UTC"))).date()

    def days_ago(self, tenant, moment):
        return (self.local_date(tenant, self.at) - self.local_date(tenant, moment)).days

    def eligible(self, key):
        turns = [
            e
            for e in self.by_unit[key]
            if what(e) == "signed_up"
            or (what(e) == "left" and (self.unit == "user" or e["data"].get("user_ref") is None))
        ]
        return bool(turns) and what(max(turns, key=lambda e: (instant(e["time"]), e["id"]))) == "signed_up"

    def used(self, key, days, core=None):
        """(feature, days ago) of uses in the last days."""
        told = [
            (e["data"]["feature"], self.days_ago(key[0], instant(e["time"])))
            for e in self.by_unit[key]
            if what(e) == "feature_used"
        ]
        return {(f, ago) for f, ago in told if ago < days and (core is None or f in core)}

    def adoption(self, core, k, d, w):
        base = [key for key in self.by_unit if self.eligible(key)]
        part = 0
        for key in base:
            used = self.used(key, w, core)
            part += len({f for f, _ in used}) >= k and len({ago for _, ago in used}) >= d
        return ratio(part, len(base))

    def active(self, days):
        return sum(bool(self.used(key, days)) for key in self.by_unit)

    def stickiness(self):
        days = [
            sum(any(ago == day for _, ago in self.used(key, 28)) for key in self.by_unit) for day in range(28)
        ]
        n = self.active(28)
        return (sum(days) / 28 / n if n else None), n

    def journeys(self):
        """(first sign-up, time to the first milestone at or after it or None) of each unit, with its tenant."""
        for key, told in self.by_unit.items():
            ups = [instant(e["time"]) for e in told if what(e) == "signed_up"]
            if ups:
                start = min(ups)
                reached = [instant(e["time"]) for e in told if what(e) == "milestone_reached"]
                after = [moment - start for moment in reached if moment >= start]
                yield key[0], start, min(after, default=None)

    def cohort(self):
        return [span for tenant, start, span in self.journeys() if self.days_ago(tenant, start) < 90]

    def spans(self):
        return sorted(span.total_seconds() for span in self.cohort() if span is not None)

    def percentile(self, percent):
        spans = self.spans()
        return (spans[ceil(percent * len(spans) / 100) - 1] if spans else None), len(spans)

    def mean(self):
        spans = self.spans()
        return (sum(spans) / len(spans) if spans else None), len(spans)

    def censored(self):
        cohort = self.cohort()
        return ratio(sum(span is None for span in cohort), len(cohort))

    def activation(self, a):
        day = timedelta(days=1)
        cohort = [span for _, start, span in self.journeys() if a * day <= self.at - start <= 90 * day]
        return ratio(sum(span is not None and span <= a * day for span in cohort), len(cohort))


def ratio(part, n):
    return (part / n if n else None), n


def invitations(events, kind, start, end, tenant):
    return sum(
        what(e) == "invited"
        and e["data"]["kind"] == kind
        and e["tenantid"] == tenant
        and start <= instant(e["time"]) < end
        for e in facts(events)
    )


def quantity(events, feature, start, end, tenant):
    told = [
        float(e["data"].get("quantity", 1))
        for e in facts(events)
        if what(e) == "feature_used"
        and feature in {None, e["data"]["feature"]}
        and e["tenantid"] == tenant
        and start <= instant(e["time"]) < end
    ]
    return sum(told), len(told)
