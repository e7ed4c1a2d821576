-- Units of usage over days, weeks and months: who is new, returns, comes back, falls silent; who stays; how often they
-- come. From facts, as of any instant, by each tenant's own days: docs/metrics/lifecycle.md.

-- Which tenants are declared: their zones and the days their weeks begin with, 1 = Monday.
ALTER TABLE definitions
    ADD COLUMN IF NOT EXISTS zones Map(String, String) AFTER stuck_after_ms,
    ADD COLUMN IF NOT EXISTS week_starts Map(String, UInt8) AFTER zones;

-- The last declaration holds as a whole: who is no longer in it is UTC and begins on Monday again.
CREATE VIEW IF NOT EXISTS tenant_calendars AS
SELECT arrayJoin(mapKeys(declared.1)) AS tenant, declared.1[tenant] AS tz, declared.2[tenant] AS week_start
FROM (SELECT argMax((zones, week_starts), declared_at) AS declared FROM definitions FINAL);

-- Every fact of usage, one row each. `place` tells sign-ups and leavings of one instant apart: the last holds.
CREATE VIEW IF NOT EXISTS usage_facts AS
SELECT tenant, account, told.1 AS at_ms, told.2 AS user_ref, told.3 AS kind, told.4 AS what, told.5 AS place
FROM usage_accounts_now
ARRAY JOIN arrayConcat(
    arrayMap((t, user, up, place) -> (t, user, if(up = 1, 'signed_up', 'left'), '', place),
        turn_ms, turn_users, turn_signed_up, arrayEnumerate(turn_ms)),
    arrayMap((t, user, what) -> (t, user, 'feature_used', toString(what), toUInt32(0)), used_ms, used_by, used_features),
    arrayMap((t, user, what) -> (t, user, 'milestone_reached', toString(what), toUInt32(0)),
        milestone_ms, milestone_users, milestones),
    arrayMap((t, user, what) -> (t, user, 'invited', toString(what), toUInt32(0)), invited_ms, invited_by, invited_kinds)
) AS told;

-- Users that are said to be one person, by links dated at or before the instant: whatever is linked to the same one,
-- directly or over others, bears the least of their names.
CREATE VIEW IF NOT EXISTS linked_users_at AS
SELECT tenant, account, told.1 AS user_ref, told.2 AS person
FROM (
    SELECT tenant, account,
        arrayFilter(link -> link.1 <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}),
            arrayZip(linked_ms, linked_users, linked_same_as)) AS links,
        arraySort(arrayDistinct(arrayConcat(arrayMap(link -> link.2, links), arrayMap(link -> link.3, links)))) AS users,
        arrayFold(
            (persons, link) -> arrayMap(
                person -> if(person IN (persons[indexOf(users, link.2)], persons[indexOf(users, link.3)]),
                    least(persons[indexOf(users, link.2)], persons[indexOf(users, link.3)]), person),
                persons),
            links, users) AS persons
    FROM usage_accounts_now
    WHERE notEmpty(linked_ms)
)
ARRAY JOIN arrayZip(users, persons) AS told;

-- One row per unit that did anything up to the instant: an account, or a person in an account (`unit` account or
-- user). turns: (instant, place, is a sign-up, local day), uses: (instant, feature, local day), milestones: instants.
-- seconds_to_value: from the first sign-up (0 = none) to the first milestone at or after it, NULL = not there.
CREATE VIEW IF NOT EXISTS usage_units_at AS
SELECT tenant, account, person, any(zone) AS tz, any(first_weekday) AS week_start,
    toDate(toString({at:DateTime64(3, 'UTC')}, tz)) AS today,
    arraySort(groupArrayIf((at_ms, place, kind = 'signed_up', day), kind IN ('signed_up', 'left'))) AS turns,
    arraySort(groupArrayIf((at_ms, what, day), kind = 'feature_used')) AS uses,
    arraySort(groupArrayIf(at_ms, kind = 'milestone_reached')) AS milestones,
    arrayFirst(turn -> turn.3 = 1, turns) AS signed_up,
    signed_up.1 AS signed_up_ms, signed_up.4 AS signed_up_day,
    arrayFirst(t -> t >= signed_up_ms, milestones) AS value_ms,
    if(signed_up_ms = 0 OR value_ms = 0, NULL, (value_ms - signed_up_ms) / 1000) AS seconds_to_value
