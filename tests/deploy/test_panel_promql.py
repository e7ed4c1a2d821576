"""Panels that nothing on the board says as well: their PromQL over series written down here, on the real engine of rules.

Values are worked by hand for the moment 300 s; two processes tell most series. Every other operator, aggregation, label,
range and number of a query must give another answer. Business panels: test_dashboard_values.py.
"""

import json
import re
from typing import Any, NamedTuple

import yaml

from tests.alerts.mutants import mutants
from tests.alerts.rules import run
from tests.deploy.panel_series import AT, IDLE, SERIES
from tests.deploy.test_dashboard_values import ELSEWHERE
from tests.deploy.test_dashboards import PANELS

CHOSEN = {"$__rate_interval": "1m", "$tenant": "globex|acme", "$queue": "sales|vip"}
Answer = dict[str, float]
"""By labels, as Prometheus writes them."""
EACH: dict[str, list[Answer]] = {
    "pipeline-health: Live numbers behind": [{"{}": 300 - 250}],
    "pipeline-health: ClickHouse behind": [{"{}": 300 - 150}],
    "pipeline-health: Processes up": [{"{}": 2 / 3}],
    "pipeline-health: Partitions without a worker": [{"{}": 4 - 3}],
    "pipeline-health: Behind, by stream": [{'{stream="call"}': 50, '{stream="ticket"}': 10}],
    "pipeline-health: Age of what boards show": [{'{instance="a"}': 20, '{instance="b"}': 5}],
    "pipeline-health: Kept for the sink alone": [
        {'{topic="pulse.call.state"}': 7 + 3, '{topic="pulse.ticket.state"}': 2}
    ],
    "pipeline-health: Samples of a scrape": [
        {
            '{role="board", instance="a"}': 900,
            '{role="sink", instance="a"}': 50,
            '{role="sink", instance="b"}': 60,
        }
    ],
    "pipeline-health: Events not yet counted": [
        {'{topic="pulse.call"}': 7 + 3, '{topic="pulse.ticket"}': 14}
    ],
    "pipeline-health: Events by stream": [{'{stream="call"}': 0.4 * 30, '{stream="ticket"}': 0.4 * 5}],
    "pipeline-health: What became of them": [{'{outcome="applied"}': 0.4 * 25, '{outcome="late"}': 0.4 * 5}],
    "pipeline-health: Rejected by reason": [
        {
            '{stream="call", reason="future"}': 0.4 * 15,
            '{stream="call", reason="not_json"}': 0.4 * 20,
            '{stream="ticket", reason="future"}': 0.4 * 30,
        }
    ],
    "pipeline-health: Too late today": [
        {'{stream="call"}': 4 + 5, '{stream="ticket"}': 2},
        {'{stream="call"}': 54 + 55, '{stream="ticket"}': 52},
    ],
    "pipeline-health: Newest event in the numbers": [{'{stream="call"}': 50, '{stream="ticket"}': 10}],
    # The 99th of 100 is nine tenths of the way from 1 to 5 s.
    "pipeline-health: How long a commit takes": [{"{}": 0.75 / 1.5}, {"{}": 1 + 0.9 * 4}],
    "pipeline-health: Commits by outcome": [{'{outcome="committed"}': 0.4 * 15, '{outcome="aborted"}': 0.4}],
    "pipeline-health: In memory": [{"{}": 120}, {"{}": 340}],
    "pipeline-health: Partitions taken away, refused, poisoned": [
        {"{}": 24 * 3},
        {"{}": 3},
        {"{}": 4},
        {"{}": 24 * 5},
    ],
    "pipeline-health: State of the sink": [{'{state="running"}': 2, '{state="stopped"}': 0}],
    "pipeline-health: Since the last write, and for how long rows wait": [{"{}": 300 - 280}, {"{}": 0.75}],
    "pipeline-health: Rows written": [{"{}": 0.4 * 40}],
    "support-live: Age of these numbers": [{"{}": 300 - 250}],
    "support-live: Longest wait now": [{'{tenant="acme", queue="vip"}': 300 - 200}],
    "queues-in-depth: Longest wait now": [
        {
            '{tenant="acme", queue="vip"}': 100,
            '{tenant="acme", queue="sales"}': 60,
            '{tenant="globex", queue="vip"}': 50,
        }
    ],
    "voice-and-gaming: Flagged days of the last seven": [
        {
            '{tenant="acme", kind="short_answers"}': 2 + 3,
            '{tenant="acme", kind="solved_reopened"}': 1,
            '{tenant="globex", kind="short_answers"}': 4,
        }
    ],
    "voice-and-gaming: Staff": [{"{}": 12 + 5}, {"{}": 32 + 25}, {"{}": 52 + 45}],
}
EQUIVALENT = (
    # Each partition is counted once, whichever of its boards is asked.
    r"^count\(\[max → min\]",
    # Held by a test of its own.
    r"_seconds_count\[1m\]\)\) \[> → >=\] 0",
)


