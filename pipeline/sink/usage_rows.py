"""An account's usage as rows: one of `usage_accounts`, and one of `usage_days` per UTC day of uses.

Source: clickhouse.md §2-§3, docs/decisions/0013-usage-in-parts.md. Facts in lists by instant, nothing judged.
Instants in lists are integers, ms UTC.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from pipeline.entities.usage import TURNS, Part, Told, by_turn
from pipeline.entities.uses import DayOfUses
from pipeline.events.usage import INVITED, LINKED, MILESTONE_REACHED, SIGNED_UP, UsageFact
from pipeline.metrics.windows import DAY_MS
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import USAGE_ACCOUNTS, USAGE_DAYS, Row, Table

_LISTED: Final = (MILESTONE_REACHED, INVITED, LINKED)


def usage_rows(key: str, part: Part, origin: Origin) -> list[tuple[Table, Row]]:
    """The rows of one value of the state log."""
    if isinstance(part, Told):
        return [(USAGE_ACCOUNTS, _account_row(key, part, origin))]
    return [(USAGE_DAYS, row) for row in _day_rows(key, part, origin)]


def _account_row(key: str, told: Told, origin: Origin) -> Row:
    """`deleted` where the account was erased."""
    tenant, _, name = key.partition("|")
    lists = [column for kind in _LISTED for column in _columns(told, kind)]
    return (
        tenant,
        name,
        origin.epoch,
        origin.partition,
        *_turns(told),
        *lists,
        told.passed_at,
        int(bool(told.deleted_at)),
        origin.offset,
    )


def _turns(told: Told) -> tuple[list[object], ...]:
    """A user's own leavings too: whose a turn is, the reader decides."""
    turns = sorted((fact for fact in told.facts if fact.kind in TURNS), key=by_turn)
    return (
        [fact.at for fact in turns],
        [fact.user for fact in turns],
        [int(fact.kind == SIGNED_UP) for fact in turns],
    )


def _columns(told: Told, kind: int) -> tuple[list[object], ...]:
    facts = [fact for fact in told.facts if fact.kind == kind]
    return [fact.at for fact in facts], [fact.user for fact in facts], [fact.what for fact in facts]


def _day_rows(key: str, uses: DayOfUses, origin: Origin) -> Iterator[Row]:
    """`deleted` where no use is left on a day."""
    tenant, _, name = key.partition("|")
    place = (tenant, name, origin.epoch, origin.partition)
    if uses.day is not None:
        yield (*place, uses.day, *_used(uses.facts()), int(not uses.ats), origin.offset)
        return
    for day, facts in groupby(uses.facts(), key=lambda fact: fact.at // DAY_MS):
        yield (*place, day, *_used(list(facts)), 0, origin.offset)


def _used(facts: list[UsageFact]) -> tuple[list[object], ...]:
    return (
        [fact.at for fact in facts],
        [fact.user for fact in facts],
        [fact.what for fact in facts],
        [fact.quantity for fact in facts],
    )
