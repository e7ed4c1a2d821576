-- Support speed and outcome of tickets: docs/metrics.md, "Tickets".
-- Lists of instants are integers, ms UTC; 0 = none (still so).

CREATE TABLE IF NOT EXISTS tickets (
    tenant LowCardinality(String),
    ticket_id String,
    epoch UInt32,
    src_partition UInt16,
    channel LowCardinality(String),
    author_kind LowCardinality(String),
    group_id LowCardinality(String),
    priority LowCardinality(String),
    custom_work UInt8,
    customer_ref String,
    account String,
    created_at Nullable(DateTime64(3, 'UTC')),
    merged_at Nullable(DateTime64(3, 'UTC')),
    merged_into String,
    group_ms Array(Int64),
    group_names Array(LowCardinality(String)),
    custom_ms Array(Int64),
    custom_flags Array(UInt8),
    start_ms Array(Int64),
    reply_ms Array(Int64),
    first_ms Array(Int64),
    first_since_ms Array(Int64),
    first_groups Array(LowCardinality(String)),
    next_ms Array(Int64),
    next_since_ms Array(Int64),
    next_groups Array(LowCardinality(String)),
    solved_ms Array(Int64),
    reopened_ms Array(Int64),
    solved_groups Array(LowCardinality(String)),
    contradiction LowCardinality(String),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone, as in contacts. The lists are inside the row: a corrected history is replaced whole.
ORDER BY (tenant, ticket_id, epoch);

CREATE VIEW IF NOT EXISTS tickets_now AS
WITH (
    SELECT groupArray((floor, epoch))
    FROM (SELECT floor, epoch FROM epochs FINAL WHERE stream = 'ticket' ORDER BY _ver DESC)
) AS switches
SELECT *
FROM tickets FINAL
WHERE epoch = greatest(arrayFirst(s -> s.1 <= toDate(coalesce(created_at, last_event_at)), switches).2, 1)
    AND (tenant, ticket_id) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'ticket');

-- Tickets whose facts contradict each other: they stand in no number.
CREATE VIEW IF NOT EXISTS tickets_quarantine AS
SELECT * FROM tickets_now WHERE contradiction != '';

-- Cells by the names of the family; a test holds the places against pipeline.metrics.
CREATE VIEW IF NOT EXISTS ticket_cells_now AS
SELECT grain, start, tenant, JSONExtractString(dims, 'group') AS `group`,
    JSONExtractString(dims, 'channel') AS channel,
    v[1] AS created, v[2] AS custom_work, v[3] AS first, v[4] AS first_ms, v[5] AS first_open_ms,
    v[6] AS next, v[7] AS next_ms, v[8] AS solved, v[9] AS reopened, v[10] AS resolved,
    v[11] AS resolved_ms, v[12] AS one_touch
FROM buckets_now
WHERE family = 'tickets';

-- A metric as its parts: seconds = part / n / 1000, ratio = part / n, count = part.
CREATE VIEW IF NOT EXISTS ticket_parts AS
SELECT grain, start, tenant, `group`, channel, m.1 AS metric, m.2 AS unit, m.3 AS part, m.4 AS n
FROM ticket_cells_now
ARRAY JOIN [
    ('frt', 'seconds', first_ms, first),
    ('frt_business', 'seconds', first_open_ms, first),
    ('nrt', 'seconds', next_ms, next),
    ('resolution', 'seconds', resolved_ms, resolved),
    ('resolutions', 'count', resolved, resolved),
    ('solve_events', 'count', solved, solved),
    ('reopen_rate', 'ratio', reopened, solved),
    ('one_touch', 'ratio', one_touch, resolved),
    ('custom_work_share', 'ratio', custom_work, created)
] AS m;

-- A row per series of [from, to), from live buckets; the edges lie on 10 seconds. `low` and `high`: Wilson.
CREATE VIEW IF NOT EXISTS ticket_window AS
SELECT tenant, `group`, channel, metric, unit, part, n,
    multiIf(unit = 'count', toFloat64(part), n = 0, NULL, unit = 'seconds', part / n / 1000, part / n) AS value,
    if(unit = 'ratio' AND n > 0, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)), NULL) AS low,
    if(unit = 'ratio' AND n > 0, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)), NULL) AS high
FROM (
    SELECT tenant, `group`, channel, metric, unit, sum(p.part) AS part, sum(p.n) AS n,
        pow(1.959963984540054, 2) AS z2,
        if(unit = 'ratio' AND n > 0,
            sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half
    FROM ticket_parts AS p
    WHERE grain = 'live'
        AND start >= toDateTime({from:DateTime64(3, 'UTC')}, 'UTC')
        AND start < toDateTime({to:DateTime64(3, 'UTC')}, 'UTC')
        AND (SELECT throwIf(
            toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) % 10000 != 0
                OR toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) % 10000 != 0,
            'from and to must lie on 10-second edges')) = 0
    GROUP BY tenant, `group`, channel, metric, unit
);

