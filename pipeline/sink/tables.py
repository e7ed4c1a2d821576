"""The tables the sink writes: columns in the order of a row, the key a newer row replaces.

Source: deploy/clickhouse (a test holds the two against each other). Knows no client.
Rows are tuples in column order; instants are integers (ms, or s where said), `_ver` comes last.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

Row: TypeAlias = tuple[Any, ...]
MAX_PARTITIONS: Final = 90
"""Partitions of one insert; the server refuses 100 and more."""


class Table(NamedTuple):
    """`key` are places of the columns that name a row; `instants` are written as integers.

    `partition` tells which part of the table a row goes to, None when there is only one.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]
    instants: tuple[str, ...]
    partition: Callable[[Row], Any] | None = None

    def name_of(self, row: Row) -> tuple[Any, ...]:
        """What a newer row of the same thing replaces."""
        return tuple(row[place] for place in self.key)


def _table(
    name: str,
    key: str,
    columns: str,
    instants: str = "",
    partition: Callable[[Row], Any] | None = None,
) -> Table:
    names = tuple(columns.split())
    return Table(
        name,
        names,
        tuple(names.index(column) for column in key.split()),
        tuple(instants.split()),
        partition,
    )


_DAY_S: Final = 86_400
_DAY_MS: Final = 86_400_000
_ts_ms = itemgetter(7)

