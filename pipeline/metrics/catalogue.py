"""Every metric by name, and how one is asked: which definition, which family, which number.

Source: metrics.md. A definition is a variant's name or an object of parameters; ratios and
means are computed here, when reading, and nowhere else.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipeline.metrics import (
    call_metrics,
    people_metrics,
    subscription_metrics,
    survey_metrics,
    ticket_metrics,
    usage_metrics,
)
from pipeline.metrics.buckets import Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.metric import Definition, DefinitionError, Metric
from pipeline.metrics.numbers import Number
from pipeline.metrics.parameters import fault_of

__all__ = ["METRICS", "Definition", "DefinitionError", "Metric"]

METRICS: Final = {
    metric.name: metric
    for metric in (
        *call_metrics.METRICS,
        *ticket_metrics.METRICS,
        *survey_metrics.METRICS,
        *people_metrics.METRICS,
        *subscription_metrics.METRICS,
        *usage_metrics.METRICS,
    )
}


def metric_of(name: str) -> Metric:
    """Raises DefinitionError for an unknown name."""
    if name not in METRICS:
        raise DefinitionError(f"unknown metric {name!r}; known are {', '.join(sorted(METRICS))}")
    return METRICS[name]


def definition_of(metric: Metric, asked: str | Mapping[str, Any] | None) -> Definition:
    """A variant's name or parameters as one object {"name": …, …}. Raises DefinitionError."""
    if not isinstance(asked, str | Mapping | None):
        raise DefinitionError(f"{metric.name}: {asked!r} is neither a definition's name nor its parameters")
    table = {"name": asked} if isinstance(asked, str) else dict(asked or {})
    if metric.label in table:
        labelled = table.pop(metric.label)
        if table.setdefault("name", labelled) != labelled:
            raise DefinitionError(f"{metric.name}: {metric.label} {labelled!r} is not name {table['name']!r}")
    name = table.setdefault("name", metric.variants[0])
    if name not in metric.variants:
        known = ", ".join(metric.variants)
        raise DefinitionError(f"{metric.name} has no definition {name!r}; known are {known}")
    unknown = [key for key in table if key not in {"name", *metric.parameters}]
    if unknown:
        known = ", ".join(metric.parameters) or "none"
        raise DefinitionError(f"{metric.name} has no parameter {unknown[0]!r}; known are {known}")
    fault = fault_of(table) or (metric.fault(table) if metric.fault else "")
    if fault:
        raise DefinitionError(f"{metric.name}: {fault}")
    return table


def family_of(metric: Metric, definition: Definition) -> str:
    """The one family a window metric reads under a definition."""
    return metric.families[-1] if definition.get("by") == "enqueue" else metric.families[0]


def read_window(metric: Metric, cells: Cells, definition: Definition, definitions: Definitions) -> Number:
    """The number of a window, from the sum of the family's cells in it."""
    if metric.window is None:
        raise DefinitionError(f"{metric.name} is a level: ask for it `at` an instant")
    return metric.window(cells, definition, definitions)


def read_level(
    metric: Metric,
    levels: Iterable[LevelValue],
    now: int,
    definitions: Definitions,
    definition: Definition | None = None,
) -> Number:
    """The number at `now` (ms), from the level values of every series and partition asked for.

    `definition` holds parameters and what is asked of `level_dims`.
    """
    if metric.level is None:
        raise DefinitionError(f"{metric.name} belongs to a window: ask with from/to or a window")
    if metric.level_of is None or definition is None:
        return metric.level(levels, now, definitions)
    fault = metric.fault(definition) if metric.fault else ""
    if fault:
        raise DefinitionError(f"{metric.name}: {fault}")
    return metric.level_of(definition)(levels, now, definitions)
