"""Questions about surveys, stages and staff: the oracle held to the cases, and what is refused."""

import json
from pathlib import Path

import pytest

from pipeline.metrics.catalogue import DefinitionError
from pipeline.metrics.definitions import declare
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, question_of, replay
from pipeline.replay.question import Question
from tests import voice_oracle as oracle

CASES = Path(__file__).parents[2] / "cases"
TWO_ZONES = declare({"tenants": {"t": {"tz": "Europe/Bucharest"}, "u": {"tz": "UTC"}}})


def case(name):
    return json.loads((CASES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["S1", "S2", "S3", "S4"])
def test_oracle_agrees_with_the_case_too(name):
    """The oracle is held to numbers from outside, or it could be wrong in the core's way."""
    told = case(name)
    events = [json.loads(line) for line in event_lines(told["events"])]
    for said in events:  # the oracle reads numbers as numbers
        for field in ("score", "scale_min", "scale_max"):
            if field in said["data"]:
                said["data"][field] = float(said["data"][field])
    definitions = declare({"tenants": told.get("tenants", {})})
    for expected in told["expect"]:
        found = by_oracle(events, expected, definitions)
        if found is not None:
            value, n = found
            assert value == (
                None if expected.get("absent") else pytest.approx(expected["value"], abs=expected.get("tol"))
            )
            assert n is None or n == expected.get("n", n)


def by_oracle(events, expected, definitions):
    name, dims, question = expected["metric"], expected.get("dims", {}), question_of(expected)
    if name in oracle.LEVELS:
        return oracle.LEVELS[name](events, question.at, dims)
    if question.span is None and ("tenant" not in dims or question.window == "1m"):
        return None
    span = question.span or oracle.window(question.window, question.at, definitions.zone(dims["tenant"]))
    return {**oracle.SURVEYS, **oracle.DAYS}[name](events, *span, dims, question.at)


def asked(metric, definitions=TWO_ZONES, dims=None, span=None, **more):
    events = case("S3")["events"] + case("S4")["events"]
    question = {"metric": metric, "dims": dims or {}, **more}
    if span is not None:
        question |= dict(zip(("from", "to"), span, strict=True))
    return answer(replay(event_lines(events), definitions).population, question_of(question), definitions)


BUCHAREST = ("2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z")


@pytest.mark.parametrize("metric", ["stage_moves", "time_in_stage", "internal_mobility", "attrition"])
def test_a_free_window_lies_on_local_midnights(metric):
    asked(metric, dims={"tenant": "t"}, span=BUCHAREST)
    with pytest.raises(DefinitionError, match=r"local midnights \(UTC\)"):
        asked(metric, dims={"tenant": "u"}, span=BUCHAREST)
    with pytest.raises(DefinitionError, match=r"local midnights \(Europe/Bucharest\)"):
        asked(metric, dims={"tenant": "t"}, span=("2026-03-28T22:00:00Z", "2026-03-29T22:00:00Z"))


@pytest.mark.parametrize("metric", ["stage_moves", "attrition"])
def test_a_window_shared_by_tenants_of_other_zones_is_refused(metric):
    with pytest.raises(DefinitionError, match="local midnights"):
        asked(metric, span=BUCHAREST)


@pytest.mark.parametrize("metric", ["stage_moves", "internal_mobility"])
def test_a_window_of_minutes_is_refused(metric):
    with pytest.raises(DefinitionError, match="no window '5m'; known are today"):
        asked(metric, at="2026-03-30T00:00:00Z", window="5m")


@pytest.mark.parametrize("metric", ["accounts_in_stage", "headcount"])
def test_a_level_is_asked_at_an_instant(metric):
    with pytest.raises(DefinitionError, match="ask for it `at` an instant"):
        asked(metric, span=BUCHAREST)


@pytest.mark.parametrize(("metric", "known"), [("stage_moves", "tenant, from, to"), ("attrition", "tenant")])
def test_an_unknown_dimension_is_told_the_known_ones(metric, known):
    with pytest.raises(DefinitionError, match=f"no dimension 'queue'; it has {known}"):
        asked(metric, dims={"queue": "q"}, at="2026-03-30T00:00:00Z", window="30d")


@pytest.mark.parametrize("metric", ["stage_moves", "attrition", "headcount", "csat", "nps"])
def test_a_question_about_nothing_is_answered(metric):
    number = answer({}, Question(metric, at=0, window="today"), TWO_ZONES)
    assert number.value == (0 if metric in {"stage_moves", "headcount"} else None)


def test_a_definition_nobody_knows_is_refused():
    with pytest.raises(DefinitionError, match="csat has no parameter 'scale'"):
        answer({}, Question("csat", {"scale": 5}, at=0, window="today"), TWO_ZONES)
