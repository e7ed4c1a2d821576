"""Subscriptions of accounts in memory: what an event changes is counted from its instant on.

The same contract as `tallied.py`. Of the accounts spoken of lately their courses are kept, so that most
events go on with one instead of reading an account's history again. The state log holds an account in
parts: its amounts by stretches of time, and all the rest.
"""

from typing import Any, Final, NamedTuple

from pipeline.entities.subscription import STEERING, Line, lines, new_line, placed
from pipeline.entities.subscription_account import (
    Account,
    Changed,
    Part,
    add,
    is_known,
    is_plain,
    merge,
    new_account,
    parts,
    put,
)
from pipeline.entities.subscription_steps import Course, Projection
from pipeline.events.decoding import FactEvent
from pipeline.events.subscription import SubscriptionFact
from pipeline.metrics.definitions import Definitions
from pipeline.state.changes import cause_of
from pipeline.state.contacts import APPLIED, DUPLICATE
from pipeline.state.ledger import Ledger

COURSES_KEPT: Final = 10_000


class _Read(NamedTuple):
    """An account's facts, read: its subscriptions by name, and its course."""

    lines: dict[str, Line]
    course: Course


class Subscriptions:
    """Part of the `Entities` protocol of kinds.py. Accounts never leave."""

    is_in_parts = True

    def __init__(self, ledger: Ledger, definitions: Definitions) -> None:
        self.by_key: dict[str, Account] = {}
        self.next_alarm = 1 << 60
        self._ledger = ledger
        self._definitions = definitions
        self._projections: dict[str, Projection] = {}
        self._read: dict[str, _Read] = {}
        self._open: set[str] = set()
        """Accounts that were read since the last commit; the others are packed."""
        self._told_changed: set[str] = set()
        self._stretches_changed: dict[str, set[int]] = {}
        """What the state log must hear of: stretches of amounts, and accounts with any other change."""

    def apply(self, event: FactEvent, watermark: int) -> str:
        """Take in one event: APPLIED or DUPLICATE."""
        key, fact = event.key, event.fact
        account = self.by_key.get(key)
        if account is None:
            account = self.by_key[key] = new_account()
            self._told_changed.add(key)
        self._open.add(key)
        if is_plain(account, event):
            if fact.kind in STEERING:
                self._steer(account, event, watermark)
            self._note(key, add(account, fact))
            return APPLIED
        if is_known(account, event):
            return DUPLICATE
        self._correct(account, event, watermark)
        return APPLIED

    def _steer(self, account: Account, event: FactEvent, watermark: int) -> None:
        """One more fact, not yet among the account's, says from its instant on something else than before."""
        fact: SubscriptionFact = event.fact
        key, recognition = event.key, self._definitions.recognition
        projection = self._projection(event.tenant)
        told, course = self._reading(key, account, projection)
        stated = placed(fact, recognition)
        line = told.get(fact.subscription)
        if line is None:
            line = told[fact.subscription] = new_line()
        if stated.place > line.place:
            line.take(stated, is_scheduled=recognition == "scheduled")
        else:
            told = lines([*account.told.facts, fact], recognition)
        latter, shared = projection.course(told.values(), course, stated.place[0])
        self._keep(key, _Read(told, latter))
        self._ledger.post(event.tenant, (), projection.changes(course, latter, shared), "", watermark)

    def _correct(self, account: Account, event: FactEvent, watermark: int) -> None:
        """Whatever is not just one more fact: read the account before and after."""
        key, projection = event.key, self._projection(event.tenant)
        course = self._reading(key, account, projection).course
        self._note(key, merge(account, event))
        latter = self._read_anew(account, projection)
        self._keep(key, latter)
        added = projection.changes(course, latter.course, course.shared(latter.course))
        self._ledger.post(event.tenant, (), added, cause_of(event), watermark)

    def _projection(self, tenant: str) -> Projection:
        found = self._projections.get(tenant)
        if found is None:
            found = self._projections[tenant] = Projection(self._definitions, tenant)
        return found

    def _reading(self, key: str, account: Account, projection: Projection) -> _Read:
        return self._read.get(key) or self._read_anew(account, projection)

    def _read_anew(self, account: Account, projection: Projection) -> _Read:
        told = lines(account.told.facts, self._definitions.recognition)
        return _Read(told, projection.course(told.values())[0])

    def _keep(self, key: str, read: _Read) -> None:
        if len(self._read) >= COURSES_KEPT and key not in self._read:
            self._read.clear()
        self._read[key] = read

    def _note(self, key: str, changed: Changed) -> None:
        if changed.told:
            self._told_changed.add(key)
        if changed.stretches:
            self._stretches_changed.setdefault(key, set()).update(changed.stretches)

    def ring(self, watermark: int) -> list[str]:  # noqa: ARG002
        """Nobody leaves."""
        return []

    def take_changes(self) -> list[tuple[str, Any]]:
        """What a commit writes; asked once."""
        by_key = self.by_key
        changes: list[tuple[str, Any]] = [
            (key, by_key[key].amounts.cut(stretch))
            for key, stretches in self._stretches_changed.items()
            for stretch in stretches
        ]
        self._pack()
        changes += [(key, parts(by_key[key])[0]) for key in self._told_changed]
        self._told_changed.clear()
        self._stretches_changed.clear()
        return changes

    def _pack(self) -> None:
        for key in self._open:
            self.by_key[key].pack()
        self._open.clear()

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
            account.pack()

    def restore(self, watermark: int) -> None:  # noqa: ARG002
        """Nothing follows from the accounts but courses, which are made when first asked for."""
        self._ledger.changed.clear()
