"""The checker of cases bites: whatever is wrong in a file or in a number is told."""

import pytest

from pipeline.metrics.definitions import DefinitionsError
from pipeline.metrics.numbers import Number
from pipeline.replay.cases import CaseError, check, difference, event_lines, question_of, replay
from tests.builders import UNDECLARED, event, raw

EVENTS = [
    {
        "type": "pulse.call.queued",
        "time": "2026-03-02T09:00:00Z",
        "data": {"contact_id": "c", "queue_id": "q"},
    },
    {"type": "pulse.call.answered", "time": "2026-03-02T09:00:08Z", "data": {"contact_id": "c"}},
]
ASKED = {
    "metric": "asa_queue",
    "from": "2026-03-02T09:00:00Z",
    "to": "2026-03-02T10:00:00Z",
    "value": 8,
    "n": 1,
}


def faults(expected, events=EVENTS, **more):
    case = {"id": "X", "events": events, "expect": [expected], **more}
    return {verdict.fault for verdict in check(case)}


def test_right_number_is_no_fault():
    assert faults(ASKED) == {""}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"value": 8.1}, "value: expected 8.1, got 8.0"),
        ({"n": 2}, "n: expected 2, got 1"),
        ({"absent": True}, "expected absent, got 8.0"),
        ({"to": "2026-03-02T09:00:00Z"}, "expected 8, got absent"),
        ({"low": 1}, "low: expected 1, got None"),
        ({"to": "2026-03-02T09:00:01Z"}, "from and to must lie on 10-second edges"),
        ({"definition": "weekly"}, "asa_queue has no definition 'weekly'; known are enqueued, created"),
        ({"dims": {"agent": "a"}}, "asa_queue has no dimension 'agent'; it has tenant, queue, channel"),
        ({"from": "yesterday"}, "'yesterday' is not RFC 3339 with a zone"),
        ({"metric": "asa"}, "unknown metric 'asa'"),
        ({"metric": "in_queue"}, "in_queue is a level: ask for it `at` an instant"),
        ({"metric": ["asa_queue"]}, "unknown metric ['asa_queue']"),
        ({"to": "2026-03-02T08:00:00Z"}, "to lies before from"),
        ({"from": 5}, "`from` is 5, no instant as text"),
        ({"window": "1h"}, "an expectation asks `from` and `to`, or a `window`, not both"),
        ({"dims": ["q"]}, "`dims` is ['q'], no object of texts"),
        ({"dims": {"queue": 5}}, "`dims` is {'queue': 5}, no object of texts"),
        ({"value": None}, "`value` is None, no number"),
        ({"definition": 5}, "asa_queue: 5 is neither a definition's name nor its parameters"),
    ],
)
def test_whatever_is_wrong_is_told(wrong, told):
    assert faults({**ASKED, **wrong}) == {told}


def test_an_expectation_that_holds_whatever_comes_is_told():
    vacuous = {name: ASKED[name] for name in ("metric", "from", "to")}
    assert faults(vacuous) == {"nothing is expected: say `value`, `low`, `high`, `n` or `absent`"}


def test_half_a_window_is_told():
    assert faults({"metric": "offered", "from": "2026-03-02T09:00:00Z", "value": 1}) == {
        "an expectation with `from` needs `to`, and the reverse"
    }


def test_unknown_metric_is_marked_as_unknown():
    case = {"events": EVENTS, "expect": [{**ASKED, "metric": "asa"}]}
    assert not any(verdict.is_known for verdict in check(case))


def test_expectation_is_judged_in_six_orders():
    orders = [verdict.order for verdict in check({"events": EVENTS, "expect": [ASKED]})]
    assert orders == ["given", "reverse", "shuffle 0", "shuffle 1", "shuffle 2", "doubled"]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ([], "a case is an object"),
        ({}, "lists"),
        ({"events": []}, "lists"),
        ({"expect": []}, "lists"),
        ({"events": {}, "expect": []}, "lists"),
        ({"id": "X", "events": [{}, 3], "expect": []}, r"X: events\[1\] is no object: 3"),
        ({"id": "X", "events": [], "expect": [3]}, r"X: expect\[0\] is no object: 3"),
        ({"events": [], "expect": [], "tenants": ["t"]}, "`tenants` is an object"),
    ],
)
def test_file_that_is_no_case_is_told(case, told):
    with pytest.raises(CaseError, match=told):
        list(check(case))


