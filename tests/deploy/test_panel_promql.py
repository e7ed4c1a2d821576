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
from tests.deploy.test_dashboard_values import ELSEWHERE
from tests.deploy.test_dashboards import PANELS

CHOSEN = {"$__rate_interval": "1m", "$tenant": "globex|acme", "$queue": "sales|vip"}
AT, IDLE = 300, 600
"""When all is asked; and when nothing has happened for minutes."""
QUIET = "0+0x40"


def always(value: float) -> str:
    return f"{value}+0x40"


def rising(by: float) -> str:
    """A counter, each 15 s: by `by` until 240 s, then by 4, 4, 8 and 8 times as much, then no more.

    In the minute before 300 s it rises by 24 `by`: 0.4 `by` a second.
    """
    steps = [16 * by + each * by for each in (4, 8, 16, 24)]
    return " ".join([f"0+{by}x16", *(str(each) for each in steps), f"{steps[-1]}+0x20"])


def sudden(by: float) -> str:
    """As much in the minute before 300 s, all of it in its first half, and nothing before it."""
    return f"0+0x16 {12 * by} {24 * by}+0x22"


SERIES = {
    # Newest per partition: 270, 250, 280, 290.
    **{
        f'pulse_heartbeat_{seen}_timestamp_seconds{{topic="{topic}",partition="{partition}",instance="{board}"}}': always(at - behind)
        for seen, behind in (("visible", 0), ("queryable", 100))
        for topic, partition, board, at in (
            ("pulse.call", 0, "a", 260), ("pulse.call", 0, "b", 270), ("pulse.call", 1, "a", 250), ("pulse.call", 1, "b", 240),
            ("pulse.ticket", 0, "a", 280), ("pulse.ticket", 1, "a", 290),
        )
    },
    'up{job="pulse",instance="a"}': always(1),
    'up{job="pulse",instance="b"}': always(1),
    'up{job="pulse",instance="c"}': always(0),
    'up{job="other",instance="d"}': always(1),
    'pulse_consumer_lag_messages{topic="pulse.call",partition="0",instance="a"}': always(5),
    'pulse_consumer_lag_messages{topic="pulse.call",partition="0",instance="b"}': always(7),
    'pulse_consumer_lag_messages{topic="pulse.call",partition="1",instance="a"}': always(3),
    'pulse_consumer_lag_messages{topic="pulse.ticket",partition="0",instance="a"}': always(10),
    'pulse_consumer_lag_messages{topic="pulse.ticket",partition="1",instance="a"}': always(4),
    'pulse_partition_open{topic="pulse.call",partition="0",instance="w1"}': always(1),
    'pulse_partition_open{topic="pulse.call",partition="0",instance="w2"}': always(0),
    'pulse_partition_open{topic="pulse.call",partition="1",instance="w1"}': always(0),
    'pulse_partition_open{topic="pulse.ticket",partition="0",instance="w2"}': always(1),
    'pulse_partition_open{topic="pulse.ticket",partition="1",instance="w2"}': always(1),
    # Newest: call 280 and 250, ticket 290 and 295.
    **{
        f'pulse_{name}_timestamp_seconds{{stream="{stream}",partition="{partition}",instance="{board}"}}': always(at)
        for name in ("state_log_append", "watermark")
        for stream, partition, board, at in (
            ("call", 0, "a", 270), ("call", 0, "b", 280), ("call", 1, "a", 250), ("call", 1, "b", 240),
            ("ticket", 0, "a", 290), ("ticket", 1, "a", 295),
        )
    },
    'pulse_events_consumed_total{stream="call",instance="w1"}': rising(10),
    'pulse_events_consumed_total{stream="call",instance="w2"}': rising(20),
    'pulse_events_consumed_total{stream="ticket",instance="w1"}': rising(5),
    'pulse_events_processed_total{outcome="applied",stream="call"}': rising(10),
    'pulse_events_processed_total{outcome="applied",stream="ticket"}': rising(15),
    'pulse_events_processed_total{outcome="late",stream="call"}': rising(5),
    'pulse_events_rejected_total{stream="call",reason="future",instance="w1"}': rising(10),
    'pulse_events_rejected_total{stream="call",reason="future",instance="w2"}': rising(5),
    'pulse_events_rejected_total{stream="call",reason="not_json",instance="w1"}': rising(20),
    'pulse_events_rejected_total{stream="ticket",reason="future",instance="w1"}': rising(30),
    **{
        f'pulse_{what}_late_today{{tenant="{tenant}",stream="{stream}",instance="{board}"}}': always(many + more)
        for what, more in (("events", 0), ("contributions", 50))
        for tenant, stream, board, many in (
            ("acme", "call", "a", 3), ("acme", "call", "b", 4), ("globex", "call", "a", 5), ("acme", "ticket", "a", 2),
        )
    },
    'pulse_transaction_seconds_sum{instance="w1"}': rising(0.25),
    'pulse_transaction_seconds_sum{instance="w2"}': rising(0.5),
    'pulse_transaction_seconds_count{instance="w1"}': rising(0.5),
    'pulse_transaction_seconds_count{instance="w2"}': rising(1),
    # Of 100: 50 up to 0.1 s, 40 more up to 1 s, 10 more up to 5 s.
    **{
        f'pulse_transaction_seconds_bucket{{instance="{worker}",le="{bound}"}}': shape(many)
        for worker, counts in (("w1", (30, 60, 70, 70)), ("w2", (20, 30, 30, 30)))
        for bound, shape, many in zip(("0.1", "1.0", "5.0", "+Inf"), (sudden, sudden, rising, rising), counts, strict=True)
    },
    'pulse_transactions_total{outcome="committed",instance="w1"}': rising(10),
    'pulse_transactions_total{outcome="committed",instance="w2"}': rising(5),
    'pulse_transactions_total{outcome="aborted",instance="w1"}': rising(1),
    **{
        f'{name}{{instance="{instance}"}}': always(value)
        for name, values in (
            ("pulse_state_entities", (100, 20)), ("pulse_state_buckets", (300, 40)), ("pulse_partition_poisoned", (1, 2)),
            ("pulse_board_refused", (3, 1)), ("pulse_sink_last_success_timestamp_seconds", (280, 295)),
            ("pulse_sink_batch_duration_seconds", (0.5, 0.25)),
        )
        for instance, value in zip(("a", "b"), values, strict=True)
    },
    'pulse_rebalances_total{instance="w1"}': rising(1),
    'pulse_rebalances_total{instance="w2"}': rising(2),
    'pulse_sink_state{state="running",instance="a"}': always(1),
    'pulse_sink_state{state="running",instance="b"}': always(1),
    'pulse_sink_state{state="stopped",instance="a"}': always(0),
    'pulse_sink_written_rows_total{instance="a"}': rising(10),
    'pulse_sink_written_rows_total{instance="b"}': rising(30),
    **{
        f'support_oldest_waiting_enqueued_timestamp_seconds{{tenant="{tenant}",queue="{queue}",channel="{channel}"}}': always(at)
        for tenant, queue, channel, at in (
            ("acme", "vip", "voice", 200), ("acme", "vip", "chat", 220), ("acme", "sales", "voice", 240),
            ("globex", "vip", "voice", 250), ("acme", "hidden", "voice", 100), ("other", "vip", "voice", 90),
        )
    },
    **{
        f'pulse_gaming_flags{{tenant="{tenant}",queue="{queue}",kind="{kind}",instance="{sink}"}}': always(days)
        for tenant, queue, kind, sink, days in (
            ("acme", "vip", "short_answers", "a", 1), ("acme", "vip", "short_answers", "b", 2),
            ("acme", "sales", "short_answers", "a", 3), ("acme", "vip", "solved_reopened", "a", 1),
            ("globex", "vip", "short_answers", "a", 4), ("acme", "hidden", "short_answers", "a", 7),
            ("other", "vip", "short_answers", "a", 7),
        )
    },
    **{
        f'success_{name}{{tenant="{tenant}"{window},instance="{board}"}}': always(many + more)
        for name, window, more in (
            ("headcount", "", 0), ("agents_moved", ',window="90d"', 20), ("agents_moved", ',window="30d"', 10),
            ("agents_left", ',window="90d"', 40), ("agents_left", ',window="30d"', 30),
        )
        for tenant, board, many in (("acme", "a", 10), ("acme", "b", 12), ("globex", "a", 5), ("other", "a", 99))
    },
}  # fmt: skip
Answer = dict[str, float]
"""By labels, as Prometheus writes them."""
EACH: dict[str, list[Answer]] = {
    "pipeline-health: Live numbers behind": [{"{}": 300 - 250}],
    "pipeline-health: ClickHouse behind": [{"{}": 300 - 150}],
    "pipeline-health: Processes up": [{"{}": 2 / 3}],
    "pipeline-health: Partitions without a worker": [{"{}": 4 - 3}],
    "pipeline-health: Behind, by stream": [{'{stream="call"}': 50, '{stream="ticket"}': 10}],
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
    "pipeline-health: Partitions taken away, refused, poisoned": [{"{}": 24 * 3}, {"{}": 3}, {"{}": 4}],
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
