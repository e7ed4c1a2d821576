"""The metrics of calls by name. Source: metrics.md §2; the formulas are in `calls.py`."""

from typing import Any, Final

from pipeline.metrics import calls, chains, percentiles, service_level
from pipeline.metrics.metric import Metric


def _by_leave(name: str, unit: str, text: str, window: Any, **more: Any) -> Metric:
    return Metric(name, unit, text, ("leave", "cohort"), parameters=("by",), window=window, **more)


def _by_enqueue(name: str, unit: str, text: str, window: Any, *parameters: str, **more: Any) -> Metric:
    more.setdefault("fault", calls.cohort_fault)
    return Metric(name, unit, text, ("cohort",), parameters=(*parameters, "by"), window=window, **more)


def _percentile(percent: int) -> Metric:
    return _by_leave(
        f"asa_p{percent}",
        "seconds",
        f"Wait that {percent} % of the legs answered by a human did not exceed: exact (nearest rank) from"
        " facts; the board is linear inside a bucket of waits, whose bounds are low and high.",
        percentiles.binned_wait(percent),
        exact=percentiles.exact_wait(percent),
    )


def _level(name: str, unit: str, text: str, level: Any, families: tuple[str, ...] = ("waiting",)) -> Metric:
    return Metric(name, unit, text, families, level=level)


METRICS: Final = (
    _by_leave(
        "asa_queue",
        "seconds",
        "Mean wait in the queue of legs answered by a human, zero waits and unqueued calls"
        " included; `created` starts the clock when the leg was created.",
        calls.asa_queue,
        variants=("enqueued", "created"),
        label="clock",
    ),
    _by_leave(
        "wait_all",
        "seconds",
        "Mean wait of all queued legs that left, whatever the outcome.",
        calls.wait_all,
    ),
    _by_leave(
        "wait_abandoned",
        "seconds",
        "Mean wait of abandoned legs.",
        calls.wait_abandoned,
    ),
    _by_leave(
        "answered",
        "count",
        "Legs answered by a human, unqueued calls included.",
        calls.counter("answered"),
    ),
    _by_leave("abandoned", "count", "Legs abandoned in the queue.", calls.counter("abandoned")),
    _by_leave(
        "callbacks_requested",
        "count",
        "Legs that left by choosing a callback.",
        calls.counter("callbacks_requested"),
    ),
    _by_leave(
        "transferred_out",
        "count",
        "Legs that left the queue for another one, unanswered.",
        calls.counter("transferred_out"),
    ),
    _by_leave(
        "flowed_out",
        "count",
        "Legs that left by overflow, voicemail or closing time.",
        calls.counter("flowed_out"),
    ),
    _by_leave(
        "bot_answered",
        "count",
        "Legs answered by a bot; in no answer time.",
        calls.counter("bot_answered"),
    ),
    _by_enqueue("offered", "count", "Legs that entered the queue, by enqueue time.", calls.offered),
    _by_enqueue(
        "abandon_rate",
        "ratio",
        "Of the legs that entered the queue: abandoned after more than S seconds / offered.",
        calls.abandon_rate,
        "S",
    ),
    _by_enqueue(
        "service_level",
        "ratio",
        "Of the legs that entered the queue: answered by a human within X seconds, over what the"
        " definition counts.",
        service_level.service_level,
        *service_level.PARAMETERS,
        variants=tuple(service_level.BASES),
        maturity=service_level.maturity_ms,
        fault=service_level.fault_of,
    ),
    *(_percentile(percent) for percent in (50, 90, 99)),
    Metric(
        "asa_customer",
        "seconds",
        "Mean time from a customer's first enqueue to the talk with a human, over all legs of the contact,"
        " by path: direct, transfer or callback.",
        ("customer",),
        window=chains.asa_customer,
    ),
    Metric(
        "callback_kept",
        "ratio",
        "Of the contacts that requested a callback: those that reached a human at or after the request.",
        ("callback",),
        window=chains.callback_kept,
    ),
    Metric(
        "callback_wait",
        "seconds",
        "Mean time from a contact's first callback request to the talk.",
        ("callback",),
        window=chains.callback_wait,
    ),
    Metric(
        "handle_time",
        "seconds",
        "Mean time from talk to end of legs answered by a human, by end. Context only, never a target:"
        " capping it is how service gets worse.",
        ("handle",),
        window=chains.handle_time,
    ),
    _level("in_queue", "count", "Legs waiting in the queue now.", calls.in_queue),
    _level(
        "oldest_waiting",
        "seconds",
        "Age of the oldest leg waiting; absent when none waits.",
        calls.oldest_waiting,
    ),
    _level(
        "scheduled",
        "count",
        "Callbacks whose turn in the queue is still to come.",
        calls.scheduled,
    ),
    _level(
        "stuck",
        "count",
        "Legs waiting longer than `stuck_after`: a lost end, no customer.",
        calls.stuck,
    ),
    _level(
        "quarantined",
        "count",
        "Legs and tickets whose facts contradict each other; they count nowhere else.",
        calls.quarantined,
        families=("quarantine", "tickets_quarantine"),
    ),
)
