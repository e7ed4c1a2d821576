-- One row per account from every stream: docs/metrics/customers.md. Every view here also answers for a past
-- instant, what is dated at it included.

-- What is declared and applied when reading. The newest declaration holds, whatever its format.
ALTER TABLE definitions
    ADD COLUMN IF NOT EXISTS zones Map(String, String) AFTER stuck_after_ms,
    ADD COLUMN IF NOT EXISTS n_min UInt32 AFTER zones,
    ADD COLUMN IF NOT EXISTS frt_target_ms Int64 AFTER n_min,
    ADD COLUMN IF NOT EXISTS recognition LowCardinality(String) AFTER frt_target_ms,
    ADD COLUMN IF NOT EXISTS adoption_core Array(String) AFTER recognition,
    ADD COLUMN IF NOT EXISTS adoption_k UInt16 AFTER adoption_core,
    ADD COLUMN IF NOT EXISTS adoption_d UInt16 AFTER adoption_k,
    ADD COLUMN IF NOT EXISTS adoption_w UInt16 AFTER adoption_d,
    ADD COLUMN IF NOT EXISTS health_days UInt16 AFTER adoption_w,
    ADD COLUMN IF NOT EXISTS health_weights Map(String, Float64) AFTER health_days;

-- One row, also where nobody declared anything; rows older than these columns say nothing of them.
CREATE VIEW IF NOT EXISTS declared_now AS
SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w, health_days,
    health_weights
FROM (
    SELECT zones, n_min, frt_target_ms, recognition, adoption_core, adoption_k, adoption_d, adoption_w,
        health_days, health_weights, declared_at
    FROM definitions FINAL
    WHERE health_days > 0
    UNION ALL
    SELECT CAST(map(), 'Map(String, String)'), 20, 86400000, 'effective', CAST([], 'Array(String)'), 1, 3, 28, 90,
        map('adoption', 0.4, 'speed', 0.2, 'sentiment', 0.2, 'payment', 0.2), toDateTime64(0, 3, 'UTC')
)
ORDER BY declared_at DESC
LIMIT 1;

ALTER TABLE subscriptions ADD COLUMN IF NOT EXISTS failed_ms Array(Int64) AFTER invoiced_scopes;

-- As before, with payments that failed; rows written earlier name none until their account is told of again.
CREATE OR REPLACE VIEW subscriptions_now AS
SELECT *
FROM subscriptions FINAL
WHERE epoch = greatest((SELECT argMax(epoch, _ver) FROM epochs FINAL WHERE stream = 'subscription'), 1)
    AND (tenant, account) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'subscription');

-- As before, with whose ticket it is and its first responses.
CREATE OR REPLACE VIEW tickets_at AS
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
        (ms, since) -> ms <= at_ms AND since = since_ms, first_ms, first_since_ms) AS is_unanswered,
    account, customer_ref, first_ms, first_since_ms, start_ms, reply_ms
FROM tickets_now
WHERE contradiction = '' AND created_at <= {at:DateTime64(3, 'UTC')};

-- Accounts that went on as another one, and which one, over any number of merges. Sixteen steps: a ring of
-- merges, which nobody can mean, comes back to accounts of the ring, each to one.
CREATE VIEW IF NOT EXISTS merged_accounts_at AS
WITH (
    SELECT mapFromArrays(groupArray(concat(tenant, '|', account)), groupArray(merged_into))
    FROM accounts_now
    WHERE merged_into != '' AND merged_at <= {at:DateTime64(3, 'UTC')}
) AS merges
SELECT tenant, account,
    arrayFold((name, step) -> if(mapContains(merges, concat(tenant, '|', name)),
        merges[concat(tenant, '|', name)], name), range(16), account) AS into_account
FROM accounts_now
WHERE merged_into != '' AND merged_at <= {at:DateTime64(3, 'UTC')};

-- Tickets and calls of an account. `felt`: times in the last days it waited for a person, or gave up; `in_time`:
-- how many of them were short enough.
CREATE VIEW IF NOT EXISTS account_support_at AS
WITH
    toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS until_ms,
    assumeNotNull((SELECT frt_target_ms FROM declared_now)) AS target_ms,
    until_ms - assumeNotNull((SELECT health_days FROM declared_now)) * 86400000 AS since_when_ms
SELECT tenant, account, sum(t.is_open) AS open_tickets, max(t.last_ms) AS last_contact_ms, sum(t.felt) AS felt,
    sum(t.in_time) AS in_time
