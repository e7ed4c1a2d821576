"""The case files given to the project: every number whose metric exists, in every order of events."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.replay.cases import check, event_lines
from pipeline.sources.files import read_case
from tests import chain_oracle, oracle

PATHS = sorted((Path(__file__).parent / "cases").glob("*.json"))
CASES = {path.stem: read_case(path) for path in PATHS}


def streams(case):
    return {event["type"].split(".")[1] for event in case["events"]}


@pytest.mark.parametrize("name", CASES)
def test_every_number_whose_metric_exists_agrees_in_every_order(name):
    verdicts = list(check(CASES[name]))
    assert verdicts
    assert [verdict for verdict in verdicts if verdict.is_known and verdict.fault] == []
    assert Counter(verdict.order for verdict in verdicts) == dict.fromkeys(
        ["given", "reverse", "shuffle 0", "shuffle 1", "shuffle 2", "doubled"], len(CASES[name]["expect"])
    )


@pytest.mark.parametrize("name", CASES)
def test_case_is_answered_whole(name):
    assert all(verdict.is_known for verdict in check(CASES[name]))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if streams(case) == {"call"}])
def test_oracle_agrees_with_the_case_too(name):
    """The oracle is held to numbers from outside, or it could be wrong in the core's way."""
    case = CASES[name]
    events = [json.loads(line) for line in event_lines(case["events"])]
    for expected in case["expect"]:
        known = {*oracle.WINDOWS, *oracle.LEVELS, *chain_oracle.CHAINS, *chain_oracle.RANKS}
        if expected["metric"] in known and "window" not in expected:
            value, n = by_oracle(events, expected, case.get("definitions", {}))
            assert value == (None if expected.get("absent") else pytest.approx(expected["value"]))
            assert n is None or n == expected.get("n", n)


def by_oracle(events, expected, declared):
    name, dims = expected["metric"], expected.get("dims", {})
    if name in oracle.LEVELS:
        now = oracle.instant(expected["at"])
        stuck_after_ms = declared.get("stuck_after", 4 * 3600) * 1000
        found = oracle.chosen(oracle.legs(events, now), dims)
        return oracle.LEVELS[name](oracle.Asked(found, parameters={"stuck_after_ms": stuck_after_ms}), now)
    definition = expected.get("definition", {})
    definition = {"name": definition} if isinstance(definition, str) else definition
    start, end = oracle.instant(expected["from"]), oracle.instant(expected["to"])
    if name in chain_oracle.CHAINS:
        return chain_oracle.CHAINS[name](chain_oracle.chains(events), dims, start, end)
    legs = oracle.chosen(oracle.legs(events), dims)
    read = oracle.WINDOWS.get(name) or chain_oracle.RANKS[name]
    return read(oracle.Asked(legs, start, end, definition.get("by", "leave"), definition))
