-- What is measured gets managed: days on which a number got better at the customer's cost. The tests, and why they
-- are silent on honest days, stand in docs/metrics/customers.md. Everything over the local days first … last.

ALTER TABLE definitions
    ADD COLUMN IF NOT EXISTS gaming_baseline UInt16 AFTER health_weights,
    ADD COLUMN IF NOT EXISTS gaming_short_share Float64 AFTER gaming_baseline,
    ADD COLUMN IF NOT EXISTS gaming_reopened_share Float64 AFTER gaming_short_share,
    ADD COLUMN IF NOT EXISTS gaming_thresholds_ms Array(Int64) AFTER gaming_reopened_share;

-- As before, with what the watch goes by.
CREATE OR REPLACE VIEW declared_now AS
SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w, health_days,
    health_weights, gaming_baseline, gaming_short_share, gaming_reopened_share, gaming_thresholds_ms
FROM (
    SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w,
        health_days, health_weights, gaming_baseline, gaming_short_share, gaming_reopened_share,
        gaming_thresholds_ms, declared_at
    FROM definitions FINAL
    WHERE gaming_baseline > 0
    UNION ALL
    SELECT CAST(map(), 'Map(String, String)'), 20, 86400000, 'effective', CAST([], 'Array(String)'), 1, 3, 28, 90,
        map('adoption', 0.4, 'speed', 0.2, 'sentiment', 0.2, 'payment', 0.2), 28, 0.05, 0.2, [20000],
        toDateTime64(0, 3, 'UTC')
)
ORDER BY declared_at DESC
LIMIT 1;

-- Whole contacts and tickets of a customer (its `customer_ref`, else its account), and when it came again: `next_ms`,
-- 0 = not. A ticket's queue is its group. Only what began in the days asked for, a baseline before, five after.
CREATE VIEW IF NOT EXISTS customer_contacts AS
WITH assumeNotNull((SELECT gaming_baseline FROM declared_now)) AS baseline
SELECT tenant, customer, stream, entity, queue, began_ms, reached_ms,
    leadInFrame(began_ms, 1, 0) OVER w AS next_ms,
    leadInFrame(stream, 1, '') OVER w AS next_stream,
    leadInFrame(entity, 1, '') OVER w AS next_entity
FROM (
    SELECT tenant, if(customer_ref != '', concat('customer ', customer_ref), concat('account ', account)) AS customer,
        'call' AS stream, initial_contact_id AS entity, toString(queue) AS queue,
        toUnixTimestamp64Milli(assumeNotNull(coalesce(first_enqueued_at, first_answered_at))) AS began_ms,
        ifNull(toUnixTimestamp64Milli(first_answered_at), 0) AS reached_ms
    FROM contacts_now
    WHERE contradiction = '' AND direction = 'inbound' AND (customer_ref != '' OR account != '')
        AND coalesce(first_enqueued_at, first_answered_at) >= toDateTime64({first:Date} - baseline - 1, 3, 'UTC')
        AND coalesce(first_enqueued_at, first_answered_at) < toDateTime64({last:Date} + 6, 3, 'UTC')
    UNION ALL
    SELECT tenant, if(customer_ref != '', concat('customer ', customer_ref), concat('account ', account)) AS customer,
        'ticket' AS stream, ticket_id AS entity, toString(group_id) AS queue,
        toUnixTimestamp64Milli(assumeNotNull(created_at)) AS began_ms, toInt64(0) AS reached_ms
    FROM tickets_now
    WHERE contradiction = '' AND (customer_ref != '' OR account != '')
        AND created_at >= toDateTime64({first:Date} - baseline - 1, 3, 'UTC')
        AND created_at < toDateTime64({last:Date} + 6, 3, 'UTC')
)
WINDOW w AS (PARTITION BY tenant, customer ORDER BY began_ms, stream, entity
    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING);

-- Legs of those contacts that have left their queue.
CREATE VIEW IF NOT EXISTS customer_legs AS
SELECT l.tenant AS tenant, c.customer AS customer, l.initial_contact_id AS entity, l.leg AS leg,
    toString(l.queue) AS queue, toUnixTimestamp64Milli(assumeNotNull(l.left_at)) AS left_ms,
    l.outcome = 'answered' AS is_answered, ifNull(l.wait_ms, 0) AS wait_ms, l.transferred_at IS NOT NULL AS is_transferred,
    ifNull(toUnixTimestamp64Milli(l.ended_at) - toUnixTimestamp64Milli(l.talk_started_at), -1) AS talk_ms,
    c.next_ms AS next_ms, c.next_stream AS next_stream, c.next_entity AS next_entity
