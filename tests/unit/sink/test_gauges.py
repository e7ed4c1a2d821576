"""The sink's status as series."""

import pytest
from prometheus_client import CollectorRegistry

from pipeline.sink.gauges import SinkGauges
from pipeline.sink.status import SinkStatus
from pipeline.telemetry import Telemetry

PLACE = {"topic": "pulse.call", "partition": "3"}
LOG = {"topic": "pulse.call.state", "partition": "3"}


@pytest.fixture
def registry():
    return CollectorRegistry()


def test_a_heartbeat_is_told_of_the_partitions_held_and_no_longer(registry):
    gauges = SinkGauges(Telemetry(registry))
    beats = {("call", 3): 5000, ("call", 4): 6000}
    held = {("pulse.call.state", 3): 10, ("pulse.call", 4): 20}
    gauges.show(SinkStatus(positions=held, heartbeats=beats))
    name = "pulse_heartbeat_queryable_timestamp_seconds"
    assert registry.get_sample_value(name, PLACE) == 5
    assert registry.get_sample_value(name, PLACE | {"partition": "4"}) is None
    gauges.show(SinkStatus(positions={}, heartbeats=beats))
    assert registry.get_sample_value(name, PLACE) is None
    assert registry.get_sample_value("pulse_sink_position_offset", LOG) is None
