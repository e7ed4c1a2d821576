"""An account's uses of features in packed columns: 24 bytes each, whatever a year brings.

A use is most of what is ever told of an account, so it is no object of its own. Knows no calendar.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from pipeline.events.usage import FEATURE_USED, UsageFact
from pipeline.metrics.windows import DAY_MS

Cell: TypeAlias = tuple[str, str, float]
"""(user, feature, quantity)."""


class DayOfUses(Struct, array_like=True, tag="uses", gc=False):
    """The uses of one UTC day, or of all days (`day` None), as the state log holds them.

    `cells` in any order; the rest one entry per use, by (at, name). `of` is an index of `cells`.
    """

    day: int | None
    cells: list[Cell]
    ats: list[int]
    names: list[int]
    of: list[int]

    def facts(self) -> list[UsageFact]:
        """By (at, name)."""
        cells = self.cells
        return [
            UsageFact(name, FEATURE_USED, at, *cells[place])
            for at, name, place in zip(self.ats, self.names, self.of, strict=True)
        ]


class Uses(Struct, gc=False):
    """Columns by (at, name): instants in ms, names of events, numbers of cells in order of appearance."""

    cells: dict[Cell, int]
    ats: "array[int]"
    names: "array[int]"
    of: "array[int]"

    def __len__(self) -> int:
        return len(self.ats)

    def place(self, name: int) -> int | None:
        """Where the event of that name is; None: it is not here."""
        try:
            return self.names.index(name)
        except ValueError:
            return None

    def add(self, name: int, at: int, cell: Cell) -> None:
        """Put in a use whose name is not here."""
        cells = self.cells
        number = cells.get(cell)
        if number is None:
            number = cells[cell] = len(cells)
        ats, names = self.ats, self.names
        if not ats or at > ats[-1]:
            ats.append(at)
            names.append(name)
            self.of.append(number)
        else:
            place = bisect_right(ats, at)
            while place and ats[place - 1] == at and names[place - 1] > name:
                place -= 1
            ats.insert(place, at)
            names.insert(place, name)
            self.of.insert(place, number)

    def remove(self, place: int) -> None:
        """Take out one use."""
        del self.ats[place], self.names[place], self.of[place]

    def fact(self, place: int) -> UsageFact:
        """One use as what was told."""
        return UsageFact(self.names[place], FEATURE_USED, self.ats[place], *list(self.cells)[self.of[place]])

    def facts(self) -> list[UsageFact]:
        """All of them, by (at, name)."""
        return self.cut(None).facts()

    def days(self) -> Iterator[int]:
        """UTC days on which anything was used, ascending."""
        place = 0
        while place < len(self.ats):
            day = self.ats[place] // DAY_MS
            yield day
            place = bisect_left(self.ats, (day + 1) * DAY_MS, place)

    def cut(self, day: int | None) -> DayOfUses:
        """The uses of a UTC day, or of all."""
        ats = self.ats
        first, after = 0, len(ats)
        if day is not None:
            first, after = bisect_left(ats, day * DAY_MS), bisect_left(ats, (day + 1) * DAY_MS)
        cells = list(self.cells)
        if after - first == len(ats):
            return DayOfUses(day, cells, ats.tolist(), self.names.tolist(), self.of.tolist())
        # The day's cells are numbered anew, in order of appearance.
        anew: dict[int, int] = {}
        numbers = [anew.setdefault(number, len(anew)) for number in self.of[first:after]]
        cells = [cells[number] for number in anew]
        return DayOfUses(day, cells, ats[first:after].tolist(), self.names[first:after].tolist(), numbers)

    def put(self, told: DayOfUses) -> None:
        """What the log says holds for its day, or for all."""
        ats = self.ats
        first, after = 0, len(ats)
        if told.day is not None:
            first, after = bisect_left(ats, told.day * DAY_MS), bisect_left(ats, (told.day + 1) * DAY_MS)
        numbers = [self.cells.setdefault(cell, len(self.cells)) for cell in told.cells]
        ats[first:after] = array("q", told.ats)
        self.names[first:after] = array("Q", told.names)
        self.of[first:after] = array("I", [numbers[place] for place in told.of])


def no_uses() -> Uses:
    """Of an account that nothing is known of."""
    return Uses({}, array("q"), array("Q"), array("I"))
