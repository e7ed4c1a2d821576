"""Records of every stream for the benches: one book of accounts, told day by day from a seed.

An account has one to six users, of whom each uses a few features several times on about five days in
seven, and a subscription that is invoiced and changed month by month. A ticket is created, assigned,
answered, asked again, answered, solved. Calls come from the simulator.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from pipeline.metrics.windows import DAY_MS
from pipeline.sources.simulate import CallCentre, encode, simulate

HOUR_MS = 3_600_000
FEATURES = ("board", "chart", "export", "search", "share", "api", "alerts", "import")
MONTH_MS = 30 * DAY_MS
PLANS = ("basic", "pro", "enterprise")


class Told(NamedTuple):
    """One record. `at`: when it is delivered, ms."""

    at: int
    key: bytes
    value: bytes


def text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(
    stream: str, what: str, at: int, event_id: str, data: str, account: str = "", tenant: str = "acme"
) -> bytes:
    about = f'"accountid":"{account}",' if account else ""
    return (
        f'{{"specversion":"1.0","id":"{event_id}","source":"/bench/{stream}","type":"pulse.{stream}.{what}",'
        f'"time":"{text(at)}","tenantid":"{tenant}",{about}"data":{{{data}}}}}'
    ).encode()


def calls(start: int, rate: float = 1000.0) -> Iterator[Told]:
    for told in simulate(CallCentre(rate=rate), 1, start):
        yield Told(told.deliver_at_ms, told.key, encode(told.event))


def sign_ups(accounts: int, start: int, seed: int = 1) -> Iterator[Told]:
    """Every account signs up in the 30 days before `start`."""
    drawn = random.Random(seed)
    for number in range(accounts):
        at, account = start - 1 - drawn.randrange(MONTH_MS), f"account-{number}"
        told = event("usage", "signed_up", at, f"up-{number}", '"user_ref":"user-0"', account)
        yield Told(at, f"acme|{account}".encode(), told)


def usage_day(accounts: int, start: int, per_user: int = 8, seed: int = 1) -> list[Told]:
    """The uses of one day from `start` on, in order of time. A user in seven stays away."""
    drawn = random.Random(f"{seed} {start}")
    found: list[Told] = []
    for number in range(accounts):
        account = f"account-{number}"
        key = f"acme|{account}".encode()
        for user in range(1 + number % 6):
            if drawn.random() < 2 / 7:
                continue
            for use in range(drawn.randint(1, 2 * per_user - 1)):
                at = start + drawn.randrange(DAY_MS)
                # Most uses are of few features.
                feature = FEATURES[min(drawn.randrange(8), drawn.randrange(8))]
                data = f'"user_ref":"user-{user}","feature":"{feature}"'
                name = f"use-{start // DAY_MS}-{number}-{user}-{use}"
                found.append(Told(at, key, event("usage", "feature_used", at, name, data, account)))
    found.sort(key=lambda told: told.at)
    return found


def subscription_month(accounts: int, start: int, month: int, seed: int = 1) -> list[Told]:
    """What billing says of a month from `start` on: a start or a state, and a payment."""
    drawn = random.Random(f"{seed} {month}")
    found: list[Told] = []
    for number in range(accounts):
        account, at = f"account-{number}", start + drawn.randrange(MONTH_MS)
        key = f"acme|{account}".encode()
        minor = 10_000 + 100 * drawn.randrange(500)
        about = f'"subscription_id":"subscription-{number}"'
        terms = f'"seats":{1 + number % 50},"plan":"{PLANS[number % 3]}"'
        state = f'{about},"mrr_minor":{minor},"currency":"EUR",{terms}'
        paid = f'{about},"amount_minor":{minor},"currency":"EUR"'
        what = "changed" if month else "started"
        for kind, data, when in ((what, state, at), ("paid", paid, at + HOUR_MS)):
            name = f"{kind}-{month}-{number}"
            found.append(Told(when, key, event("subscription", kind, when, name, data, account)))
    found.sort(key=lambda told: told.at)
    return found


def life(number: int, start: int, months: int, tenant: str, seed: int = 1) -> list[Told]:
    """What billing says of one account in the months from `start` on. Two in three are there from the first
    month on; one in eight has a second subscription. A month it may change (6 %), go (1.5 %) or come back
    (20 %); while it is there it pays, fails to (2 %), and is invoiced services (3 %).
    """
    drawn = random.Random(f"{seed} {number}")
    account = f"account-{number}"
    found: list[Told] = []

    def tell(what: str, at: int, data: str) -> None:
        name = f"{what}-{number}-{len(found)}"
        told = event("subscription", what, at, name, data, account, tenant)
        found.append(Told(at, f"{tenant}|{account}".encode(), told))

    for each in range(2 if drawn.random() < 1 / 8 else 1):
        about = f'"subscription_id":"subscription-{number}-{each}"'
        begins, is_on = 0 if drawn.random() < 2 / 3 else drawn.randrange(months), False
        for month in range(begins, months):
            at, chance = start + month * MONTH_MS + drawn.randrange(MONTH_MS - 2 * HOUR_MS), drawn.random()
            minor = 10_000 + 100 * drawn.randrange(500)
            terms = f'"seats":{1 + drawn.randrange(50)},"plan":"{PLANS[drawn.randrange(3)]}"'
            state = f'{about},"mrr_minor":{minor},"currency":"EUR",{terms}'
            if month == begins:
                tell("started", at, state)
                is_on = True
            elif is_on and chance < 0.015:
                tell("cancelled", at, f'{about},"reason":"voluntary"')
                is_on = False
            elif is_on and chance < 0.075:
                tell("changed", at, state)
            elif not is_on and chance < 0.2:
                tell("reactivated", at, state)
                is_on = True
            if is_on:
                what = "payment_failed" if drawn.random() < 0.02 else "paid"
                amount = f'{about},"amount_minor":{minor},"currency":"EUR"'
                tell(what, at + HOUR_MS, about if what == "payment_failed" else amount)
                if drawn.random() < 0.03:
                    tell("services_invoiced", at + 2 * HOUR_MS - 1, f'{amount},"scope":"out"')
    return found


def use(number: int, at: int, tenant: str, name: str, drawn: random.Random) -> Told:
    """One use of a feature by one of an account's people."""
    account, feature = f"account-{number}", FEATURES[min(drawn.randrange(8), drawn.randrange(8))]
    data = f'"user_ref":"user-{drawn.randrange(1 + number % 3)}","feature":"{feature}"'
    told = event("usage", "feature_used", at, name, data, account, tenant)
    return Told(at, f"{tenant}|{account}".encode(), told)


