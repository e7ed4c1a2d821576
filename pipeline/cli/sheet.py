"""Replayed numbers as tables for people: one a stream, a block a place, a row a metric, a column a window."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pipeline.cli.wall import shown
from pipeline.metrics.catalogue import METRICS
from pipeline.metrics.families import STANDING
from pipeline.metrics.numbers import Number

NOW: Final = "now"
PLACES: Final = ("tenant", "queue", "group", "reason", "currency")

Told = dict[str, dict[str, Number]]
"""Of one place: metric → window → number."""


def sheets(rows: Iterable[dict[str, Any]], streams: Iterable[str], *, is_wide: bool) -> Iterator[Table]:
    """A table for each stream there were events of; intervals where there is room for them."""
    told: dict[str, dict[str, Told]] = {stream: {} for stream in sorted(streams)}
    for row in rows:
        stream = METRICS[row["metric"]].stream
        if stream in told:
            block = told[stream].setdefault(_place(row), {})
            number = Number(row["value"], row["n"], row["low"], row["high"])
            block.setdefault(row["metric"], {})[row["window"] or NOW] = number
    for stream, places in told.items():
        if places:
            yield _sheet(stream, places, is_wide=is_wide)


def _place(row: dict[str, Any]) -> str:
    return " / ".join(row[name] or f"no {name}" for name in PLACES if name in row) or "all together"


def _sheet(stream: str, places: dict[str, Told], *, is_wide: bool) -> Table:
    every = [numbers for told in places.values() for numbers in told.values()]
    asked = dict.fromkeys(window for numbers in every for window in numbers)
    windows = sorted(asked, key=lambda window: window != NOW)
    counted = {
        window for numbers in every for window, number in numbers.items() if number.n is not None
    }  # where no number has an n, a column of blanks says nothing
    title = f"{stream} (amounts in minor units)" if stream == STANDING.stream else stream
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("metric")
    for window in windows:
        table.add_column(window, justify="right", no_wrap=True)
        if window in counted:
            table.add_column("n", justify="right", style="dim", no_wrap=True)
    for place, told in places.items():
        table.add_section()
        table.add_row(place, style="bold")
        for metric, numbers in told.items():
            cells: list[str] = []
            for window in windows:
                number = numbers.get(window)
                cells.append("" if number is None else shown(number, METRICS[metric].unit, is_wide=is_wide))
                if window in counted:
                    cells.append("" if number is None or number.n is None else f"{number.n:,}")
            table.add_row(f"  {metric}", *cells)
    return table
