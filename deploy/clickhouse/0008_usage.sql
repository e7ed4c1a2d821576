-- Adoption and time to value: docs/metrics.md.

CREATE TABLE IF NOT EXISTS usage_accounts (
    tenant LowCardinality(String),
    account String,
    epoch UInt32,
    src_partition UInt16,
    turn_ms Array(Int64),
    turn_users Array(String),
    turn_signed_up Array(UInt8),
    used_ms Array(Int64),
    used_by Array(String),
    used_features Array(LowCardinality(String)),
    used_quantities Array(Float64),
    milestone_ms Array(Int64),
    milestone_users Array(String),
    milestones Array(LowCardinality(String)),
    invited_ms Array(Int64),
    invited_by Array(String),
    invited_kinds Array(LowCardinality(String)),
    linked_ms Array(Int64),
    linked_users Array(String),
    linked_same_as Array(String),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone; facts are lists inside the row: a void of a single use replaces the account whole.
ORDER BY (tenant, account, epoch);

-- Accounts have one history, not one per date: the newest epoch holds. Turns are sign-ups and leavings by
-- (time, id); '' where an event names no user.
CREATE VIEW IF NOT EXISTS usage_accounts_now AS
SELECT *
FROM usage_accounts FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'usage'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'usage');

-- Single uses, exact under duplicates and voids.
CREATE VIEW IF NOT EXISTS feature_uses AS
SELECT tenant, account, told.1 AS at_ms, told.2 AS user_ref, told.3 AS feature, told.4 AS quantity
FROM usage_accounts_now
ARRAY JOIN arrayZip(used_ms, used_by, used_features, used_quantities) AS told;

-- Uses of [from, to) by feature; n uses.
CREATE VIEW IF NOT EXISTS usage_quantity AS
SELECT tenant, feature, 'default' AS definition, sum(u.quantity) AS value, count() AS n
FROM feature_uses AS u
WHERE at_ms >= toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')})
    AND at_ms < toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')})
GROUP BY tenant, feature;

-- What an account has done at an instant, what is dated at it included. Days are counted back from the
-- local day of the instant in zone `tz`; core [] = all features.
CREATE VIEW IF NOT EXISTS account_adoption_at AS
SELECT tenant, account,
    arrayLast(turn -> turn.1 <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
        AND (turn.3 = 1 OR turn.2 = ''), arrayZip(turn_ms, turn_users, turn_signed_up)).3 = 1 AS is_eligible,
    arrayFilter(u -> u.1 <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
        AND u.3 > toDate({at:DateTime64(3, 'UTC')}, {tz:String}) - {w:Int32}
        AND (empty({core:Array(String)}) OR has({core:Array(String)}, u.2)),
        arrayMap((t, feature) -> (t, feature, toDate(fromUnixTimestamp64Milli(t, {tz:String}))),
            used_ms, used_features)) AS used,
    length(arrayDistinct(arrayMap(u -> u.2, used))) >= {k:Int32}
        AND length(arrayDistinct(arrayMap(u -> u.3, used))) >= {d:Int32} AS has_adopted
FROM usage_accounts_now;

CREATE VIEW IF NOT EXISTS adoption_at AS
SELECT tenant, countIf(has_adopted) AS adopted, count() AS n, adopted / n AS value
FROM account_adoption_at(at = {at:DateTime64(3, 'UTC')}, tz = {tz:String}, core = {core:Array(String)},
    k = {k:Int32}, d = {d:Int32}, w = {w:Int32})
WHERE is_eligible
GROUP BY tenant;

-- From an account's first sign-up to its first milestone at or after it; 0 = not there.
CREATE VIEW IF NOT EXISTS account_journeys AS
SELECT tenant, account, arrayMin(arrayFilter((t, up) -> up = 1, turn_ms, turn_signed_up)) AS signed_up_ms,
    arrayFirst(t -> t >= signed_up_ms, milestone_ms) AS value_ms
FROM usage_accounts_now
WHERE has(turn_signed_up, 1);

