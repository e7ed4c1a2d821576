-- Uses of an account day by day: a use then replaces the row of its day, not the account's whole history. Which
-- day is a matter of storing only (days of UTC): readers go by `used_ms` and the calendar they are asked for.

CREATE TABLE IF NOT EXISTS usage_days (
    tenant LowCardinality(String),
    account String,
    epoch UInt32,
    src_partition UInt16,
    utc_day Int32,
    used_ms Array(Int64),
    used_by Array(String),
    used_features Array(LowCardinality(String)),
    used_quantities Array(Float64),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone: an account's days lie side by side, as its readers want them.
ORDER BY (tenant, account, utc_day, epoch);

CREATE VIEW IF NOT EXISTS usage_days_now AS
SELECT *
FROM usage_days FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'usage'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'usage');

CREATE OR REPLACE VIEW feature_uses AS
SELECT tenant, account, told.1 AS at_ms, told.2 AS user_ref, told.3 AS feature, told.4 AS quantity
FROM usage_days_now
ARRAY JOIN arrayZip(used_ms, used_by, used_features, used_quantities) AS told;

-- As before, with the uses of all days by instant. An account is there while anything is known of it.
CREATE OR REPLACE VIEW usage_accounts_now AS
SELECT a.tenant AS tenant, a.account AS account, a.epoch AS epoch, a.src_partition AS src_partition,
    turn_ms, turn_users, turn_signed_up,
    u.used.1 AS used_ms, u.used.2 AS used_by, u.used.3 AS used_features, u.used.4 AS used_quantities,
    milestone_ms, milestone_users, milestones, invited_ms, invited_by, invited_kinds,
    linked_ms, linked_users, linked_same_as,
    greatest(a.last_event_at, fromUnixTimestamp64Milli(ifNull(used_ms[-1], 0), 'UTC')) AS last_event_at,
    a.deleted AS deleted, a._ver AS _ver
FROM usage_accounts AS a FINAL
LEFT JOIN (
    SELECT tenant, account,
        arraySort(groupArrayArray(arrayZip(used_ms, used_by, used_features, used_quantities))) AS used
    FROM usage_days_now
    GROUP BY tenant, account
) AS u ON u.tenant = a.tenant AND u.account = a.account
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'usage'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'usage')
    AND notEmpty(arrayConcat(turn_ms, used_ms, milestone_ms, invited_ms, linked_ms));

ALTER TABLE usage_accounts
    DROP COLUMN IF EXISTS used_ms,
    DROP COLUMN IF EXISTS used_by,
    DROP COLUMN IF EXISTS used_features,
    DROP COLUMN IF EXISTS used_quantities;
