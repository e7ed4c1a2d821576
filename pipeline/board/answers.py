"""What /api/metrics, /api/freshness and /api/catalogue tell: plain data, questions from query parameters."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.board.freshness import Freshness
from pipeline.board.places import ALL_DIMENSIONS, DIMENSIONS, NOW, WINDOWS, Question
from pipeline.board.snapshot import Row, Snapshot
from pipeline.events.instants import instant_text
from pipeline.metrics.catalogue import METRICS, Definition, definition_of, metric_of
from pipeline.metrics.sentences import sentence_of

PARAMETERS: Final = ("metric", "tenant", "queue", "window", "by", "definition")


class QuestionError(ValueError):
    """The question cannot be understood; the text says what can be asked."""


def question_of(query: Mapping[str, str]) -> Question:
    """Raises QuestionError or DefinitionError.

    Lists are separated by commas. `window` knows `now` for levels too; `by` names the dimensions
    kept (empty: one total); `definition` is a variant's name or a JSON object, for one metric.
    """
    check_parameters(query, PARAMETERS)
    metrics = metrics_asked(query)
    by = _listed(query, "by")
    return Question(
        by=_known(by, ALL_DIMENSIONS, "dimension"),
        metrics=metrics,
        windows=_known(_listed(query, "window"), (NOW, *WINDOWS), "window"),
        tenant=query.get("tenant"),
        queue=query.get("queue"),
        definition=_definition(query.get("definition"), metrics),
    )


def check_parameters(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Raises QuestionError for a parameter that means nothing here."""
    if strange := sorted(set(query) - set(known)):
        raise QuestionError(f"unknown parameter {strange[0]!r}; known are {', '.join(known)}")


def metrics_asked(query: Mapping[str, str]) -> tuple[str, ...] | None:
    """None: all. Raises DefinitionError for an unknown one."""
    metrics = _listed(query, "metric")
    for name in metrics or ():
        metric_of(name)
    return metrics


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
    return {**freshness_answer(snapshot), "metrics": [_row(row, at) for row in snapshot.rows(question)]}


def freshness_answer(snapshot: Snapshot) -> dict[str, Any]:
    """What the numbers of a snapshot are based on."""
    return {
        "as_of": instant_text(snapshot.now),
        "definitions": snapshot.definitions.fingerprint,
        "watermark": None if snapshot.watermark is None else instant_text(snapshot.watermark),
        "age_seconds": _seconds(snapshot.age_ms),
        "is_caught_up": snapshot.is_caught_up,
        "partitions": [_partition(each, snapshot.now) for each in snapshot.freshness],
    }


def catalogue_answer() -> dict[str, Any]:
    """Every metric: unit, what it means, and its definitions in words, the default first."""
    return {
        "metrics": {
            name: {
                "stream": metric.stream,
                "unit": metric.unit,
                "help": metric.help,
                "definitions": {variant: sentence_of(metric, variant) for variant in metric.variants},
                "parameters": metric.parameters,
            }
            for name, metric in METRICS.items()
        }
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
