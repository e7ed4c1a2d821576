"""What the facts of one ticket say: who waited how long for whom, when it was solved, is it open.

Source: metrics.md §3, events.md §3 `ticket` (what is solved and reopened, the order at one instant)
and §2 (contradiction). Knows no calendar and no bucket; what a reading counts stands in
`ticket_metrics.py`.
"""

from typing import Final, NamedTuple, final

from pipeline.entities.factset import FactSet
from pipeline.events.ticket import (
    ASSIGNED,
    AUTHORS,
    BOT_HANDED_OFF,
    CHANGED,
    CREATED,
    MERGED,
    MESSAGE_ADDED,
    REOPENED,
    SOLVED,
    STATUS_CHANGED,
    STATUSES,
    TicketFact,
)

Ticket = FactSet[TicketFact]

CONTRADICTION: Final = "fact_before_created"
_CUSTOMER: Final = AUTHORS.index("customer")
_AGENT: Final = AUTHORS.index("agent")
_INTERNAL: Final = 2
_SOLVED_STATUSES: Final = (STATUSES.index("solved"), STATUSES.index("closed"))
# At one instant: the group as stated, then starts, then messages, then solved.
_PLACE: Final = {
    CREATED: 0, ASSIGNED: 1, CHANGED: 1, REOPENED: 2, BOT_HANDED_OFF: 2, STATUS_CHANGED: 2, MERGED: 2,
    MESSAGE_ADDED: 3, SOLVED: 4,
}  # fmt: skip


class Response(NamedTuple):
    """A human agent's answer at `at` to what waited since `since`, in the group of that moment."""

    at: int
    since: int
    group: str


class Solve(NamedTuple):
    """One entry into solved, and when it was undone (None: it stands)."""

    at: int
    group: str
    reopened_at: int | None = None


@final
class Reading:
    """One reading of one ticket. Instants in ms UTC, None where there is none.

    `group` is the group now, `first_group` the one at creation. `waiting_since` is the start that no
    human has answered yet, `starts` all of them. `public_replies` are public messages of human agents.
    `asked_at`: since when a public question waits for the next reply.
    """

    __slots__ = (
        "_replies_due",
        "_was_answered",
        "asked_at",
        "author",
        "channel",
        "contradiction",
        "created_at",
        "custom_work",
        "first",
        "first_group",
        "group",
        "merged_at",
        "next",
        "public_replies",
        "solves",
        "starts",
        "waiting_since",
    )

    def __init__(self, created_at: int, channel: str = "", author: int = _CUSTOMER) -> None:
        self.created_at = created_at
        self.channel = channel
        self.author = author
        self.contradiction = ""
        self.group = ""
        self.first_group = ""
        self.custom_work = False
        self.merged_at: int | None = None
        self.waiting_since: int | None = created_at
        self.asked_at: int | None = None
        self.public_replies = 0
        self.starts: tuple[int, ...] = (created_at,)
        self.first: tuple[Response, ...] = ()
        self.next: tuple[Response, ...] = ()
        self.solves: tuple[Solve, ...] = ()
        self._replies_due = 2 if author == _AGENT else 1
        self._was_answered = False

    @property
    def is_solved(self) -> bool:
        """Whether the last entry into solved stands."""
        return bool(self.solves) and self.solves[-1].reopened_at is None

    @property
    def is_open(self) -> bool:
        """Whether it is in the backlog."""
        return self.merged_at is None and not self.is_solved

    def take(self, fact: TicketFact) -> None:
        """Read one fact more, no earlier in the order of `moment` than those before it."""
        kind, at = fact.kind, fact.at
        if fact.group is not None:
            self.group = fact.group
            if at == self.created_at:
                self.first_group = fact.group
        if fact.custom_work is not None:
            self.custom_work = fact.custom_work
        if kind == MESSAGE_ADDED:
            self._message(fact)
        elif _is_solving(fact):
            if not self.is_solved:
                self.solves += (Solve(at, self.group),)
        elif kind == REOPENED or (kind == STATUS_CHANGED and self.is_solved):
            if self.is_solved:
                self.solves = (*self.solves[:-1], self.solves[-1]._replace(reopened_at=at))
            self._start(at)
        elif kind == BOT_HANDED_OFF:
            self._start(at)
        elif kind == MERGED and self.merged_at is None:
            self.merged_at = at

    def _start(self, at: int) -> None:
        """A start replaces the one that still waits; the next reply answers it."""
        self.waiting_since = at
        self.starts += (at,)
        self._replies_due = 1

    def _message(self, fact: TicketFact) -> None:
        if is_reply(fact):
            self._reply(fact.at)
        elif (
            fact.visibility < _INTERNAL
            and fact.author in (0, _CUSTOMER)
            and self._was_answered
            and self.asked_at is None
        ):
            self.asked_at = fact.at

    def _reply(self, at: int) -> None:
        self.public_replies += 1
        if self.asked_at is not None:
            self.next += (Response(at, self.asked_at, self.group),)
        self._was_answered, self.asked_at = True, None
        self._replies_due -= 1
        if self.waiting_since is not None and self._replies_due <= 0:
            self.first += (Response(at, self.waiting_since, self.group),)
            self.waiting_since = None

    def forget_past(self) -> None:
        """Keep of an open ticket only what decides what its next fact means."""
        self.starts = self.first = self.next = self.solves = ()


def read(ticket: Ticket) -> Reading | None:
    """What the ticket's facts say, or None without a `created`."""
    facts = ticket.facts
    births = [fact for fact in facts if fact.kind == CREATED]
    if not births:
        return None
    created_at = births[0].at
    if facts[0].at < created_at:
        reading = Reading(created_at)
        reading.contradiction, reading.waiting_since = CONTRADICTION, None
        reading.forget_past()
        return reading
    reading = born(births)
    for fact in sorted(facts, key=moment):
        reading.take(fact)
    return reading


def born(births: list[TicketFact]) -> Reading:
    """A ticket as its creation tells it, told more than once perhaps: the first to state something holds."""
    channel = next((fact.channel for fact in births if fact.channel is not None), "")
    author = next((fact.author for fact in births if fact.author), _CUSTOMER)
    return Reading(births[0].at, channel, author)


def moment(fact: TicketFact) -> tuple[int, int, int]:
    """In which order facts are read."""
    return fact.at, 4 if _is_solving(fact) else _PLACE[fact.kind], fact.name


def is_reply(fact: TicketFact) -> bool:
    """Whether it is a public message of a human agent."""
    return fact.kind == MESSAGE_ADDED and fact.author == _AGENT and fact.visibility < _INTERNAL


def _is_solving(fact: TicketFact) -> bool:
    return fact.kind == SOLVED or (fact.kind == STATUS_CHANGED and fact.status in _SOLVED_STATUSES)
