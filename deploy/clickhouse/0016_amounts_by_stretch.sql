-- What an account paid, was invoiced and failed to pay, by stretches of 30 days: a payment then replaces the row of
-- its stretch, not the account's whole history. Which stretch is a matter of storing only: readers go by the instants.

CREATE TABLE IF NOT EXISTS subscription_amounts (
    tenant LowCardinality(String),
    account String,
    epoch UInt32,
    src_partition UInt16,
    stretch Int32,
    paid_ms Array(Int64),
    paid_minor Array(Int64),
    paid_currencies Array(LowCardinality(String)),
    invoiced_ms Array(Int64),
    invoiced_minor Array(Int64),
    invoiced_currencies Array(LowCardinality(String)),
    invoiced_scopes Array(LowCardinality(String)),
    failed_ms Array(Int64),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone: an account's stretches lie side by side, as its readers want them.
ORDER BY (tenant, account, stretch, epoch);

CREATE VIEW IF NOT EXISTS subscription_amounts_now AS
SELECT *
FROM subscription_amounts FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'subscription'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'subscription');

-- As before, with the amounts of all stretches by instant. An account is there while anything is known of it.
CREATE OR REPLACE VIEW subscriptions_now AS
SELECT s.tenant AS tenant, s.account AS account, s.epoch AS epoch, s.src_partition AS src_partition,
    s.recognition AS recognition,
    step_subscriptions, step_from_ms, step_until_ms, step_mrr_minor, step_currencies, step_seats, step_plans,
    a.paid.1 AS paid_ms, a.paid.2 AS paid_minor, a.paid.3 AS paid_currencies,
    a.invoiced.1 AS invoiced_ms, a.invoiced.2 AS invoiced_minor, a.invoiced.3 AS invoiced_currencies,
    a.invoiced.4 AS invoiced_scopes, a.failed AS failed_ms,
    greatest(s.last_event_at, a.last_at) AS last_event_at, s.deleted AS deleted, s._ver AS _ver
FROM subscriptions AS s FINAL
LEFT JOIN (
    SELECT tenant, account,
        arraySort(groupArrayArray(arrayZip(paid_ms, paid_minor, paid_currencies))) AS paid,
        arraySort(groupArrayArray(
            arrayZip(invoiced_ms, invoiced_minor, invoiced_currencies, invoiced_scopes))) AS invoiced,
        arraySort(groupArrayArray(m.failed_ms)) AS failed, max(m.last_event_at) AS last_at
    FROM subscription_amounts_now AS m
    GROUP BY tenant, account
) AS a ON a.tenant = s.tenant AND a.account = s.account
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'subscription'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'subscription')
    AND notEmpty(arrayConcat(step_from_ms, paid_ms, invoiced_ms, failed_ms));

ALTER TABLE subscriptions
    DROP COLUMN IF EXISTS paid_ms,
    DROP COLUMN IF EXISTS paid_minor,
    DROP COLUMN IF EXISTS paid_currencies,
    DROP COLUMN IF EXISTS invoiced_ms,
    DROP COLUMN IF EXISTS invoiced_minor,
    DROP COLUMN IF EXISTS invoiced_currencies,
    DROP COLUMN IF EXISTS invoiced_scopes,
    DROP COLUMN IF EXISTS failed_ms;
