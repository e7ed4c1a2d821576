"""Which series Prometheus gets of what is counted by days: moves between stages, stays, invitations.

Source: metrics.md §5, §7 and §9.
"""

from typing import Final

from pipeline.board.gauges import Export, count, export, number, seconds
from pipeline.metrics.families import INVITATIONS, STAGE_STAYS

BY_DAYS: Final = (
    export("success_stage_moves", "stage_moves", None, ((), number("stage_moves"))),
    export("success_time_in_stage_seconds", "time_in_stage", None, ((), number("time_in_stage"))),
    export(
        "success_stage_stays", "time_in_stage", "Stays in a stage that ended by a move to another stage.",
        ((), count(STAGE_STAYS, "stays")),
    ),
    export(
        "success_stage_stays_seconds", "time_in_stage",
        "Total length of those stays; over success_stage_stays it is the mean.",
        ((), seconds(STAGE_STAYS, "stay_ms")),
    ),
    Export(
        "success_invitations", "invites",
        "Invitations by kind: `user` are invites, `referral` are referrals.",
        INVITATIONS.name, (((), count(INVITATIONS, "invited")),),
    ),
)  # fmt: skip
