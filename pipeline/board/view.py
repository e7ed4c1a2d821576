"""What the live page is told: the part of a snapshot that somebody chose to see, bounded, as plain data.

Every number is a row of the snapshot, the same that /api/metrics tells. Source: architecture.md §4.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.board.answers import QuestionError, check_parameters
from pipeline.board.places import DIMENSIONS, NOW, TODAY, Question, dims_of
from pipeline.board.snapshot import Row, Snapshot
from pipeline.metrics.catalogue import METRICS, Definition, definition_of
from pipeline.metrics.windows import LIVE_WINDOWS

WINDOWS: Final = (*LIVE_WINDOWS, TODAY)
PERIODS: Final = (TODAY, "7d", "30d", "90d", "month")
SWITCHED: Final = {"asa": "asa_queue", "service_level": "service_level", "churn": "churn"}
"""Metrics whose definition the reader chooses, by the parameter that names it."""
PARAMETERS: Final = ("tenant", "queue", "window", "period", *SWITCHED)
MOST_LINES: Final = 100
MOST_TENANTS: Final = 50
MOST_NAMES: Final = 500
MOST_FAULTS: Final = 5

LEVELS: Final = ("in_queue", "oldest_waiting", "scheduled", "stuck")
COUNTS: Final = ("answered", "offered", "abandoned")
RATES: Final = ("asa_queue", "service_level", "abandon_rate")
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "tickets": (
        "frt", "frt_business", "nrt", "resolution", "resolutions", "reopen_rate", "custom_work_share",
        "backlog", "frt_overdue", "frt_overdue_oldest",
    ),
    "voice": ("csat", "csat_response_rate", "nps", "promoters", "passives", "detractors"),
    "success": (
        "churn", "nrr", "grr", "mrr", "clv_predictive", "active_accounts", "seats", "adoption",
        "active_1d", "active_7d", "active_28d", "stickiness", "time_to_value_mean",
        "time_to_value_censored", "activation", "invites", "referrals",
    ),
    "people": ("accounts_in_stage", "headcount", "attrition", "internal_mobility"),
}  # fmt: skip
"""Metrics by the part of the page that shows them, beside calls."""
KEPT: Final = ("tenant", "currency", "stage", "age")
"""Dimensions that those are told by."""

Told: TypeAlias = list[Any]
"""[metric, definition, window or None, further dimensions, value, n, low, high]"""


class Choice(NamedTuple):
    """What a reader wants to see. `tenant`, `queue` None: all. `definitions` by metric."""

    tenant: str | None = None
    queue: str | None = None
    window: str = "5m"
    period: str = "30d"
    definitions: tuple[tuple[str, str], ...] = ()

    def definition(self, metric: str) -> Definition:
        """The chosen definition of a metric, or its default."""
        return definition_of(METRICS[metric], dict(self.definitions).get(metric))


def choice_of(query: Mapping[str, str]) -> Choice:
    """Raises QuestionError or DefinitionError."""
    check_parameters(query, PARAMETERS)
    for name, known in (("window", WINDOWS), ("period", PERIODS)):
        if name in query and query[name] not in known:
            raise QuestionError(f"unknown {name} {query[name]!r}; known are {', '.join(known)}")
    chosen = {metric: query[name] for name, metric in SWITCHED.items() if name in query}
    for metric, variant in chosen.items():
        definition_of(METRICS[metric], variant)
    plain = {name: query[name] for name in ("tenant", "queue", "window", "period") if name in query}
    return Choice(**plain, definitions=tuple(sorted(chosen.items())))


def names_answer(snapshot: Snapshot, tenant: str | None) -> dict[str, Any]:
    """What can be chosen: tenants, and the queues of the one chosen or of the only one."""
    tenants = snapshot.tenants
    one = tenant or (tenants[0] if len(tenants) == 1 else None)
    places = snapshot.places.get(DIMENSIONS, ())
    queues = sorted({place[1] for place in places if place[0] == one and place[1]})
    return {"tenants": tenants[:MOST_NAMES], "queues": queues[:MOST_NAMES]}


def view_answer(snapshot: Snapshot, choice: Choice, faults: list[str]) -> dict[str, Any]:
    """The numbers of a choice, and what they are based on; instants in ms for the browser."""
    tenants = [name for name in snapshot.tenants if choice.tenant in (None, name)]
    calls, lines = _calls(snapshot, choice), _lines(snapshot, choice)
    sections = {name: _section(snapshot, choice, metrics) for name, metrics in SECTIONS.items()}
    blocks = []
    room = MOST_LINES
    for tenant in tenants[:MOST_TENANTS]:
        shown = lines.get(tenant, [])[:room]
        room -= len(shown)
        block: dict[str, Any] = {"tenant": tenant, "zone": str(snapshot.definitions.zone(tenant))}
        if tenant in calls:
            left_out = len(lines.get(tenant, [])) - len(shown)
            block["calls"] = {"total": calls[tenant], "queues": shown, "queues_left_out": left_out}
        block |= {name: told[tenant] for name, told in sections.items() if tenant in told}
        blocks.append(block)
    return {
        "as_of": snapshot.now,
        "committed_at": None if snapshot.age_ms is None else snapshot.now - snapshot.age_ms,
        "definitions": snapshot.definitions.fingerprint,
        "n_min": snapshot.definitions.n_min,
        "faults": faults[:MOST_FAULTS],
        "faults_left_out": max(0, len(faults) - MOST_FAULTS),
        "tenants_left_out": max(0, len(tenants) - MOST_TENANTS),
        "window": choice.window,
        "period": choice.period,
        "blocks": blocks,
    }


def _calls(snapshot: Snapshot, choice: Choice) -> dict[str, list[Told]]:
    """The chosen queue, or all queues, by tenant: in the window by every definition, the rates in each
    window by the chosen one.
    """
    where: dict[str, Any] = {"by": ("tenant",), "tenant": choice.tenant, "queue": choice.queue}
    found: dict[str, list[Told]] = {}
    _gather(found, snapshot.rows(Question(metrics=LEVELS, windows=(NOW,), **where)))
    now = (*RATES, *COUNTS, "asa_p50", "asa_p90")
    _gather(found, snapshot.rows(Question(metrics=now, windows=(choice.window,), **where)))
    others = tuple(window for window in WINDOWS if window != choice.window)
    for metric in ("asa_queue", "service_level"):
        asked = choice.definition(metric)
        _gather(
            found,
            snapshot.rows(Question(metrics=(metric,), windows=others, definition=asked, **where)),
        )
    return found


def _lines(snapshot: Snapshot, choice: Choice) -> dict[str, list[dict[str, Any]]]:
    """One line per queue, by tenant and name: {"queue": …, metric: [value, n, low, high]}."""
    where: dict[str, Any] = {"by": ("tenant", "queue"), "tenant": choice.tenant, "queue": choice.queue}
    rows = [*snapshot.rows(Question(metrics=(*LEVELS, *COUNTS), windows=(NOW, choice.window), **where))]
    for metric in RATES:
        asked = choice.definition(metric)
        rows += snapshot.rows(
            Question(metrics=(metric,), windows=(choice.window,), definition=asked, **where)
        )
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        tenant, queue = row.place[0] or "", row.place[1] or ""
        lines.setdefault((tenant, queue), {"queue": queue})[row.metric.name] = list(row.number)
    found: dict[str, list[dict[str, Any]]] = {}
    for (tenant, _), line in sorted(lines.items()):
        if _is_shown(line):
            found.setdefault(tenant, []).append(line)
    return found


def _is_shown(line: dict[str, Any]) -> bool:
    """Calls that never had a queue make a line only when there is something in it to see."""
    return bool(line["queue"] or any(line[name][0] for name in ("in_queue", *COUNTS)))


def _section(snapshot: Snapshot, choice: Choice, metrics: tuple[str, ...]) -> dict[str, list[Told]]:
    """By tenant. A queue chosen narrows what is told by queue; the rest belongs to the tenant."""
    found: dict[str, list[Told]] = {}
    for name in metrics:
        has_queues = any("queue" in dims_of(family) for family in METRICS[name].families)
        asked = Question(
            by=KEPT,
            metrics=(name,),
            windows=(NOW, choice.period),
            tenant=choice.tenant,
            queue=choice.queue if has_queues else None,
        )
        _gather(found, snapshot.rows(asked))
    return found


def _gather(found: dict[str, list[Told]], rows: Iterable[Row]) -> None:
    for tenant, told in _told(rows):
        found.setdefault(tenant, []).append(told)


def _told(rows: Iterable[Row]) -> Iterator[tuple[str, Told]]:
    for row in rows:
        dims = {
            name: value
            for name, value in zip(row.dims, row.place, strict=True)
            if name != "tenant" and value is not None
        }
        yield row.place[0] or "", [row.metric.name, row.definition["name"], row.window, dims, *row.number]
