-- How much of what is delivered is custom; what customers reach next to what they pay; what a lost account costs and
-- saves: docs/metrics/value.md.

ALTER TABLE definitions
    ADD COLUMN IF NOT EXISTS margin Float64 AFTER gaming_thresholds_ms,
    ADD COLUMN IF NOT EXISTS support_currencies Map(String, String) AFTER margin,
    ADD COLUMN IF NOT EXISTS support_hour_minor Map(String, Float64) AFTER support_currencies,
    ADD COLUMN IF NOT EXISTS support_ticket_minor Map(String, Float64) AFTER support_hour_minor;

-- As before, with the margin and what support costs.
CREATE OR REPLACE VIEW declared_now AS
SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w, health_days,
    health_weights, gaming_baseline, gaming_short_share, gaming_reopened_share, gaming_thresholds_ms, margin,
    support_currencies, support_hour_minor, support_ticket_minor
FROM (
    SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w,
        health_days, health_weights, gaming_baseline, gaming_short_share, gaming_reopened_share,
        gaming_thresholds_ms, margin, support_currencies, support_hour_minor, support_ticket_minor, declared_at
    FROM definitions FINAL
    WHERE margin > 0
    UNION ALL
    SELECT CAST(map(), 'Map(String, String)'), 20, 86400000, 'effective', CAST([], 'Array(String)'), 1, 3, 28, 90,
        map('adoption', 0.4, 'speed', 0.2, 'sentiment', 0.2, 'payment', 0.2), 28, 0.05, 0.2, [20000], 1.,
        CAST(map(), 'Map(String, String)'), CAST(map(), 'Map(String, Float64)'),
        CAST(map(), 'Map(String, Float64)'), toDateTime64(0, 3, 'UTC')
)
ORDER BY declared_at DESC
LIMIT 1;

-- As before, with the margin that is declared.
CREATE OR REPLACE VIEW clv_predictive AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition,
    if(base = 0 OR churned = 0, NULL,
        start_minor / base * assumeNotNull((SELECT margin FROM declared_now)) / (churned / base)) AS value,
    base AS n
FROM flow_days;

-- MRR of accounts at the two ends of each day, week or month (`period`) from that of the date `first` to the one that
-- runs at the instant, whose end is the instant. As many rows as accounts with any MRR there: from steps, each told
-- once per end it holds at. `number`: periods that follow each other.
CREATE VIEW IF NOT EXISTS account_mrr_periods_at AS
WITH
    toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS asked_ms,
    (SELECT recognition FROM declared_now) AS declared
SELECT tenant, account, currency, told.1 AS number, any(starts[1]) AS start, any(starts[2] <= today) AS is_over,
    greatest(sumIf(mrr_minor, told.2 = 'start'), 0) AS start_minor,
    greatest(sumIf(mrr_minor, told.2 = 'end'), 0) AS end_minor
FROM (
    SELECT s.tenant AS tenant, s.account AS account, s.currency AS currency, s.mrr_minor AS mrr_minor,
        if(c.tz = '', 'UTC', c.tz) AS zone, if(c.week_start = 0, 1, c.week_start) AS week_start,
        toDate(toString(fromUnixTimestamp64Milli(asked_ms, 'UTC'), zone)) AS today,
        arrayMap(
            day -> multiIf(
                {period:String} = 'day', toInt32(day),
                {period:String} = 'week', toInt32(intDiv(toInt32(day) + (11 - week_start) % 7, 7)),
                toInt32(12 * toYear(day) + toMonth(day) - 1)),
            [{first:Date}, today, toDate(toString(fromUnixTimestamp64Milli(s.from_ms, 'UTC'), zone)),
                toDate(toString(fromUnixTimestamp64Milli(s.until_ms, 'UTC'), zone))]) AS found,
        range(greatest(found[3], found[1] - 1),
            if(s.until_ms = 0 OR s.until_ms > asked_ms, found[2] + 1, found[4])) AS ends,
        arrayConcat(
            arrayMap(n -> (n, 'end'), arrayFilter(n -> n >= found[1], ends)),
            arrayMap(n -> (toInt32(n + 1), 'start'), arrayFilter(n -> n < found[2], ends))) AS tells
    FROM subscription_states AS s
    LEFT JOIN tenant_calendars AS c ON c.tenant = s.tenant
    WHERE s.recognition = declared AND s.from_ms <= asked_ms AND s.mrr_minor != 0
        AND (SELECT throwIf({period:String} NOT IN ('day', 'week', 'month'), 'period is day, week or month')) = 0
)
ARRAY JOIN tells AS told,
    arrayMap(
        tell -> arrayMap(
            n -> multiIf(
                {period:String} = 'day', toDate(n),
                {period:String} = 'week', toDate(7 * n - (11 - week_start) % 7),
                makeDate(intDiv(n, 12), n % 12 + 1, 1)),
            [tell.1, tell.1 + 1]),
        tells) AS starts