def test_rejected_event_is_told_and_spoils_no_neighbour():
    """events.md §1: an event is judged alone."""
    broken = [{**EVENTS[0], "time": "now"}, *EVENTS]
    verdicts = list(check({"id": "X", "events": broken, "expect": [ASKED]}))
    assert {verdict.fault for verdict in verdicts} == {""}
    (told,) = {verdict.rejected for verdict in verdicts}
    assert told.startswith("event 0 is rejected: bad_time: 'now'")


def test_wrong_definitions_of_a_case_are_told():
    with pytest.raises(DefinitionsError, match=r"tenants\.t\.tz"):
        list(check({"events": EVENTS, "expect": [ASKED], "tenants": {"t": {"tz": "Mars"}}}))


def test_threshold_that_is_asked_for_is_declared():
    asked = {**ASKED, "metric": "abandon_rate", "definition": {"S": 7}, "value": 0, "n": 1}
    assert faults(asked) == {""}


def test_what_a_case_leaves_out_is_filled_in():
    (line,) = event_lines([{"type": "x"}])
    assert line == b'{"specversion":"1.0","source":"/case","tenantid":"t","id":"e0","type":"x"}'


def test_what_a_case_states_is_kept():
    (line,) = event_lines([{"type": "x", "id": "i", "source": "/s", "tenantid": "u", "specversion": "1.0"}])
    assert line == b'{"specversion":"1.0","source":"/s","tenantid":"u","id":"i","type":"x"}'


def test_replay_knows_no_horizon_and_no_future():
    lines = [
        raw(event("queued", 0, time=time, contact=time))
        for time in ("2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z")
    ]
    replayed = replay(lines, UNDECLARED)
    assert (replayed.applied["call"].late, replayed.dead_letters) == (0, [])
    assert len(replayed.population["call"]) == 2


@pytest.mark.parametrize(
    ("expected", "number", "agrees"),
    [
        ({"value": 2000}, Number(2001.0), True),  # 0.0005 of the value
        ({"value": 2000}, Number(2001.01), False),
        ({"value": -2000}, Number(-2001.0), True),
        ({"value": 0}, Number(1e-9), True),
        ({"value": 0}, Number(2e-9), False),
        ({"value": 10, "tol": 0.5}, Number(10.5), True),
        ({"value": 10, "tol": 0.5}, Number(10.51), False),
        ({"value": 10, "tol": 0}, Number(10), True),
        ({"value": 10, "tol": 0}, Number(10.001), False),
        ({"value": 0.5, "low": 0.4, "high": 0.6}, Number(0.5, 9, 0.4, 0.6), True),
        ({"value": 0.5, "low": 0.41}, Number(0.5, 9, 0.4, 0.6), False),
        ({"value": 0.5, "high": 0.61}, Number(0.5, 9, 0.4, 0.6), False),
        ({"absent": True}, Number(None, 0), True),
        ({"absent": True, "n": 0}, Number(None, 0), True),
        ({"absent": True, "n": 0}, Number(None, 1), False),
        ({"absent": True}, Number(0.0), False),
        ({"absent": False, "value": 1}, Number(1), True),
        ({"value": 0}, Number(None, 0), False),
        ({"n": 3}, Number(1.0, 3), True),
        ({"n": 3}, Number(1.0), False),
    ],
)
def test_tolerance_is_the_case_formats(expected, number, agrees):
    assert (difference(expected, number) == "") == agrees


def test_question_takes_everything_an_expectation_names():
    asked = question_of({**ASKED, "definition": "created", "dims": {"queue": "q"}})
    assert (asked.metric, asked.definition, asked.dims, asked.at) == (
        "asa_queue",
        "created",
        {"queue": "q"},
        None,
    )
    assert (asked.span.start, asked.span.end) == (1_772_442_000_000, 1_772_445_600_000)
