"""The metrics of usage by name. Source: metrics.md §5; the formulas are in `adoption.py`.

All of them are joint: answered from facts by pipeline/replay/usage.py, by each tenant's own days. Those
with a formula over ADOPTION are also kept live as declared, for the end of the running day.
"""

from collections.abc import Callable
from typing import Final

from pipeline.metrics import adoption
from pipeline.metrics.adoption import fault
from pipeline.metrics.buckets import Cells
from pipeline.metrics.definitions import Definitions
from pipeline.metrics.families import ADOPTION, INVITATIONS
from pipeline.metrics.metric import Definition, Metric
from pipeline.metrics.numbers import Number, count, mean_seconds


def _joint(
    name: str,
    unit: str,
    text: str,
    parameters: tuple[str, ...] = ("unit",),
    dims: tuple[str, ...] = (),
    live: Callable[[Cells, Definition, Definitions], Number] | None = None,
    *,
    at_instant: bool = True,
) -> Metric:
    families = () if live is None else (ADOPTION.name,)
    return Metric(
        name,
        unit,
        text,
        families,
        parameters=parameters,
        window=live,
        joint_stream="usage",
        joint_dims=dims,
        at_instant=at_instant,
        fault=fault,
    )


def _of(formula: Callable[..., Number], *counters: str) -> Callable[[Cells, Definition, Definitions], Number]:
    """A formula over counters of ADOPTION."""
    places = [ADOPTION.cell(name) for name in counters]
    return lambda cells, _definition, _definitions: formula(*(cells.get(place, 0) for place in places))


def _invitations(name: str, kind: str, text: str) -> Metric:
    cell = INVITATIONS.cell("invited")
    return Metric(
        name,
        "count",
        text,
        (INVITATIONS.name,),
        window=lambda cells, _definition, _definitions: count(cells.get(cell, 0)),
        joint_stream="usage",
        fault=fault,
        only=(("kind", kind),),
    )


METRICS: Final = (
    _joint(
        "adoption",
        "ratio",
        "Eligible units that used at least k core features in the last w days, on at least d days / eligible"
        " units.",
        ("unit", "core", "k", "d", "w"),
        live=_of(adoption.adoption, "adopted", "eligible"),
    ),
    _joint("active_1d", "count", "Units that used anything today.", live=_of(count, "active_1d")),
    _joint(
        "active_7d",
        "count",
        "Units that used anything in the last 7 local days.",
        live=_of(count, "active_7d"),
    ),
    _joint(
        "active_28d",
        "count",
        "Units that used anything in the last 28 local days.",
        live=_of(count, "active_28d"),
    ),
    _joint(
        "stickiness",
        "ratio",
        "Mean of active_1d over the last 28 days / active_28d.",
        live=_of(adoption.stickiness, "active_days", "active_28d"),
    ),
    *(
        _joint(
            f"time_to_value_p{percent}",
            "seconds",
            f"First sign-up to first milestone at or after it, percentile {percent} of the units that signed"
            " up in the last 90 local days and got there.",
        )
        for percent in (50, 75, 90)
    ),
    _joint(
        "time_to_value_mean",
        "seconds",
        "First sign-up to first milestone at or after it, mean over the units that signed up in the last 90"
        " local days and got there.",
        live=_of(mean_seconds, "reached_ms", "reached"),
    ),
    _joint(
        "time_to_value_censored",
        "ratio",
        "Units that signed up in the last 90 local days and are not at a milestone yet / all of them.",
        live=_of(adoption.time_to_value_censored, "reached", "cohort"),
    ),
    _joint(
        "activation",
        "ratio",
        "Units that reached a milestone within a days of their first sign-up / units that first signed up"
        " between 90 and a days ago.",
        ("unit", "a"),
        live=_of(adoption.activation, "activated", "judged"),
    ),
    _invitations("invites", "user", "Invitations of users to the account."),
    _invitations("referrals", "referral", "Invitations of others to the product."),
    _joint("usage_quantity", "count", "Quantities used.", (), ("feature",), at_instant=False),
)
