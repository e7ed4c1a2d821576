"""What single surveys, accounts and agents say and count: one sentence each."""

import pytest

from pipeline.entities.account import Stay, read_profile, stays
from pipeline.entities.account_metrics import contributions as account_contributions
from pipeline.entities.agent import Post, read_career
from pipeline.entities.agent_metrics import contributions as agent_contributions
from pipeline.entities.factset import FactSet, as_of, merge
from pipeline.entities.survey import read_survey
from pipeline.entities.survey_metrics import contributions as survey_contributions
from pipeline.events import account, agent, survey
from pipeline.metrics.definitions import UTC_ZONE
from pipeline.metrics.numbers import Number
from pipeline.metrics.people import attrition
from pipeline.metrics.surveys import nps
from tests.builders import HOUR, UNDECLARED, iso, ms, raw

DECODE = {"survey": survey.decode, "account": account.decode, "agent": agent.decode}
FIVE = {"kind": "csat", "scale_min": 1, "scale_max": 5}
TEN = {"kind": "nps", "scale_min": 0, "scale_max": 10}


def entity(stream, *told):
    """`told`: (what, seconds after T0, data); `id`, `corrects` and `source` of data go to the envelope."""
    found = FactSet([], [])
    for place, (what, at, stated) in enumerate(told):
        data = dict(stated)
        envelope = {name: data.pop(name) for name in ("id", "corrects", "source") if name in data}
        names = {"survey": {"survey_id": "s"}, "agent": {"agent_id": "a"}, "account": {}}[stream]
        said = {
            "specversion": "1.0", "id": f"e{place}", "source": "/x", "tenantid": "t", "accountid": "acc",
            "time": iso(at), "type": f"pulse.{stream}.{what}", "data": names | data, **envelope,
        }  # fmt: skip
        merge(found, DECODE[stream](raw(said)))
    return found


def counted(*told):
    return {(part[0], part[2]): part[3] for part in survey_contributions(entity("survey", *told))}


@pytest.mark.parametrize(
    ("low", "high", "score", "satisfied"),
    [
        (1, 5, 4, True), (1, 5, 3, False), (1, 5, 3.99, False),
        (1, 7, 6, True), (1, 7, 5.5, True), (1, 7, 5, False),
        (0, 10, 7.5, True), (0, 10, 7, False), (1, 10, 8, True), (1, 10, 7, False),
        (0, 1, 1, True), (0, 1, 0, False), (-2, 2, 1, True), (-2, 2, 0, False),
    ],
)  # fmt: skip
def test_top_quarter_of_any_scale_is_satisfied(low, high, score, satisfied):
    found = counted(("answered", 0, {"kind": "csat", "scale_min": low, "scale_max": high, "score": score}))
    assert found == {("survey_answers", ms(0)): (0, 1, *((1, 1) if satisfied else ()))}


@pytest.mark.parametrize(
    ("score", "cell"), [(10, 3), (9, 3), (8.5, 4), (8, 4), (7, 4), (6.5, 4), (6, 5), (0, 5)]
)
def test_nps_answer_is_promoter_passive_or_detractor(score, cell):
    assert counted(("answered", 0, {**TEN, "score": score})) == {("survey_answers", ms(0)): (cell, 1)}


def test_nps_answer_on_another_scale_counts_nowhere():
    assert counted(("answered", 0, {"kind": "nps", "scale_min": 1, "scale_max": 10, "score": 9})) == {}


def test_question_of_an_unknown_kind_counts_nowhere():
    assert (
        counted(("sent", 0, {"kind": "smiley"}), ("answered", 1, {**FIVE, "kind": "ces", "score": 5})) == {}
    )


def test_last_answer_takes_the_place_of_the_first():
    found = counted(("answered", 0, {**FIVE, "score": 5}), ("answered", 60, {**FIVE, "score": 1}))
    assert found == {("survey_answers", ms(60)): (0, 1)}


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ({"id": "a"}, {"id": "b"}, 2),
        ({"id": "b"}, {"id": "a"}, 1),
        ({"id": "a", "source": "/y"}, {"id": "b", "source": "/x"}, 1),
        ({"id": "e10"}, {"id": "e9"}, 2),
    ],
)
def test_of_answers_of_one_instant_the_last_by_source_and_id_holds(first, second, score):
    told = [("answered", 0, {**FIVE, "score": 1, **first}), ("answered", 0, {**FIVE, "score": 2, **second})]
    assert read_survey(entity("survey", *told)).answer.score == score
    assert read_survey(entity("survey", *told[::-1])).answer.score == score


def test_queue_of_the_sending_is_that_of_the_answer_that_names_none():
    found = read_survey(
        entity(
            "survey", ("sent", 0, {"kind": "csat", "queue_id": "q"}), ("answered", 9, {**FIVE, "score": 5})
        )
    )
    assert found.queue == "q"


def test_comment_once_made_is_not_unmade_by_an_answer_that_says_nothing_of_it():
    told = [("answered", 0, {**FIVE, "score": 5, "comment": True}), ("answered", 9, {**FIVE, "score": 4})]
    assert read_survey(entity("survey", *told)).commented
    denied = ("answered", 10, {**FIVE, "score": 4, "comment": False})
    assert not read_survey(entity("survey", *told, denied)).commented


