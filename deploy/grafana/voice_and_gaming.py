"""What customers say, and whether a number only looks better: what is measured gets managed."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    POINTS,
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
    rows,
    tenant,
    window,
)
from deploy.grafana.promql import TENANT, VOICE, points, share, total, wilson

IN_WINDOW = 'tenant=~"$tenant", queue=~"$queue", window="$window"'
QUEUE = "{{tenant}} / {{queue}}"
IN_TIME = "first = toDate($__fromTime), last = toDate($__toTime) + 1"
IN_SQL = "match(tenant, '^(${tenant:regex})$') AND match(queue, '^(${queue:regex})$')"


def voice_and_gaming() -> Dashboard:
    return dashboard(
        "voice-and-gaming",
        "Voice and gaming watch",
        "What customers and people say, beside the numbers that are easily made to look better.",
        variables=[
            tenant("support_csat_answers"),
            of_tenant("queue", "support_csat_answers", "pulse_gaming_flags"),
            window(("1h", "today", "7d", "30d", "90d", "month"), "30d"),
        ],
        groups=[
            ("What customers say", say()),
            ("By day", by_day()),
            ("Do numbers only look better?", watched()),
            ("People", people()),
        ],
        refresh="1m",
        since="now-30d",
    )


def say() -> list[Panel]:
    satisfied, answers = (
        f"support_csat_answers_satisfied{{{IN_WINDOW}}}",
        f"support_csat_answers{{{IN_WINDOW}}}",
    )
    promoters, passives, detractors = (
        f"support_{kind}{{{IN_WINDOW}}}" for kind in ("promoters", "passives", "detractors")
    )
    return [
        lines(
            "Satisfied",
            [Ask(share(satisfied, answers, VOICE, VOICE), QUEUE)],
            RATIO,
            what="Answers in the top two of a five-point scale, of any other scale in its top quarter.",
            metric="csat",
            empty="nobody answered in the window",
            steps=below(0.85, 0.75),
        ),
        lines(
            "Satisfied, and how sure",
            [
                Ask(wilson(satisfied, answers, VOICE, TENANT, "high"), "{{tenant}} at best"),
                Ask(share(satisfied, answers, VOICE, TENANT), "{{tenant}}"),
                Ask(wilson(satisfied, answers, VOICE, TENANT, "low"), "{{tenant}} at least"),
            ],
            RATIO,
            what="With the 95 % interval: few answers say little.",
            metric="csat",
            empty="nobody answered in the window",
            steps=below(0.85, 0.75),
        ),
        lines(
            "Who answers at all",
            [
                Ask(
                    share(
                        f"support_csat_sent_answered{{{IN_WINDOW}}}",
                        f"support_csat_sent{{{IN_WINDOW}}}",
                        VOICE,
                        TENANT,
                    ),
                    "{{tenant}}",
                )
            ],
            RATIO,
            what="Of the surveys sent in the window: answered, whenever. A score that rises while this falls was chosen.",
            metric="csat_response_rate",
            empty="nothing was sent in the window",
            steps=below(0.2, 0.1),
        ),
        lines(
            "Who adds a word",
            [
                Ask(
                    share(f"support_csat_answers_commented{{{IN_WINDOW}}}", answers, VOICE, TENANT),
                    "{{tenant}}",
                )
            ],
            RATIO,
            what="Answers with a comment.",
            metric="csat_commented",
            empty="nobody answered in the window",
        ),
        lines(
            "Net promoter score",
            [Ask(points(promoters, passives, detractors, VOICE, VOICE), QUEUE)],
            POINTS,
            what="Share of 9 and 10 less share of 0 to 6, on 0 to 10.",
            metric="nps",
            empty="nobody answered in the window",
            steps=below(30, 0),
        ),
        lines(
            "Promoters, passives, detractors",
            [
                Ask(total(series, VOICE, ""), kind)
                for series, kind in (
                    (promoters, "promoters"),
                    (passives, "passives"),
                    (detractors, "detractors"),
                )
            ],
            COUNT,
            what="The answers behind the score.",
            metric="promoters",
            empty="no survey is known",
            stacked=True,
        ),
    ]


def by_day() -> list[Panel]:
    return [
        lines(
            "Satisfied by day",
            Sql(
                f"""SELECT toDateTime(day) + INTERVAL 12 HOUR AS time, concat(tenant, ' / ', queue) AS place, value AS satisfied
                FROM voice_days WHERE metric = 'csat' AND n > 0 AND $__dateFilter(day) AND {IN_SQL}
                ORDER BY time""",
                time_series=True,
                named_by="place",
            ),
            RATIO,
            what="By the day of the answer, in the tenant's own days; a changed answer changes its day.",
            metric="csat",
            empty="nobody answered on these days",
            steps=below(0.85, 0.75),
        ),
        lines(
            "Net promoter score by day",
            Sql(
                f"""SELECT toDateTime(day) + INTERVAL 12 HOUR AS time, concat(tenant, ' / ', queue) AS place, value AS nps
                FROM voice_days WHERE metric = 'nps' AND n > 0 AND $__dateFilter(day) AND {IN_SQL}
                ORDER BY time""",
                time_series=True,
                named_by="place",
            ),
            POINTS,
            what="By the day of the answer.",
            metric="nps",
            empty="nobody answered on these days",
            steps=below(30, 0),
        ),
    ]


def watched() -> list[Panel]:
    flags = 'pulse_gaming_flags{tenant=~"$tenant", queue=~"$queue"}'
    return [
        lines(
            "Flagged days of the last seven",
            [Ask(total(flags, "tenant, queue, kind", "tenant, kind"), "{{tenant}}: {{kind}}")],
            COUNT,
            what="Days on which a number got better at the customer's cost, over the queues; 0: days were judged and none"
            " was flagged. A question to ask, not a verdict: read the contacts below first.",
            metric="pulse_gaming_flags",
            empty="no day could be judged, or no sink reports",
            steps=above(1, 3),
        ),
        lines(
            "Flags by day and kind",
            Sql(
                f"""SELECT toDateTime(f.day) + INTERVAL 12 HOUR AS time, f.kind AS kind, count() AS flags FROM gaming_flags({IN_TIME}) AS f
                WHERE {IN_SQL} GROUP BY time, kind ORDER BY time""",
                time_series=True,
                named_by="kind",
            ),
            COUNT,
            what="Queues that look gamed on a day, in the tenant's own days; a day can be flagged later, when customers come"
            " back.",
            metric="view:gaming_flags",
            empty="no day looks gamed, or none could be judged",
            stacked=True,
            bars=True,
        ),
        rows(
            "Newest flags, and by how much",
            Sql(
                f"""SELECT toString(day) AS day, tenant, queue, kind,
                nullIf(threshold_ms, 0) / 1000 AS threshold, hits, n, value AS rate,
                low AS rate_at_least, if(floor > 0, floor, base_high) AS flagged_above, base_days,
                if(base_days > 0, base_value, NULL) AS rate_before,
                if(isNull(base_seconds), NULL, seconds) AS speed, base_seconds AS speed_before FROM gaming_flags({IN_TIME})
                WHERE {IN_SQL} ORDER BY day DESC, tenant, queue, kind LIMIT 50"""
            ),
            {
                "threshold": SECONDS,
                "hits": COUNT,
                "n": COUNT,
                "rate": RATIO,
                "rate_at_least": RATIO,
                "flagged_above": RATIO,
                "base_days": COUNT,
                "rate_before": RATIO,
                "speed": SECONDS,
                "speed_before": SECONDS,
            },
            what="Hits of n are what the kind is about, surely more than the line; before: the days it is compared with, where"
            " there are any. Speed: mean wait, or time to first responses, and what it was on days before. At most 50.",
            metric="view:gaming_flags",
            empty="no day looks gamed, or none could be judged",
        ),
        rows(
            "What the newest flags rest on",
            Sql(
                f"""SELECT at, tenant, queue, kind, stream, entity, multiIf(
                    stream = 'survey', concat('score ', toString(value)),
                    kind IN ('short_answers', 'waits_under_threshold'), concat(toString(round(value / 1000, 1)), ' s'),
                    kind = 'faster_transfers_up', concat('after ', toString(round(value / 1000, 1)), ' s'),
                    concat('after ', toString(round(value / 3600, 1)), ' h')) AS seen, customer, related
                FROM gaming_evidence({IN_TIME}) WHERE {IN_SQL} ORDER BY at DESC, entity, kind LIMIT 100"""
            ),
            {},
            what="Each contact, ticket or answer behind the flags. Seen: the talk or the wait, how soon the customer came back"
            " (related: with what), the score. At most 100.",
            metric="view:gaming_evidence",
            empty="no day looks gamed, or none could be judged",
            size=(24, 10),
        ),
    ]


def people() -> list[Panel]:
    staff = 'tenant=~"$tenant"'
    moved = f'success_agents_moved{{{staff}, window="90d"}}'
    left = f'success_agents_left{{{staff}, window="90d"}}'
    return [
        lines(
            "Staff",
            [
                Ask(total(f"success_headcount{{{staff}}}", TENANT, ""), "on the staff"),
                Ask(total(moved, TENANT, ""), "moved in 90 days"),
                Ask(total(left, TENANT, ""), "left in 90 days"),
            ],
            COUNT,
            what="Agents now, and who moved to another department or left.",
            metric="headcount",
            empty="no agent is known",
        ),
        lines(
            "Who goes, and where to",
            [
                Ask(f'max by (tenant) (success_attrition_ratio{{{staff}, window="90d"}})', "{{tenant}} left"),
                Ask(
                    f'max by (tenant) (success_internal_mobility_ratio{{{staff}, window="90d"}})',
                    "{{tenant}} moved rather than left",
                ),
            ],
            RATIO,
            what="Left: of the mean headcount of 90 days. Moved rather than left: of all who did one of the two.",
            metric="attrition",
            empty="nobody moved or left",
            steps=above(0.1, 0.2),
        ),
    ]
