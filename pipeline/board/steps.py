"""Step families as the board shows them: by tenant, window and currency, at the end of the running day.

Source: architecture.md §3, metrics.md §1 (amounts are never added over currencies) and §6. A change that
takes effect later today is in the numbers of today already. The one definition that asks for every day of
a window (`daily_sum` of churn) is answered from the days kept.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from pipeline.board.places import Dims, Place, Question, dims_of
from pipeline.metrics import revenue
from pipeline.metrics.adoption import Adoption
from pipeline.metrics.buckets import Cells, merge
from pipeline.metrics.families import STANDING
from pipeline.metrics.metric import Definition, Metric
from pipeline.metrics.numbers import Number

Series: TypeAlias = tuple[str | None, Dims, Place]
"""Window, dimensions and their values."""
Daily: TypeAlias = Mapping[str, Mapping[str, Mapping[int, Cells]]]
"""STAYING of one day by window, tenant and day, of every day in the window."""
DAILY_WINDOWS: Final = ("today", "30d", "90d", "month")
ONE_DAY: Final = "1d"
WINDOW_SHOWN: Final = {ONE_DAY: "today"}
_DECLARED: Final = {"recognition", *Adoption._fields}
"""Parameters that the cells are made with."""
_KEPT_APART: Final = ("window", "currency")
ANY_CURRENCY: Final = ""
"""STANDING's row of accounts active in any currency, and of all seats."""


def is_by_day(definition: Definition) -> bool:
    """Whether a definition asks for every day of its window, and the days kept answer it."""
    return bool(definition["name"] == "daily_sum") and not _DECLARED & definition.keys()


def is_kept_live(definition: Definition) -> bool:
    """Whether the cells of one day answer a definition: another recognition, unit or core asks for facts."""
    return definition["name"] != "daily_sum" and not _DECLARED & definition.keys()


def daily_churn(daily: Daily, question: Question) -> Iterator[tuple[str, Place, Number]]:
    """(window, place, number) of churn added up by day, by tenant or rolled up over tenants' own days."""
    if question.queue is not None:
        return
    keeps = question.by is None or "tenant" in question.by
    for window, told in daily.items():
        if question.windows is not None and window not in question.windows:
            continue
        total: dict[Place, dict[int, Cells]] = {}
        for tenant, days in told.items():
            if question.tenant in (None, tenant):
                found = total.setdefault((tenant if keeps else None,), {})
                for day, cells in days.items():
                    merge(found.setdefault(day, {}), cells)
        for place, days in total.items():
            yield window, place, revenue.churn_daily_sum(_lost_and_base(cells) for cells in days.values())


def _lost_and_base(cells: Cells) -> tuple[int, int]:
    return revenue.stay(cells, "lost"), revenue.stay(cells, "base")


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
