"""What a wall cannot say: every queue and group over time, under each definition, with what it is made of."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    RATIO,
    SECONDS,
    Ask,
    Panel,
    Sql,
    above,
    below,
    dashboard,
    lines,
    of_tenant,
    tenant,
    window,
)
from deploy.grafana.promql import CALL, PATH, TICKET, age, share, total, wilson

HERE = 'tenant=~"$tenant", queue=~"$queue"'
IN_WINDOW = f'{HERE}, window="$window"'
TICKETS = 'tenant=~"$tenant", group=~"$group", window="$window"'
MATURE = 'tenant=~"$tenant", group=~"$group", window="30d"'
BY_QUEUE, QUEUE = "tenant, queue", "{{tenant}} / {{queue}}"
BY_GROUP, GROUP = "tenant, group", "{{tenant}} / {{group}}"
IN_SQL = "match(tenant, '^(${tenant:regex})$') AND match(queue, '^(${queue:regex})$')"


def queues_in_depth() -> Dashboard:
    return dashboard(
        "queues-in-depth",
        "Queues in depth",
        "Every queue and group: how fast, how many, which way out. Sums over sums, whatever is chosen.",
        variables=[
            tenant("support_answered"),
            of_tenant("queue", "support_answered"),
            of_tenant("group", "support_tickets_created"),
            window(("1m", "5m", "15m", "30m", "1h", "today"), "1h"),
        ],
        groups=[
            ("How fast", how_fast()),
            ("Who came, who left", who_came()),
            ("Tickets", tickets()),
            ("By day, corrected whenever events come late", by_day()),
        ],
    )


def how_fast() -> list[Panel]:
    waited = f'support_answered_wait_seconds{{{IN_WINDOW}, clock="enqueued"}}'
    met, counted = f"support_service_level_met{{{IN_WINDOW}}}", f"support_service_level_base{{{IN_WINDOW}}}"
    strict = f'support_service_level_met{{{IN_WINDOW}, definition="strict"}}'
    base = f'support_service_level_base{{{IN_WINDOW}, definition="strict"}}'
    by_definition = "tenant, queue, channel, definition"
    return [
        lines(
            "Speed of answer",
            [Ask(share(waited, f"support_answered{{{IN_WINDOW}}}", CALL, BY_QUEUE), QUEUE)],
            SECONDS,
            what="Mean wait of who was answered by a human.",
            metric="asa_queue/enqueued",
            empty="nobody answered in the window",
            steps=above(30, 60),
        ),
        lines(
            "Wait that nine of ten did not exceed",
            [Ask(f"max by ({CALL}) (support_asa_p90_seconds{{{IN_WINDOW}}})", f"{QUEUE} / {{{{channel}}}}")],
            SECONDS,
            what="Percentiles of several queues cannot be made of theirs, so each queue and channel stands alone.",
            metric="asa_p90",
            empty="nobody answered in the window",
            steps=above(60, 120),
        ),
        lines(
            "Service level by definition",
            [Ask(share(met, counted, by_definition, "definition"), "{{definition}}")],
            RATIO,
            what="The same contacts under every definition: what a number is called decides what it is.",
            metric="service_level/strict",
            empty="nobody came in the window",
            steps=below(0.85, 0.8),
        ),
        lines(
            "Service level and how sure it is",
            [
                Ask(wilson(strict, base, CALL, "tenant", "high"), "{{tenant}} at best"),
                Ask(share(strict, base, CALL, "tenant"), "{{tenant}}"),
                Ask(wilson(strict, base, CALL, "tenant", "low"), "{{tenant}} at least"),
            ],
            RATIO,
            what="Strict: answered within 20 s of who came, short abandons apart, with the 95 % interval.",
            metric="service_level/strict",
            empty="nobody came in the window",
            steps=below(0.85, 0.8),
        ),
        lines(
            "Longest wait now",
            [Ask(age(f"support_oldest_waiting_enqueued_timestamp_seconds{{{HERE}}}", BY_QUEUE), QUEUE)],
            SECONDS,
            what="How long the oldest contact has been waiting.",
            metric="oldest_waiting",
            empty="nobody waits",
            steps=above(60, 120),
        ),
        lines(
            "From first enqueue to a human, by path",
            [
                Ask(
                    share(
                        f"support_customers_wait_seconds{{{IN_WINDOW}}}",
                        f"support_customers_answered{{{IN_WINDOW}}}",
                        PATH,
                        "path",
                    ),
                    "{{path}}",
                )
            ],
            SECONDS,
            what="What the customer waited over all legs of the contact: a transfer or a callback hides nothing.",
            metric="asa_customer",
            empty="nobody answered in the window",
            steps=above(60, 180),
        ),
    ]


def who_came() -> list[Panel]:
    ways = ("answered", "abandoned", "callbacks_requested", "transferred_out", "flowed_out", "bot_answered")
    given_up, offered = f"support_offered_abandoned{{{IN_WINDOW}}}", f"support_offered{{{IN_WINDOW}}}"
    kept = f"support_callback_contacts_kept{{{IN_WINDOW}}}"
    return [
        lines(
            "Offered",
            [Ask(total(offered, CALL, BY_QUEUE), QUEUE)],
            COUNT,
            what="Legs that entered the queue in the window.",
            metric="offered",
            empty="no queue is known",
            stacked=True,
        ),
        lines(
            "Ways out",
            [Ask(total(f"support_{way}{{{IN_WINDOW}}}", CALL, ""), way.replace("_", " ")) for way in ways],
            COUNT,
            what="How the legs that left in the window left.",
            metric="answered",
            empty="no queue is known",
            stacked=True,
        ),
        lines(
            "Abandoned",
            [Ask(share(given_up, offered, CALL, BY_QUEUE), QUEUE)],
            RATIO,
            what="Gave up after more than 5 s, of who entered the queue in the window.",
            metric="abandon_rate",
            empty="nobody came in the window",
            steps=above(0.05, 0.1),
        ),
        lines(
            "Waiting now",
            [Ask(total(f"support_in_queue{{{HERE}}}", CALL, BY_QUEUE), QUEUE)],
            COUNT,
            what="Legs in the queue now; lost ends (stuck) are not among them.",
            metric="in_queue",
            empty="no queue is known",
            stacked=True,
        ),
        lines(
            "Callbacks kept",
            [Ask(share(kept, f"support_callback_contacts{{{IN_WINDOW}}}", CALL, BY_QUEUE), QUEUE)],
            RATIO,
            what="Of the contacts that asked to be called back in the window: those that reached a human since.",
            metric="callback_kept",
            empty="nobody asked for a callback in the window",
            steps=below(0.9, 0.8),
        ),
        lines(
            "Promised and lost",
            [
                Ask(total(f"support_scheduled{{{HERE}}}", CALL, "tenant"), "{{tenant}} scheduled callbacks"),
                Ask(total(f"support_stuck{{{HERE}}}", CALL, "tenant"), "{{tenant}} without an end"),
                Ask(
                    "sum by (tenant) (max by (tenant, reason) (support_quarantined))",
                    "{{tenant}} contradicting",
                ),
            ],
            COUNT,
            what="Callbacks whose turn is still to come; legs without an end for hours; facts that contradict each"
            " other and count nowhere.",
            metric="scheduled",
            empty="no queue is known",
        ),
    ]


def tickets() -> list[Panel]:
    return [
        lines(
            "First response",
            [
                Ask(
                    share(
                        f"support_frt_wait_seconds{{{TICKETS}}}",
                        f"support_frt_responses{{{TICKETS}}}",
                        TICKET,
                        BY_GROUP,
                    ),
                    GROUP,
                )
            ],
            SECONDS,
            what="Mean time to the first public reply of a human, of the replies given in the window.",
            metric="frt",
            empty="no first response in the window",
            steps=above(12 * 3600, 24 * 3600),
        ),
        lines(
            "Open tickets by age",
            [
                Ask(
                    total(
                        'support_backlog{tenant=~"$tenant", group=~"$group"}',
                        f"{TICKET}, age",
                        "age",
                    ),
                    "{{age}}",
                )
            ],
            COUNT,
            what="Open now, by the time since their creation.",
            metric="backlog",
            empty="tickets are not counted",
            stacked=True,
        ),
        lines(
            "Reopened",
            [
                Ask(
                    share(
                        f"support_solve_events_mature_reopened{{{MATURE}}}",
                        f"support_solve_events_mature{{{MATURE}}}",
                        TICKET,
                        BY_GROUP,
                    ),
                    GROUP,
                )
            ],
            RATIO,
            what="Of the entries into solved of 30 days that are 72 h old: reopened within 72 h.",
            metric="reopen_rate",
            empty="nothing solved so long ago",
            steps=above(0.1, 0.2),
        ),
        lines(
            "Without a first response",
            [
                Ask(
                    total('support_frt_overdue{tenant=~"$tenant", group=~"$group"}', TICKET, BY_GROUP),
                    GROUP,
                )
            ],
            COUNT,
            what="Open tickets no human has answered within the declared target.",
            metric="frt_overdue",
            empty="tickets are not counted",
            steps=above(1, 5),
        ),
    ]


def by_day() -> list[Panel]:
    return [
        lines(
            "Speed of answer by day",
            Sql(
                f"""SELECT toDateTime(day) + INTERVAL 12 HOUR AS time, concat(tenant, ' / ', queue) AS place,
                sum(part) / sum(n) / 1000 AS asa FROM support_days
                WHERE metric = 'asa_queue' AND definition = 'enqueued' AND counted_by = 'leave' AND n > 0
                AND $__dateFilter(day) AND {IN_SQL} GROUP BY time, place ORDER BY time""",
                time_series=True,
                named_by="place",
            ),
            SECONDS,
            what="By the tenant's own days. Late and corrected events change the day they belong to.",
            metric="asa_queue/enqueued",
            empty="nobody answered on these days",
            steps=above(30, 60),
        ),
        lines(
            "Service level by day",
            Sql(
                f"""SELECT toDateTime(day) + INTERVAL 12 HOUR AS time, concat(tenant, ' / ', queue) AS place,
                sum(part) / sum(n) AS service_level FROM support_days
                WHERE metric = 'service_level' AND definition = 'strict' AND counted_by = 'enqueue' AND n > 0
                AND $__dateFilter(day) AND {IN_SQL} GROUP BY time, place ORDER BY time""",
                time_series=True,
                named_by="place",
            ),
            RATIO,
            what="Strict, of who entered the queue that day.",
            metric="service_level/strict",
            empty="nobody came on these days",
            steps=below(0.85, 0.8),
        ),
    ]
