"""Answers about accounts' stages and about agents, from their facts.

Source: metrics.md §1 (windows on local midnights, the state at an edge is what holds before any
change dated then) and §7.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.entities import account_metrics, agent_metrics
from pipeline.entities.factset import as_of
from pipeline.events.envelope import tenant_of
from pipeline.metrics import people
from pipeline.metrics.buckets import Cells, Family, add
from pipeline.metrics.catalogue import METRICS, DefinitionError, read_window
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import STAGE_MOVES, STAGE_STAYS, STAGE_STEPS
from pipeline.metrics.metric import Definition
from pipeline.metrics.numbers import Number, count
from pipeline.metrics.windows import Window
from pipeline.replay.days import days_of
from pipeline.replay.question import Question


def accounts_in_stage(
    entities: Mapping[str, Any], question: Question, _: Definition, __: Definitions
) -> Number:
    """Who is in a stage at an instant, changes dated at it included."""
    at = _instant_of(question)
    total = 0
    for _tenant, account in _asked(entities, question):
        for family, dims, dated, cells in account_metrics.contributions(as_of(account, at)):
            if family == STAGE_STEPS.name and dated <= at and _is_asked(dims, STAGE_STEPS, question):
                total += cells[1]
    return count(total)


def _of_family(family: Family) -> Callable[..., Number]:
    """Answers a window metric of accounts from what they contribute to one family."""

    def read(
        entities: Mapping[str, Any], question: Question, definition: Definition, definitions: Definitions
    ) -> Number:
        cells: Cells = {}
        for account, window in _in_windows(entities, question, definitions):
            for name, dims, at, amounts in account_metrics.contributions(account):
                if (
                    name == family.name
                    and window.start <= at < window.end
                    and _is_asked(dims, family, question)
                ):
                    add(cells, amounts, 1)
        return read_window(METRICS[question.metric], cells, definition, definitions)

    return read


stage_moves = _of_family(STAGE_MOVES)
time_in_stage = _of_family(STAGE_STAYS)


def headcount(entities: Mapping[str, Any], question: Question, _: Definition, __: Definitions) -> Number:
    """Agents on the staff at an instant, changes dated at it included."""
    at = _instant_of(question)
    asked = question.dims.get("department")
    return count(
        sum(
            asked is None or department == asked
            for _tenant, agent in _asked(entities, question)
            for department in agent_metrics.departments_at(agent, at + 1)
        )
    )


def internal_mobility(
    entities: Mapping[str, Any], question: Question, _: Definition, definitions: Definitions
) -> Number:
    """Each agent once among those who moved, once among those who left."""
    moved = left = 0
    for agent, window in _in_windows(entities, question, definitions):
        moved += agent_metrics.moved_between(agent, *window)
        left += agent_metrics.left_between(agent, *window)
    return people.internal_mobility(moved, left)


def attrition(
    entities: Mapping[str, Any], question: Question, _: Definition, definitions: Definitions
) -> Number:
    """Who left in the window over the mean of who was there at its edges."""
    left = at_start = at_end = 0
    for agent, window in _in_windows(entities, question, definitions):
        left += agent_metrics.left_between(agent, *window)
        at_start += len(agent_metrics.departments_at(agent, window.start))
        at_end += len(agent_metrics.departments_at(agent, window.end))
    return people.attrition(left, at_start, at_end)


def _instant_of(question: Question) -> int:
    _check_dims(question)
    if question.at is None:
        raise DefinitionError(f"{question.metric} is a level: ask for it `at` an instant")
    return question.at


def _check_dims(question: Question) -> None:
    known = ("tenant", *METRICS[question.metric].joint_dims)
    unknown = sorted(set(question.dims) - set(known))
    if unknown:
        raise DefinitionError(f"{question.metric} has no dimension {unknown[0]!r}; it has {', '.join(known)}")


def _asked(entities: Mapping[str, Any], question: Question) -> Iterator[tuple[str, Any]]:
    """Entities of the tenant asked for, or of all, with their tenant."""
    for key, entity in entities.items():
        tenant = tenant_of(key)
        if question.dims.get("tenant", tenant) == tenant:
            yield tenant, entity


def _in_windows(
    entities: Mapping[str, Any], question: Question, definitions: Definitions
) -> Iterator[tuple[Any, Window]]:
    """Each entity as of the instant asked for, with the window of its tenant's own days."""
    _check_dims(question)
    tenants = {tenant for tenant, _ in _asked(entities, question)}
    tenants |= {question.dims["tenant"]} if "tenant" in question.dims else set()
    windows = {tenant: days_of(question, tenant, definitions) for tenant in tenants}
    if not windows:  # a question wrongly asked is refused also where nothing happened
        days_of(question, "", definitions)
    for tenant, entity in _asked(entities, question):
        yield (entity if question.at is None else as_of(entity, question.at)), windows[tenant]


def _is_asked(dims: tuple[str, ...], family: Family, question: Question) -> bool:
    return all(question.dims.get(name, value) == value for name, value in zip(family.dims, dims, strict=True))


JOINT = {
    "accounts_in_stage": accounts_in_stage,
    "stage_moves": stage_moves,
    "time_in_stage": time_in_stage,
    "headcount": headcount,
    "internal_mobility": internal_mobility,
    "attrition": attrition,
}
