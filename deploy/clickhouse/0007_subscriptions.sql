-- Revenue and staying: docs/metrics.md. Money in minor units of one currency, never added over several.

CREATE TABLE IF NOT EXISTS subscriptions (
    tenant LowCardinality(String),
    account String,
    epoch UInt32,
    src_partition UInt16,
    recognition LowCardinality(String),
    step_subscriptions Array(String),
    step_from_ms Array(Int64),
    step_until_ms Array(Int64),
    step_mrr_minor Array(Int64),
    step_currencies Array(LowCardinality(String)),
    step_seats Array(Int64),
    step_plans Array(LowCardinality(String)),
    paid_ms Array(Int64),
    paid_minor Array(Int64),
    paid_currencies Array(LowCardinality(String)),
    invoiced_ms Array(Int64),
    invoiced_minor Array(Int64),
    invoiced_currencies Array(LowCardinality(String)),
    invoiced_scopes Array(LowCardinality(String)),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone; the steps are lists inside the row: a corrected history is replaced whole.
ORDER BY (tenant, account, recognition, epoch);

-- Accounts have one history, not one per date: the newest epoch holds.
CREATE VIEW IF NOT EXISTS subscriptions_now AS
SELECT *
FROM subscriptions FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'subscription'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'subscription');

-- What each subscription is from when until when (0 = still).
CREATE VIEW IF NOT EXISTS subscription_states AS
SELECT tenant, account, recognition, step.1 AS subscription, step.2 AS from_ms, step.3 AS until_ms,
    step.4 AS mrr_minor, step.5 AS currency, step.6 AS seats, step.7 AS plan
FROM subscriptions_now
ARRAY JOIN arrayZip(step_subscriptions, step_from_ms, step_until_ms, step_mrr_minor, step_currencies,
    step_seats, step_plans) AS step;

-- Accounts at any instant, what is dated at it included: MRR by currency, above 0, and seats.
CREATE VIEW IF NOT EXISTS account_mrr_at AS
SELECT tenant, account, currency, greatest(sum(s.mrr_minor), 0) AS mrr_minor, sum(s.seats) AS seats
FROM subscription_states AS s
WHERE recognition = {recognition:String}
    AND from_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
    AND (until_ms = 0 OR until_ms > toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}))
GROUP BY tenant, account, currency;

-- Any window, from facts: an account's MRR before what is dated `from`, before what is dated `to`, and
-- whether it had any before.
CREATE VIEW IF NOT EXISTS account_mrr_window AS
SELECT tenant, account, currency, greatest(at_start, 0) AS start_minor, greatest(at_end, 0) AS end_minor,

    arrayExists(t -> t < toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) AND arraySum(
        (f, u, m) -> if(f <= t AND (u = 0 OR u > t), m, 0), froms, untils, amounts) > 0, froms) AS was_active
FROM (
    SELECT tenant, account, currency,
        sumIf(s.mrr_minor, from_ms < toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')})
            AND (until_ms = 0 OR until_ms >= toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}))) AS at_start,
        sumIf(s.mrr_minor, from_ms < toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')})
            AND (until_ms = 0 OR until_ms >= toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}))) AS at_end,
        groupArray(s.from_ms) AS froms, groupArray(s.until_ms) AS untils, groupArray(s.mrr_minor) AS amounts
    FROM subscription_states AS s
    WHERE recognition = {recognition:String}
    GROUP BY tenant, account, currency
);

-- The same summed up: MRR movements of [from, to) by currency.
CREATE VIEW IF NOT EXISTS revenue_window AS
SELECT tenant, currency, countIf(a.start_minor > 0) AS base,
    sum(a.start_minor) AS start_minor, sum(a.end_minor) AS end_minor,
    sumIf(a.end_minor, a.start_minor = 0 AND NOT was_active) AS new_minor,
    sumIf(a.end_minor - a.start_minor, a.start_minor > 0 AND a.end_minor > a.start_minor) AS expansion_minor,
    sumIf(a.start_minor - a.end_minor, a.end_minor > 0 AND a.end_minor < a.start_minor) AS contraction_minor,
    sumIf(a.start_minor, a.end_minor = 0) AS churn_minor,
    sumIf(a.end_minor, a.start_minor = 0 AND was_active) AS reactivation_minor,
    if(start_minor = 0, NULL, (start_minor + expansion_minor - contraction_minor - churn_minor) / start_minor) AS nrr,
    if(start_minor = 0, NULL, (start_minor - contraction_minor - churn_minor) / start_minor) AS grr
FROM account_mrr_window(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
    recognition = {recognition:String}) AS a
GROUP BY tenant, currency;

-- Step families by day: each row holds from its day's end until the next row of its series. Counters by
-- the names of their families; a test holds the places against pipeline.metrics.
CREATE VIEW IF NOT EXISTS staying_days AS
SELECT tenant, window_, day,
    sum(d[1]) OVER w AS base, sum(d[2]) OVER w AS lost, sum(d[3]) OVER w AS joined,
    sum(d[4]) OVER w AS start_seats, sum(d[5]) OVER w AS end_seats
