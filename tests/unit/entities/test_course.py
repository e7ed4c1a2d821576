"""An ordinary step says what reading the leg before and after says; what is not ordinary says nothing."""

from collections import Counter

import pytest
from hypothesis import given, settings

from pipeline.entities.contact import Leg
from pipeline.entities.contact_merge import insert
from pipeline.entities.contact_metrics import leg_contributions
from pipeline.entities.course import NOTHING, step
from pipeline.events.call import VOIDED
from tests.builders import call, decoded
from tests.strategies import histories

BOUNDS = (5_000, 20_000)


def steps(*events):
    """What each event in turn changes in one leg."""
    leg = Leg("", "", ())
    for event in events:
        insert(leg, event.fact)
        yield step(leg, event.fact, BOUNDS)


@settings(max_examples=500)
@given(histories(max_size=8, keys=1, span=6))
def test_step_is_the_difference_of_what_the_leg_counts(told):
    leg, names = Leg("", "", ()), set()
    for event in map(decoded, told):
        if event.fact.kind >= VOIDED or event.fact.name in names:
            continue
        names.add(event.fact.name)
        before = Counter(leg_contributions(leg, BOUNDS))
        insert(leg, event.fact)
        change = step(leg, event.fact, BOUNDS)
        if change is not None:
            removed, added = change
            before.subtract(removed)
            before.update(added)
            assert +before == Counter(leg_contributions(leg, BOUNDS))
            assert min(before.values(), default=0) >= 0


COURSES = {
    "answered": [call("initiated", 0), call("queued", 1), call("answered", 4), call("ended", 9)],
    "at one instant": [call("queued", 1), call("answered", 1), call("transferred", 3), call("ended", 3)],
    "by a bot": [call("queued", 1), call("answered", 2, answered_by="bot"), call("ended", 5)],
    "chat": [call("queued", 1, channel="chat"), call("answered", 2, channel="chat")],
    "scheduled": [call("queued", 1, enqueued_at=5), call("callback_requested", 7)],
    "outbound callback": [call("queued", 1, direction="outbound", callback=True), call("abandoned", 7)],
    "outbound": [call("queued", 1, direction="outbound"), call("answered", 7), call("ended", 9)],
}


@pytest.mark.parametrize("course", COURSES)
def test_ordinary_course_is_known_without_reading(course):
    assert None not in list(steps(*COURSES[course]))


def test_menu_changes_nothing_and_an_end_only_the_talk():
    first, _, _, (removed, added) = steps(*COURSES["answered"])
    assert first == NOTHING
    assert removed == ()
    assert [family for family, *_ in added] == ["handle"]


NOT_ORDINARY = {
    "a second queue": [call("queued", 1), call("queued", 2)],
    "a leave before the queue": [call("answered", 3), call("queued", 1)],
    "an earlier leave": [call("queued", 1), call("answered", 3), call("transferred", 2)],
    "given up before its turn": [call("queued", 1, enqueued_at=9), call("abandoned", 2)],
    "talk before the answer": [call("queued", 1), call("answered", 2, talk_started_at=1)],
    "an end that is the leave": [call("queued", 1), call("ended", 2)],
    "an end before the leave": [call("queued", 1), call("answered", 3), call("ended", 2)],
    "the first to state the channel": [call("queued", 1), call("answered", 2, channel="chat")],
    "the last to state the direction": [
        call("queued", 1),
        call("answered", 2),
        call("ended", 3, direction="outbound"),
    ],
    "unqueued": [call("answered", 1)],
}


@pytest.mark.parametrize("course", NOT_ORDINARY)
def test_what_is_not_ordinary_is_left_to_reading(course):
    assert list(steps(*NOT_ORDINARY[course]))[-1] is None


def test_stale_leg_is_left_to_reading():
    leg, fact = Leg("", "", (call("queued", 0).fact,), is_stale=True), call("answered", 9).fact
    insert(leg, fact)
    assert step(leg, fact, BOUNDS) is None
