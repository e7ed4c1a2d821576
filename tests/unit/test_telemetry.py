"""How a log line looks, and that metrics belong to the registry they were given."""

import io
import json
import logging

import pytest
import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from pipeline.settings import Log
from pipeline.telemetry import Repeats, Telemetry, configure_logging


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def written(level="info", style="json", log=lambda: None) -> list[str]:
    out = io.StringIO()
    configure_logging(Log(format=style, level=level), stream=out)
    log()
    return out.getvalue().splitlines()


def test_a_line_is_json_that_begins_with_time_level_and_event():
    [line] = written(log=lambda: structlog.get_logger().warning("partition_opened", partition=3))
    entry = json.loads(line)
    assert list(entry)[:3] == ["ts", "level", "event"]
    assert (entry["level"], entry["event"], entry["partition"]) == ("warning", "partition_opened", 3)
    assert entry["ts"].endswith("Z")


def test_the_standard_librarys_records_look_the_same():
    [line] = written(log=lambda: logging.getLogger("aiohttp").warning("gone %s", "away"))
    assert json.loads(line)["event"] == "gone away"


def divide(password: str) -> float:
    return len(password) / 0


def fail():
    try:
        divide("s3" + "cret")
    except ZeroDivisionError:
        structlog.get_logger().exception("commit_failed")


def test_an_exception_is_data():
    [line] = written(log=fail)
    assert json.loads(line)["exception"][0]["exc_type"] == "ZeroDivisionError"


@pytest.mark.parametrize("style", ["json", "console"])
def test_local_variables_are_not_written(style):
    text = "\n".join(written(style=style, log=fail))
    assert "divide" in text
    assert "s3cret" not in text


def test_less_than_the_level_is_not_written():
    assert written("warning", log=lambda: structlog.get_logger().info("row_flushed")) == []


def test_the_clients_chatter_is_not_written():
    assert written(log=lambda: logging.getLogger("aiokafka.cluster").info("reconnected")) == []


def test_auto_is_json_where_there_is_no_terminal():
    [line] = written(style="auto", log=lambda: structlog.get_logger().info("board_started"))
    assert json.loads(line)["event"] == "board_started"


def test_the_console_is_for_people():
    [line] = written(style="console", log=lambda: structlog.get_logger().info("board_started", port=1))
    assert "board_started" in line
    assert "port=1" in line


def test_metrics_are_named_after_us_and_stay_in_their_registry():
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    telemetry.counter("events_rejected", "Events not applied.", ("stream",)).labels("call").inc(2)
    assert registry.get_sample_value("pulse_events_rejected_total", {"stream": "call"}) == 2
    assert REGISTRY.get_sample_value("pulse_events_rejected_total", {"stream": "call"}) is None


def test_no_created_series_are_rendered():
    telemetry = Telemetry()
    telemetry.counter("commits", "Commits.").inc()
    telemetry.histogram("commit_seconds", "Length of a commit.", (0.1, 1.0)).observe(0.5)
    telemetry.gauge("partitions_open", "Open partitions.").set(4)
    text = telemetry.render().decode()
    assert "pulse_commits_total 1.0" in text
    assert 'pulse_commit_seconds_bucket{le="1.0"} 1.0' in text
    assert "_created" not in text


def test_the_same_name_twice_is_an_error():
    telemetry = Telemetry()
    telemetry.gauge("lag", "Events behind.")
    with pytest.raises(ValueError, match="Duplicated"):
        telemetry.gauge("lag", "Events behind.")


def test_a_client_library_says_the_same_thing_once_in_ten_seconds_and_counts_the_rest():
    now = [0.0]
    repeats = Repeats(lambda: now[0])

    def passes(name: str, message: str = "Unable connect to node %s") -> logging.LogRecord | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, ("1",), None)
        return record if repeats.filter(record) else None

    assert passes("aiokafka.conn")
    assert [passes("aiokafka.conn") for _ in range(3)] == [None, None, None]
    assert passes("aiokafka.conn", "something else")
    assert passes("pulse.worker")
    assert passes("pulse.worker")
    now[0] = 10.0
    again = passes("aiokafka.conn")
    assert again is not None
    assert again.suppressed == 3