def tickets(start: int, every_ms: int = 100, seed: int = 1) -> Iterator[Told]:
    """Tickets of a help desk; one begins every `every_ms`, and is over within four hours."""
    drawn = random.Random(seed)
    waiting: list[Told] = []
    number = 0
    while True:
        begun = start + number * every_ms
        waiting += _ticket(number, begun, drawn)
        number += 1
        if number % 1000 == 0:
            waiting.sort(key=lambda told: told.at)
            ready = sum(told.at < begun for told in waiting)
            yield from waiting[:ready]
            del waiting[:ready]


def _ticket(number: int, at: int, drawn: random.Random) -> Iterator[Told]:
    agent = f'"agent_id":"agent-{number % 40}"'
    for what, data in (
        ("created", f'"author_kind":"customer","channel":"email","group_id":"group-{number % 8}"'),
        ("assigned", agent),
        ("message_added", f'"author_kind":"agent","visibility":"public",{agent}'),
        ("message_added", '"author_kind":"customer","visibility":"public"'),
        ("message_added", f'"author_kind":"agent","visibility":"public",{agent}'),
        ("solved", ""),
    ):
        told = f'"ticket_id":"ticket-{number}"' + (f",{data}" if data else "")
        yield Told(at, b"acme|%d" % number, event("ticket", what, at, f"{what}-{number}-{at}", told))
        at += 1 + drawn.randrange(40 * 60_000)


def surveys(start: int, every_ms: int = 1000) -> Iterator[Told]:
    number = 0
    while True:
        at, about = start + number * every_ms, f'"survey_id":"survey-{number}","kind":"csat"'
        key = b"acme|%d" % number
        yield Told(at, key, event("survey", "sent", at, f"sent-{number}", about))
        at += every_ms // 2
        score = f'{about},"score":{1 + number % 5},"scale_min":1,"scale_max":5'
        yield Told(at, key, event("survey", "answered", at, f"answered-{number}", score))
        number += 1


def stages(accounts: int, start: int, every_ms: int = 1000) -> Iterator[Told]:
    """Accounts of customer success move between stages, one after the other."""
    number = 0
    while True:
        at, account = start + number * every_ms, f"account-{number % accounts}"
        stage = ("onboarding", "adoption", "retention", "expansion")[number // accounts % 4]
        data = f'"to":"{stage}"'
        yield Told(
            at,
            f"acme|{account}".encode(),
            event("account", "stage_changed", at, f"s-{number}", data, account),
        )
        number += 1


def agents(start: int, every_ms: int = 1000) -> Iterator[Told]:
    number = 0
    while True:
        at, agent = start + number * every_ms, f"agent-{number % 400}"
        data = f'"agent_id":"{agent}","to":"{"available" if number % 2 else "busy"}"'
        yield Told(at, f"acme|{agent}".encode(), event("agent", "state_changed", at, f"a-{number}", data))
        number += 1
