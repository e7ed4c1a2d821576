"""How events reach the topic: late, twice, wrong at first, or beside the truth.

Draws from a randomness of its own, so the story told is the same with and without chaos.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from pipeline.events.instants import instant_text
from pipeline.sources.centre import Chaos

Event = dict[str, object]
IDENTITY: Final = frozenset(("contact_id", "initial_contact_id", "leg", "ticket_id", "survey_id", "agent_id"))
"""Fields of `data` that name the entity an event is about; other streams are keyed by the account."""


class Simulated(NamedTuple):
    """One record: when it reaches the topic, its Kafka key, the event (shared: not to be changed)."""

    deliver_at_ms: int
    key: bytes
    event: Event

    @property
    def stream(self) -> str:
        """The stream its topic is named by."""
        return str(self.event["type"]).split(".", 2)[1]


def delivered(story: Iterable[Simulated], chaos: Chaos, seed: int) -> Iterator[Simulated]:
    """The records of a story in order of time, spoiled, in order of delivery."""
    if chaos == Chaos():
        yield from story
        return
    draw = Random(f"delivery {seed}")
    on_the_way: list[tuple[int, int, Simulated]] = []
    number = 0
    for told in story:
        while on_the_way and on_the_way[0][0] <= told.deliver_at_ms:
            yield heappop(on_the_way)[2]
        for record in _copies(told, chaos, draw):
            number += 1
            heappush(on_the_way, (record.deliver_at_ms, number, record))
    while on_the_way:
        yield heappop(on_the_way)[2]


def _copies(told: Simulated, chaos: Chaos, draw: Random) -> Iterator[Simulated]:
    for at_ms, event in _versions(told, chaos, draw):
        at = at_ms
        if draw.random() < chaos.late_share:
            at += 1 + int(draw.random() * chaos.late_seconds * 1000)
        yield Simulated(at, told.key, event)
        if draw.random() < chaos.duplicate_share:
            yield Simulated(at + int(draw.random() * chaos.late_seconds * 1000), told.key, event)


def _versions(told: Simulated, chaos: Chaos, draw: Random) -> Iterator[tuple[int, Event]]:
    drawn = draw.random() - chaos.correction_share
    if drawn >= chaos.void_share:
        yield told.deliver_at_ms, told.event
        return
    mended_at = told.deliver_at_ms + int(draw.random() * chaos.mending_seconds * 1000)
    wrong = _wrong(told, draw)
    yield told.deliver_at_ms, wrong
    if drawn < 0:
        yield mended_at, {**told.event, "corrects": wrong["id"]}
    else:
        yield told.deliver_at_ms, told.event
        yield mended_at, _voiding(wrong, mended_at)


def _wrong(told: Simulated, draw: Random) -> Event:
    """The same event under another id, some seconds early and, if queued, in a queue nobody has."""
    event = told.event
    early = instant_text(told.deliver_at_ms - 1 - int(draw.random() * 30_000))
    wrong = {**event, "id": f"{event['id']}-wrong", "time": early}
    if event["type"] == "pulse.call.queued":
        wrong["data"] = {**_data(event), "queue_id": "misrouted"}
    return wrong


def _voiding(wrong: Event, at_ms: int) -> Event:
    return {
        **wrong,
        "id": f"{wrong['id']}-void",
        "type": f"pulse.{str(wrong['type']).split('.')[1]}.voided",
        "time": instant_text(at_ms),
        "corrects": wrong["id"],
        "data": {name: value for name, value in _data(wrong).items() if name in IDENTITY},
    }


def _data(event: Event) -> Event:
    data = event["data"]
    if not isinstance(data, dict):
        raise TypeError("an event's data is an object")
    return data
