"""Which series Prometheus gets of tickets. Source: metrics.md §3 and §9."""

from collections.abc import Iterable
from typing import Final

from pipeline.board.gauges import (
    LevelExport,
    ReadLevel,
    count,
    counted,
    export,
    level,
    number,
    seconds,
    with_interval,
)
from pipeline.metrics import tickets
from pipeline.metrics.buckets import LevelValue
from pipeline.metrics.catalogue import METRICS, read_level
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import BACKLOG, TICKETS, UNANSWERED

TICKET_SERIES: Final = (
    export("support_frt_seconds", "frt", None, ((), number("frt"))),
    export("support_frt_business_seconds", "frt_business", None, ((), number("frt_business"))),
    export("support_frt_responses", "frt", "First responses.", ((), count(TICKETS, "first"))),
    export(
        "support_frt_wait_seconds", "frt", "Total wait for them; over support_frt_responses it is the mean.",
        ((), seconds(TICKETS, "first_ms")),
    ),
    export(
        "support_frt_business_wait_seconds", "frt_business",
        "Its part inside business hours; over support_frt_responses it is the mean.",
        ((), seconds(TICKETS, "first_open_ms")),
    ),
    export("support_nrt_seconds", "nrt", None, ((), number("nrt"))),
    export("support_nrt_responses", "nrt", "Next responses.", ((), count(TICKETS, "next"))),
    export(
        "support_nrt_wait_seconds", "nrt", "Total wait for them; over support_nrt_responses it is the mean.",
        ((), seconds(TICKETS, "next_ms")),
    ),
    export("support_resolution_seconds", "resolution", None, ((), number("resolution"))),
    counted("resolutions"),
    export(
        "support_resolutions_age_seconds", "resolution",
        "Total time from creation to the last solving; over support_resolutions it is the mean.",
        ((), seconds(TICKETS, "resolved_ms")),
    ),
    counted("solve_events"),
    export(
        "support_solve_events_reopened", "reopen_rate",
        "Of the solve events in the window: reopened within 72 h so far.", ((), count(TICKETS, "reopened")),
    )._replace(maturity_ms=0),
    *with_interval("support_reopen_ratio", "reopen_rate"),
    export(
        "support_solve_events_mature", "reopen_rate", "Of the solve events in the window: 72 h old.",
        ((), count(TICKETS, "solved")),
    ),
    export(
        "support_solve_events_mature_reopened", "reopen_rate",
        "Of those that are 72 h old: reopened within 72 h; over support_solve_events_mature it is the ratio.",
        ((), count(TICKETS, "reopened")),
    ),
    *with_interval("support_one_touch_ratio", "one_touch"),
    export(
        "support_resolutions_one_touch", "one_touch",
        "Resolutions with exactly one public reply; over support_resolutions it is the ratio. Context only.",
        ((), count(TICKETS, "one_touch")),
    ),
    *with_interval("support_custom_work_ratio", "custom_work_share"),
    export(
        "support_tickets_created", "custom_work_share", "Tickets created.", ((), count(TICKETS, "created"))
    ),
    export(
        "support_tickets_created_custom_work", "custom_work_share",
        "Of the tickets created: with custom work; over support_tickets_created it is the ratio.",
        ((), count(TICKETS, "custom_work")),
    ),
)  # fmt: skip


def _backlog(age: str) -> ReadLevel:
    read = tickets.backlog_in({"age": age})
    return lambda levels, now, definitions: read(levels, now, definitions).value


def _since(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> float | None:
    """When the oldest overdue ticket began to wait."""
    waited = read_level(METRICS["frt_overdue_oldest"], levels, now, definitions).value
    return None if waited is None else now / 1000 - waited


TICKET_LEVELS: Final = (
    level("backlog")._replace(
        family=BACKLOG.name, series=tuple(((("age", age),), _backlog(age)) for age in tickets.AGES)
    ),
    level("frt_overdue")._replace(family=UNANSWERED.name),
    LevelExport(
        "support_frt_overdue_oldest_start_timestamp_seconds", "frt_overdue_oldest",
        "When the oldest of the overdue tickets began to wait; absent when there is none.",
        _since, UNANSWERED.name,
    ),
)  # fmt: skip
