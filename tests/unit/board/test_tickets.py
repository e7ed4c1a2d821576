"""Tickets on the board: backlog by age, overdue, responses; by group and channel."""

import pytest
from prometheus_client import CollectorRegistry

from pipeline.board.collector import SnapshotCollector
from pipeline.board.places import Question
from pipeline.board.snapshot import Snapshot
from pipeline.metrics.families import BACKLOG, TICKETS, UNANSWERED
from tests.builders import HOUR, UNDECLARED, ms
from tests.tickets import agent, event
from tests.unit.state.test_ticket_laws import partition

PLACE = ("t", "g", "mail")
DIMS = ("tenant", "group", "channel")
TOLD = [
    *(event("created", at, ticket=f"k{at}", group_id="g", channel="mail") for at in (0, HOUR, 4 * HOUR)),
    agent(HOUR / 2, ticket="k0"),
]


@pytest.fixture
def snapshot():
    """The board 28 hours after the first ticket was created."""
    ledger = partition(TOLD).ledger
    levels = {
        f: {PLACE: (ledger.levels[f, *PLACE[:1], PLACE[1:]].value(),)}
        for f in (BACKLOG.name, UNANSWERED.name)
    }
    cells = next(cells for key, cells in ledger.buckets.items() if key[0] == "day" and key[1] == TICKETS.name)
    return Snapshot(
        ms(28 * HOUR),
        UNDECLARED,
        {DIMS: (PLACE,)},
        {(TICKETS.name, "today"): {PLACE: cells}},
        levels,
        {},
        {},
        (),
    )


@pytest.fixture
def registry(snapshot):
    """What Prometheus reads then."""
    found = CollectorRegistry()
    found.register(SnapshotCollector(lambda: snapshot))
    return found


def value(registry, name, **labels):
    return registry.get_sample_value(name, {"tenant": "t", "group": "g", "channel": "mail", **labels})


def test_backlog_stands_by_age(registry):
    ages = {age: value(registry, "support_backlog", age=age) for age in ("0-1h", "8-24h", "24h+")}
    assert ages == {"0-1h": 0, "8-24h": 0, "24h+": 3}


def test_rows_tell_the_backlog_by_age_when_asked_to(snapshot):
    asked = Question(by=("tenant", "age"), metrics=("backlog",))
    told = {row.place[-1]: row.number.value for row in snapshot.rows(asked)}
    assert told == {"0-1h": 0, "1-4h": 0, "4-8h": 0, "8-24h": 0, "24h+": 3}


def test_overdue_tickets_are_counted_and_the_oldest_is_dated(registry):
    """Unanswered since 1 h and 4 h; at 28 h exactly 24 h is not longer than the target."""
    assert value(registry, "support_frt_overdue") == 1
    name = "support_frt_overdue_oldest_start_timestamp_seconds"
    assert value(registry, name) == ms(HOUR) / 1000


def test_another_target_can_be_asked_for(snapshot):
    asked = Question(by=(), metrics=("frt_overdue",), definition={"name": "count", "target": 23 * HOUR})
    (row,) = snapshot.rows(asked)
    assert (row.number.value, row.definition["target"]) == (2, 23 * HOUR)


def test_responses_stand_with_their_parts(registry):
    assert value(registry, "support_frt_seconds", window="today") == HOUR / 2
    assert value(registry, "support_frt_responses", window="today") == 1
    assert value(registry, "support_frt_wait_seconds", window="today") == HOUR / 2
    assert value(registry, "support_nrt_seconds", window="today") is None
    assert value(registry, "support_tickets_created", window="today") == 3
