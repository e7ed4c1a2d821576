-- Calls in full: service levels by every definition, whole chains, talks, percentiles. The formulas of buckets
-- stay in support_parts; thresholds are the defaults, X = 20 s and S = 5 s. Any other threshold: service_level_of,
-- which reads facts.

-- `fast_…`: within 20 seconds, of the three histograms behind 11 counters; NULL as `short_abandoned` is.
CREATE OR REPLACE VIEW cohort_now AS
WITH (SELECT groupArray((v_format, bounds_ms)) FROM definitions FINAL) AS formats
SELECT grain, start, tenant,
    JSONExtractString(dims, 'queue') AS queue, JSONExtractString(dims, 'channel') AS channel,
    v[1] AS offered, v[2] AS answered, v[3] AS answered_wait_ms, v[4] AS answered_ahead_ms,
    v[5] AS abandoned, v[6] AS abandoned_wait_ms, v[7] AS callbacks_requested, v[8] AS transferred_out,
    v[9] AS flowed_out, v[10] AS bot_answered, v[11] AS other_wait_ms,
    arrayFirst(f -> f.1 = buckets_now.v_format, formats).2 AS bounds_ms,
    if(has(bounds_ms, 5000),
        arraySum(arraySlice(v, 12 + 1 * (length(bounds_ms) + 1), indexOf(bounds_ms, 5000))), NULL) AS short_abandoned,
    if(has(bounds_ms, 20000),
        arraySum(arraySlice(v, 12 + 0 * (length(bounds_ms) + 1), indexOf(bounds_ms, 20000))), NULL) AS fast_answered,
    if(has(bounds_ms, 20000),
        arraySum(arraySlice(v, 12 + 1 * (length(bounds_ms) + 1), indexOf(bounds_ms, 20000))), NULL) AS fast_abandoned,
    if(has(bounds_ms, 20000),
        arraySum(arraySlice(v, 12 + 2 * (length(bounds_ms) + 1), indexOf(bounds_ms, 20000))), NULL) AS fast_callbacks
FROM buckets_now
WHERE family = 'cohort';

-- Chains by the instant of their first human answer, under the queue that answered.
CREATE VIEW IF NOT EXISTS customer_now AS
SELECT grain, start, tenant,
    JSONExtractString(dims, 'queue') AS queue, JSONExtractString(dims, 'channel') AS channel,
    JSONExtractString(dims, 'path') AS path,
    v[1] AS answered, v[2] AS wait_ms
FROM buckets_now
WHERE family = 'customer';

-- Chains by the instant of their first callback request, under the queue it was requested in.
CREATE VIEW IF NOT EXISTS callback_now AS
SELECT grain, start, tenant,
    JSONExtractString(dims, 'queue') AS queue, JSONExtractString(dims, 'channel') AS channel,
    v[1] AS requested, v[2] AS kept, v[3] AS wait_ms
FROM buckets_now
WHERE family = 'callback';

-- Talks with a human by their end.
CREATE VIEW IF NOT EXISTS handle_now AS
SELECT grain, start, tenant,
    JSONExtractString(dims, 'queue') AS queue, JSONExtractString(dims, 'channel') AS channel,
    v[1] AS ended, v[2] AS handle_ms
FROM buckets_now
WHERE family = 'handle';

-- As before, with service levels, chains and talks. Where nobody declared the bounds a service level is absent:
-- its part is NULL and its n is 0, so that it takes no part in a sum.
CREATE OR REPLACE VIEW support_parts AS
SELECT grain, start, tenant, queue, channel, 'leave' AS counted_by,
    m.1 AS metric, m.2 AS definition, m.3 AS unit, m.4 AS part, m.5 AS n
FROM leave_now
ARRAY JOIN [
    ('asa_queue', 'enqueued', 'seconds', toNullable(answered_wait_ms), answered),
    ('asa_queue', 'created', 'seconds', answered_wait_ms + answered_ahead_ms, answered),
    ('wait_all', 'default', 'seconds', answered_wait_ms + abandoned_wait_ms + other_wait_ms,
        answered + abandoned + callbacks_requested + transferred_out + flowed_out + bot_answered - unqueued),
    ('wait_abandoned', 'default', 'seconds', abandoned_wait_ms, abandoned),
    ('answered', 'default', 'count', answered, answered),
    ('abandoned', 'default', 'count', abandoned, abandoned),
    ('callbacks_requested', 'default', 'count', callbacks_requested, callbacks_requested),
    ('transferred_out', 'default', 'count', transferred_out, transferred_out),
    ('flowed_out', 'default', 'count', flowed_out, flowed_out),
    ('bot_answered', 'default', 'count', bot_answered, bot_answered)
] AS m
UNION ALL
SELECT grain, start, tenant, queue, channel, 'enqueue' AS counted_by,
    m.1 AS metric, m.2 AS definition, m.3 AS unit, m.4 AS part, m.5 AS n
