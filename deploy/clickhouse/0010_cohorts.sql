-- Cohorts of sign-up with what became of them, and adoption and activity of any unit at any instant: from facts, by
-- each tenant's own days, linked users joined into one person: docs/metrics/adoption.md, docs/metrics/lifecycle.md.

-- Views of accounts alone, in a zone the reader had to name, give way to views of any unit.
DROP VIEW IF EXISTS time_to_value_at;
DROP VIEW IF EXISTS account_journeys;
DROP VIEW IF EXISTS adoption_at;
DROP VIEW IF EXISTS account_adoption_at;

-- What a unit has done at an instant, what is dated at it included; core [] = all features.
CREATE VIEW IF NOT EXISTS unit_adoption_at AS
SELECT tenant, account, person, notEmpty(turns) AND turns[-1].3 = 1 AS is_eligible,
    arrayFilter(use -> use.3 > today - {w:Int32} AND (empty({core:Array(String)}) OR has({core:Array(String)}, use.2)),
        uses) AS used,
    length(arrayDistinct(arrayMap(use -> use.2, used))) >= {k:Int32}
        AND length(arrayDistinct(arrayMap(use -> use.3, used))) >= {d:Int32} AS has_adopted
FROM usage_units_at(unit = {unit:String}, at = {at:DateTime64(3, 'UTC')});

CREATE VIEW IF NOT EXISTS adoption_at AS
SELECT tenant, countIf(has_adopted) AS adopted, count() AS n, adopted / n AS value,
    pow(1.959963984540054, 2) AS z2, sqrt(greatest(0, z2 * value * (1 - value) / n + z2 * z2 / (4 * n * n))) AS half,
    greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)) AS low,
    least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)) AS high
FROM unit_adoption_at(unit = {unit:String}, core = {core:Array(String)}, k = {k:Int32}, d = {d:Int32}, w = {w:Int32},
    at = {at:DateTime64(3, 'UTC')})
WHERE is_eligible
GROUP BY tenant;

-- Units that used anything in the last 1, 7 and 28 local days, and the mean of the first over the last.
CREATE VIEW IF NOT EXISTS activity_at AS
SELECT tenant, countIf(has(days, today)) AS active_1d, countIf(arrayExists(day -> day > today - 7, days)) AS active_7d,
    countIf(notEmpty(days)) AS active_28d, sum(length(days)) AS unit_days,
    if(active_28d = 0, NULL, unit_days / 28 / active_28d) AS stickiness
FROM (
    SELECT tenant, today, arrayDistinct(arrayMap(use -> use.3, arrayFilter(use -> use.3 > today - 28, uses))) AS days
    FROM usage_units_at(unit = {unit:String}, at = {at:DateTime64(3, 'UTC')})
)
GROUP BY tenant;

-- First sign-up to first milestone at or after it, of the units that signed up in the last 90 local days: nearest rank in
-- seconds, of the n that got there; who is not there yet is censored, never dropped.
CREATE VIEW IF NOT EXISTS time_to_value_at AS
SELECT tenant, count() AS cohort, arraySort(groupArray(seconds_to_value)) AS spans, toUInt64(length(spans)) AS n,
    if(n = 0, NULL, spans[toUInt32(intDiv(50 * n + 99, 100))]) AS p50,
    if(n = 0, NULL, spans[toUInt32(intDiv(75 * n + 99, 100))]) AS p75,
    if(n = 0, NULL, spans[toUInt32(intDiv(90 * n + 99, 100))]) AS p90,
    if(n = 0, NULL, arrayAvg(spans)) AS mean, cohort - n AS censored, censored / cohort AS censored_share
FROM usage_units_at(unit = {unit:String}, at = {at:DateTime64(3, 'UTC')})
WHERE signed_up_ms > 0 AND signed_up_day > today - 90
GROUP BY tenant;

-- The same by period of sign-up, from that of `first` on.
CREATE VIEW IF NOT EXISTS time_to_value_cohorts AS
SELECT p.tenant AS tenant, p.start AS start, count() AS cohort, arraySort(groupArray(u.seconds_to_value)) AS spans,
    toUInt64(length(spans)) AS n,
    if(n = 0, NULL, spans[toUInt32(intDiv(50 * n + 99, 100))]) AS p50,
    if(n = 0, NULL, spans[toUInt32(intDiv(75 * n + 99, 100))]) AS p75,
    if(n = 0, NULL, spans[toUInt32(intDiv(90 * n + 99, 100))]) AS p90,
    if(n = 0, NULL, arrayAvg(spans)) AS mean, cohort - n AS censored, censored / cohort AS censored_share
FROM usage_unit_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
    at = {at:DateTime64(3, 'UTC')}) AS u
INNER JOIN usage_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
    at = {at:DateTime64(3, 'UTC')}) AS p ON p.tenant = u.tenant AND p.number = u.signed_up_number
WHERE u.signed_up_ms > 0
GROUP BY tenant, start;

-- Who reached the milestone within `a` days of 24 hours, of those that had them (n): nobody is judged before the time
-- is up; the others wait.
CREATE VIEW IF NOT EXISTS activation_cohorts AS
SELECT tenant, start, cohort, cohort - n AS waiting, activated, n, if(n = 0, NULL, activated / n) AS value,
    pow(1.959963984540054, 2) AS z2,
    if(n = 0, NULL, sqrt(greatest(0, z2 * value * (1 - value) / n + z2 * z2 / (4 * n * n)))) AS half,
    if(n = 0, NULL, greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n))) AS low,
    if(n = 0, NULL, least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n))) AS high
FROM (
    SELECT p.tenant AS tenant, p.start AS start, count() AS cohort,
        countIf(u.signed_up_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) - {a:Int64} * 86400000) AS n,
        countIf(u.signed_up_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) - {a:Int64} * 86400000
            AND ifNull(u.seconds_to_value <= {a:Int64} * 86400, 0)) AS activated
    FROM usage_unit_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
        at = {at:DateTime64(3, 'UTC')}) AS u
    INNER JOIN usage_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
        at = {at:DateTime64(3, 'UTC')}) AS p ON p.tenant = u.tenant AND p.number = u.signed_up_number
    WHERE u.signed_up_ms > 0
    GROUP BY tenant, start
);

-- The same of the units that signed up between 90 and `a` days ago.
CREATE VIEW IF NOT EXISTS activation_at AS
SELECT tenant, countIf(ifNull(seconds_to_value <= {a:Int64} * 86400, 0)) AS activated, count() AS n, activated / n AS value,
    pow(1.959963984540054, 2) AS z2, sqrt(greatest(0, z2 * value * (1 - value) / n + z2 * z2 / (4 * n * n))) AS half,
    greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)) AS low,
    least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)) AS high
FROM usage_units_at(unit = {unit:String}, at = {at:DateTime64(3, 'UTC')})
WHERE signed_up_ms >= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) - toInt64(90) * 86400000
    AND signed_up_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) - {a:Int64} * 86400000
    AND signed_up_ms > 0
GROUP BY tenant;

-- Invitations of [from, to) by kind: user, referral, other.
CREATE VIEW IF NOT EXISTS invitations_window AS
SELECT f.tenant AS tenant, f.what AS kind, count() AS value
FROM usage_facts AS f
WHERE f.kind = 'invited' AND f.at_ms >= toUnixTimestamp64Milli({from:DateTime64(3, 'UTC')})
    AND f.at_ms < toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')})
GROUP BY tenant, kind;