FROM (
    SELECT tenant, account, toUInt64(is_open) AS is_open,
        arrayMax(arrayFilter(ms -> ms <= until_ms, arrayConcat([created_ms], start_ms, reply_ms))) AS last_ms,
        arrayCount(ms -> ms > since_when_ms AND ms <= until_ms, first_ms)
            + (is_unanswered AND at_ms - since_ms > target_ms) AS felt,
        arrayCount((ms, since) -> ms > since_when_ms AND ms <= until_ms AND ms - since <= target_ms,
            first_ms, first_since_ms) AS in_time
    FROM tickets_at(at = {at:DateTime64(3, 'UTC')})
    WHERE account != ''
    UNION ALL
    SELECT c.tenant AS tenant, c.account AS account, toUInt64(0) AS is_open, l.last_ms AS last_ms,
        toUInt64(c.direction = 'inbound' AND if(c.was_reached, c.is_reached, l.is_given_up)) AS felt,
        toUInt64(c.direction = 'inbound' AND c.is_reached AND assumeNotNull(c.wait_ms) <= 20000) AS in_time
    FROM (
        SELECT tenant, initial_contact_id, account, direction,
            toUnixTimestamp64Milli(first_answered_at) AS reached_ms,
            ifNull(reached_ms <= until_ms, 0) AS was_reached,
            was_reached AND ifNull(reached_ms > since_when_ms, 0) AS is_reached,
            if(first_enqueued_at <= first_answered_at,
                toUnixTimestamp64Milli(first_talk_at) - toUnixTimestamp64Milli(first_enqueued_at), 0) AS wait_ms
        FROM contacts_now
        WHERE account != '' AND contradiction = ''
    ) AS c
    INNER JOIN (
        SELECT tenant, initial_contact_id,
            arrayMax(arrayFilter(ms -> ms <= until_ms, arrayFlatten(groupArray(arrayMap(
                instant -> ifNull(toUnixTimestamp64Milli(instant), 0),
                [initiated_at, queued_at, answered_at, left_at, ended_at]))))) AS last_ms,
            countIf(outcome = 'abandoned' AND wait_ms > 5000
                AND ifNull(toUnixTimestamp64Milli(left_at) > since_when_ms
                    AND toUnixTimestamp64Milli(left_at) <= until_ms, 0)) > 0 AS is_given_up
        FROM legs_now
        GROUP BY tenant, initial_contact_id
    ) AS l ON l.tenant = c.tenant AND l.initial_contact_id = c.initial_contact_id
    WHERE l.last_ms > 0
) AS t
GROUP BY tenant, account;

-- Answers of an account: the last of each kind, and those of the last days on a scale from 0 to 1.
CREATE VIEW IF NOT EXISTS account_voice_at AS
WITH
    {at:DateTime64(3, 'UTC')} AS instant,
    instant - toIntervalDay(assumeNotNull((SELECT health_days FROM declared_now))) AS since_when
SELECT tenant, account,
    maxIf(assumeNotNull(answered_at), question = 'csat') AS csat_at,
    argMaxIf(assumeNotNull(score), (answered_at, survey_id), question = 'csat') AS csat,
    argMaxIf(assumeNotNull(scale_max), (answered_at, survey_id), question = 'csat') AS csat_of,
    maxIf(assumeNotNull(answered_at), question = 'nps') AS nps_at,
    argMaxIf(assumeNotNull(score), (answered_at, survey_id), question = 'nps') AS nps,
    countIf(answered_at > since_when) AS answers,
    sumIf((assumeNotNull(score) - assumeNotNull(scale_min)) / (assumeNotNull(scale_max) - assumeNotNull(scale_min)),
        answered_at > since_when) AS mood
FROM surveys_now
WHERE account != '' AND answered_at <= instant
    AND (question = 'csat' OR (question = 'nps' AND scale_min = 0 AND scale_max = 10))
GROUP BY tenant, account;

-- Money of an account, each amount under its currency: MRR, services out of scope; seats; payments of the last days.
CREATE VIEW IF NOT EXISTS account_money_at AS
WITH
    toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS asked_ms,
    asked_ms - assumeNotNull((SELECT health_days FROM declared_now)) * 86400000 AS since_when_ms,
    (SELECT recognition FROM declared_now) AS declared
SELECT tenant, account,
    mapFilter((code, minor) -> minor != 0, sumMap(map(currency, mrr))) AS mrr_minor,
    sum(u.seats) AS seats,
    mapFilter((code, minor) -> minor != 0, sumMap(map(currency, out_of_scope))) AS out_of_scope_minor,
    sum(u.paid) AS paid, sum(u.failed) AS failed