class Asked(NamedTuple):
    name: str
    expr: str
    answer: Answer


def asked() -> list[Asked]:
    found = []
    for shown in PANELS:
        if shown.name in EACH:
            for expr, answer in zip(shown.expressions, EACH[shown.name], strict=True):
                for name, value in CHOSEN.items():
                    expr = expr.replace(name, value)  # noqa: PLW2901 - one choice after the other
                found.append(Asked(shown.name, expr, answer))
    return found


ASKED = asked()


def check(expr: str, answer: Answer, at: int = AT) -> dict[str, Any]:
    samples = [{"labels": labels, "value": value} for labels, value in answer.items()]
    return {"expr": expr, "eval_time": f"{at}s", "exp_samples": samples}


def wrong(checks: list[dict[str, Any]], tmp_path) -> set[str]:
    """The expressions that are not answered so; to six digits, as floats add up in no order."""
    for each in checks:
        each["expr"] = f"round({each['expr']}, 1e-6)"
        for sample in each["exp_samples"]:
            sample["value"] = round(sample["value"], 6)
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    test = {"interval": "15s", "input_series": series, "promql_expr_test": checks}
    told = {"rule_files": [], "evaluation_interval": "15s", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(told))
    done = run("promtool", "test", "rules", tmp_path / "test.yml")
    said = done.stdout + done.stderr
    found = {json.loads(each) for each in re.findall(r'expr: ("(?:[^"\\]|\\.)*"), time:', said)}
    assert bool(found) == (done.returncode != 0), said
    return {each.removeprefix("round(").removesuffix(", 1e-6)") for each in found}


def test_every_query_that_the_board_does_not_say_as_well_is_worked_here():
    held = {name.partition(": ")[0] for name in EACH} - {"pipeline-health"}
    of_pipeline = {shown.name for shown in PANELS if shown.board == "pipeline-health" and shown.expressions}
    assert EACH.keys() == of_pipeline | {name for name, _ in ELSEWHERE}
    assert held == {name.partition(": ")[0] for name, _ in ELSEWHERE}


def test_panels_answer_what_was_worked_by_hand(tmp_path):
    assert wrong([check(each.expr, each.answer) for each in ASKED], tmp_path) == set()


def test_no_commit_is_no_duration(tmp_path):
    """Rather than 0 / 0."""
    (mean,) = [each.expr for each in ASKED if "_seconds_sum" in each.expr]
    assert wrong([check(mean, {}, IDLE)], tmp_path) == set()
    assert wrong([check(mean.replace(" > 0", " >= 0"), {}, IDLE)], tmp_path)


def test_no_mutant_of_a_query_answers_the_same(tmp_path):
    found = [
        (each, mutant)
        for each in ASKED
        for mutant in mutants({"expr": each.expr})
        if not any(re.search(known, mutant.what) for known in EQUIVALENT)
    ]
    noticed = wrong([check(mutant.rule["expr"], each.answer) for each, mutant in found], tmp_path)
    alive = [f"{each.name}: {mutant.what}" for each, mutant in found if mutant.rule["expr"] not in noticed]
    print(f"{len(found)} mutants")
    assert not alive, "\n".join(alive)
