"""Usage of accounts in memory: most events are one more use, and change one day of the log.

The same contract as `tallied.py`. An account is larger than what an event changes of it, so the state log
holds it in parts: its uses day by day, and all the rest.
"""

from typing import Any

from pipeline.entities.usage import (
    Account,
    Part,
    is_known,
    merge,
    new_account,
    parts,
    put,
    take_use,
)
from pipeline.entities.usage_steps import Projection, changes_since
from pipeline.events.decoding import FactEvent
from pipeline.metrics.buckets import difference
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.windows import DAY_MS
from pipeline.state.changes import cause_of
from pipeline.state.contacts import APPLIED, DUPLICATE
from pipeline.state.ledger import Ledger


class Usages:
    """Part of the `Entities` protocol of kinds.py. Accounts never leave."""

    is_in_parts = True

    def __init__(self, ledger: Ledger, definitions: Definitions) -> None:
        self.by_key: dict[str, Account] = {}
        self.next_alarm = 1 << 60
        self._ledger = ledger
        self._definitions = definitions
        self._projections: dict[str, Projection] = {}
        self._days_changed: set[tuple[str, int]] = set()
        self._told_changed: set[str] = set()
        """What the state log must hear of: UTC days of uses, and accounts of which anything else changed."""

    def apply(self, event: FactEvent, watermark: int) -> str:
        """Take in one event: APPLIED or DUPLICATE."""
        tenant, key = event.tenant, event.key
        projection = self._projections.get(tenant)
        if projection is None:
            projection = self._projections[tenant] = Projection(self._definitions, tenant)
        account = self.by_key.get(key)
        if account is None:
            account = self.by_key[key] = new_account()
            self._told_changed.add(key)
        days = account.days
        if days is None:
            days = account.days = projection.day_sets(account.uses)
        if not take_use(account, event):
            return self._apply_general(account, event, projection, watermark)
        fact = event.fact
        added = projection.used(account, days, fact)
        if added:
            self._ledger.post(tenant, (), added, "", watermark)
        self._days_changed.add((key, fact.at // DAY_MS))
        return APPLIED

    def _apply_general(
        self, account: Account, event: FactEvent, projection: Projection, watermark: int
    ) -> str:
        """Whatever is not just one more use: count before and after."""
        if is_known(account, event):
            return DUPLICATE
        key, since = event.key, changes_since(account, event)
        before = projection.contributions(account, account.days or {}, since)
        days = merge(account, event)
        if days:
            account.days = projection.day_sets(account.uses)
        after = projection.contributions(account, account.days or {}, since)
        removed, added = difference(before, after)
        self._ledger.post(event.tenant, removed, added, cause_of(event), watermark)
        self._told_changed.add(key)
        self._days_changed.update((key, day) for day in days)
        return APPLIED

    def ring(self, watermark: int) -> list[str]:  # noqa: ARG002
        """Nobody leaves."""
        return []

    def take_changes(self) -> list[tuple[str, Any]]:
        """What a commit writes; asked once."""
        by_key = self.by_key
        changes: list[tuple[str, Any]] = [(key, by_key[key].told) for key in self._told_changed]
        changes += [(key, by_key[key].uses.cut(day)) for key, day in self._days_changed]
        self._told_changed.clear()
        self._days_changed.clear()
        return changes

    def values(self, key: str) -> list[Any]:
        """The account in parts that tell it whole."""
        return list(parts(self.by_key[key]))

    def load(self, key: str, part: Part | None) -> None:
        """Take in a value of the state log."""
        if part is not None:
            account = self.by_key.get(key)
            if account is None:
                account = self.by_key[key] = new_account()
            put(account, part)

    def restore(self, watermark: int) -> None:  # noqa: ARG002
        """Nothing follows from the accounts but day sets, which are made when first asked for."""
        self._ledger.changed.clear()
