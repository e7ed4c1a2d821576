-- Voice, stages of accounts, staff: docs/metrics.md, "Voice" and "Customers and people".
-- Lists of instants are integers, ms UTC; 0 = none (still there).

CREATE TABLE IF NOT EXISTS surveys (
    tenant LowCardinality(String),
    survey_id String,
    epoch UInt32,
    src_partition UInt16,
    question LowCardinality(String),
    sent_question LowCardinality(String),
    queue LowCardinality(String),
    agent_id String,
    contact_id String,
    ticket_id String,
    respondent_ref String,
    account String,
    sent_at Nullable(DateTime64(3, 'UTC')),
    answered_at Nullable(DateTime64(3, 'UTC')),
    score Nullable(Float64),
    scale_min Nullable(Float64),
    scale_max Nullable(Float64),
    commented UInt8,
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone, as in contacts: times are facts that still move, epochs stand side by side.
ORDER BY (tenant, survey_id, epoch);

CREATE TABLE IF NOT EXISTS accounts (
    tenant LowCardinality(String),
    account String,
    epoch UInt32,
    src_partition UInt16,
    stage LowCardinality(String),
    owner String,
    segment LowCardinality(String),
    plan LowCardinality(String),
    region LowCardinality(String),
    merged_into String,
    created_at Nullable(DateTime64(3, 'UTC')),
    merged_at Nullable(DateTime64(3, 'UTC')),
    stay_stages Array(LowCardinality(String)),
    stay_entered_ms Array(Int64),
    stay_left_ms Array(Int64),
    problems Array(String),
    preferences Array(String),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone. The stays are lists inside the row: a corrected history is replaced whole.
ORDER BY (tenant, account, epoch);

CREATE TABLE IF NOT EXISTS agents (
    tenant LowCardinality(String),
    agent_id String,
    epoch UInt32,
    src_partition UInt16,
    department LowCardinality(String),
    post_departments Array(LowCardinality(String)),
    post_since_ms Array(Int64),
    post_left_ms Array(Int64),
    moved_ms Array(Int64),
    departed_ms Array(Int64),
    departed_voluntarily Array(Int8),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone; lists inside the row, as in accounts. Voluntarily: 1 yes, 0 no, -1 not said.
ORDER BY (tenant, agent_id, epoch);

CREATE VIEW IF NOT EXISTS surveys_now AS
WITH (
    SELECT groupArray((floor, epoch))
    FROM (SELECT floor, epoch FROM epochs FINAL WHERE stream = 'survey' ORDER BY _ver DESC)
) AS switches
SELECT *
FROM surveys FINAL
WHERE epoch = greatest(
        arrayFirst(s -> s.1 <= toDate(coalesce(sent_at, answered_at, last_event_at)), switches).2, 1)
    AND (tenant, survey_id) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'survey');

-- Accounts and agents have one history, not one per date: the newest epoch holds.
CREATE VIEW IF NOT EXISTS accounts_now AS
SELECT *
FROM accounts FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'account'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'account');

CREATE VIEW IF NOT EXISTS agents_now AS
SELECT *
FROM agents FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'agent'), 1)
    AND (tenant, agent_id) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'agent');

-- Voice. Cells by the names of their families; a test holds the places against pipeline.metrics.
CREATE VIEW IF NOT EXISTS survey_answers_now AS
SELECT grain, start, tenant, JSONExtractString(dims, 'queue') AS queue,
    v[1] AS csat_answers, v[2] AS csat_satisfied, v[3] AS csat_commented,
    v[4] AS promoters, v[5] AS passives, v[6] AS detractors
FROM buckets_now
WHERE family = 'survey_answers';

CREATE VIEW IF NOT EXISTS survey_sent_now AS
SELECT grain, start, tenant, JSONExtractString(dims, 'queue') AS queue,
    v[1] AS csat_sent, v[2] AS csat_answered
FROM buckets_now
WHERE family = 'survey_sent';

