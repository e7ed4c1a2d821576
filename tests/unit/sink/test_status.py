"""When a sink counts as healthy, and how others wait for it."""

from threading import Thread

import pytest

from pipeline.sink.status import SinkStatus, State, StatusBoard


@pytest.mark.parametrize(
    ("state", "last_success", "now", "expected"),
    [
        (State.STARTING, None, 0, False),
        (State.RUNNING, 0, 500, True),
        (State.RETRYING, 0, 59, True),
        (State.RETRYING, 0, 61, False),
        (State.RETRYING, None, 1, False),
        (State.STOPPED, 0, 1, False),
    ],
)
def test_health(state, last_success, now, expected):
    assert SinkStatus(state=state, last_success=last_success).is_healthy(now) is expected


def test_rows_that_wait_behind_a_hanging_insert_are_no_health():
    status = SinkStatus(state=State.RUNNING, last_success=0, buffered_since=10)
    assert status.is_healthy(69)
    assert not status.is_healthy(71)


def test_waiting_ends_when_the_offset_is_passed():
    board = StatusBoard()
    writer = Thread(target=lambda: board.update(positions={("t", 0): 6}))
    writer.start()
    assert board.wait_past(("t", 0), 5, timeout=5)
    writer.join()


def test_waiting_ends_when_the_sink_has_stopped():
    board = StatusBoard()
    board.update(state=State.STOPPED, reason="why")
    assert not board.wait_past(("t", 0), 5, timeout=5)
    assert board.current.reason == "why"
