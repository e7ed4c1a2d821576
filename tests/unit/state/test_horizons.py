"""When a chain leaves memory, what is late, what becomes stale. The watermark is the only clock.

Shrunk horizons, in seconds: buckets 60, finished contacts 20, promised callbacks 90, quarantine and stale 100.
Alarms lie on ten-second edges: 20 s after 3 is 23, acted upon at 30.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics.buckets import DAY, LIVE
from pipeline.metrics.families import LATE
from pipeline.metrics.windows import DAY_MS
from pipeline.state.codec import ENTITIES, Header
from pipeline.state.partition import Partition
from pipeline.state.restore import load
from pipeline.state.retention import NO_HORIZONS, Horizons, due_at
from pipeline.state.snapshot import Snapshot
from tests.builders import DAY as ONE_DAY
from tests.builders import HOUR, T0, UNDECLARED, event, inside, ms, partition, records
from tests.strategies import histories

SECOND = 1000
SHRUNK = Horizons(60 * SECOND, 20 * SECOND, 90 * SECOND, 100 * SECOND, 100 * SECOND, 2 * DAY_MS)
MIDNIGHT = T0 - 9 * 3_600_000
HORIZON_OF = {
    "finished": ([("queued", 0, {}), ("abandoned", 3, {})], 30),
    "finished by a human": ([("queued", 0, {}), ("answered", 1, {}), ("ended", 3, {})], 30),
    "on an edge": ([("queued", 0, {}), ("abandoned", 10, {})], 30),
    "promised a callback": ([("queued", 0, {}), ("callback_requested", 3, {})], 100),
    "promised a callback in the talk": (
        [("queued", 0, {}), ("answered", 1, {}), ("callback_requested", 3, {}), ("ended", 5, {})],
        100,
    ),
    "callback kept": (
        [
            ("queued", 0, {}),
            ("callback_requested", 3, {}),
            ("queued", 3, {"contact": "cb", "initial_contact_id": "c"}),
            ("answered", 5, {"contact": "cb", "initial_contact_id": "c"}),
            ("ended", 6, {"contact": "cb", "initial_contact_id": "c"}),
        ],
        30,
    ),
    "callback kept at once": (
        [
            ("queued", 0, {}),
            ("callback_requested", 3, {}),
            ("answered", 3, {"contact": "cb", "initial_contact_id": "c"}),
            ("ended", 3, {"contact": "cb", "initial_contact_id": "c"}),
        ],
        30,
    ),
    "callback kept by a bot": (
        [
            ("queued", 0, {}),
            ("callback_requested", 3, {}),
            ("answered", 5, {"contact": "cb", "initial_contact_id": "c", "answered_by": "bot"}),
            ("ended", 6, {"contact": "cb", "initial_contact_id": "c"}),
        ],
        100,
    ),
    "quarantined": ([("queued", 5, {}), ("abandoned", 3, {})], 110),
    "in the menu": ([("initiated", 3, {})], 110),
    "in a talk": ([("queued", 0, {}), ("answered", 3, {})], 110),
    "without its first fact": ([("abandoned", 3, {})], 110),
    "erased": ([("queued", 0, {}), ("deleted", 3, {})], 110),
    "waiting, then stale": ([("queued", 3, {})], 210),
    "scheduled, then stale": ([("queued", 3, {"enqueued_at": 50})], 250),
}


def tick(at):
    return event("initiated", at, contact=f"tick{at}")


@pytest.mark.parametrize(("facts", "gone"), HORIZON_OF.values(), ids=HORIZON_OF)
def test_chain_leaves_memory_at_its_horizon(facts, gone):
    found = partition([event(what, at, **more) for what, at, more in facts], horizons=SHRUNK)
    for at in range(10, gone, 10):
        found.apply(records([tick(at + 9.999)], found.next_offset))
        assert "t|c" in found.entities.by_key, at
    found.apply(records([tick(gone)], found.next_offset))
    assert "t|c" not in found.entities.by_key


@pytest.mark.parametrize(("facts", "gone"), HORIZON_OF.values(), ids=HORIZON_OF)
def test_chain_is_gone_as_well_when_the_watermark_leaps(facts, gone):
    found = partition(
        [event(what, at, **more) for what, at, more in facts] + [tick(ONE_DAY)], horizons=SHRUNK
    )
    assert list(found.entities.by_key) == [f"t|tick{ONE_DAY}"]
    assert not any(level.instants for level in found.ledger.levels.values())


@pytest.mark.parametrize(("facts", "gone"), HORIZON_OF.values(), ids=HORIZON_OF)
def test_chain_that_was_restored_in_between_leaves_at_the_same_instant(facts, gone):
    told = [event(what, at, **more) for what, at, more in facts]
    for restored_at in range(7, gone, 10):
        found = restored(partition([*told, tick(restored_at)], horizons=SHRUNK))
        found.apply(records([tick(gone - 0.001)], found.next_offset))
        assert "t|c" in found.entities.by_key, restored_at
        found.apply(records([tick(gone)], found.next_offset))
        assert "t|c" not in found.entities.by_key, restored_at


def restored(source):
    """The successor of an owner that committed and died."""
    drafts = Snapshot().draft(source)
    header = Header(ENTITIES, source.next_offset, source.watermark, -1, 1, 0, 4, "1-x")
    found = Partition(UNDECLARED, SHRUNK, check_future=False)
    load(found, header, [(draft.kind, draft.value) for draft in drafts.records])
    return found


def test_what_was_counted_stays_counted_when_the_chain_leaves():
    found = partition([event("queued", 0), event("abandoned", 3), tick(35)], horizons=SHRUNK)
    assert found.ledger.buckets[LIVE, "leave", "t", ("q", "voice"), ms(0)][4] == 1


def levels(found):
    return {key: level.instants for key, level in found.ledger.levels.items() if level.instants}


def test_waiting_leg_becomes_stale_and_stands_in_quarantine():
    #   queued 3 ─────── stale from 103, acted upon at 110 ─────── gone at 210
    found = partition([event("queued", 3), tick(109.999)], horizons=SHRUNK)
    assert levels(found)["waiting", "t", ("q", "voice")] == [ms(3)]
    found.apply(records([tick(110)], found.next_offset))
    assert levels(found) == {("quarantine", "t", ("stale",)): [ms(3)]}


def test_stale_leg_that_is_still_answered_counts():
    found = partition([event("queued", 3), tick(110), event("answered", 111)], horizons=SHRUNK)
    assert levels(found) == {}
    assert found.ledger.buckets[LIVE, "leave", "t", ("q", "voice"), ms(110)][0] == 1


def test_event_of_an_unknown_chain_is_late_behind_the_horizon_of_contacts():
    #   ── 79 ── 80 ─── 20 s ─── 100 = watermark
    found = partition([tick(100)], horizons=SHRUNK)
    applied = found.apply(
        records([event("queued", 80), event("queued", 80.001, contact="d")], found.next_offset)
    )
    assert applied.late == 1
    assert "t|c" not in found.entities.by_key
    assert "t|d" in found.entities.by_key
    assert found.ledger.buckets[DAY, LATE.name, "t", ("call",), MIDNIGHT] == {0: 1}


def test_erasure_is_never_late_and_what_was_counted_stays():
    """The chain is gone; its tombstone lets the sink erase, and keeps what is sent again out."""
    found = partition([event("queued", 0), event("abandoned", 3), tick(100)], horizons=SHRUNK)
    assert "t|c" not in found.entities.by_key
    applied = found.apply(records([event("deleted", 5)], found.next_offset))
    assert applied.late == 0
    assert found.entities.by_key["t|c"].deleted_at == ms(5)
    assert "t|c" in found.entities.changed
    assert found.ledger.buckets[DAY, "leave", "t", ("q", "voice"), MIDNIGHT][4] == 1
    assert found.ledger.buckets[DAY, LATE.name, "t", ("call",), MIDNIGHT] == {1: 1}


def test_tombstone_of_a_late_erasure_stays_as_long_as_one_in_time():
    #   erased while the watermark is 100: until 200, so what comes again at 150 counts nowhere
    found = partition([tick(100), event("deleted", 5), event("deleted", 5)], horizons=SHRUNK)
    again = [tick(150), event("queued", 149), event("abandoned", 150), tick(199)]
    found.apply(records(again, found.next_offset))
    assert "t|c" in found.entities.by_key
    assert not any(family == "leave" for _, family, *_ in found.ledger.buckets)


def test_late_events_are_counted_on_the_day_they_are_dated():
    found = partition([tick(100), event("queued", -ONE_DAY)], horizons=SHRUNK)
    assert found.ledger.buckets[DAY, LATE.name, "t", ("call",), MIDNIGHT - DAY_MS] == {0: 1}


def test_late_event_of_a_known_chain_is_merged_and_counted_by_day_alone():
    #   queued 5 ───────────────────────────── ended 95, so the chain is known at 100
    #   the buckets of 5 and 7 left at 60 + 10 s behind the watermark
    told = [event("initiated", 5), event("callback_attempted", 95, outcome="busy"), tick(100)]
    found = partition(told, horizons=SHRUNK)
    applied = found.apply(records([event("queued", 5), event("abandoned", 7)], found.next_offset))
    assert applied.late == 0
    assert (LIVE, "leave", "t", ("q", "voice"), ms(0)) not in found.ledger.buckets
    assert found.ledger.buckets[DAY, "leave", "t", ("q", "voice"), MIDNIGHT][4] == 1
    # `queued` was kept out of one bucket; then its offer and the outcome were, by one event.
    assert found.ledger.buckets[DAY, LATE.name, "t", ("call",), MIDNIGHT] == {1: 2}


def test_contribution_behind_the_horizon_of_its_day_is_applied_nowhere():
    old = -5 * ONE_DAY
    told = [event("initiated", 5), event("callback_attempted", 95, outcome="busy"), tick(100)]
    found = partition(
        [*told, event("queued", old, contact="c"), event("abandoned", old + 1)], horizons=SHRUNK
    )
    families = {(grain, family) for grain, family, *_ in found.ledger.buckets}
    assert families == {(DAY, LATE.name)}


@pytest.mark.parametrize(("watermark", "is_taken"), [(79.999, True), (80, False)])
def test_bucket_takes_contributions_until_its_end_is_behind_the_horizon(watermark, is_taken):
    #   the bucket [10, 20) ends 60 s behind a watermark of 80
    found = partition(
        [event("initiated", 10), event("callback_attempted", 79, outcome="busy")], horizons=SHRUNK
    )
    found.apply(records([tick(watermark), event("answered", 15, queue_id="q")], found.next_offset))
    assert ((LIVE, "leave", "t", ("q", "voice"), ms(10)) in found.ledger.buckets) == is_taken


@pytest.mark.parametrize(("watermark", "is_taken"), [(15 * HOUR - 0.001, True), (15 * HOUR, False)])
def test_day_takes_contributions_until_its_end_is_behind_the_horizon(watermark, is_taken):
    #   28 February ├──── 24 h ────┤ 1 March ├ 2 March … its end: 48 h behind midnight after 2 March
    told = [event("initiated", -48 * HOUR), event("callback_attempted", watermark - 1, outcome="busy")]
    found = partition([*told, tick(watermark), event("answered", -47 * HOUR, queue_id="q")], horizons=SHRUNK)
    day = (DAY, "leave", "t", ("q", "voice"), MIDNIGHT - 2 * DAY_MS)
    assert (day in found.ledger.buckets) == is_taken


def test_chain_that_ends_sooner_than_expected_leaves_sooner():
    #   queued 0 (stale at 100) … at 21 its end at 3 is told: due at 23, acted upon at 30
    found = partition([event("queued", 0), tick(21), event("abandoned", 3), tick(29.999)], horizons=SHRUNK)
    assert "t|c" in found.entities.by_key
    found.apply(records([tick(30)], found.next_offset))
    assert "t|c" not in found.entities.by_key


def test_chain_whose_end_lies_further_ahead_than_the_next_look_leaves_at_its_time():
    #   queued 0 (stale at 100), looked at at 20 … at 25 a talk that began at 60: due at 80, beyond 25 + 20
    told = [event("queued", 0), tick(21), event("answered", 24, talk_started_at=60), event("ended", 25)]
    found = partition([*told, tick(79.999)], horizons=SHRUNK)
    assert "t|c" in found.entities.by_key
    found.apply(records([tick(80)], found.next_offset))
    assert "t|c" not in found.entities.by_key


def test_nothing_is_late_or_leaves_without_horizons():
    found = partition([tick(400 * ONE_DAY), event("queued", 0)], horizons=NO_HORIZONS)
    assert len(found.entities.by_key) == 2
    assert LATE.name not in {key[1] for key in found.ledger.buckets}


def test_swept_buckets_are_told_once():
    found = Partition(UNDECLARED, SHRUNK, check_future=False)
    found.apply(records([event("queued", 0), event("abandoned", 3)]))
    found.apply(records([tick(700)], 2))
    key = (LIVE, "leave", "t", ("q", "voice"), ms(0))
    assert key not in found.ledger.buckets
    assert key in found.ledger.gone


@settings(max_examples=150)
@given(histories(max_size=20, keys=3, span=150))
def test_nothing_stays_in_memory_past_its_due(told):
    found = partition(told, horizons=SHRUNK)
    found.entities.ring(found.watermark)
    for key, chain in found.entities.by_key.items():
        assert due_at(chain, SHRUNK) > found.watermark, key


@settings(max_examples=150)
@given(histories(max_size=20, keys=3, span=150), st.integers(2, 9))
def test_any_split_into_batches_leaves_the_same_in_memory(told, batches):
    one, other = partition(told, horizons=SHRUNK), partition(told, horizons=SHRUNK, batches=batches)
    assert inside(one, SHRUNK) == inside(other, SHRUNK)
