"""The last hour minute by minute."""

import pytest

from pipeline.board.answers import QuestionError
from pipeline.board.fold import Fold
from pipeline.board.series import Hours, series_answer, series_question
from pipeline.board.showing import snapshot_of
from pipeline.metrics.catalogue import DefinitionError
from tests.board.log import Worker, tell
from tests.builders import UNDECLARED, event, ms

#   minute of T0+…  │ 58 ───── 59 ───── 60 (running, at 60:30)
#   answered        │ a 10 s    b 20 s, c 40 s
#   offered         │ a         b, c    d (waits)
TOLD = [
    event("queued", 58 * 60, contact="a", queue_id="sales"), event("answered", 58 * 60 + 10, contact="a"),
    event("queued", 59 * 60, contact="b", queue_id="sales"), event("answered", 59 * 60 + 20, contact="b"),
    event("queued", 59 * 60 + 5, contact="c", queue_id="billing"), event("answered", 59 * 60 + 45, contact="c"),
    event("queued", 60 * 60, contact="d", queue_id="billing"),
]  # fmt: skip


@pytest.fixture(scope="module")
def snapshot():
    fold = Fold(UNDECLARED, ms(3630))
    tell(fold, Worker(), TOLD, ms(3630))
    return snapshot_of(fold, UNDECLARED, ms(3630))


def values(snapshot, **query):
    return {
        each["metric"]: each["values"] for each in series_answer(snapshot, series_question(query))["series"]
    }


def test_an_hour_has_sixty_minutes_and_ends_with_the_running_one(snapshot):
    answer = series_answer(snapshot, series_question({"tenant": "t"}))
    assert (answer["from"], answer["step_seconds"]) == ("2026-03-02T09:01:00.000Z", 60)
    assert [len(each["values"]) for each in answer["series"]] == [60, 60, 60]
    assert answer["as_of"] == "2026-03-02T10:00:30.000Z"


def test_each_minute_is_made_of_its_own_parts(snapshot):
    told = values(snapshot, tenant="t")
    assert told["asa_queue"][-3:] == [10, 30, None]
    assert told["offered"][-3:] == [1, 2, 1]
    assert told["asa_queue"][:-3] == [None] * 57


def test_one_queue_can_be_asked_for(snapshot):
    assert values(snapshot, tenant="t", queue="billing")["asa_queue"][-3:] == [None, 40, None]
    assert values(snapshot, tenant="u")["offered"] == [0] * 60


def test_the_service_level_of_a_minute_counts_what_had_its_time(snapshot):
    """At 60:30 with 20 s to answer, cohorts up to 60:10 count: d is one of them and was not answered."""
    assert values(snapshot, metric="service_level")["service_level"][-3:] == [1, 0.5, 0]
    fold = Fold(UNDECLARED, ms(3615))
    tell(fold, Worker(), TOLD, ms(3615))
    young = snapshot_of(fold, UNDECLARED, ms(3615))
    assert values(young, metric="service_level")["service_level"][-1] is None


def test_an_answer_is_made_anew_when_ten_seconds_are_over(snapshot):
    hours, fold = Hours(), Fold(UNDECLARED, ms(3630))
    tell(fold, Worker(), TOLD, ms(3630))
    asked = series_question({"tenant": "t"})
    first = hours.answer(snapshot_of(fold, UNDECLARED, ms(3630)), asked)
    assert hours.answer(snapshot_of(fold, UNDECLARED, ms(3639)), asked) is first
    assert (
        hours.answer(snapshot_of(fold, UNDECLARED, ms(3639)), series_question({"tenant": "u"})) is not first
    )
    later = hours.answer(snapshot_of(fold, UNDECLARED, ms(3640)), asked)
    assert (later["as_of"], later["series"]) == ("2026-03-02T10:00:40.000Z", first["series"])


@pytest.mark.parametrize(
    ("query", "error"),
    [({"metric": "frt"}, QuestionError), ({"metric": "best"}, DefinitionError), ({"step": "1"}, QuestionError),
     ({"definition": "created"}, QuestionError), ({"metric": "asa_queue", "definition": "best"}, DefinitionError),
     ({"metric": "asa_queue,answered,offered,abandoned,wait_all,asa_p50,asa_p90"}, QuestionError)],
)  # fmt: skip
def test_what_has_no_series_is_refused(query, error):
    with pytest.raises(error):
        series_question(query)
