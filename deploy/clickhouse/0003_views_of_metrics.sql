-- Support speed, as docs/metrics.md defines it. Formulas stand in support_parts and nowhere else in SQL;
-- the views named after metrics and support_window divide. Roll up by summing parts, never values:
--   SELECT sum(part) / sum(n) / 1000 FROM support_parts WHERE grain = 'day' AND metric = 'asa_queue' …

-- Calls by the instant they left a queue. A test holds the places against pipeline.metrics.buckets.
CREATE VIEW IF NOT EXISTS leave_now AS
SELECT grain, start, tenant,
    JSONExtractString(dims, 'queue') AS queue, JSONExtractString(dims, 'channel') AS channel,
    v[1] AS answered, v[2] AS answered_wait_ms, v[3] AS answered_ahead_ms, v[4] AS unqueued,
    v[5] AS abandoned, v[6] AS abandoned_wait_ms, v[7] AS callbacks_requested, v[8] AS transferred_out,
    v[9] AS flowed_out, v[10] AS bot_answered, v[11] AS other_wait_ms
FROM buckets_now
WHERE family = 'leave';

-- Calls by the instant they entered a queue, with what became of them. `short_abandoned`: abandoned
-- within 5 seconds, the second of the histograms behind 11 counters; NULL when nobody declared the
-- bounds of this format.
CREATE VIEW IF NOT EXISTS cohort_now AS
WITH (SELECT groupArray((v_format, bounds_ms)) FROM definitions FINAL) AS formats
SELECT grain, start, tenant,
    JSONExtractString(dims, 'queue') AS queue, JSONExtractString(dims, 'channel') AS channel,
    v[1] AS offered, v[2] AS answered, v[3] AS answered_wait_ms, v[4] AS answered_ahead_ms,
    v[5] AS abandoned, v[6] AS abandoned_wait_ms, v[7] AS callbacks_requested, v[8] AS transferred_out,
    v[9] AS flowed_out, v[10] AS bot_answered, v[11] AS other_wait_ms,
    arrayFirst(f -> f.1 = buckets_now.v_format, formats).2 AS bounds_ms,
    if(has(bounds_ms, 5000),
        arraySum(arraySlice(v, 12 + 1 * (length(bounds_ms) + 1), indexOf(bounds_ms, 5000))), NULL) AS short_abandoned
FROM buckets_now
WHERE family = 'cohort';

-- Every metric of a bucket as its parts: value = part / n (ratio), part / n / 1000 (seconds), part (count).
CREATE VIEW IF NOT EXISTS support_parts AS
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
    ('abandon_rate', 'default', 'ratio', abandoned - short_abandoned, offered)
] AS m;

-- A row per series of [from, to), from live buckets; the edges lie on 10 seconds.
CREATE VIEW IF NOT EXISTS support_window AS
SELECT tenant, queue, channel, metric, definition, counted_by, unit, part, n,
    multiIf(unit = 'count', toFloat64(part), n = 0, NULL, unit = 'seconds', part / n / 1000, part / n) AS value,
    if(unit = 'ratio' AND n > 0, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)), NULL) AS low,
    if(unit = 'ratio' AND n > 0, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)), NULL) AS high
FROM (
    SELECT tenant, queue, channel, metric, definition, counted_by, unit, sumOrNull(p.part) AS part,
        sum(p.n) AS n, pow(1.959963984540054, 2) AS z2,
        if(unit = 'ratio' AND n > 0,
            sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half
    FROM support_parts AS p
    WHERE grain = 'live'
        AND start >= toDateTime({from:DateTime64(3, 'UTC')}, 'UTC')
        AND start < toDateTime({to:DateTime64(3, 'UTC')}, 'UTC')
        -- In a subquery, or it would only be asked where there are rows.
        AND (SELECT throwIf(
            toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) % 10000 != 0
                OR toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) % 10000 != 0,
            'from and to must lie on 10-second edges')) = 0
    GROUP BY tenant, queue, channel, metric, definition, counted_by, unit
);