RAW_EVENTS: Final = _table(
    "raw_events",
    "tenant stream ts source event_id",
    "tenant source event_id stream type entity account ts payload _partition _offset _appended_at _ver",
    "ts _appended_at",
    lambda row: _ts_ms(row) // _DAY_MS,
)
BUCKETS: Final = _table(
    "buckets",
    "family tenant grain epoch start dims src_partition",
    "stream grain family tenant dims epoch start src_partition v v_format _ver",
    "start",
    lambda row: (row[1], row[6] // _DAY_S),
)
REVISIONS: Final = _table(
    "revisions",
    "family tenant grain epoch start dims src_partition _ver",
    "stream grain family tenant dims epoch start src_partition cause v v_format changed_at _ver",
    "start changed_at",
    lambda row: (row[1], row[6] // _DAY_S),
)
CONTACTS: Final = _table(
    "contacts",
    "tenant initial_contact_id epoch",
    "tenant initial_contact_id epoch src_partition channel direction queue path first_enqueued_at"
    " first_callback_requested_at first_answered_at first_talk_at customer_ref account legs"
    " contradiction last_event_at deleted _ver",
    "first_enqueued_at first_callback_requested_at first_answered_at first_talk_at last_event_at",
)
LEGS: Final = _table(
    "legs",
    "tenant initial_contact_id contact_id leg epoch",
    "tenant initial_contact_id contact_id leg epoch src_partition queue channel direction callback"
    " initiated_at queued_at enqueued_at answered_at talk_started_at callback_requested_at"
    " transferred_at flowed_out_at abandoned_at left_at ended_at outcome wait_ms answered_by agent_id"
    " to_queue attempt_outcome end_reason contradiction deleted _ver",
    "initiated_at queued_at enqueued_at answered_at talk_started_at callback_requested_at"
    " transferred_at flowed_out_at abandoned_at left_at ended_at",
)
TICKETS: Final = _table(
    "tickets",
    "tenant ticket_id epoch",
    "tenant ticket_id epoch src_partition channel author_kind group_id priority custom_work customer_ref"
    " account created_at merged_at merged_into group_ms group_names custom_ms custom_flags start_ms reply_ms"
    " first_ms first_since_ms first_groups next_ms next_since_ms next_groups solved_ms reopened_ms"
    " solved_groups contradiction last_event_at deleted _ver",
    "created_at merged_at last_event_at",
)
SURVEYS: Final = _table(
    "surveys",
    "tenant survey_id epoch",
    "tenant survey_id epoch src_partition question sent_question queue agent_id contact_id ticket_id"
    " respondent_ref account sent_at answered_at score scale_min scale_max commented last_event_at deleted"
    " _ver",
    "sent_at answered_at last_event_at",
)
ACCOUNTS: Final = _table(
    "accounts",
    "tenant account epoch",
    "tenant account epoch src_partition stage owner segment plan region merged_into created_at merged_at"
    " stay_stages stay_entered_ms stay_left_ms problems preferences last_event_at deleted _ver",
    "created_at merged_at last_event_at",
)
AGENTS: Final = _table(
    "agents",
    "tenant agent_id epoch",
    "tenant agent_id epoch src_partition department post_departments post_since_ms post_left_ms moved_ms"
    " departed_ms departed_voluntarily last_event_at deleted _ver",
    "last_event_at",
)
SUBSCRIPTIONS: Final = _table(
    "subscriptions",
    "tenant account recognition epoch",
    "tenant account epoch src_partition recognition step_subscriptions step_from_ms step_until_ms"
    " step_mrr_minor step_currencies step_seats step_plans last_event_at deleted _ver",
    "last_event_at",
)
SUBSCRIPTION_AMOUNTS: Final = _table(
    "subscription_amounts",
    "tenant account stretch epoch",
    "tenant account epoch src_partition stretch paid_ms paid_minor paid_currencies invoiced_ms"
    " invoiced_minor invoiced_currencies invoiced_scopes failed_ms last_event_at deleted _ver",
    "last_event_at",
)
USAGE_ACCOUNTS: Final = _table(
    "usage_accounts",
    "tenant account epoch",
    "tenant account epoch src_partition turn_ms turn_users turn_signed_up milestone_ms milestone_users"
    " milestones invited_ms invited_by invited_kinds linked_ms linked_users linked_same_as last_event_at"
    " deleted _ver",
    "last_event_at",
)
USAGE_DAYS: Final = _table(
    "usage_days",
    "tenant account utc_day epoch",
    "tenant account epoch src_partition utc_day used_ms used_by used_features used_quantities deleted _ver",
)
REJECTED: Final = _table(
    "rejected",
    "topic partition offset",
    "topic partition offset appended_at reason detail version size sha256 value _dlq_partition _ver",
    "appended_at",
)
ERASURES: Final = _table("erasures", "tenant stream entity", "tenant stream entity")
DEFINITIONS: Final = _table(
    "definitions",
    "v_format",
    "v_format format bounds_ms stuck_after_ms zones n_min frt_target_ms recognition adoption_core adoption_k"
    " adoption_d adoption_w health_days health_weights gaming_baseline gaming_short_share"
    " gaming_reopened_share gaming_thresholds_ms margin support_currencies support_hour_minor"
    " support_ticket_minor week_starts group_queues declared_at",
    "declared_at",
)

ENTITY_TABLES: Final = (
    CONTACTS,
    LEGS,
    TICKETS,
    SURVEYS,
    ACCOUNTS,
    AGENTS,
    SUBSCRIPTIONS,
    SUBSCRIPTION_AMOUNTS,
    USAGE_ACCOUNTS,
    USAGE_DAYS,
)
OF_ENTITIES: Final = (
    (CONTACTS.name, "call", "initial_contact_id"),
    (LEGS.name, "call", "initial_contact_id"),
    (TICKETS.name, "ticket", "ticket_id"),
    (SURVEYS.name, "survey", "survey_id"),
    (ACCOUNTS.name, "account", "account"),
    (AGENTS.name, "agent", "agent_id"),
    (SUBSCRIPTIONS.name, "subscription", "account"),
    (SUBSCRIPTION_AMOUNTS.name, "subscription", "account"),
    (USAGE_ACCOUNTS.name, "usage", "account"),
    (USAGE_DAYS.name, "usage", "account"),
)
"""Which stream a table's rows are of, and the column that names the entity: what an erasure removes."""
TABLES: Final = (RAW_EVENTS, BUCKETS, REVISIONS, *ENTITY_TABLES, REJECTED, ERASURES, DEFINITIONS)
STATE_TABLES: Final = (ERASURES, *ENTITY_TABLES, BUCKETS, REVISIONS)
"""Made from a state log: a refused row stops the line. Erasures come first, so that nothing shows."""
EVENT_TABLES: Final = (RAW_EVENTS, REJECTED)
"""Made from records that keep their bytes: a refused row goes to the sink's dead letters."""
WRITE_ORDER: Final = (*STATE_TABLES, *EVENT_TABLES)
