"""Entities of one fact set in memory: what is late, and that an erasure never is."""

from pipeline.events.decoding import DELETED, Fact, FactEvent
from pipeline.metrics.families import LATE
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Horizons
from pipeline.state.tallied import Tallied, Tally
from tests.builders import UNDECLARED, ms

LATE_MS, STAYS_MS = 20_000, 100_000


def kept():
    ledger = Ledger(UNDECLARED, Horizons())
    tally = Tally("ticket", lambda *_: [], lambda entity: entity.touched_at + STAYS_MS, LATE_MS)
    return Tallied(tally, ledger, UNDECLARED), ledger


def told(kind: int, at: float, name: int = 1) -> FactEvent:
    return FactEvent("t", "t|1", Fact(name, kind, ms(at)))


def test_event_of_an_unknown_entity_behind_the_horizon_is_late():
    entities, ledger = kept()
    assert entities.apply(told(1, 0), ms(20)) == "late"
    assert entities.by_key == {}
    assert [cells for key, cells in ledger.buckets.items() if key[1] == LATE.name] == [{0: 1}]


def test_erasure_of_an_unknown_entity_leaves_a_tombstone():
    entities, ledger = kept()
    assert entities.apply(told(DELETED, 0), ms(50)) == "applied"
    assert entities.by_key["t|1"].deleted_at == ms(0)
    assert entities.changed == {"t|1"}
    assert [cells for key, cells in ledger.buckets.items() if key[1] == LATE.name] == [{1: 1}]


def test_tombstone_stays_its_time_from_when_it_came():
    entities, _ = kept()
    entities.apply(told(DELETED, 0), ms(50))
    assert entities.ring(ms(149)) == []
    assert entities.ring(ms(150)) == ["t|1"]
