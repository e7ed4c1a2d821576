"""Rows waiting for the next insert, by the place they came from. Pure: no clock, no client.

Source: clickhouse.md §5. Only the newest row of a thing is kept, so fewer versions are merged later;
rows of a partition that was taken away are dropped, because its next owner reads them again.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.sink.rows import Rows
from pipeline.sink.status import Place
from pipeline.sink.tables import Row, Table


class Batch:
    """`positions` say up to where each place is covered by the rows inside."""

    def __init__(self) -> None:
        self.positions: dict[Place, int] = {}
        self.size = 0
        self._rows: dict[Place, dict[tuple[Any, ...], tuple[Table, Row]]] = {}

    @property
    def count(self) -> int:
        """Rows an insert would carry."""
        return sum(map(len, self._rows.values()))

    def add(self, place: Place, rows: Rows, size: int) -> None:
        """Take rows of one record of `size` bytes; what comes again or is older changes nothing."""
        kept = self._rows.setdefault(place, {})
        self.size += size
        for table, row in rows:
            name = (table.name, *table.name_of(row))
            known = kept.get(name)
            if known is None or row[-1] >= known[1][-1]:
                kept[name] = (table, row)

    def reach(self, positions: Mapping[Place, int]) -> None:
        """Everything below these positions has been added."""
        self.positions.update(positions)

    def drop(self, place: Place) -> None:
        """Forget a place: its rows, and that they were ever here."""
        self._rows.pop(place, None)
        self.positions.pop(place, None)

    def rows_of(self, table: Table) -> list[tuple[Place, Row]]:
        """The rows of one table with the places they came from."""
        return [
            (place, row)
            for place, kept in self._rows.items()
            for owner, row in kept.values()
            if owner is table
        ]