GROUP BY tenant, account, currency, number;

-- Of what is delivered in a period the custom part, from both sides: tickets with custom work / tickets created, and
-- services out of scope / (services + MRR at the period's end). A row per currency; the tickets, which have none, are
-- told anew in each, and under '' where no money is known. A period without any of them has no row.
CREATE VIEW IF NOT EXISTS custom_work AS
WITH pow(1.959963984540054, 2) AS z2
SELECT tenant, start, is_over, tickets, custom_tickets,
    if(tickets = 0, NULL, custom_tickets / tickets) AS support_share,
    if(tickets = 0, NULL, sqrt(greatest(0,
        z2 * support_share * (1 - support_share) / tickets + z2 * z2 / (4 * tickets * tickets)))) AS half,
    if(tickets = 0, NULL, greatest(0, (support_share + z2 / (2 * tickets) - half) / (1 + z2 / tickets))) AS support_low,
    if(tickets = 0, NULL, least(1, (support_share + z2 / (2 * tickets) + half) / (1 + z2 / tickets))) AS support_high,
    currency, invoices, services_minor, out_of_scope_minor, mrr_minor,
    if(services_minor + mrr_minor = 0, NULL, out_of_scope_minor / (services_minor + mrr_minor)) AS revenue_share
FROM (
    SELECT tenant, start, is_over, currency,
        sum(tickets_of) OVER period AS tickets, sum(custom_of) OVER period AS custom_tickets,
        max(currency) OVER period AS last_currency, invoices, services_minor, out_of_scope_minor, mrr_minor
    FROM (
        SELECT tenant, start, any(d.is_over) AS is_over, currency, sum(d.tickets) AS tickets_of,
            sum(d.custom_tickets) AS custom_of, sum(d.invoices) AS invoices, sum(d.services) AS services_minor,
            sum(d.out_of_scope) AS out_of_scope_minor, sum(d.mrr) AS mrr_minor
        FROM (
            SELECT tenant, start, is_over, toString(currency) AS currency, toUInt64(0) AS tickets,
                toUInt64(0) AS custom_tickets, toUInt64(0) AS invoices, toInt64(0) AS services,
                toInt64(0) AS out_of_scope, end_minor AS mrr
            FROM account_mrr_periods_at(period = {period:String}, first = {first:Date}, at = {at:DateTime64(3, 'UTC')})
            UNION ALL
            SELECT tenant, starts[1] AS start, starts[2] <= today AS is_over, currency, is_ticket AS tickets,
                custom * is_ticket AS custom_tickets, toUInt64(is_ticket = 0) AS invoices, minor AS services,
                if(custom = 1, minor, 0) AS out_of_scope, toInt64(0) AS mrr
            FROM (
                SELECT f.tenant AS tenant, f.currency AS currency, f.is_ticket AS is_ticket, f.custom AS custom,
                    f.minor AS minor, if(c.tz = '', 'UTC', c.tz) AS zone,
                    if(c.week_start = 0, 1, c.week_start) AS week_start,
                    toDate(toString({at:DateTime64(3, 'UTC')}, zone)) AS today,
                    arrayMap(
                        day -> multiIf(
                            {period:String} = 'day', toInt32(day),
                            {period:String} = 'week', toInt32(intDiv(toInt32(day) + (11 - week_start) % 7, 7)),
                            toInt32(12 * toYear(day) + toMonth(day) - 1)),
                        [{first:Date}, toDate(toString(fromUnixTimestamp64Milli(f.at_ms, 'UTC'), zone))]) AS found,
                    arrayMap(
                        n -> multiIf(
                            {period:String} = 'day', toDate(n),
                            {period:String} = 'week', toDate(7 * n - (11 - week_start) % 7),
                            makeDate(intDiv(n, 12), n % 12 + 1, 1)),
                        [found[2], found[2] + 1]) AS starts
                FROM (
                    SELECT tenant, toUnixTimestamp64Milli(assumeNotNull(created_at)) AS at_ms, '' AS currency,
                        toUInt64(1) AS is_ticket, toInt64(0) AS minor,
                        toUInt64(custom_flags[arrayCount(
                            ms -> ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}), custom_ms)]) AS custom
                    FROM tickets_now
                    WHERE contradiction = ''
                    UNION ALL
                    SELECT tenant, invoice.1 AS at_ms, toString(invoice.3) AS currency, toUInt64(0) AS is_ticket,
                        invoice.2 AS minor, toUInt64(invoice.4 = 'out') AS custom
                    FROM subscriptions_now
                    ARRAY JOIN arrayZip(invoiced_ms, invoiced_minor, invoiced_currencies, invoiced_scopes) AS invoice
                    WHERE recognition = 'effective'
                ) AS f
                LEFT JOIN tenant_calendars AS c ON c.tenant = f.tenant
                WHERE f.at_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
            )
            WHERE found[2] >= found[1]
        ) AS d
        GROUP BY tenant, start, currency
    )
    WINDOW period AS (PARTITION BY tenant, start)
)
WHERE currency != '' OR last_currency = '';