-- A metric as its parts: value = part / n (ratio), part (count), 100 * (part - less) / n (points).
CREATE VIEW IF NOT EXISTS voice_parts AS
SELECT grain, start, tenant, queue, m.1 AS metric, m.2 AS unit, m.3 AS part, m.4 AS less, m.5 AS n
FROM survey_answers_now
ARRAY JOIN [
    ('csat', 'ratio', csat_satisfied, 0, csat_answers),
    ('csat_commented', 'ratio', csat_commented, 0, csat_answers),
    ('nps', 'points', promoters, detractors, promoters + passives + detractors),
    ('promoters', 'count', promoters, 0, promoters),
    ('passives', 'count', passives, 0, passives),
    ('detractors', 'count', detractors, 0, detractors)
] AS m
UNION ALL
SELECT grain, start, tenant, queue, 'csat_response_rate' AS metric, 'ratio' AS unit,
    csat_answered AS part, toInt64(0) AS less, csat_sent AS n
FROM survey_sent_now;

-- A row per series of [from, to), exact from the surveys themselves; the edges lie on 10 seconds. `low` and
-- `high`: Wilson for a ratio, 1.96 standard errors for points.
CREATE VIEW IF NOT EXISTS voice_window AS
WITH
    {from:DateTime64(3, 'UTC')} AS opening,
    {to:DateTime64(3, 'UTC')} AS closing
SELECT tenant, queue, metric, unit, part, less, n,
    multiIf(unit = 'count', toFloat64(part), n = 0, NULL, unit = 'points', 100 * (part - less) / n, part / n) AS value,
    multiIf(n = 0 OR unit = 'count', NULL, unit = 'points', value - spread,
        greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n))) AS low,
    multiIf(n = 0 OR unit = 'count', NULL, unit = 'points', value + spread,
        least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n))) AS high
FROM (
    SELECT tenant, queue, m.1 AS metric, m.2 AS unit, toInt64(sum(m.3)) AS part, toInt64(sum(m.4)) AS less,
        toInt64(sum(m.5)) AS n, pow(1.959963984540054, 2) AS z2,
        if(unit = 'ratio' AND n > 0,
            sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half,
        if(unit = 'points' AND n > 0,
            196 * sqrt(greatest(0, (part + less) / n - pow((part - less) / n, 2)) / n), NULL) AS spread
    FROM (
        SELECT tenant, queue, question, sent_question, commented, answered_at IS NOT NULL AS is_answered,
            ifNull(answered_at >= opening AND answered_at < closing, 0) AS is_in,
            ifNull(sent_at >= opening AND sent_at < closing, 0) AND sent_question = 'csat' AS is_sent,
            is_in AND question = 'csat' AS is_csat,
            is_in AND question = 'nps' AND ifNull(scale_min = 0 AND scale_max = 10, 0) AS is_nps,
            ifNull(4 * score >= 3 * scale_max + scale_min, 0) AS is_satisfied,
            ifNull(score >= 9, 0) AS is_promoter, ifNull(score <= 6, 0) AS is_detractor
        FROM surveys_now
        WHERE is_in OR is_sent
    )
    ARRAY JOIN [
        ('csat', 'ratio', is_csat AND is_satisfied, 0, is_csat),
        ('csat_commented', 'ratio', is_csat AND commented, 0, is_csat),
        ('csat_response_rate', 'ratio', is_sent AND is_answered, 0, is_sent),
        ('nps', 'points', is_nps AND is_promoter, is_nps AND is_detractor, is_nps),
        ('promoters', 'count', is_nps AND is_promoter, 0, is_nps AND is_promoter),
        ('passives', 'count', is_nps AND NOT is_promoter AND NOT is_detractor, 0,
            is_nps AND NOT is_promoter AND NOT is_detractor),
        ('detractors', 'count', is_nps AND is_detractor, 0, is_nps AND is_detractor)
    ] AS m
    WHERE (SELECT throwIf(
            toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) % 10000 != 0
                OR toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) % 10000 != 0,
            'from and to must lie on 10-second edges')) = 0
    GROUP BY tenant, queue, metric, unit
);