FROM legs_now AS l
INNER JOIN customer_contacts(first = {first:Date}, last = {last:Date}) AS c
    ON c.tenant = l.tenant AND c.entity = l.initial_contact_id
WHERE c.stream = 'call' AND l.left_at IS NOT NULL AND l.contradiction = '' AND (l.direction = 'inbound' OR l.callback);

-- Everything that is looked at, one row each: of which sign, on which day of which queue, and whether it is what the
-- sign is about. 72 h = 259,200,000 ms; a talk is short under 5 s; a heap is looked for in three steps of a tenth of the
-- threshold: two below it, one above.
CREATE VIEW IF NOT EXISTS gaming_observations AS
WITH
    assumeNotNull((SELECT gaming_baseline FROM declared_now)) AS baseline,
    (SELECT (zones, gaming_thresholds_ms) FROM declared_now) AS declared
SELECT tenant, queue, if(declared.1[tenant] = '', 'UTC', declared.1[tenant]) AS zone,
    toDate(toString(fromUnixTimestamp64Milli(at_ms, 'UTC'), zone)) AS day,
    sign, threshold_ms, at_ms, stream, entity, part, customer, related_stream, related, value, is_hit
FROM (
    SELECT tenant, queue, s.1 AS sign, s.2 AS threshold_ms, left_ms AS at_ms, 'call' AS stream, entity, leg AS part,
        customer, if(s.4, next_stream, '') AS related_stream, if(s.4, next_entity, '') AS related,
        toFloat64(s.5) AS value, s.3 AS is_hit
    FROM (
        SELECT *, arrayJoin(arrayConcat(
        [('transfers', toInt64(0), is_transferred, 0, wait_ms)],
        if(is_answered AND talk_ms >= 0, [('short', toInt64(0),
            talk_ms < 5000 AND next_ms > 0 AND next_ms <= left_ms + 259200000, 1, talk_ms)], []),
        arrayMap(x -> ('heap', x, wait_ms > x - intDiv(x, 10) AND wait_ms <= x, 0, wait_ms),
            arrayFilter(x -> is_answered AND wait_ms > x - 2 * intDiv(x, 10) AND wait_ms <= x + intDiv(x, 10),
                declared.2)))) AS s
        FROM customer_legs(first = {first:Date}, last = {last:Date})
    )
    UNION ALL
    SELECT tenant, queue, 'repeats', 0, reached_ms, stream, entity, '', customer, next_stream, next_entity,
        if(next_ms = 0, 0, (next_ms - reached_ms) / 1000), next_ms > 0 AND next_ms <= reached_ms + 259200000
    FROM customer_contacts(first = {first:Date}, last = {last:Date})
    WHERE reached_ms > 0
    UNION ALL
    SELECT t.tenant, toString(solve.3), 'reopens', 0, solve.1, 'ticket', t.ticket_id, toString(solve.4),
        if(t.customer_ref != '', concat('customer ', t.customer_ref), concat('account ', t.account)), '', '',
        if(solve.2 = 0, 0, (solve.2 - solve.1) / 1000), solve.2 > 0 AND solve.2 <= solve.1 + 259200000
    FROM (
        SELECT *, arrayJoin(arrayZip(solved_ms, reopened_ms, solved_groups, arrayEnumerate(solved_ms))) AS solve
        FROM tickets_now
    ) AS t
    WHERE t.contradiction = '' AND (t.customer_ref != '' OR t.account != '')
    UNION ALL
    SELECT v.tenant, if(v.queue != '', toString(v.queue), c.queue), 'csat', 0,
        toUnixTimestamp64Milli(assumeNotNull(v.answered_at)), 'survey', v.survey_id, '',
        multiIf(c.customer != '', c.customer, v.respondent_ref != '', concat('customer ', v.respondent_ref),
            concat('account ', v.account)),
        c.stream, c.entity, assumeNotNull(v.score), ifNull(4 * v.score < 3 * v.scale_max + v.scale_min, 0)
    FROM (
        SELECT *, if(ticket_id != '', ticket_id, contact_id) AS about, if(ticket_id != '', 'ticket', 'call') AS of_stream
        FROM surveys_now
        WHERE question = 'csat' AND answered_at IS NOT NULL
    ) AS v
    LEFT JOIN customer_contacts(first = {first:Date}, last = {last:Date}) AS c
        ON c.tenant = v.tenant AND c.stream = v.of_stream AND c.entity = v.about
    WHERE c.customer != '' OR v.respondent_ref != '' OR v.account != ''
)
WHERE day >= {first:Date} - baseline AND day <= {last:Date};

