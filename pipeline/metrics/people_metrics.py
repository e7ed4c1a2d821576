"""The metrics of accounts' stages and of agents by name. Source: metrics.md §7.

Their windows lie on local midnights; the joint ones are answered by pipeline/replay/people.py.
"""

from typing import Any, Final

from pipeline.metrics import people
from pipeline.metrics.buckets import Family
from pipeline.metrics.families import STAGE_MOVES, STAGE_STAYS
from pipeline.metrics.metric import Metric


def _joint(name: str, unit: str, text: str, stream: str, *dims: str, at_instant: bool = False) -> Metric:
    return Metric(name, unit, text, (), joint_stream=stream, joint_dims=dims, at_instant=at_instant)


def _of_days(name: str, unit: str, text: str, family: Family, window: Any) -> Metric:
    return Metric(
        name, unit, text, (family.name,), window=window, joint_stream="account", joint_dims=family.dims
    )


METRICS: Final = (
    _joint(
        "accounts_in_stage",
        "count",
        "Accounts in a stage at an instant; one merged into another has left its stage.",
        "account",
        "stage",
        at_instant=True,
    ),
    _of_days(
        "stage_moves",
        "count",
        "Moves of accounts from one stage to another, by the instant of the move.",
        STAGE_MOVES,
        people.stage_moves,
    ),
    _of_days(
        "time_in_stage",
        "seconds",
        "Mean length of the stays in a stage that ended in the window by a move to another stage.",
        STAGE_STAYS,
        people.time_in_stage,
    ),
    _joint(
        "headcount", "count", "Agents on the staff at an instant.", "agent", "department", at_instant=True
    ),
    _joint(
        "internal_mobility",
        "ratio",
        "Agents who moved to another department in the window / (moved + left).",
        "agent",
    ),
    _joint(
        "attrition",
        "ratio",
        "Agents who left in the window / mean of the headcounts at its start and end.",
        "agent",
    ),
)