-- The same by local days, from their buckets.
CREATE VIEW IF NOT EXISTS voice_days AS
SELECT tenant, queue, day, metric, unit, part, less, n,
    multiIf(unit = 'count', toFloat64(part), n = 0, NULL, unit = 'points', 100 * (part - less) / n, part / n) AS value,
    multiIf(n = 0 OR unit = 'count', NULL, unit = 'points', value - spread,
        greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n))) AS low,
    multiIf(n = 0 OR unit = 'count', NULL, unit = 'points', value + spread,
        least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n))) AS high
FROM (
    SELECT tenant, queue, toDate(start) AS day, metric, unit,
        sum(p.part) AS part, sum(p.less) AS less, sum(p.n) AS n,
        pow(1.959963984540054, 2) AS z2,
        if(unit = 'ratio' AND n > 0,
            sqrt(z2 * (part / n) * (1 - part / n) / n + z2 * z2 / (4 * n * n)), NULL) AS half,
        if(unit = 'points' AND n > 0,
            196 * sqrt(greatest(0, (part + less) / n - pow((part - less) / n, 2)) / n), NULL) AS spread
    FROM voice_parts AS p
    WHERE grain = 'day'
    GROUP BY tenant, queue, day, metric, unit
);

CREATE VIEW IF NOT EXISTS csat AS
SELECT tenant, queue, day, 'default' AS definition, value, n, low, high FROM voice_days WHERE metric = 'csat';
CREATE VIEW IF NOT EXISTS csat_commented AS
SELECT tenant, queue, day, 'default' AS definition, value, n, low, high
FROM voice_days WHERE metric = 'csat_commented';
CREATE VIEW IF NOT EXISTS csat_response_rate AS
SELECT tenant, queue, day, 'default' AS definition, value, n, low, high
FROM voice_days WHERE metric = 'csat_response_rate';
CREATE VIEW IF NOT EXISTS nps AS
SELECT tenant, queue, day, 'default' AS definition, value, n, low, high FROM voice_days WHERE metric = 'nps';
CREATE VIEW IF NOT EXISTS promoters AS
SELECT tenant, queue, day, 'default' AS definition, value, n FROM voice_days WHERE metric = 'promoters';
CREATE VIEW IF NOT EXISTS passives AS
SELECT tenant, queue, day, 'default' AS definition, value, n FROM voice_days WHERE metric = 'passives';
CREATE VIEW IF NOT EXISTS detractors AS
SELECT tenant, queue, day, 'default' AS definition, value, n FROM voice_days WHERE metric = 'detractors';

-- Stages. Each row holds from its day's end until the next row of the series.
CREATE VIEW IF NOT EXISTS accounts_in_stage AS
SELECT tenant, JSONExtractString(dims, 'stage') AS stage, toDate(start) AS day, 'default' AS definition,
    toFloat64(sum(v[1]) OVER (PARTITION BY tenant, stage ORDER BY day)) AS value
FROM buckets_now
WHERE family = 'stage_steps';

-- Who is in a stage at an instant, what is dated at it included.
CREATE VIEW IF NOT EXISTS accounts_in_stage_at AS
SELECT tenant, stay.1 AS stage, count() AS value
FROM accounts_now
ARRAY JOIN arrayZip(stay_stages, stay_entered_ms, stay_left_ms) AS stay
WHERE stay.2 <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
    AND (stay.3 = 0 OR stay.3 > toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}))
GROUP BY tenant, stage;

CREATE VIEW IF NOT EXISTS stage_moves AS
SELECT tenant, JSONExtractString(dims, 'from') AS from_stage, JSONExtractString(dims, 'to') AS to_stage,
    toDate(start) AS day, 'default' AS definition, toFloat64(v[1]) AS value
FROM buckets_now
WHERE family = 'stage_moves';

-- Roll up by sum(stay_ms) / sum(n) / 1000, never by the values.
CREATE VIEW IF NOT EXISTS time_in_stage AS
SELECT tenant, JSONExtractString(dims, 'stage') AS stage, toDate(start) AS day, 'default' AS definition,
    v[2] AS stay_ms, v[1] AS n, if(n = 0, NULL, stay_ms / n / 1000) AS value
