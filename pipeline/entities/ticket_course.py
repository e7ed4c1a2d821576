"""What a fact changes of a ticket that takes its ordinary course: open, and told of in order of time.

Most facts are such a step, and what they change is known from where the ticket stood. It says what
`ticket_metrics.contributions` would say before and after; where that is not certain it says None, and
whoever asked counts both.
"""

from typing import TypeAlias

from pipeline.entities.ticket import Reading, Ticket, born, read
from pipeline.entities.ticket_metrics import OpenMs, birth, levels, outcomes
from pipeline.events.decoding import PASSING, FactEvent
from pipeline.events.ticket import CREATED, TicketFact
from pipeline.metrics.buckets import Contribution, difference

Change: TypeAlias = tuple[list[Contribution], list[Contribution]]
"""Contributions to take out, and to put in."""


def is_birth(event: FactEvent) -> bool:
    """Whether a ticket of which nothing is known is sound and open by this event."""
    return not event.voids and event.fact.kind == CREATED


def begin(fact: TicketFact) -> tuple[Reading, Change]:
    """The standing of a ticket of which its creation alone is known, and what that adds."""
    reading = born([fact])
    reading.take(fact)
    added = [birth(reading), *levels(reading)]
    reading.forget_past()
    return reading, ([], added)


def is_next(ticket: Ticket, event: FactEvent) -> bool:
    """Whether the event is one more fact, later than all that is known, of a ticket without corrections."""
    facts, fact = ticket.facts, event.fact
    if event.voids or ticket.voids or ticket.deleted_at or fact.kind >= PASSING:
        return False
    if not facts or fact.at <= facts[-1].at:
        return False
    return fact.name not in [known.name for known in facts]


def standing(ticket: Ticket) -> Reading | None:
    """Where a sound, open ticket stands; None for any other."""
    reading = read(ticket)
    if reading is None or reading.contradiction or not reading.is_open:
        return None
    reading.forget_past()
    return reading


def step(reading: Reading, fact: TicketFact, open_ms: OpenMs) -> Change | None:
    """What the next fact takes back and adds; `reading` is a standing, and takes it in.

    None: it may change what has been counted before. Then nothing is taken in.
    """
    if fact.kind == CREATED or fact.custom_work not in (None, reading.custom_work):
        return None
    before = levels(reading)
    reading.take(fact)
    removed, added = difference(before, levels(reading))
    added += outcomes(reading, open_ms)
    if reading.is_open:
        reading.forget_past()
    return removed, added
