"""What a commit writes: the changes first, then as much of the rest, and where to restore from."""

import pytest

from pipeline.metrics.buckets import LEVEL, LIVE
from pipeline.state import snapshot
from pipeline.state.codec import (
    BUCKETS,
    EMPTY_RECORD,
    ENTITIES,
    Header,
    StateLogError,
    decode_buckets,
    decode_entities,
    encode_buckets,
    encode_entities,
)
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Draft, Snapshot
from tests.builders import DAY as ONE_DAY
from tests.builders import UNDECLARED, event, ms, partition, records


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """So that a slice of a few keys is not the whole state."""
    monkeypatch.setattr(snapshot, "_CHUNK", 1)


def keys(drafts, *, is_slice):
    found = []
    for draft in drafts.records:
        if draft.is_slice == is_slice:
            decode = decode_entities if draft.kind == ENTITIES else decode_buckets
            found += [entry[0] for entry in decode(draft.value)]
    return found


def calls(count, first=0):
    return [event("queued", at, contact=f"c{at}") for at in range(first, first + count)]


def test_first_commit_writes_every_change_once():
    found = partition([event("queued", 3)])
    drafts = Snapshot().draft(found)
    assert [(draft.kind, draft.is_slice) for draft in drafts.records] == [(ENTITIES, False), (BUCKETS, False)]
    assert keys(drafts, is_slice=False)[0] == "t|c"
    assert {key[0] for key in keys(drafts, is_slice=False)[1:]} == {LIVE, LEVEL, "day"}
    assert drafts.restore_from == -1


def test_changes_are_written_once():
    found, cursor = partition([event("queued", 3)]), Snapshot()
    cursor.draft(found)
    assert cursor.draft(found).records == [Draft(BUCKETS, EMPTY_RECORD, is_slice=False)]


def test_nothing_changed_is_one_empty_record():
    assert Snapshot().draft(partition()).records == [Draft(BUCKETS, EMPTY_RECORD, is_slice=False)]


def test_idle_commits_do_not_move_where_to_restore_from():
    found, cursor = partition([event("queued", 3)]), Snapshot()
    cursor.draft(found)
    cursor.written(10)
    for offset in (12, 14, 16):
        assert cursor.draft(found).restore_from == 10
        cursor.written(offset)
    assert (cursor.restore_from, cursor.cycles) == (10, 1)


def test_restore_begins_with_the_first_commit_of_the_last_whole_cycle():
    found, cursor = partition(calls(40)), Snapshot(restore_from=7)
    cursor.draft(found)
    cursor.written(100)  # everything was a change: the cycle is through at once
    assert cursor.restore_from == 100
    offsets = range(200, 400, 2)
    for step, offset in enumerate(offsets):
        found.apply(records([event("queued", 50 + step, contact="busy", leg=f"l{step}")], found.next_offset))
        drafts = cursor.draft(found)
        assert drafts.restore_from == cursor.restore_from
        cursor.written(offset)
        if cursor.cycles == 2:
            break
    assert offset > 200  # the cycle took several commits
    assert cursor.restore_from == 200  # and began with the first of them


def test_slice_holds_untouched_state_of_about_as_many_bytes_as_the_changes():
    found, cursor = partition(calls(200)), Snapshot()
    cursor.draft(found)
    cursor.written(0)
    found.apply(records([event("abandoned", 300, contact="c0")], found.next_offset))
    drafts = cursor.draft(found)
    sizes = [
        sum(len(d.value) for d in drafts.records if d.is_slice == is_slice) for is_slice in (False, True)
    ]
    assert sizes[0] <= sizes[1] + 32 * len(drafts.records)
    assert sizes[1] < sizes[0] + 400  # one chunk more at most
    assert not set(keys(drafts, is_slice=True)) & set(keys(drafts, is_slice=False))


