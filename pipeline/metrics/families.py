"""Every family of buckets: its dimensions, its counters and histograms, its grains.

A family belongs to one stream. Order of counters is the order of cells, in the state log and in
ClickHouse: append only, and bump STATE_FORMAT when an order changes.
"""

from typing import Final

from pipeline.metrics.buckets import DAY, LEVEL, LIVE, Family

LEAVE: Final = Family(
    "leave",
    "call",
    ("queue", "channel"),
    (
        "answered", "answered_wait_ms", "answered_ahead_ms", "unqueued",
        "abandoned", "abandoned_wait_ms", "callbacks_requested", "transferred_out",
        "flowed_out", "bot_answered", "other_wait_ms",
    ),
    ("answered_wait",),
)  # fmt: skip
"""Calls by the instant they left a queue. `answered` holds `unqueued` too, with wait 0.
`answered_ahead_ms`: how much earlier than `enqueued_at` the leg was created (variant
`created`). `other_wait_ms`: waits of legs that left neither answered by a human nor abandoned.
"""

COHORT: Final = Family(
    "cohort",
    "call",
    ("queue", "channel"),
    (
        "offered", "answered", "answered_wait_ms", "answered_ahead_ms", "abandoned",
        "abandoned_wait_ms", "callbacks_requested", "transferred_out", "flowed_out",
        "bot_answered", "other_wait_ms",
    ),
    ("answered_wait", "abandoned_wait", "callback_wait"),
)  # fmt: skip
"""Calls by the instant they entered a queue, with what became of them."""

CUSTOMER: Final = Family("customer", "call", ("queue", "channel", "path"), ("answered", "wait_ms"))
"""Chains by the instant of their first human answer; queue and channel are the answering leg's.
`wait_ms`: first enqueue → talk. `path`: direct, transfer or callback.
"""

CALLBACK: Final = Family("callback", "call", ("queue", "channel"), ("requested", "kept", "wait_ms"))
"""Chains by the instant of their first callback request, under the leg that requested it. `kept`: a
human answered at or after it; `wait_ms`: from the request to that talk.
"""

HANDLE: Final = Family("handle", "call", ("queue", "channel"), ("ended", "handle_ms"))
"""Legs answered by a human, by the instant they ended."""

WAITING: Final = Family("waiting", "call", ("queue", "channel"), ("legs", "scheduled"), grains=(LEVEL,))
"""Legs in a queue, or scheduled for one, by `enqueued_at`."""

QUARANTINE: Final = Family("quarantine", "call", ("reason",), ("legs",), grains=(LEVEL,))
"""Legs whose facts contradict each other, by their first instant."""

TICKETS: Final = Family(
    "tickets",
    "ticket",
    ("group", "channel"),
    (
        "created", "custom_work", "first", "first_ms", "first_open_ms", "next", "next_ms",
        "solved", "reopened", "resolved", "resolved_ms", "one_touch",
    ),
)  # fmt: skip
"""What happens to tickets, each by its own instant, in the group of that moment. `first`, `next`: human
answers, with the wait and (`first_open_ms`) its part inside business hours. `solved`: entries into
solved; `reopened`: those undone within 72 h, at the instant of solving. `resolved`: last solvings that
stand, `resolved_ms` since creation, `one_touch`: those with one public reply.
"""

MATURING: Final = Family("maturing", "ticket", ("group", "channel"), ("solved", "reopened"), grains=(LIVE,))
"""Entries into solved by the instant at which they are 72 h old, and those of them undone by then. What lies
ahead of now is too young for `reopen_rate`; what has passed nobody asks for, so no day of it is kept.
"""

BACKLOG: Final = Family("backlog", "ticket", ("group", "channel"), ("tickets",), grains=(LEVEL,))
"""Open tickets, by their creation."""

UNANSWERED: Final = Family("unanswered", "ticket", ("group", "channel"), ("tickets",), grains=(LEVEL,))
"""Open tickets that no human has answered yet, by the start of that wait."""

TICKETS_QUARANTINE: Final = Family("tickets_quarantine", "ticket", ("reason",), ("tickets",), grains=(LEVEL,))
"""Tickets whose facts contradict each other, by their first instant."""

LATE: Final = Family("late", "call", ("stream",), ("events", "contributions"), grains=(DAY,))
"""What came behind a horizon and is not in the numbers, by the day it is dated."""