FROM (
    SELECT f.tenant AS tenant, f.account AS account, f.at_ms AS at_ms, f.kind AS kind, f.what AS what, f.place AS place,
        multiIf({unit:String} = 'account', '', l.person = '', f.user_ref, l.person) AS person,
        if(c.tz = '', 'UTC', c.tz) AS zone, if(c.week_start = 0, 1, c.week_start) AS first_weekday,
        toDate(toString(fromUnixTimestamp64Milli(f.at_ms, 'UTC'), zone)) AS day
    FROM usage_facts AS f
    LEFT JOIN tenant_calendars AS c ON c.tenant = f.tenant
    LEFT JOIN linked_users_at(at = {at:DateTime64(3, 'UTC')}) AS l
        ON l.tenant = f.tenant AND l.account = f.account AND l.user_ref = f.user_ref
    WHERE f.at_ms <= toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')})
        -- A user leaves for itself, not for the account; what names no user is no user's.
        AND if({unit:String} = 'account', NOT (f.kind = 'left' AND f.user_ref != ''), f.user_ref != '')
        AND (SELECT throwIf({unit:String} NOT IN ('account', 'user'), 'unit is account or user')) = 0
)
GROUP BY tenant, account, person;

-- The same with periods by number, which follow each other: `period` is day, week or month. `days`: the local days of
-- use, each once; `numbers`: the periods they lie in, side by side. `first_number` and `last_number`: the periods of
-- the date `first` and of the instant.
CREATE VIEW IF NOT EXISTS usage_unit_periods_at AS
SELECT tenant, account, person, week_start, today, signed_up_ms, seconds_to_value,
    arraySort(arrayDistinct(arrayMap(use -> use.3, uses))) AS days,
    arrayMap(
        day -> multiIf(
            {period:String} = 'day', toInt32(day),
            {period:String} = 'week', toInt32(intDiv(toInt32(day) + (11 - week_start) % 7, 7)),
            toInt32(12 * toYear(day) + toMonth(day) - 1)),
        arrayConcat([{first:Date}, today, signed_up_day], days)) AS found,
    found[1] AS first_number, found[2] AS last_number, found[3] AS signed_up_number, arraySlice(found, 4) AS numbers
FROM usage_units_at(unit = {unit:String}, at = {at:DateTime64(3, 'UTC')})
WHERE (SELECT throwIf({period:String} NOT IN ('day', 'week', 'month'), 'period is day, week or month')) = 0;

-- The periods of a tenant from that of `first` to the one that runs at the instant.
CREATE VIEW IF NOT EXISTS usage_periods_at AS
SELECT tenant, number, starts[1] AS start, starts[2] <= today AS is_over,
    toInt32(least(starts[2], today + 1) - start) AS days
FROM (
    SELECT tenant, today, number,
        arrayMap(
            n -> multiIf(
                {period:String} = 'day', toDate(n),
                {period:String} = 'week', toDate(7 * n - (11 - week_start) % 7),
                makeDate(intDiv(n, 12), n % 12 + 1, 1)),
            [number, number + 1]) AS starts
    FROM (
        SELECT DISTINCT tenant, week_start, today, first_number, last_number
        FROM usage_unit_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
            at = {at:DateTime64(3, 'UTC')})
    )
    ARRAY JOIN range(first_number, last_number + 1) AS number
);

-- Who used anything in a period is new (never before), returning (also in the one before) or resurrecting (after a
-- pause); dormant: in the one before and not in this one. active = new + returning + resurrecting, and the active of a
-- period are the returning and the dormant of the next.
CREATE VIEW IF NOT EXISTS lifecycle AS
SELECT p.tenant AS tenant, p.start AS start, p.is_over AS is_over,
    s.new AS new, s.returning AS returning, s.resurrecting AS resurrecting, s.dormant AS dormant,
    new + returning + resurrecting AS active
FROM usage_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
    at = {at:DateTime64(3, 'UTC')}) AS p
