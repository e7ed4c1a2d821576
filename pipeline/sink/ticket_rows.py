"""A ticket as a row of `tickets`: what its facts say, in lists by instant, nothing judged.

Source: clickhouse.md §2-§3. Every list tells of its instant only what came before it, so the row cut
at an instant is the ticket as it stood then. Instants in lists are integers, ms UTC, 0 = none.
"""

from pipeline.entities.ticket import Reading, Ticket, is_reply, moment, read
from pipeline.events.ticket import AUTHORS, MERGED
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import Row


def ticket_row(key: str, ticket: Ticket, origin: Origin) -> Row:
    """One row; `deleted` where it is erased or its `created` is not known."""
    tenant, _, entity = key.partition("|")
    name = (tenant, entity, origin.epoch, origin.partition)
    reading = read(ticket)
    if reading is None:
        lists: tuple[list[int], ...] = tuple([] for _ in range(15))
        nothing = ("", "", "", "", 0, "", "", None, None, "")
        return (*name, *nothing, *lists, "", ticket.touched_at, 1, origin.offset)
    facts = ticket.facts
    return (
        *name,
        reading.channel,
        AUTHORS[reading.author],
        reading.group,
        next((fact.priority for fact in reversed(facts) if fact.priority), ""),
        int(reading.custom_work),
        next((fact.customer for fact in facts if fact.customer), ""),
        next((fact.account for fact in facts if fact.account), ""),
        reading.created_at,
        reading.merged_at,
        next((fact.into for fact in facts if fact.kind == MERGED and fact.into), ""),
        *_lists(ticket, reading),
        reading.contradiction,
        ticket.touched_at,
        0,
        origin.offset,
    )


def _lists(ticket: Ticket, reading: Reading) -> tuple[list[int] | list[str], ...]:
    facts = sorted(ticket.facts, key=moment)
    grouped = [(fact.at, fact.group) for fact in facts if fact.group is not None]
    custom = [(fact.at, int(fact.custom_work)) for fact in facts if fact.custom_work is not None]
    return (
        [at for at, _ in grouped],
        [group for _, group in grouped],
        [at for at, _ in custom],
        [flag for _, flag in custom],
        list(reading.starts),
        [fact.at for fact in facts if is_reply(fact)],
        [response.at for response in reading.first],
        [response.since for response in reading.first],
        [response.group for response in reading.first],
        [response.at for response in reading.next],
        [response.since for response in reading.next],
        [response.group for response in reading.next],
        [solve.at for solve in reading.solves],
        [solve.reopened_at or 0 for solve in reading.solves],
        [solve.group for solve in reading.solves],
    )
