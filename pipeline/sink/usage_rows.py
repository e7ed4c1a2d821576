"""An account's usage as a row of `usage_accounts`: its facts in lists by instant, nothing judged.

Source: clickhouse.md §2-§3. Instants in lists are integers, ms UTC.
"""

from typing import Final

from pipeline.entities.usage import TURNS, Account, by_turn
from pipeline.events.usage import FEATURE_USED, INVITED, LINKED, MILESTONE_REACHED, SIGNED_UP, UsageFact
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import Row

_LISTED: Final = (FEATURE_USED, MILESTONE_REACHED, INVITED, LINKED)


def usage_row(key: str, account: Account, origin: Origin) -> Row:
    """One row; `deleted` where nothing is known of the account."""
    tenant, _, name = key.partition("|")
    lists = [column for kind in _LISTED for column in _columns(account, kind)]
    return (
        tenant,
        name,
        origin.epoch,
        origin.partition,
        *_turns(account),
        *lists,
        account.touched_at,
        int(not account.facts),
        origin.offset,
    )


def _turns(account: Account) -> tuple[list[object], ...]:
    """A user's own leavings too: whose a turn is, the reader decides."""
    turns = sorted((fact for fact in account.facts if fact.kind in TURNS), key=by_turn)
    return (
        [fact.at for fact in turns],
        [fact.user for fact in turns],
        [int(fact.kind == SIGNED_UP) for fact in turns],
    )


def _columns(account: Account, kind: int) -> tuple[list[object], ...]:
    facts: list[UsageFact] = [fact for fact in account.facts if fact.kind == kind]
    told: tuple[list[object], ...] = (
        [fact.at for fact in facts],
        [fact.user for fact in facts],
        [fact.what for fact in facts],
    )
    return (*told, [fact.quantity for fact in facts]) if kind == FEATURE_USED else told
