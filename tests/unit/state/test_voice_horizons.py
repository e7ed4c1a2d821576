"""How long surveys, accounts and agents stay: docs/decisions/0010-how-long-a-survey-stays.md."""

import pytest

from pipeline.metrics.buckets import DAY, LIVE
from pipeline.state.partition import Partition
from pipeline.state.retention import Horizons
from tests.builders import DAY as DAY_S
from tests.builders import UNDECLARED, Record, iso, raw

CSAT = {"kind": "csat", "score": 5, "scale_min": 1, "scale_max": 5}
MONTH = 30 * DAY_S


def said(stream, what, at, entity, **data):
    names = {"survey": {"survey_id": entity}, "agent": {"agent_id": entity}, "account": {}}
    return {
        "specversion": "1.0", "id": f"{what}-{entity}-{at}", "source": "/x", "tenantid": "t", "accountid": entity,
        "time": iso(at), "type": f"pulse.{stream}.{what}", "data": names[stream] | data,
    }  # fmt: skip


def live(stream, *told):
    found = Partition(UNDECLARED, Horizons(), stream=stream, check_future=False)
    applied = found.apply([Record(offset, raw(each)) for offset, each in enumerate(told)])
    return found, applied


def test_survey_leaves_thirty_days_after_its_last_event_and_what_it_counted_stays():
    told = [said("survey", "sent", 0, "s", kind="csat"), said("survey", "answered", DAY_S, "s", **CSAT)]
    there, _ = live("survey", *told, said("survey", "sent", MONTH + DAY_S - 1, "z", kind="nps"))
    gone, _ = live("survey", *told, said("survey", "sent", MONTH + DAY_S, "z", kind="nps"))
    assert sorted(there.entities.by_key) == ["t|s", "t|z"]
    assert sorted(gone.entities.by_key) == ["t|z"]
    days = {key[1]: cells for key, cells in gone.ledger.buckets.items() if key[0] == DAY}
    # The 10 seconds of the sending are closed after six hours; the day takes what they no longer take.
    assert days.pop("late") == {1: 1}
    assert days == {"survey_answers": {0: 1, 1: 1}, "survey_sent": {0: 1, 1: 1}}


def test_event_about_a_forgotten_survey_is_late():
    found, applied = live(
        "survey",
        said("survey", "sent", MONTH, "z", kind="nps"),
        said("survey", "answered", 0, "s", **CSAT),
    )
    assert (applied.late, "t|s" in found.entities.by_key) == (1, False)


def test_answer_a_month_after_the_sending_counts_among_the_answers_alone():
    found, _ = live(
        "survey",
        said("survey", "sent", 0, "s", kind="csat", queue_id="q"),
        said("survey", "answered", MONTH, "s", **CSAT),
    )
    days = {key[1]: (key[3], cells) for key, cells in found.ledger.buckets.items() if key[0] == DAY}
    assert days == {"survey_sent": (("q",), {0: 1}), "survey_answers": (("",), {0: 1, 1: 1})}


@pytest.mark.parametrize(
    ("stream", "first", "last", "family"),
    [
        (
            "account",
            said("account", "created", 0, "a", stage="adoption"),
            said("account", "stage_changed", 900 * DAY_S, "a", to="retention"),
            "stage_steps",
        ),
        (
            "agent",
            said("agent", "joined", 0, "a", department="support"),
            said("agent", "left", 900 * DAY_S, "a"),
            "headcount",
        ),
    ],
)
def test_accounts_and_agents_and_their_steps_never_leave(stream, first, last, family):
    found, applied = live(stream, last, first)
    assert applied.late == 0
    found.ledger.sweep(found.watermark)
    steps = [cells[0] for key, cells in sorted(found.ledger.buckets.items()) if key[1] == family]
    assert sorted(steps) == ([-1, 1, 1] if stream == "account" else [-1, 1])
    assert {key[0] for key in found.ledger.buckets} == {DAY}
    assert not {key for key in found.ledger.buckets if key[1] == "late"}


def test_a_step_of_a_closed_day_is_told_as_late_and_one_of_days_to_come_is_not():
    found, _ = live(
        "agent",
        said("agent", "joined", 10 * DAY_S, "z", department="support"),
        said("agent", "moved", 0, "a", from_department="support", to_department="sales"),
    )
    causes = {
        (key[3], key[4]): cause for key, cause in found.ledger.changed.items() if key[1] == "staff_steps"
    }
    assert sorted(set(causes.values())) == ["", "late"]


def test_surveys_keep_buckets_of_ten_seconds():
    found, _ = live("survey", said("survey", "answered", 0, "s", **CSAT))
    assert {key[0] for key in found.ledger.buckets} == {LIVE, DAY}
