"""A heartbeat tells when it was sent, and disturbs nothing: no number, no watermark, no judgement."""

import json

import pytest

from pipeline.board.fold import Fold
from pipeline.board.showing import snapshot_of
from pipeline.events.heartbeat import TENANT, Heartbeat, encode_heartbeat
from pipeline.events.rejects import Reason
from pipeline.metrics.buckets import DAY
from pipeline.runtime.poison import Poison
from pipeline.sink.event_rows import source_rows
from pipeline.state.codec import Header
from pipeline.state.kinds import KINDS
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Snapshot
from tests.board.log import Worker, record, source
from tests.builders import HOUR, T0, UNDECLARED, Record, event, ms, raw
from tests.sink.told import LogRecord

KEY = (DAY, "heartbeat", TENANT, (), 0)


def beat(offset, at, appended_at=None):
    sent = encode_heartbeat("call", "pulse.call/0", ms(at))
    return Record(offset, sent, ms(at if appended_at is None else appended_at))


def called(offset, what, at, **more):
    return Record(offset, raw(event(what, at, **more)), ms(at))


def fed(*batch):
    partition = Partition(UNDECLARED, Horizons())
    return partition, partition.apply(batch)


@pytest.mark.parametrize("stream", KINDS)
def test_every_stream_knows_its_heartbeat_and_takes_no_other_streams(stream):
    decode = KINDS[stream].decode
    assert decode(encode_heartbeat(stream, "x/0", ms(3)), None) == Heartbeat(ms(3))
    other = next(name for name in KINDS if name != stream)
    assert decode(encode_heartbeat(other, "x/0", ms(3)), None).reason is Reason.WRONG_STREAM


def test_a_heartbeat_without_an_instant_is_rejected():
    told = json.loads(encode_heartbeat("call", "x/0", ms(0))) | {"time": "soon"}
    assert KINDS["call"].decode(raw(told), None).reason is Reason.BAD_TIME


def test_the_newest_heartbeat_is_one_bucket_in_any_order():
    partition, applied = fed(beat(0, 5), beat(1, 10), beat(2, 7), beat(3, 10))
    assert partition.ledger.buckets == {KEY: {0: ms(10)}}
    assert (applied.consumed, partition.next_offset) == (0, 4)


def test_a_heartbeat_moves_no_watermark_so_a_backfill_is_not_late():
    partition, applied = fed(beat(0, 0), called(1, "queued", -5 * HOUR))
    assert partition.watermark == ms(-5 * HOUR)
    assert applied.late == 0
    assert list(partition.entities.by_key) == ["t|c"]


def test_a_clock_that_is_ahead_promises_nothing_for_later():
    partition, applied = fed(beat(0, 3600, appended_at=2))
    assert partition.ledger.buckets == {KEY: {0: ms(2)}}
    assert applied.dead_letters == []


def test_heartbeats_are_counted_among_no_events():
    _, applied = fed(called(0, "queued", 0), beat(1, 1), Record(2, b"bad", ms(2)), beat(3, 3))
    assert (applied.consumed, applied.ignored, len(applied.dead_letters)) == (2, 0, 1)


def test_a_heartbeat_between_bad_events_does_not_make_them_sound():
    poison, partition = Poison(), Partition(UNDECLARED, Horizons())
    for number in range(100):
        poison.saw(partition.apply([Record(2 * number, b"bad", ms(number)), beat(2 * number + 1, number)]))
    assert poison.reason == "the last 100 events were rejected"


def test_a_night_of_heartbeats_takes_no_memory():
    poison, partition = Poison(), Partition(UNDECLARED, Horizons())
    for number in range(1000):
        poison.saw(partition.apply([beat(number, 5 * number)]))
    assert len(poison._batches) == 0
    assert len(partition.ledger.buckets) == 1
    assert partition.entities.by_key == {}


def test_a_restored_partition_knows_its_newest_heartbeat():
    partition, _ = fed(beat(0, 5))
    drafts = Snapshot().draft(partition)
    again = Partition(UNDECLARED, Horizons())
    header = Header("", 1, partition.watermark, -1, 1, 0, 1, "any")
    load(again, header, [(draft.kind, draft.value) for draft in drafts.records])
    again.apply([beat(1, 4)])
    assert again.ledger.buckets == {KEY: {0: ms(5)}}


def test_no_heartbeat_is_a_row_of_events():
    sent = LogRecord("pulse.call", 0, 0, ms(0), encode_heartbeat("call", "x/0", ms(0)), [])
    assert source_rows(sent, "call") == []


def test_the_board_knows_when_it_was_sent_and_shows_nothing_else_of_it():
    worker, fold = Worker(), Fold(UNDECLARED, T0)
    sent = encode_heartbeat("call", "pulse.call/0", ms(-1))
    for each in worker.log([json.loads(sent)], T0):
        fold.take(worker.source, each)
    fold.caught_up(worker.source)
    shown = snapshot_of(fold, UNDECLARED, T0)
    assert [each.heartbeat_at for each in shown.freshness] == [ms(-1)]
    assert fold.series == {}
    assert shown.tenants == ()
    assert list(shown.rows()) == []


def test_a_partition_with_nothing_but_heartbeats_is_idle():
    fold = Fold(UNDECLARED, T0)
    fold.take(source(), record(0, next_offset=5, watermark=ms(-60), appended_at=ms(-60)))
    for second in range(5, 66, 5):
        sent = [(KEY, {0: ms(second)})]
        fold.take(
            source(), record(second, sent, next_offset=5 + second, watermark=ms(-60), appended_at=ms(second))
        )
    fold.caught_up(source())
    (told,) = snapshot_of(fold, UNDECLARED, ms(65)).freshness
    assert told.is_idle
    assert told.heartbeat_at == ms(65)
