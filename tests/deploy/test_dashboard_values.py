"""What a panel tells is what the board says of the metric it names: right parts, window, definition and formula.

Said here once more, apart from the code of the dashboards: for each query of a business dashboard the metric of
docs/metrics.md, its window and which end of its interval. Every other window, definition, operator or number in a
query must give another answer.
"""

import re
import time
import urllib.parse
from typing import Any, NamedTuple, TypeAlias

import pytest

from tests.deploy.rig import Rig, fetched
from tests.deploy.test_dashboard_queries import EXPRESSIONS, asked

NOW, HOUR, MONTH, QUARTER = "now", "1h", "30d", "90d"


class Same(NamedTuple):
    """As the board's API names it. `end`: of the interval, or the value itself."""

    metric: str
    window: str
    definition: str = "default"
    end: str = "value"


IN_DEPTH = {
    "Speed of answer": {"": Same("asa_queue", HOUR, "enqueued")},
    "Wait that nine of ten did not exceed": {"": Same("asa_p90", HOUR)},
    "Service level by definition": {"": Same("service_level", HOUR, "")},
    "Service level and how sure it is": {
        "at best": Same("service_level", HOUR, "strict", "high"),
        "": Same("service_level", HOUR, "strict"),
        "at least": Same("service_level", HOUR, "strict", "low"),
    },
    "From first enqueue to a human, by path": {"": Same("asa_customer", HOUR)},
    "Offered": {"": Same("offered", HOUR)},
    "Ways out": {
        "answered": Same("answered", HOUR),
        "abandoned": Same("abandoned", HOUR),
        "callbacks requested": Same("callbacks_requested", HOUR),
        "transferred out": Same("transferred_out", HOUR),
        "flowed out": Same("flowed_out", HOUR),
        "bot answered": Same("bot_answered", HOUR),
    },
    "Abandoned": {"": Same("abandon_rate", HOUR)},
    "Waiting now": {"": Same("in_queue", NOW)},
    "Callbacks kept": {"": Same("callback_kept", HOUR)},
    "Promised and lost": {
        "scheduled callbacks": Same("scheduled", NOW),
        "without an end": Same("stuck", NOW),
        "contradicting": Same("quarantined", NOW),
    },
    "First response": {"": Same("frt", HOUR)},
    "Open tickets by age": {"": Same("backlog", NOW)},
    "Reopened": {"": Same("reopen_rate", MONTH)},
    "Without a first response": {"": Same("frt_overdue", NOW, "count")},
}
SUCCESS = {
    "Churn": {
        "at most": Same("churn", MONTH, "start", "high"),
        "": Same("churn", MONTH, "start"),
        "at least": Same("churn", MONTH, "start", "low"),
    },
    "Revenue kept": {"net": Same("nrr", MONTH), "gross": Same("grr", MONTH)},
    "How revenue moved": {
        kind: Same(f"mrr_{kind}", MONTH)
        for kind in ("new", "reactivation", "expansion", "contraction", "churn")
    },
    "Monthly recurring revenue": {"": Same("mrr", NOW)},
    "Active accounts and their seats": {
        "accounts": Same("active_accounts", NOW),
        "seats": Same("seats", NOW),
        "seats gained": Same("seat_expansion", MONTH),
    },
    "Accounts by stage": {"": Same("accounts_in_stage", NOW)},
    "Adoption": {"": Same("adoption", NOW)},
    "Active, and how often": {
        "today": Same("active_1d", NOW),
        "in 7 days": Same("active_7d", NOW),
        "in 28 days": Same("active_28d", NOW),
    },
    "Stickiness": {"": Same("stickiness", NOW)},
    "Time to value": {"": Same("time_to_value_mean", NOW)},
    "Not there yet": {"": Same("time_to_value_censored", NOW)},
    "Net promoter score": {"": Same("nps", MONTH)},
}
LIVE = {
    "Service level, 30 min, at best": {"": Same("service_level", "30m", "strict", "high")},
    "Speed of answer, 5 min": {"": Same("asa_queue", "5m", "enqueued")},
    "Abandoned, 1 h, at least": {"": Same("abandon_rate", HOUR, end="low")},
    "Tickets without a first response": {"": Same("frt_overdue", NOW, "count")},
}
VOICE = {
    "Satisfied": {"": Same("csat", MONTH)},
    "Satisfied, and how sure": {
        "at best": Same("csat", MONTH, end="high"),
        "": Same("csat", MONTH),
        "at least": Same("csat", MONTH, end="low"),
    },
    "Who answers at all": {"": Same("csat_response_rate", MONTH)},
    "Who adds a word": {"": Same("csat_commented", MONTH)},
    "Net promoter score": {"": Same("nps", MONTH)},
    "Promoters, passives, detractors": {
        kind: Same(kind, MONTH) for kind in ("promoters", "passives", "detractors")
    },
    "Staff": {"on the staff": Same("headcount", NOW)},
    "Who goes, and where to": {
        "left": Same("attrition", QUARTER),
        "moved rather than left": Same("internal_mobility", QUARTER),
    },
}
SAID = {
    f"{board}: {panel}": told
    for board, panels in (
        ("queues-in-depth", IN_DEPTH),
        ("success", SUCCESS),
        ("support-live", LIVE),
        ("voice-and-gaming", VOICE),
    )
    for panel, told in panels.items()
}
ELSEWHERE = {
    ("support-live: Age of these numbers", ""),  # a heartbeat's: tests/e2e/test_heartbeats.py
    ("support-live: Longest wait now", ""),  # it ticks between two scrapes
    ("queues-in-depth: Longest wait now", ""),
    (
        "voice-and-gaming: Flagged days of the last seven",
        ":",
    ),  # ClickHouse judges: tests/sink/test_gaming_watch.py
    ("voice-and-gaming: Staff", "moved in 90 days"),  # no metrics, but the parts of one
    ("voice-and-gaming: Staff", "left in 90 days"),
}
TARGETS = {
    (name, re.sub(r"\{\{\w+\}\}( /)?", "", legend).strip()): (legend, expr)
    for name, legend, expr in EXPRESSIONS
    if not name.startswith("pipeline-health")
}
CASES = [
    pytest.param(*TARGETS[name, bare], same, id=f"{name} {bare}")
    for name, told in SAID.items()
    for bare, same in told.items()
]
Told: TypeAlias = dict[tuple[str, ...], float]
PATIENCE = 20.0
NOTHING = 1e-6