LEFT JOIN (
    SELECT tenant, step.1 AS number, countIf(step.2 = 'new') AS new, countIf(step.2 = 'returning') AS returning,
        countIf(step.2 = 'resurrecting') AS resurrecting, countIf(step.2 = 'dormant') AS dormant
    FROM (
        SELECT tenant, arrayDistinct(numbers) AS used, arrayDifference(used) AS gaps,
            arrayJoin(arrayConcat(
                arrayMap((n, gap) -> (n, multiIf(gap = 0, 'new', gap = 1, 'returning', 'resurrecting')), used, gaps),
                arrayMap((n, gap) -> (toInt32(n - gap + 1), 'dormant'),
                    arrayFilter((n, gap) -> gap > 1, used, gaps), arrayFilter(gap -> gap > 1, gaps)),
                [(toInt32(used[-1] + 1), 'dormant')])) AS step
        FROM usage_unit_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
            at = {at:DateTime64(3, 'UTC')})
        WHERE notEmpty(numbers)
    )
    GROUP BY tenant, number
) AS s ON s.tenant = p.tenant AND s.number = p.number;

-- Of the units whose first use, or first sign-up, lies in a period (`since` first_use or signed_up): those that used
-- anything `age` periods later. Only periods that are over at the instant: nobody is missed who still has time.
CREATE VIEW IF NOT EXISTS retention AS
SELECT tenant, start, age, n, retained, retained / n AS value,
    pow(1.959963984540054, 2) AS z2, sqrt(greatest(0, z2 * value * (1 - value) / n + z2 * z2 / (4 * n * n))) AS half,
    greatest(0, (value + z2 / (2 * n) - half) / (1 + z2 / n)) AS low,
    least(1, (value + z2 / (2 * n) + half) / (1 + z2 / n)) AS high
FROM (
    SELECT c.tenant AS tenant, p.start AS start, toInt32(q.number - p.number) AS age, c.size AS n,
        c.later.2[indexOf(c.later.1, age)] AS retained
    FROM (
        SELECT tenant, if({since:String} = 'signed_up', signed_up_number, numbers[1]) AS cohort,
            count() AS size, sumMap(ages, arrayMap(age -> 1, ages)) AS later
        FROM (
            SELECT tenant, signed_up_number, numbers,
                arrayMap(n -> toInt32(n - cohort), arrayFilter(n -> n >= cohort, arrayDistinct(numbers))) AS ages,
                if({since:String} = 'signed_up', signed_up_number, numbers[1]) AS cohort
            FROM usage_unit_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
                at = {at:DateTime64(3, 'UTC')})
            WHERE if({since:String} = 'signed_up', signed_up_ms > 0, notEmpty(numbers))
                AND (SELECT throwIf({since:String} NOT IN ('first_use', 'signed_up'),
                    'since is first_use or signed_up')) = 0
        )
        GROUP BY tenant, cohort
    ) AS c
    INNER JOIN usage_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
        at = {at:DateTime64(3, 'UTC')}) AS p ON p.tenant = c.tenant AND p.number = c.cohort
    INNER JOIN usage_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
        at = {at:DateTime64(3, 'UTC')}) AS q ON q.tenant = c.tenant
    WHERE q.number >= p.number AND q.is_over
);

-- How often they come: the mean over the days of a period (the running one: so far) of who used anything that day / who
-- used anything in the period.
CREATE VIEW IF NOT EXISTS stickiness_by_period AS
SELECT p.tenant AS tenant, p.start AS start, p.is_over AS is_over, p.days AS days, s.unit_days AS unit_days,
    s.active AS n, if(n = 0, NULL, unit_days / p.days / n) AS value
FROM usage_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
    at = {at:DateTime64(3, 'UTC')}) AS p
LEFT JOIN (
    SELECT tenant, number, count() AS unit_days, uniqExact(account, person) AS active
    FROM usage_unit_periods_at(unit = {unit:String}, period = {period:String}, first = {first:Date},
        at = {at:DateTime64(3, 'UTC')})
    ARRAY JOIN numbers AS number
    GROUP BY tenant, number
) AS s ON s.tenant = p.tenant AND s.number = p.number;
