"""Contact chains in memory: merge an event, post the difference, let go at the horizon.

Source: architecture.md §2 (horizons, late) and §3. The only clock is the watermark argument.
"""

from heapq import heappop, heappush
from typing import Final

from pipeline.entities.chain_metrics import around
from pipeline.entities.contact import Chain, Leg
from pipeline.entities.contact_merge import (
    KNOWN,
    begin,
    is_known,
    merge,
    new_chain,
    place_of,
    put,
    share,
    without,
)
from pipeline.entities.contact_metrics import contributions, leg_contributions, stay_contributions
from pipeline.entities.course import is_spoken, step, with_chain
from pipeline.entities.stay import Stay, read_leg
from pipeline.events.call import (
    DELETED,
    STREAM,
    VOIDED,
    CallEvent,
    CallFact,
)
from pipeline.events.envelope import tenant_of
from pipeline.metrics.buckets import Contribution, difference
from pipeline.state.changes import load_whole, take_changed
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Horizons, due_at, due_of, stale_at

APPLIED = "applied"
DUPLICATE = "duplicate"
LATE = "late"
SLOT_MS: Final = 10_000


class Contacts:
    """Chains by key `tenant|initial_contact_id`, and the alarm clock of their horizons.

    `parted` holds the last values of chains that changed and left since the last commit: catching
    up, one commit spans days of event time, and history must not miss what came and went in it.
    """

    is_in_parts = False

    def __init__(self, ledger: Ledger, bounds_ms: tuple[int, ...], horizons: Horizons) -> None:
        self.chains: dict[str, Chain] = {}
        self.changed: set[str] = set()
        self.parted: list[tuple[str, Chain]] = []
        self._ledger = ledger
        self._bounds_ms = bounds_ms
        self._horizons = horizons
        self._look_ms = min(
            horizons.contact_ms, horizons.callback_ms, horizons.quarantine_ms, horizons.stale_ms
        )
        self._slots: list[int] = []
        self._alarms: dict[int, list[str]] = {}
        self.next_alarm = 1 << 60

    @property
    def by_key(self) -> dict[str, Chain]:
        """The chains; the name every stream shares."""
        return self.chains

    def apply(self, event: CallEvent, watermark: int) -> str:
        """Take in one event: APPLIED, DUPLICATE or LATE. Alarms up to `watermark` have rung."""
        key, fact = event.key, event.fact
        chain = self.chains.get(key)
        leg: Leg | None = None
        if chain is None:
            if fact.at <= watermark - self._horizons.contact_ms:
                if fact.kind == DELETED:
                    return self._erase_unknown(event, watermark)
                self._ledger.post_late(event.tenant, STREAM, fact.at, 0)
                return LATE
            self._ring_at(watermark + self._look_ms, key)
            if event.voids or fact.kind >= VOIDED:
                chain = self.chains[key] = new_chain()
            else:
                chain = self.chains[key] = begin(event)
                leg = chain.legs[0]
        else:
            leg = place_of(chain, event)
            if leg is KNOWN:
                return DUPLICATE
            if leg is not None:
                put(chain, leg, fact)
        self.changed.add(key)
        if leg is None:
            return self._apply_general(key, chain, event, watermark)
        self._count(event, chain, leg, watermark)
        if fact.at < watermark and self._slot(fact.at) < self._slot(watermark):
            self._set_alarm(key, chain, watermark)
        return APPLIED

    def _count(self, event: CallEvent, chain: Chain, leg: Leg, watermark: int) -> None:
        """Post what the fact, which `leg` has by now, changes."""
        fact = event.fact
        change = step(leg, fact, self._bounds_ms)
        if change is None:
            stay = read_leg(leg)
            before, after = self._before(leg, fact), stay_contributions(leg, stay, self._bounds_ms)
            whole = around(chain, leg, stay, fact, before)
            if whole is not None:
                before, after = before + whole[0], after + whole[1]
            self._post(event.tenant, before, after, "", watermark, fact.at)
            return
        removed, added = change
        if removed or added or is_spoken(chain, fact):
            removed, added = with_chain(chain, leg, fact, change)
            if self._ledger.post(event.tenant, removed, added, "", watermark):
                self._ledger.post_late(event.tenant, STREAM, fact.at, 1)

    def _slot(self, at: int) -> int:
        """The slot in which an alarm rings that was set at `at`.

        A fact without voids makes nothing due before `fact.at + _look_ms` that was not due anyway.
        """
        return -(-(at + self._look_ms) // SLOT_MS)

    def _erase_unknown(self, event: CallEvent, watermark: int) -> str:
        """Leave a tombstone of a chain that is gone or was never known: the sink erases by it.

        What the chain had counted stays, counted as late. The tombstone dates from the watermark,
        or it would leave at once and let what is sent again count.
        """
        chain = self.chains[event.key] = new_chain()
        merge(chain, event)
        chain.touched_at = max(chain.touched_at, watermark)
        self.changed.add(event.key)
        self._ring_at(watermark + self._look_ms, event.key)
        self._ledger.post_late(event.tenant, STREAM, event.fact.at, 1)
        return APPLIED

    def _apply_general(self, key: str, chain: Chain, event: CallEvent, watermark: int) -> str:
        """Corrections, erasure, and a name that comes again with other content."""
        if is_known(chain, event):
            return DUPLICATE
        self._merge(chain, event, watermark)
        self._set_alarm(key, chain, watermark)
        return APPLIED

    def _before(self, leg: Leg, fact: CallFact) -> list[Contribution]:
        """What the leg counted before `fact`: what is known without it, wherever it stands."""
        return leg_contributions(without(leg, fact), self._bounds_ms)

    def _merge(self, chain: Chain, event: CallEvent, watermark: int) -> None:
        bounds = self._bounds_ms
        before = contributions(chain, bounds)
        merge(chain, event)
        after = contributions(chain, bounds)
        if before != after:
            self._post(event.tenant, before, after, _cause(event), watermark, event.fact.at)

    def _post(
        self,
        tenant: str,
        before: list[Contribution],
        after: list[Contribution],
        cause: str,
        watermark: int,
        at: int,
    ) -> None:
        """Only the difference: what stays is not a change of its bucket."""
        removed, added = difference(before, after)
        if self._ledger.post(tenant, removed, added, cause, watermark):
            self._ledger.post_late(tenant, STREAM, at, 1)

    def _set_alarm(self, key: str, chain: Chain, watermark: int) -> None:
        """Ring in time for a chain that may be due sooner than its alarm.

        Every chain has an alarm at most `_look_ms` ahead of when it was looked at last, and an
        event in order of time makes nothing due before that.
        """
        due = due_at(chain, self._horizons)
        if due <= watermark + self._look_ms:
            self._ring_at(due, key)

    def _ring_at(self, at: int, key: str) -> None:
        slot = -(-at // SLOT_MS) * SLOT_MS
        keys = self._alarms.get(slot)
        if keys is None:
            self._alarms[slot] = [key]
            heappush(self._slots, slot)
            self.next_alarm = self._slots[0]
        else:
            keys.append(key)

    def ring(self, watermark: int) -> list[str]:
        """Act on every alarm up to `watermark`; answers the keys that left memory."""
        left = []
        while self._slots and self._slots[0] <= watermark:
            slot = heappop(self._slots)
            for key in self._alarms.pop(slot):
                chain = self.chains.get(key)
                if chain is None:
                    continue
                stays = _read(chain)
                due = due_of(chain, stays, self._horizons)
                if due <= slot and self._mark_stale(key, chain, stays, slot):
                    stays = _read(chain)
                    due = due_of(chain, stays, self._horizons)
                if due > slot:
                    self._ring_at(min(due, slot + self._look_ms), key)
                else:
                    self._leave(key, chain, stays, watermark)
                    left.append(key)
        self.next_alarm = self._slots[0] if self._slots else 1 << 60
        return left

    def _mark_stale(self, key: str, chain: Chain, stays: list[Stay | None], now: int) -> bool:
        """Turn legs open for too long into the contradiction `stale`; False if there is none."""
        open_legs = [
            leg
            for leg, stay in zip(chain.legs, stays, strict=True)
            if stay is not None and not leg.is_stale and self._is_stale(stay, now)
        ]
        if not open_legs:
            return False
        before = contributions(chain, self._bounds_ms)
        for leg in open_legs:
            leg.is_stale = True
        self._post(tenant_of(key), before, contributions(chain, self._bounds_ms), "late", now, now)
        self.changed.add(key)
        return True

    def _is_stale(self, stay: Stay, now: int) -> bool:
        at = stale_at(stay, self._horizons)
        return at is not None and at <= now

    def _leave(self, key: str, chain: Chain, stays: list[Stay | None], watermark: int) -> None:
        """Leave memory: what is counted stays counted, what is a level goes."""
        if any(stay is not None and (stay.contradiction or not stay.outcome) for stay in stays):
            parts = contributions(chain, self._bounds_ms)
            self._ledger.post_levels(tenant_of(key), parts, -1, watermark)
        del self.chains[key]
        if key in self.changed:
            self.parted.append((key, chain))
        self.changed.add(key)

    def take_changes(self) -> list[tuple[str, Chain | None]]:
        """What a commit writes; asked once."""
        return take_changed(self.chains, self.changed, self.parted)

    def values(self, key: str) -> list[Chain]:
        """The chain as the state log holds it."""
        return [self.chains[key]]

    def load(self, key: str, chain: Chain | None) -> None:
        """Take in a value of the state log."""
        if chain is not None:
            share(chain)
        load_whole(self.chains, key, chain)

    def restore(self, watermark: int) -> None:
        """After loading chains from the state log: levels and alarms follow from them."""
        for key, chain in self.chains.items():
            parts = contributions(chain, self._bounds_ms)
            self._ledger.post_levels(tenant_of(key), parts, 1, watermark)
            self._ring_at(min(due_at(chain, self._horizons), watermark + self._look_ms), key)
        self._ledger.changed.clear()


def _read(chain: Chain) -> list[Stay | None]:
    return [read_leg(leg) for leg in chain.legs]


def _cause(event: CallEvent) -> str:
    if event.fact.kind == DELETED:
        return "deleted"
    return "corrected" if event.voids else ""
