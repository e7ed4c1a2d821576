"""A health check that cannot fail is a defect: each reason, and the absence of each."""

import pytest

from pipeline.board.fold import Fold
from pipeline.board.health import Heartbeat, data_faults
from pipeline.board.showing import snapshot_of
from tests.board.log import record, source
from tests.builders import UNDECLARED, ms


def faults(*records, at=0, caught_up=True):
    fold = Fold(UNDECLARED, ms(0))
    fold.expect(source())
    for each in records:
        fold.take(source(), each)
    if caught_up:
        fold.caught_up(source())
    return data_faults(snapshot_of(fold, UNDECLARED, ms(at)), ms(at), 30.0)


def test_a_loop_that_turns_is_alive():
    clock = [0.0]
    heartbeat = Heartbeat(lambda: clock[0])
    clock[0] = 9.9
    assert heartbeat.faults() == []
    clock[0] = 10.0
    assert heartbeat.faults() == ["the event loop has not turned for 10 s"]
    heartbeat.beat()
    assert heartbeat.faults() == []


def test_a_task_that_ended_is_a_reason_to_restart():
    heartbeat = Heartbeat(lambda: 0.0)
    heartbeat.ended("publishing has ended: KeyError")
    assert heartbeat.faults() == ["publishing has ended: KeyError"]


@pytest.mark.parametrize(("age", "is_stale"), [(90, False), (91, True)])
def test_three_missed_heartbeats_make_data_stale(age, is_stale):
    found = faults(record(0, appended_at=ms(0)), at=age)
    assert bool(found) == is_stale
    if is_stale:
        assert "call/0 has had no commit for 91 s although one is due every 30 s" in found[0]


def test_a_partition_that_is_still_read_is_not_ready():
    assert faults(record(4, appended_at=ms(0)), caught_up=False) == [
        "call/0 is still being read, at log offset 5"
    ]


def test_an_empty_log_is_ready():
    assert faults(at=500) == []


def test_a_refused_partition_says_why():
    found = faults(record(0, appended_at=ms(0), format="9-other"))
    assert "call/0 is refused: its log has format 9-other" in found[0]


def test_a_board_without_partitions_is_not_ready():
    assert data_faults(snapshot_of(Fold(UNDECLARED, 0), UNDECLARED, 0), 0, 30.0) == [
        "no partition of a state log is known yet"
    ]
