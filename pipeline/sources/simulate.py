"""A seeded contact centre as an endless stream of `call` events. Knows no clock and no broker."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pipeline.events.instants import instant_text
from pipeline.sources.centre import CallCentre, Chaos, Queue
from pipeline.sources.delivery import Event, Simulated, delivered
from pipeline.sources.floor import Fact, Floor

__all__ = ["CallCentre", "Chaos", "Event", "Queue", "Simulated", "encode", "simulate"]

SOURCE: Final = "/pulse/simulate"
INSTANTS: Final = ("enqueued_at", "talk_started_at")

encode: Final[Callable[[Event], bytes]] = msgspec.json.Encoder().encode


def simulate(params: CallCentre, seed: int, start_ms: int) -> Iterator[Simulated]:
    """Records in order of `deliver_at_ms`, for ever; the same arguments give the same records.

    Without chaos a record is delivered at its event's `time`. Memory is that of the legs not yet
    over and the records not yet delivered. Runs of another seed or start share no ids.
    """
    return delivered(_story(params, seed, start_ms), params.chaos, seed)


def _story(params: CallCentre, seed: int, start_ms: int) -> Iterator[Simulated]:
    prefix = f"{start_ms:x}-{seed:x}-"
    second, second_text = -1, ""
    for number, fact in enumerate(Floor(params, seed, start_ms).facts(), 1):
        if fact.at_ms // 1000 != second:
            second = fact.at_ms // 1000
            second_text = instant_text(second * 1000)[:20]
        time = f"{second_text}{fact.at_ms % 1000:03d}Z"
        yield _record(fact, f"{prefix}{number}", time)


def _record(fact: Fact, event_id: str, time: str) -> Simulated:
    leg, data = fact.leg, fact.data
    for name in INSTANTS:
        at_ms = data.get(name)
        if isinstance(at_ms, int):
            data[name] = instant_text(at_ms)
    event: Event = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": f"pulse.call.{fact.what}",
        "time": time,
        "tenantid": leg.line.tenant,
        "data": leg.identity | data,
    }
    return Simulated(fact.at_ms, f"{leg.line.tenant}|{leg.initial_contact_id}".encode(), event)