FROM cohort_now
ARRAY JOIN [
    ('asa_queue', 'enqueued', 'seconds', toNullable(answered_wait_ms), answered),
    ('asa_queue', 'created', 'seconds', answered_wait_ms + answered_ahead_ms, answered),
    ('wait_all', 'default', 'seconds', answered_wait_ms + abandoned_wait_ms + other_wait_ms,
        answered + abandoned + callbacks_requested + transferred_out + flowed_out + bot_answered),
    ('wait_abandoned', 'default', 'seconds', abandoned_wait_ms, abandoned),
    ('offered', 'default', 'count', offered, offered),
    ('answered', 'default', 'count', answered, answered),
    ('abandoned', 'default', 'count', abandoned, abandoned),
    ('callbacks_requested', 'default', 'count', callbacks_requested, callbacks_requested),
    ('transferred_out', 'default', 'count', transferred_out, transferred_out),
    ('flowed_out', 'default', 'count', flowed_out, flowed_out),
    ('bot_answered', 'default', 'count', bot_answered, bot_answered),
    ('abandon_rate', 'default', 'ratio', abandoned - short_abandoned, offered),
    ('service_level', 'strict', 'ratio', fast_answered, ifNull(offered - short_abandoned, 0)),
    ('service_level', 'all', 'ratio', fast_answered, if(isNull(fast_answered), 0, offered)),
    ('service_level', 'answered', 'ratio', fast_answered, if(isNull(fast_answered), 0, answered)),
    ('service_level', 'forgiving', 'ratio', fast_answered, ifNull(offered - fast_abandoned, 0)),
    ('service_level', 'amazon', 'ratio', fast_answered + fast_abandoned + fast_callbacks,
        if(isNull(fast_answered), 0, offered)),
    ('service_level', 'genesys', 'ratio', fast_answered, if(isNull(fast_answered), 0, answered + abandoned))
] AS m
UNION ALL
SELECT grain, start, tenant, queue, channel, 'answer' AS counted_by,
    'asa_customer' AS metric, 'default' AS definition, 'seconds' AS unit, toNullable(sum(wait_ms)) AS part,
    sum(answered) AS n
FROM customer_now
GROUP BY grain, start, tenant, queue, channel
UNION ALL
SELECT grain, start, tenant, queue, channel, 'request' AS counted_by,
    m.1 AS metric, 'default' AS definition, m.2 AS unit, m.3 AS part, m.4 AS n
FROM callback_now
ARRAY JOIN [
    ('callback_kept', 'ratio', toNullable(kept), requested),
    ('callback_wait', 'seconds', wait_ms, kept)
] AS m
UNION ALL
SELECT grain, start, tenant, queue, channel, 'end' AS counted_by,
    'handle_time' AS metric, 'default' AS definition, 'seconds' AS unit, toNullable(handle_ms) AS part, ended AS n
FROM handle_now;

CREATE VIEW IF NOT EXISTS service_level AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n, low, high
FROM support_days WHERE metric = 'service_level';
CREATE VIEW IF NOT EXISTS callback_kept AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n, low, high
FROM support_days WHERE metric = 'callback_kept';
CREATE VIEW IF NOT EXISTS callback_wait AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'callback_wait';
-- Context only, never a target: capping it is how service gets worse.
CREATE VIEW IF NOT EXISTS handle_time AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'handle_time';

-- By path, which support_parts rolls up.
CREATE VIEW IF NOT EXISTS asa_customer AS
SELECT tenant, queue, channel, path, toDate(start) AS day, 'default' AS definition, 'answer' AS counted_by,
    if(n = 0, NULL, sum(wait_ms) / n / 1000) AS value, sum(answered) AS n
FROM customer_now
WHERE grain = 'day'
GROUP BY tenant, queue, channel, path, day;

