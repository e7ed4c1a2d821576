"""Random days of a few accounts in every stream, from one seed. No two events are dated alike."""

import random
from typing import Any

from pipeline.events.instants import instant_text
from tests.builders import DAY, HOUR, ms

TENANTS = {"t": {"tz": "Europe/Bucharest"}, "u": {"tz": "America/New_York"}}
ACCOUNTS = ("a", "b", "c", "d", "e", "f")
FEATURES = ("board", "export", "chart")
STAGES = ("onboarding", "adoption", "retention", "churned")
CURRENCIES = ("EUR", "USD")
BACK = 150
"""Days before the morning at which these stories begin; they end two days after it."""


class Teller:
    """Collects events; each `say` is dated by itself, or so many seconds after the morning."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.events: list[dict[str, Any]] = []
        self._taken: set[int] = set()

    def some_time(self) -> float:
        """Mostly of the last weeks, so that windows have edges to cut at."""
        days = self.rng.choice((2, 10, 40, BACK))
        return self.rng.uniform(-days * DAY, 2 * DAY)

    def say(self, stream: str, what: str, at: float, tenant: str, data: dict[str, Any], **more: Any) -> str:
        """One event, at the next free millisecond. Returns its id."""
        moment = ms(at)
        while moment in self._taken:
            moment += 1
        self._taken.add(moment)
        name = f"e{len(self.events)}"
        self.events.append(
            {
                "specversion": "1.0",
                "id": name,
                "source": "/s",
                "type": f"pulse.{stream}.{what}",
                "time": instant_text(moment),
                "tenantid": tenant,
                "data": data,
                **more,
            }
        )
        return name


def story(seed: int) -> list[dict[str, Any]]:
    """Events of all streams in a random order; some are voided, some accounts are in one stream only."""
    teller = Teller(seed)
    for tenant in TENANTS:
        for account in ACCOUNTS:
            for tell in (profile, money, usage, tickets, calls, surveys):
                if teller.rng.random() < 0.7:
                    tell(teller, tenant, account)
    said = teller.events
    for event in teller.rng.sample(said, len(said) // 25):
        if event["type"].endswith((".created", ".queued", ".signed_up")):
            continue
        data = {name: event["data"][name] for name in _KEYS if name in event["data"]}
        more = {"accountid": event["accountid"]} if "accountid" in event else {}
        stream = event["type"].split(".")[1]
        teller.say(stream, "voided", 3 * DAY, event["tenantid"], data, corrects=event["id"], **more)
    teller.rng.shuffle(said)
    return said


_KEYS = ("contact_id", "initial_contact_id", "leg", "ticket_id", "survey_id", "subscription_id")


def profile(teller: Teller, tenant: str, account: str) -> None:
    rng = teller.rng
    born = min(teller.some_time(), DAY)
    named = {"owner": rng.choice(("ann", "bob")), "segment": rng.choice(("small", "large"))}
    teller.say("account", "created", born, tenant, {"stage": rng.choice(STAGES), **named}, accountid=account)
    for _ in range(rng.randrange(5)):
        what, data = rng.choice(
            (
                ("stage_changed", {"to": rng.choice(STAGES)}),
                ("owner_changed", {"to": rng.choice(("cid", "dan"))}),
                ("problem_noted", {"ref": rng.choice(("p1", "p2"))}),
                ("preference_noted", {"ref": "v1"}),
            )
        )
        teller.say("account", what, rng.uniform(born, 2 * DAY), tenant, data, accountid=account)
    if rng.random() < 0.2:
        into = rng.choice([name for name in ACCOUNTS if name > account] or ["z"])
        teller.say("account", "merged", rng.uniform(born, 2 * DAY), tenant, {"into": into}, accountid=account)


def money(teller: Teller, tenant: str, account: str) -> None:
    rng = teller.rng
    for number in range(rng.randrange(1, 3)):
        about = {"subscription_id": f"s{number}"}
        state = {**about, "currency": rng.choice(CURRENCIES), "seats": rng.randrange(9)}
        began = teller.some_time()
        minor = rng.randrange(0, 9000)
        teller.say("subscription", "started", began, tenant, {**state, "mrr_minor": minor}, accountid=account)
        if rng.random() < 0.4:
            told = {**state, "mrr_minor": rng.randrange(9000), "seats": rng.randrange(9)}
            teller.say(
                "subscription", "changed", rng.uniform(began, 2 * DAY), tenant, told, accountid=account
            )
        if rng.random() < 0.3:
            teller.say(
                "subscription",
                "cancelled",
                rng.uniform(began, 2 * DAY),
                tenant,
                {**about, "reason": "voluntary"},
                accountid=account,
            )
        for _ in range(rng.randrange(6)):
            amount = {**about, "amount_minor": rng.randrange(1, 500), "currency": rng.choice(CURRENCIES)}
            what, data = rng.choice(
                (
                    ("paid", amount),
                    ("payment_failed", about),
                    ("services_invoiced", {**amount, "scope": rng.choice(("in", "out"))}),
                )
            )
            teller.say("subscription", what, teller.some_time(), tenant, data, accountid=account)


def usage(teller: Teller, tenant: str, account: str) -> None:
    rng = teller.rng
    if rng.random() < 0.85:
        teller.say("usage", "signed_up", teller.some_time(), tenant, {"user_ref": "x"}, accountid=account)
    for _ in range(rng.randrange(12)):
        used = {"user_ref": rng.choice("xy"), "feature": rng.choice(FEATURES)}
        teller.say("usage", "feature_used", teller.some_time(), tenant, used, accountid=account)
    for _ in range(rng.randrange(3)):
        reached = {"milestone": rng.choice(("first-board", "first-export"))}
        teller.say("usage", "milestone_reached", teller.some_time(), tenant, reached, accountid=account)
    if rng.random() < 0.2:
        teller.say("usage", "left", teller.some_time(), tenant, {}, accountid=account)


def tickets(teller: Teller, tenant: str, account: str) -> None:
    rng = teller.rng
    for number in range(rng.randrange(1, 4)):
        about = {"ticket_id": f"{account}{number}"}
        at = teller.some_time()
        is_custom = rng.random() < 0.3
        born = {**about, "author_kind": "customer", "group_id": "help", "custom_work": is_custom}
        teller.say("ticket", "created", at, tenant, born, accountid=account)
        for _ in range(rng.randrange(6)):
            at += rng.choice((HOUR, 20 * HOUR, 50 * HOUR)) * rng.random()
            what, data = rng.choice(
                (
                    ("message_added", {"author_kind": "agent"}),
                    ("message_added", {"author_kind": "agent", "visibility": "internal"}),
                    ("message_added", {"author_kind": "customer"}),
                    ("solved", {}),
                    ("reopened", {}),
                )
            )
            teller.say("ticket", what, at, tenant, {**about, **data}, accountid=account)


def calls(teller: Teller, tenant: str, account: str) -> None:
    rng = teller.rng
    for number in range(rng.randrange(1, 5)):
        first, at = f"{account}-{number}", teller.some_time()
        for leg in range(rng.choice((1, 1, 2))):
            about = {"contact_id": f"{first}-{leg}" if leg else first, "initial_contact_id": first}
            teller.say("call", "queued", at, tenant, {**about, "queue_id": "q"}, accountid=account)
            at += rng.choice((4, 19, 30, 200)) * rng.random()
            end, data = rng.choice(
                (
                    ("answered", {"answered_by": "human"}),
                    ("answered", {"answered_by": "human"}),
                    ("answered", {"answered_by": "bot"}),
                    ("abandoned", {}),
                    ("callback_requested", {}),
                    ("transferred", {}),
                    ("", {}),
                )
            )
            if not end:
                break
            teller.say("call", end, at, tenant, {**about, **data}, accountid=account)
            at += rng.choice((2, 100, 2 * HOUR)) * rng.random() + 0.01
            if end == "answered":
                teller.say("call", "ended", at, tenant, about, accountid=account)
                at += 60


def surveys(teller: Teller, tenant: str, account: str) -> None:
    rng = teller.rng
    for number in range(rng.randrange(1, 5)):
        kind, least, most = rng.choice(
            (("csat", 1, 5), ("csat", 1, 7), ("nps", 0, 10), ("nps", 1, 10), ("ces", 1, 5))
        )
        scored = {"scale_min": least, "scale_max": most, "score": rng.randint(least, most), "comment": False}
        data = {"survey_id": f"{account}{number}", "kind": kind, **scored}
        teller.say("survey", "answered", teller.some_time(), tenant, data, accountid=account)