FROM buckets_now
WHERE family = 'stage_stays';

-- Staff. `headcount` holds from its day's end until the next row of the series.
CREATE VIEW IF NOT EXISTS headcount AS
SELECT tenant, JSONExtractString(dims, 'department') AS department, toDate(start) AS day,
    'default' AS definition, toFloat64(sum(v[1]) OVER (PARTITION BY tenant, department ORDER BY day)) AS value
FROM buckets_now
WHERE family = 'headcount';

-- Every day from the first change to the last (of windows that end then, so up to some weeks ahead): who
-- moved or left in the window that ends with it, and who was there at its edges.
CREATE VIEW IF NOT EXISTS staff_days AS
SELECT tenant, window, day, moved, departed, headcount_at_start, headcount_at_end
FROM (
    SELECT s.tenant AS tenant, s.window AS window,
        arrayJoin(arrayMap(place -> s.first_day + place, range(toUInt32(s.last_day - s.first_day + 1)))) AS day,
        multiIf(window = 'today', day, window = 'month', toStartOfMonth(day),
            day - (toUInt16OrZero(trim(TRAILING 'd' FROM window)) - 1)) AS first_day,
        arraySum(step -> if(step.1 <= day, step.2, 0), s.steps) AS moved,
        arraySum(step -> if(step.1 <= day, step.3, 0), s.steps) AS departed,
        arraySum(step -> if(step.1 < first_day, step.2, 0), h.steps) AS headcount_at_start,
        arraySum(step -> if(step.1 <= day, step.2, 0), h.steps) AS headcount_at_end
    FROM (
        SELECT tenant, JSONExtractString(dims, 'window') AS window,
            groupArray((toDate(start), v[1], v[2])) AS steps,
            min(toDate(start)) AS first_day, max(toDate(start)) AS last_day
        FROM buckets_now
        WHERE family = 'staff_steps'
        GROUP BY tenant, window
    ) AS s
    LEFT JOIN (
        SELECT tenant, groupArray((toDate(start), v[1])) AS steps
        FROM buckets_now
        WHERE family = 'headcount'
        GROUP BY tenant
    ) AS h ON s.tenant = h.tenant
);

CREATE VIEW IF NOT EXISTS internal_mobility AS
SELECT tenant, window, day, 'default' AS definition, moved, departed, moved + departed AS n,
    if(n = 0, NULL, moved / n) AS value
FROM staff_days;

CREATE VIEW IF NOT EXISTS attrition AS
SELECT tenant, window, day, 'default' AS definition, departed, headcount_at_start, headcount_at_end,
    intDiv(headcount_at_start + headcount_at_end + 1, 2) AS n,
    if(headcount_at_start + headcount_at_end = 0, NULL, 2 * departed / (headcount_at_start + headcount_at_end)) AS value
FROM staff_days;

-- Exact for any [from, to), which lie on the tenant's local midnights: an agent counts once.
CREATE VIEW IF NOT EXISTS staff_window AS
WITH
    toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')}) AS start_ms,
    toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')}) AS end_ms
SELECT tenant,
    countIf(arrayExists(at -> at >= start_ms AND at < end_ms, moved_ms)) AS moved,
    countIf(arrayExists(at -> at >= start_ms AND at < end_ms, departed_ms)) AS departed,
    countIf(arrayExists((since, gone) -> since < start_ms AND (gone = 0 OR gone >= start_ms),
        post_since_ms, post_left_ms)) AS headcount_at_start,
    countIf(arrayExists((since, gone) -> since < end_ms AND (gone = 0 OR gone >= end_ms),
        post_since_ms, post_left_ms)) AS headcount_at_end,
    if(moved + departed = 0, NULL, moved / (moved + departed)) AS internal_mobility,
    if(headcount_at_start + headcount_at_end = 0, NULL,
        2 * departed / (headcount_at_start + headcount_at_end)) AS attrition
FROM agents_now
GROUP BY tenant;