-- How fast a queue was: mean wait of answered legs of those customers, mean time to first responses of their tickets.
-- Faster: below the middle of the days of the baseline by twice their spread, and by a tenth.
CREATE VIEW IF NOT EXISTS gaming_speed AS
WITH
    assumeNotNull((SELECT gaming_baseline FROM declared_now)) AS baseline,
    assumeNotNull((SELECT n_min FROM declared_now)) AS n_min,
    (SELECT zones FROM declared_now) AS zones
SELECT tenant, queue, stream, mine.1 AS day, mine.2 AS n, mine.3 AS seconds,
    arrayMap(d -> d.3, arrayFilter(d -> d.1 < day AND d.1 >= day - baseline AND d.2 >= 5, days)) AS before,
    length(before) AS base_days,
    if(base_days = 0, NULL, arrayReduce('quantileExactInclusive(0.5)', before)) AS base_seconds,
    if(base_days = 0, NULL, 1.4826 * arrayReduce('quantileExactInclusive(0.5)',
        arrayMap(x -> abs(x - assumeNotNull(base_seconds)), before))) AS spread,
    base_days >= 7 AND n >= n_min AS is_judged,
    ifNull(is_judged AND seconds < base_seconds - 2 * spread AND seconds <= 0.9 * base_seconds, 0) AS is_faster
FROM (
    SELECT tenant, queue, stream, groupArray((day, n, seconds)) AS days
    FROM (
        SELECT tenant, queue, stream, toDate(toString(fromUnixTimestamp64Milli(at_ms, 'UTC'),
                if(zones[tenant] = '', 'UTC', zones[tenant]))) AS day,
            count() AS n, avg(span_ms) / 1000 AS seconds
        FROM (
            SELECT tenant, queue, 'call' AS stream, left_ms AS at_ms, wait_ms AS span_ms
            FROM customer_legs(first = {first:Date}, last = {last:Date})
            WHERE is_answered
            UNION ALL
            SELECT tenant, toString(answer.3), 'ticket', answer.1, answer.1 - answer.2
            FROM (SELECT *, arrayJoin(arrayZip(first_ms, first_since_ms, first_groups)) AS answer FROM tickets_now)
            WHERE contradiction = '' AND (customer_ref != '' OR account != '')
        )
        GROUP BY tenant, queue, stream, day
        HAVING day >= {first:Date} - baseline AND day <= {last:Date}
    )
    GROUP BY tenant, queue, stream
)
ARRAY JOIN days AS mine;

-- Every day that could be judged, by kind. `floor`: kinds that need no comparison are flagged above it; 0 = the kind
-- compares with the baseline, on days on which the queue was faster. Wilson bounds: z = 2.5758 (99 %) when compared,
-- 3.2905 (99.9 %) against a floor.
CREATE VIEW IF NOT EXISTS gaming_judged AS
WITH
    assumeNotNull((SELECT gaming_baseline FROM declared_now)) AS baseline,
    assumeNotNull((SELECT n_min FROM declared_now)) AS n_min
SELECT tenant, queue, day, kind, threshold_ms, n, hits, rate AS value, low, floor,
    base_days, base_n, base_hits / base_n AS base_value, base_high,
    seconds, base_seconds, is_faster,
    if(floor > 0, low > floor AND (base_days < 7 OR low > base_high),
        is_faster AND low > base_high AND rate > base_median + 3 * spread) AS is_flagged