-- The same for local days: one row per tenant, queue, channel, day and definition.
CREATE VIEW IF NOT EXISTS support_days AS
SELECT tenant, queue, channel, day, metric, definition, counted_by, unit, part, n,
    multiIf(unit = 'count', toFloat64(part), n = 0, NULL, unit = 'seconds', part / n / 1000, part / n) AS value,
    if(unit = 'ratio' AND n > 0, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)), NULL) AS low,
    if(unit = 'ratio' AND n > 0, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)), NULL) AS high
FROM (
    SELECT tenant, queue, channel, toDate(start) AS day, metric, definition, counted_by, unit,
        sumOrNull(p.part) AS part, sum(p.n) AS n, pow(1.959963984540054, 2) AS z2,
        if(unit = 'ratio' AND n > 0,
            sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half
    FROM support_parts AS p
    WHERE grain = 'day'
    GROUP BY tenant, queue, channel, day, metric, definition, counted_by, unit
);

CREATE VIEW IF NOT EXISTS asa_queue AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'asa_queue';
CREATE VIEW IF NOT EXISTS wait_all AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'wait_all';
CREATE VIEW IF NOT EXISTS wait_abandoned AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'wait_abandoned';
CREATE VIEW IF NOT EXISTS offered AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'offered';
CREATE VIEW IF NOT EXISTS answered AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'answered';
CREATE VIEW IF NOT EXISTS abandoned AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'abandoned';
CREATE VIEW IF NOT EXISTS abandon_rate AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n, low, high
FROM support_days WHERE metric = 'abandon_rate';
CREATE VIEW IF NOT EXISTS callbacks_requested AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n
FROM support_days WHERE metric = 'callbacks_requested';
CREATE VIEW IF NOT EXISTS transferred_out AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'transferred_out';
CREATE VIEW IF NOT EXISTS flowed_out AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'flowed_out';
CREATE VIEW IF NOT EXISTS bot_answered AS
SELECT tenant, queue, channel, day, definition, counted_by, value, n FROM support_days WHERE metric = 'bot_answered';

-- The queues at an instant, from the facts dated at or before it. A leg exists from its `queued` event's
-- time, is in the queue from `enqueued_at` on (before: scheduled), and is out at its first leave or end.
-- Facts dated later do not exist yet, so what they contradict does not matter here: a leg without a leave
-- contradicts nothing, but after seven days it is `stale`.
CREATE VIEW IF NOT EXISTS waiting_at AS
WITH
    {at:DateTime64(3, 'UTC')} AS instant,
    (SELECT if(count() = 0, 14400000, argMax(stuck_after_ms, declared_at)) FROM definitions FINAL) AS stuck_after_ms
SELECT tenant, queue, channel,
    countIf(is_waiting AND NOT is_stuck) AS in_queue,
    maxOrNullIf(age_ms, is_waiting AND NOT is_stuck) / 1000 AS oldest_waiting,
    countIf(NOT is_waiting) AS scheduled,
    countIf(is_waiting AND is_stuck) AS stuck
FROM (
    SELECT tenant, queue, channel, assumeNotNull(enqueued_at) AS entered_at,
        toUnixTimestamp64Milli(instant) - toUnixTimestamp64Milli(entered_at) AS age_ms,
        age_ms >= 0 AS is_waiting, age_ms > stuck_after_ms AS is_stuck
    FROM legs_now
    WHERE enqueued_at IS NOT NULL AND queued_at <= instant AND (direction = 'inbound' OR callback)
        AND (left_at IS NULL OR left_at > instant) AND (ended_at IS NULL OR ended_at > instant)
        AND (contradiction != 'stale' OR instant < greatest(queued_at, enqueued_at) + INTERVAL 7 DAY)
)
GROUP BY tenant, queue, channel;
