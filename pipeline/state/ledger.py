"""The buckets of one source partition: contributions in, absolute values out.

Differences are gathered per 10-second bucket and settled into the live and the day bucket when
somebody looks, once per commit: most events meet in few buckets, and sums do not care.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeAlias

from pipeline.events.heartbeat import TENANT as HEARTBEAT_TENANT
from pipeline.metrics.buckets import (
    DAY,
    LEVEL,
    LIVE,
    BucketKey,
    Cells,
    Contribution,
    Level,
    LevelValue,
    add,
    merge,
)
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES, HEARTBEAT, LATE
from pipeline.metrics.windows import BUCKET_MS, Window, day_number, day_span, local_date
from pipeline.state.retention import Horizons

CLOSED_AFTER_MS: Final = 60_000
CAUSES: Final = ("", "late", "corrected", "deleted", "rebuilt")
LevelKey: TypeAlias = tuple[str, str, tuple[str, ...]]
_Series: TypeAlias = tuple[str, str, tuple[str, ...], int]
_Deltas: TypeAlias = dict[_Series, Cells]
_LEVELS: Final = frozenset(f.name for f in FAMILIES.values() if LEVEL in f.grains)
_LASTING: Final = frozenset(f.name for f in FAMILIES.values() if f.grains == (DAY,))
"""Kept by the day alone and for good: each day is part of today's prefix sum (architecture.md §2)."""
_PASSING: Final = frozenset(f.name for f in FAMILIES.values() if f.grains == (LIVE,))
"""Kept by 10 seconds alone: behind their horizon nobody asks for them."""
_NOT_LIVE: Final = _LEVELS | _LASTING
_HEARTBEAT_KEY: Final[BucketKey] = (DAY, HEARTBEAT.name, HEARTBEAT_TENANT, (), 0)