FROM (
    SELECT tenant, JSONExtractString(dims, 'window') AS window_, toDate(start) AS day, sumForEach(v) AS d
    FROM buckets_now
    WHERE family = 'staying'
    GROUP BY tenant, window_, day
)
WINDOW w AS (PARTITION BY tenant, window_ ORDER BY day);

CREATE VIEW IF NOT EXISTS flow_days AS
SELECT tenant, window_, currency, day,
    sum(d[1]) OVER w AS base, sum(d[2]) OVER w AS start_minor,
    sum(d[3]) OVER w AS new, sum(d[4]) OVER w AS new_minor,
    sum(d[5]) OVER w AS expanded, sum(d[6]) OVER w AS expansion_minor,
    sum(d[7]) OVER w AS contracted, sum(d[8]) OVER w AS contraction_minor,
    sum(d[9]) OVER w AS churned, sum(d[10]) OVER w AS churn_minor,
    sum(d[11]) OVER w AS reactivated, sum(d[12]) OVER w AS reactivation_minor
FROM (
    SELECT tenant, JSONExtractString(dims, 'window') AS window_, JSONExtractString(dims, 'currency') AS currency,
        toDate(start) AS day, sumForEach(v) AS d
    FROM buckets_now
    WHERE family = 'flow'
    GROUP BY tenant, window_, currency, day
)
WINDOW w AS (PARTITION BY tenant, window_, currency ORDER BY day);

-- currency '' = accounts active in any currency, and all seats.
CREATE VIEW IF NOT EXISTS standing_days AS
SELECT tenant, currency, day,
    sum(d[1]) OVER w AS accounts, sum(d[2]) OVER w AS mrr_minor, sum(d[3]) OVER w AS seats
FROM (
    SELECT tenant, JSONExtractString(dims, 'currency') AS currency, toDate(start) AS day, sumForEach(v) AS d
    FROM buckets_now
    WHERE family = 'standing'
    GROUP BY tenant, currency, day
)
WINDOW w AS (PARTITION BY tenant, currency ORDER BY day);

-- `lost` / n; Wilson interval. Roll up over tenants by sum(lost) / sum(n).
CREATE VIEW IF NOT EXISTS churn AS
SELECT tenant, window_ AS `window`, day, definition, lost, n, if(n = 0, NULL, lost / n) AS value,
    if(n = 0, NULL, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n))) AS low,
    if(n = 0, NULL, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n))) AS high
FROM (
    SELECT tenant, window_, day, lost, told.1 AS definition, told.2 AS n,
        pow(1.959963984540054, 2) AS z2,
        if(n > 0, sqrt(greatest(0, z2 * (lost / n) * (1 - lost / n) / n + z2 * z2 / (4 * n * n))), NULL) AS half
    FROM staying_days
    ARRAY JOIN [('start', base), ('start_plus_new', base + joined)] AS told
);
CREATE VIEW IF NOT EXISTS seat_expansion AS
SELECT tenant, window_ AS `window`, day, 'default' AS definition, end_seats - start_seats AS value, base AS n
FROM staying_days;

CREATE VIEW IF NOT EXISTS nrr AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, base AS n, start_minor,
    if(start_minor = 0, NULL,
        (start_minor + expansion_minor - contraction_minor - churn_minor) / start_minor) AS value
FROM flow_days;
CREATE VIEW IF NOT EXISTS grr AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, base AS n, start_minor,
    if(start_minor = 0, NULL, (start_minor - contraction_minor - churn_minor) / start_minor) AS value
FROM flow_days;
CREATE VIEW IF NOT EXISTS gross_churn_mrr AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, base AS n, start_minor,
    if(start_minor = 0, NULL, (churn_minor + contraction_minor) / start_minor) AS value
FROM flow_days;
CREATE VIEW IF NOT EXISTS net_churn_mrr AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, base AS n, start_minor,
    if(start_minor = 0, NULL,
        (churn_minor + contraction_minor - expansion_minor - reactivation_minor) / start_minor) AS value
FROM flow_days;
CREATE VIEW IF NOT EXISTS mrr_new AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, new_minor AS value, new AS n
FROM flow_days;
CREATE VIEW IF NOT EXISTS mrr_expansion AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, expansion_minor AS value, expanded AS n
FROM flow_days;
CREATE VIEW IF NOT EXISTS mrr_contraction AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, contraction_minor AS value,
    contracted AS n
FROM flow_days;
CREATE VIEW IF NOT EXISTS mrr_churn AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, churn_minor AS value, churned AS n
FROM flow_days;
CREATE VIEW IF NOT EXISTS mrr_reactivation AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition, reactivation_minor AS value,
    reactivated AS n
FROM flow_days;