HEARTBEAT: Final = Family("heartbeat", "call", (), ("at_ms",), grains=(DAY,))
"""When the newest heartbeat of a source partition was sent. No tally: the board and the sink read the value
per partition, and every stream has one. Always in the bucket of day 0, so that there is one of it.
"""

STAYING: Final = Family(
    "staying",
    "subscription",
    ("window",),
    ("base", "lost", "joined", "start_seats", "end_seats"),
    grains=(DAY,),
)
"""Accounts by whether they have MRR in any currency at the two ends of a window. A step family: a day's
bucket holds what the window's answer changes by on that day. `base`: active at the start, `lost`: of those
not active at the end, `joined`: not active at the start and active at some instant inside; seats of the
base at both ends.
"""

FLOW: Final = Family(
    "flow",
    "subscription",
    ("window", "currency"),
    (
        "base", "start_minor", "new", "new_minor", "expanded", "expansion_minor", "contracted",
        "contraction_minor", "churned", "churn_minor", "reactivated", "reactivation_minor",
    ),
    grains=(DAY,),
)  # fmt: skip
"""MRR in minor units at a window's start and what became of it by its end, and how many accounts did.
A step family.
"""

STANDING: Final = Family(
    "standing", "subscription", ("currency",), ("accounts", "mrr_minor", "seats"), grains=(DAY,)
)
"""What there is at the end of a day, by currency; currency "": accounts active in any, and all seats.
A step family.
"""

SURVEY_ANSWERS: Final = Family(
    "survey_answers",
    "survey",
    ("queue",),
    ("csat_answers", "csat_satisfied", "csat_commented", "promoters", "passives", "detractors"),
)
"""Surveys by the time of their last answer. Answers on 0-10 to an NPS question are one of three."""

SURVEY_SENT: Final = Family("survey_sent", "survey", ("queue",), ("csat_sent", "csat_answered"))
"""Satisfaction surveys by the time they were sent; answered whenever."""

STAGE_STEPS: Final = Family("stage_steps", "account", ("stage",), ("accounts",), grains=(DAY,))
"""Accounts that entered a stage less those that left it. A step family."""

STAGE_MOVES: Final = Family("stage_moves", "account", ("from", "to"), ("moves",), grains=(DAY,))
"""Moves of accounts between stages, by the instant of the move."""

STAGE_STAYS: Final = Family("stage_stays", "account", ("stage",), ("stays", "stay_ms"), grains=(DAY,))
"""Stays in a stage that ended by a move, by that instant."""

HEADCOUNT: Final = Family("headcount", "agent", ("department",), ("agents",), grains=(DAY,))
"""Agents who came to a department less those who left it. A step family."""

STAFF_STEPS: Final = Family("staff_steps", "agent", ("window",), ("moved", "left", "at_start"), grains=(DAY,))
"""How many agents moved, or left, in the window that ends with a day, and how many were on the staff at its
start. A step family.
"""

ADOPTION: Final = Family(
    "adoption",
    "usage",
    (),
    (
        "eligible", "adopted", "active_1d", "active_7d", "active_28d", "active_days", "cohort", "reached",
        "reached_ms", "judged", "activated",
    ),
    grains=(DAY,),
)  # fmt: skip
"""Units as declared, at the end of a day. A step family. `active_days`: days with a use among the last 28;
`cohort`: who signed up in the last 90 days, `reached` (after `reached_ms`) a milestone since; `judged`: who
signed up between 90 and a days ago, `activated` within a days.
"""

INVITATIONS: Final = Family("invitations", "usage", ("kind",), ("invited",), grains=(DAY,))
"""Invitations by kind (user, referral, other), by their instant."""

FAMILIES: Final = {
    f.name: f
    for f in (
        LEAVE, COHORT, CUSTOMER, CALLBACK, HANDLE, WAITING, QUARANTINE, LATE, TICKETS, MATURING,
        BACKLOG, UNANSWERED, TICKETS_QUARANTINE, HEARTBEAT,
        STAYING, FLOW, STANDING,
        SURVEY_ANSWERS, SURVEY_SENT, STAGE_STEPS, STAGE_MOVES, STAGE_STAYS, HEADCOUNT, STAFF_STEPS,
        ADOPTION, INVITATIONS,
    )
}  # fmt: skip
