"""The numbers of metrics.md §6 the slow, obvious way: facts in a list, states by looking through it.

Written from the pages, not from the code: it shares nothing with `pipeline`.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

STATES = {"started", "changed", "reactivated"}
DAY = timedelta(days=1)


class MixedError(Exception):
    """Amounts of several currencies."""


def instant(text):
    moment = datetime.fromisoformat(text)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def what(event):
    return event["type"].rpartition(".")[2]


def accounts(events):
    """Facts that hold, by (tenant, account)."""
    void = {(e["tenantid"], e["accountid"], e["source"], e["corrects"]) for e in events if e.get("corrects")}
    gone = {(e["tenantid"], e["accountid"]) for e in events if what(e) == "deleted"}
    found = defaultdict(dict)
    for e in events:
        owner = e["tenantid"], e["accountid"]
        name = *owner, e["source"], e["id"]
        if owner not in gone and name not in void and what(e) not in {"voided", "deleted"}:
            found[owner][name] = e
    return {owner: list(facts.values()) for owner, facts in found.items()}


def effective(event, recognition="effective"):
    if what(event) == "cancelled" and recognition == "event":
        return instant(event["time"])
    return instant(event["data"].get("effective_at") or event["time"])


def state(facts, t, recognition):
    """(mrr, currency, seats, plan) of one subscription before any change dated t."""
    steering = STATES | {"cancelled", "cancel_scheduled", "cancel_unscheduled"}
    told = [
        (effective(e, recognition), instant(e["time"]), e["source"], e["id"], e)
        for e in facts
        if what(e) in steering and effective(e, recognition) < t
    ]
    told = sorted(told, key=lambda row: row[:4])
    mrr, currency, seats, plan = 0, None, 0, ""
    ended = True
    for *_, e in told:
        data = e["data"]
        if what(e) in STATES:
            mrr, currency, ended = data["mrr_minor"], data["currency"], False
            seats = seats if data.get("seats") is None else data["seats"]
            plan = plan if data.get("plan") is None else data["plan"]
        elif what(e) == "cancelled":
            ended = True
    if recognition == "scheduled" and any(notice_holds(told, i, t) for i in range(len(told))):
        ended = True
    return (0, currency, 0, plan) if ended else (mrr, currency, seats, plan)


def notice_holds(told, i, t):
    said, *_, e = told[i]
    if what(e) != "cancel_scheduled":
        return False
    ends = max(instant(e["data"]["cancels_at"]), said)
    if ends >= t:
        return False
    for later, *_, other in told[i + 1 :]:
        if what(other) != "cancel_scheduled":
            return False
        if later < ends:
            return False
    return True


class Book:
    """Every account's MRR and seats at an instant, as the dimensions let them be seen."""

    def __init__(self, events, dims, recognition="effective", zones=None):
        self.dims, self.recognition, self.zones = dims, recognition, zones or {}
        self.accounts = {
            owner: facts
            for owner, facts in accounts(events).items()
            if dims.get("tenant", owner[0]) == owner[0]
        }

    def midnight(self, tenant, day):
        zone = ZoneInfo(self.zones.get(tenant, "UTC"))
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(ZoneInfo("UTC"))

    def holding(self, owner, t):
        """(MRR by currency, seats) before any change dated t."""
        by_subscription = defaultdict(list)
        for e in self.accounts[owner]:
            by_subscription[e["data"]["subscription_id"]].append(e)
        money, seats = defaultdict(int), 0
        for facts in by_subscription.values():
            mrr, currency, chairs, plan = state(facts, t, self.recognition)
            if self.dims.get("currency", currency) == currency and self.dims.get("plan", plan) == plan:
                money[currency] += mrr
                seats += chairs
        return {currency: amount for currency, amount in money.items() if amount > 0}, seats

    def turns(self, owner):
        """Every instant at which the account might change."""
        found = set()
        for e in self.accounts[owner]:
            found |= {effective(e), instant(e["time"])}
            if "cancels_at" in e["data"]:
                found.add(instant(e["data"]["cancels_at"]))
        return sorted(found)

    def was_active(self, owner, start, end, currency=None):
        """Active at some instant of [start, end)."""
        moments = [t for t in self.turns(owner) if start <= t < end]
        held = [self.holding(owner, t + timedelta(milliseconds=1))[0] for t in moments]
        return any(bool(money) if currency is None else currency in money for money in held)

    def window(self, first, last):
        """Per account its state before the first day and after the last one."""
        for owner in self.accounts:
            start, end = self.midnight(owner[0], first), self.midnight(owner[0], last + DAY)
            yield owner, start, end, self.holding(owner, start), self.holding(owner, end)


LONG_AGO = instant("2000-01-01T00:00:00+00:00")


