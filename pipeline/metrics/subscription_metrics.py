"""The metrics of subscriptions by name. Source: metrics.md §6; the formulas are in `revenue.py`.

All of them are joint: they compare states of accounts. `families` names the step family that carries
the live projection of those that are kept live.
"""

from collections.abc import Callable
from typing import Final

from pipeline.metrics import revenue
from pipeline.metrics.families import FLOW, STANDING, STAYING
from pipeline.metrics.metric import Definition, Metric

DIMS: Final = ("currency", "plan")


def _joint(  # noqa: PLR0913 - a row of the table
    name: str,
    unit: str,
    text: str,
    family: str,
    window: revenue.Formula | None = None,
    *,
    variants: tuple[str, ...] = ("default",),
    parameters: tuple[str, ...] = (),
    fault: Callable[[Definition], str] = revenue.fault,
) -> Metric:
    return Metric(
        name,
        unit,
        text,
        (family,),
        variants,
        ("recognition", *parameters),
        window,
        "subscription",
        DIMS,
        family == STANDING.name,
        fault=fault,
    )


def _flow(name: str, accounts: str, minor: str, text: str) -> Metric:
    return _joint(name, "minor", text, FLOW.name, revenue.money(minor, accounts))


METRICS: Final = (
    _joint(
        "churn",
        "ratio",
        "Accounts active at the start and not at the end / accounts active at the start; `start_plus_new`"
        " adds to the base who became active inside; `daily_sum` adds up the days' rates.",
        STAYING.name,
        revenue.churn,
        variants=("start", "start_plus_new", "daily_sum"),
    ),
    _joint(
        "mrr", "minor", "Monthly recurring revenue.", STANDING.name, revenue.level("mrr_minor")
    ),
    _joint(
        "arr",
        "minor",
        "Twelve times the monthly recurring revenue.",
        STANDING.name,
        revenue.level("mrr_minor", revenue.MONTHS_A_YEAR),
    ),
    _joint(
        "active_accounts",
        "count",
        "Accounts with recurring revenue above 0 in any currency.",
        STANDING.name,
        revenue.level("accounts"),
    ),
    _joint(
        "seats", "count", "Seats of subscriptions not cancelled.", STANDING.name, revenue.level("seats")
    ),
    _flow("mrr_new", "new", "new_minor", "MRR at the end of accounts never active before the start."),
    _flow(
        "mrr_reactivation",
        "reactivated",
        "reactivation_minor",
        "MRR at the end of accounts not active at the start that had been active before.",
    ),
    _flow("mrr_expansion", "expanded", "expansion_minor", "What accounts active at both ends rose by."),
    _flow("mrr_contraction", "contracted", "contraction_minor", "What accounts active at both ends fell by."),
    _flow("mrr_churn", "churned", "churn_minor", "MRR at the start of accounts not active at the end."),
    _joint(
        "nrr",
        "ratio",
        "MRR at the end of accounts active at the start / their MRR at the start.",
        FLOW.name,
        revenue.of_start("start_minor", "expansion_minor", "-contraction_minor", "-churn_minor"),
    ),
    _joint(
        "grr",
        "ratio",
        "Of accounts active at the start the lesser of MRR at start and end / their MRR at the start.",
        FLOW.name,
        revenue.of_start("start_minor", "-contraction_minor", "-churn_minor"),
    ),
    _joint(
        "gross_churn_mrr",
        "ratio",
        "(churn + contraction) / MRR at the start.",
        FLOW.name,
        revenue.of_start("churn_minor", "contraction_minor"),
    ),
    _joint(
        "net_churn_mrr",
        "ratio",
        "(churn + contraction − expansion − reactivation) / MRR at the start.",
        FLOW.name,
        revenue.of_start("churn_minor", "contraction_minor", "-expansion_minor", "-reactivation_minor"),
    ),
    _joint(
        "seat_expansion",
        "count",
        "Seats at the end − seats at the start of accounts active at the start.",
        STAYING.name,
        revenue.seat_expansion,
    ),
    _joint("clv_realised", "minor", "Mean of all payments over accounts ever active.", STANDING.name),
    _joint(
        "clv_predictive",
        "minor",
        "MRR per active account at the start × margin / churn of the window.",
        FLOW.name,
        revenue.clv_predictive_of_currency,
        parameters=("margin",),
    ),
    _joint(
        "clv_given",
        "minor",
        "MRR per active account now × given months.",
        STANDING.name,
        revenue.clv_given,
        parameters=("months",),
        fault=revenue.fault_of_given,
    ),
    _joint(
        "custom_revenue_share",
        "ratio",
        "Services invoiced out of scope / (services + MRR at the end of the window).",
        FLOW.name,
    ),
    _joint(
        "churn_cost",
        "minor",
        "MRR lost by churn / churn: what a lost account costs.",
        FLOW.name,
        revenue.churn_cost_of_currency,
    ),
)  # fmt: skip
