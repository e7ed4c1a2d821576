"""Counting in a level: how many things are there since when, exactly or to 10 seconds.

Source: architecture.md §3 (level families). Instants in ms.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable

from pipeline.metrics.buckets import LevelValue
from pipeline.metrics.windows import BUCKET_MS


def _is_exact(level: LevelValue) -> bool:
    """Whether `oldest` names every instant of the level."""
    return len(level.oldest) == sum(level.counts.values())


def entered(level: LevelValue, now: int) -> int:
    """How many instants lie at or before now.

    Inside the running 10 seconds all count but those known exactly to lie ahead.
    """
    if _is_exact(level):
        return bisect_right(level.oldest, now)
    floor = now - now % BUCKET_MS
    known = (Counter(level.oldest) | Counter(level.scheduled)).elements()
    ahead = sum(1 for at in known if now < at < floor + BUCKET_MS)
    return sum(n for at, n in level.counts.items() if at <= floor) - ahead


def before(level: LevelValue, edge: int) -> int:
    """How many instants lie before `edge`: exact inside the oldest 16, else by 10 seconds."""
    exact = bisect_left(level.oldest, edge)
    if exact < len(level.oldest) or _is_exact(level):
        return exact
    return max(exact, sum(n for at, n in level.counts.items() if at + BUCKET_MS <= edge))


def instants(level: LevelValue) -> Iterable[int]:
    """Every instant, some more than once: exact among the oldest 16, else the start of its 10 seconds."""
    yield from level.oldest
    yield from level.scheduled
    if not _is_exact(level):
        yield from (at for at in level.counts if at > level.oldest[-1])
