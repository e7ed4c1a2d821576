"""Percentiles of waits: exact by nearest rank from single legs, linear inside a bin from a histogram.

Source: metrics.md §2 (`asa_p50`, `asa_p90`, `asa_p99`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from pipeline.metrics.buckets import Cells
from pipeline.metrics.calls import family_asked
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.numbers import Number

Parts: TypeAlias = Iterable[tuple[int, ...]]
"""Cells of single legs: (cell, amount, cell, amount, …) each."""


def exact_wait(percent: int) -> Callable[[Parts, Mapping[str, Any]], Number]:
    """The ⌈percent·n/100⌉-th smallest wait of legs answered by a human, in seconds."""

    def read(parts: Parts, definition: Mapping[str, Any]) -> Number:
        family = family_asked(definition)
        answered, wait = family.cell("answered"), family.cell("answered_wait_ms")
        told = (dict(zip(part[::2], part[1::2], strict=True)) for part in parts)
        waits = sorted(cells.get(wait, 0) for cells in told if cells.get(answered))
        n = len(waits)
        return Number(waits[-(-percent * n // 100) - 1] / 1000 if n else None, n)

    return read


def binned_wait(percent: int) -> Callable[[Cells, Mapping[str, Any], Definitions], Number]:
    """Linear inside the bin that holds the rank, whose bounds are `low` and `high`.

    Above the last bound nothing is known but that bound: it is the value, and `high` is absent.
    """

    def read(cells: Cells, definition: Mapping[str, Any], definitions: Definitions) -> Number:
        family, bounds = family_asked(definition), definitions.bounds_ms
        first = family.first_bin("answered_wait", len(bounds))
        n = cells.get(family.cell("answered"), 0)
        below = 0
        for index, bound in enumerate(bounds):
            inside = cells.get(first + index, 0)
            if inside and (below + inside) * 100 >= percent * n:
                low = bounds[index - 1] if index else 0
                share = (percent * n / 100 - below) / inside
                return Number((low + share * (bound - low)) / 1000, n, low / 1000, bound / 1000)
            below += inside
        return Number(bounds[-1] / 1000, n, bounds[-1] / 1000) if n > 0 else Number(None, 0)

    return read
