"""Support speed: the formulas of metrics.md §2 over cells and levels.

Pure arithmetic; which cells belong to a window is the reader's business.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipeline.metrics.buckets import Cells, Family, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import COHORT, LEAVE
from pipeline.metrics.levels import before, entered, instants
from pipeline.metrics.numbers import Number, count, mean_seconds, proportion

SHORT_ABANDON_S: Final = 5
OUTCOMES: Final = (
    "answered",
    "abandoned",
    "callbacks_requested",
    "transferred_out",
    "flowed_out",
    "bot_answered",
)


class ThresholdError(ValueError):
    """A threshold that is no histogram bound; the message says how to declare it."""


def family_asked(definition: Mapping[str, Any]) -> Family:
    """By leave, or of the cohort that entered the queue."""
    return COHORT if definition.get("by") == "enqueue" else LEAVE


def cohort_fault(definition: Mapping[str, Any]) -> str:
    """What is of the enqueue cohort cannot be asked by leave; '' when it is not."""
    return "it is always by enqueue" if definition.get("by") == "leave" else ""


def total(cells: Cells, family: Family, *names: str) -> int:
    """The sum of counters."""
    return sum(cells.get(family.cell(name), 0) for name in names)


def asa_queue(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
    """Σ wait / n over legs answered by a human (`created`: from the leg's creation)."""
    family = family_asked(definition)
    waited = total(cells, family, "answered_wait_ms")
    if definition.get("name") == "created":
        waited += total(cells, family, "answered_ahead_ms")
    return mean_seconds(waited, total(cells, family, "answered"))


def wait_all(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
    """Mean wait of all queued legs that left, whatever the outcome."""
    family = family_asked(definition)
    n = total(cells, family, *OUTCOMES)
    if family is LEAVE:
        n -= total(cells, family, "unqueued")
    names = ("answered_wait_ms", "abandoned_wait_ms", "other_wait_ms")
    return mean_seconds(total(cells, family, *names), n)


def wait_abandoned(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
    """Mean wait of abandoned legs."""
    family = family_asked(definition)
    return mean_seconds(total(cells, family, "abandoned_wait_ms"), total(cells, family, "abandoned"))


def counter(name: str) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """A count of one outcome, by leave or by enqueue."""

    def read(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
        return count(total(cells, family_asked(definition), name))

    return read


def offered(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """Legs that entered the queue."""
    return count(total(cells, COHORT, "offered"))


def abandon_rate(cells: Cells, definition: Mapping[str, Any], definitions: Definitions) -> Number:
    """Of the enqueue cohort: abandoned with wait > S / offered."""
    short = at_most(cells, "abandoned_wait", definition.get("S", SHORT_ABANDON_S), definitions)
    return proportion(total(cells, COHORT, "abandoned") - short, total(cells, COHORT, "offered"))


def at_most(cells: Cells, histogram: str, seconds: float, definitions: Definitions) -> int:
    """How many waits of the cohort are ≤ a threshold, which must be a bound."""
    bounds = definitions.bounds_ms
    bound = round(seconds * 1000)
    last = bisect_left(bounds, bound)
    if last == len(bounds) or bounds[last] != bound:
        raise ThresholdError(
            f"{seconds} s is no bucket bound: add it to `thresholds` in the definitions file"
        )
    first = COHORT.first_bin(histogram, len(bounds))
    return sum(cells.get(first + index, 0) for index in range(last + 1))


def in_queue(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
    """Legs with enqueued_at ≤ now that have not left and are not stuck."""
    edge = now - definitions.stuck_after_ms
    return count(sum(entered(level, now) - before(level, edge) for level in levels))


def stuck(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
    """Legs that have waited longer than `stuck_after`."""
    edge = now - definitions.stuck_after_ms
    return count(sum(before(level, edge) for level in levels))


def scheduled(levels: Iterable[LevelValue], now: int, _: Definitions) -> Number:
    """Legs whose enqueued_at lies after now."""
    return count(sum(sum(level.counts.values()) - entered(level, now) for level in levels))


def oldest_waiting(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
    """Seconds since the oldest enqueued_at of legs in queue and not stuck; absent when none."""
    at = oldest_enqueued_at(levels, now, definitions)
    return Number(None if at is None else (now - at) / 1000)


def oldest_enqueued_at(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> int | None:
    """The instant itself, ms: exact among the oldest 16, else the start of its 10 seconds."""
    edge = now - definitions.stuck_after_ms
    found = [at for level in levels for at in instants(level) if edge <= at <= now]
    return min(found, default=None)


def quarantined(levels: Iterable[LevelValue], now: int, _: Definitions) -> Number:
    """Legs in quarantine whose first instant is at or before now."""
    return count(sum(entered(level, now) for level in levels))
