"""What a gauge family of Prometheus is: name, help, family of buckets, and how each series is read.

Source: metrics.md §9. A mean stands beside its two parts, a ratio beside its two counts and its
interval, so that PromQL can sum over queues. None means absent: no series, never 0.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from pipeline.metrics.buckets import Cells, Family, LevelValue
from pipeline.metrics.catalogue import METRICS, definition_of, family_of, read_level, read_window
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import WAITING
from pipeline.metrics.numbers import Number

Read: TypeAlias = Callable[[Cells, Definitions], float | None]
ReadLevel: TypeAlias = Callable[[Iterable[LevelValue], int, Definitions], float | None]
Labels: TypeAlias = tuple[tuple[str, str], ...]


class Export(NamedTuple):
    """One windowed gauge family. `series`: further labels and the reader of each.

    `metric` is the catalogue's name of what it shows or is a part of. `maturity_ms`: buckets that end
    later than now − this are left out.
    """

    name: str
    metric: str
    help: str
    family: str
    series: tuple[tuple[Labels, Read], ...]
    maturity_ms: int = 0


class LevelExport(NamedTuple):
    """One gauge family of what is there now. `series`: further labels and the reader of each, if any."""

    name: str
    metric: str
    help: str
    read: ReadLevel
    family: str = WAITING.name
    series: tuple[tuple[Labels, ReadLevel], ...] = ()


def number(metric_name: str, variant: str | None = None, field: str = "value") -> Read:
    metric = METRICS[metric_name]
    definition = definition_of(metric, variant)

    def read(cells: Cells, definitions: Definitions) -> float | None:
        number: Number = read_window(metric, cells, definition, definitions)
        value: float | None = getattr(number, field)
        return value

    return read


def numerator(metric_name: str) -> Read:
    """The count that a ratio was made of; value * n is within rounding of it."""
    metric = METRICS[metric_name]
    definition = definition_of(metric, None)

    def read(cells: Cells, definitions: Definitions) -> float:
        number = read_window(metric, cells, definition, definitions)
        return round((number.value or 0) * (number.n or 0))

    return read


def count(family: Family, *counters: str, less: str | None = None) -> Read:
    return parts(family, counters, less, 1)


def seconds(family: Family, *counters: str) -> Read:
    return parts(family, counters, None, 1000)


def parts(family: Family, counters: tuple[str, ...], less: str | None, scale: int) -> Read:
    adds = [family.cell(counter) for counter in counters]
    takes = [family.cell(less)] if less else []

    def read(cells: Cells, _: Definitions) -> float:
        total = sum(cells.get(cell, 0) for cell in adds) - sum(cells.get(cell, 0) for cell in takes)
        return total / scale if scale != 1 else total

    return read


def export(name: str, metric_name: str, text: str | None, *series: tuple[Labels, Read]) -> Export:
    metric = METRICS[metric_name]
    definition = definition_of(metric, None)
    family = family_of(metric, definition)
    maturity = metric.maturity(definition) if metric.maturity else 0
    return Export(name, metric_name, text or metric.help, family, series, maturity)


def counted(metric_name: str) -> Export:
    return export(f"support_{metric_name}", metric_name, None, ((), number(metric_name)))


def with_interval(name: str, metric_name: str) -> tuple[Export, ...]:
    """The number and the ends of its interval."""
    text = METRICS[metric_name].help
    ends = (
        ("low", f"Lower end of the interval of {name}."),
        ("high", f"Upper end of the interval of {name}."),
    )
    return (
        export(name, metric_name, text, ((), number(metric_name))),
        *(
            export(f"{name}_{end}", metric_name, told, ((), number(metric_name, field=end)))
            for end, told in ends
        ),
    )


def level(metric_name: str) -> LevelExport:
    metric = METRICS[metric_name]

    def read(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> float | None:
        return read_level(metric, levels, now, definitions).value

    return LevelExport(f"support_{metric_name}", metric_name, metric.help, read)
