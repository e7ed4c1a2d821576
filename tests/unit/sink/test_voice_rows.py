"""Surveys, accounts and agents as rows: columns by name, and what is left of what must go away."""

import pytest

from pipeline.sink.event_rows import source_rows
from pipeline.sink.tables import ACCOUNTS, AGENTS, ERASURES, RAW_EVENTS, SURVEYS
from tests.builders import ms
from tests.sink.told import log_of, rows_of, source_record
from tests.unit.state.test_voice_horizons import said

CSAT = {"kind": "csat", "score": 4, "scale_min": 1, "scale_max": 5}
TABLE = {"survey": SURVEYS, "account": ACCOUNTS, "agent": AGENTS}
FIRST = {
    "survey": said("survey", "sent", 0, "x", kind="csat", queue_id="q", ticket_id="t-1"),
    "account": said("account", "created", 0, "x", stage="onboarding", owner="o"),
    "agent": said("agent", "joined", 0, "x", department="support"),
}


def row(stream, *told):
    """Of the last commit: columns that say something."""
    rows = rows_of(log_of([list(told)], stream=stream))
    (found,) = [each for table, each in rows if table is TABLE[stream]]
    named = zip(TABLE[stream].columns, found, strict=True)
    return {name: value for name, value in named if value not in (None, "", 0, [])}


def test_an_answered_survey():
    answered = said("survey", "answered", 60, "x", comment=True, agent_id="a", **CSAT)
    assert row("survey", FIRST["survey"], answered) == {
        "tenant": "t", "survey_id": "x", "epoch": 1, "question": "csat", "sent_question": "csat", "queue": "q",
        "agent_id": "a", "ticket_id": "t-1", "account": "x", "sent_at": ms(0), "answered_at": ms(60), "score": 4,
        "scale_min": 1, "scale_max": 5, "commented": 1, "last_event_at": ms(60),
    }  # fmt: skip


def test_an_account_that_moved_on():
    told = [
        said("account", "stage_changed", 60, "x", to="adoption"),
        said("account", "problem_noted", 70, "x", ref="p"),
        said("account", "preference_noted", 80, "x", ref="r"),
    ]
    assert row("account", FIRST["account"], *told) == {
        "tenant": "t", "account": "x", "epoch": 1, "stage": "adoption", "owner": "o", "created_at": ms(0),
        "stay_stages": ["onboarding", "adoption"], "stay_entered_ms": [ms(0), ms(60)],
        "stay_left_ms": [ms(60), 0], "problems": ["p"], "preferences": ["r"], "last_event_at": ms(80),
    }  # fmt: skip


def test_a_merged_account_is_in_no_stage_and_names_the_other():
    found = row("account", FIRST["account"], said("account", "merged", 60, "x", into="y"))
    assert (found.get("stage"), found["merged_into"], found["merged_at"]) == (None, "y", ms(60))
    assert found["stay_left_ms"] == [ms(60)]


def test_an_agent_who_moved_and_left():
    told = [
        said("agent", "moved", 60, "x", from_department="support", to_department="sales"),
        said("agent", "left", 90, "x", voluntary=False),
    ]
    assert row("agent", FIRST["agent"], *told) == {
        "tenant": "t", "agent_id": "x", "epoch": 1, "post_departments": ["support", "sales"],
        "post_since_ms": [ms(0), ms(60)], "post_left_ms": [ms(60), ms(90)], "moved_ms": [ms(60)],
        "departed_ms": [ms(90)], "departed_voluntarily": [0], "last_event_at": ms(90),
    }  # fmt: skip


@pytest.mark.parametrize("stream", sorted(TABLE))
@pytest.mark.parametrize("what", ["voided", "deleted"])
def test_what_must_go_away_is_its_key_alone(stream, what):
    gone = said(stream, what, 60, "x") | {"corrects": FIRST[stream]["id"]}
    found = row(stream, FIRST[stream], gone)
    name = TABLE[stream].columns[1]
    assert found == {"tenant": "t", name: "x", "epoch": 1, "last_event_at": ms(60), "deleted": 1}
    erased = [
        each for table, each in rows_of(log_of([[FIRST[stream], gone]], stream=stream)) if table is ERASURES
    ]
    assert erased == ([("t", stream, "x")] if what == "deleted" else [])


@pytest.mark.parametrize("stream", sorted(TABLE))
def test_a_source_record_names_its_entity(stream):
    ((table, found),) = source_rows(source_record(FIRST[stream], 7), stream)
    assert table is RAW_EVENTS
    named = dict(zip(table.columns, found, strict=True))
    assert (named["stream"], named["entity"], named["account"]) == (stream, "x", "x")
    rows = source_rows(source_record(said(stream, "deleted", 60, "x"), 8), stream)
    assert (ERASURES, ("t", stream, "x")) in rows


@pytest.mark.parametrize("stream", sorted(TABLE))
def test_an_unknown_kind_of_event_is_kept_and_erases_nothing(stream):
    rows = source_rows(source_record(said(stream, "prophesied", 60, "x"), 8), stream)
    assert [table for table, _ in rows] == [RAW_EVENTS]
