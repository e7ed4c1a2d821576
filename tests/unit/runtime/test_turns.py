"""A batch is applied in turns, between which the loop is for others."""

import asyncio
from types import SimpleNamespace

import pytest
from faust.types import TP

from pipeline.kafka.clients import Clients
from pipeline.metrics.definitions import declare
from pipeline.runtime.opening import Source
from pipeline.runtime.ownership import TURN_EVENTS, Ownership
from pipeline.runtime.plumbing import Plumbing
from pipeline.runtime.poison import Poison
from pipeline.runtime.transactions import OwnedPartition
from pipeline.settings import Settings
from pipeline.state.partition import Partition
from pipeline.state.retention import NO_HORIZONS
from pipeline.telemetry import Telemetry
from tests.builders import Record, event, raw

CALLS = TP("pulse.call", 0)
LOG_APPEND_TIME = 1


class EndedError(Exception):
    """The process would end."""


def fatal(message):
    raise EndedError(message)


@pytest.fixture
def ownership():
    settings = Settings()
    clients = Clients(settings.kafka)
    source = Source("call", CALLS.topic, "pulse.call.state", "pulse.dlq", "pulse", "", "", 0, 1)
    state = Partition(declare({}), NO_HORIZONS, check_future=False)
    plumbing = Plumbing(Telemetry(), ("call",))
    found = Ownership(settings, clients, declare({}), plumbing, {CALLS.topic: source}, (), fatal)
    found.owned[CALLS] = OwnedPartition(source, settings, clients, state)
    found.poison[CALLS] = Poison()
    return found


def batch(offsets):
    records = [
        SimpleNamespace(
            **Record(offset, raw(event("queued", number, contact=f"c{number}")))._asdict(),
            timestamp_type=LOG_APPEND_TIME,
        )
        for number, offset in enumerate(offsets)
    ]
    return SimpleNamespace(tp=CALLS, records=records, hole_accepted=False, timestamp_type=LOG_APPEND_TIME)


async def take_beside(ownership, message, act):
    """Apply a batch while somebody else acts whenever the loop lets it."""
    taking = asyncio.create_task(ownership.take(message))
    while not taking.done():
        await asyncio.sleep(0)
        act()
    await taking


async def test_others_have_their_turn_within_a_large_batch(ownership):
    state, seen = ownership.owned[CALLS].state, set()
    await take_beside(ownership, batch(range(2 * TURN_EVENTS + 1)), lambda: seen.add(state.next_offset))
    assert {TURN_EVENTS, 2 * TURN_EVENTS} < seen
    assert state.next_offset == 2 * TURN_EVENTS + 1


async def test_a_partition_that_closes_within_a_batch_is_left_where_its_turn_ended(ownership):
    owned = ownership.owned[CALLS]

    def close():
        if owned.state.next_offset == TURN_EVENTS:
            ownership.owned.pop(CALLS, None)

    await take_beside(ownership, batch(range(3 * TURN_EVENTS)), close)
    assert owned.state.next_offset == TURN_EVENTS


async def test_a_hole_inside_a_batch_may_lie_between_two_turns(ownership):
    await ownership.take(batch([*range(TURN_EVENTS), *range(TURN_EVENTS + 7, TURN_EVENTS + 9)]))
    assert ownership.owned[CALLS].state.next_offset == TURN_EVENTS + 9


async def test_a_turn_that_was_lost_ends_the_process(ownership):
    owned = ownership.owned[CALLS]
    apply, turns = owned.apply, []

    def all_but_the_second(records, **how):
        turns.append(records)
        return apply([] if len(turns) == 2 else records, **how)

    owned.apply = all_but_the_second
    with pytest.raises(EndedError, match="offset"):
        await ownership.take(batch(range(3 * TURN_EVENTS)))
