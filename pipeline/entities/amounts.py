"""What an account paid, was invoiced and failed to pay, in packed columns: 40 bytes each.

Billing tells of money every month for years and nothing is judged by it while counting, so an amount is no
object of its own. Knows no calendar.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from pipeline.events.subscription import PAYMENT_FAILED, SubscriptionFact
from pipeline.metrics.windows import DAY_MS

STRETCH_MS: Final = 30 * DAY_MS
"""The state log holds amounts by stretches of their time; readers go by the instants alone."""
Cell: TypeAlias = tuple[int, str, str, int]
"""(kind, subscription, currency, detail)."""
_WIDTH: Final = 4


class AmountsPart(Struct, array_like=True, tag="amounts", gc=False):
    """The amounts of one stretch, or all (`stretch` None), as the state log holds them, by (at, name).

    `rows` is flat: time, instant it takes effect (ms), minor units, index of `cells`.
    """

    stretch: int | None
    cells: list[Cell]
    names: list[int]
    rows: list[int]

    def facts(self) -> list[SubscriptionFact]:
        """By (at, name)."""
        return [_fact(name, row, self.cells) for name, row in _zipped(self.names, self.rows)]


class Amounts(Struct, gc=False):
    """Columns by (at, name), as in `AmountsPart`."""

    cells: list[Cell]
    names: "array[int]"
    rows: "array[int]"

    def place(self, name: int) -> int | None:
        """Where the event of that name is; None: it is not here."""
        names = self.names
        return names.index(name) if name in names else None

    def add(self, fact: SubscriptionFact) -> None:
        """Put in an amount whose name is not here."""
        names, rows, at = self.names, self.rows, fact.at
        place = len(names)
        while place and (rows[(place - 1) * _WIDTH], names[place - 1]) > (at, fact.name):
            place -= 1
        cell = (fact.kind, fact.subscription, fact.currency or "", fact.detail)
        if cell not in self.cells:
            self.cells.append(cell)
        names.insert(place, fact.name)
        row = array("q", (at, fact.effective, fact.minor or 0, self.cells.index(cell)))
        rows[place * _WIDTH : place * _WIDTH] = row

    def remove(self, place: int) -> None:
        """Take out one amount."""
        del self.names[place], self.rows[place * _WIDTH : (place + 1) * _WIDTH]

    def at(self, place: int) -> int:
        """When one was told, ms."""
        return self.rows[place * _WIDTH]

    def fact(self, place: int) -> SubscriptionFact:
        """One amount as what was told, without the names of source and event."""
        row = self.rows[place * _WIDTH : (place + 1) * _WIDTH]
        return _fact(self.names[place], tuple(row), self.cells)

    def facts(self) -> list[SubscriptionFact]:
        """All of them, by (at, name)."""
        return self.cut(None).facts()

    def stretches(self) -> set[int]:
        """In which stretches there are any."""
        return {at // STRETCH_MS for at in self.rows[::_WIDTH]}

    def cut(self, stretch: int | None) -> AmountsPart:
        """The amounts of a stretch, or all."""
        if stretch is None:
            return AmountsPart(None, self.cells, self.names.tolist(), self.rows.tolist())
        first, after = self._span(stretch)
        rows = self.rows[first * _WIDTH : after * _WIDTH].tolist()
        used = sorted(set(rows[_WIDTH - 1 :: _WIDTH]))
        rows[_WIDTH - 1 :: _WIDTH] = [used.index(cell) for cell in rows[_WIDTH - 1 :: _WIDTH]]
        return AmountsPart(
            stretch, [self.cells[cell] for cell in used], self.names[first:after].tolist(), rows
        )

    def put(self, told: AmountsPart) -> None:
        """What the log says holds for its stretch, or for all."""
        if told.stretch is None:
            self.cells, self.names, self.rows = told.cells, array("Q", told.names), array("q", told.rows)
            return
        for cell in told.cells:
            if cell not in self.cells:
                self.cells.append(cell)
        places = [self.cells.index(cell) for cell in told.cells]
        rows = told.rows
        rows[_WIDTH - 1 :: _WIDTH] = [places[cell] for cell in rows[_WIDTH - 1 :: _WIDTH]]
        first, after = self._span(told.stretch)
        self.names[first:after] = array("Q", told.names)
        self.rows[first * _WIDTH : after * _WIDTH] = array("q", rows)

    def _span(self, stretch: int) -> tuple[int, int]:
        ats = self.rows[::_WIDTH]
        return bisect_left(ats, stretch * STRETCH_MS), bisect_left(ats, (stretch + 1) * STRETCH_MS)


def amounts_of(facts: Iterable[SubscriptionFact]) -> Amounts:
    """The columns of amounts whose names differ."""
    found = Amounts([], array("Q"), array("q"))
    for fact in facts:
        found.add(fact)
    return found


def _zipped(names: Iterable[int], rows: Iterable[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    numbers = iter(rows)
    return zip(names, zip(*[numbers] * _WIDTH, strict=True), strict=True)


def _fact(name: int, row: tuple[int, ...], cells: list[Cell]) -> SubscriptionFact:
    at, effective, minor, cell = row
    kind, subscription, currency, detail = cells[cell]
    fact = SubscriptionFact(name, kind, at, effective, "", "", subscription, detail=detail)
    if kind != PAYMENT_FAILED:
        fact.minor, fact.currency = minor, currency
    return fact
