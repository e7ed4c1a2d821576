"""An ordinary step says what counting the ticket before and after says; what is not ordinary says nothing."""

from collections import Counter

import pytest
from hypothesis import given, settings

from pipeline.entities.factset import FactSet, merge
from pipeline.entities.ticket_course import begin, is_birth, is_next, standing, step
from pipeline.entities.ticket_metrics import contributions
from pipeline.events.ticket import decode
from pipeline.metrics.definitions import declare
from tests.builders import raw
from tests.tickets import HOUR, agent, customer, event, histories

WEEK = {"t": {"tz": "Europe/Bucharest", "business_hours": {"mon": ["10:00-12:00"], "tue": ["09:00-17:00"]}}}
DECLARED = declare({"tenants": WEEK})
OPEN_MS = DECLARED.calendar("t").open_ms


def counted(ticket):
    return Counter(contributions(ticket, DECLARED, "t"))


def ticket_of(*told):
    ticket = FactSet([], [])
    for said in told:
        merge(ticket, decode(raw(said)))
    return ticket


@settings(max_examples=500, deadline=None)
@given(histories())
def test_a_step_is_the_difference_of_what_the_ticket_counts(told):
    tickets, standings = {}, {}
    for said in sorted(told, key=lambda said: said["time"]):
        event = decode(raw(said))
        key, fact = event.key, event.fact
        ticket, reading = tickets.get(key), standings.pop(key, None)
        before, change = Counter() if ticket is None else counted(ticket), None
        if ticket is None:
            ticket = tickets[key] = FactSet([], [])
            if is_birth(event):
                reading, change = begin(fact)
        elif is_next(ticket, event):
            reading = reading or standing(ticket)
            change = reading and step(reading, fact, OPEN_MS)
        merge(ticket, event)
        if change:
            removed, added = change
            before.subtract(removed)
            assert min(before.values(), default=0) >= 0
            before.update(added)
            assert +before == counted(ticket)
            if reading.is_open:
                standings[key] = reading


def last_step(*told):
    """What the last event changes of a ticket that the others tell."""
    ticket, last = ticket_of(*told[:-1]), decode(raw(told[-1]))
    reading = standing(ticket) if is_next(ticket, last) else None
    return reading and step(reading, last.fact, OPEN_MS)


BIRTH = event("created", 0, group_id="g", channel="mail")
ORDINARY = {
    "assigned": ([BIRTH, event("assigned", 1, group_id="h")], 2, 2),
    "assigned to a person": ([BIRTH, event("assigned", 1, agent_id="a")], 0, 0),
    "answered": ([BIRTH, agent(HOUR)], 1, 1),
    "asked again": ([BIRTH, agent(1), customer(2)], 0, 0),
    "answered again": ([BIRTH, agent(1), customer(2), agent(3)], 0, 1),
    "answered a second time": ([BIRTH, agent(1), agent(2)], 0, 0),
    "handed off by a bot": ([BIRTH, event("bot_handed_off", 1)], 1, 1),
    "solved": ([BIRTH, agent(1), event("solved", 2)], 1, 3),
    "solved again": ([BIRTH, event("solved", 1), event("reopened", 2), event("solved", 3)], 2, 3),
    "merged": ([BIRTH, event("merged", 1)], 2, 0),
}


@pytest.mark.parametrize("course", ORDINARY)
def test_what_comes_in_order_to_an_open_ticket_is_known_from_where_it_stands(course):
    told, taken, put = ORDINARY[course]
    removed, added = last_step(*told)
    assert (len(removed), len(added)) == (taken, put)


NOT_ORDINARY = {
    "created twice": [BIRTH, event("created", 1, group_id="h")],
    "custom work": [BIRTH, event("changed", 1, custom_work=True)],
    "at the same instant": [BIRTH, agent(0)],
    "earlier": [BIRTH, agent(2), agent(1)],
    "the same name again": [BIRTH, agent(1, id="x"), agent(2, id="x")],
    "a correction": [BIRTH, agent(1, corrects="x")],
    "of a corrected ticket": [BIRTH, event("voided", 1, corrects="x"), agent(2)],
    "of a solved ticket": [BIRTH, event("solved", 1), event("reopened", 2)],
    "of a merged ticket": [BIRTH, event("merged", 1), agent(2)],
    "of a contradictory ticket": [agent(-1), BIRTH, agent(2)],
    "of a ticket never created": [agent(1), agent(2)],
    "of an erased ticket": [BIRTH, event("deleted", 1), agent(2)],
}


@pytest.mark.parametrize("course", NOT_ORDINARY)
def test_what_is_not_ordinary_is_left_to_counting_anew(course):
    assert last_step(*NOT_ORDINARY[course]) is None


@pytest.mark.parametrize("said", [event("created", 0, corrects="x"), agent(0), event("deleted", 0)])
def test_a_ticket_begins_with_its_creation_only(said):
    assert not is_birth(decode(raw(said)))