class Ledger:
    """Sparse vectors by bucket key, level lists by (family, tenant, dims), and what changed.

    `changed` maps a key to the cause of its last change ('' is the ordinary course); `gone`
    holds the keys that left memory at their horizon since the last commit, `parted` the last
    values of those among them that had changed since: readers have not seen these yet.
    """

    def __init__(self, definitions: Definitions, horizons: Horizons) -> None:
        self.levels: dict[LevelKey, Level] = {}
        self.gone: set[BucketKey] = set()
        self.parted: list[tuple[BucketKey, str, Cells]] = []
        self._buckets: dict[BucketKey, Cells] = {}
        self._changed: dict[BucketKey, str] = {}
        self._watermark = 0
        self._definitions = definitions
        self._horizons = horizons
        self._near_ms = min(horizons.bucket_ms, horizons.day_ms, CLOSED_AFTER_MS)
        self._live_deltas: _Deltas = {}
        self._day_deltas: _Deltas = {}
        self._causes: dict[_Series, str] = {}
        self._level_causes: dict[LevelKey, str] = {}
        self._days: dict[str, tuple[Window, int]] = {}

    @property
    def buckets(self) -> dict[BucketKey, Cells]:
        """Every bucket in memory, settled."""
        self._settle()
        return self._buckets

    @property
    def changed(self) -> dict[BucketKey, str]:
        """Keys changed since whoever commits cleared this, with the cause of the last change."""
        self._settle()
        return self._changed

    def post(
        self,
        tenant: str,
        removed: Iterable[Contribution],
        added: Iterable[Contribution],
        cause: str,
        watermark: int,
    ) -> int:
        """Take back and add contributions; answers how many a horizon kept out of a bucket."""
        self._watermark = watermark
        # Most contributions lie in front of this edge, where no horizon and no closed bucket is.
        edge = watermark - self._near_ms
        kept_out = 0
        for sign, parts in ((-1, removed), (1, added)):
            for family, dims, at, cells in parts:
                if family in _NOT_LIVE:
                    if family in _LEVELS:
                        self._post_level((family, tenant, dims), at, cells, sign, cause)
                    else:
                        self._post_lasting((family, tenant, dims, at), cells, sign, cause)
                    continue
                deltas = self._live_deltas
                if at <= edge:
                    allowed = self._deltas_at(tenant, at, watermark)
                    kept_out += allowed is not deltas
                    if allowed is None:
                        continue
                    deltas = allowed
                start = at - at % BUCKET_MS
                series = (family, tenant, dims, start)
                delta = deltas.get(series)
                if delta is None:
                    delta = deltas[series] = {}
                for place in range(0, len(cells), 2):
                    cell = cells[place]
                    delta[cell] = delta.get(cell, 0) + sign * cells[place + 1]
                if cause:
                    self._causes[series] = cause
                elif at <= edge and start <= watermark - BUCKET_MS - CLOSED_AFTER_MS:
                    self._causes.setdefault(series, "late")
        return kept_out

    def _deltas_at(self, tenant: str, at: int, watermark: int) -> _Deltas | None:
        """Where a contribution goes: into both buckets, into the day alone, or nowhere."""
        day_edge = watermark - self._horizons.day_ms
        if at <= day_edge and self._day(tenant, at)[0].end <= day_edge:
            return None
        is_kept = at - at % BUCKET_MS > watermark - self._horizons.bucket_ms - BUCKET_MS
        return self._live_deltas if is_kept else self._day_deltas

    def _post_lasting(self, series: _Series, cells: tuple[int, ...], sign: int, cause: str) -> None:
        delta = self._day_deltas.get(series)
        if delta is None:
            delta = self._day_deltas[series] = {}
        add(delta, cells, sign)
        if cause:
            self._causes[series] = cause

    def _post_level(self, key: LevelKey, at: int, cells: tuple[int, ...], sign: int, cause: str) -> None:
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level()
        level.add(at, cells, sign)
        self._level_causes[key] = cause

    def post_levels(self, tenant: str, parts: Iterable[Contribution], sign: int, watermark: int) -> None:
        """Only what `parts` add to levels: on leaving memory and on restoring it."""
        self._watermark = watermark
        for family, dims, at, cells in parts:
            if family in _LEVELS:
                self._post_level((family, tenant, dims), at, cells, sign, "")

    def post_late(self, tenant: str, stream: str, at: int, cell: int) -> None:
        """Count one late event (cell 0) or one with contributions kept out (cell 1)."""
        _, number = self._day(tenant, at)
        self._put((DAY, LATE.name, tenant, (stream,), number), {cell: 1}, "")

    def post_heartbeat(self, at: int) -> None:
        """Keep the newest instant (ms): an older one, sent again or by a slower clock, changes nothing."""
        known = self._buckets.get(_HEARTBEAT_KEY, {}).get(0, 0)
        if at > known:
            self._put(_HEARTBEAT_KEY, {0: at - known}, "")

    def replace(self, buckets: Mapping[BucketKey, Cells], families: Collection[str]) -> None:
        """Let these be the buckets of the families; every bucket counts as changed."""
        changed = self.changed
        for key in self.keys():
            changed[key] = ""
        for key in {*self.buckets, *buckets}:
            if key[1] in families and self._buckets.get(key, {}) != buckets.get(key, {}):
                self._buckets[key] = dict(buckets.get(key, {}))
                changed[key] = "rebuilt"

    def _settle(self) -> None:
        """Bring the gathered differences into the buckets; done when somebody looks."""
        live, day = self._live_deltas, self._day_deltas
        for key, cause in self._level_causes.items():
            self._changed[LEVEL, *key, 0] = cause
        self._level_causes.clear()
        for (family, tenant, dims, start), delta in live.items():
            cause = self._causes.get((family, tenant, dims, start), "")
            self._put((LIVE, family, tenant, dims, start), delta, cause)
            self._put_day(family, tenant, dims, start, delta, cause)
        for (family, tenant, dims, start), delta in day.items():
            cause = self._causes.get((family, tenant, dims, start), "late")
            self._put_day(family, tenant, dims, start, delta, cause)
        live.clear()
        day.clear()
        self._causes.clear()

    def _put_day(
        self,
        family: str,
        tenant: str,
        dims: tuple[str, ...],
        at: int,
        delta: Cells,
        cause: str,
    ) -> None:
        if family in _PASSING:
            return
        span, number = self._day(tenant, at)
        if cause == "late" and span.end + CLOSED_AFTER_MS > self._watermark:
            cause = ""
        self._put((DAY, family, tenant, dims, number), delta, cause)

    def _put(self, key: BucketKey, delta: Cells, cause: str) -> None:
        cells = self._buckets.get(key)
        if cells is None:
            cells = self._buckets[key] = {}
        merge(cells, delta)
        self._changed[key] = cause

    def _day(self, tenant: str, at: int) -> tuple[Window, int]:
        known = self._days.get(tenant)
        if known is None or not known[0].start <= at < known[0].end:
            zone = self._definitions.zone(tenant)
            number = day_number(local_date(at, zone))
            known = self._days[tenant] = (day_span(number, zone), number)
        return known

    def sweep(self, watermark: int) -> None:
        """Drop buckets behind their horizon. Housekeeping: no reader waits for it."""
        live_edge = watermark - self._horizons.bucket_ms - BUCKET_MS
        day_edge = watermark - self._horizons.day_ms - 2 * 86_400_000
        stale = [
            key
            for key in self.buckets
            if (key[0] == LIVE and key[4] <= live_edge)
            or (key[0] == DAY and key[4] <= day_edge and key[1] not in _LASTING)
        ]
        for key in stale:
            cells = self.buckets.pop(key)
            cause = self.changed.pop(key, None)
            if cause is not None:
                self.parted.append((key, cause, cells))
            self.gone.add(key)

    def value(self, key: BucketKey) -> Cells | LevelValue | None:
        """The absolute value for the state log; None when the key is not in memory."""
        if key[0] != LEVEL:
            return self.buckets.get(key)
        level = self.levels.get((key[1], key[2], key[3]))
        return level.value() if level else None

    def keys(self) -> list[BucketKey]:
        """Every key in memory, for the rolling snapshot."""
        levels = [(LEVEL, family, tenant, dims, 0) for family, tenant, dims in self.levels]
        return [*self.buckets, *levels]