def test_answer_counts_for_the_day_its_survey_was_sent_whenever_it_comes():
    found = counted(("sent", 0, {"kind": "csat"}), ("answered", 48 * HOUR, {**FIVE, "score": 1}))
    assert found[("survey_sent", ms(0))] == (0, 1, 1, 1)


def test_nps_of_one_answer_has_an_interval_of_a_point():
    assert nps({3: 1}, {}, UNDECLARED) == Number(100, 1, 100, 100)
    assert nps({}, {}, UNDECLARED) == Number(None, 0)


def test_stage_restated_is_one_stay():
    told = [("created", 0, {"stage": "adoption"}), ("stage_changed", 60, {"to": "adoption"})]
    assert stays(entity("account", *told)) == [Stay("adoption", ms(0))]


def test_stage_entered_and_left_at_one_instant_was_none():
    told = [
        ("created", 0, {"stage": "onboarding"}),
        ("stage_changed", 60, {"to": "adoption", "id": "a"}),
        ("stage_changed", 60, {"to": "retention", "id": "b"}),
    ]
    assert stays(entity("account", *told)) == [
        Stay("onboarding", ms(0), ms(60), "retention"),
        Stay("retention", ms(60)),
    ]


def test_merged_account_leaves_its_stage_without_a_move():
    found = entity("account", ("created", 0, {"stage": "onboarding"}), ("merged", 60, {"into": "b"}))
    assert stays(found) == [Stay("onboarding", ms(0), ms(60))]
    assert [part[0] for part in account_contributions(found)] == ["stage_steps", "stage_steps"]
    assert read_profile(found).merged_into == "b"


def test_account_without_a_stage_is_in_none():
    assert account_contributions(entity("account", ("created", 0, {"owner": "o"}))) == []


def test_owner_not_stated_again_stays():
    told = [
        ("created", 0, {"owner": "o", "plan": "pro"}),
        ("owner_changed", 9, {"to": "p"}),
        ("created", 10, {}),
    ]
    profile = read_profile(entity("account", *told))
    assert (profile.owner, profile.plan, profile.created_at) == ("p", "pro", ms(0))


MOVE = {"from_department": "support", "to_department": "product"}


def career(*told):
    return read_career(entity("agent", *told))


def test_agent_is_on_the_staff_from_joined_to_left():
    found = career(
        ("joined", 0, {"department": "support"}), ("moved", 5, MOVE), ("left", 9, {"voluntary": True})
    )
    assert found.posts == [Post("support", ms(0), ms(5)), Post("product", ms(5), ms(9))]
    assert (found.moves, found.departures) == ([ms(5)], [(ms(9), True)])


def test_agent_who_comes_back_is_there_again():
    found = career(
        ("joined", 0, {"department": "support"}), ("left", 5, {}), ("joined", 9, {"department": "sales"})
    )
    assert [post.since for post in found.posts] == [ms(0), ms(9)]
    assert found.departures == [(ms(5), None)]


def test_agent_whose_joining_is_not_known_can_move_and_leave_once():
    found = career(("moved", 0, MOVE), ("left", 5, {}), ("left", 6, {}), ("moved", 7, MOVE))
    assert (found.posts, found.moves, found.departures) == ([], [ms(0)], [(ms(5), None)])


def test_move_within_a_department_is_none():
    assert career(("moved", 0, {"from_department": "support", "to_department": "support"})).moves == []


def test_change_of_state_is_no_fact_of_the_agent():
    found = entity("agent", ("state_changed", 5, {"to": "busy"}))
    assert (found.facts, found.touched_at) == ([], ms(5))


def test_change_of_state_can_correct_a_fact():
    found = entity(
        "agent",
        ("joined", 0, {"id": "j", "department": "support"}),
        ("state_changed", 5, {"to": "busy", "corrects": "j"}),
    )
    assert found.facts == []


def test_two_moves_of_a_window_count_once_and_until_the_last_one_is_out_of_it():
    told = entity("agent", ("moved", 0, MOVE), ("moved", 48 * HOUR, {**MOVE, "to_department": "sales"}))
    steps = [(part[2], part[3]) for part in agent_contributions(told, UTC_ZONE) if part[1] == ("7d",)]
    midnight = ms(-9 * HOUR)  # T0 is nine in the morning
    assert steps == [(midnight, (0, 1)), (midnight + 9 * 86_400_000, (0, -1))]


def test_window_of_the_month_ends_with_the_month():
    steps = agent_contributions(entity("agent", ("moved", 0, MOVE)), UTC_ZONE)
    (first, last) = [part[2] for part in steps if part[1] == ("month",)]
    assert (last - first) // 86_400_000 == 30  # from 2 March to 1 April


def test_attrition_is_over_the_mean_headcount():
    assert attrition(2, 4, 3) == Number(2 / 3.5, 4)
    assert attrition(1, 0, 0) == Number(None, 0)


def test_entity_as_of_an_instant_knows_what_is_dated_at_it():
    told = entity(
        "account", ("created", 0, {"stage": "onboarding"}), ("stage_changed", 60, {"to": "adoption"})
    )
    assert [len(stays(as_of(told, ms(at)))) for at in (-1, 0, 59.999, 60)] == [0, 1, 1, 2]
