"""Entities whose facts are one set, in memory: merge an event, post the difference, let go.

The same contract as `contacts.py`, for streams that are rarer than calls and need no fast path.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, NamedTuple

from pipeline.entities.factset import FactSet, is_known, merge
from pipeline.events.decoding import DELETED, FactEvent
from pipeline.events.envelope import tenant_of
from pipeline.metrics.buckets import LEVEL, Contribution, difference
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES
from pipeline.state.changes import cause_of, load_whole, take_changed
from pipeline.state.contacts import APPLIED, DUPLICATE, LATE
from pipeline.state.ledger import Ledger
from pipeline.state.retention import NEVER_MS


class Tally(NamedTuple):
    """What is particular to a stream. `due_at` None, or answering None: never leaves. `contributions` of
    (entity, what is declared, tenant): the tenant's zone and calendar may decide.

    `late_ms`: an event so far behind the watermark whose entity is unknown is not applied.
    """

    stream: str
    contributions: Callable[..., list[Contribution]]
    due_at: Callable[[Any], int | None] | None = None
    late_ms: int = NEVER_MS


class Tallied:
    """Part of the `Entities` protocol of kinds.py."""

    is_in_parts = False

    def __init__(self, tally: Tally, ledger: Ledger, definitions: Definitions) -> None:
        self.by_key: dict[str, FactSet[Any]] = {}
        self.changed: set[str] = set()
        self.parted: list[tuple[str, FactSet[Any]]] = []
        self.next_alarm = 1 << 60
        self._tally = tally
        self._ledger = ledger
        self._definitions = definitions
        self._alarms: list[tuple[int, str]] = []
        families = (family for family in FAMILIES.values() if family.stream == tally.stream)
        self._has_levels = any(LEVEL in family.grains for family in families)

    def apply(self, event: FactEvent, watermark: int) -> str:
        """Take in one event: APPLIED, DUPLICATE or LATE. Alarms up to `watermark` have rung."""
        key, at = event.key, event.fact.at
        entity = self.by_key.get(key)
        if entity is None:
            is_late = at <= watermark - self._tally.late_ms
            if is_late and event.fact.kind != DELETED:
                self._ledger.post_late(event.tenant, self._tally.stream, at, 0)
                return LATE
            entity = self.by_key[key] = FactSet([], [])
            if is_late:
                # A tombstone all the same, or the sink would not erase; what was counted stays. It dates
                # from the watermark, or it would leave at once and let what is sent again count.
                entity.touched_at = watermark
                self._ledger.post_late(event.tenant, self._tally.stream, at, 1)
        elif is_known(entity, event):
            return DUPLICATE
        self.changed.add(key)
        tenant = event.tenant
        before = self._count(tenant, entity)
        merge(entity, event)
        after = self._count(tenant, entity)
        self._post(event, *difference(before, after), watermark)
        self._set_alarm(key, entity)
        return APPLIED

    def _post(
        self, event: FactEvent, removed: list[Contribution], added: list[Contribution], watermark: int
    ) -> None:
        if self._ledger.post(event.tenant, removed, added, cause_of(event), watermark):
            self._ledger.post_late(event.tenant, self._tally.stream, event.fact.at, 1)

    def _count(self, tenant: str, entity: FactSet[Any]) -> list[Contribution]:
        return self._tally.contributions(entity, self._definitions, tenant)

    def _set_alarm(self, key: str, entity: FactSet[Any]) -> None:
        due = self._tally.due_at(entity) if self._tally.due_at else None
        if due is not None:
            heappush(self._alarms, (due, key))
            self.next_alarm = self._alarms[0][0]

    def ring(self, watermark: int) -> list[str]:
        """Let go of every entity due by `watermark`; answers their keys."""
        left = []
        due_at = self._tally.due_at
        while due_at is not None and self._alarms and self._alarms[0][0] <= watermark:
            at, key = heappop(self._alarms)
            entity = self.by_key.get(key)
            if entity is not None and due_at(entity) == at:
                self._leave(key, entity, watermark)
                left.append(key)
        self.next_alarm = self._alarms[0][0] if self._alarms else 1 << 60
        return left

    def _leave(self, key: str, entity: FactSet[Any], watermark: int) -> None:
        """What is counted stays counted, what is a level goes."""
        tenant = tenant_of(key)
        self._ledger.post_levels(tenant, self._count(tenant, entity), -1, watermark)
        del self.by_key[key]
        if key in self.changed:
            self.parted.append((key, entity))
        self.changed.add(key)

    def take_changes(self) -> list[tuple[str, Any]]:
        """What a commit writes; asked once."""
        return take_changed(self.by_key, self.changed, self.parted)

    def values(self, key: str) -> list[Any]:
        """The entity as the state log holds it."""
        return [self.by_key[key]]

    def load(self, key: str, entity: FactSet[Any] | None) -> None:
        """Take in a value of the state log."""
        load_whole(self.by_key, key, entity)

    def restore(self, watermark: int) -> None:
        """After loading entities from the state log: levels and alarms follow from them."""
        for key, entity in self.by_key.items():
            if self._has_levels:
                tenant = tenant_of(key)
                self._ledger.post_levels(tenant, self._count(tenant, entity), 1, watermark)
            self._set_alarm(key, entity)
        self._ledger.changed.clear()
