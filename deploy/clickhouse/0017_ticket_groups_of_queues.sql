-- Queues beside ticket groups: `ticket_groups` of a tenant, turned round to the queues of each group. What is about a
-- ticket counts in every queue that names its group; a group nobody names belongs to the queue of its name: decision
-- 0021. Calls and tickets stand beside each other in the watch on gamed numbers and nowhere else.

ALTER TABLE definitions
    ADD COLUMN IF NOT EXISTS group_queues Map(String, Map(String, Array(String))) AFTER week_starts;

-- As before, with the queues of ticket groups.
CREATE OR REPLACE VIEW declared_now AS
SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w, health_days,
    health_weights, gaming_baseline, gaming_short_share, gaming_reopened_share, gaming_thresholds_ms, margin,
    support_currencies, support_hour_minor, support_ticket_minor, group_queues
FROM (
    SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w,
        health_days, health_weights, gaming_baseline, gaming_short_share, gaming_reopened_share,
        gaming_thresholds_ms, margin, support_currencies, support_hour_minor, support_ticket_minor, group_queues,
        declared_at
    FROM definitions FINAL
    WHERE margin > 0
    UNION ALL
    SELECT CAST(map(), 'Map(String, String)'), 20, 86400000, 'effective', CAST([], 'Array(String)'), 1, 3, 28, 90,
        map('adoption', 0.4, 'speed', 0.2, 'sentiment', 0.2, 'payment', 0.2), 28, 0.05, 0.2, [20000], 1.,
        CAST(map(), 'Map(String, String)'), CAST(map(), 'Map(String, Float64)'),
        CAST(map(), 'Map(String, Float64)'), CAST(map(), 'Map(String, Map(String, Array(String)))'),
        toDateTime64(0, 3, 'UTC')
)
ORDER BY declared_at DESC
LIMIT 1;

-- As before, what is about a ticket in the queues of its group.
CREATE OR REPLACE VIEW gaming_observations AS
WITH
    assumeNotNull((SELECT gaming_baseline FROM declared_now)) AS baseline,
    (SELECT (zones, gaming_thresholds_ms, group_queues) FROM declared_now) AS declared
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
    SELECT t.tenant, arrayJoin(if(empty(declared.3[t.tenant][toString(solve.3)]), [toString(solve.3)],
            declared.3[t.tenant][toString(solve.3)])),
        'reopens', 0, solve.1, 'ticket', t.ticket_id, toString(solve.4),
        if(t.customer_ref != '', concat('customer ', t.customer_ref), concat('account ', t.account)), '', '',
        if(solve.2 = 0, 0, (solve.2 - solve.1) / 1000), solve.2 > 0 AND solve.2 <= solve.1 + 259200000
    FROM (
        SELECT *, arrayJoin(arrayZip(solved_ms, reopened_ms, solved_groups, arrayEnumerate(solved_ms))) AS solve
        FROM tickets_now
    ) AS t
    WHERE t.contradiction = '' AND (t.customer_ref != '' OR t.account != '')
    UNION ALL
    SELECT v.tenant, arrayJoin(multiIf(
            v.queue != '', [toString(v.queue)],
            c.stream != 'ticket' OR empty(declared.3[c.tenant][c.queue]), [c.queue],
            declared.3[c.tenant][c.queue])),
        'csat', 0,
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

-- As before, first responses in the queues of their groups.
CREATE OR REPLACE VIEW gaming_speed AS
WITH
    assumeNotNull((SELECT gaming_baseline FROM declared_now)) AS baseline,
    assumeNotNull((SELECT n_min FROM declared_now)) AS n_min,
    (SELECT (zones, group_queues) FROM declared_now) AS declared
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
                if(declared.1[tenant] = '', 'UTC', declared.1[tenant]))) AS day,
            count() AS n, avg(span_ms) / 1000 AS seconds
        FROM (
            SELECT tenant, queue, 'call' AS stream, left_ms AS at_ms, wait_ms AS span_ms
            FROM customer_legs(first = {first:Date}, last = {last:Date})
            WHERE is_answered
            UNION ALL
            SELECT tenant, arrayJoin(if(empty(declared.2[tenant][toString(answer.3)]), [toString(answer.3)],
                    declared.2[tenant][toString(answer.3)])),
                'ticket', answer.1, answer.1 - answer.2
            FROM (SELECT *, arrayJoin(arrayZip(first_ms, first_since_ms, first_groups)) AS answer FROM tickets_now)
            WHERE contradiction = '' AND (customer_ref != '' OR account != '')
        )
        GROUP BY tenant, queue, stream, day
        HAVING day >= {first:Date} - baseline AND day <= {last:Date}
    )
    GROUP BY tenant, queue, stream
)
ARRAY JOIN days AS mine;
