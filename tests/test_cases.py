"""The case files given to the project: every number whose metric exists, in every order of events."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.metrics.catalogue import METRICS
from pipeline.replay.cases import check, event_lines
from tests import chain_oracle, oracle

PATHS = sorted((Path(__file__).parent / "cases").glob("*.json"))
CASES = {path.stem: json.loads(path.read_text()) for path in PATHS}
WHOLE = [
    "A1",
    "A5",
    "A6",
    "C1",
    "C2",
    "C3",
    "R1-churn",
    "R2",
    "R3",
    "R4-effective",
    "R4-event",
    "R4-scheduled",
    "S1",
    "S2",
    "S3",
    "S4",
    "T1",
    "T2",
    "T3",
    "T4",
    "T5",
    "T6",
    "T7",
    "T8",
]

# Of each case that cannot be answered yet: what is missing. This list must shrink; a metric or stream
# that exists must be taken out of it.
MISSING_METRICS = {
    "adoption", "active_1d", "active_7d", "active_28d", "stickiness", "time_to_value_p50", "time_to_value_p75",
    "time_to_value_p90", "time_to_value_mean", "time_to_value_censored", "activation",
}  # fmt: skip
STREAMS_TO_COME = {"usage"}


def streams(case):
    return {event["type"].split(".")[1] for event in case["events"]}


def asked(case):
    return {expected["metric"] for expected in case["expect"]}


ANSWERABLE = sorted(name for name, case in CASES.items() if not streams(case) & STREAMS_TO_COME)
TO_COME = sorted(set(CASES) - set(ANSWERABLE))


@pytest.mark.parametrize("name", ANSWERABLE)
def test_every_number_whose_metric_exists_agrees_in_every_order(name):
    verdicts = list(check(CASES[name]))
    assert verdicts
    assert [verdict for verdict in verdicts if verdict.is_known and verdict.fault] == []
    assert Counter(verdict.order for verdict in verdicts) == dict.fromkeys(
        ["given", "reverse", "shuffle 0", "shuffle 1", "shuffle 2", "doubled"], len(CASES[name]["expect"])
    )


@pytest.mark.parametrize("name", WHOLE)
def test_case_is_answered_whole(name):
    assert all(verdict.is_known for verdict in check(CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_metric_that_is_not_answered_is_known_to_be_missing(name):
    assert asked(CASES[name]) - set(METRICS) <= MISSING_METRICS


def test_what_is_listed_as_missing_is_missing_and_asked_for_or_to_come():
    assert not MISSING_METRICS & set(METRICS)


@pytest.mark.parametrize("name", TO_COME)
def test_case_of_a_stream_to_come_asks_for_nothing_that_exists(name):
    assert not asked(CASES[name]) & set(METRICS)


def test_streams_to_come_are_those_of_the_cases_not_answered():
    found = set().union(*(streams(CASES[name]) for name in TO_COME))
    assert found <= STREAMS_TO_COME


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if streams(case) == {"call"}])
def test_oracle_agrees_with_the_case_too(name):
    """The oracle is held to numbers from outside, or it could be wrong in the core's way."""
    case = CASES[name]
    events = [json.loads(line) for line in event_lines(case["events"])]
    for expected in case["expect"]:
        known = {*oracle.WINDOWS, *oracle.LEVELS, *chain_oracle.CHAINS, *chain_oracle.RANKS}
        if expected["metric"] in known and "window" not in expected:
            value, n = by_oracle(events, expected)
            assert value == (None if expected.get("absent") else pytest.approx(expected["value"]))
            assert n is None or n == expected.get("n", n)


def by_oracle(events, expected):
    name, dims = expected["metric"], expected.get("dims", {})
    if name in oracle.LEVELS:
        now = oracle.instant(expected["at"])
        return oracle.LEVELS[name](oracle.Asked(oracle.chosen(oracle.legs(events, now), dims)), now)
    definition = expected.get("definition", {})
    definition = {"name": definition} if isinstance(definition, str) else definition
    start, end = oracle.instant(expected["from"]), oracle.instant(expected["to"])
    if name in chain_oracle.CHAINS:
        return chain_oracle.CHAINS[name](chain_oracle.chains(events), dims, start, end)
    legs = oracle.chosen(oracle.legs(events), dims)
    read = oracle.WINDOWS.get(name) or chain_oracle.RANKS[name]
    return read(oracle.Asked(legs, start, end, definition.get("by", "leave"), definition))