FROM (
    SELECT tenant, queue, kind, floor, threshold_ms, z, mine.1 AS day, mine.2 AS n, mine.3 AS hits, mine.4 AS low,
        hits / n AS rate,
        arrayFilter(d -> d.1 < day AND d.1 >= day - baseline AND d.2 >= 5 AND (floor = 0 OR d.4 <= floor), days) AS base,
        length(base) AS base_days, arraySum(d -> d.2, base) AS base_n, arraySum(d -> d.3, base) AS base_hits,
        if(base_n = 0, 1, (base_hits / base_n + z * z / (2 * base_n) + z * sqrt(base_hits / base_n
            * (1 - base_hits / base_n) / base_n + z * z / (4 * base_n * base_n))) / (1 + z * z / base_n)) AS base_high,
        arrayMap(d -> d.3 / d.2, base) AS rates,
        if(base_days = 0, 0, arrayReduce('quantileExactInclusive(0.5)', rates)) AS base_median,
        if(base_days = 0, 0, 1.4826 * arrayReduce('quantileExactInclusive(0.5)',
            arrayMap(x -> abs(x - base_median), rates))) AS spread
    FROM (
        SELECT tenant, queue, kind, floor, threshold_ms, any(z) AS z, groupArray((day, n, hits, low)) AS days
        FROM (
            SELECT tenant, queue, day, threshold_ms, told.1 AS kind, told.2 AS floor, if(floor > 0, 3.2905, 2.5758) AS z,
                count() AS n, toUInt64(sum(is_hit)) AS hits,
                greatest(0, (hits / n + z * z / (2 * n) - z * sqrt(hits / n * (1 - hits / n) / n
                    + z * z / (4 * n * n))) / (1 + z * z / n)) AS low
            FROM (
                SELECT tenant, queue, day, threshold_ms, is_hit, arrayJoin(multiIf(
                    sign = 'csat', [('faster_csat_worse', 0.)],
                    sign = 'repeats', [('faster_repeats_up', 0.)],
                    sign = 'transfers', [('faster_transfers_up', 0.)],
                    sign = 'heap', [('waits_under_threshold', 0.4)],
                    sign = 'short', [('short_answers', assumeNotNull((SELECT gaming_short_share FROM declared_now)))],
                    [('faster_reopens_up', 0.),
                        ('solved_reopened', assumeNotNull((SELECT gaming_reopened_share FROM declared_now)))])) AS told
                FROM gaming_observations(first = {first:Date}, last = {last:Date})
            )
            GROUP BY tenant, queue, day, threshold_ms, kind, floor
        )
        GROUP BY tenant, queue, kind, floor, threshold_ms
    )
    ARRAY JOIN days AS mine
) AS j
LEFT JOIN (
    SELECT tenant, queue, day, max(g.is_faster) AS is_faster, max(g.is_judged) AS is_speed_known,
        argMax(g.seconds, g.is_faster) AS seconds, argMax(g.base_seconds, g.is_faster) AS base_seconds
    FROM gaming_speed(first = {first:Date}, last = {last:Date}) AS g
    GROUP BY tenant, queue, day
) AS s ON s.tenant = j.tenant AND s.queue = j.queue AND s.day = j.day
WHERE j.day >= {first:Date} AND n >= n_min AND (floor > 0 OR (base_days >= 7 AND is_speed_known));

CREATE VIEW IF NOT EXISTS gaming_flags AS
SELECT tenant, queue, day, kind, threshold_ms, n, hits, value, low, floor, base_days, base_value, base_high, seconds,
    base_seconds
FROM gaming_judged(first = {first:Date}, last = {last:Date})
WHERE is_flagged;

-- What a flag rests on: the key of the flag, and the single contacts, tickets or answers that are what it is about.
CREATE VIEW IF NOT EXISTS gaming_evidence AS
SELECT f.tenant AS tenant, f.queue AS queue, f.day AS day, f.kind AS kind, f.threshold_ms AS threshold_ms,
    fromUnixTimestamp64Milli(o.at_ms, 'UTC') AS at, o.stream AS stream, o.entity AS entity, o.part AS part,
    o.customer AS customer, o.related_stream AS related_stream, o.related AS related, o.value AS value
FROM gaming_observations(first = {first:Date}, last = {last:Date}) AS o
INNER JOIN (
    SELECT tenant, queue, day, kind, threshold_ms,
        multiIf(kind = 'faster_csat_worse', 'csat', kind = 'faster_repeats_up', 'repeats',
            kind = 'faster_transfers_up', 'transfers', kind = 'waits_under_threshold', 'heap',
            kind = 'short_answers', 'short', 'reopens') AS of_sign
    FROM gaming_flags(first = {first:Date}, last = {last:Date})
) AS f ON f.tenant = o.tenant AND f.queue = o.queue AND f.day = o.day AND f.of_sign = o.sign
    AND f.threshold_ms = o.threshold_ms
WHERE o.is_hit;

-- Flags of the last seven days, today included (UTC), of what could be judged: 0 is a word, absence another.
CREATE VIEW IF NOT EXISTS gaming_flags_now AS
SELECT tenant, queue, kind, countIf(is_flagged) AS flags, count() AS judged
FROM gaming_judged(first = today() - 6, last = today() + 1)
GROUP BY tenant, queue, kind;