-- The same over live buckets of [from, to); the edges lie on 10 seconds.
CREATE VIEW IF NOT EXISTS asa_customer_window AS
SELECT tenant, queue, channel, path, if(n = 0, NULL, sum(wait_ms) / n / 1000) AS value, sum(answered) AS n
FROM customer_now
WHERE grain = 'live'
    AND start >= toDateTime({from:DateTime64(3, 'UTC')}, 'UTC') AND start < toDateTime({to:DateTime64(3, 'UTC')}, 'UTC')
    AND (SELECT throwIf(
        toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) % 10000 != 0
            OR toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) % 10000 != 0,
        'from and to must lie on 10-second edges')) = 0
GROUP BY tenant, queue, channel, path;

-- Legs answered by a human that count, one row each: what percentiles of any roll-up are taken from.
CREATE VIEW IF NOT EXISTS answered_waits AS
SELECT tenant, initial_contact_id, contact_id, leg, queue, channel, enqueued_at,
    assumeNotNull(answered_at) AS left_at, ifNull(wait_ms, 0) AS wait_ms
FROM legs_now
WHERE outcome = 'answered' AND contradiction = '' AND (direction = 'inbound' OR callback);

-- Exact percentiles by nearest rank of the legs that left in [from, to), or (`counted_by` enqueue) entered in it.
CREATE VIEW IF NOT EXISTS asa_percentiles AS
SELECT tenant, queue, channel, counted_by, arraySort(groupArray(wait_ms)) AS waits, length(waits) AS n,
    waits[intDiv(50 * n + 99, 100)] / 1000 AS asa_p50,
    waits[intDiv(90 * n + 99, 100)] / 1000 AS asa_p90,
    waits[intDiv(99 * n + 99, 100)] / 1000 AS asa_p99
FROM (
    SELECT tenant, queue, channel, wait_ms, counted.1 AS counted_by
    FROM answered_waits
    ARRAY JOIN [('leave', toNullable(left_at)), ('enqueue', enqueued_at)] AS counted
    WHERE counted.2 >= {from:DateTime64(3, 'UTC')} AND counted.2 < {to:DateTime64(3, 'UTC')}
)
GROUP BY tenant, queue, channel, counted_by;

-- Every service level of the legs that entered a queue in [from, to), from facts: any X and S (seconds), any
-- switches of `genesys` (0 or 1). Drop what is abandoned once: the short ones are among them.
CREATE VIEW IF NOT EXISTS service_level_of AS
SELECT tenant, queue, channel, definition, part, n, if(n = 0, NULL, part / n) AS value,
    if(n > 0, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)), NULL) AS low,
    if(n > 0, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)), NULL) AS high
FROM (
    SELECT tenant, queue, channel, m.1 AS definition, m.2 AS part, m.3 AS n, pow(1.959963984540054, 2) AS z2,
        if(n > 0, sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half
    FROM (
        SELECT tenant, queue, channel,
            toInt64(count()) AS offered,
            toInt64(countIf(outcome = 'answered')) AS answered,
            toInt64(countIf(outcome = 'abandoned')) AS abandoned,
            toInt64(countIf(outcome = 'flowed_out')) AS flowed_out,
            toInt64(countIf(outcome = 'answered' AND wait_ms <= {x:Float64} * 1000)) AS fast_answered,
            toInt64(countIf(outcome = 'abandoned' AND wait_ms <= {x:Float64} * 1000)) AS fast_abandoned,
            toInt64(countIf(outcome = 'callback_requested' AND wait_ms <= {x:Float64} * 1000)) AS fast_callbacks,
            toInt64(countIf(outcome = 'abandoned' AND wait_ms <= {s:Float64} * 1000)) AS short_abandoned
        FROM legs_now
        WHERE enqueued_at >= {from:DateTime64(3, 'UTC')} AND enqueued_at < {to:DateTime64(3, 'UTC')}
            -- One that left before its turn was never in the queue.
            AND (left_at IS NULL OR left_at >= enqueued_at)
            AND contradiction = '' AND (direction = 'inbound' OR callback)
        GROUP BY tenant, queue, channel
    )
    ARRAY JOIN [
        ('strict', fast_answered, offered - short_abandoned),
        ('all', fast_answered, offered),
        ('answered', fast_answered, answered),
        ('forgiving', fast_answered, offered - fast_abandoned),
        ('amazon', fast_answered + fast_abandoned + fast_callbacks, offered),
        ('genesys', fast_answered, answered + abandoned + if({flowouts:UInt8} = 1, flowed_out, 0)
            - multiIf({drop_abandoned:UInt8} = 1, abandoned, {drop_short:UInt8} = 1, short_abandoned, 0))
    ] AS m
);
