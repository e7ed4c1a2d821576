"""Tickets in memory: which fact set, what it counts, how long it stays; and the way of the ordinary event.

Source: architecture.md §2 Horizons: open tickets never leave, solved ones 30 d after their last
event, contradictory and erased ones after 7 d.
"""

from pipeline.entities.factset import FactSet
from pipeline.entities.ticket import Reading, Ticket, read
from pipeline.entities.ticket_course import begin, is_birth, is_next, standing, step
from pipeline.entities.ticket_metrics import contributions
from pipeline.events.decoding import FactEvent
from pipeline.events.ticket import STREAM, TicketFact
from pipeline.metrics.definitions import Definitions
from pipeline.state.contacts import APPLIED
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


class Tickets(Tallied):
    """Tallied, but what comes in order to an open ticket is counted from where the ticket stands.

    `_standings` are of open tickets, made when first asked for.
    """

    def __init__(self, ledger: Ledger, definitions: Definitions, horizons: Horizons) -> None:
        tally = Tally(STREAM, contributions, lambda ticket: due_at(ticket, horizons), horizons.solved_ms)
        super().__init__(tally, ledger, definitions)
        self._standings: dict[str, Reading] = {}

    def apply(self, event: FactEvent, watermark: int) -> str:
        """Take in one event: APPLIED, DUPLICATE or LATE. Alarms up to `watermark` have rung."""
        key, fact = event.key, event.fact
        ticket, reading, change = self.by_key.get(key), self._standings.pop(key, None), None
        if ticket is None:
            if is_birth(event) and fact.at > watermark - self._tally.late_ms:
                ticket = self.by_key[key] = FactSet([], [])
                reading, change = begin(fact)
        elif is_next(ticket, event):
            reading = reading or standing(ticket)
            change = reading and step(reading, fact, self._definitions.calendar(event.tenant).open_ms)
        if ticket is None or reading is None or change is None:
            return super().apply(event, watermark)
        ticket.facts.append(fact)
        ticket.touched_at = max(ticket.touched_at, fact.at)
        self.changed.add(key)
        self._post(event, *change, watermark)
        if reading.is_open:
            self._standings[key] = reading
        else:
            self._set_alarm(key, ticket)
        return APPLIED