-- Accounts with MRR at a month's start: milestones they (or their users) reached in it, and what became of their MRR.
CREATE VIEW IF NOT EXISTS account_impact AS
SELECT m.tenant AS tenant, m.account AS account, m.currency AS currency, m.start AS start, m.is_over AS is_over,
    u.milestones AS milestones, m.start_minor AS start_minor, m.end_minor AS end_minor,
    end_minor / start_minor AS nrr
FROM account_mrr_periods_at(period = 'month', first = {first:Date}, at = {at:DateTime64(3, 'UTC')}) AS m
LEFT JOIN (
    SELECT f.tenant AS tenant, f.account AS account,
        toStartOfMonth(toDate(toString(fromUnixTimestamp64Milli(f.at_ms, 'UTC'), if(c.tz = '', 'UTC', c.tz)))) AS start,
        count() AS milestones
    FROM usage_facts AS f
    LEFT JOIN tenant_calendars AS c ON c.tenant = f.tenant
    WHERE f.kind = 'milestone_reached' AND f.at_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
    GROUP BY tenant, account, start
) AS u ON u.tenant = m.tenant AND u.account = m.account AND u.start = m.start
WHERE m.start_minor > 0;

-- The same summed up. `value` = milestones / n accounts; `nrr` of all, of those that reached a milestone in the month
-- (`reached` accounts) and of the others.
CREATE VIEW IF NOT EXISTS recurring_impact AS
SELECT tenant, currency, start, any(i.is_over) AS is_over, count() AS n, sum(i.milestones) AS milestones,
    milestones / n AS value, countIf(i.milestones > 0) AS reached,
    sum(i.end_minor) / sum(i.start_minor) AS nrr,
    if(reached = 0, NULL, sumIf(i.end_minor, i.milestones > 0) / sumIf(i.start_minor, i.milestones > 0)) AS nrr_reached,
    if(reached = n, NULL, sumIf(i.end_minor, i.milestones = 0) / sumIf(i.start_minor, i.milestones = 0)) AS nrr_others
FROM account_impact(first = {first:Date}, at = {at:DateTime64(3, 'UTC')}) AS i
GROUP BY tenant, currency, start;