CREATE VIEW IF NOT EXISTS mrr AS
SELECT tenant, currency, day, 'default' AS definition, mrr_minor AS value, accounts AS n
FROM standing_days WHERE currency != '';
CREATE VIEW IF NOT EXISTS arr AS
SELECT tenant, currency, day, 'default' AS definition, 12 * mrr_minor AS value, accounts AS n
FROM standing_days WHERE currency != '';
CREATE VIEW IF NOT EXISTS active_accounts AS
SELECT tenant, day, 'default' AS definition, accounts AS value FROM standing_days WHERE currency = '';
CREATE VIEW IF NOT EXISTS seats AS
SELECT tenant, day, 'default' AS definition, seats AS value, accounts AS n
FROM standing_days WHERE currency = '';

-- With margin 1: multiply by yours. Absent without churn.
CREATE VIEW IF NOT EXISTS clv_predictive AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition,
    if(base = 0 OR churned = 0, NULL, start_minor / base / (churned / base)) AS value, base AS n
FROM flow_days;
CREATE VIEW IF NOT EXISTS churn_cost AS
SELECT tenant, currency, window_ AS `window`, day, 'default' AS definition,
    if(churned = 0, NULL, churn_minor / (churned / base)) AS value, base AS n
FROM flow_days;
CREATE VIEW IF NOT EXISTS clv_given AS
SELECT tenant, currency, day, 'default' AS definition,
    if(accounts = 0, NULL, mrr_minor / accounts * {months:Float64}) AS value, accounts AS n
FROM standing_days WHERE currency != '';

-- At an instant, what is dated at it included.
CREATE VIEW IF NOT EXISTS clv_realised AS
SELECT tenant, currency, 'default' AS definition, sum(a.paid) / count() AS value, count() AS n
FROM (
    SELECT tenant, account, currency,
        arraySum((t, m, c) -> if(t <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AND c = currency, m, 0),
            any(paid_ms), any(paid_minor), any(paid_currencies)) AS paid,
        groupArray(step.1) AS froms, groupArray(step.2) AS untils, groupArray(step.3) AS amounts,
        arrayExists(t -> t <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AND arraySum(
            (f, u, m) -> if(f <= t AND (u = 0 OR u > t), m, 0), froms, untils, amounts) > 0, froms) AS was_active
    FROM (
        SELECT tenant, account, paid_ms, paid_minor, paid_currencies, step, step.4 AS currency
        FROM subscriptions_now
        ARRAY JOIN arrayZip(step_from_ms, step_until_ms, step_mrr_minor, step_currencies) AS step
        WHERE recognition = {recognition:String}
    )
    GROUP BY tenant, account, currency
    HAVING was_active
) AS a
GROUP BY tenant, currency;

-- Services of [from, to) against MRR at its end; n invoices.
CREATE VIEW IF NOT EXISTS custom_revenue_share AS
SELECT tenant, currency, 'default' AS definition,
    if(sum(p.services) + sum(p.mrr) = 0, NULL, sum(p.out_of_scope) / (sum(p.services) + sum(p.mrr))) AS value,
    sum(p.invoices) AS n
FROM (
    SELECT tenant, currency, a.end_minor AS mrr, toInt64(0) AS services, toInt64(0) AS out_of_scope,
        toUInt64(0) AS invoices
    FROM account_mrr_window(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')},
        recognition = {recognition:String}) AS a
    UNION ALL
    SELECT tenant, invoice.3 AS currency, toInt64(0) AS mrr, invoice.2 AS services,
        if(invoice.4 = 'out', invoice.2, 0) AS out_of_scope, toUInt64(1) AS invoices
    FROM subscriptions_now
    ARRAY JOIN arrayZip(invoiced_ms, invoiced_minor, invoiced_currencies, invoiced_scopes) AS invoice
    WHERE recognition = {recognition:String}
        AND invoice.1 >= toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')})
        AND invoice.1 < toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')})
) AS p
WHERE currency != ''
GROUP BY tenant, currency;

-- The rates of single days added up over the tenants' own days first ... last, which are in the window.
-- `n` = account days at risk. A day between two rows has the counts of the row before it.
CREATE VIEW IF NOT EXISTS churn_daily_sum AS
SELECT tenant, 'daily_sum' AS definition, sum(p.base) AS n,
    if(n = 0, NULL, sum(if(p.base = 0, 0, p.lost / p.base))) AS value
FROM (
    SELECT s.tenant AS tenant, days.d AS d, argMax(s.base, s.day) AS base, argMax(s.lost, s.day) AS lost
    FROM (SELECT tenant, day, base, lost FROM staying_days WHERE window_ = '1d') AS s
    CROSS JOIN (
        SELECT arrayJoin(arrayMap(i -> {first:Date} + i, range(toUInt32({last:Date} - {first:Date}) + 1))) AS d
    ) AS days
    WHERE s.day <= days.d
    GROUP BY s.tenant, days.d
) AS p
GROUP BY tenant;
