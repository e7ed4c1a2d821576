"""Records to rows, without an engine."""

import json

import pytest

from pipeline.sink.event_rows import dead_letter_rows, source_rows
from pipeline.sink.rows import StateLogError, Vectors, dims_text, state_rows, v_format, vectors_of
from pipeline.sink.tables import BUCKETS, CONTACTS, ERASURES, LEGS, RAW_EVENTS, REJECTED, REVISIONS
from pipeline.state.codec import EMPTY_RECORD, encode_buckets, encode_entities
from tests.builders import UNDECLARED, event, ms
from tests.sink.told import LogRecord, log_of, rows_of, source_record
from tests.unit.sink import golden_rows

VECTORS = vectors_of(UNDECLARED)


def said(rows, table):
    return [dict(zip(table.columns, row, strict=True)) for owner, row in rows if owner is table]


def as_slice(record):
    return record._replace(headers=[*record.headers, ("slice", b"1")])


def test_every_accepted_example_gives_the_golden_rows():
    assert json.loads(golden_rows.text()) == json.loads(golden_rows.GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "path", sorted((golden_rows.EXAMPLES / "rejected").iterdir()), ids=lambda path: path.stem
)
def test_a_rejected_example_is_no_raw_event(path):
    assert source_rows(source_record(path.read_bytes()), "call") == []


def test_what_lies_in_the_future_is_the_workers_dead_letter():
    assert source_rows(source_record(event("queued", 600), timestamp=ms(0)), "call") == []
    assert source_rows(source_record(event("queued", 0), timestamp=ms(0)), "call")


def test_a_source_record_keeps_its_bytes_and_its_place():
    record = source_record(event("queued", 1, contact="c2", initial_contact_id="c1", accountid="acme"), 42)
    (row,) = said(source_rows(record, "call"), RAW_EVENTS)
    assert row["payload"] == record.value
    assert (row["entity"], row["account"], row["ts"]) == ("c1", "acme", ms(1))
    assert (row["_partition"], row["_offset"], row["_ver"]) == (0, 42, 42)
    assert row["_appended_at"] == record.timestamp


def test_an_event_of_an_unknown_kind_is_kept():
    rows = source_rows(source_record(event("hummed", 1)), "call")
    assert [row["type"] for row in said(rows, RAW_EVENTS)] == ["pulse.call.hummed"]


def test_the_erasing_event_names_its_entity():
    rows = source_rows(source_record(event("deleted", 1, contact="c9")), "call")
    assert said(rows, ERASURES) == [{"tenant": "t", "stream": "call", "entity": "c9"}]


def test_the_same_record_gives_the_same_rows():
    log = log_of([[event("queued", 0)], [event("answered", 9)]])
    assert rows_of(log) == rows_of(log)


def test_rows_carry_epoch_partition_and_the_records_offset():
    rows = rows_of(log_of([[event("queued", 0)]], epoch=3, number=5, first=70))
    for table in (CONTACTS, LEGS, BUCKETS):
        for row in said(rows, table):
            assert (row["epoch"], row["src_partition"]) == (3, 5)
            assert row["_ver"] in {70, 71}


def test_slices_are_skipped_unless_accepted():
    first, *_ = log_of([[event("queued", 0)]])
    assert state_rows(as_slice(first), "call", VECTORS, accept_slice=False) == []
    accepted = state_rows(as_slice(first), "call", VECTORS, accept_slice=True)
    assert accepted == state_rows(first, "call", VECTORS, accept_slice=False) != []


def test_nil_says_nothing():
    """It means "left the worker's memory": rows stay."""
    record, *_ = log_of([[event("queued", 0)]])
    gone = record._replace(value=encode_entities([("t|c", None)])[0])
    assert state_rows(gone, "call", VECTORS, accept_slice=False) == []
    headers = [(name, b"buckets" if name == "kind" else value) for name, value in record.headers]
    nil = encode_buckets([(("live", "leave", "t", ("q", "voice"), ms(0)), "", None)])[0]
    assert state_rows(record._replace(value=nil, headers=headers), "call", VECTORS, accept_slice=False) == []


