"""One row per account, worked out slowly from the events themselves, one sentence of the page at a time.

Knows nothing of entities, rows or SQL. Source: docs/metrics/customers.md. Events are dated all differently.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events.instants import instant_ms
from tests.customer_stories import TENANTS

Event = dict[str, Any]
DAY_MS = 86_400_000
LEAVES = ("answered", "callback_requested", "transferred", "flowed_out", "abandoned")
WEIGHTS = {"adoption": 0.4, "speed": 0.2, "sentiment": 0.2, "payment": 0.2}


class Asked:
    """What is declared: a window of days, how soon is soon, and who has adopted."""

    days = 90
    target_ms = 24 * 3_600_000
    core: tuple[str, ...] = ()
    k, d, w = 1, 3, 28


def at_of(event: Event) -> int:
    return instant_ms(event["time"])


def sound(events: list[Event]) -> list[Event]:
    """What is left when what is void is taken away, in order of time."""
    void = {event["corrects"] for event in events if "corrects" in event}
    kept = [event for event in events if event["id"] not in void and not event["type"].endswith(".voided")]
    return sorted(kept, key=at_of)


def of(events: list[Event], stream: str, *kinds: str) -> list[Event]:
    names = {f"pulse.{stream}.{kind}" for kind in kinds}
    return [
        event
        for event in events
        if (event["type"] in names if kinds else event["type"].split(".")[1] == stream)
    ]


def accounts_at(events: list[Event], at: int, asked: type[Asked] = Asked) -> dict[tuple[str, str], Event]:
    """The row of every account known at `at`, by tenant and account."""
    events = [event for event in sound(events) if "accountid" in event]
    then = [event for event in events if at_of(event) <= at]
    known = {(event["tenantid"], main_of(event, then)) for event in then}
    rows = {}
    for tenant, account in known:
        mine = [event for event in events if (event["tenantid"], main_of(event, then)) == (tenant, account)]
        rows[tenant, account] = row_of(account, mine, at, asked)
    return rows


def main_of(event: Event, then: list[Event]) -> str:
    """Under which account an event counts: the one its account had gone on as."""
    name = event["accountid"]
    while True:
        merges = [
            other
            for other in of(then, "account", "merged")
            if (other["tenantid"], other["accountid"]) == (event["tenantid"], name)
        ]
        if not merges:
            return name
        name = merges[-1]["data"]["into"]


def row_of(account: str, mine: list[Event], at: int, asked: type[Asked]) -> Event:
    then = [event for event in mine if at_of(event) <= at]
    since = at - asked.days * DAY_MS
    zone = ZoneInfo(TENANTS[mine[0]["tenantid"]]["tz"])
    stated = [event for event in of(mine, "account") if event["accountid"] == account]
    stages = [event for event in of(stated, "account", "created", "stage_changed") if at_of(event) <= at]
    row: Event = {
        "stage": (stages[-1]["data"].get("stage") or stages[-1]["data"].get("to")) if stages else ""
    }
    for name in ("owner", "segment"):
        told = [
            event["data"].get("to" if "changed" in event["type"] else name)
            for event in of(stated, "account", "created", f"{name}_changed")
        ]
        row[name] = told[-1] if told and at_of(stated[0]) <= at else ""
    noted = [event for event in of(mine, "account") if first_of(mine, event["accountid"]) <= at]
    for name, kind in (("problems", "problem_noted"), ("preferences", "preference_noted")):
        row[name] = sorted({event["data"]["ref"] for event in of(noted, "account", kind)})
    row |= money_of(then, since)
    row |= support_of(then, since, at, asked)
    row |= voice_of(then, since)
    row |= usage_of(then, at, zone, asked)
    return row | health_of(row)


def first_of(mine: list[Event], account: str) -> int:
    return min(at_of(event) for event in of(mine, "account") if event["accountid"] == account)


def money_of(then: list[Event], since: int) -> Event:
    states: dict[tuple[str, str], Event] = {}
    for event in of(then, "subscription", "started", "changed", "cancelled"):
        name = event["accountid"], event["data"]["subscription_id"]
        if event["type"].endswith("cancelled"):
            if name in states:
                states[name] = {**states[name], "mrr_minor": 0, "seats": 0}
        else:
            states[name] = event["data"]
    mrr: dict[str, int] = {}
    for state in states.values():
        mrr[state["currency"]] = mrr.get(state["currency"], 0) + state["mrr_minor"]
    out: dict[str, int] = {}
    for event in of(then, "subscription", "services_invoiced"):
        if event["data"]["scope"] == "out":
            currency = event["data"]["currency"]
            out[currency] = out.get(currency, 0) + event["data"]["amount_minor"]
    lately = [event for event in then if at_of(event) > since]
    return {
        "mrr_minor": {currency: minor for currency, minor in mrr.items() if minor},
        "seats": sum(state["seats"] for state in states.values()),
        "out_of_scope_minor": out,
        "paid": len(of(lately, "subscription", "paid")),
        "failed": len(of(lately, "subscription", "payment_failed")),
    }


def groups(events: list[Event], name: str) -> list[list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event["data"][name], []).append(event)
    return list(found.values())


def support_of(then: list[Event], since: int, at: int, asked: type[Asked]) -> Event:
    contacts, waits, open_tickets = [0], [], 0
    for told in groups(of(then, "ticket"), "ticket_id"):
        open_tickets += (
            of(told, "ticket", "created", "solved", "reopened")[-1]["type"] != "pulse.ticket.solved"
        )
        contacts += [at_of(event) for event in told if is_contact(event)]
        waits += ticket_waits(told, since, at, asked.target_ms)
    for told in groups(of(then, "call"), "initial_contact_id"):
        contacts += [at_of(event) for event in told]
        waits += chain_waits(told, since)
    return {
        "open_tickets": open_tickets,
        "felt": len(waits),
        "in_time": sum(waits),
        "last_contact_at": max(contacts) or None,
    }


def is_reply(event: Event) -> bool:
    """A public message of a person of ours."""
    if event["type"] != "pulse.ticket.message_added":
        return False
    return event["data"]["author_kind"] == "agent" and event["data"].get("visibility") != "internal"


def is_contact(event: Event) -> bool:
    return event["type"] in ("pulse.ticket.created", "pulse.ticket.reopened") or is_reply(event)


def ticket_waits(told: list[Event], since: int, at: int, target_ms: int) -> list[bool]:
    """Whether each wait for a first response was short enough."""
    waits = []
    waiting_since, is_solved = at_of(told[0]), False
    for event in told:
        if event["type"] == "pulse.ticket.solved":
            is_solved = True
        if event["type"] == "pulse.ticket.reopened":
            waiting_since, is_solved = at_of(event), False
        if is_reply(event) and waiting_since:
            if at_of(event) > since:
                waits.append(at_of(event) - waiting_since <= target_ms)
            waiting_since = 0
    is_overdue = not is_solved and waiting_since and at - waiting_since > target_ms
    return [*waits, False] if is_overdue else waits


def chain_waits(told: list[Event], since: int) -> list[bool]:
    """At most one: until a person answered, or gave up after more than 5 s and nobody ever did."""
    humans = [event for event in of(told, "call", "answered") if event["data"]["answered_by"] == "human"]
    if humans:
        waited = at_of(humans[0]) - at_of(of(told, "call", "queued")[0])
        return [waited <= 20_000] if at_of(humans[0]) > since else []
    for leg in groups(told, "contact_id"):
        # A leg of which nothing says how it left its queue was given up when it ended.
        left = (of(leg, "call", *LEAVES) or of(leg, "call", "ended") or [leg[0]])[0]
        has_given_up = left["type"] in ("pulse.call.abandoned", "pulse.call.ended")
        if has_given_up and at_of(left) > since and at_of(left) - at_of(leg[0]) > 5_000:
            return [False]
    return []


def voice_of(then: list[Event], since: int) -> Event:
    csat = [event for event in of(then, "survey") if event["data"]["kind"] == "csat"]
    nps = [
        event
        for event in of(then, "survey")
        if event["data"]["kind"] == "nps" and event["data"]["scale_min"] == 0
    ]
    lately = [event["data"] for event in csat + nps if at_of(event) > since]
    shares = [
        (said["score"] - said["scale_min"]) / (said["scale_max"] - said["scale_min"]) for said in lately
    ]
    return {
        "last_csat": csat[-1]["data"]["score"] if csat else None,
        "last_nps": nps[-1]["data"]["score"] if nps else None,
        "mood": shares,
    }


def usage_of(then: list[Event], at: int, zone: ZoneInfo, asked: type[Asked]) -> Event:
    def day_of(moment: int) -> date:
        return datetime.fromtimestamp(moment / 1000, zone).date()

    last: dict[str, str] = {}
    for event in of(then, "usage", "signed_up", "left"):
        last[event["accountid"]] = event["type"]
    first_day = day_of(at) - timedelta(days=asked.w - 1)
    used = [
        event
        for event in of(then, "usage", "feature_used")
        if day_of(at_of(event)) >= first_day and (not asked.core or event["data"]["feature"] in asked.core)
    ]
    milestones = of(then, "usage", "milestone_reached")
    return {
        "is_eligible": "pulse.usage.signed_up" in last.values(),
        "features_used": len({event["data"]["feature"] for event in used}),
        "days_used": len({day_of(at_of(event)) for event in used}),
        "last_milestone": milestones[-1]["data"]["milestone"] if milestones else "",
        "k": asked.k,
        "d": asked.d,
    }


def health_of(row: Event) -> Event:
    scores = {
        "adoption": 100 * min(1, row["features_used"] / row["k"], row["days_used"] / row["d"])
        if row["is_eligible"]
        else None,
        "speed": 100 * row["in_time"] / row["felt"] if row["felt"] else None,
        "sentiment": 100 * sum(row["mood"]) / len(row["mood"]) if row["mood"] else None,
        "payment": 100 * row["paid"] / (row["paid"] + row["failed"]) if row["paid"] + row["failed"] else None,
    }
    present = {name: score for name, score in scores.items() if score is not None}
    weight = sum(WEIGHTS[name] for name in present)
    return {
        **{f"{name}_score": score for name, score in scores.items()},
        "health": sum(WEIGHTS[name] * score for name, score in present.items()) / weight if weight else None,
        "confidence": weight,
    }
