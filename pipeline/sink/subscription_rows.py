"""Accounts' subscriptions as rows: what holds from when, by each recognition of a cancel, and money.

Source: clickhouse.md §2-§3, docs/decisions/0017-subscriptions-in-parts.md. One row of `subscriptions` per
account and recognition: a corrected history is replaced whole; one of `subscription_amounts` per stretch.
Lists of instants are integers, ms UTC; 0 = still there.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from pipeline.entities.amounts import STRETCH_MS, Amounts
from pipeline.entities.subscription import Timeline, timelines
from pipeline.entities.subscription_account import Part, Told
from pipeline.events.subscription import PAID, PAYMENT_FAILED, SCOPES, SERVICES_INVOICED, SubscriptionFact
from pipeline.metrics.definitions import RECOGNITIONS
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import SUBSCRIPTION_AMOUNTS, SUBSCRIPTIONS, Row, Table

_STEP_COLUMNS: Final = 7


def subscription_rows(key: str, part: Part, origin: Origin) -> list[tuple[Table, Row]]:
    """The rows of one value of the state log."""
    if isinstance(part, Told):
        return [(SUBSCRIPTIONS, row) for row in _account_rows(key, part, origin)]
    return [(SUBSCRIPTION_AMOUNTS, row) for row in _amount_rows(key, part, origin)]


def _account_rows(key: str, told: Told, origin: Origin) -> Iterator[Row]:
    """`deleted` where the account was erased."""
    tenant, _, name = key.partition("|")
    for recognition in RECOGNITIONS:
        yield (
            tenant,
            name,
            origin.epoch,
            origin.partition,
            recognition,
            *_steps(timelines(told.facts, recognition)),
            told.touched_at,
            int(bool(told.deleted_at)),
            origin.offset,
        )


def _steps(lines: dict[str, Timeline]) -> list[list[object]]:
    columns: list[list[object]] = [[] for _ in range(_STEP_COLUMNS)]
    for subscription, line in sorted(lines.items()):
        ends = [*(at for at, _ in line[1:]), 0][: len(line)]
        for (at, state), until in zip(line, ends, strict=True):
            row = (subscription, at, until, state.mrr_minor, state.currency, state.seats, state.plan)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return columns


def _amount_rows(key: str, part: Amounts, origin: Origin) -> Iterator[Row]:
    """`deleted` where no amount is left in a stretch."""
    tenant, _, name = key.partition("|")
    place = (tenant, name, origin.epoch, origin.partition)
    if part.stretch is not None and not part.names:
        yield (*place, part.stretch, *_money([]), 0, 1, origin.offset)
    for stretch, found in groupby(part.facts(), key=lambda fact: fact.at // STRETCH_MS):
        facts = list(found)
        yield (*place, stretch, *_money(facts), facts[-1].at, 0, origin.offset)


def _money(facts: list[SubscriptionFact]) -> list[list[object]]:
    paid = [fact for fact in facts if fact.kind == PAID]
    invoiced = [fact for fact in facts if fact.kind == SERVICES_INVOICED]
    return [
        [fact.effective for fact in paid],
        [fact.minor for fact in paid],
        [fact.currency for fact in paid],
        [fact.effective for fact in invoiced],
        [fact.minor for fact in invoiced],
        [fact.currency for fact in invoiced],
        [SCOPES[fact.detail] for fact in invoiced],
        [fact.effective for fact in facts if fact.kind == PAYMENT_FAILED],
    ]
