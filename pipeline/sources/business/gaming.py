"""Service that looks better than it is, planted in the story so that a watch can be tried on it.

Every planted event has the source `/pulse/simulate/planted`; everything else of the story is as it would
be without. KINDS says what is planted; `gaming_days` says on which day. All of it is of accounts with
`customer_ref`, in `Gaming.queue` or, for tickets, in `Gaming.group`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pipeline.sources.business.account import Account
from pipeline.sources.business.customers import Customers
from pipeline.sources.business.params import DAY_MS, HOUR_MS, OPEN_HOURS, Gaming, Tenant
from pipeline.sources.business.world import World, day_of
from pipeline.sources.telling import Teller

SOURCE: Final = "/pulse/simulate/planted"
KINDS: Final = {
    "rushed": "answered within 2 s and done in a minute: CSAT of 1 or 2, half are transferred, most call "
    "again within a day, and of the day's tickets most are reopened: faster, and worse in every way",
    "just_under": "answered after 18.0 to 19.9 s: a heap of waits just under the threshold of 20 s",
    "hung_up": "answered, and hung up by the agent within 1 to 4 s of talk; the customer calls again "
    "within half an hour",
    "solved_early": "tickets solved minutes after the first reply and reopened within the hour, twice each",
}
"""What is planted, by kind, in the order of the days."""
RUSHED: Final = 40
JUST_UNDER: Final = 40
HUNG_UP: Final = 25
SOLVED_EARLY: Final = 15
MINUTE_MS: Final = 60_000


def gaming_days(gaming: Gaming, start_ms: int) -> dict[str, date]:
    """The day (UTC, which is the tenant's) of each kind in a story that starts then."""
    first = datetime.fromtimestamp(day_of(start_ms) * 86_400, UTC).date()
    return {kind: first + timedelta(days=gaming.first_day + n) for n, kind in enumerate(KINDS)}


def plant(gaming: Gaming, world: World, customers: Customers, tenants: tuple[Tenant, ...]) -> None:
    """Plan the planted cases. Raises StopIteration where there is no such tenant."""
    tenant = next(each for each in tenants if each.name == gaming.tenant)
    first = (day_of(world.start_ms) + gaming.first_day) * DAY_MS + tenant.opens_hour * HOUR_MS
    planting = _Planting(gaming, world, customers, tenant)
    for number, kind in enumerate(KINDS):
        world.at(first + number * DAY_MS, planting.begin, kind)


class _Planting:
    def __init__(self, gaming: Gaming, world: World, customers: Customers, tenant: Tenant) -> None:
        self._gaming = gaming
        self._world = world
        self._customers = customers
        self._tenant = tenant
        self._teller = Teller(SOURCE, f"{world.run}-")
        self._draw = world.chance("gaming")
        self._number = 0

    def begin(self, kind: str) -> None:
        """At opening of the day: everything of that day."""
        steps = {"rushed": self._rush, "just_under": self._just_under, "hung_up": self._hang_up}
        counts = {"rushed": RUSHED, "just_under": JUST_UNDER, "hung_up": HUNG_UP}
        for _ in range(counts.get(kind, 0)):
            steps[kind](self._moment(), self._somebody())
        for _ in range(SOLVED_EARLY if kind in {"rushed", "solved_early"} else 0):
            times = 2 if kind == "solved_early" else int(self._draw.random() < 0.8)
            self._solve_early(self._moment(), self._somebody(), times)

    def _moment(self) -> float:
        return self._world.now + (OPEN_HOURS - 2) * HOUR_MS * self._draw.random()

    def _somebody(self) -> tuple[Account, str]:
        account = self._draw.choice(self._customers.present[self._tenant.name])
        return account, self._draw.choice(account.users)

    def _rush(self, at: float, caller: tuple[Account, str]) -> None:
        contact = self._contact(at, caller, wait_ms=500 + 1500 * self._draw.random(), talk_ms=40_000)
        self._survey(at + 20 * MINUTE_MS, caller, contact, score=1 + int(2 * self._draw.random()))
        if self._draw.random() < 0.75:
            again = at + HOUR_MS * (1 + 3 * self._draw.random())
            self._contact(again, caller, wait_ms=1000 * self._draw.random(), talk_ms=50_000)

    def _just_under(self, at: float, caller: tuple[Account, str]) -> None:
        wait_ms = 18_000 + 1900 * self._draw.random()
        self._contact(at, caller, wait_ms=wait_ms, talk_ms=4 * MINUTE_MS, is_transferable=False)

    def _hang_up(self, at: float, caller: tuple[Account, str]) -> None:
        draw = self._draw
        wait_ms, talk_ms = 60_000 * draw.random(), 1000 + 3000 * draw.random()
        self._contact(at, caller, wait_ms=wait_ms, talk_ms=talk_ms, is_transferable=False)
        again = at + wait_ms + (5 + 25 * draw.random()) * MINUTE_MS
        self._contact(
            again, caller, wait_ms=60_000 * draw.random(), talk_ms=5 * MINUTE_MS, is_transferable=False
        )

    def _contact(
        self,
        at: float,
        caller: tuple[Account, str],
        *,
        wait_ms: float,
        talk_ms: float,
        is_transferable: bool = True,
    ) -> str:
        """One chain, answered by an agent of the line, perhaps transferred once; answers its name."""
        account, user = caller
        contact = self._name("c")
        leg: dict[str, object] = {"contact_id": contact, "initial_contact_id": contact, "leg": contact}
        queue, agent = self._gaming.queue, f"{self._gaming.queue}-0"

        def tell(when: float, what: str, **more: object) -> None:
            self._tell(when, f"call.{what}", contact, leg | more, account.accountid)

        tell(at, "queued", queue_id=queue, customer_ref=user)
        tell(at + wait_ms, "answered", queue_id=queue, agent_id=agent)
        over = at + wait_ms + talk_ms
        if is_transferable and self._draw.random() < 0.5:
            tell(over, "transferred", to_queue_id=queue)
            tell(over, "ended", end_reason="system")
            leg = {**leg, "leg": f"{contact}/2"}
            tell(over, "queued", queue_id=queue, customer_ref=user)
            tell(over + 1000, "answered", queue_id=queue, agent_id=agent)
            over += 1000 + talk_ms
        tell(over, "ended", end_reason="agent")
        return contact

    def _survey(self, at: float, caller: tuple[Account, str], contact: str, score: int) -> None:
        account, user = caller
        survey = self._name("v")
        said: dict[str, object] = {
            "survey_id": survey,
            "kind": "csat",
            "contact_id": contact,
            "respondent_ref": user,
            "queue_id": self._gaming.queue,
        }
        self._tell(at, "survey.sent", survey, said, account.accountid)
        scale: Mapping[str, object] = {"score": score, "scale_min": 1, "scale_max": 5}
        self._tell(at + 30 * MINUTE_MS, "survey.answered", survey, {**said, **scale}, account.accountid)

    def _solve_early(self, at: float, caller: tuple[Account, str], times: int) -> None:
        """A ticket that is solved at once and reopened so many times."""
        account, user = caller
        ticket = self._name("t")
        agent = f"{self._gaming.queue}-0"
        reply: dict[str, object] = {"author_kind": "agent", "visibility": "public", "agent_id": agent}

        def tell(when: float, what: str, **more: object) -> None:
            self._tell(when, f"ticket.{what}", ticket, {"ticket_id": ticket, **more}, account.accountid)

        tell(at, "created", channel="email", group_id=self._gaming.group, customer_ref=user)
        for _ in range(times):
            tell(at + 8 * MINUTE_MS, "message_added", **reply)
            tell(at + 10 * MINUTE_MS, "solved")
            at += (15 + 40 * self._draw.random()) * MINUTE_MS
            tell(at, "reopened")
        tell(at + 30 * MINUTE_MS, "message_added", **reply)
        tell(at + 60 * MINUTE_MS, "solved")

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{self._world.run}-planted-{what}{self._number}"

    def _tell(self, when: float, what: str, entity: str, data: dict[str, object], accountid: str) -> None:
        self._world.at(when, self._tell_now, what, entity, data, accountid)

    def _tell_now(self, what: str, entity: str, data: dict[str, object], accountid: str) -> None:
        key = f"{self._tenant.name}|{entity}"
        record = self._teller.record(what, int(self._world.now), key, data, accountid)
        self._world.told.append(record)
