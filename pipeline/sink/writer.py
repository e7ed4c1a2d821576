"""Write a batch into ClickHouse whatever happens, or stop the line: never skip, never lose.

Source: clickhouse.md §5 (retry, poison) and §8. Knows the store only as a seam, so its choices are
tested without one.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

import structlog

from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import STORE_ERRORS, Remedy, remedy
from pipeline.sink.status import Place
from pipeline.sink.tables import EVENT_TABLES, MAX_PARTITIONS, WRITE_ORDER, Row, Table

log = structlog.get_logger("pulse.sink")

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
POISON_WINDOW: Final = 10_000
POISON_LIMIT: Final = 100

Placed: TypeAlias = tuple[Place, Row]
Wait: TypeAlias = Callable[[float], None]


class LineStoppedError(RuntimeError):
    """The sink must not go on; the message names the row or the cause, and what helps."""


class LettersUnavailableError(RuntimeError):
    """The dead letters are not acknowledged; nothing may be committed before they are."""


class Inserts(Protocol):
    """What the writer needs of a store (clickhouse.Store). `insert` raises one of STORE_ERRORS."""

    def insert(self, table: Table, rows: Sequence[Row]) -> None: ...

    def refresh(self) -> None: ...


class Refused(NamedTuple):
    """One row of an event that ClickHouse does not take, to be kept as a dead letter."""

    table: Table
    row: Row
    place: Place
    error: str


class Poison:
    """Counts refused rows per place: more than 1 % of 10,000, or 100 in a row, is no accident."""

    def __init__(self) -> None:
        self._in_row: dict[Place, int] = {}
        self._window: dict[Place, tuple[int, int]] = {}

    def passed(self, place: Place) -> None:
        self._in_row[place] = 0
        self._count(place, 0)

    def refused(self, place: Place) -> None:
        """Raises LineStoppedError beyond the limit."""
        in_row = self._in_row[place] = self._in_row.get(place, 0) + 1
        if in_row >= POISON_LIMIT or self._count(place, 1) > POISON_LIMIT:
            raise LineStoppedError(
                f"ClickHouse refuses more than 1 % of the rows, or {POISON_LIMIT} in a row, of"
                f" {place[0]}-{place[1]}: look at the sink's dead letters, mend the table or the sink"
            )

    def _count(self, place: Place, refused: int) -> int:
        total, bad = self._window.get(place, (0, 0))
        if total >= POISON_WINDOW:
            total, bad = 0, 0
        self._window[place] = (total + 1, bad + refused)
        return bad + refused


class Writer:
    """Writes batches table by table. `wait` is called between attempts and keeps the group alive.

    `refuse` returns when the dead letters are acknowledged, or raises LettersUnavailableError.
    `retried` is told every error.
    """

    def __init__(
        self,
        store: Inserts,
        wait: Wait,
        refuse: Callable[[Sequence[Refused]], None],
        retried: Callable[[str, Exception], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._wait = wait
        self._refuse = refuse
        self._retried = retried
        self._jitter = jitter
        self._poison = Poison()

    def write(self, batch: Batch) -> tuple[int, int]:
        """Returns (written, refused) when every row is in ClickHouse or is an acknowledged dead letter.

        Rows dropped from the batch meanwhile are no longer tried. Raises LineStoppedError.
        """
        written = 0
        refused: list[Refused] = []
        for table in WRITE_ORDER:
            written += self._write_table(batch, table, refused)
        attempt = 0
        while refused:
            try:
                self._refuse(refused)
                break
            except LettersUnavailableError as error:
                attempt = self._back_off(attempt, error)
        return written, len(refused)

    def _write_table(self, batch: Batch, table: Table, refused: list[Refused]) -> int:
        attempt = 0
        is_refreshed = False
        while rows := batch.rows_of(table):
            try:
                self._store.insert(table, [row for _, row in rows])
                return len(rows)
            except STORE_ERRORS as error:
                choice = remedy(error)
                if choice is Remedy.REFRESH and not is_refreshed:
                    is_refreshed = True
                    self._store.refresh()
                elif choice is Remedy.RETRY:
                    attempt = self._back_off(attempt, error)
                elif choice is Remedy.STOP:
                    raise LineStoppedError(f"insert into {table.name}: {_brief(error)}") from error
                else:
                    return self._write_apart(table, rows, error, refused)
        return 0

    def _back_off(self, attempt: int, error: Exception) -> int:
        self._retried(str(getattr(error, "code", None) or type(error).__name__), error)
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt, 10))
        self._wait(longest * self._jitter())
        return attempt + 1

    def _write_apart(self, table: Table, rows: list[Placed], error: Exception, refused: list[Refused]) -> int:
        """Insert in pieces: by partition when there are too many of them, else by halves."""
        if remedy(error) is Remedy.SPLIT:
            pieces = split_by_partition(table, rows)
        elif len(rows) == 1:
            refused.append(self._refuse_row(table, rows[0], error))
            return 0
        else:
            middle = len(rows) // 2
            pieces = [rows[:middle], rows[middle:]]
        if len(pieces) == 1:
            raise LineStoppedError(f"insert into {table.name}: {_brief(error)}") from error
        return sum(self._write_piece(table, piece, refused) for piece in pieces)

    def _write_piece(self, table: Table, rows: list[Placed], refused: list[Refused]) -> int:
        attempt = 0
        while True:
            try:
                self._store.insert(table, [row for _, row in rows])
            except STORE_ERRORS as error:
                choice = remedy(error)
                if choice is Remedy.STOP:
                    raise LineStoppedError(f"insert into {table.name}: {_brief(error)}") from error
                if choice is not Remedy.RETRY:
                    return self._write_apart(table, rows, error, refused)
                attempt = self._back_off(attempt, error)
            else:
                for place in {place for place, _ in rows}:
                    self._poison.passed(place)
                return len(rows)

    def _refuse_row(self, table: Table, placed: Placed, error: Exception) -> Refused:
        place, row = placed
        if table not in EVENT_TABLES:
            name = dict(zip((table.columns[i] for i in table.key), table.name_of(row), strict=True))
            raise LineStoppedError(
                f"ClickHouse refuses a row of the state log: {table.name} {name} from {place[0]}-{place[1]}"
                f" at offset {row[-1]}: {_brief(error)}. Without it table and gauge disagree"
            ) from error
        self._poison.refused(place)
        return Refused(table, row, place, _brief(error))


def split_by_partition(table: Table, rows: list[Placed]) -> list[list[Placed]]:
    """Pieces that touch few enough partitions of the table; one piece when that cannot help."""
    if table.partition is None:
        return [rows]
    partition = table.partition
    pieces: list[list[Placed]] = []
    seen: set[object] = set()
    for placed in sorted(rows, key=lambda placed: partition(placed[1])):
        mine = partition(placed[1])
        if not pieces or (mine not in seen and len(seen) >= MAX_PARTITIONS):
            pieces.append([])
            seen = set()
        seen.add(mine)
        pieces[-1].append(placed)
    return pieces


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"