def test_the_empty_record_of_an_idle_commit_gives_no_row():
    record, *_ = log_of([[]])
    assert record.value == EMPTY_RECORD
    assert rows_of([record]) == []


def test_a_retracted_bucket_is_a_vector_of_zeros():
    rows = rows_of(log_of([[event("queued", 0), event("abandoned", 9)], [event("deleted", 20)]]))
    last = {(row["grain"], row["family"]): row["v"] for row in said(rows, BUCKETS)}
    leave = last["live", "leave"]
    assert set(leave) == {0}
    assert len(leave) == 11 + len(UNDECLARED.bounds_ms) + 1


def test_a_level_is_pairs_of_instant_and_count():
    rows = rows_of(log_of([[event("queued", 3, contact="a"), event("queued", 4, contact="b")]]))
    (level,) = [row for row in said(rows, BUCKETS) if row["grain"] == "level"]
    assert level["v"] == [ms(0), 2]
    assert level["start"] == 0


def test_a_changed_past_is_a_revision_with_its_cause():
    commits = [[event("queued", 0), event("queued", 900, contact="x")], [event("deleted", 900)]]
    revisions = said(rows_of(log_of(commits)), REVISIONS)
    assert {(row["grain"], row["family"], row["cause"]) for row in revisions} >= {
        ("live", "cohort", "deleted")
    }
    assert all(row["changed_at"] == 1_800_000_000_000 for row in revisions)


def test_vectors_of_another_format_keep_their_counters():
    vectors = Vectors("1-mine", 4)
    assert len(vectors.dense("leave", {0: 1}, "1-mine")) == 11 + 5
    assert vectors.dense("leave", {0: 1, 13: 2}, "1-other") == [1, *[0] * 12, 2]
    assert vectors.dense("of_the_future", {2: 7}, "1-mine") == [0, 0, 7]


def test_dims_are_canonical():
    assert dims_text("leave", ("grün", "voice")) == '{"channel":"voice","queue":"grün"}'


def test_a_format_has_a_number_that_fits():
    assert 0 <= v_format(VECTORS.format) <= 65535
    assert v_format("1-a") != v_format("1-b")


@pytest.mark.parametrize(
    ("value", "headers"),
    [(b"\xc1", None), (None, None), (b"\x90", [("kind", b"buckets")]), (b"\x90", [])],
)
def test_a_record_that_is_no_state_log_raises(value, headers):
    record, *_ = log_of([[event("queued", 0)]])
    broken = record._replace(value=value, headers=record.headers if headers is None else headers)
    with pytest.raises(StateLogError):
        state_rows(broken, "call", VECTORS, accept_slice=False)


HEADERS = {
    "topic": b"pulse.call", "partition": b"3", "offset": b"77", "timestamp": b"1772442000000",
    "reason": b"bad_type", "detail": "größer".encode(), "version": b"2026.11.0", "size": b"70000", "sha256": b"ab",
}  # fmt: skip


def letter(headers, value=b"\xff{"):
    return LogRecord("pulse.dlq", 1, 5, 1_800_000_000_000, value, list(headers.items()))


def test_a_dead_letter_stands_where_its_record_stood():
    (row,) = said(dead_letter_rows(letter(HEADERS)), REJECTED)
    assert row == {
        "topic": "pulse.call", "partition": 3, "offset": 77, "appended_at": 1_772_442_000_000,
        "reason": "bad_type", "detail": "größer", "version": "2026.11.0", "size": 70000, "sha256": "ab",
        "value": b"\xff{", "_dlq_partition": 1, "_ver": 5,
    }  # fmt: skip


def test_a_dead_letter_of_somebody_else_keeps_its_own_place():
    (row,) = said(dead_letter_rows(letter({"offset": b"-1", "partition": None}, None)), REJECTED)
    assert (row["topic"], row["partition"], row["offset"], row["value"]) == ("pulse.dlq", 1, 5, b"")
