"""Events, records and partitions with sane defaults. An offset in seconds from T0 stands for an instant.

T0 is a Monday morning on a 10-second edge, so `at=7` reads as seven seconds into a bucket.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.events.call import CallEvent
from pipeline.events.call_decode import decode
from pipeline.events.instants import instant_text
from pipeline.metrics.buckets import DAY as DAY_GRAIN
from pipeline.metrics.buckets import LIVE
from pipeline.metrics.definitions import Definitions, declare
from pipeline.metrics.families import LATE
from pipeline.metrics.windows import BUCKET_MS, DAY_MS
from pipeline.state.partition import Partition
from pipeline.state.retention import NO_HORIZONS, Horizons

T0 = 1_772_442_000_000  # 2026-03-02T09:00:00Z
HOUR = 3600
DAY = 24 * HOUR
UNDECLARED = declare({})


class Record(NamedTuple):
    """What Kafka hands over."""

    offset: int
    value: bytes | None
    timestamp: int | None = None
    key: bytes | None = None


def ms(at: float) -> int:
    """Seconds after T0 as ms UTC."""
    return T0 + round(at * 1000)


def iso(at: float) -> str:
    """Seconds after T0 as an event writes it."""
    return instant_text(ms(at))


def event(what: str, at: float = 0, *, contact: str = "c", **more: Any) -> dict[str, Any]:
    """A call event. Attributes of the envelope are named as such; everything else goes into `data`.

    `enqueued_at` and `talk_started_at` may be seconds after T0; None leaves a field out. Without `id`
    the name says what the event says, so the same call twice is a duplicate.
    """
    envelope = {"specversion": "1.0", "source": "/acd", "tenantid": "t", "time": iso(at)}
    for name in (
        "specversion",
        "source",
        "tenantid",
        "time",
        "accountid",
        "corrects",
        "origin",
        "timebasis",
        "type",
        "id",
    ):
        if name in more:
            envelope[name] = more.pop(name)
    if what == "queued":
        more.setdefault("queue_id", "q")
    for name in ("enqueued_at", "talk_started_at"):
        if isinstance(more.get(name), int | float):
            more[name] = iso(more[name])
    data = {"contact_id": contact, **{name: value for name, value in more.items() if value is not None}}
    envelope.setdefault("type", f"pulse.call.{what}")
    envelope.setdefault("id", f"{what}-{contact}-{data.get('leg', '')}-{at}")
    return {**envelope, "data": data}


def raw(said: dict[str, Any] | bytes) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said).encode()


def call(what: str, at: float = 0, **more: Any) -> CallEvent:
    """The decoded event; anything else is the test's own mistake."""
    decoded = decode(raw(event(what, at, **more)))
    assert isinstance(decoded, CallEvent), decoded
    return decoded


def decoded(said: dict[str, Any]) -> CallEvent:
    found = decode(raw(said))
    assert isinstance(found, CallEvent), found
    return found


def records(
    events: Iterable[dict[str, Any] | bytes], first: int = 0, timestamp: int | None = None
) -> list[Record]:
    return [Record(offset, raw(said), timestamp) for offset, said in enumerate(events, first)]


def partition(
    events: Iterable[dict[str, Any]] = (),
    *,
    horizons: Horizons = NO_HORIZONS,
    definitions: Definitions = UNDECLARED,
    batches: int = 1,
) -> Partition:
    """A partition that has taken in the events, in `batches` of about equal size."""
    found = Partition(definitions, horizons, check_future=False)
    lines = records(events)
    size = max(1, -(-len(lines) // batches))
    for first in range(0, len(lines), size):
        found.apply(lines[first : first + size])
    return found


def inside(found: Partition, horizons: Horizons) -> tuple[Any, ...]:
    """What a partition holds for its readers: no empty buckets, none behind a horizon."""
    edges = {
        LIVE: found.watermark - horizons.bucket_ms - BUCKET_MS,
        DAY_GRAIN: found.watermark - horizons.day_ms - 2 * DAY_MS,
    }
    buckets = {
        key: cells
        for key, cells in found.ledger.buckets.items()
        if cells and (key[4] > edges[key[0]] or key[1] == LATE.name)
    }
    levels = {key: level.value() for key, level in found.ledger.levels.items() if level.instants}
    return found.next_offset, found.watermark, found.entities.by_key, buckets, levels