-- What each account's support took in [from, to): talks with a person by their end, tickets by their creation. Only
-- what names an account. `cost_minor` in the tenant's declared currency, NULL where none is declared.
CREATE VIEW IF NOT EXISTS account_support_cost AS
WITH (SELECT (support_currencies, support_hour_minor, support_ticket_minor) FROM declared_now) AS declared
SELECT tenant, account, sum(u.handled) AS handled, sum(u.handle_ms) AS handle_ms, sum(u.tickets) AS tickets,
    declared.1[tenant] AS currency,
    if(currency = '', NULL,
        handle_ms / 3600000 * declared.2[tenant] + tickets * declared.3[tenant]) AS cost_minor
FROM (
    SELECT c.tenant AS tenant, c.account AS account, toUInt64(1) AS handled, toUInt64(0) AS tickets,
        greatest(0, toUnixTimestamp64Milli(assumeNotNull(l.ended_at))
            - toUnixTimestamp64Milli(assumeNotNull(l.talk_started_at))) AS handle_ms
    FROM legs_now AS l
    INNER JOIN contacts_now AS c ON c.tenant = l.tenant AND c.initial_contact_id = l.initial_contact_id
    WHERE c.account != '' AND l.contradiction = '' AND (l.direction = 'inbound' OR l.callback)
        AND l.answered_by = 'human'
        AND l.ended_at >= {from:DateTime64(3, 'UTC')} AND l.ended_at < {to:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT tenant, account, toUInt64(0) AS handled, toUInt64(1) AS tickets, toInt64(0) AS handle_ms
    FROM tickets_now
    WHERE account != '' AND contradiction = ''
        AND created_at >= {from:DateTime64(3, 'UTC')} AND created_at < {to:DateTime64(3, 'UTC')}
) AS u
GROUP BY tenant, account;

-- `churn_cost` of [from, to) beside what no longer has to be spent: what support of the accounts that left altogether
-- cost in a month (30 of the 90 days before `from`), over the same 1 / churn. NULL without churn, in a currency other
-- than that of the declared cost, and where none is declared or no contact of the tenant names an account.
CREATE VIEW IF NOT EXISTS churn_cost_window AS
SELECT tenant, currency, countIf(a.start_minor > 0) AS n, countIf(is_lost) AS lost,
    sumIf(a.start_minor, is_lost) AS churn_minor, if(lost = 0, NULL, churn_minor / (lost / n)) AS churn_cost,
    sumIf(a.handle_ms, is_gone) / 3 AS saved_handle_ms, sumIf(a.tickets, is_gone) / 3 AS saved_tickets,
    if(lost = 0 OR any(a.is_known) = 0 OR any(a.cost_currency) != currency, NULL,
        sumIf(ifNull(a.cost_minor, 0), is_gone) / 3 / (lost / n)) AS support_cost_saved,
    churn_cost - support_cost_saved AS net_churn_cost
FROM (
    SELECT w.tenant AS tenant, w.account AS account, w.currency AS currency, w.start_minor AS start_minor,
        w.start_minor > 0 AND w.end_minor = 0 AS is_lost,
        is_lost AND max(w.end_minor) OVER (PARTITION BY w.tenant, w.account) = 0 AS is_gone,
        s.handle_ms AS handle_ms, s.tickets AS tickets, s.cost_minor AS cost_minor,
        w.tenant IN (
            SELECT tenant
            FROM account_support_cost(from = {from:DateTime64(3, 'UTC')} - toIntervalDay(90),
                to = {from:DateTime64(3, 'UTC')})) AS is_known,
        (SELECT support_currencies FROM declared_now)[w.tenant] AS cost_currency
    FROM account_mrr_window(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
        recognition = {recognition:String}) AS w
    LEFT JOIN account_support_cost(from = {from:DateTime64(3, 'UTC')} - toIntervalDay(90),
        to = {from:DateTime64(3, 'UTC')}) AS s ON s.tenant = w.tenant AND s.account = w.account
) AS a
GROUP BY tenant, currency
SETTINGS join_use_nulls = 0;
