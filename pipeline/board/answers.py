"""What /api/metrics and the live page are told: snapshots as plain data, questions from query parameters."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.board.freshness import Freshness
from pipeline.board.places import ALL_DIMENSIONS, DIMENSIONS, Question
from pipeline.board.snapshot import NOW, TODAY, WINDOWS, Row, Snapshot
from pipeline.events.instants import instant_text
from pipeline.metrics.catalogue import Definition, definition_of, metric_of

PARAMETERS: Final = ("metric", "tenant", "queue", "window", "by", "definition")
PAGE_METRICS: Final = (
    "asa_queue", "answered", "offered", "abandoned", "abandon_rate", "in_queue", "oldest_waiting",
    "scheduled", "stuck",
)  # fmt: skip


class QuestionError(ValueError):
    """The question cannot be understood; the text says what can be asked."""


def question_of(query: Mapping[str, str]) -> Question:
    """Raises QuestionError or DefinitionError.

    Lists are separated by commas. `window` knows `now` for levels too; `by` names the dimensions
    kept (empty: one total); `definition` is a variant's name or a JSON object, for one metric.
    """
    if strange := sorted(set(query) - set(PARAMETERS)):
        raise QuestionError(f"unknown parameter {strange[0]!r}; known are {', '.join(PARAMETERS)}")
    metrics = _listed(query, "metric")
    for name in metrics or ():
        metric_of(name)
    by = _listed(query, "by")
    return Question(
        by=_known(by, ALL_DIMENSIONS, "dimension"),
        metrics=metrics,
        windows=_known(_listed(query, "window"), (NOW, *WINDOWS), "window"),
        tenant=query.get("tenant"),
        queue=query.get("queue"),
        definition=_definition(query.get("definition"), metrics),
    )


def _listed(query: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    return tuple(filter(None, query[name].split(","))) if name in query else None


def _known(asked: Any, known: tuple[str, ...], what: str) -> Any:
    for name in asked or ():
        if name not in known:
            raise QuestionError(f"unknown {what} {name!r}; known are {', '.join(known)}")
    return asked


def _definition(text: str | None, metrics: tuple[str, ...] | None) -> Definition | None:
    if text is None:
        return None
    if metrics is None or len(metrics) != 1:
        raise QuestionError("a definition is asked of exactly one metric: add metric=NAME")
    try:
        asked = msgspec.json.decode(text) if text.startswith("{") else text
    except msgspec.DecodeError as error:
        raise QuestionError(f"definition is no JSON object: {error}") from error
    return definition_of(metric_of(metrics[0]), asked)


def api_answer(snapshot: Snapshot, question: Question) -> dict[str, Any]:
    """The rows asked for, and what they are based on. Raises DefinitionError or ThresholdError."""
    at = instant_text(snapshot.now)
    return {
        "as_of": at,
        "definitions": snapshot.definitions.fingerprint,
        "watermark": None if snapshot.watermark is None else instant_text(snapshot.watermark),
        "age_seconds": _seconds(snapshot.age_ms),
        "is_caught_up": snapshot.is_caught_up,
        "partitions": [_partition(each, snapshot.now) for each in snapshot.freshness],
        "metrics": [_row(row, at) for row in snapshot.rows(question)],
    }


def _row(row: Row, at: str) -> dict[str, Any]:
    value, n, low, high = row.number
    when = {"at": at} if row.window is None else {"window": row.window}
    return {
        "metric": row.metric.name,
        "definition": row.definition["name"] if len(row.definition) == 1 else row.definition,
        **when,
        **dict.fromkeys(DIMENSIONS), **dict(zip(row.dims, row.place, strict=True)),
        "value": value, "n": n, "low": low, "high": high,
        "unit": row.metric.unit,
    }  # fmt: skip


def _partition(each: Freshness, now: int) -> dict[str, Any]:
    return {
        "stream": each.source.stream,
        "topic": each.source.topic,
        "partition": each.source.partition,
        "next_offset": each.next_offset,
        "log_position": each.position,
        "watermark": instant_text(each.watermark) if each.watermark > 0 else None,
        "age_seconds": _seconds(each.age_ms(now)),
        "is_idle": each.is_idle,
        "is_caught_up": each.is_caught_up,
        "refused": each.refused or None,
    }


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def page_answer(snapshot: Snapshot, faults: list[str]) -> dict[str, Any]:
    """What the live page draws: per tenant a total and its queues; instants in ms for the browser."""
    queues = _lines(snapshot, ("tenant", "queue"))
    totals = _lines(snapshot, ("tenant",))
    zone = snapshot.definitions.zone
    return {
        "as_of": snapshot.now,
        "faults": faults,
        "n_min": snapshot.definitions.n_min,
        "watermark": snapshot.watermark,
        "partitions": [_partition(each, snapshot.now) for each in snapshot.freshness],
        "committed_at": None if snapshot.age_ms is None else snapshot.now - snapshot.age_ms,
        "tenants": [
            {
                "tenant": tenant,
                "zone": str(zone(tenant)),
                "total": totals[tenant, None],
                "queues": [
                    line for (owner, _), line in queues.items() if owner == tenant and _is_shown(line)
                ],
            }
            for tenant in snapshot.tenants
        ],
    }


def _is_shown(line: dict[str, Any]) -> bool:
    """Calls that never had a queue make a line only when there is something in it to see."""
    counts = [line[name]["value"] for name in ("answered", "offered", "abandoned")]
    return bool(line["queue"] or line["in_queue"] or any(counts))


def _lines(snapshot: Snapshot, by: tuple[str, ...]) -> dict[tuple[str | None, str | None], dict[str, Any]]:
    lines: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    for row in snapshot.rows(Question(by=by, metrics=PAGE_METRICS)):
        tenant, queue, _ = row.place
        line = lines.setdefault((tenant, queue), {"queue": queue, "asa": {}})
        value, n, low, high = row.number
        name = row.metric.name
        if name == "asa_queue" and row.definition["name"] == "enqueued":
            line["asa"][row.window] = {"value": value, "n": n}
        elif name == "oldest_waiting":
            line["oldest_at"] = None if value is None else snapshot.now - round(value * 1000)
        elif row.window is None:
            line[name] = value
        elif row.window == TODAY and name != "asa_queue":
            line[name] = {"value": value, "n": n, "low": low, "high": high}
    return lines
