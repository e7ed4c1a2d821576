"""Service that looks better than it is, planted in the story so that a watch can be tried on it.

Every planted event has the source `/pulse/simulate/planted`; everything else of the story is as it would
be without. The line `Gaming.queue` and the desk `Gaming.group` are there for it alone and work honestly for
some weeks, or better would mean nothing; then come the days of KINDS, and `gaming_days` says which.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pipeline.sources.business.customers import Customers
from pipeline.sources.business.params import DAY_MS, HOUR_MS, OPEN_HOURS, Gaming, Tenant
from pipeline.sources.business.world import World, day_of
from pipeline.sources.floor import Caller
from pipeline.sources.telling import Teller

SOURCE: Final = "/pulse/simulate/planted"
KINDS: Final = {
    "rushed": "every call answered within 2 s and done in a minute: CSAT of 1 or 2, half are transferred, "
    "most call again within a day; every ticket answered within 8 minutes, most reopened: faster, and worse "
    "in every way",
    "just_under": "answered after 18.0 to 19.9 s: a heap of waits just under the threshold of 20 s",
    "hung_up": "answered, and hung up by the agent within 1 to 4 s of talk; the customer calls again "
    "within half an hour",
    "solved_early": "tickets solved minutes after the first reply and reopened within the hour, twice each",
}
"""What is planted, by kind, in the order of the days."""
HONEST_DAYS: Final = 14
HONEST_CALLS: Final = 30
HONEST_TICKETS: Final = 12
HONEST_ANSWERS: Final = 0.6
HONEST_CONTENT: Final = 0.85
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
    """Plan honest days and the planted cases. Raises StopIteration where there is no such tenant."""
    tenant = next(each for each in tenants if each.name == gaming.tenant)
    opens = day_of(world.start_ms) * DAY_MS + tenant.opens_hour * HOUR_MS
    planting = _Planting(gaming, world, customers, tenant)
    for day in range(max(1, gaming.first_day - HONEST_DAYS), gaming.first_day + len(KINDS)):
        if day != gaming.first_day:  # the day of `rushed` is rushed throughout
            world.at(opens + day * DAY_MS, planting.serve)
    for number, kind in enumerate(KINDS):
        world.at(opens + (gaming.first_day + number) * DAY_MS, planting.begin, kind)


class _Planting:
    def __init__(self, gaming: Gaming, world: World, customers: Customers, tenant: Tenant) -> None:
        self._gaming = gaming
        self._world = world
        self._customers = customers
        self._tenant = tenant
        self._teller = Teller(SOURCE, f"{world.run}-")
        self._draw = world.chance("gaming")
        self._number = 0

    def serve(self) -> None:
        """At opening of the day: an honest day, of callers who are no accounts."""
        draw = self._draw
        weather = draw.lognormvariate(0, 0.2)
        for _ in range(HONEST_CALLS):
            at, caller = self._moment(), Caller(self._name("p"))
            wait_ms, talk_ms = draw.expovariate(1 / (40_000 * weather)), draw.uniform(2, 8) * MINUTE_MS
            contact = self._contact(at, caller, wait_ms=wait_ms, talk_ms=talk_ms, transferred=0.1)
            if draw.random() < HONEST_ANSWERS:
                self._survey(at + HOUR_MS, caller, contact, score=5 if draw.random() < HONEST_CONTENT else 3)
        for _ in range(HONEST_TICKETS):
            reply_ms = (20 + draw.expovariate(1 / (40 * weather))) * MINUTE_MS
            self._solve(self._moment(), Caller(self._name("p")), int(draw.random() < 0.08), reply_ms)

    def begin(self, kind: str) -> None:
        """At opening of the day: everything of that kind."""
        steps = {"rushed": self._rush, "just_under": self._just_under, "hung_up": self._hang_up}
        counts = {"rushed": RUSHED, "just_under": JUST_UNDER, "hung_up": HUNG_UP}
        for _ in range(counts.get(kind, 0)):
            steps[kind](self._moment(), self._somebody())
        for _ in range(SOLVED_EARLY if kind in {"rushed", "solved_early"} else 0):
            times = 2 if kind == "solved_early" else int(self._draw.random() < 0.8)
            self._solve(self._moment(), self._somebody(), times, 8 * MINUTE_MS)

    def _moment(self) -> float:
        return self._world.now + (OPEN_HOURS - 2) * HOUR_MS * self._draw.random()

    def _somebody(self) -> Caller:
        account = self._draw.choice(self._customers.present[self._tenant.name])
        return Caller(self._draw.choice(account.users), account.accountid)

    def _rush(self, at: float, caller: Caller) -> None:
        wait_ms = 500 + 1500 * self._draw.random()
        contact = self._contact(at, caller, wait_ms=wait_ms, talk_ms=40_000, transferred=0.5)
        self._survey(at + 20 * MINUTE_MS, caller, contact, score=1 + int(2 * self._draw.random()))
        if self._draw.random() < 0.75:
            again = at + HOUR_MS * (1 + 3 * self._draw.random())
            wait_ms = 1000 * self._draw.random()
            self._contact(again, caller, wait_ms=wait_ms, talk_ms=50_000, transferred=0.5)

    def _just_under(self, at: float, caller: Caller) -> None:
        wait_ms = 18_000 + 1900 * self._draw.random()
        self._contact(at, caller, wait_ms=wait_ms, talk_ms=4 * MINUTE_MS)

    def _hang_up(self, at: float, caller: Caller) -> None:
        draw = self._draw
        wait_ms, talk_ms = 60_000 * draw.random(), 1000 + 3000 * draw.random()
        self._contact(at, caller, wait_ms=wait_ms, talk_ms=talk_ms)
        again = at + wait_ms + (5 + 25 * draw.random()) * MINUTE_MS
        self._contact(again, caller, wait_ms=60_000 * draw.random(), talk_ms=5 * MINUTE_MS)

    def _contact(
        self, at: float, caller: Caller, *, wait_ms: float, talk_ms: float, transferred: float = 0.0
    ) -> str:
        """One chain, answered by an agent of the tenant; `transferred` is how probably. Answers its name."""
        contact = self._name("c")
        leg: dict[str, object] = {"contact_id": contact, "initial_contact_id": contact, "leg": contact}
        queue, agent = self._gaming.queue, f"{self._tenant.queue}-0"

        def tell(when: float, what: str, **more: object) -> None:
            self._tell(when, f"call.{what}", contact, leg | more, caller)

        tell(at, "queued", queue_id=queue, customer_ref=caller.customer_ref)
        tell(at + wait_ms, "answered", queue_id=queue, agent_id=agent)
        over = at + wait_ms + talk_ms
        if self._draw.random() < transferred:
            tell(over, "transferred", to_queue_id=queue)
            tell(over, "ended", end_reason="system")
            leg = {**leg, "leg": f"{contact}/2"}
            tell(over, "queued", queue_id=queue, customer_ref=caller.customer_ref)
            tell(over + 1000, "answered", queue_id=queue, agent_id=agent)
            over += 1000 + talk_ms
        tell(over, "ended", end_reason="agent")
        return contact

    def _survey(self, at: float, caller: Caller, contact: str, score: int) -> None:
        survey = self._name("v")
        said: dict[str, object] = {
            "survey_id": survey,
            "kind": "csat",
            "contact_id": contact,
            "respondent_ref": caller.customer_ref,
            "queue_id": self._gaming.queue,
        }
        self._tell(at, "survey.sent", survey, said, caller)
        scale: Mapping[str, object] = {"score": score, "scale_min": 1, "scale_max": 5}
        self._tell(at + 30 * MINUTE_MS, "survey.answered", survey, {**said, **scale}, caller)

    def _solve(self, at: float, caller: Caller, times: int, reply_ms: float) -> None:
        """A ticket that is solved after each reply and reopened within the hour so many times."""
        ticket = self._name("t")
        reply: dict[str, object] = {"author_kind": "agent", "visibility": "public"}
        reply["agent_id"] = f"{self._tenant.queue}-0"

        def tell(when: float, what: str, **more: object) -> None:
            self._tell(when, f"ticket.{what}", ticket, {"ticket_id": ticket, **more}, caller)

        tell(at, "created", channel="email", group_id=self._gaming.group, customer_ref=caller.customer_ref)
        for _ in range(times):
            tell(at + reply_ms, "message_added", **reply)
            tell(at + reply_ms + 2 * MINUTE_MS, "solved")
            at += reply_ms + (5 + 45 * self._draw.random()) * MINUTE_MS
            tell(at, "reopened")
        tell(at + reply_ms, "message_added", **reply)
        tell(at + reply_ms + 30 * MINUTE_MS, "solved")

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{self._world.run}-planted-{what}{self._number}"

    def _tell(self, when: float, what: str, entity: str, data: dict[str, object], caller: Caller) -> None:
        self._world.at(when, self._tell_now, what, entity, data, caller.accountid)

    def _tell_now(self, what: str, entity: str, data: dict[str, object], accountid: str | None) -> None:
        key = f"{self._tenant.name}|{entity}"
        record = self._teller.record(what, int(self._world.now), key, data, accountid)
        self._world.told.append(record)
