"""State-log records: what is written is read back, within the limit, or refused."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.buckets import DAY, LEVEL, LIVE, LevelValue
from pipeline.state import codec
from pipeline.state.codec import (
    EMPTY_RECORD,
    MAX_RECORD_BYTES,
    Header,
    StateLogError,
    decode_buckets,
    decode_entities,
    encode_buckets,
    encode_entities,
    join,
    read_header,
    state_format,
    write_header,
)
from tests.builders import partition
from tests.strategies import streams

HEADER = Header("buckets", 42, 1_772_442_000_000, -1, 1, 0, 12, "1-abc")
LEVEL_KEY = (LEVEL, "waiting", "t", ("q", "voice"), 0)
LIVE_KEY = (LIVE, "leave", "t", ("q", "voice"), 1_772_442_000_000)


@settings(max_examples=60)
@given(streams())
def test_chains_are_read_back_as_they_were(told):
    chains = partition(told).entities.by_key
    read = [pair for raw in encode_entities(list(chains.items())) for pair in decode_entities(raw)]
    assert dict(read) == chains
    assert [key for key, _ in read] == list(chains)


@settings(max_examples=60)
@given(streams())
def test_buckets_and_levels_are_read_back_as_they_were(told):
    ledger = partition(told).ledger
    keys = ledger.keys()
    pairs = [(key, "late", ledger.value(key)) for key in keys]
    assert [entry for raw in encode_buckets(pairs) for entry in decode_buckets(raw)] == pairs


@pytest.mark.parametrize("cause", ["", "late", "corrected", "deleted", "rebuilt"])
def test_cause_is_read_back(cause):
    (raw,) = encode_buckets([(LIVE_KEY, cause, {0: 1})])
    assert decode_buckets(raw) == [(LIVE_KEY, cause, {0: 1})]


def test_what_left_memory_is_nil():
    (chain,) = encode_entities([("t|c", None)])
    (bucket,) = encode_buckets([(LIVE_KEY, "", None)])
    assert msgspec.msgpack.decode(chain) == [["t|c", None]]
    assert decode_entities(chain) == [("t|c", None)]
    assert decode_buckets(bucket) == [(LIVE_KEY, "", None)]


def test_retracted_bucket_is_a_value_and_not_nil():
    (raw,) = encode_buckets([(LIVE_KEY, "deleted", {}), (LEVEL_KEY, "", LevelValue({}, [], []))])
    assert decode_buckets(raw) == [(LIVE_KEY, "deleted", {}), (LEVEL_KEY, "", LevelValue({}, [], []))]


def test_equal_values_are_equal_bytes_whatever_the_order_of_cells():
    assert encode_buckets([(LIVE_KEY, "", {1: 2, 0: 1})]) == encode_buckets([(LIVE_KEY, "", {0: 1, 1: 2})])


def test_day_bucket_before_1970_and_negative_amounts_are_read_back():
    key = (DAY, "late", "t", ("call",), -86_400_000)
    (raw,) = encode_buckets([(key, "", {0: -5, 1: 1 << 53})])
    assert decode_buckets(raw) == [(key, "", {0: -5, 1: 1 << 53})]


def test_nothing_is_no_record():
    assert encode_entities([]) == encode_buckets([]) == join([]) == []


def test_empty_record_holds_nothing_of_either_kind():
    assert decode_entities(EMPTY_RECORD) == decode_buckets(EMPTY_RECORD) == []


def wide(count):
    return [((LIVE, "leave", "t", ("q" * 200, "voice"), start), "", {0: start}) for start in range(count)]


def test_records_keep_to_the_limit_and_to_the_order():
    pairs = wide(5000)
    written = encode_buckets(pairs)
    assert len(written) > 2
    assert all(len(raw) <= MAX_RECORD_BYTES for raw in written)
    assert [entry for raw in written for entry in decode_buckets(raw)] == pairs


def test_one_entity_larger_than_a_record_stands_alone():
    pairs = [("a", "x" * 10), ("b", "x" * (MAX_RECORD_BYTES + 1)), ("c", "x" * 10)]
    written = codec._pack(pairs)
    assert [[key for key, _ in msgspec.msgpack.decode(raw)] for raw in written] == [["a"], ["b"], ["c"]]


def test_joined_records_hold_the_same_pairs_within_the_limit():
    pairs = wide(5000)
    pieces = [raw for first in range(0, 5000, 64) for raw in encode_buckets(pairs[first : first + 64])]
    joined = join(pieces)
    assert len(joined) < len(pieces)
    assert all(len(raw) <= MAX_RECORD_BYTES for raw in joined)
    assert [entry for raw in joined for entry in decode_buckets(raw)] == pairs


@given(st.binary(max_size=60))
def test_unreadable_bytes_are_a_state_log_error(raw):
    for decode in (decode_entities, decode_buckets):
        try:
            decode(raw)
        except StateLogError as error:
            assert "unreadable" in str(error)  # noqa: PT017 - other bytes may be readable


@pytest.mark.parametrize("decode", [decode_entities, decode_buckets])
@pytest.mark.parametrize("raw", [b"", b"\xc1", b"[]", b"\x93\x01", msgspec.msgpack.encode([["k", 5]])])
def test_bytes_of_another_format_are_a_state_log_error(decode, raw):
    with pytest.raises(StateLogError, match="unreadable"):
        decode(raw)


def test_odd_number_of_cells_is_a_state_log_error():
    with pytest.raises(StateLogError, match="unreadable"):
        decode_buckets(msgspec.msgpack.encode([[LIVE_KEY, ["", [0, 1, 2], [], []]]]))


@given(
    st.builds(
        Header, st.sampled_from(["entities", "buckets"]), *[st.integers(-1, 1 << 60)] * 6, st.just("1-abc"),
        st.sampled_from(["1/1", "2/3"]), st.booleans(),
    )
)  # fmt: skip
def test_header_is_read_back_as_it_was(header):
    assert read_header(write_header(header)) == header


def test_headers_of_changes_do_not_speak_of_slices():
    names = [name for name, _ in write_header(HEADER)]
    assert "slice" not in names
    assert "slice" in [name for name, _ in write_header(HEADER._replace(is_slice=True))]


@pytest.mark.parametrize(
    "name", ["kind", "next_offset", "watermark", "restore_from", "epoch", "floor", "partitions", "format"]
)
def test_missing_header_is_a_state_log_error(name):
    headers = [pair for pair in write_header(HEADER) if pair[0] != name]
    with pytest.raises(StateLogError, match="not a state-log record"):
        read_header(headers)


@pytest.mark.parametrize("value", [b"", b"x", b"1.5", None, b"\xff"])
def test_header_that_is_no_number_is_a_state_log_error(value):
    headers = [("epoch", value) if name == "epoch" else (name, text) for name, text in write_header(HEADER)]
    with pytest.raises(StateLogError, match="not a state-log record"):
        read_header(headers)


@pytest.mark.parametrize(
    ("part", "is_last"), [("1/1", True), ("1/3", False), ("3/3", True), ("10/11", False)]
)
def test_commit_is_complete_with_its_last_part(part, is_last):
    assert HEADER._replace(part=part).is_last_part == is_last


def test_format_names_the_layout_and_what_is_baked_into_buckets():
    assert state_format("abc") == "6-abc"