-- The same for local days.
CREATE VIEW IF NOT EXISTS ticket_days AS
SELECT tenant, `group`, channel, day, metric, unit, part, n,
    multiIf(unit = 'count', toFloat64(part), n = 0, NULL, unit = 'seconds', part / n / 1000, part / n) AS value,
    if(unit = 'ratio' AND n > 0, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)), NULL) AS low,
    if(unit = 'ratio' AND n > 0, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)), NULL) AS high
FROM (
    SELECT tenant, `group`, channel, toDate(start) AS day, metric, unit, sum(p.part) AS part, sum(p.n) AS n,
        pow(1.959963984540054, 2) AS z2,
        if(unit = 'ratio' AND n > 0,
            sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half
    FROM ticket_parts AS p
    WHERE grain = 'day'
    GROUP BY tenant, `group`, channel, day, metric, unit
);

CREATE VIEW IF NOT EXISTS frt AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n
FROM ticket_days WHERE metric = 'frt';
CREATE VIEW IF NOT EXISTS frt_business AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n
FROM ticket_days WHERE metric = 'frt_business';
CREATE VIEW IF NOT EXISTS nrt AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n
FROM ticket_days WHERE metric = 'nrt';
CREATE VIEW IF NOT EXISTS resolution AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n
FROM ticket_days WHERE metric = 'resolution';
CREATE VIEW IF NOT EXISTS resolutions AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n
FROM ticket_days WHERE metric = 'resolutions';
CREATE VIEW IF NOT EXISTS solve_events AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n
FROM ticket_days WHERE metric = 'solve_events';
CREATE VIEW IF NOT EXISTS reopen_rate AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n, low, high
FROM ticket_days WHERE metric = 'reopen_rate';
CREATE VIEW IF NOT EXISTS one_touch AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n, low, high
FROM ticket_days WHERE metric = 'one_touch';
CREATE VIEW IF NOT EXISTS custom_work_share AS
SELECT tenant, `group`, channel, day, 'default' AS definition, value, n, low, high
FROM ticket_days WHERE metric = 'custom_work_share';

-- As it stood at an instant, what is dated at it included: from the facts, so exact also in the past.
CREATE VIEW IF NOT EXISTS tickets_at AS
SELECT tenant, ticket_id, channel,
    toUnixTimestamp64Milli(assumeNotNull(created_at)) AS created_ms,
    toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS at_ms,
    group_names[arrayCount(ms -> ms <= at_ms, group_ms)] AS `group`,
    arrayCount(ms -> ms <= at_ms, solved_ms) AS entries,
    entries > 0 AND (reopened_ms[entries] = 0 OR reopened_ms[entries] > at_ms) AS is_solved,
    ifNull(merged_at <= {at:DateTime64(3, 'UTC')}, 0) AS is_merged,
    NOT is_solved AND NOT is_merged AS is_open,
    start_ms[arrayCount(ms -> ms <= at_ms, start_ms)] AS since_ms,
    is_open AND NOT arrayExists(
        (ms, since) -> ms <= at_ms AND since = since_ms, first_ms, first_since_ms) AS is_unanswered
FROM tickets_now
WHERE contradiction = '' AND created_at <= {at:DateTime64(3, 'UTC')};

CREATE VIEW IF NOT EXISTS backlog AS
SELECT tenant, `group`, channel,
    multiIf(age_ms < 3600000, '0-1h', age_ms < 14400000, '1-4h', age_ms < 28800000, '4-8h',
        age_ms < 86400000, '8-24h', '24h+') AS age,
    'default' AS definition, toFloat64(count()) AS value
FROM (
    SELECT tenant, `group`, channel, at_ms - created_ms AS age_ms
    FROM tickets_at(at = {at:DateTime64(3, 'UTC')})
    WHERE is_open
)
GROUP BY tenant, `group`, channel, age;

-- `target` in seconds. `oldest`: how long the oldest of them has waited.
CREATE VIEW IF NOT EXISTS frt_overdue AS
SELECT tenant, `group`, channel, 'default' AS definition, toFloat64(count()) AS value,
    max(at_ms - since_ms) / 1000 AS oldest
FROM tickets_at(at = {at:DateTime64(3, 'UTC')})
WHERE is_unanswered AND at_ms - since_ms > {target:Float64} * 1000
GROUP BY tenant, `group`, channel;
