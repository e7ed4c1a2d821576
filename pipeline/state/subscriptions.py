"""Subscriptions of accounts in memory: what an event changes is counted from its instant on.

The same contract as `tallied.py`. Of the accounts spoken of lately their courses are kept, so that most
events go on with one instead of reading an account's history again.
"""

from typing import Any, Final, NamedTuple

from pipeline.entities.factset import is_known, merge
from pipeline.entities.subscription import STEERING, Account, Line, lines, new_line, placed
from pipeline.entities.subscription_steps import Course, Projection
from pipeline.events.decoding import DELETED, FactEvent
from pipeline.events.envelope import tenant_of
from pipeline.events.subscription import SubscriptionFact
from pipeline.metrics.definitions import Definitions
from pipeline.state.changes import load_whole, take_changed
from pipeline.state.contacts import APPLIED, DUPLICATE
from pipeline.state.ledger import Ledger

COURSES_KEPT: Final = 10_000


class _Read(NamedTuple):
    """An account's facts, read: its subscriptions by name, and its course."""

    lines: dict[str, Line]
    course: Course


class Subscriptions:
    """Part of the `Entities` protocol of kinds.py. Accounts never leave."""

    is_in_parts = False

    def __init__(self, ledger: Ledger, definitions: Definitions) -> None:
        self.by_key: dict[str, Account] = {}
        self.next_alarm = 1 << 60
        self._ledger = ledger
        self._definitions = definitions
        self._projections: dict[str, Projection] = {}
        self._changed: set[str] = set()
        self._read: dict[str, _Read] = {}

    def apply(self, event: FactEvent, watermark: int) -> str:
        """Take in one event: APPLIED or DUPLICATE."""
        key, fact = event.key, event.fact
        account = self.by_key.get(key)
        if account is None:
            account = self.by_key[key] = Account([], [])
        elif is_known(account, event):
            return DUPLICATE
        self._changed.add(key)
        is_plain = _is_plain(account, event)
        if is_plain and fact.kind not in STEERING:
            merge(account, event)
            return APPLIED
        tenant = tenant_of(key)
        projection = self._projections.get(tenant)
        if projection is None:
            projection = self._projections[tenant] = Projection(self._definitions, tenant)
        read = self._read.pop(key, None) or self._read_anew(account, projection)
        merge(account, event)
        if is_plain:
            told, since = self._go_on(account, read.lines, fact)
            course, shared = projection.course(told.values(), read.course, since)
        else:
            told = lines(account.facts, self._definitions.recognition)
            course, _ = projection.course(told.values())
            shared = course.shared(read.course)
        if len(self._read) >= COURSES_KEPT:
            self._read.clear()
        self._read[key] = _Read(told, course)
        added = projection.changes(read.course, course, shared)
        if added:
            cause = "deleted" if fact.kind == DELETED else "corrected" if event.voids else ""
            self._ledger.post(tenant, (), added, cause, watermark)
        return APPLIED

    def _read_anew(self, account: Account, projection: Projection) -> _Read:
        told = lines(account.facts, self._definitions.recognition)
        return _Read(told, projection.course(told.values())[0])

    def _go_on(
        self, account: Account, told: dict[str, Line], fact: SubscriptionFact
    ) -> tuple[dict[str, Line], int]:
        """The subscriptions with one more fact, and from when on it says something else than before."""
        recognition = self._definitions.recognition
        place, _ = stated = placed(fact, recognition)
        line = told.get(fact.subscription)
        if line is None:
            line = told[fact.subscription] = new_line()
        if place > line.place:
            line.take(stated, is_scheduled=recognition == "scheduled")
        else:
            told = lines(account.facts, recognition)
        return told, place[0]

    def ring(self, watermark: int) -> list[str]:  # noqa: ARG002
        """Nobody leaves."""
        return []

    def take_changes(self) -> list[tuple[str, Any]]:
        """What a commit writes; asked once."""
        return take_changed(self.by_key, self._changed, [])

    def values(self, key: str) -> list[Any]:
        """The account as the state log holds it."""
        return [self.by_key[key]]

    def load(self, key: str, account: Account | None) -> None:
        """Take in a value of the state log."""
        load_whole(self.by_key, key, account)

    def restore(self, watermark: int) -> None:  # noqa: ARG002
        """Nothing follows from the accounts but courses, which are made when first asked for."""
        self._ledger.changed.clear()


def _is_plain(account: Account, event: FactEvent) -> bool:
    """Whether the event states something under a name not heard of before, and nothing more."""
    fact = event.fact
    if event.voids or account.deleted_at or not isinstance(fact, SubscriptionFact):
        return False
    name = fact.name
    return name not in account.voids and all(known.name != name for known in account.facts)
