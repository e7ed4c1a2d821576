"""Support speed: the formulas of metrics.md §2 over cells and levels.

Pure arithmetic; which cells belong to a window is the reader's business.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipeline.metrics.buckets import COHORT, LEAVE, Cells, Family, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.numbers import Number, count, mean_seconds, proportion
from pipeline.metrics.windows import BUCKET_MS

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


def _family(definition: Mapping[str, Any]) -> Family:
    return COHORT if definition.get("by") == "enqueue" else LEAVE


def _get(cells: Cells, family: Family, *names: str) -> int:
    return sum(cells.get(family.cell(name), 0) for name in names)


def asa_queue(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
    """Σ wait / n over legs answered by a human (`created`: from the leg's creation)."""
    family = _family(definition)
    total = _get(cells, family, "answered_wait_ms")
    if definition.get("name") == "created":
        total += _get(cells, family, "answered_ahead_ms")
    return mean_seconds(total, _get(cells, family, "answered"))


def wait_all(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
    """Mean wait of all queued legs that left, whatever the outcome."""
    family = _family(definition)
    n = _get(cells, family, *OUTCOMES)
    if family is LEAVE:
        n -= _get(cells, family, "unqueued")
    names = ("answered_wait_ms", "abandoned_wait_ms", "other_wait_ms")
    return mean_seconds(_get(cells, family, *names), n)


def wait_abandoned(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
    """Mean wait of abandoned legs."""
    family = _family(definition)
    return mean_seconds(_get(cells, family, "abandoned_wait_ms"), _get(cells, family, "abandoned"))


def counter(name: str) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """A count of one outcome, by leave or by enqueue."""

    def read(cells: Cells, definition: Mapping[str, Any], _: Definitions) -> Number:
        return count(_get(cells, _family(definition), name))

    return read


def offered(cells: Cells, _definition: Mapping[str, Any], _: Definitions) -> Number:
    """Legs that entered the queue."""
    return count(_get(cells, COHORT, "offered"))


def abandon_rate(cells: Cells, definition: Mapping[str, Any], definitions: Definitions) -> Number:
    """Of the enqueue cohort: abandoned with wait > S / offered."""
    short = _at_most(cells, "abandoned_wait", definition.get("S", SHORT_ABANDON_S), definitions)
    return proportion(_get(cells, COHORT, "abandoned") - short, _get(cells, COHORT, "offered"))


def _at_most(cells: Cells, histogram: str, seconds: float, definitions: Definitions) -> int:
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
    return count(sum(_entered(level, now) - _before(level, edge) for level in levels))


def stuck(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
    """Legs that have waited longer than `stuck_after`."""
    edge = now - definitions.stuck_after_ms
    return count(sum(_before(level, edge) for level in levels))


def scheduled(levels: Iterable[LevelValue], now: int, _: Definitions) -> Number:
    """Legs whose enqueued_at lies after now."""
    return count(sum(sum(level.counts.values()) - _entered(level, now) for level in levels))


def oldest_waiting(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
    """Seconds since the oldest enqueued_at of legs in queue and not stuck; absent when none."""
    at = oldest_enqueued_at(levels, now, definitions)
    return Number(None if at is None else (now - at) / 1000)


def oldest_enqueued_at(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> int | None:
    """The instant itself, ms: exact among the oldest 16, else the start of its 10 seconds."""
    edge = now - definitions.stuck_after_ms
    found = [at for level in levels for at in _waiting_since(level) if edge <= at <= now]
    return min(found, default=None)


def quarantined(levels: Iterable[LevelValue], now: int, _: Definitions) -> Number:
    """Legs in quarantine whose first instant is at or before now."""
    return count(sum(_entered(level, now) for level in levels))


def _is_exact(level: LevelValue) -> bool:
    """Whether `oldest` names every instant of the level."""
    return len(level.oldest) == sum(level.counts.values())


def _entered(level: LevelValue, now: int) -> int:
    """How many instants lie at or before now.

    Inside the running 10 seconds all count but those known exactly to lie ahead.
    """
    if _is_exact(level):
        return bisect_right(level.oldest, now)
    floor = now - now % BUCKET_MS
    known = (Counter(level.oldest) | Counter(level.scheduled)).elements()
    ahead = sum(1 for at in known if now < at < floor + BUCKET_MS)
    return sum(n for at, n in level.counts.items() if at <= floor) - ahead


def _before(level: LevelValue, edge: int) -> int:
    """How many instants lie before `edge`: exact inside the oldest 16, else by 10 seconds."""
    exact = bisect_left(level.oldest, edge)
    if exact < len(level.oldest) or _is_exact(level):
        return exact
    return max(exact, sum(n for at, n in level.counts.items() if at + BUCKET_MS <= edge))


def _waiting_since(level: LevelValue) -> Iterable[int]:
    yield from level.oldest
    yield from level.scheduled
    if not _is_exact(level):
        yield from (at for at in level.counts if at > level.oldest[-1])
