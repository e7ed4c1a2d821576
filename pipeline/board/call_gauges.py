"""Which series Prometheus gets of calls. Source: metrics.md §2 and §9."""

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.board.gauges import (
    Export,
    Labels,
    LevelExport,
    Read,
    count,
    counted,
    export,
    level,
    number,
    numerator,
    seconds,
    with_interval,
)
from pipeline.metrics import calls, service_level
from pipeline.metrics.buckets import LevelValue
from pipeline.metrics.catalogue import METRICS, definition_of
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import CALLBACK, CUSTOMER, HANDLE, LEAVE

ENQUEUED: Final[Labels] = (("clock", "enqueued"),)
CREATED: Final[Labels] = (("clock", "created"),)


def _service_levels(name: str, text: str | None, read: Callable[[str], Read]) -> Export:
    """Every definition side by side, with the default thresholds."""
    series = ((((("definition", variant),)), read(variant)) for variant in service_level.BASES)
    return export(f"support_service_level_{name}", "service_level", text, *series)


def _service_level_part(variant: str, place: int) -> Read:
    definition = definition_of(METRICS["service_level"], variant)
    return lambda cells, definitions: service_level.parts(cells, definition, definitions)[place]


CALLS: Final = (
    export(
        "support_asa_seconds", "asa_queue", None,
        (ENQUEUED, number("asa_queue", "enqueued")), (CREATED, number("asa_queue", "created")),
    ),
    counted("answered"),
    export(
        "support_answered_wait_seconds", "asa_queue",
        "Total wait of legs answered by a human; over support_answered it is the mean.",
        (ENQUEUED, seconds(LEAVE, "answered_wait_ms")),
        (CREATED, seconds(LEAVE, "answered_wait_ms", "answered_ahead_ms")),
    ),
    export("support_wait_seconds", "wait_all", None, ((), number("wait_all"))),
    export(
        "support_left", "wait_all", "Queued legs that left, whatever the outcome.",
        ((), count(LEAVE, *calls.OUTCOMES, less="unqueued")),
    ),
    export(
        "support_left_wait_seconds", "wait_all",
        "Total wait of queued legs that left; over support_left it is the mean.",
        ((), seconds(LEAVE, "answered_wait_ms", "abandoned_wait_ms", "other_wait_ms")),
    ),
    export("support_wait_abandoned_seconds", "wait_abandoned", None, ((), number("wait_abandoned"))),
    counted("abandoned"),
    export(
        "support_abandoned_wait_seconds", "wait_abandoned",
        "Total wait of abandoned legs; over support_abandoned it is the mean.",
        ((), seconds(LEAVE, "abandoned_wait_ms")),
    ),
    counted("callbacks_requested"),
    counted("transferred_out"),
    counted("flowed_out"),
    counted("bot_answered"),
    counted("offered"),
    export(
        "support_abandon_ratio", "abandon_rate",
        "Of the legs that entered the queue in the window: abandoned after more than 5 seconds.",
        ((), number("abandon_rate")),
    ),
    export(
        "support_abandon_ratio_low", "abandon_rate",
        "Lower end of the Wilson 95 % interval of support_abandon_ratio.",
        ((), number("abandon_rate", field="low")),
    ),
    export(
        "support_abandon_ratio_high", "abandon_rate",
        "Upper end of the Wilson 95 % interval of support_abandon_ratio.",
        ((), number("abandon_rate", field="high")),
    ),
    export(
        "support_offered_abandoned", "abandon_rate",
        "Of the legs that entered the queue in the window: how many were abandoned after more than 5"
        " seconds; over support_offered it is the ratio.",
        ((), numerator("abandon_rate")),
    ),
    _service_levels("ratio", None, lambda variant: number("service_level", variant)),
    _service_levels(
        "ratio_low", "Lower end of the Wilson 95 % interval of support_service_level_ratio.",
        lambda variant: number("service_level", variant, "low"),
    ),
    _service_levels(
        "ratio_high", "Upper end of the Wilson 95 % interval of support_service_level_ratio.",
        lambda variant: number("service_level", variant, "high"),
    ),
    _service_levels(
        "met", "Legs that a definition counts as in time; over support_service_level_base it is the ratio.",
        lambda variant: _service_level_part(variant, 0),
    ),
    _service_levels(
        "base", "Legs that a definition counts at all.", lambda variant: _service_level_part(variant, 1)
    ),
    *with_interval("support_asa_p50_seconds", "asa_p50"),
    *with_interval("support_asa_p90_seconds", "asa_p90"),
    *with_interval("support_asa_p99_seconds", "asa_p99"),
    export("support_asa_customer_seconds", "asa_customer", None, ((), number("asa_customer"))),
    export(
        "support_customers_answered", "asa_customer", "Contacts answered by a human, once each, by path.",
        ((), count(CUSTOMER, "answered")),
    ),
    export(
        "support_customers_wait_seconds", "asa_customer",
        "Total time from first enqueue to talk; over support_customers_answered it is the mean.",
        ((), seconds(CUSTOMER, "wait_ms")),
    ),
    *with_interval("support_callback_kept_ratio", "callback_kept"),
    export(
        "support_callback_contacts", "callback_kept", "Contacts by their first callback request.",
        ((), count(CALLBACK, "requested")),
    ),
    export(
        "support_callback_contacts_kept", "callback_kept",
        "Of the contacts that requested a callback: how many reached a human at or after it.",
        ((), count(CALLBACK, "kept")),
    ),
    export("support_callback_wait_seconds", "callback_wait", None, ((), number("callback_wait"))),
    export(
        "support_callback_contacts_wait_seconds", "callback_wait",
        "Total time from first callback request to talk; over support_callback_contacts_kept it is the mean.",
        ((), seconds(CALLBACK, "wait_ms")),
    ),
    export("support_handle_time_seconds", "handle_time", None, ((), number("handle_time"))),
    export(
        "support_handled", "handle_time", "Talks with a human that ended. Context only.",
        ((), count(HANDLE, "ended")),
    ),
    export(
        "support_handled_seconds", "handle_time",
        "Total time from talk to end; over support_handled it is the mean. Context only.",
        ((), seconds(HANDLE, "handle_ms")),
    ),
)  # fmt: skip


def _oldest(levels: Iterable[LevelValue], now: int, definitions: Definitions) -> float | None:
    at = calls.oldest_enqueued_at(levels, now, definitions)
    return None if at is None else at / 1000


CALL_LEVELS: Final = (
    level("in_queue"),
    level("scheduled"),
    level("stuck"),
    LevelExport(
        "support_oldest_waiting_enqueued_timestamp_seconds", "oldest_waiting",
        "When the oldest leg that waits now entered the queue; absent when none waits.", _oldest,
    ),
)  # fmt: skip
