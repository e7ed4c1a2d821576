"""The metrics of usage by name. Source: metrics.md §5; the formulas are in `adoption.py`.

All of them are joint: answered from facts at an instant, by each tenant's own days; the counts by
pipeline/replay/usage.py over windows of whole local days.
"""

from typing import Final

from pipeline.metrics.adoption import fault
from pipeline.metrics.metric import Metric


def _joint(
    name: str, unit: str, text: str, parameters: tuple[str, ...] = ("unit",), dims: tuple[str, ...] = ()
) -> Metric:
    return Metric(
        name, unit, text, (), parameters=parameters, joint_stream="usage", joint_dims=dims, fault=fault
    )


METRICS: Final = (
    _joint(
        "adoption",
        "ratio",
        "Eligible units that used at least k core features in the last w days, on at least d days / eligible"
        " units.",
        ("unit", "core", "k", "d", "w"),
    ),
    _joint("active_1d", "count", "Units that used anything today."),
    _joint("active_7d", "count", "Units that used anything in the last 7 local days."),
    _joint("active_28d", "count", "Units that used anything in the last 28 local days."),
    _joint("stickiness", "ratio", "Mean of active_1d over the last 28 days / active_28d."),
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
    ),
    _joint(
        "time_to_value_censored",
        "ratio",
        "Units that signed up in the last 90 local days and are not at a milestone yet / all of them.",
    ),
    _joint(
        "activation",
        "ratio",
        "Units that reached a milestone within a days of their first sign-up / units that first signed up"
        " between 90 and a days ago.",
        ("unit", "a"),
    ),
    _joint("invites", "count", "Invitations of users to the account.", ()),
    _joint("referrals", "count", "Invitations of others to the product.", ()),
    _joint("usage_quantity", "count", "Quantities used.", (), ("feature",)),
)
