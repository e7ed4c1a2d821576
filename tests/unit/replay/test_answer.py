"""One question, one number: windows half open, instants as they were known, dimensions rolled up."""

import pytest

from pipeline.metrics.catalogue import DefinitionError
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import Window
from pipeline.replay.answer import answer, thresholds_of
from pipeline.replay.question import Question
from tests.builders import DAY, HOUR, UNDECLARED, event, ms, partition

TOLD = [
    event("queued", 0, contact="a"), event("answered", 10, contact="a"),
    event("queued", 10, contact="b", queue_id="r"), event("abandoned", 20, contact="b"),
    event("queued", 15, contact="d", tenantid="u"), event("answered", 45, contact="d", tenantid="u"),
]  # fmt: skip


def ask(metric, told=TOLD, definitions=UNDECLARED, **more):
    return answer(
        {"call": partition(told, definitions=definitions).entities.by_key},
        Question(metric, **more),
        definitions,
    )


def span(start, end):
    return Window(ms(start), ms(end))


def test_event_at_the_start_is_inside_and_at_the_end_is_not():
    #   [10 ─────────── 20)     answered at 10, abandoned at 20
    assert ask("answered", span=span(10, 20)).value == 1
    assert ask("abandoned", span=span(10, 20)).value == 0


def test_windows_that_follow_each_other_add_up():
    parts = [ask("answered", span=span(at, at + 10)).value for at in range(0, 60, 10)]
    assert sum(parts) == ask("answered", span=span(0, 60)).value == 2


def test_dimensions_not_named_are_rolled_up_as_sums_of_parts():
    #   waits 10 s and 30 s: the mean over tenants is 20, of two contacts
    assert ask("asa_queue", span=span(0, 60))[:2] == (20, 2)
    assert ask("asa_queue", span=span(0, 60), dims={"tenant": "t"})[:2] == (10, 1)
    assert ask("asa_queue", span=span(0, 60), dims={"queue": "r"})[:2] == (None, 0)
    assert ask("asa_queue", span=span(0, 60), dims={"tenant": "u", "channel": "voice"})[:2] == (30, 1)


@pytest.mark.parametrize(
    ("at", "waiting"), [(-0.001, 0), (0, 1), (9.999, 1), (10, 1), (15, 2), (20, 1), (45, 0)]
)
def test_level_at_an_instant_counts_facts_dated_at_or_before_it(at, waiting):
    assert ask("in_queue", at=ms(at)).value == waiting


def test_named_window_ends_with_its_instant():
    #   1m at 20 = [-30, 30), of which what is dated after 20 has not happened
    assert ask("abandoned", at=ms(20), window="1m").value == 1
    assert ask("abandoned", at=ms(19.999), window="1m").value == 0
    assert ask("answered", at=ms(44.999), window="1m").value == 1


def test_callback_scheduled_after_the_instant_is_not_yet_offered():
    told = [event("queued", 0, enqueued_at=27)]
    assert [ask("offered", told, at=ms(at), window="1m").value for at in (26.999, 27)] == [0, 1]


def test_cohort_as_of_an_instant_knows_no_later_outcome():
    asked = {"definition": {"by": "enqueue"}, "window": "1h"}
    assert ask("answered", at=ms(9.999), **asked).value == 0
    assert ask("answered", at=ms(10), **asked).value == 1


def test_today_is_each_tenants_own_day():
    #   09:00 UTC on 2 March is 22:00 on 1 March in Honolulu: the day ends at 10:00 UTC
    there = declare({"tenants": {"u": {"tz": "Pacific/Honolulu"}}})
    later = ms(2 * HOUR)
    assert ask("answered", at=later, window="today", definitions=there).value == 1
    assert ask("answered", at=later, window="today").value == 2
    assert ask("answered", at=later, window="7d", definitions=there).value == 2


@pytest.mark.parametrize(("window", "value"), [("today", 0), ("7d", 2), ("30d", 2), ("month", 2)])
def test_day_windows_reach_back_over_local_days(window, value):
    assert ask("answered", at=ms(6 * DAY), window=window).value == value
    assert ask("answered", at=ms(31 * DAY), window=window).value == 0


def test_counting_by_enqueue_asks_for_the_cohort():
    assert ask("answered", span=span(10, 20), definition={"by": "enqueue"}).value == 1
    assert ask("answered", span=span(40, 50), definition={"by": "enqueue"}).value == 0


def test_void_is_knowledge_and_holds_at_past_instants_too():
    told = [event("queued", 0, id="1"), event("voided", 100, corrects="1")]
    assert ask("in_queue", told, at=ms(50)).value == 0


@pytest.mark.parametrize(
    ("metric", "more", "told"),
    [
        ("offered", {}, "needs from and to, or at and window"),
        ("offered", {"at": 0}, "needs from and to, or at and window"),
        ("offered", {"at": 0, "window": "2m"}, "unknown window '2m'; known are 1m, 5m"),
        ("offered", {"span": Window(1, 10_000)}, "10-second edges"),
        ("offered", {"span": Window(0, 10_001)}, "10-second edges"),
        ("in_queue", {}, "ask for it `at` an instant"),
        ("in_queue", {"at": 0, "dims": {"path": "x"}}, "no dimension 'path'"),
        ("nonsense", {}, "unknown metric"),
    ],
)
def test_question_that_cannot_be_answered_says_how_to_ask(metric, more, told):
    with pytest.raises(DefinitionError, match=told):
        ask(metric, **more)


def test_thresholds_are_those_the_definitions_name():
    asked = [None, "strict", {"name": "genesys", "X": 30, "S": 7}, {"X": 30.0, "flowouts": True}, {"S": 0}]
    assert thresholds_of(asked) == (0.0, 7.0, 30.0)
