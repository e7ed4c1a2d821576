"""The metrics of tickets by name. Source: metrics.md §3; the formulas are in `tickets.py`."""

from typing import Any, Final

from pipeline.metrics import tickets
from pipeline.metrics.metric import Metric

_FAMILY: Final = ("tickets",)


def _window(name: str, unit: str, text: str, window: Any, **more: Any) -> Metric:
    return Metric(name, unit, text, _FAMILY, window=window, **more)


METRICS: Final = (
    _window(
        "frt",
        "seconds",
        "Mean first response: from creation, hand-off by a bot or reopening to the first public message of"
        " a human agent after it; by the response's time. Created by an agent: to the second one.",
        tickets.mean("first_ms", "first"),
    ),
    _window(
        "frt_business",
        "seconds",
        "The same span inside the tenant's business hours.",
        tickets.mean("first_open_ms", "first"),
    ),
    _window(
        "nrt",
        "seconds",
        "Mean next response: from the first public customer message after the last public agent message to"
        " the next public message of a human agent; by the response's time.",
        tickets.mean("next_ms", "next"),
    ),
    _window(
        "resolution",
        "seconds",
        "Mean time from creation to the last solving of tickets that stayed solved; by that solving.",
        tickets.mean("resolved_ms", "resolved"),
    ),
    _window(
        "resolutions",
        "count",
        "Tickets solved and not reopened since, by their last solving.",
        tickets.counter("resolved"),
    ),
    _window("solve_events", "count", "Every entry of a ticket into solved.", tickets.counter("solved")),
    _window(
        "reopen_rate",
        "ratio",
        "Solve events followed by a reopening within 72 h / solve events, by solve time. Those younger than"
        " 72 h stand apart while `mature`.",
        tickets.share("reopened", "solved"),
        parameters=("mature",),
        maturity=tickets.maturity_ms,
        ripens_to_the_ms=True,
    ),
    _window(
        "one_touch",
        "ratio",
        "Resolutions with exactly one public agent message / resolutions: context, never a target.",
        tickets.share("one_touch", "resolved"),
    ),
    _window(
        "custom_work_share",
        "ratio",
        "Tickets with custom work / tickets created.",
        tickets.share("custom_work", "created"),
    ),
    Metric(
        "backlog",
        "count",
        "Tickets open now, by age since creation (lower bound inclusive).",
        ("backlog",),
        level=tickets.backlog,
        level_of=tickets.backlog_in,
        level_dims=("age",),
        fault=tickets.age_fault,
    ),
    Metric(
        "frt_overdue",
        "count",
        "Open tickets no human has answered for longer than the declared target; `oldest`: seconds the"
        " oldest of them has waited, absent when there is none.",
        ("unanswered",),
        variants=tickets.OVERDUE,
        parameters=("target",),
        level=tickets.overdue_of({}),
        level_of=tickets.overdue_of,
        fault=tickets.target_fault,
    ),
    Metric(
        "frt_overdue_oldest",
        "seconds",
        "How long the oldest of the overdue tickets has waited; absent when there is none.",
        ("unanswered",),
        parameters=("target",),
        level=tickets.overdue_of({"name": "oldest"}),
        level_of=lambda definition: tickets.overdue_of({**definition, "name": "oldest"}),
        fault=tickets.target_fault,
    ),
)
