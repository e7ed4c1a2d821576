"""Which series Prometheus gets of revenue, staying and adoption: names, labels, and how each is read.

Source: metrics.md §5, §6 and §9. A ratio stands beside its counts; absent is no series, never 0.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

from pipeline.board.places import Place
from pipeline.board.steps import ANY_CURRENCY, WINDOW_SHOWN
from pipeline.metrics.buckets import Cells
from pipeline.metrics.catalogue import METRICS, definition_of, read_window
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import ADOPTION, FLOW, STANDING, STAYING

Told: TypeAlias = Iterator[tuple[list[str], float]]
Read: TypeAlias = Callable[[Cells, Definitions], Iterator[tuple[list[str], float | None]]]


class SuccessExport(NamedTuple):
    """One gauge family of a step family. `read` answers further labels with a value each; `by_day` is the
    field of churn added up by day that stands beside them, if any.
    """

    name: str
    help: str
    family: str
    labels: tuple[str, ...]
    read: Read
    by_day: str = ""

    def series(self, place: Place, cells: Cells, definitions: Definitions) -> Told:
        """Label values with the number of one place, absent ones left out."""
        named = [WINDOW_SHOWN.get(name or "", name or "") for name in place]
        if self.family == STANDING.name and (named[-1] == ANY_CURRENCY) == ("currency" in self.labels):
            return
        if self.family == STANDING.name and named[-1] == ANY_CURRENCY:
            named.pop()
        for more, value in self.read(cells, definitions):
            if value is not None:
                yield [*named, *more], value


def _by_definition(field: str) -> Read:
    metric = METRICS["churn"]

    def read(cells: Cells, definitions: Definitions) -> Iterator[tuple[list[str], float | None]]:
        for variant in ("start", "start_plus_new"):
            number = read_window(metric, cells, definition_of(metric, variant), definitions)
            yield [variant], getattr(number, field)

    return read


def _cell(cell: int) -> Read:
    return lambda cells, _: iter([([], cells.get(cell, 0))])


def _number(metric_name: str) -> Read:
    metric = METRICS[metric_name]
    definition = definition_of(metric, None)
    return lambda cells, definitions: iter([([], read_window(metric, cells, definition, definitions).value)])


def _churn(name: str, text: str, field: str) -> SuccessExport:
    labels = ("tenant", "window", "definition")
    by_day = field if field in {"value", "n"} else ""
    return SuccessExport(name, text, STAYING.name, labels, _by_definition(field), by_day)


def _flow(name: str, metric_name: str) -> SuccessExport:
    text = METRICS[metric_name].help
    return SuccessExport(name, text, FLOW.name, ("tenant", "window", "currency"), _number(metric_name))


def _standing(name: str, metric_name: str, *more: str) -> SuccessExport:
    return SuccessExport(
        name, METRICS[metric_name].help, STANDING.name, ("tenant", *more), _number(metric_name)
    )


def _of_usage(name: str, metric_name: str, field: str = "value", text: str = "") -> SuccessExport:
    metric = METRICS[metric_name]
    definition = definition_of(metric, None)

    def read(cells: Cells, definitions: Definitions) -> Iterator[tuple[list[str], float | None]]:
        yield [], getattr(read_window(metric, cells, definition, definitions), field)

    return SuccessExport(name, text or metric.help, ADOPTION.name, ("tenant",), read)


def _interval(name: str, metric_name: str) -> tuple[SuccessExport, ...]:
    """A share with its interval and what it is a share of."""
    return (
        _of_usage(f"{name}_ratio", metric_name),
        _of_usage(f"{name}_ratio_low", metric_name, "low", f"Lower end of the interval of {name}_ratio."),
        _of_usage(f"{name}_ratio_high", metric_name, "high", f"Upper end of the interval of {name}_ratio."),
        _of_usage(f"{name}_units", metric_name, "n", f"Units that {name}_ratio is a share of."),
    )


SUCCESS: Final = (
    _churn("success_churn_ratio", METRICS["churn"].help, "value"),
    _churn("success_churn_ratio_low", "Lower end of the interval of success_churn_ratio.", "low"),
    _churn("success_churn_ratio_high", "Upper end of the interval of success_churn_ratio.", "high"),
    _churn("success_churn_base_accounts", "Accounts that success_churn_ratio is a share of.", "n"),
    SuccessExport(
        "success_churn_lost_accounts",
        "Accounts active at the window's start and not at its end; over the base it is the ratio.",
        STAYING.name,
        ("tenant", "window"),
        _cell(STAYING.cell("lost")),
    ),
    SuccessExport(
        "success_seat_expansion",
        METRICS["seat_expansion"].help,
        STAYING.name,
        ("tenant", "window"),
        _number("seat_expansion"),
    ),
    _flow("success_nrr_ratio", "nrr"),
    _flow("success_grr_ratio", "grr"),
    _flow("success_gross_churn_mrr_ratio", "gross_churn_mrr"),
    _flow("success_net_churn_mrr_ratio", "net_churn_mrr"),
    _flow("success_mrr_new_minor", "mrr_new"),
    _flow("success_mrr_reactivation_minor", "mrr_reactivation"),
    _flow("success_mrr_expansion_minor", "mrr_expansion"),
    _flow("success_mrr_contraction_minor", "mrr_contraction"),
    _flow("success_mrr_churn_minor", "mrr_churn"),
    SuccessExport(
        "success_mrr_start_minor",
        "Monthly recurring revenue at the window's start, in minor units.",
        FLOW.name,
        ("tenant", "window", "currency"),
        _cell(FLOW.cell("start_minor")),
    ),
    _flow("success_clv_predictive_minor", "clv_predictive"),
    _flow("success_churn_cost_minor", "churn_cost"),
    _standing("success_mrr_minor", "mrr", "currency"),
    _standing("success_arr_minor", "arr", "currency"),
    _standing("success_active_accounts", "active_accounts"),
    _standing("success_seats", "seats"),
    *_interval("success_adoption", "adoption"),
    *_interval("success_activation", "activation"),
    *_interval("success_time_to_value_censored", "time_to_value_censored"),
    *(_of_usage(f"success_active_{days}d", f"active_{days}d") for days in (1, 7, 28)),
    _of_usage("success_stickiness_ratio", "stickiness"),
    _of_usage("success_time_to_value_seconds", "time_to_value_mean"),
    _of_usage("success_time_to_value_reached", "time_to_value_mean", "n", "Units behind the mean."),
)
