"""Customers write: tickets with replies, bots, notes, reopenings, and work outside the product."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from pipeline.sources.business.account import Account
from pipeline.sources.business.params import DAY_MS, HOUR_MS, REOPENED, SLOW, Business
from pipeline.sources.business.staff import Staff
from pipeline.sources.business.surveys import About, Surveys
from pipeline.sources.business.world import World, after_mean, within_hours

MINUTE_MS: Final = 60_000
BOT_SHARE: Final = 0.25
SLOW_SHARE: Final = 0.15
REOPEN_SHARE: Final = 0.12
MERGED_SHARE: Final = 0.02
CUSTOM_SHARE: Final = 0.08
NOTE_SHARE: Final = 0.2
CHANGED_SHARE: Final = 0.05
RESPONSE_HOURS: Final = 2.0


@dataclass(slots=True, eq=False)
class Ticket:
    """One ticket at work. `started_at`: creation or hand-off, where the first response is measured from."""

    account: Account
    ticket_id: str
    group: str
    user: str
    agent: str
    is_custom: bool
    started_at: float = 0.0
    is_slow: bool = False
    reopenings: int = 0

    @property
    def hardships(self) -> tuple[str, ...]:
        return (SLOW,) * self.is_slow + (REOPENED,) * (self.reopenings > 0)


class Tickets:
    """The stream `ticket`: a desk that works around the clock."""

    def __init__(
        self,
        world: World,
        params: Business,
        staff: Staff,
        surveys: Surveys,
        invoice: Callable[[Account, str, Random], None],
    ) -> None:
        self._world = world
        self._params = params
        self._staff = staff
        self._surveys = surveys
        self._invoice = invoice
        self._number = 0

    def begin(self, account: Account) -> None:
        self._await_next(account)

    def end(self, account: Account) -> None:
        """What is open is worked on until it is solved."""

    def _await_next(self, account: Account) -> None:
        draw = account.draw("tickets")
        when = after_mean(self._world.now, 30 * DAY_MS / self._params.tickets, draw)
        account.during(within_hours(account.tenant, when, draw), self._open)

    def _open(self, account: Account) -> None:
        self._await_next(account)
        ticket = self.create(account, account.draw("tickets"))
        if account.draw("tickets").random() < MERGED_SHARE:
            into = self.create(account, account.draw("tickets"))
            self._world.at(
                self._world.now + MINUTE_MS, self._tell, ticket, "merged", {"into": into.ticket_id}
            )
            ticket = into
        self._begin_work(ticket)

    def create(self, account: Account, draw: Random, group: str | None = None) -> Ticket:
        """A new ticket, told."""
        self._number += 1
        ticket = Ticket(
            account,
            f"{self._world.run}-t{self._number}",
            group or draw.choice(account.tenant.groups),
            draw.choice(account.users),
            self._staff.somebody(account.tenant, "support", draw),
            is_custom=draw.random() < CUSTOM_SHARE,
            started_at=self._world.now,
        )
        data: dict[str, object] = {
            "channel": draw.choice(("email", "email", "email", "web", "chat")),
            "group_id": ticket.group,
            "priority": draw.choice(("low", "normal", "normal", "normal", "high")),
            "customer_ref": ticket.user,
        }
        if ticket.is_custom:
            data["custom_work"] = True
        self._tell(ticket, "created", data)
        return ticket

    def _begin_work(self, ticket: Ticket) -> None:
        draw = ticket.account.draw("tickets")
        if draw.random() < BOT_SHARE:
            handed_off = after_mean(self._world.now + 10_000, 3 * MINUTE_MS, draw)
            self._world.at(self._world.now + 4000, self._write, ticket, "bot")
            self._world.at(handed_off, self._hand_off, ticket)
        else:
            self._plan_response(ticket)

    def _hand_off(self, ticket: Ticket) -> None:
        self._tell(ticket, "bot_handed_off", {})
        self._plan_response(ticket)

    def _plan_response(self, ticket: Ticket) -> None:
        draw, now, world = ticket.account.draw("tickets"), self._world.now, self._world
        ticket.started_at = now
        response = after_mean(now + MINUTE_MS, RESPONSE_HOURS * HOUR_MS, draw)
        if draw.random() < SLOW_SHARE:
            response += (self._params.links.slow_response_hours + 6 * draw.random()) * HOUR_MS
        world.at(now + (response - now) * 0.3 * draw.random(), self._assign, ticket)
        if draw.random() < NOTE_SHARE:
            world.at(now + (response - now) * 0.5, self._write, ticket, "agent", "internal")
        if draw.random() < CHANGED_SHARE:
            world.at(now + (response - now) * 0.6, self._tell, ticket, "changed", {"priority": "urgent"})
        world.at(response, self._respond, ticket)

    def _assign(self, ticket: Ticket) -> None:
        self._tell(ticket, "assigned", {"agent_id": ticket.agent, "group_id": ticket.group})

    def _respond(self, ticket: Ticket) -> None:
        """The first answer of a person."""
        if self._world.now - ticket.started_at > self._params.links.slow_response_hours * HOUR_MS:
            ticket.is_slow = True
            ticket.account.suffer(SLOW)
        self._reply(ticket)

    def _reply(self, ticket: Ticket) -> None:
        """An answer, after which the customer asks again or the ticket is solved."""
        draw, world = ticket.account.draw("tickets"), self._world
        self._write(ticket, "agent")
        if draw.random() < 0.4:
            if draw.random() < 0.5:
                self._tell(ticket, "status_changed", {"to": "pending"})
            asked = after_mean(world.now + MINUTE_MS, 3 * HOUR_MS, draw)
            world.at(asked, self._write, ticket, "customer")
            world.at(after_mean(asked + MINUTE_MS, 1.5 * HOUR_MS, draw), self._reply, ticket)
        else:
            world.at(after_mean(world.now + MINUTE_MS, HOUR_MS, draw), self._solve, ticket)

    def _solve(self, ticket: Ticket) -> None:
        draw, world = ticket.account.draw("tickets"), self._world
        self.tell_solved(ticket, draw)
        if draw.random() < REOPEN_SHARE:
            world.at(after_mean(world.now + 5 * MINUTE_MS, 8 * HOUR_MS, draw), self._reopen, ticket)
            return
        if ticket.is_custom and draw.random() < 0.6 and ticket.account.is_customer:
            self._invoice(ticket.account, "out", draw)
        self._surveys.after(about(ticket))

    def tell_solved(self, ticket: Ticket, draw: Random) -> None:
        """Solved, by one event or the other."""
        if draw.random() < 0.7:
            self._tell(ticket, "solved", {})
        else:
            self._tell(ticket, "status_changed", {"to": "solved"})

    def _reopen(self, ticket: Ticket) -> None:
        draw, world = ticket.account.draw("tickets"), self._world
        self.tell_reopened(ticket, draw)
        world.at(world.now + 1000, self._write, ticket, "customer")
        world.at(after_mean(world.now + MINUTE_MS, 3 * HOUR_MS, draw), self._reply, ticket)

    def tell_reopened(self, ticket: Ticket, draw: Random) -> None:
        """Reopened, by one event or the other; the customer remembers it."""
        ticket.reopenings += 1
        ticket.account.suffer(REOPENED)
        if draw.random() < 0.7:
            self._tell(ticket, "reopened", {})
        else:
            self._tell(ticket, "status_changed", {"to": "open"})

    def _write(self, ticket: Ticket, author: str, visibility: str = "public") -> None:
        data: dict[str, object] = {"author_kind": author, "visibility": visibility}
        if author == "agent":
            data["agent_id"] = ticket.agent
        self._tell(ticket, "message_added", data)

    def _tell(self, ticket: Ticket, what: str, data: dict[str, object]) -> None:
        account = ticket.account
        said = {"ticket_id": ticket.ticket_id, **data}
        self._world.tell(f"ticket.{what}", account.tenant, ticket.ticket_id, said, account.accountid)


def about(ticket: Ticket) -> About:
    """What a survey about the ticket names."""
    said: dict[str, object] = {"ticket_id": ticket.ticket_id, "respondent_ref": ticket.user}
    return About(ticket.account.tenant, ticket.account, said, ticket.hardships)
