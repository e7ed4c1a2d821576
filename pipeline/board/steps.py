"""Step families as the board shows them: by tenant, window and currency, at the end of the running day.

Source: architecture.md §3, metrics.md §1 (amounts are never added over currencies) and §6. A change that
takes effect later today is in the numbers of today already.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from pipeline.board.places import Dims, Place, Question, dims_of
from pipeline.metrics.adoption import Adoption
from pipeline.metrics.buckets import Cells, merge
from pipeline.metrics.families import STANDING
from pipeline.metrics.metric import Definition, Metric

Series: TypeAlias = tuple[str | None, Dims, Place]
"""Window, dimensions and their values."""
WINDOW_SHOWN: Final = {"1d": "today"}
_DECLARED: Final = {"recognition", *Adoption._fields}
"""Parameters that the cells are made with."""
_KEPT_APART: Final = ("window", "currency")
ANY_CURRENCY: Final = ""
"""STANDING's row of accounts active in any currency, and of all seats."""


def is_kept_live(definition: Definition) -> bool:
    """Whether the cells of one day answer a definition: `daily_sum` asks for every day of the window, and
    another recognition, unit or core for the facts.
    """
    return definition["name"] != "daily_sum" and not _DECLARED & definition.keys()


def step_parts(
    steps: Mapping[str, Mapping[Place, Cells]], metric: Metric, question: Question
) -> dict[Series, Cells]:
    """A metric's parts, rolled up over tenants where asked."""
    family = metric.families[0]
    dims = dims_of(family)
    by = None if question.by is None else (*question.by, *_KEPT_APART)
    total: dict[Series, Cells] = {}
    for place, cells in steps.get(family, {}).items():
        told = dict(zip(dims, place, strict=True))
        window = told.pop("window", None)
        shown = None if window is None else WINDOW_SHOWN.get(window, window)
        if not _is_asked(question, told, shown):
            continue
        if family == STANDING.name and (metric.unit == "minor") == (told["currency"] == ANY_CURRENCY):
            continue
        if family == STANDING.name and told["currency"] == ANY_CURRENCY:
            del told["currency"]
        target = tuple(value if by is None or name in by else None for name, value in told.items())
        merge(total.setdefault((shown, tuple(told), target), {}), cells)
    return total


def _is_asked(question: Question, told: Mapping[str, str | None], window: str | None) -> bool:
    if question.queue is not None or question.tenant not in (None, told["tenant"]):
        return False
    return question.windows is None or (window or "now") in question.windows
