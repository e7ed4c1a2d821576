"""What an account paid, was invoiced and failed to pay: rows of numbers, as the state log holds them.

Billing tells of money every month for years and nothing is judged by it while counting, so an amount is no
object of its own. Knows no calendar.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct

from pipeline.events.subscription import PAYMENT_FAILED, SubscriptionFact
from pipeline.metrics.windows import DAY_MS

STRETCH_MS: Final = 30 * DAY_MS
"""The state log holds amounts by stretches of their time; readers go by the instants alone."""
Cell: TypeAlias = tuple[int, str, str, int]
"""(kind, subscription, currency, detail)."""
_WIDTH: Final = 4


class Amounts(Struct, array_like=True, tag="amounts", gc=False):
    """The amounts of one stretch, or all (`stretch` None), by (at, name).

    `rows` is flat: time, instant it takes effect (ms), minor units, index of `cells`.
    """

    stretch: int | None
    cells: list[Cell]
    names: list[int]
    rows: list[int]

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
        names.insert(place, fact.name)
        row = (at, fact.effective, fact.minor or 0, self._number(cell))
        rows[place * _WIDTH : place * _WIDTH] = row

    def _number(self, cell: Cell) -> int:
        cells = self.cells
        if cell not in cells:
            cells.append(cell)
        return cells.index(cell)

    def remove(self, place: int) -> None:
        """Take out one amount."""
        del self.names[place], self.rows[place * _WIDTH : (place + 1) * _WIDTH]

    @property
    def touched_at(self) -> int:
        """When the latest was told, ms; 0: there is none."""
        return self.rows[-_WIDTH] if self.rows else 0

    def fact(self, place: int) -> SubscriptionFact:
        """One amount as what was told, without the names of source and event."""
        at, effective, minor, cell = self.rows[place * _WIDTH : (place + 1) * _WIDTH]
        kind, subscription, currency, detail = self.cells[cell]
        name = self.names[place]
        fact = SubscriptionFact(name, kind, at, effective, "", "", subscription, detail=detail)
        if kind != PAYMENT_FAILED:
            fact.minor, fact.currency = minor, currency
        return fact

    def facts(self) -> list[SubscriptionFact]:
        """All of them, by (at, name)."""
        return [self.fact(place) for place in range(len(self.names))]

    def stretches(self) -> set[int]:
        """In which stretches there are any."""
        return {at // STRETCH_MS for at in self.rows[::_WIDTH]}

    def cut(self, stretch: int) -> "Amounts":
        """The amounts of a stretch."""
        first, after = self._span(stretch)
        rows = self.rows[first * _WIDTH : after * _WIDTH]
        found = Amounts(stretch, [], self.names[first:after], rows)
        rows[_WIDTH - 1 :: _WIDTH] = [found._number(self.cells[cell]) for cell in rows[_WIDTH - 1 :: _WIDTH]]
        return found

    def put(self, told: "Amounts") -> None:
        """What the log says holds for its stretch, or for all."""
        if told.stretch is None:
            self.cells, self.names, self.rows = told.cells, told.names, told.rows
            return
        rows = told.rows.copy()
        rows[_WIDTH - 1 :: _WIDTH] = [self._number(told.cells[cell]) for cell in rows[_WIDTH - 1 :: _WIDTH]]
        first, after = self._span(told.stretch)
        self.names[first:after] = told.names
        self.rows[first * _WIDTH : after * _WIDTH] = rows

    def _span(self, stretch: int) -> tuple[int, int]:
        ats = self.rows[::_WIDTH]
        return bisect_left(ats, stretch * STRETCH_MS), bisect_left(ats, (stretch + 1) * STRETCH_MS)


def amounts_of(facts: Iterable[SubscriptionFact]) -> Amounts:
    """Amounts whose names differ."""
    found = Amounts(None, [], [], [])
    for fact in facts:
        found.add(fact)
    return found
