"""How long tickets stay in memory: open ones for ever, solved ones 30 days, contradictory ones 7."""

import pytest

from pipeline.metrics.families import BACKLOG, TICKETS_QUARANTINE
from pipeline.state.partition import Partition
from pipeline.state.retention import Horizons
from tests.builders import DAY, UNDECLARED, raw
from tests.builders import Record as Told
from tests.tickets import event

SOLVED = [event("created", 0), event("solved", 10)]
CONTRADICTORY = [event("created", 10), event("solved", 0)]


def partition(*told):
    found = Partition(UNDECLARED, Horizons(), stream="ticket", check_future=False)
    return found, feed(found, *told)


def feed(found, *told):
    return found.apply([Told(offset, raw(said)) for offset, said in enumerate(told, found.next_offset)])


def another(at):
    return event("created", at, ticket="another")


@pytest.mark.parametrize(
    ("told", "last", "days"),
    [
        (SOLVED, 10, 30),
        (CONTRADICTORY, 10, 7),
        ([*SOLVED, event("deleted", 20)], 20, 7),
        ([event("created", 0), event("merged", 5)], 5, 30),
        ([event("solved", 0)], 0, 30),
    ],
)
def test_ticket_leaves_when_its_days_have_passed(told, last, days):
    found, _ = partition(*told, another(last + days * DAY - 1))
    assert "t|k" in found.entities.by_key
    feed(found, event("assigned", last + days * DAY, ticket="another"))
    assert "t|k" not in found.entities.by_key


def test_open_ticket_never_leaves():
    found, _ = partition(event("created", 0), another(390 * DAY))
    assert "t|k" in found.entities.by_key
    assert len(found.ledger.levels[BACKLOG.name, "t", ("", "")].instants) == 2


def test_what_left_stays_counted_and_a_level_goes():
    found, _ = partition(*CONTRADICTORY)
    level = found.ledger.levels[TICKETS_QUARANTINE.name, "t", ("fact_before_created",)]
    assert len(level.instants) == 1
    feed(found, another(8 * DAY))
    assert level.instants == []


def test_event_behind_the_horizon_of_a_ticket_not_known_is_late():
    _, applied = partition(another(40 * DAY), event("solved", 10 * DAY), event("solved", 9 * DAY, ticket="l"))
    assert applied.late == 2
    _, applied = partition(another(40 * DAY), event("solved", 10 * DAY + 1))
    assert applied.late == 0


def test_late_message_of_an_open_ticket_is_no_late_event():
    found, _ = partition(event("created", 0), another(60 * DAY))
    assert feed(found, event("message_added", 5, author_kind="agent")).late == 0
    assert len(found.entities.by_key["t|k"].facts) == 2
