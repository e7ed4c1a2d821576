"""The board's snapshot as tables in a terminal, or as plain lines: the queues, and the customers."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from rich.box import HEAVY_HEAD, SIMPLE
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.board.places import NOW, Question
from pipeline.board.snapshot import Row, Snapshot
from pipeline.metrics.numbers import Number

WIDE: Final = 110
"""Columns of a terminal that has room for intervals too."""
ABSENT: Final = "—"
SHOWN_PROBLEMS: Final = 3


class Column(NamedTuple):
    """A metric as it is shown. `window` None: as it is now."""

    title: str
    metric: str
    window: str | None


class Section(NamedTuple):
    """One table: a row by these dimensions, the columns of a row."""

    by: tuple[str, ...]
    columns: tuple[Column, ...]

    def question(self) -> Question:
        """What is asked of the board for it."""
        windows = {column.window or NOW for column in self.columns}
        return Question(
            by=self.by, metrics=tuple(each.metric for each in self.columns), windows=tuple(windows)
        )


QUEUES: Final = Section(
    ("tenant", "queue"),
    (
        Column("ASA 5 min", "asa_queue", "5m"),
        Column("ASA 1 h", "asa_queue", "1h"),
        Column("waiting now", "in_queue", None),
        Column("oldest", "oldest_waiting", None),
        Column("answered today", "answered", "today"),
        Column("abandoned 1 h", "abandon_rate", "1h"),
    ),
)
CUSTOMERS: Final = Section(
    ("tenant",),
    (
        Column("accounts", "active_accounts", None),
        Column("MRR", "mrr", None),
        Column("churn 30 d", "churn", "30d"),
        Column("adopted", "adoption", None),
        Column("open tickets", "backlog", None),
        Column("first reply", "frt", "today"),
        Column("CSAT today", "csat", "today"),
    ),
)


def shown(number: Number, unit: str, *, is_wide: bool = True) -> str:
    """A value for people: times, counts, percent, with its interval where there is room; a dash: absent."""
    if number.value is None:
        return ABSENT
    if unit == "seconds":
        return _shown_seconds(number.value)
    if unit == "ratio":
        text = f"{number.value:.1%}"
        if is_wide and number.low is not None and number.high is not None:
            text += f" ({number.low:.1%} … {number.high:.1%})"
        return text
    return f"{number.value:,.0f}"


def _shown_seconds(value: float) -> str:
    if value < 600:
        return f"{value:,.1f} s"
    return f"{value / 60:,.0f} min" if value < 7200 else f"{value / 3600:,.1f} h"


def _shown_of(row: Row, *, is_wide: bool) -> str:
    currency = dict(zip(row.dims, row.place, strict=True)).get("currency")
    if currency:
        amount = (row.number.value or 0) / 100
        return f"{currency} {amount:,.0f}" if is_wide else f"{currency}\u00a0{amount / 1000:,.1f}k"
    return shown(row.number, row.metric.unit, is_wide=is_wide)


def _cells(snapshot: Snapshot, section: Section, *, is_wide: bool) -> dict[tuple[str, ...], list[str]]:
    """Shown values in the order of the columns, by place; the default definition only."""
    found: dict[tuple[str, ...], dict[tuple[str, str | None], list[str]]] = {}
    for row in snapshot.rows(section.question()):
        told = dict(zip(row.dims, row.place, strict=True))
        place = tuple(told.get(name) or "" for name in section.by)
        # Callbacks asked for in the menu belong to no queue.
        if all(place) and row.definition["name"] == row.metric.variants[0]:
            cells = found.setdefault(place, {})
            cells.setdefault((row.metric.name, row.window), []).append(_shown_of(row, is_wide=is_wide))
    return {
        place: [
            "\n".join(sorted(cells.get((each.metric, each.window), [ABSENT]))) for each in section.columns
        ]
        for place, cells in sorted(found.items())
    }


def _age(snapshot: Snapshot) -> str:
    return "no data yet" if snapshot.age_ms is None else f"data {snapshot.age_ms / 1000:.1f} s old"


def few(problems: list[str]) -> list[str]:
    """The first problems, and how many more there are: while logs are read each partition has one."""
    more = len(problems) - SHOWN_PROBLEMS
    return [*problems[:SHOWN_PROBLEMS], *([f"… and {more} more"] if more > 0 else [])]


def history_bar(share: float) -> RenderableType | None:
    """How much of the past has been told; nothing when all of it."""
    if share >= 1:
        return None
    return Group(Text("telling the customers' history", style="dim"), ProgressBar(100, share * 100, 40))


def _table(snapshot: Snapshot, section: Section, width: int) -> Table:
    """Titles wrap where there is little room, values do not."""
    is_wide = width >= WIDE
    cells = _cells(snapshot, section, is_wide=is_wide)
    rows = [[*place, *values] for place, values in cells.items()]
    table = Table(
        box=HEAVY_HEAD if is_wide else SIMPLE, pad_edge=is_wide, padding=(0, 1) if is_wide else (0, 1, 0, 0)
    )
    for number, title in enumerate((*section.by, *(column.title for column in section.columns))):
        longest = max((len(line) for row in rows for line in row[number].split("\n")), default=0)
        is_name = number < len(section.by)
        table.add_column(title, justify="left" if is_name else "right", min_width=longest)
    for row in rows:
        table.add_row(*row)
    return table


def wall(
    snapshot: Snapshot, problems: list[str], width: int, bar: RenderableType | None = None
) -> RenderableType:
    """Tables, the age of the data, and why the numbers may not be believed."""
    tables = [
        table for section in (QUEUES, CUSTOMERS) if (table := _table(snapshot, section, width)).row_count
    ]
    notes = [Text(_age(snapshot), style="dim"), *(Text(each, style="yellow") for each in few(problems))]
    return Group(*tables, *notes, *([bar] if bar else []))


def lines(snapshot: Snapshot, problems: list[str]) -> Iterator[str]:
    """The same without a terminal: one line per row."""
    for section in (QUEUES, CUSTOMERS):
        for place, values in _cells(snapshot, section, is_wide=True).items():
            told = (
                f"{column.title} {value.replace(chr(10), ' + ')}"
                for column, value in zip(section.columns, values, strict=True)
            )
            yield f"{'/'.join(place)}: {', '.join(told)}"
    yield _age(snapshot)
    yield from few(problems)
