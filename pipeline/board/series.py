"""How the last hour went, minute by minute: what /api/series tells. Bounded: sixty minutes, few metrics.

The parts of a minute are summed over places and buckets first and only then become a number.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.board.answers import QuestionError, check_parameters, metrics_asked
from pipeline.board.places import Question, dims_of
from pipeline.board.snapshot import RECENT, Snapshot
from pipeline.events.instants import instant_text
from pipeline.metrics.buckets import Cells, merge
from pipeline.metrics.catalogue import METRICS, Definition, Metric, definition_of, family_of, read_window
from pipeline.metrics.numbers import Number
from pipeline.metrics.windows import floor_bucket

MINUTE_MS: Final = 60_000
MINUTES: Final = 60
MOST_METRICS: Final = 6
MOST_KNOWN: Final = 256
PARAMETERS: Final = ("metric", "tenant", "queue", "definition")
KNOWN: Final = tuple(
    name for name, metric in METRICS.items() if metric.stream == "call" and set(metric.families) <= RECENT
)
DEFAULT: Final = ("asa_queue", "offered", "abandoned")


def series_question(query: Mapping[str, str]) -> Question:
    """Raises QuestionError or DefinitionError. `definition`: a variant's name, for one metric."""
    check_parameters(query, PARAMETERS)
    metrics = metrics_asked(query) or DEFAULT
    for name in metrics:
        if name not in KNOWN:
            raise QuestionError(f"{name} has no series; known are {', '.join(KNOWN)}")
    if len(metrics) > MOST_METRICS:
        raise QuestionError(f"at most {MOST_METRICS} metrics at once")
    definition = None
    if "definition" in query:
        if len(metrics) != 1:
            raise QuestionError("a definition is asked of exactly one metric: add metric=NAME")
        definition = definition_of(METRICS[metrics[0]], query["definition"])
    return Question((), metrics, None, query.get("tenant"), query.get("queue"), definition)


class Hours:
    """Answers of this 10-second stretch, each made once for all who ask the same."""

    def __init__(self) -> None:
        self._edge = -1
        self._known: dict[tuple[object, ...], dict[str, Any]] = {}

    def answer(self, snapshot: Snapshot, question: Question) -> dict[str, Any]:
        """At most ten seconds old; `as_of` says."""
        edge = floor_bucket(snapshot.now)
        if edge != self._edge or len(self._known) >= MOST_KNOWN or not snapshot.is_caught_up:
            self._edge = edge
            self._known.clear()
        asked = (question.metrics, question.tenant, question.queue, (question.definition or {}).get("name"))
        if asked not in self._known:
            self._known[asked] = series_answer(snapshot, question)
        return self._known[asked]


def series_answer(snapshot: Snapshot, question: Question) -> dict[str, Any]:
    """Sixty minutes that end with the running one, of each metric: values (None = absent) and n."""
    start = snapshot.now - snapshot.now % MINUTE_MS - (MINUTES - 1) * MINUTE_MS
    told = []
    for name in question.metrics or DEFAULT:
        metric = METRICS[name]
        definition = question.definition or definition_of(metric, None)
        numbers = list(_numbers(snapshot, question, metric, definition, start))
        told.append(
            {
                "metric": name,
                "definition": definition["name"],
                "unit": metric.unit,
                "values": [number.value for number in numbers],
                "n": [number.n for number in numbers],
            }
        )
    return {
        "as_of": instant_text(snapshot.now),
        "from": instant_text(start),
        "step_seconds": MINUTE_MS // 1000,
        "tenant": question.tenant,
        "queue": question.queue,
        "series": told,
    }


def _numbers(
    snapshot: Snapshot, question: Question, metric: Metric, definition: Definition, start: int
) -> Iterator[Number]:
    family = family_of(metric, definition)
    dims = dims_of(family)
    ripe = metric.maturity(definition) if metric.maturity else 0
    end = floor_bucket(snapshot.now - ripe) if ripe else snapshot.now + 1
    minutes: list[Cells] = [{} for _ in range(MINUTES)]
    for place, buckets in snapshot.recent.get(family, {}).items():
        if question.projected(dims, place) is None:
            continue
        for at, cells in buckets.items():
            if start <= at < end:
                merge(minutes[(at - start) // MINUTE_MS], cells)
    for cells in minutes:
        yield read_window(metric, cells, definition, snapshot.definitions)
