"""Stages and staff as the board shows them: prefix sums up to the end of the tenant's running day.

Source: architecture.md §3, metrics.md §7 and §9. Departments are no label: they are rolled up.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from pipeline.board.places import Dims, Place, Question
from pipeline.metrics import people
from pipeline.metrics.buckets import Cells
from pipeline.metrics.catalogue import METRICS
from pipeline.metrics.families import HEADCOUNT, STAFF_STEPS, STAGE_STEPS
from pipeline.metrics.numbers import Number, count
from pipeline.metrics.windows import DAY_WINDOWS

Steps: TypeAlias = Mapping[str, Mapping[Place, Cells]]
Told: TypeAlias = Iterator[tuple[Place, Number]]

_MOVED: Final = STAFF_STEPS.cell("moved")
_LEFT: Final = STAFF_STEPS.cell("left")
_AT_START: Final = STAFF_STEPS.cell("at_start")


class PeopleExport(NamedTuple):
    """One gauge family. `read` answers places, the values of `labels`, with a number each."""

    name: str
    help: str
    labels: Dims
    read: Callable[[Steps], Told]


def accounts_in_stage(steps: Steps) -> Told:
    """By (tenant, stage)."""
    for place, cells in sorted(steps.get(STAGE_STEPS.name, {}).items()):
        yield place, count(cells.get(0, 0))


def headcount(steps: Steps) -> Told:
    """By tenant."""
    for tenant, there in sorted(_headcounts(steps).items()):
        yield (tenant,), count(there)


def internal_mobility(steps: Steps) -> Told:
    """By (tenant, window)."""
    for place, cells in _staff(steps):
        yield place, people.internal_mobility(cells.get(_MOVED, 0), cells.get(_LEFT, 0))


def attrition(steps: Steps) -> Told:
    """By (tenant, window)."""
    there = _headcounts(steps)
    for place, cells in _staff(steps):
        at_end = there.get(place[0] or "", 0)
        yield place, people.attrition(cells.get(_LEFT, 0), cells.get(_AT_START, 0), at_end)


def _counted(cell: int) -> Callable[[Steps], Told]:
    return lambda steps: ((place, count(cells.get(cell, 0))) for place, cells in _staff(steps))


def _field(read: Callable[[Steps], Told], field: str) -> Callable[[Steps], Told]:
    return lambda steps: ((place, Number(getattr(number, field))) for place, number in read(steps))


def _headcounts(steps: Steps) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, cells in steps.get(HEADCOUNT.name, {}).items():
        tenant = place[0] or ""
        found[tenant] = found.get(tenant, 0) + cells.get(0, 0)
    return found


def _staff(steps: Steps) -> Iterator[tuple[Place, Cells]]:
    """By (tenant, window), every window of every tenant that has staff, 0 where nothing happened."""
    told = steps.get(STAFF_STEPS.name, {})
    tenants = {place[0] or "" for place in told} | set(_headcounts(steps))
    for tenant in sorted(tenants):
        for window in DAY_WINDOWS:
            yield (tenant, window), told.get((tenant, window), {})


_READ: Final[dict[str, tuple[Dims, Callable[[Steps], Told]]]] = {
    "accounts_in_stage": (("tenant", "stage"), accounts_in_stage),
    "headcount": (("tenant",), headcount),
    "internal_mobility": (("tenant", "window"), internal_mobility),
    "attrition": (("tenant", "window"), attrition),
}


def _export(name: str, metric: str, text: str | None = None, field: str = "value") -> PeopleExport:
    labels, read = _READ[metric]
    return PeopleExport(name, text or METRICS[metric].help, labels, _field(read, field))


PEOPLE: Final = (
    _export("success_accounts_in_stage", "accounts_in_stage"),
    _export("success_headcount", "headcount"),
    _export("success_internal_mobility_ratio", "internal_mobility"),
    _export(
        "success_internal_mobility_ratio_low", "internal_mobility",
        "Lower end of the interval of success_internal_mobility_ratio.", "low",
    ),
    _export(
        "success_internal_mobility_ratio_high", "internal_mobility",
        "Upper end of the interval of success_internal_mobility_ratio.", "high",
    ),
    _export("success_attrition_ratio", "attrition"),
    PeopleExport(
        "success_agents_moved", "Agents who moved to another department in the window.",
        ("tenant", "window"), _counted(_MOVED),
    ),
    PeopleExport(
        "success_agents_left", "Agents who left in the window.", ("tenant", "window"), _counted(_LEFT),
    ),
    PeopleExport(
        "success_agents_at_start", "Agents on the staff at the window's start.",
        ("tenant", "window"), _counted(_AT_START),
    ),
)  # fmt: skip


def people_numbers(
    steps: Steps, metric_name: str, question: Question
) -> Iterator[tuple[str | None, Dims, Place, Number]]:
    """(window, dimensions, place, number) of a metric of stages or staff, by tenant; none of others."""
    if metric_name not in _READ or question.queue is not None:
        return
    labels, read = _READ[metric_name]
    for place, number in read(steps):
        told = dict(zip(labels, place, strict=True))
        window = told.pop("window", None)
        is_in = question.windows is None or (window or "now") in question.windows
        if is_in and question.tenant in (None, told["tenant"]):
            yield window, tuple(told), tuple(told.values()), number
