"""A small company as all streams beside calls tell it, up to an instant (ms); the same every time."""

from random import Random
from typing import Any

from pipeline.events.instants import instant_text

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
Event = dict[str, Any]


def company(now: int, tenant: str = "acme", seed: int = 7) -> dict[str, list[Event]]:
    """Events by stream."""
    told = _Company(now, tenant, Random(seed))
    return {
        "ticket": told.tickets(),
        "survey": told.surveys(),
        "subscription": told.subscriptions(),
        "usage": told.usage(),
        "account": told.accounts(),
        "agent": told.agents(),
    }


class _Company:
    def __init__(self, now: int, tenant: str, chance: Random) -> None:
        self._now = now
        self._tenant = tenant
        self._chance = chance
        self._count = 0

    def _said(self, what: str, before_ms: float, account: str | None = None, **data: Any) -> Event:
        self._count += 1
        told = {
            "specversion": "1.0", "id": f"e{self._count}", "source": "/company", "tenantid": self._tenant,
            "type": f"pulse.{what}", "time": instant_text(self._now - round(before_ms)), "data": data,
        }  # fmt: skip
        return told if account is None else {**told, "accountid": account}

    def tickets(self) -> list[Event]:
        found = []
        for number in range(120):
            ticket, age = f"k{number}", self._chance.uniform(0.2, 300) * HOUR
            where = {"ticket_id": ticket, "group_id": "desk", "channel": "mail"}
            found.append(self._said("ticket.created", age, author_kind="customer", **where))
            wait = self._chance.expovariate(1 / (5 * HOUR))
            if wait < age and number % 17:
                answer = {"author_kind": "agent", "visibility": "public"}
                found.append(self._said("ticket.message_added", age - wait, **where, **answer))
                if wait * 2 < age and number % 3:
                    found.append(self._said("ticket.solved", age - wait * 2, ticket_id=ticket))
        return found

    def surveys(self) -> list[Event]:
        found = []
        for number in range(260):
            age, queue = self._chance.uniform(0.01, 40) * DAY, self._chance.choice(["billing", "technical"])
            asked = {"survey_id": f"s{number}", "kind": "csat" if number % 2 else "nps", "queue_id": queue}
            found.append(self._said("survey.sent", age, **asked))
            if number % 3:
                scale = (1, 5) if number % 2 else (0, 10)
                score = min(
                    scale[1], max(scale[0], round(self._chance.gauss(scale[1] * 0.85, scale[1] * 0.2)))
                )
                told = {"scale_min": scale[0], "scale_max": scale[1], "score": score}
                found.append(self._said("survey.answered", age - HOUR / 10, **asked, **told))
        return found

    def subscriptions(self) -> list[Event]:
        found = []
        for number in range(90):
            account, age = f"a{number}", self._chance.uniform(40, 400) * DAY
            state = {
                "subscription_id": "s",
                "currency": "EUR" if number % 4 else "USD",
                "seats": number % 9 + 1,
            }
            mrr = self._chance.randrange(9_900, 249_900, 1_000)
            found.append(self._said("subscription.started", age, account, mrr_minor=mrr, **state))
            if number % 5 == 0:
                grown = {**state, "mrr_minor": mrr + self._chance.randrange(1_000, 40_000, 1_000)}
                found.append(
                    self._said("subscription.changed", age * self._chance.random(), account, **grown)
                )
            elif number % 13 == 0:
                found.append(
                    self._said(
                        "subscription.cancelled",
                        28 * DAY * self._chance.random(),
                        account,
                        subscription_id="s",
                    )
                )
        return found

    def usage(self) -> list[Event]:
        found = []
        for number in range(60):
            account, age = f"a{number}", self._chance.uniform(2, 110) * DAY
            found.append(self._said("usage.signed_up", age, account))
            if number % 4:
                found.append(
                    self._said(
                        "usage.milestone_reached",
                        age * self._chance.uniform(0.4, 0.99),
                        account,
                        milestone="first export",
                    )
                )
            if number % 7 == 0:
                kind = "referral" if number % 2 else "user"
                found.append(self._said("usage.invited", age * 0.5, account, kind=kind))
            for _ in range(self._chance.randrange(14)):
                used = {"user_ref": "u", "feature": self._chance.choice(["board", "export", "chart"])}
                found.append(
                    self._said(
                        "usage.feature_used", min(age, 28 * DAY) * self._chance.random(), account, **used
                    )
                )
        return found

    def accounts(self) -> list[Event]:
        stages = [
            "onboarding",
            "adoption",
            "adoption",
            "retention",
            "retention",
            "retention",
            "expansion",
            "at_risk",
        ]
        return [
            self._said(
                "account.created", self._chance.uniform(1, 400) * DAY, f"a{number}", stage=stages[number % 8]
            )
            for number in range(90)
        ]

    def agents(self) -> list[Event]:
        found = [
            self._said("agent.joined", 500 * DAY + number, agent_id=f"g{number}", department="support")
            for number in range(24)
        ]
        found += [
            self._said("agent.left", 9 * DAY, agent_id="g1"),
            self._said("agent.left", 60 * DAY, agent_id="g2"),
        ]
        moved = {"agent_id": "g3", "from_department": "support", "to_department": "product"}
        return [*found, self._said("agent.moved", 5 * DAY, **moved)]