FROM (
    SELECT tenant, account, currency, greatest(sum(s.mrr_minor), 0) AS mrr, sum(s.seats) AS seats,
        toInt64(0) AS out_of_scope, toUInt64(0) AS paid, toUInt64(0) AS failed
    FROM subscription_states AS s
    WHERE recognition = declared AND from_ms <= asked_ms AND (until_ms = 0 OR until_ms > asked_ms)
    GROUP BY tenant, account, currency
    UNION ALL
    SELECT tenant, account, invoice.2 AS currency, toInt64(0) AS mrr, toInt64(0) AS seats,
        invoice.3 AS out_of_scope, toUInt64(0) AS paid, toUInt64(0) AS failed
    FROM subscriptions_now
    ARRAY JOIN arrayZip(invoiced_ms, invoiced_currencies, invoiced_minor, invoiced_scopes) AS invoice
    WHERE recognition = declared AND invoice.1 <= asked_ms AND invoice.4 = 'out'
    UNION ALL
    SELECT tenant, account, '' AS currency, toInt64(0) AS mrr, toInt64(0) AS seats, toInt64(0) AS out_of_scope,
        toUInt64(arrayCount(ms -> ms > since_when_ms AND ms <= asked_ms, paid_ms)) AS paid,
        toUInt64(arrayCount(ms -> ms > since_when_ms AND ms <= asked_ms, failed_ms)) AS failed
    FROM subscriptions_now
    WHERE recognition = declared
        AND (last_event_at <= {at:DateTime64(3, 'UTC')} OR arrayExists(ms -> ms <= asked_ms,
            arrayConcat(step_from_ms, invoiced_ms, paid_ms, failed_ms)))
) AS u
GROUP BY tenant, account;

-- Use of an account, by the core features and days declared, in the days of its tenant's zone. Its unit here is
-- the account, also where users are declared.
CREATE VIEW IF NOT EXISTS account_usage_at AS
WITH
    toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS asked_ms,
    (SELECT (zones, adoption_core, adoption_w) FROM declared_now) AS declared
SELECT tenant, account,
    if(declared.1[tenant] = '', 'UTC', declared.1[tenant]) AS zone,
    toDate(toString(fromUnixTimestamp64Milli(asked_ms, 'UTC'), zone)) - declared.3 AS last_day_before,
    arrayLast(turn -> turn.1 <= asked_ms AND (turn.3 = 1 OR turn.2 = ''),
        arrayZip(turn_ms, turn_users, turn_signed_up)).3 = 1 AS is_eligible,
    arrayFilter(use -> use.1 > last_day_before AND (empty(declared.2) OR has(declared.2, use.2)),
        arrayMap((ms, feature) -> (toDate(toString(fromUnixTimestamp64Milli(ms, 'UTC'), zone)), feature),
            arrayFilter(ms -> ms <= asked_ms, used_ms),
            arrayFilter((feature, ms) -> ms <= asked_ms, used_features, used_ms))) AS used,
    arrayMap(use -> use.2, used) AS features,
    arrayMap(use -> use.1, used) AS days,
    arrayLast(reached -> reached.1 <= asked_ms, arraySort(arrayZip(milestone_ms, milestones))) AS milestone
FROM usage_accounts_now
WHERE last_event_at <= {at:DateTime64(3, 'UTC')}
    OR arrayExists(ms -> ms <= asked_ms, arrayConcat(turn_ms, used_ms, milestone_ms, invited_ms, linked_ms));

-- What is stated of an account. Owner, segment, notes are those last stated: their instants are not kept.
CREATE VIEW IF NOT EXISTS account_profile_at AS
WITH toUnixTimestamp64Milli({at:DateTime64(3, 'UTC')}) AS asked_ms
SELECT tenant, account,
    arrayFirst((stage, entered, gone) -> entered <= asked_ms AND (gone = 0 OR gone > asked_ms),
        stay_stages, stay_entered_ms, stay_left_ms) AS stage,
    owner, segment, plan, region, problems, preferences
FROM accounts_now
WHERE last_event_at <= {at:DateTime64(3, 'UTC')} OR created_at <= {at:DateTime64(3, 'UTC')}
    OR arrayExists(entered -> entered <= asked_ms, stay_entered_ms);