def test_every_query_of_the_business_is_said_here_and_no_other():
    assert {(name, bare) for name, told in SAID.items() for bare in told} | ELSEWHERE == TARGETS.keys()


def shown(rig: Rig, legend: str, expr: str, at: float) -> Told:
    """By the labels the legend names. What is 0 is left out: a place without anything may be absent."""
    labels = re.findall(r"\{\{(\w+)\}\}", legend)
    found: Told = {}
    for each in rig.instant(expr, at):
        value = float(each["value"][1])
        if abs(value) > NOTHING:
            found[tuple(each["metric"].get(label, "") for label in labels)] = value
    return found


def said(rig: Rig, legend: str, same: Same) -> Told:
    """The board's own answer, rolled up to the same labels."""
    labels = [label for label in re.findall(r"\{\{(\w+)\}\}", legend) if label != "definition"]
    question = {"metric": same.metric, "by": ",".join(labels), "window": same.window}
    if same.definition not in ("", "default"):
        question["definition"] = same.definition
    rows: list[dict[str, Any]] = fetched(f"{rig.board}/api/metrics?{urllib.parse.urlencode(question)}")[
        "metrics"
    ]
    names = ["definition", *labels] if same.definition == "" else labels
    return {
        tuple(row[name] or "" for name in names): row[same.end]
        for row in rows
        if abs(row[same.end] or 0) > NOTHING
        and (same.definition == "" or row["definition"] == same.definition)
    }


def is_same(one: Told, other: Told, expr: str) -> bool:
    """A tile of the wall shows the worst place alone."""
    worst = re.match(r"(topk|bottomk)\(1, ", expr)
    if worst and other:
        end = max(other.values()) if worst[1] == "topk" else min(other.values())
        return list(one.values()) == [pytest.approx(end, rel=1e-6)] and set(one) <= set(other)
    return one == pytest.approx(other, rel=1e-6)


def agreed(rig: Rig, legend: str, expr: str, same: Same) -> tuple[float, Told]:
    """A moment at which both say the same, and what: one is a scrape older, and calls go on."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        at = time.time()
        told = said(rig, legend, same)
        if is_same(shown(rig, legend, expr, at), told, expr):
            return at, told
        time.sleep(0.3)
    raise AssertionError(f"shown {shown(rig, legend, expr, time.time())}, said {said(rig, legend, same)}")


INSTEAD = {
    "window": {"1h": "5m", "30m": "1m", "5m": "1h", "30d": "1h", "90d": "1h"},
    "definition": {"strict": "amazon", "start": "start_plus_new"},
    "clock": {"enqueued": "created"},
}
SIGNS = {"+": "-", "-": "+", "*": "/", "/": "*"}


CHANGED = re.compile(
    r"""(?P<label>window|definition|clock)="(?P<value>\w+)"
    |(?<=[ ])(?P<sign>[-+*/])(?=[ ])
    |(?<![\w.">(])(?P<number>[1-9]\d*(?:\.\d+)?)(?![\w."])""",
    re.VERBOSE,
)


def others(expr: str) -> dict[str, str]:
    """The same query with one thing changed, by what: a window, a definition, a clock, an operator, a number."""
    found = {}
    for match in CHANGED.finditer(expr):
        if label := match["label"]:
            other = f'{label}="{INSTEAD[label][match["value"]]}"'
        else:
            other = SIGNS[match["sign"]] if match["sign"] else f"{float(match['number']) * 1.2:g}"
        what = f"{expr[max(0, match.start() - 60) : match.start()]}[{match[0]} → {other}]"
        found[what] = expr[: match.start()] + other + expr[match.end() :]
    return found


@pytest.mark.parametrize(("legend", "expr", "same"), CASES)
def test_a_panel_tells_what_the_board_says(rig, legend, expr, same):
    expr = asked(expr)
    at, told = agreed(rig, legend, expr, same)
    alive = [
        what
        for what, other in others(expr).items()
        if told and is_same(shown(rig, legend, other, at), told, expr)
    ]
    assert not alive, "\n".join(alive)
