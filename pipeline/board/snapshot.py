"""The board's numbers at one instant: immutable, made from the fold, read by everything that shows.

Parts are summed for whatever dimensions are asked for and only then become numbers, so a mean of
means cannot happen. Source: metrics.md §1, §2 and §8.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from pipeline.board.freshness import Freshness
from pipeline.board.people import people_numbers
from pipeline.board.places import (
    BY_REASON,
    LEVEL_DIMS,
    MATURES,
    NOW,
    STEPS,
    TALLIES,
    Dims,
    Place,
    Question,
    dims_of,
    windows_of,
)
from pipeline.board.steps import (
    Daily,
    daily_churn,
    is_by_day,
    is_kept_live,
    step_parts,
)
from pipeline.board.sums import LONGEST_MS, negative
from pipeline.metrics.buckets import Cells, LevelValue, merge
from pipeline.metrics.catalogue import (
    METRICS,
    Definition,
    DefinitionError,
    Metric,
    definition_of,
    family_of,
    read_level,
    read_window,
)
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import COHORT, LEAVE
from pipeline.metrics.numbers import Number
from pipeline.metrics.windows import (
    BUCKET_MS,
    LIVE_WINDOWS,
    day_window,
    floor_bucket,
    live_window,
)

RECENT: Final = frozenset(
    {LEAVE.name, COHORT.name, *(name for m in METRICS.values() if m.maturity for name in m.families)}
    - MATURES.keys()
)
"""Families of which the last hour's buckets are kept: because not all of them may count yet, or to show
how the hour went.
"""

CellsAt: TypeAlias = Mapping[Place, Cells]


class Row(NamedTuple):
    """One number with everything it must be shown with. `window` None: at the snapshot's instant.

    `place` holds the values of `dims`.
    """

    metric: Metric
    definition: Definition
    window: str | None
    dims: Dims
    place: Place
    number: Number


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Parts by place, and freshness, at `now` (ms). Nobody changes anything inside it.

    `places` is by dimensions, `cells` by (family, window), `levels` by family; `quarantine` is by
    (tenant, reason) and `late` by (tenant, stream), both of which belong to no queue. `recent` holds
    10-second buckets by family, for definitions that let the youngest of them ripen; `ripe`, by (family,
    window), what is ripe of days where that takes longer. `steps` holds, of step families, what is up to the
    end of the tenant's running day; `daily` what one of them was on each day of a window.
    """

    now: int
    definitions: Definitions
    places: Mapping[Dims, tuple[Place, ...]]
    cells: Mapping[tuple[str, str], CellsAt]
    levels: Mapping[str, Mapping[Place, tuple[LevelValue, ...]]]
    quarantine: Mapping[tuple[str, str], tuple[LevelValue, ...]]
    late: Mapping[tuple[str, str], Cells]
    freshness: tuple[Freshness, ...]
    recent: Mapping[str, Mapping[Place, Mapping[int, Cells]]] = field(default_factory=dict)
    ripe: Mapping[tuple[str, str], CellsAt] = field(default_factory=dict)
    steps: Mapping[str, CellsAt] = field(default_factory=dict)
    daily: Daily = field(default_factory=dict)
    _ripe: dict[tuple[str, str, int], CellsAt] = field(default_factory=dict, compare=False, repr=False)

    @property
    def watermark(self) -> int | None:
        """The lowest of the sources that are not idle; None when all are."""
        return min((f.watermark for f in self.freshness if f.watermark > 0 and not f.is_idle), default=None)

    @property
    def age_ms(self) -> int | None:
        """Since the oldest last commit of the sources that are not idle; of all when all are idle."""
        told = [f for f in self.freshness if f.committed_at >= 0]
        told = [f for f in told if not f.is_idle] or told
        return max((self.now - f.committed_at for f in told), default=None)

    @property
    def tenants(self) -> tuple[str, ...]:
        """Every tenant there is anything to show of."""
        told = [*self.places.values(), *self.steps.values()]
        return tuple(sorted({place[0] for places in told for place in places if place[0] is not None}))

    @property
    def is_caught_up(self) -> bool:
        return bool(self.freshness) and all(f.is_caught_up or f.refused for f in self.freshness)

    def rows(self, question: Question | None = None) -> Iterator[Row]:
        """The numbers asked for. Raises DefinitionError or ThresholdError."""
        question = question or Question()
        for name, metric in METRICS.items():
            if question.metrics is None or name in question.metrics:
                yield from self._level_rows(metric, question)
                yield from self._window_rows(metric, question)
                yield from self._step_rows(metric, question)
                for window, dims, place, number in people_numbers(self.steps, name, question):
                    yield Row(metric, definition_of(metric, None), window, dims, place, number)

    def _window_rows(self, metric: Metric, question: Question) -> Iterator[Row]:
        if metric.window is None or metric.families[0] not in TALLIES:
            return
        for definition in question.definitions(metric):
            family = family_of(metric, definition)
            maturity = metric.maturity(definition) if metric.maturity else 0
            for window in windows_of(family):
                if question.wants(family, window, maturity):
                    parts = self.rolled_up(family, window, question, maturity, metric.only)
                    for place, cells in parts.items():
                        number = read_window(metric, cells, definition, self.definitions)
                        yield Row(metric, definition, window, dims_of(family), place, number)

    def _level_rows(self, metric: Metric, question: Question) -> Iterator[Row]:
        if metric.level is None or (question.windows is not None and NOW not in question.windows):
            return
        definition = definition_of(metric, question.definition)
        dims = dims_of(metric.families[0])
        split = [name for name in metric.level_dims if question.by is not None and name in question.by]
        for place, levels in self._levels_of(metric, question).items():
            for more in product(*(LEVEL_DIMS[name] for name in split)):
                asked = {**definition, **dict(zip(split, more, strict=True))}
                number = read_level(metric, levels, self.now, self.definitions, asked)
                yield Row(metric, definition, None, (*dims, *split), (*place, *more), number)

    def _step_rows(self, metric: Metric, question: Question) -> Iterator[Row]:
        """Numbers of step families by tenant; amounts of several currencies stay apart."""
        if metric.window is None or metric.families[0] not in STEPS:
            return
        asked = question.definitions(metric)
        for definition in filter(is_by_day, asked):
            for over, place, number in daily_churn(self.daily, question):
                yield Row(metric, definition, over, ("tenant",), place, number)
        for (window, dims, place), cells in step_parts(self.steps, metric, question).items():
            for definition in asked:
                if is_kept_live(definition):
                    number = read_window(metric, cells, definition, self.definitions)
                    yield Row(metric, definition, window, dims, place, number)

    def _levels_of(self, metric: Metric, question: Question) -> dict[Place, list[LevelValue]]:
        family = metric.families[0]
        dims = dims_of(family)
        if family in BY_REASON:
            found: Iterable[tuple[Place, tuple[LevelValue, ...]]] = [
                *(((tenant, None, None), ()) for tenant in self.tenants),
                *(((tenant, None, None), levels) for (tenant, _), levels in self.quarantine.items()),
            ]
        else:
            told = self.levels.get(family, {})
            found = ((place, told.get(place, ())) for place in self.places.get(dims, ()))
        gathered: dict[Place, list[LevelValue]] = {}
        for place, levels in found:
            target = question.projected(dims, place)
            if target is not None:
                gathered.setdefault(target, []).extend(levels)
        return gathered

    def rolled_up(
        self,
        family: str,
        window: str,
        question: Question,
        maturity_ms: int = 0,
        only: tuple[tuple[str, str], ...] = (),
    ) -> dict[Place, Cells]:
        """The parts of one family and window, summed over the dimensions not kept."""
        parts = self.cells_of(family, window, maturity_ms)
        dims = dims_of(family)
        total: dict[Place, Cells] = {}
        for place in self.places.get(dims, ()):
            target = question.projected(dims, place, only)
            if target is not None:
                merge(total.setdefault(target, {}), parts.get(place, {}))
        return total

    def cells_of(self, family: str, window: str, maturity_ms: int = 0) -> CellsAt:
        """The parts by place: of buckets that end at or before now − `maturity_ms`, when it is not 0.

        Raises DefinitionError when the board no longer has what it would have to leave out.
        """
        whole = self.cells.get((family, window), {})
        if not maturity_ms:
            return whole
        if (family, window) in self.ripe:
            return self.ripe[family, window]
        asked = (family, window, maturity_ms)
        if asked not in self._ripe:
            recent = self.recent.get(family, {})
            self._ripe[asked] = {
                place: self._ripe_of(cells, recent.get(place, {}), self._start_of(window, place), maturity_ms)
                for place, cells in whole.items()
            }
        return self._ripe[asked]

    def _ripe_of(self, cells: Cells, buckets: Mapping[int, Cells], start: int, maturity_ms: int) -> Cells:
        edge = floor_bucket(self.now - maturity_ms)
        if edge <= start:
            return {}
        if maturity_ms > LONGEST_MS:
            raise DefinitionError(
                'the board keeps an hour of buckets: ask with "mature": false, or ClickHouse'
            )
        ripe = dict(cells)
        for at in range(edge, self.now + 1, BUCKET_MS):
            if young := buckets.get(at):
                merge(ripe, negative(young))
        return ripe

    def _start_of(self, window: str, place: Place) -> int:
        if window in LIVE_WINDOWS:
            return live_window(window, self.now).start
        return day_window(window, self.now, self.definitions.zone(place[0] or "")).start
