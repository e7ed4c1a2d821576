"""Support speed and outcome: the formulas of metrics.md §3 over cells and levels.

Pure arithmetic; which cells belong to a window is the reader's business.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipeline.metrics.buckets import Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import TICKETS
from pipeline.metrics.levels import before, entered, instants
from pipeline.metrics.numbers import Number, count, mean_seconds, proportion
from pipeline.metrics.parameters import is_seconds
from pipeline.metrics.windows import HOUR_MS

MATURE_MS: Final = 72 * HOUR_MS
AGES: Final = {"0-1h": (0, 1), "1-4h": (1, 4), "4-8h": (4, 8), "8-24h": (8, 24), "24h+": (24, None)}
"""Bands of age in hours; the lower bound is inside."""
OVERDUE: Final = ("count", "oldest")

Read = Callable[[Iterable[LevelValue], int, Definitions], Number]


def _get(cells: Cells, name: str) -> int:
    return cells.get(TICKETS.cell(name), 0)


def mean(total: str, n: str) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """Σ of one cell / n of another, in seconds."""
    return lambda cells, _definition, _: mean_seconds(_get(cells, total), _get(cells, n))


def counter(name: str) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """One cell as it is."""
    return lambda cells, _definition, _: count(_get(cells, name))


def share(part: str, n: str) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """One cell / another, with its interval."""
    return lambda cells, _definition, _: proportion(_get(cells, part), _get(cells, n))


def maturity_ms(definition: Mapping[str, Any]) -> int:
    """In windows that end at now: how old a solve event must be to stand in `reopen_rate`."""
    return MATURE_MS if definition.get("mature", True) else 0


def backlog(levels: Iterable[LevelValue], now: int, _: Definitions) -> Number:
    """Open tickets created at or before now."""
    return count(sum(entered(level, now) for level in levels))


def backlog_in(definition: Mapping[str, Any]) -> Read:
    """`backlog` of one band of `age`, or of all: from ≤ age < to."""
    if "age" not in definition:
        return backlog
    least, most = AGES[definition["age"]]

    def in_band(levels: Iterable[LevelValue], now: int, _: Definitions) -> Number:
        found = list(levels)
        young = sum(entered(level, now - least * HOUR_MS) for level in found)
        old = sum(entered(level, now - most * HOUR_MS) for level in found) if most else 0
        return count(young - old)

    return in_band


def age_fault(definition: Mapping[str, Any]) -> str:
    """What is wrong with a band of age; '' = nothing."""
    known = definition.get("age") is None or definition["age"] in AGES
    return "" if known else f"age: {definition['age']!r}; known are {', '.join(AGES)}"


def overdue_of(definition: Mapping[str, Any]) -> Read:
    """Tickets unanswered for longer than the target: how many, or how old the oldest is."""
    is_count = definition.get("name", OVERDUE[0]) == OVERDUE[0]

    def overdue(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
        edge = now - _target_ms(definition, definitions)
        found = list(levels)
        if is_count:
            return count(sum(before(level, edge) for level in found))
        oldest = min((at for level in found for at in instants(level)), default=None)
        return Number((now - oldest) / 1000 if oldest is not None and oldest < edge else None)

    return overdue


def _target_ms(definition: Mapping[str, Any], definitions: Definitions) -> int:
    asked = definition.get("target")
    return definitions.frt_target_ms if asked is None else round(asked * 1000)


def target_fault(definition: Mapping[str, Any]) -> str:
    """What is wrong with a target asked for; '' = nothing."""
    target = definition.get("target")
    if target is None or (is_seconds(target) and target > 0):
        return ""
    return f"target: {target!r}; a target is a number of seconds above 0"
