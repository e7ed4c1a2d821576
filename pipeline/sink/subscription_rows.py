"""Accounts' subscriptions as rows: what holds from when, by each recognition of a cancel; money.

Source: clickhouse.md §2-§3. One row per account and recognition: a corrected history is replaced whole.
Lists of instants are integers, ms UTC; 0 = still there.
"""

from typing import Final

from pipeline.entities.order import in_order
from pipeline.entities.subscription import Account, Timeline, timelines
from pipeline.events.subscription import PAID, PAYMENT_FAILED, SCOPES, SERVICES_INVOICED
from pipeline.metrics.definitions import RECOGNITIONS
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import Row

_STEP_COLUMNS: Final = 7


def subscription_rows(key: str, account: Account, origin: Origin) -> list[Row]:
    """The rows of one account in `subscriptions`."""
    tenant, _, name = key.partition("|")
    money = _money(account)
    return [
        (
            tenant,
            name,
            origin.epoch,
            origin.partition,
            recognition,
            *_steps(timelines(account, recognition)),
            *money,
            account.touched_at,
            int(not account.facts),
            origin.offset,
        )
        for recognition in RECOGNITIONS
    ]


def _steps(lines: dict[str, Timeline]) -> list[list[object]]:
    columns: list[list[object]] = [[] for _ in range(_STEP_COLUMNS)]
    for subscription, line in sorted(lines.items()):
        ends = [*(at for at, _ in line[1:]), 0][: len(line)]
        for (at, state), until in zip(line, ends, strict=True):
            row = (subscription, at, until, state.mrr_minor, state.currency, state.seats, state.plan)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return columns


def _money(account: Account) -> list[list[object]]:
    facts = in_order(account.facts)
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
