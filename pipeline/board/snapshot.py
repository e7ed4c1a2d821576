"""The board's numbers at one instant: immutable, made from the fold, read by everything that shows.

Parts are summed for whatever dimensions are asked for and only then become numbers, so a mean of
means cannot happen. Source: metrics.md §1, §2 and §8.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from pipeline.board.fold import Fold, Position, SeriesKey, Source
from pipeline.board.sums import Sums
from pipeline.metrics.buckets import Cells, LevelValue, merge
from pipeline.metrics.catalogue import (
    METRICS,
    Definition,
    Metric,
    definition_of,
    family_of,
    read_level,
    read_window,
)
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import COHORT, LATE, LEAVE, QUARANTINE, WAITING
from pipeline.metrics.numbers import Number
from pipeline.metrics.windows import LIVE_WINDOWS, Window, day_number, day_span, local_date

NOW: Final = "now"
TODAY: Final = "today"
WINDOWS: Final = (*LIVE_WINDOWS, TODAY)
DIMENSIONS: Final = ("tenant", "queue", "channel")
TALLIES: Final = (LEAVE.name, COHORT.name)
IDLE_AFTER_MS: Final = 60_000

Place: TypeAlias = tuple[str | None, str | None, str | None]
"""(tenant, queue, channel); None where it is rolled up."""
CellsAt: TypeAlias = Mapping[Place, Cells]


class Freshness(NamedTuple):
    """Where one source stands; instants in ms, -1 = no commit seen.

    Idle: commits come, but since a minute none with new events, so its watermark says nothing.
    """

    source: Source
    next_offset: int
    position: int
    watermark: int
    committed_at: int
    is_idle: bool
    is_caught_up: bool
    refused: str

    def age_ms(self, now: int) -> int | None:
        """Since the last commit was appended; None when there was none."""
        return None if self.committed_at < 0 else max(0, now - self.committed_at)


class Row(NamedTuple):
    """One number with everything it must be shown with. `window` None: at the snapshot's instant."""

    metric: Metric
    definition: Definition
    window: str | None
    place: Place
    number: Number


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are asked for; None = all. `by`: dimensions kept, the others are rolled up.

    `windows` are names of WINDOWS, and NOW for what is there at the snapshot's instant.
    """

    by: tuple[str, ...] = DIMENSIONS
    metrics: tuple[str, ...] | None = None
    windows: tuple[str, ...] | None = None
    tenant: str | None = None
    queue: str | None = None
    definition: Definition | None = None

    def projected(self, place: Place) -> Place | None:
        """Where a place's parts go; None: not asked for."""
        tenant, queue, channel = place
        if self.tenant not in {None, tenant} or self.queue not in {None, queue}:
            return None
        by = self.by
        return (
            tenant if "tenant" in by else None,
            queue if "queue" in by else None,
            channel if "channel" in by else None,
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Parts by place, and freshness, at `now` (ms). Nobody changes anything inside it.

    `cells` is by (family, window), `levels` by place, `quarantine` by (tenant, reason) and `late`
    by (tenant, stream), both of which belong to no queue.
    """

    now: int
    definitions: Definitions
    places: tuple[Place, ...]
    cells: Mapping[tuple[str, str], CellsAt]
    levels: Mapping[Place, tuple[LevelValue, ...]]
    quarantine: Mapping[tuple[str, str], tuple[LevelValue, ...]]
    late: Mapping[tuple[str, str], Cells]
    freshness: tuple[Freshness, ...]

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
        """Every tenant that has a queue to show."""
        return tuple(sorted({place[0] for place in self.places if place[0] is not None}))

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

    def _window_rows(self, metric: Metric, question: Question) -> Iterator[Row]:
        if metric.is_level:
            return
        for definition in _definitions_asked(metric, question):
            family = family_of(metric, definition)
            for window in WINDOWS:
                if question.windows is None or window in question.windows:
                    for place, cells in self.rolled_up(family, window, question).items():
                        number = read_window(metric, cells, definition, self.definitions)
                        yield Row(metric, definition, window, place, number)

    def _level_rows(self, metric: Metric, question: Question) -> Iterator[Row]:
        if not metric.is_level or (question.windows is not None and NOW not in question.windows):
            return
        definition = definition_of(metric, question.definition)
        for place, levels in self._levels_of(metric, question).items():
            number = read_level(metric, levels, self.now, self.definitions)
            yield Row(metric, definition, None, place, number)

    def _levels_of(self, metric: Metric, question: Question) -> dict[Place, list[LevelValue]]:
        if metric.families[0] == QUARANTINE.name:
            found: Iterable[tuple[Place, tuple[LevelValue, ...]]] = [
                *(((tenant, None, None), ()) for tenant in self.tenants),
                *(((tenant, None, None), levels) for (tenant, _), levels in self.quarantine.items()),
            ]
        else:
            found = ((place, self.levels.get(place, ())) for place in self.places)
        gathered: dict[Place, list[LevelValue]] = {}
        for place, levels in found:
            target = question.projected(place)
            if target is not None:
                gathered.setdefault(target, []).extend(levels)
        return gathered

    def rolled_up(self, family: str, window: str, question: Question) -> dict[Place, Cells]:
        """The parts of one family and window, summed over the dimensions not kept."""
        parts = self.cells.get((family, window), {})
        total: dict[Place, Cells] = {}
        for place in self.places:
            target = question.projected(place)
            if target is not None:
                merge(total.setdefault(target, {}), parts.get(place, {}))
        return total


def _definitions_asked(metric: Metric, question: Question) -> list[Definition]:
    if question.definition is not None:
        return [definition_of(metric, question.definition)]
    return [definition_of(metric, variant) for variant in metric.variants]


def snapshot_of(fold: Fold, definitions: Definitions, now: int) -> Snapshot:
    """Advance the fold to `now` and copy what is to be shown.

    Before all sources are caught up there are no numbers: half a log tells of the past as of now.
    """
    fold.advance(now)
    freshness = tuple(_freshness(*each, now) for each in sorted(fold.positions.items()))
    if not all(each.is_caught_up or each.refused for each in freshness):
        return Snapshot(now, definitions, (), {}, {}, {}, {}, freshness)
    days = _Days(definitions, now)
    cells: dict[tuple[str, str], dict[Place, Cells]] = {(f, w): {} for f in TALLIES for w in WINDOWS}
    late: dict[tuple[str, str], Cells] = {}
    for (family, tenant, dims), sums in fold.series.items():
        if family in TALLIES:
            place = (tenant, dims[0], dims[1])
            for window in LIVE_WINDOWS:
                cells[family, window][place] = dict(sums.windows[window])
            cells[family, TODAY][place] = days.so_far(tenant, sums)
        elif family == LATE.name:
            late[tenant, dims[0]] = days.so_far(tenant, sums)
    levels: dict[Place, tuple[LevelValue, ...]] = {}
    quarantine: dict[tuple[str, str], tuple[LevelValue, ...]] = {}
    for (family, tenant, dims), values in _levels(fold):
        if family == WAITING.name:
            levels[tenant, dims[0], dims[1]] = values
        elif family == QUARANTINE.name:
            quarantine[tenant, dims[0]] = values
    places = {place for parts in cells.values() for place in parts} | set(levels)
    in_order = tuple(sorted(places, key=lambda place: tuple(name or "" for name in place)))
    return Snapshot(now, definitions, in_order, cells, levels, quarantine, late, freshness)


def _levels(fold: Fold) -> Iterator[tuple[SeriesKey, tuple[LevelValue, ...]]]:
    for key, told in fold.levels.items():
        values = tuple(value for value in told.values() if value.counts)
        if values:
            yield key, values


def _freshness(source: Source, place: Position, now: int) -> Freshness:
    return Freshness(
        source,
        place.next_offset,
        place.position,
        place.watermark,
        place.committed_at,
        now - place.moved_at > IDLE_AFTER_MS,
        place.is_caught_up,
        place.refused,
    )


class _Days:
    """The running local day of each tenant."""

    def __init__(self, definitions: Definitions, now: int) -> None:
        self._definitions = definitions
        self._now = now
        self._known: dict[str, tuple[int, Window]] = {}

    def so_far(self, tenant: str, sums: Sums) -> Cells:
        known = self._known.get(tenant)
        if known is None:
            zone = self._definitions.zone(tenant)
            number = day_number(local_date(self._now, zone))
            known = self._known[tenant] = (number, day_span(number, zone))
        return sums.day_so_far(*known, self._now)
