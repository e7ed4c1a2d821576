"""Tickets in memory: which fact set, what it counts, how long it stays.

Source: architecture.md §2 Horizons: open tickets never leave, solved ones 30 d after their last
event, contradictory and erased ones after 7 d.
"""

from pipeline.entities.factset import FactSet
from pipeline.entities.ticket import Ticket, read
from pipeline.entities.ticket_metrics import contributions
from pipeline.events.ticket import STREAM, TicketFact
from pipeline.metrics.definitions import Definitions
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Horizons
from pipeline.state.tallied import Tallied, Tally

ENTITY = FactSet[TicketFact]


def due_at(ticket: Ticket, horizons: Horizons) -> int | None:
    """When the ticket leaves memory, by the watermark; None = never.

    One whose `created` is not known (yet, or any more) is kept like a solved one.
    """
    reading = read(ticket)
    if ticket.deleted_at or (reading is not None and reading.contradiction):
        return ticket.touched_at + horizons.quarantine_ms
    if reading is not None and reading.is_open:
        return None
    return ticket.touched_at + horizons.solved_ms


def make(ledger: Ledger, definitions: Definitions, horizons: Horizons) -> Tallied:
    """The tickets of one partition."""
    tally = Tally(STREAM, contributions, lambda ticket: due_at(ticket, horizons), horizons.solved_ms)
    return Tallied(tally, ledger, definitions)
