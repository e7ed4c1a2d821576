"""What a ticket counts: contributions to the families of metrics §3.

Source: metrics.md §3. A contradictory ticket contributes to no metric but `quarantined`; a merged
one has left backlog and resolutions, its response times stay.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from pipeline.entities.ticket import Reading, Ticket, read
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import BACKLOG, MATURING, TICKETS, TICKETS_QUARANTINE, UNANSWERED

REOPEN_WITHIN_MS: Final = 72 * 3_600_000
_T: Final = {name: TICKETS.cell(name) for name in TICKETS.counters}
_CREATED: Final = _T["created"]
_SOLVED: Final = MATURING.cell("solved")
_REOPENED: Final = MATURING.cell("reopened")
OpenMs: TypeAlias = Callable[[int, int], int]


def contributions(ticket: Ticket, definitions: Definitions, tenant: str) -> list[Contribution]:
    """Everything the ticket adds."""
    reading = read(ticket)
    if reading is None:
        return []
    if reading.contradiction:
        return [(TICKETS_QUARANTINE.name, (reading.contradiction,), ticket.facts[0].at, (0, 1))]
    return counted(reading, definitions.calendar(tenant).open_ms)


def counted(reading: Reading, open_ms: OpenMs) -> list[Contribution]:
    """What a sound ticket adds. `open_ms`: its tenant's business time between two instants."""
    return [birth(reading), *outcomes(reading, open_ms), *levels(reading)]


def birth(reading: Reading) -> Contribution:
    """Its creation."""
    cells = (_CREATED, 1, _T["custom_work"], 1) if reading.custom_work else (_CREATED, 1)
    return TICKETS.name, (reading.first_group, reading.channel), reading.created_at, cells


def outcomes(reading: Reading, open_ms: OpenMs) -> list[Contribution]:
    """Its responses and solves."""
    parts: list[Contribution] = []
    for at, since, group in reading.first:
        cells: tuple[int, ...] = (_T["first"], 1, _T["first_ms"], at - since)
        cells += (_T["first_open_ms"], open_ms(since, at))
        parts.append((TICKETS.name, (group, reading.channel), at, cells))
    for at, since, group in reading.next:
        parts.append((TICKETS.name, (group, reading.channel), at, (_T["next"], 1, _T["next_ms"], at - since)))
    for solve in reading.solves:
        cells = (_T["solved"], 1)
        if solve.reopened_at is not None and solve.reopened_at - solve.at <= REOPEN_WITHIN_MS:
            cells += (_T["reopened"], 1)
            maturing: tuple[int, ...] = (_SOLVED, 1, _REOPENED, 1)
        else:
            maturing = (_SOLVED, 1)
        dims = (solve.group, reading.channel)
        parts.append((TICKETS.name, dims, solve.at, cells))
        parts.append((MATURING.name, dims, solve.at + REOPEN_WITHIN_MS, maturing))
    if reading.is_solved and reading.merged_at is None:
        last = reading.solves[-1]
        cells = (_T["resolved"], 1, _T["resolved_ms"], last.at - reading.created_at)
        if reading.public_replies == 1:
            cells += (_T["one_touch"], 1)
        parts.append((TICKETS.name, (last.group, reading.channel), last.at, cells))
    return parts


def levels(reading: Reading) -> list[Contribution]:
    """Where it is while it is open."""
    if not reading.is_open:
        return []
    dims = (reading.group, reading.channel)
    parts: list[Contribution] = [(BACKLOG.name, dims, reading.created_at, (0, 1))]
    if reading.waiting_since is not None:
        parts.append((UNANSWERED.name, dims, reading.waiting_since, (0, 1)))
    return parts
