"""A seeded contact centre as an endless stream of `call` events. Knows no clock and no broker."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import msgspec

from pipeline.sources.agenda import Agenda
from pipeline.sources.centre import CallCentre, Chaos, Queue
from pipeline.sources.delivery import Event, Simulated, delivered
from pipeline.sources.floor import Fact, Floor
from pipeline.sources.telling import Teller

__all__ = ["CallCentre", "Chaos", "Event", "Queue", "Simulated", "encode", "simulate"]

SOURCE: Final = "/pulse/simulate"

encode: Final[Callable[[Event], bytes]] = msgspec.json.Encoder().encode


def simulate(params: CallCentre, seed: int, start_ms: int) -> Iterator[Simulated]:
    """Records in order of `deliver_at_ms`, for ever; the same arguments give the same records.

    Without chaos a record is delivered at its event's `time`. Memory is that of the legs not yet
    over and the records not yet delivered. Runs of another seed or start share no ids.
    """
    return delivered(_story(params, seed, start_ms), params.chaos, seed)


def _story(params: CallCentre, seed: int, start_ms: int) -> Iterator[Simulated]:
    run = f"{start_ms:x}-{seed:x}"
    teller, agenda, told = Teller(SOURCE, f"{run}-"), Agenda(start_ms), list[Fact]()
    Floor(params, Random(seed), agenda, told.append, run)
    while True:
        agenda.step()
        if told:
            yield from map(teller.call, told)
            told.clear()
