"""What the writer does about each kind of error, against a store that fails as told."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, NotSupportedError, OperationalError

from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import Remedy, remedy
from pipeline.sink.tables import BUCKETS, ERASURES, RAW_EVENTS, REJECTED
from pipeline.sink.writer import LettersUnavailableError, LineStoppedError, Writer, split_by_partition

DAY_MS = 86_400_000
BUSY = DatabaseError("parts", code=252)
MANY = DatabaseError("Too many partitions for single INSERT block (more than 100)", code=252)


def raw_event(number, offset=None, day=0):
    return (
        RAW_EVENTS,
        ("t", "/s", f"e{number}", "call", "x", "c", "", day * DAY_MS, b"bytes", 0, 0, 0, offset or number),
    )


def bucket(number):
    return (BUCKETS, ("call", "day", "leave", "t", f"d{number}", 1, 0, 0, [number], 1, number))


class FailingStore:
    """`errors` are raised one per insert; `refuses` judges rows for ever."""

    def __init__(self, errors=(), refuses=lambda table, row: None):
        self.errors = list(errors)
        self.refuses = refuses
        self.inserts = []
        self.refreshed = 0

    def insert(self, table, rows):
        if self.errors:
            error = self.errors.pop(0)
            if error is not None:
                raise error
        for row in rows:
            if error := self.refuses(table, row):
                raise error
        self.inserts.append((table.name, list(rows)))

    def refresh(self):
        self.refreshed += 1

    @property
    def stored(self):
        return [row for _, rows in self.inserts for row in rows]


class Run:
    """A writer with its store, and everything it told others."""

    def __init__(self, store, letters_fail=0):
        self.store = store
        self.waits, self.letters, self.retried = [], [], []
        self.letters_fail = letters_fail
        self.writer = Writer(store, self.waits.append, self.refuse, self.note, jitter=lambda: 1.0)

    def refuse(self, letters):
        if self.letters_fail:
            self.letters_fail -= 1
            raise LettersUnavailableError("away")
        self.letters += letters

    def note(self, kind, error):
        self.retried.append(kind)

    def write(self, *rows, place=("pulse.call", 0)):
        batch = Batch()
        batch.add(place, list(rows), 1)
        return self.writer.write(batch)


def test_the_same_rows_are_tried_until_they_are_taken():
    run = Run(FailingStore([OperationalError("reset"), BUSY, DatabaseError("bad gateway")]))
    assert run.write(raw_event(1), raw_event(2)) == (2, 0)
    assert run.waits == [0.5, 1, 2]
    assert run.retried == ["OperationalError", "252", "DatabaseError"]
    assert len(run.store.stored) == 2


def test_waits_grow_to_thirty_seconds_and_no_further():
    run = Run(FailingStore([BUSY] * 12))
    run.write(raw_event(1))
    assert max(run.waits) == 30
    assert run.waits[-3:] == [30, 30, 30]


def test_drifted_types_are_read_anew_once():
    run = Run(FailingStore([DatabaseError("no such column", code=16)]))
    assert run.write(raw_event(1)) == (1, 0)
    assert run.store.refreshed == 1


def test_one_bad_event_is_refused_alone():
    bad = DatabaseError("violated", code=469)
    run = Run(FailingStore(refuses=lambda _, row: bad if row[2] == "e5" else None))
    assert run.write(*[raw_event(number) for number in range(16)]) == (15, 1)
    (letter,) = run.letters
    assert (letter.table, letter.row[2], letter.place) == (RAW_EVENTS, "e5", ("pulse.call", 0))
    assert len(run.store.inserts) <= 2 * 4


def test_an_unavailable_dead_letter_topic_is_waited_for():
    run = Run(FailingStore(refuses=lambda *_: DataError("bad")), letters_fail=2)
    assert run.write(raw_event(1)) == (0, 1)
    assert (len(run.letters), len(run.waits)) == (1, 2)


def test_a_refused_row_of_the_state_log_stops_the_line_and_is_named():
    run = Run(FailingStore(refuses=lambda table, row: DataError("bad") if row[4] == "d3" else None))
    with pytest.raises(
        LineStoppedError, match=r"buckets .*'dims': 'd3'.* from pulse.call.state-0 at offset 3"
    ):
        run.write(*[bucket(number) for number in range(5)], place=("pulse.call.state", 0))
    assert run.letters == []


@pytest.mark.parametrize(
    "error",
    [DatabaseError("unknown table", code=60), DatabaseError("new", code=4711), NotSupportedError("no")],
)
def test_what_is_unknown_or_wrongly_set_up_stops_the_line(error):
    run = Run(FailingStore([error]))
    with pytest.raises(LineStoppedError, match="raw_events"):
        run.write(raw_event(1))
    assert run.letters == []


def test_nothing_but_poison_stops_the_line():
    run = Run(FailingStore(refuses=lambda *_: DataError("bad")))
    with pytest.raises(LineStoppedError, match="100 in a row"):
        run.write(*[raw_event(number) for number in range(300)])


def test_too_many_partitions_are_inserted_in_turn():
    store = FailingStore()
    seen = []

    def insert(table, rows):
        days = {table.partition(row) for row in rows}
        seen.append(len(days))
        if len(days) > 100:
            raise MANY
        store.inserts.append((table.name, list(rows)))

    store.insert = insert
    run = Run(store)
    assert run.write(*[raw_event(number, day=number % 250) for number in range(500)]) == (500, 0)
    assert seen == [250, 90, 90, 70]


def test_rows_that_cannot_be_split_stop_the_line():
    run = Run(FailingStore(refuses=lambda *_: MANY))
    with pytest.raises(LineStoppedError, match="single INSERT"):
        run.write(raw_event(1))
    assert split_by_partition(REJECTED, [1, 2]) == [[1, 2]]


def test_rows_of_a_partition_taken_away_are_no_longer_tried():
    batch = Batch()
    batch.add(("a", 0), [raw_event(1)], 1)
    batch.add(("b", 0), [raw_event(2)], 1)
    store = FailingStore([BUSY])
    Writer(store, lambda _: batch.drop(("a", 0)), lambda _: None, lambda *_: None).write(batch)
    assert [row[2] for row in store.stored] == ["e2"]


def test_erasures_are_written_before_what_they_hide():
    run = Run(FailingStore())
    run.write(raw_event(1), (ERASURES, ("t", "call", "c")))
    assert [name for name, _ in run.store.inserts] == ["erasures", "raw_events"]


def test_only_the_newest_row_of_a_thing_is_in_a_batch():
    batch = Batch()
    for number, offset in ((1, 5), (1, 9), (1, 7), (2, 1)):
        batch.add(("a", 0), [raw_event(number, offset)], 10)
    assert [row[-1] for _, row in batch.rows_of(RAW_EVENTS)] == [9, 1]
    assert (batch.count, batch.size) == (2, 40)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("timeout"), Remedy.RETRY),
        (DatabaseError("html"), Remedy.RETRY),
        (DatabaseError("view", code=395), Remedy.RETRY),
        (DatabaseError("memory", code=241), Remedy.RETRY),
        (DatabaseError("quota", code=201), Remedy.RETRY),
        (DatabaseError("auth", code=516), Remedy.STOP),
        (DatabaseError("readonly", code=164), Remedy.STOP),
        (AttributeError("encode"), Remedy.BISECT),
        (DatabaseError("type", code=53), Remedy.REFRESH),
        (RuntimeError("?"), Remedy.STOP),
    ],
)
def test_errors_have_a_remedy(error, expected):
    assert remedy(error) is expected
