"""The board's snapshot as a table in a terminal, or as plain lines."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.board.places import NOW, Question
from pipeline.board.snapshot import Snapshot
from pipeline.metrics.numbers import Number

COLUMNS: Final = (
    ("ASA 5 min", "asa_queue", "5m"),
    ("ASA 1 h", "asa_queue", "1h"),
    ("waiting now", "in_queue", None),
    ("oldest", "oldest_waiting", None),
    ("answered today", "answered", "today"),
    ("abandoned 1 h", "abandon_rate", "1h"),
)
_ASKED: Final = Question(
    by=("tenant", "queue"),
    metrics=tuple(metric for _, metric, _ in COLUMNS),
    windows=("5m", "1h", "today", NOW),
)


def shown(number: Number, unit: str) -> str:
    """A value for people: seconds, percent with its interval, counts; an em dash when absent."""
    if number.value is None:
        return "—"
    if unit == "seconds":
        return f"{number.value:,.1f} s"
    if unit == "ratio":
        text = f"{number.value:.1%}"
        if number.low is not None and number.high is not None:
            text += f" ({number.low:.1%} … {number.high:.1%})"
        return text
    return f"{number.value:,.0f}"


def _cells(snapshot: Snapshot) -> dict[tuple[str, str], dict[tuple[str, str | None], str]]:
    """Shown values by (tenant, queue), then (metric, window); the default definition only."""
    found: dict[tuple[str, str], dict[tuple[str, str | None], str]] = {}
    for row in snapshot.rows(_ASKED):
        # Callbacks asked for in the menu belong to no queue.
        if row.place[1] and row.definition["name"] == row.metric.variants[0]:
            place = (row.place[0] or "", row.place[1] or "")
            found.setdefault(place, {})[row.metric.name, row.window] = shown(row.number, row.metric.unit)
    return found


def _age(snapshot: Snapshot) -> str:
    return "no data yet" if snapshot.age_ms is None else f"data {snapshot.age_ms / 1000:.1f} s old"


def wall(snapshot: Snapshot, problems: list[str]) -> RenderableType:
    """A table, the age of the data, and why the numbers may not be believed."""
    table = Table("tenant", "queue")
    for title, _, _ in COLUMNS:
        table.add_column(title, justify="right")
    for (tenant, queue), cells in sorted(_cells(snapshot).items()):
        values = (cells.get((metric, window), "—") for _, metric, window in COLUMNS)
        table.add_row(tenant, queue, *values)
    notes = [Text(_age(snapshot), style="dim"), *(Text(each, style="yellow") for each in problems)]
    return Group(table, *notes)


def lines(snapshot: Snapshot, problems: list[str]) -> Iterator[str]:
    """The same without a terminal: one line per queue."""
    for (tenant, queue), cells in sorted(_cells(snapshot).items()):
        values = ", ".join(f"{title} {cells.get((metric, window), '—')}" for title, metric, window in COLUMNS)
        yield f"{tenant}/{queue}: {values}"
    yield _age(snapshot)
    yield from problems
