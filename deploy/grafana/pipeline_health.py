"""Whether the numbers get through, and where they hang: from the topics over the workers to both readers."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    PER_SECOND,
    SECONDS,
    Ask,
    Panel,
    Sql,
    above,
    below,
    dashboard,
    lines,
    rows,
    tile,
)
from deploy.grafana.promql import age, total

SMALL = (6, 5)
EVERY = "$__rate_interval"


def pipeline_health() -> Dashboard:
    return dashboard(
        "pipeline-health",
        "Pipeline health",
        "Do the numbers get through, and if not, where do they hang? What each series means: docs/operations.md.",
        variables=[],
        groups=[
            ("Do numbers get through?", get_through()),
            ("What comes in", comes_in()),
            ("Workers", workers()),
            ("ClickHouse", clickhouse()),
        ],
        refresh="10s",
        since="now-1h",
    )


def get_through() -> list[Panel]:
    visible = "max by (topic, partition) (pulse_heartbeat_visible_timestamp_seconds)"
    queryable = "max by (topic, partition) (pulse_heartbeat_queryable_timestamp_seconds)"
    appended = "max by (stream, partition) (pulse_state_log_append_timestamp_seconds)"
    return [
        tile(
            "Live numbers behind",
            Ask(age(visible, ""), ""),
            SECONDS,
            what="Since the oldest of the newest heartbeats on the board was sent.",
            metric="pulse_heartbeat_visible_timestamp_seconds",
            empty="no board reports",
            steps=above(30, 60),
            size=SMALL,
            decimals=0,
        ),
        tile(
            "ClickHouse behind",
            Ask(age(queryable, ""), ""),
            SECONDS,
            what="The same heartbeat, read back from ClickHouse. Live numbers do not depend on it.",
            metric="pulse_heartbeat_queryable_timestamp_seconds",
            empty="no sink reports",
            steps=above(60, 600),
            size=SMALL,
            decimals=0,
        ),
        tile(
            "Processes up",
            Ask('sum(up{job="pulse"}) / count(up{job="pulse"})', ""),
            "percentunit",
            what="Of the processes that Prometheus is to ask: those that answered.",
            metric="up",
            empty="Prometheus knows none",
            steps=below(1, 0.5),
            size=SMALL,
            decimals=0,
        ),
        tile(
            "Partitions without a worker",
            Ask(
                "count(max by (topic, partition) (pulse_consumer_lag_messages))"
                " - sum(max by (topic, partition) (pulse_partition_open))",
                "",
            ),
            COUNT,
            what="Partitions of the source topics that no worker has open.",
            metric="pulse_partition_open",
            empty="no board or no worker reports",
            steps=((None, "green"), (1, "red")),
            size=SMALL,
            decimals=0,
        ),
        lines(
            "Behind, by stream",
            [Ask(age(appended, "stream"), "{{stream}}")],
            SECONDS,
            what="Since the last commit of the partition that is furthest behind.",
            metric="pulse_state_log_append_timestamp_seconds",
            empty="no board reports",
            steps=above(60, 120),
        ),
        lines(
            "Age of what boards show",
            [Ask(age("pulse_snapshot_timestamp_seconds", "instance"), "{{instance}}")],
            SECONDS,
            what="Each board makes its numbers anew every ten seconds at least.",
            metric="pulse_snapshot_timestamp_seconds",
            empty="no board reports",
            steps=above(30, 60),
        ),
        lines(
            "Kept for the sink alone",
            [
                Ask(
                    total("pulse_state_log_held_back_records", "topic, partition", "topic"),
                    "{{topic}}",
                )
            ],
            COUNT,
            what="Records of the state logs that nobody but the sink still needs: while it is away, the broker's disk fills.",
            metric="pulse_state_log_held_back_records",
            empty="no worker reports",
        ),
        lines(
            "Events not yet counted",
            [Ask(total("pulse_consumer_lag_messages", "topic, partition", "topic"), "{{topic}}")],
            COUNT,
            what="Records of the source topics that are not in the numbers, asked of the broker itself.",
            metric="pulse_consumer_lag_messages",
            empty="no board reports",
            stacked=True,
        ),
    ]


def comes_in() -> list[Panel]:
    outcomes = f"sum by (outcome) (rate(pulse_events_processed_total[{EVERY}]))"
    rejected = f"sum by (stream, reason) (rate(pulse_events_rejected_total[{EVERY}]))"
    return [
        lines(
            "Events by stream",
            [Ask(f"sum by (stream) (rate(pulse_events_consumed_total[{EVERY}]))", "{{stream}}")],
            PER_SECOND,
            what="Source records taken in, heartbeats apart.",
            metric="pulse_events_consumed_total",
            empty="no worker reports",
            stacked=True,
        ),
        lines(
            "What became of them",
            [Ask(outcomes, "{{outcome}}")],
            PER_SECOND,
            what="Applied, duplicate, late, ignored, rejected: they add up to what was taken in.",
            metric="pulse_events_processed_total",
            empty="no worker reports",
            stacked=True,
        ),
        lines(
            "Rejected by reason",
            [Ask(rejected, "{{stream}}: {{reason}}")],
            PER_SECOND,
            what="Events that went to the dead letters; `pulse dlq list` shows them.",
            metric="pulse_events_rejected_total",
            empty="no worker reports",
            stacked=True,
        ),
        lines(
            "Too late today",
            [
                Ask(
                    total("pulse_events_late_today", "tenant, stream", "stream"),
                    "{{stream}} events",
                ),
                Ask(
                    total("pulse_contributions_late_today", "tenant, stream", "stream"),
                    "{{stream}} for their 10 seconds",
                ),
            ],
            COUNT,
            what="Behind their horizon: wholly, or only for the live windows they would have been in.",
            metric="pulse_events_late_today",
            empty="no board reports",
        ),
        lines(
            "Newest event in the numbers",
            [
                Ask(
                    "time() - min by (stream) (max by (stream, partition) (pulse_watermark_timestamp_seconds))",
                    "{{stream}}",
                )
            ],
            SECONDS,
            what="Age of the highest event time of the partition that is furthest back; idle ones left out.",
            metric="pulse_watermark_timestamp_seconds",
            empty="every partition is idle",
        ),
        rows(
            "Dead letters of the last day",
            Sql(
                """SELECT topic, reason, count() AS records, max(appended_at) AS newest, any(detail) AS for_example
                FROM rejected_now WHERE appended_at > $__toTime - INTERVAL 1 DAY
                GROUP BY topic, reason ORDER BY records DESC LIMIT 50"""
            ),
            {"records": COUNT},
            what="Rejected records by reason, with one detail of each. At most 50 rows.",
            metric="view:rejected_now",
            empty="nothing was rejected",
            size=(12, 8),
        ),
    ]


def workers() -> list[Panel]:
    seconds = "pulse_transaction_seconds"
    mean = f"sum(rate({seconds}_sum[{EVERY}])) / (sum(rate({seconds}_count[{EVERY}])) > 0)"
    slow = f"histogram_quantile(0.99, sum by (le) (rate({seconds}_bucket[{EVERY}])))"
    return [
        lines(
            "How long a commit takes",
            [Ask(mean, "mean"), Ask(slow, "99 %")],
            SECONDS,
            what="One transaction: state and offset together.",
            metric="pulse_transaction_seconds",
            empty="no commit in this time",
            steps=above(1, 5),
        ),
        lines(
            "Commits by outcome",
            [Ask(f"sum by (outcome) (rate(pulse_transactions_total[{EVERY}]))", "{{outcome}}")],
            PER_SECOND,
            what="Anything but committed is followed by a restore.",
            metric="pulse_transactions_total",
            empty="no worker reports",
        ),
        lines(
            "In memory",
            [
                Ask("sum(pulse_state_entities)", "contacts, tickets, accounts …"),
                Ask("sum(pulse_state_buckets)", "buckets"),
            ],
            COUNT,
            what="What the workers hold, over all their partitions.",
            metric="pulse_state_entities",
            empty="no worker reports",
        ),
        lines(
            "Samples of a scrape",
            [
                Ask(
                    'max by (role, instance) (scrape_samples_post_metric_relabeling{job="pulse"})',
                    "{{role}} {{instance}}",
                )
            ],
            COUNT,
            what="Series that a process exposes. Beyond 20,000 Prometheus refuses all of them.",
            metric="scrape_samples_post_metric_relabeling",
            empty="Prometheus knows no process",
            steps=((None, "green"), (16_000, "red")),
        ),
        lines(
            "Partitions taken away, refused, poisoned",
            [
                Ask(f"sum(increase(pulse_rebalances_total[{EVERY}]))", "rebalances"),
                Ask("sum(pulse_partition_poisoned)", "poisoned"),
                Ask("sum(pulse_board_refused)", "refused by a board"),
                Ask(f"sum(increase(pulse_collector_errors_total[{EVERY}]))", "numbers left out of /metrics"),
            ],
            COUNT,
            what="All of them are 0 on a quiet day.",
            metric="pulse_rebalances_total",
            empty="no worker reports",
            steps=above(1, 5),
        ),
    ]


def clickhouse() -> list[Panel]:
    return [
        lines(
            "State of the sink",
            [Ask("sum by (state) (pulse_sink_state)", "{{state}}")],
            COUNT,
            what="How many sinks are in each state. Stopped: the line stands, somebody must act.",
            metric="pulse_sink_state",
            empty="no sink reports",
            stacked=True,
        ),
        lines(
            "Since the last write, and for how long rows wait",
            [
                Ask("time() - min(pulse_sink_last_success_timestamp_seconds)", "last write"),
                Ask("sum(pulse_sink_batch_duration_seconds)", "duration of the last one"),
            ],
            SECONDS,
            what="Writes come every second or two while events do.",
            metric="pulse_sink_last_success_timestamp_seconds",
            empty="no sink reports",
            steps=above(60, 600),
        ),
        lines(
            "Rows written",
            [Ask(f"sum(rate(pulse_sink_written_rows_total[{EVERY}]))", "rows")],
            PER_SECOND,
            what="Rows that ClickHouse acknowledged.",
            metric="pulse_sink_written_rows_total",
            empty="no sink reports",
        ),
        rows(
            "Numbers that changed after their time",
            Sql(
                """SELECT stream, family, cause, count() AS changes, uniqExact(tenant) AS tenants,
                max(changed_at) AS newest FROM revisions_now
                WHERE $__timeFilter(changed_at) GROUP BY stream, family, cause ORDER BY changes DESC LIMIT 50"""
            ),
            {"changes": COUNT, "tenants": COUNT},
            what="Closed buckets that late, corrected or deleted events changed afterwards, by cause. At most 50 rows.",
            metric="view:revisions_now",
            empty="nothing has changed afterwards",
            size=(12, 8),
        ),
    ]