def test_a_whole_cycle_writes_every_key():
    found, cursor = partition(calls(30)), Snapshot()
    cursor.draft(found)
    cursor.written(0)
    seen = set()
    for step in range(60):
        found.apply(
            records([event("callback_attempted", 40 + step, contact="c0", outcome="busy")], found.next_offset)
        )
        drafts = cursor.draft(found)
        seen |= {*keys(drafts, is_slice=True), *keys(drafts, is_slice=False)}
        cursor.written(2 + 2 * step)
        if cursor.cycles == 2:
            break
    assert seen >= {*found.entities.by_key, *found.ledger.keys()}


SHRUNK = Horizons(60_000, 20_000, 90_000, 100_000, 100_000, 2 * 86_400_000)


def test_chain_that_came_and_went_within_one_commit_is_written_before_its_absence():
    told = [event("queued", 0), event("abandoned", 3), event("initiated", ONE_DAY, contact="tick")]
    drafts = Snapshot().draft(partition(told, horizons=SHRUNK))
    written = [pair for d in drafts.records if d.kind == ENTITIES for pair in decode_entities(d.value)]
    values = [chain for key, chain in written if key == "t|c"]
    assert len(values) == 2
    assert len(values[0].legs[0].facts) == 2
    assert values[1] is None


def test_bucket_that_came_and_went_within_one_commit_is_written_before_its_absence():
    told = [event("queued", 0), event("abandoned", 3), event("initiated", ONE_DAY, contact="tick")]
    drafts = Snapshot().draft(partition(told, horizons=SHRUNK, batches=3))
    written = [entry for d in drafts.records if d.kind == BUCKETS for entry in decode_buckets(d.value)]
    values = [value for key, _, value in written if key == (LIVE, "leave", "t", ("q", "voice"), ms(0))]
    assert values == [{4: 1, 5: 3_000}, None]


HEADER = Header(ENTITIES, 5, ms(9), -1, 1, 0, 4, "1-x")


def test_restored_partition_is_at_the_position_of_the_header():
    found = Partition(UNDECLARED, SHRUNK)
    load(found, HEADER, [])
    assert (found.next_offset, found.watermark) == (5, ms(9))


def test_restored_partition_has_nothing_to_write():
    source = partition([event("queued", 3)])
    drafts = Snapshot().draft(source)
    found = Partition(UNDECLARED, SHRUNK)
    load(found, HEADER, [(draft.kind, draft.value) for draft in drafts.records])
    assert Snapshot().draft(found).records == [Draft(BUCKETS, EMPTY_RECORD, is_slice=False)]


def test_unknown_kind_of_record_is_a_state_log_error():
    with pytest.raises(StateLogError, match="'rows'"):
        load(Partition(UNDECLARED, SHRUNK), HEADER, [("rows", EMPTY_RECORD)])


def test_unreadable_record_is_a_state_log_error():
    with pytest.raises(StateLogError, match="unreadable"):
        load(Partition(UNDECLARED, SHRUNK), HEADER, [(BUCKETS, b"\xc1")])


def test_what_left_memory_is_not_loaded():
    key = (LIVE, "leave", "t", ("q", "voice"), ms(0))
    chain = partition([event("queued", 3)]).entities.by_key["t|c"]
    log = [
        (BUCKETS, *encode_buckets([(key, "", {0: 1})])),
        (ENTITIES, *encode_entities([("t|c", chain)])),
        (BUCKETS, *encode_buckets([(key, "", None)])),
        (ENTITIES, *encode_entities([("t|c", None)])),
    ]
    found = Partition(UNDECLARED, SHRUNK)
    load(found, HEADER, log)
    assert (found.entities.by_key, found.ledger.buckets, found.ledger.levels) == ({}, {}, {})


def test_last_value_holds():
    key = (LIVE, "leave", "t", ("q", "voice"), ms(0))
    found = Partition(UNDECLARED, SHRUNK)
    load(found, HEADER, [(BUCKETS, *encode_buckets([(key, "", {0: value})])) for value in (1, 3, 2)])
    assert found.ledger.buckets == {key: {0: 2}}
