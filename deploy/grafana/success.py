"""Whether customers stay, use what they pay for, and how soon it is worth it to them. Slow numbers: nothing for a wall."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    MINOR,
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
    rows,
    tenant,
    window,
)
from deploy.grafana.promql import MONEY, TENANT, VOICE, points, share, total, wilson

HERE = 'tenant=~"$tenant"'
IN_WINDOW = f'{HERE}, window="$window"'
WHO = "{{tenant}}"
WHOSE_MONEY = "{{tenant}} {{currency}}"
IN_SQL = "match(tenant, '^(${tenant:regex})$')"
WEEKS = "unit = 'account', period = 'week', first = toDate($__toTime - INTERVAL 12 WEEK), at = $__toTime_ms"


def success() -> Dashboard:
    return dashboard(
        "success",
        "Success",
        "Do customers stay, do they use it, how soon is it worth it, what do they say? Money in minor units of its currency,"
        " never added over several.",
        variables=[tenant("success_active_accounts"), window(("30d", "90d", "month"), "30d")],
        groups=[
            ("Do they stay?", stay()),
            ("Do they use it?", use()),
            ("How soon is it worth it, and what do they say?", worth()),
            ("Account by account", accounts()),
        ],
        refresh="5m",
        since="now-30d",
    )


def stay() -> list[Panel]:
    lost = f"success_churn_lost_accounts{{{IN_WINDOW}}}"
    base = f'success_churn_base_accounts{{{IN_WINDOW}, definition="start"}}'
    kinds = ("new", "reactivation", "expansion", "contraction", "churn")
    return [
        lines(
            "Churn",
            [
                Ask(wilson(lost, base, TENANT, TENANT, "high"), f"{WHO} at most"),
                Ask(share(lost, base, TENANT, TENANT), WHO),
                Ask(wilson(lost, base, TENANT, TENANT, "low"), f"{WHO} at least"),
            ],
            RATIO,
            what="Accounts active when the window began and not at its end, of those active when it began, with the"
            " 95 % interval. Red: 5 %, as the ticket when even the lower end is above it in 30 days.",
            metric="churn/start",
            empty="nobody was active when the window began",
            steps=above(0.03, 0.05),
        ),
        lines(
            "Revenue kept",
            [
                Ask(f"max by ({MONEY}) (success_nrr_ratio{{{IN_WINDOW}}})", f"{WHOSE_MONEY} net"),
                Ask(f"max by ({MONEY}) (success_grr_ratio{{{IN_WINDOW}}})", f"{WHOSE_MONEY} gross"),
            ],
            RATIO,
            what="Net: what accounts active when the window began pay at its end, of what they paid then. Gross: without"
            " what they pay more.",
            metric="nrr",
            empty="nobody paid when the window began",
            steps=below(1, 0.9),
        ),
        lines(
            "How revenue moved",
            [
                Ask(
                    total(f"success_mrr_{kind}_minor{{{IN_WINDOW}}}", MONEY, "currency"),
                    f"{{{{currency}}}} {kind}",
                )
                for kind in kinds
            ],
            MINOR,
            what="Monthly revenue of the window: end = start + new + reactivation + expansion − contraction − churn.",
            metric="mrr_new",
            empty="no subscription is known",
        ),
        lines(
            "Monthly recurring revenue",
            [Ask(f"max by ({MONEY}) (success_mrr_minor{{{HERE}}})", WHOSE_MONEY)],
            MINOR,
            what="What subscriptions bring a month, now.",
            metric="mrr",
            empty="no subscription is known",
        ),
        lines(
            "Active accounts and their seats",
            [
                Ask(f"max by (tenant) (success_active_accounts{{{HERE}}})", f"{WHO} accounts"),
                Ask(f"max by (tenant) (success_seats{{{HERE}}})", f"{WHO} seats"),
                Ask(f"max by (tenant) (success_seat_expansion{{{IN_WINDOW}}})", f"{WHO} seats gained"),
            ],
            COUNT,
            what="Accounts with recurring revenue in any currency; seats of subscriptions not cancelled; seats gained by"
            " accounts active when the window began.",
            metric="active_accounts",
            empty="no subscription is known",
        ),
        lines(
            "Accounts by stage",
            [Ask(total(f"success_accounts_in_stage{{{HERE}}}", "tenant, stage", "stage"), "{{stage}}")],
            COUNT,
            what="Where accounts are now.",
            metric="accounts_in_stage",
            empty="no stage is known",
            stacked=True,
        ),
    ]


def use() -> list[Panel]:
    return [
        lines(
            "Adoption",
            [Ask(f"max by (tenant) (success_adoption_ratio{{{HERE}}})", WHO)],
            RATIO,
            what="Of the accounts signed up: those that used the declared core features on the declared number of days"
            " lately. Not rolled up: what is core is each tenant's own.",
            metric="adoption",
            empty="nobody is signed up",
            steps=below(0.6, 0.4),
        ),
        lines(
            "Active, and how often",
            [
                Ask(total(f"success_active_1d{{{HERE}}}", TENANT, ""), "today"),
                Ask(total(f"success_active_7d{{{HERE}}}", TENANT, ""), "in 7 days"),
                Ask(total(f"success_active_28d{{{HERE}}}", TENANT, ""), "in 28 days"),
            ],
            COUNT,
            what="Accounts that used anything.",
            metric="active_28d",
            empty="no use is known",
        ),
        lines(
            "Stickiness",
            [Ask(f"max by (tenant) (success_stickiness_ratio{{{HERE}}})", WHO)],
            RATIO,
            what="Mean of the daily active over 28 days, of those active in them.",
            metric="stickiness",
            empty="nobody was active in 28 days",
            steps=below(0.2, 0.1),
        ),
        lines(
            "Who is new, stays, comes back, falls silent",
            Sql(
                f"""SELECT toDateTime(l.start) + INTERVAL 12 HOUR AS time, sum(l.new) AS new_accounts, sum(l.returning) AS returning_accounts,
                sum(l.resurrecting) AS resurrecting_accounts, sum(l.dormant) AS dormant_accounts
                FROM lifecycle({WEEKS}) AS l WHERE is_over AND {IN_SQL} GROUP BY time ORDER BY time""",
                time_series=True,
            ),
            COUNT,
            what="By week that is over, as the facts are now: active = new + returning + resurrecting; dormant used it the"
            " week before.",
            metric="view:lifecycle",
            empty="no use is known",
            stacked=True,
            bars=True,
        ),
        rows(
            "Of whom signed up in a week: who used it later",
            Sql(
                f"""SELECT tenant, toString(start) AS signed_up_in_week_of, age AS weeks_later, n AS accounts, value AS retained
                FROM retention({WEEKS}, since = 'signed_up') WHERE {IN_SQL}
                ORDER BY tenant, signed_up_in_week_of, weeks_later LIMIT 500"""
            ),
            {"weeks_later": COUNT, "accounts": COUNT, "retained": RATIO},
            what="Only weeks that are over: nobody is missed who still has time. At most 500 rows.",
            metric="view:retention",
            empty="nobody signed up, or no week is over",
        ),
    ]


def worth() -> list[Panel]:
    said = f'{HERE}, window="$window"'
    nps = points(
        f"support_promoters{{{said}}}",
        f"support_passives{{{said}}}",
        f"support_detractors{{{said}}}",
        VOICE,
        TENANT,
    )
    return [
        lines(
            "Time to value",
            [Ask(f"max by (tenant) (success_time_to_value_seconds{{{HERE}}})", WHO)],
            SECONDS,
            what="Mean time from sign-up to the first milestone, of who signed up in 90 days and got there. Always beside"
            " who is not there yet.",
            metric="time_to_value_mean",
            empty="nobody got there yet",
            steps=above(7 * 86400, 21 * 86400),
        ),
        lines(
            "Not there yet",
            [Ask(f"max by (tenant) (success_time_to_value_censored_ratio{{{HERE}}})", WHO)],
            RATIO,
            what="Of who signed up in 90 days: not at the milestone yet. The mean beside it knows nothing of them.",
            metric="time_to_value_censored",
            empty="nobody signed up in 90 days",
            steps=above(0.5, 0.8),
        ),
        rows(
            "Time to value, exactly",
            Sql(
                f"""SELECT tenant, cohort AS signed_up, n AS got_there, p50, p75, p90, mean, censored_share AS not_there_yet
                FROM time_to_value_at(unit = 'account', at = $__toTime_ms) WHERE {IN_SQL} ORDER BY tenant"""
            ),
            {
                "signed_up": COUNT,
                "got_there": COUNT,
                **dict.fromkeys(("p50", "p75", "p90", "mean"), SECONDS),
                "not_there_yet": RATIO,
            },
            what="As of the end of the time shown, of who signed up in the 90 days before: nearest rank.",
            metric="time_to_value_p50",
            empty="nobody signed up in 90 days",
            size=(12, 8),
        ),
        lines(
            "Net promoter score",
            [Ask(nps, WHO)],
            POINTS,
            what="Share of 9 and 10 less share of 0 to 6, on 0 to 10, of the answers in the window.",
            metric="nps",
            empty="nobody answered in the window",
            steps=below(30, 0),
        ),
    ]


def accounts() -> list[Panel]:
    return [
        rows(
            "Accounts, the least healthy first",
            Sql(
                f"""SELECT tenant, account, stage, owner, segment, health, confidence, adoption_score, speed_score,
                sentiment_score, payment_score, open_tickets, last_csat, last_nps, last_contact_at,
                arrayStringConcat(arrayMap((code, minor) -> concat(toString(minor), ' ', code),
                mapKeys(mrr_minor), mapValues(mrr_minor)), ', ') AS mrr_in_minor_units
                FROM account_360_at(at = $__toTime_ms) WHERE {IN_SQL}
                ORDER BY health ASC NULLS LAST, tenant, account LIMIT 200"""
            ),
            {
                **dict.fromkeys(
                    ("health", "adoption_score", "speed_score", "sentiment_score", "payment_score"), "none"
                ),
                "confidence": RATIO,
                "open_tickets": COUNT,
                "last_csat": "none",
                "last_nps": "none",
            },
            what="As of the end of the time shown. Health: mean of the scores that are there, 0 to 100; confidence: how"
            " much of their weight is there. At most 200.",
            metric="view:account_360",
            empty="no account is known",
            size=(24, 14),
        ),
    ]
