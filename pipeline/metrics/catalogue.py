"""Every metric by name: which families it reads, and the function from cells to a number.

Source: metrics.md §2. A definition is a variant's name or an object of parameters; ratios and
means are computed here, when reading, and nowhere else.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.metrics import calls
from pipeline.metrics.buckets import Cells, LevelValue
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.numbers import Number

Definition = Mapping[str, Any]


class DefinitionError(ValueError):
    """The definition asked for is unknown or cannot be answered; the message says what to do."""


class Metric(NamedTuple):
    """One number Pulse ships. `unit`: seconds, ratio or count. `help` is for people.

    A window metric reads one of `families` (`leave` unless the definition says by enqueue);
    a level metric reads level values at an instant. `variants` lists the named definitions,
    the default first.
    """

    name: str
    unit: str
    help: str
    families: tuple[str, ...]
    variants: tuple[str, ...] = ("default",)
    parameters: tuple[str, ...] = ()
    window: Callable[[Cells, Definition, Definitions], Number] | None = None
    level: Callable[[Iterable[LevelValue], int, Definitions], Number] | None = None

    @property
    def is_level(self) -> bool:
        """Whether it answers at an instant rather than over a window."""
        return self.level is not None


def _by_leave(name: str, unit: str, text: str, window: Any, **more: Any) -> Metric:
    return Metric(name, unit, text, ("leave", "cohort"), parameters=("by",), window=window, **more)


def _level(name: str, unit: str, text: str, level: Any, family: str = "waiting") -> Metric:
    return Metric(name, unit, text, (family,), level=level)


METRICS: Final = {
    metric.name: metric
    for metric in (
        _by_leave(
            "asa_queue",
            "seconds",
            "Mean wait in the queue of legs answered by a human, zero waits and unqueued calls"
            " included; `created` starts the clock when the leg was created.",
            calls.asa_queue,
            variants=("enqueued", "created"),
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
        Metric(
            "offered",
            "count",
            "Legs that entered the queue, by enqueue time.",
            ("cohort",),
            window=calls.offered,
        ),
        Metric(
            "abandon_rate",
            "ratio",
            "Of the legs that entered the queue: abandoned after more than S seconds / offered.",
            ("cohort",),
            parameters=("S",),
            window=calls.abandon_rate,
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
            "Legs whose facts contradict each other; they count nowhere else.",
            calls.quarantined,
            family="quarantine",
        ),
    )
}


def metric_of(name: str) -> Metric:
    """Raises DefinitionError for an unknown name."""
    if name not in METRICS:
        raise DefinitionError(f"unknown metric {name!r}; known are {', '.join(sorted(METRICS))}")
    return METRICS[name]


def definition_of(metric: Metric, asked: str | Mapping[str, Any] | None) -> Definition:
    """A variant's name or parameters as one object {"name": …, …}. Raises DefinitionError."""
    if asked is None:
        asked = {}
    table = {"name": asked} if isinstance(asked, str) else dict(asked)
    name = table.setdefault("name", metric.variants[0])
    if name not in metric.variants:
        known = ", ".join(metric.variants)
        raise DefinitionError(f"{metric.name} has no definition {name!r}; known are {known}")
    unknown = [key for key in table if key not in {"name", *metric.parameters}]
    if unknown:
        known = ", ".join(metric.parameters) or "none"
        raise DefinitionError(f"{metric.name} has no parameter {unknown[0]!r}; known are {known}")
    if table.get("by", "leave") not in {"leave", "enqueue"}:
        raise DefinitionError(f'by: {table["by"]!r}; known are "leave" and "enqueue"')
    return table


def family_of(metric: Metric, definition: Definition) -> str:
    """The one family a window metric reads under a definition."""
    return metric.families[-1] if definition.get("by") == "enqueue" else metric.families[0]


def read_window(metric: Metric, cells: Cells, definition: Definition, definitions: Definitions) -> Number:
    """The number of a window, from the sum of the family's cells in it."""
    if metric.window is None:
        raise DefinitionError(f"{metric.name} is a level: ask for it `at` an instant")
    return metric.window(cells, definition, definitions)


def read_level(metric: Metric, levels: Iterable[LevelValue], now: int, definitions: Definitions) -> Number:
    """The number at `now` (ms), from the level values of every series and partition asked for."""
    if metric.level is None:
        raise DefinitionError(f"{metric.name} belongs to a window: ask with from/to or a window")
    return metric.level(levels, now, definitions)
