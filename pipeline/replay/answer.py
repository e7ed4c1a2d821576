"""One question, one number: any window and any past instant, exactly, from facts.

Source: metrics.md §1. The facts are the entities of the core; what they count is their
contributions. No bucket is involved, so a test can hold the buckets to this.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

from pipeline.events.envelope import tenant_of
from pipeline.metrics.buckets import Cells, Contribution, LevelValue, add
from pipeline.metrics.catalogue import (
    Definition,
    DefinitionError,
    Metric,
    definition_of,
    family_of,
    metric_of,
    read_level,
    read_window,
)
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import FAMILIES
from pipeline.metrics.numbers import Number
from pipeline.metrics.parameters import is_seconds
from pipeline.metrics.windows import (
    BUCKET_MS,
    floor_bucket,
)
from pipeline.replay.joint import JOINT
from pipeline.replay.question import Question, window_of
from pipeline.state.kinds import KINDS
from pipeline.state.retention import NEVER_MS

Population: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Entities by key, by stream."""


class Facts:
    """Entities and what is declared, to be asked. What entities contribute as of an instant is kept, per
    stream, for the next question about the same instant.
    """

    def __init__(self, population: Population, definitions: Definitions) -> None:
        self.population = population
        self.definitions = definitions
        self._kept: dict[str, tuple[int | None, dict[str, list[tuple[str, Contribution]]]]] = {}

    def answer(self, question: Question) -> Number:
        """The number asked for, rolled up over dimensions not named. Raises DefinitionError."""
        metric = metric_of(question.metric)
        definition = definition_of(metric, question.definition)
        if metric.is_joint:
            entities = self.population.get(metric.stream, {})
            return JOINT[metric.name](entities, question, definition, self.definitions)
        if metric.is_level:
            return _level(self, question, metric, definition)
        family = family_of(metric, definition)
        window_of(question, "", self.definitions)  # wrongly asked is refused also where nothing happened
        ripe = _ripe_before(metric, question, definition)
        found = []
        for tenant, part in _parts(self, question, family):
            window = window_of(question, tenant, self.definitions)
            if window.start <= part[2] < min(window.end, ripe):
                found.append(part[3])
        if metric.exact is not None:
            return metric.exact(found, definition)
        cells: Cells = {}
        for amounts in found:
            add(cells, amounts, 1)
        return read_window(metric, cells, definition, self.definitions)

    def contributions(self, family: str, at: int | None) -> Sequence[tuple[str, Contribution]]:
        """What goes into a family, with its tenants; `at` None: of all that is known."""
        stream = FAMILIES[family].stream
        kept = self._kept.get(stream)
        if kept is None or kept[0] != at:
            kept = self._kept[stream] = at, self._count(stream, at)
        return kept[1].get(family, ())

    def _count(self, stream: str, at: int | None) -> dict[str, list[tuple[str, Contribution]]]:
        kind = KINDS[stream]
        found: dict[str, list[tuple[str, Contribution]]] = {}
        counting = cache(partial(kind.counting, self.definitions))
        for key, entity in self.population.get(stream, {}).items():
            tenant = tenant_of(key)
            seen = entity if at is None else kind.as_of(entity, at)
            for part in counting(tenant)(seen):
                found.setdefault(part[0], []).append((tenant, part))
        return found


def answer(population: Population, question: Question, definitions: Definitions) -> Number:
    """One question to facts that are asked no other. Raises DefinitionError."""
    return Facts(population, definitions).answer(question)


def _ripe_before(metric: Metric, question: Question, definition: Definition) -> int:
    """In a window that ends at now: where the buckets begin that still have time. Else: never."""
    maturity = metric.maturity(definition) if metric.maturity else 0
    if question.at is None or question.span is not None or not maturity:
        return NEVER_MS
    edge = question.at - maturity
    return edge + 1 if metric.ripens_to_the_ms else floor_bucket(edge)


def _level(facts: Facts, question: Question, metric: Metric, definition: Definition) -> Number:
    if question.at is None:
        raise DefinitionError(f"{metric.name} is a level: ask for it `at` an instant")
    aged = {dim: value for dim, value in question.dims.items() if dim in metric.level_dims}
    series = question._replace(dims={dim: v for dim, v in question.dims.items() if dim not in aged})
    families = [_parts(facts, series, family) for family in metric.families]
    instants = sorted(part[2] for parts in families for _, part in parts)
    counts: dict[int, int] = {}
    for at in instants:
        counts[at - at % BUCKET_MS] = counts.get(at - at % BUCKET_MS, 0) + 1
    level = LevelValue(counts, instants, [])
    return read_level(metric, [level], question.at, facts.definitions, {**definition, **aged})


def _parts(facts: Facts, question: Question, family: str) -> Iterator[tuple[str, Contribution]]:
    """Contributions to a family that the dimensions asked for let through."""
    dims = FAMILIES[family].dims
    unknown = set(question.dims) - {"tenant", *dims}
    if unknown:
        known = ", ".join(("tenant", *dims))
        raise DefinitionError(f"{question.metric} has no dimension {min(unknown)!r}; it has {known}")
    wanted = [(index, question.dims[dim]) for index, dim in enumerate(dims) if dim in question.dims]
    for tenant, part in facts.contributions(family, question.at):
        is_asked = question.dims.get("tenant", tenant) == tenant
        if is_asked and all(part[1][index] == value for index, value in wanted):
            yield tenant, part


def thresholds_of(definitions: Iterable[object]) -> tuple[float, ...]:
    """The thresholds (X, S) that definitions ask for: `replay` and `verify` declare them."""
    found = set()
    for definition in definitions:
        if isinstance(definition, Mapping):
            found |= {
                float(value) for name, value in definition.items() if name in {"X", "S"} and is_seconds(value)
            }
    return tuple(sorted(found))
