"""What the facts of one ticket say: who waited how long for whom, when it was solved, is it open.

Source: metrics.md §3, events.md §3 `ticket` (what is solved and reopened, the order at one instant)
and §2 (contradiction). Knows no calendar and no bucket; what a reading counts stands in
`ticket_metrics.py`.
"""

from typing import Final, NamedTuple

from msgspec import Struct

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


class Reading(Struct, gc=False):
    """One reading of one ticket. Instants in ms UTC, None where there is none.

    `group` is the group now, `first_group` the one at creation. `waiting_since` is the start that no
    human has answered yet, `starts` all of them. `public_replies` are public messages of human agents.
    """

    created_at: int
    channel: str = ""
    author: int = _CUSTOMER
    group: str = ""
    first_group: str = ""
    custom_work: bool = False
    merged_at: int | None = None
    waiting_since: int | None = None
    public_replies: int = 0
    starts: list[int] = []
    first: list[Response] = []
    next: list[Response] = []
    solves: list[Solve] = []
    contradiction: str = ""

    @property
    def is_solved(self) -> bool:
        """Whether the last entry into solved stands."""
        return bool(self.solves) and self.solves[-1].reopened_at is None

    @property
    def is_open(self) -> bool:
        """Whether it is in the backlog."""
        return not self.is_solved and self.merged_at is None


def read(ticket: Ticket) -> Reading | None:
    """What the ticket's facts say, or None without a `created`."""
    facts = ticket.facts
    created = next((fact for fact in facts if fact.kind == CREATED), None)
    if created is None:
        return None
    if facts[0].at < created.at:
        return Reading(created.at, contradiction=CONTRADICTION)
    births = [fact for fact in facts if fact.kind == CREATED]
    walk = _Walk(
        Reading(
            created.at,
            next((fact.channel for fact in births if fact.channel is not None), ""),
            next((fact.author for fact in births if fact.author), _CUSTOMER),
        )
    )
    for fact in sorted(facts, key=moment):
        walk.take(fact)
    return walk.reading


def moment(fact: TicketFact) -> tuple[int, int, int]:
    """In which order facts are read."""
    return fact.at, 4 if _is_solving(fact) else _PLACE[fact.kind], fact.name


def is_reply(fact: TicketFact) -> bool:
    """Whether it is a public message of a human agent."""
    return fact.kind == MESSAGE_ADDED and fact.author == _AGENT and fact.visibility < _INTERNAL


def _is_solving(fact: TicketFact) -> bool:
    return fact.kind == SOLVED or (fact.kind == STATUS_CHANGED and fact.status in _SOLVED_STATUSES)


class _Walk:
    """Goes through the facts of a sound ticket in order."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        reading.waiting_since = reading.created_at
        reading.starts.append(reading.created_at)
        self._replies_due = 2 if reading.author == _AGENT else 1
        self._was_answered = False
        self._asked_at: int | None = None

    def take(self, fact: TicketFact) -> None:
        """One fact, no earlier than those before it."""
        kind, reading = fact.kind, self.reading
        if fact.group is not None:
            reading.group = fact.group
            if fact.at == reading.created_at:
                reading.first_group = fact.group
        if fact.custom_work is not None:
            reading.custom_work = fact.custom_work
        if kind == MESSAGE_ADDED:
            self._message(fact)
        elif _is_solving(fact):
            if not reading.is_solved:
                reading.solves.append(Solve(fact.at, reading.group))
        elif kind == REOPENED or (kind == STATUS_CHANGED and reading.is_solved):
            self._reopen(fact.at)
        elif kind == BOT_HANDED_OFF:
            self._start(fact.at)
        elif kind == MERGED and reading.merged_at is None:
            reading.merged_at = fact.at

    def _start(self, at: int) -> None:
        """A start replaces the one that still waits; the next reply answers it."""
        self.reading.waiting_since = at
        self.reading.starts.append(at)
        self._replies_due = 1

    def _reopen(self, at: int) -> None:
        if self.reading.is_solved:
            self.reading.solves[-1] = self.reading.solves[-1]._replace(reopened_at=at)
        self._start(at)

    def _message(self, fact: TicketFact) -> None:
        if is_reply(fact):
            self._reply(fact.at)
        elif (
            fact.visibility < _INTERNAL
            and fact.author in (0, _CUSTOMER)
            and self._was_answered
            and self._asked_at is None
        ):
            self._asked_at = fact.at

    def _reply(self, at: int) -> None:
        reading = self.reading
        reading.public_replies += 1
        if self._asked_at is not None:
            reading.next.append(Response(at, self._asked_at, reading.group))
        self._was_answered, self._asked_at = True, None
        self._replies_due -= 1
        if reading.waiting_since is not None and self._replies_due <= 0:
            reading.first.append(Response(at, reading.waiting_since, reading.group))
            reading.waiting_since = None
