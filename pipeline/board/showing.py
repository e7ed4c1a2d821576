"""How a snapshot is taken: what the fold has is copied as it stands at one instant. Source: metrics.md §1."""

from collections.abc import Iterator, Mapping

from pipeline.board.days import Days
from pipeline.board.fold import Fold, SeriesKey
from pipeline.board.freshness import freshness_of
from pipeline.board.places import (
    BY_REASON,
    LEVELS,
    MATURES,
    STEPS,
    TALLIES,
    TODAY,
    Place,
    places_of,
    windows_of,
)
from pipeline.board.snapshot import RECENT, Snapshot
from pipeline.board.steps import DAILY_WINDOWS, ONE_DAY, Daily
from pipeline.metrics.buckets import Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import LATE, STAYING
from pipeline.metrics.tickets import MATURE_MS
from pipeline.metrics.windows import DAY_WINDOWS, LIVE_WINDOWS


def snapshot_of(fold: Fold, definitions: Definitions, now: int) -> Snapshot:
    """Advance the fold to `now` and copy what is to be shown.

    Before all sources are caught up there are no numbers: half a log tells of the past as of now.
    """
    fold.advance(now)
    freshness = tuple(freshness_of(*each, now) for each in sorted(fold.positions.items()))
    if not all(each.is_caught_up or each.refused for each in freshness):
        return Snapshot(now, definitions, {}, {}, {}, {}, {}, freshness)
    days = Days(definitions, now)
    cells: dict[tuple[str, str], dict[Place, Cells]] = {
        (family, window): {} for family in TALLIES for window in windows_of(family)
    }
    recent: dict[str, dict[Place, Mapping[int, Cells]]] = {family: {} for family in RECENT}
    ripe: dict[tuple[str, str], dict[Place, Cells]] = {
        (family, window): {} for family in MATURES for window in windows_of(family) if window in DAY_WINDOWS
    }
    late: dict[tuple[str, str], Cells] = {}
    steps: dict[str, dict[Place, Cells]] = {family: {} for family in STEPS}
    for (family, tenant, dims), sums in fold.series.items():
        if family == LATE.name:
            late[tenant, dims[0]] = days.so_far(tenant, sums)
        elif family in STEPS:
            steps[family][tenant, *dims] = days.up_to_today(tenant, sums)
        elif (family, TODAY) in cells:
            place = (tenant, *dims)
            for window in windows_of(family):
                is_live = window in LIVE_WINDOWS
                told = dict(sums.windows[window]) if is_live else days.over(tenant, sums, window)
                cells[family, window][place] = told
                if (family, window) in ripe:
                    maturing = fold.series.get((MATURES[family], tenant, dims))
                    ripe[family, window][place] = days.ripe(tenant, sums, maturing, window, MATURE_MS)
            if family in RECENT:
                recent[family][place] = dict(sums.live)
    levels: dict[str, dict[Place, tuple[LevelValue, ...]]] = {family: {} for family in LEVELS}
    quarantine: dict[tuple[str, str], tuple[LevelValue, ...]] = {}
    for (family, tenant, dims), values in _levels(fold):
        if family in BY_REASON:
            quarantine[tenant, dims[0]] = quarantine.get((tenant, dims[0]), ()) + values
        elif family in levels:
            levels[family][tenant, *dims] = values
    places = places_of([*((family, parts) for (family, _), parts in cells.items()), *levels.items()])
    return Snapshot(
        now,
        definitions,
        places,
        cells,
        levels,
        quarantine,
        late,
        freshness,
        recent,
        ripe,
        steps,
        _daily(fold, days),
    )


def _daily(fold: Fold, days: Days) -> Daily:
    one_day = (STAYING.name, (ONE_DAY,))
    found: dict[str, dict[str, Mapping[int, Cells]]] = {window: {} for window in DAILY_WINDOWS}
    for (family, tenant, dims), sums in fold.series.items():
        if (family, dims) == one_day:
            for window, told in days.each_up_to(tenant, sums, DAILY_WINDOWS):
                found[window][tenant] = told
    return found


def _levels(fold: Fold) -> Iterator[tuple[SeriesKey, tuple[LevelValue, ...]]]:
    for key, told in fold.levels.items():
        values = tuple(value for value in told.values() if value.counts)
        if values:
            yield key, values
