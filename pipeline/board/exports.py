"""Which series Prometheus gets: names, help, and how each is read from a window's parts.

Source: metrics.md §9. A mean stands beside its two parts, a ratio beside its two counts and its
interval, so that PromQL can sum over queues. None means absent: no series, never 0.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

from pipeline.metrics import calls, service_level, tickets
from pipeline.metrics.buckets import Cells, Family, LevelValue
from pipeline.metrics.catalogue import METRICS, definition_of, family_of, read_level, read_window
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import (
    BACKLOG,
    CALLBACK,
    CUSTOMER,
    HANDLE,
    LEAVE,
    SURVEY_ANSWERS,
    SURVEY_SENT,
    TICKETS,
    UNANSWERED,
    WAITING,
)
from pipeline.metrics.numbers import Number

Read: TypeAlias = Callable[[Cells, Definitions], float | None]
ReadLevel: TypeAlias = Callable[[Iterable[LevelValue], int, Definitions], float | None]
Labels: TypeAlias = tuple[tuple[str, str], ...]

ENQUEUED: Final[Labels] = (("clock", "enqueued"),)
CREATED: Final[Labels] = (("clock", "created"),)


class Export(NamedTuple):
    """One windowed gauge family. `series`: further labels and the reader of each.

    `metric` is the catalogue's name of what it shows or is a part of. `maturity_ms`: buckets that end
    later than now − this are left out.
    """

    name: str
    metric: str
    help: str
    family: str
    series: tuple[tuple[Labels, Read], ...]
    maturity_ms: int = 0


class LevelExport(NamedTuple):
    """One gauge family of what is there now. `series`: further labels and the reader of each, if any."""

    name: str
    metric: str
    help: str
    read: ReadLevel
    family: str = WAITING.name
    series: tuple[tuple[Labels, ReadLevel], ...] = ()


def _number(metric_name: str, variant: str | None = None, field: str = "value") -> Read:
    metric = METRICS[metric_name]
    definition = definition_of(metric, variant)

    def read(cells: Cells, definitions: Definitions) -> float | None:
        number: Number = read_window(metric, cells, definition, definitions)
        value: float | None = getattr(number, field)
        return value

    return read


def _numerator(metric_name: str) -> Read:
    """The count that a ratio was made of; value * n is within rounding of it."""
    metric = METRICS[metric_name]
    definition = definition_of(metric, None)

    def read(cells: Cells, definitions: Definitions) -> float:
        number = read_window(metric, cells, definition, definitions)
        return round((number.value or 0) * (number.n or 0))

    return read


def _count(family: Family, *counters: str, less: str | None = None) -> Read:
    return _parts(family, counters, less, 1)


def _seconds(family: Family, *counters: str) -> Read:
    return _parts(family, counters, None, 1000)


def _parts(family: Family, counters: tuple[str, ...], less: str | None, scale: int) -> Read:
    adds = [family.cell(counter) for counter in counters]
    takes = [family.cell(less)] if less else []

    def read(cells: Cells, _: Definitions) -> float:
        total = sum(cells.get(cell, 0) for cell in adds) - sum(cells.get(cell, 0) for cell in takes)
        return total / scale if scale != 1 else total

    return read


def _export(name: str, metric_name: str, text: str | None, *series: tuple[Labels, Read]) -> Export:
    metric = METRICS[metric_name]
    definition = definition_of(metric, None)
    family = family_of(metric, definition)
    maturity = metric.maturity(definition) if metric.maturity else 0
    return Export(name, metric_name, text or metric.help, family, series, maturity)


def _counted(metric_name: str) -> Export:
    return _export(f"support_{metric_name}", metric_name, None, ((), _number(metric_name)))


def _with_interval(name: str, metric_name: str) -> tuple[Export, ...]:
    """The number and the ends of its interval."""
    text = METRICS[metric_name].help
    ends = (
        ("low", f"Lower end of the interval of {name}."),
        ("high", f"Upper end of the interval of {name}."),
    )
    return (
        _export(name, metric_name, text, ((), _number(metric_name))),
        *(
            _export(f"{name}_{end}", metric_name, told, ((), _number(metric_name, field=end)))
            for end, told in ends
        ),
    )


def _service_levels(name: str, text: str | None, read: Callable[[str], Read]) -> Export:
    """Every definition side by side, with the default thresholds."""
    series = ((((("definition", variant),)), read(variant)) for variant in service_level.BASES)
    return _export(f"support_service_level_{name}", "service_level", text, *series)


def _service_level_part(variant: str, place: int) -> Read:
    definition = definition_of(METRICS["service_level"], variant)
    return lambda cells, definitions: service_level.parts(cells, definition, definitions)[place]


WINDOWED: Final = (
    _export(
        "support_asa_seconds", "asa_queue", None,
        (ENQUEUED, _number("asa_queue", "enqueued")), (CREATED, _number("asa_queue", "created")),
    ),
    _counted("answered"),
    _export(
        "support_answered_wait_seconds", "asa_queue",
        "Total wait of legs answered by a human; over support_answered it is the mean.",
        (ENQUEUED, _seconds(LEAVE, "answered_wait_ms")),
        (CREATED, _seconds(LEAVE, "answered_wait_ms", "answered_ahead_ms")),
    ),
    _export("support_wait_seconds", "wait_all", None, ((), _number("wait_all"))),
    _export(
        "support_left", "wait_all", "Queued legs that left, whatever the outcome.",
        ((), _count(LEAVE, *calls.OUTCOMES, less="unqueued")),
    ),
    _export(
        "support_left_wait_seconds", "wait_all",
        "Total wait of queued legs that left; over support_left it is the mean.",
        ((), _seconds(LEAVE, "answered_wait_ms", "abandoned_wait_ms", "other_wait_ms")),
    ),
    _export("support_wait_abandoned_seconds", "wait_abandoned", None, ((), _number("wait_abandoned"))),
    _counted("abandoned"),
    _export(
        "support_abandoned_wait_seconds", "wait_abandoned",
        "Total wait of abandoned legs; over support_abandoned it is the mean.",
        ((), _seconds(LEAVE, "abandoned_wait_ms")),
    ),
    _counted("callbacks_requested"),
    _counted("transferred_out"),
    _counted("flowed_out"),
    _counted("bot_answered"),
    _counted("offered"),
    _export(
        "support_abandon_ratio", "abandon_rate",
        "Of the legs that entered the queue in the window: abandoned after more than 5 seconds.",
        ((), _number("abandon_rate")),
    ),
    _export(
        "support_abandon_ratio_low", "abandon_rate",
        "Lower end of the Wilson 95 % interval of support_abandon_ratio.",
        ((), _number("abandon_rate", field="low")),
    ),
    _export(
        "support_abandon_ratio_high", "abandon_rate",
        "Upper end of the Wilson 95 % interval of support_abandon_ratio.",
        ((), _number("abandon_rate", field="high")),
    ),
    _export(
        "support_offered_abandoned", "abandon_rate",
        "Of the legs that entered the queue in the window: how many were abandoned after more than 5"
        " seconds; over support_offered it is the ratio.",
        ((), _numerator("abandon_rate")),
    ),
    _service_levels("ratio", None, lambda variant: _number("service_level", variant)),
    _service_levels(
        "ratio_low", "Lower end of the Wilson 95 % interval of support_service_level_ratio.",
        lambda variant: _number("service_level", variant, "low"),
    ),
    _service_levels(
        "ratio_high", "Upper end of the Wilson 95 % interval of support_service_level_ratio.",
        lambda variant: _number("service_level", variant, "high"),
    ),
    _service_levels(
        "met", "Legs that a definition counts as in time; over support_service_level_base it is the ratio.",
        lambda variant: _service_level_part(variant, 0),
    ),
    _service_levels(
        "base", "Legs that a definition counts at all.", lambda variant: _service_level_part(variant, 1)
    ),
    *_with_interval("support_asa_p50_seconds", "asa_p50"),
    *_with_interval("support_asa_p90_seconds", "asa_p90"),
    *_with_interval("support_asa_p99_seconds", "asa_p99"),
    _export("support_asa_customer_seconds", "asa_customer", None, ((), _number("asa_customer"))),
    _export(
        "support_customers_answered", "asa_customer", "Contacts answered by a human, once each, by path.",
        ((), _count(CUSTOMER, "answered")),
    ),
    _export(
        "support_customers_wait_seconds", "asa_customer",
        "Total time from first enqueue to talk; over support_customers_answered it is the mean.",
        ((), _seconds(CUSTOMER, "wait_ms")),
    ),
    *_with_interval("support_callback_kept_ratio", "callback_kept"),
    _export(
        "support_callback_contacts", "callback_kept", "Contacts by their first callback request.",
        ((), _count(CALLBACK, "requested")),
    ),
    _export(
        "support_callback_contacts_kept", "callback_kept",
        "Of the contacts that requested a callback: how many reached a human at or after it.",
        ((), _count(CALLBACK, "kept")),
    ),
    _export("support_callback_wait_seconds", "callback_wait", None, ((), _number("callback_wait"))),
    _export(
        "support_callback_contacts_wait_seconds", "callback_wait",
        "Total time from first callback request to talk; over support_callback_contacts_kept it is the mean.",
        ((), _seconds(CALLBACK, "wait_ms")),
    ),
    _export("support_handle_time_seconds", "handle_time", None, ((), _number("handle_time"))),
    _export(
        "support_handled", "handle_time", "Talks with a human that ended. Context only.",
        ((), _count(HANDLE, "ended")),
    ),
    _export(
        "support_handled_seconds", "handle_time",
        "Total time from talk to end; over support_handled it is the mean. Context only.",
        ((), _seconds(HANDLE, "handle_ms")),
    ),
    *_with_interval("support_csat_ratio", "csat"),
    _export(
        "support_csat_answers", "csat", "Answers to satisfaction surveys.",
        ((), _count(SURVEY_ANSWERS, "csat_answers")),
    ),
    _export(
        "support_csat_answers_satisfied", "csat",
        "Those in the top quarter of their scale; over support_csat_answers it is the ratio.",
        ((), _count(SURVEY_ANSWERS, "csat_satisfied")),
    ),
    *_with_interval("support_csat_commented_ratio", "csat_commented"),
    _export(
        "support_csat_answers_commented", "csat_commented",
        "Those with a comment; over support_csat_answers it is the ratio.",
        ((), _count(SURVEY_ANSWERS, "csat_commented")),
    ),
    *_with_interval("support_csat_response_ratio", "csat_response_rate"),
    _export(
        "support_csat_sent", "csat_response_rate", "Satisfaction surveys sent.",
        ((), _count(SURVEY_SENT, "csat_sent")),
    ),
    _export(
        "support_csat_sent_answered", "csat_response_rate",
        "Of the satisfaction surveys sent in the window: answered; over support_csat_sent it is the ratio.",
        ((), _count(SURVEY_SENT, "csat_answered")),
    ),
    *_with_interval("support_nps_points", "nps"),
    _counted("promoters"),
    _counted("passives"),
    _counted("detractors"),
    _export("support_frt_seconds", "frt", None, ((), _number("frt"))),
    _export("support_frt_business_seconds", "frt_business", None, ((), _number("frt_business"))),
    _export("support_frt_responses", "frt", "First responses.", ((), _count(TICKETS, "first"))),
    _export(
        "support_frt_wait_seconds", "frt", "Total wait for them; over support_frt_responses it is the mean.",
        ((), _seconds(TICKETS, "first_ms")),
    ),
    _export(
        "support_frt_business_wait_seconds", "frt_business",
        "Its part inside business hours; over support_frt_responses it is the mean.",
        ((), _seconds(TICKETS, "first_open_ms")),
    ),
    _export("support_nrt_seconds", "nrt", None, ((), _number("nrt"))),
    _export("support_nrt_responses", "nrt", "Next responses.", ((), _count(TICKETS, "next"))),
    _export(
        "support_nrt_wait_seconds", "nrt", "Total wait for them; over support_nrt_responses it is the mean.",
        ((), _seconds(TICKETS, "next_ms")),
    ),
    _export("support_resolution_seconds", "resolution", None, ((), _number("resolution"))),
    _counted("resolutions"),
    _export(
        "support_resolutions_age_seconds", "resolution",
        "Total time from creation to the last solving; over support_resolutions it is the mean.",
        ((), _seconds(TICKETS, "resolved_ms")),
    ),
    _counted("solve_events"),
    _export(
        "support_solve_events_reopened", "reopen_rate",
        "Of the solve events in the window: reopened within 72 h so far; over support_solve_events the rate.",
        ((), _count(TICKETS, "reopened")),
    ),
    *_with_interval("support_one_touch_ratio", "one_touch"),
    _export(
        "support_resolutions_one_touch", "one_touch",
        "Resolutions with exactly one public reply; over support_resolutions it is the ratio. Context only.",
        ((), _count(TICKETS, "one_touch")),
    ),
    *_with_interval("support_custom_work_ratio", "custom_work_share"),
    _export(
        "support_tickets_created", "custom_work_share", "Tickets created.", ((), _count(TICKETS, "created"))
    ),
    _export(
        "support_tickets_created_custom_work", "custom_work_share",
        "Of the tickets created: with custom work; over support_tickets_created it is the ratio.",
        ((), _count(TICKETS, "custom_work")),
    ),
)  # fmt: skip


def _level(metric_name: str) -> LevelExport:
    metric = METRICS[metric_name]

    def read(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> float | None:
        return read_level(metric, levels, now, definitions).value

    return LevelExport(f"support_{metric_name}", metric_name, metric.help, read)


def _backlog(age: str) -> ReadLevel:
    read = tickets.backlog_in({"age": age})
    return lambda levels, now, definitions: read(levels, now, definitions).value


def _since(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> float | None:
    """When the oldest overdue ticket began to wait."""
    waited = read_level(METRICS["frt_overdue_oldest"], levels, now, definitions).value
    return None if waited is None else now / 1000 - waited


def _oldest(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> float | None:
    at = calls.oldest_enqueued_at(levels, now, definitions)
    return None if at is None else at / 1000


LEVELS: Final = (
    _level("in_queue"),
    _level("scheduled"),
    _level("stuck"),
    LevelExport(
        "support_oldest_waiting_enqueued_timestamp_seconds", "oldest_waiting",
        "When the oldest leg that waits now entered the queue; absent when none waits.", _oldest,
    ),
    _level("backlog")._replace(
        family=BACKLOG.name, series=tuple(((("age", age),), _backlog(age)) for age in tickets.AGES)
    ),
    _level("frt_overdue")._replace(family=UNANSWERED.name),
    LevelExport(
        "support_frt_overdue_oldest_start_timestamp_seconds", "frt_overdue_oldest",
        "When the oldest of the overdue tickets began to wait; absent when there is none.",
        _since, UNANSWERED.name,
    ),
)  # fmt: skip