-- Of the accounts that signed up from `first` on, as of `at`: nearest rank, in seconds. n got there.
CREATE VIEW IF NOT EXISTS time_to_value_at AS
SELECT tenant, count() AS cohort, countIf(is_there) AS n,
    arraySort(groupArrayIf((value_ms - signed_up_ms) / 1000, is_there)) AS spans,
    if(n = 0, NULL, spans[toUInt32(intDivOrZero(50 * n + 99, 100))]) AS p50,
    if(n = 0, NULL, spans[toUInt32(intDivOrZero(75 * n + 99, 100))]) AS p75,
    if(n = 0, NULL, spans[toUInt32(intDivOrZero(90 * n + 99, 100))]) AS p90,
    if(n = 0, NULL, arrayAvg(spans)) AS mean,
    (cohort - n) / cohort AS censored
FROM (
    SELECT *, value_ms > 0 AND value_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS is_there
    FROM account_journeys
    WHERE signed_up_ms >= toUnixTimestamp64Milli({first:DateTime64(3, 'UTC')})
        AND signed_up_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
)
GROUP BY tenant;

-- The step family by day: each row holds from its day's end until the next one, for the unit declared. A
-- test holds the places against pipeline.metrics.
CREATE VIEW IF NOT EXISTS adoption_days AS
SELECT tenant, day,
    sum(x[1]) OVER w AS eligible, sum(x[2]) OVER w AS adopted,
    sum(x[3]) OVER w AS active_1d, sum(x[4]) OVER w AS active_7d, sum(x[5]) OVER w AS active_28d,
    sum(x[6]) OVER w AS active_days, sum(x[7]) OVER w AS cohort, sum(x[8]) OVER w AS reached,
    sum(x[9]) OVER w AS reached_ms, sum(x[10]) OVER w AS judged, sum(x[11]) OVER w AS activated
FROM (
    SELECT tenant, toDate(start) AS day, sumForEach(v) AS x
    FROM buckets_now
    WHERE family = 'adoption'
    GROUP BY tenant, day
)
WINDOW w AS (PARTITION BY tenant ORDER BY day);

CREATE VIEW IF NOT EXISTS adoption AS
SELECT tenant, day, 'default' AS definition, adopted, eligible AS n, if(n = 0, NULL, adopted / n) AS value,
    pow(1.959963984540054, 2) AS z2,
    if(n = 0, NULL, sqrt(greatest(0, z2 * value * (1 - value) / n + z2 * z2 / (4 * n * n)))) AS half,
    if(n = 0, NULL, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n))) AS low,
    if(n = 0, NULL, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n))) AS high
FROM adoption_days;
CREATE VIEW IF NOT EXISTS active_1d AS
SELECT tenant, day, 'default' AS definition, active_1d AS value FROM adoption_days;
CREATE VIEW IF NOT EXISTS active_7d AS
SELECT tenant, day, 'default' AS definition, active_7d AS value FROM adoption_days;
CREATE VIEW IF NOT EXISTS active_28d AS
SELECT tenant, day, 'default' AS definition, active_28d AS value FROM adoption_days;
CREATE VIEW IF NOT EXISTS stickiness AS
SELECT tenant, day, 'default' AS definition, if(n = 0, NULL, active_days / 28 / n) AS value, active_28d AS n
FROM adoption_days;
CREATE VIEW IF NOT EXISTS time_to_value_mean AS
SELECT tenant, day, 'default' AS definition, if(n = 0, NULL, reached_ms / n / 1000) AS value, reached AS n
FROM adoption_days;
CREATE VIEW IF NOT EXISTS time_to_value_censored AS
SELECT tenant, day, 'default' AS definition, if(n = 0, NULL, (n - reached) / n) AS value, cohort AS n
FROM adoption_days;
CREATE VIEW IF NOT EXISTS activation AS
SELECT tenant, day, 'default' AS definition, if(n = 0, NULL, activated / n) AS value, judged AS n
FROM adoption_days;

CREATE VIEW IF NOT EXISTS invites AS
SELECT tenant, toDate(start) AS day, 'default' AS definition, v[1] AS value
FROM buckets_now WHERE family = 'invitations' AND JSONExtractString(dims, 'kind') = 'user';
CREATE VIEW IF NOT EXISTS referrals AS
SELECT tenant, toDate(start) AS day, 'default' AS definition, v[1] AS value
FROM buckets_now WHERE family = 'invitations' AND JSONExtractString(dims, 'kind') = 'referral';