def churn(book, first, last, definition):
    if definition == "daily_sum":
        rates, n = [], 0
        for back in range((last - first).days + 1):
            day = first + back * DAY
            lost, base = churned(book, day, day)[:2]
            n += base
            rates += [lost / base] if base else []
        return (sum(rates) if rates else None), n
    lost, base, joined = churned(book, first, last)
    base += joined if definition == "start_plus_new" else 0
    return (lost / base if base else None), base


def churned(book, first, last):
    lost = base = joined = 0
    for owner, start, end, (before, _), (after, _) in book.window(first, last):
        base += bool(before)
        lost += bool(before) and not after
        joined += not before and book.was_active(owner, start, end)
    return lost, base, joined


def flows(book, first, last):
    """By currency: sums of MRR at start and end, and of what lies between, and accounts of the start."""
    found = defaultdict(lambda: defaultdict(int))
    for owner, start, _, (before, _), (after, _) in book.window(first, last):
        for currency in {*before, *after}:
            s, e, row = before.get(currency, 0), after.get(currency, 0), found[currency]
            row["start"] += s
            row["end"] += e
            row["base"] += s > 0
            row["kept"] += e if s else 0
            row["least"] += min(s, e)
            if s and not e:
                row["mrr_churn"] += s
            elif s:
                row["mrr_expansion"] += max(0, e - s)
                row["mrr_contraction"] += max(0, s - e)
            elif book.was_active(owner, LONG_AGO, start, currency):
                row["mrr_reactivation"] += e
            else:
                row["mrr_new"] += e
    return found


def one(by_currency):
    if len(by_currency) > 1:
        raise MixedError
    return next(iter(by_currency.values()), defaultdict(int))


def ratio(part, whole):
    return part / whole if whole else None


def window_number(book, metric, first, last, definition=None):
    """The value over whole local days first … last. Raises MixedError."""
    if metric == "churn":
        return churn(book, first, last, definition or "start")[0]
    if metric == "seat_expansion":
        return sum(after - before for *_, (money, before), (_, after) in book.window(first, last) if money)
    row = one(flows(book, first, last))
    lost, base, _ = churned(book, first, last)
    share = ratio(lost, base)
    return {
        "nrr": ratio(row["kept"], row["start"]),
        "grr": ratio(row["least"], row["start"]),
        "gross_churn_mrr": ratio(row["mrr_churn"] + row["mrr_contraction"], row["start"]),
        "net_churn_mrr": ratio(
            row["mrr_churn"] + row["mrr_contraction"] - row["mrr_expansion"] - row["mrr_reactivation"],
            row["start"],
        ),
        "clv_predictive": row["start"] / row["base"] / share if row["base"] and share else None,
        "churn_cost": row["mrr_churn"] / share if share else None,
        **{name: row[name] for name in FLOWS},
    }[metric]


FLOWS = ("mrr_new", "mrr_reactivation", "mrr_expansion", "mrr_contraction", "mrr_churn")
WINDOWS = (
    "churn", "seat_expansion", "nrr", "grr", "gross_churn_mrr", "net_churn_mrr", "clv_predictive", "churn_cost", *FLOWS,
)  # fmt: skip
LEVELS = ("mrr", "arr", "active_accounts", "seats", "clv_given", "clv_realised")


def level_number(book, metric, at):
    """The value at an instant, what is dated at it included. Raises MixedError."""
    t = at + timedelta(milliseconds=1)
    held = [book.holding(owner, t) for owner in book.accounts]
    if metric == "active_accounts":
        return sum(bool(money) for money, _ in held)
    if metric == "seats":
        return sum(seats for _, seats in held)
    if metric == "clv_realised":
        return realised(book, t)
    by_currency = defaultdict(list)
    for money, _ in held:
        for currency, amount in money.items():
            by_currency[currency].append(amount)
    if len(by_currency) > 1:
        raise MixedError
    amounts = next(iter(by_currency.values()), [])
    if metric == "clv_given":
        return sum(amounts) / len(amounts) * 36 if amounts else None
    return sum(amounts) * (12 if metric == "arr" else 1)


def realised(book, t):
    """Without a plan in the question."""
    ever, paid = defaultdict(int), defaultdict(int)
    for owner, facts in book.accounts.items():
        for currency in ("EUR", "USD"):
            if book.was_active(owner, LONG_AGO, t, currency):
                ever[currency] += 1
                paid[currency] += sum(
                    e["data"]["amount_minor"]
                    for e in facts
                    if what(e) == "paid" and effective(e) < t and e["data"]["currency"] == currency
                )
    if len(ever) > 1:
        raise MixedError
    return next((paid[currency] / ever[currency] for currency in ever), None)