-- Everything, under the account it went on as. `health` is the mean of the scores that are there (0 … 100) by their
-- declared weights, `confidence` the share of the weights that is there.
CREATE VIEW IF NOT EXISTS account_360_at AS
WITH (SELECT (adoption_k, adoption_d, health_weights) FROM declared_now) AS declared
SELECT tenant, name AS account, stage, owner, segment, mrr_minor, seats, last_contact_at, open_tickets,
    last_csat, last_csat_of, last_csat_at, last_nps, last_nps_at, features_used, days_used, has_adopted,
    last_milestone, last_milestone_at, problems, preferences, out_of_scope_minor,
    if(is_eligible, 100 * least(1, features_used / declared.1, days_used / declared.2), NULL) AS adoption_score,
    if(felt = 0, NULL, 100 * in_time / felt) AS speed_score,
    if(answers = 0, NULL, 100 * mood / answers) AS sentiment_score,
    if(paid + failed = 0, NULL, 100 * paid / (paid + failed)) AS payment_score,
    [(declared.3['adoption'], adoption_score), (declared.3['speed'], speed_score),
        (declared.3['sentiment'], sentiment_score), (declared.3['payment'], payment_score)] AS weighed,
    arraySum(w -> if(isNull(w.2), 0, w.1), weighed) AS weight_present,
    if(weight_present = 0, NULL, arraySum(w -> w.1 * ifNull(w.2, 0), weighed) / weight_present) AS health,
    weight_present / arraySum(w -> w.1, weighed) AS confidence,
    felt, answers, paid, failed
FROM (
    SELECT a.tenant AS tenant, if(m.into_account = '', a.account, m.into_account) AS name,
        anyIf(a.stage, a.account = name) AS stage, anyIf(a.owner, a.account = name) AS owner,
        anyIf(a.segment, a.account = name) AS segment,
        arraySort(groupUniqArrayArray(a.problems)) AS problems,
        arraySort(groupUniqArrayArray(a.preferences)) AS preferences,
        mapSort(sumMap(a.mrr_minor)) AS mrr_minor, sum(a.seats) AS seats,
        mapSort(sumMap(a.out_of_scope_minor)) AS out_of_scope_minor,
        sum(a.paid) AS paid, sum(a.failed) AS failed,
        sum(a.open_tickets) AS open_tickets, sum(a.felt) AS felt, sum(a.in_time) AS in_time,
        max(a.last_contact_ms) AS contact_ms,
        if(contact_ms = 0, NULL, fromUnixTimestamp64Milli(contact_ms, 'UTC')) AS last_contact_at,
        sum(a.answers) AS answers, sum(a.mood) AS mood,
        nullIf(max(a.csat_at), toDateTime64(0, 3, 'UTC')) AS last_csat_at,
        if(isNull(last_csat_at), NULL, argMax(a.csat, a.csat_at)) AS last_csat,
        if(isNull(last_csat_at), NULL, argMax(a.csat_of, a.csat_at)) AS last_csat_of,
        nullIf(max(a.nps_at), toDateTime64(0, 3, 'UTC')) AS last_nps_at,
        if(isNull(last_nps_at), NULL, argMax(a.nps, a.nps_at)) AS last_nps,
        max(a.is_eligible) AS is_eligible,
        length(groupUniqArrayArray(a.features)) AS features_used,
        length(groupUniqArrayArray(a.days)) AS days_used,
        if(is_eligible, features_used >= declared.1 AND days_used >= declared.2, NULL) AS has_adopted,
        max(a.milestone) AS milestone, milestone.2 AS last_milestone,
        if(milestone.1 = 0, NULL, fromUnixTimestamp64Milli(milestone.1, 'UTC')) AS last_milestone_at
    FROM (
        SELECT *
        FROM account_profile_at(at = {at:DateTime64(3, 'UTC')}) AS p
        FULL JOIN account_money_at(at = {at:DateTime64(3, 'UTC')}) AS s USING (tenant, account)
        FULL JOIN account_support_at(at = {at:DateTime64(3, 'UTC')}) AS t USING (tenant, account)
        FULL JOIN account_voice_at(at = {at:DateTime64(3, 'UTC')}) AS v USING (tenant, account)
        FULL JOIN account_usage_at(at = {at:DateTime64(3, 'UTC')}) AS u USING (tenant, account)
    ) AS a
    LEFT JOIN merged_accounts_at(at = {at:DateTime64(3, 'UTC')}) AS m ON m.tenant = a.tenant AND m.account = a.account
    GROUP BY tenant, name
) AS g
SETTINGS join_use_nulls = 0;

CREATE VIEW IF NOT EXISTS account_360 AS SELECT * FROM account_360_at(at = now64(3, 'UTC'));
