-- The only doors to the tables: FINAL, the valid epoch and erasure are inside.

CREATE VIEW IF NOT EXISTS buckets_now AS
WITH (
    SELECT groupArray((stream, floor, epoch))
    FROM (SELECT stream, floor, epoch FROM epochs FINAL ORDER BY _ver DESC)
) AS switches
SELECT b.grain AS grain, b.family AS family, b.tenant AS tenant, b.start AS start, b.dims AS dims,
    b.v_format AS v_format, sumForEach(b.v) AS v
FROM buckets AS b FINAL
-- Levels carry instants and are no sums: levels_now.
WHERE b.grain != 'level'
    AND b.epoch = greatest(arrayFirst(s -> s.1 = b.stream AND s.2 <= toDate(b.start), switches).3, 1)
GROUP BY b.grain, b.family, b.tenant, b.start, b.dims, b.v_format
-- A bucket taken back is as if it had never been.
HAVING arrayExists(cell -> cell != 0, v);

-- What is there now, by the 10 seconds since when: sum `n`; ages follow the reader's clock.
CREATE VIEW IF NOT EXISTS levels_now AS
WITH (
    SELECT groupArray((stream, epoch))
    FROM (SELECT stream, epoch FROM epochs FINAL ORDER BY _ver DESC)
) AS switches
SELECT family, tenant, dims, fromUnixTimestamp64Milli(pair.1, 'UTC') AS since, sum(pair.2) AS n
FROM (
    SELECT b.family AS family, b.tenant AS tenant, b.dims AS dims,
        arrayJoin(arrayZip(
            arrayFilter((cell, place) -> place % 2 = 1, b.v, arrayEnumerate(b.v)),
            arrayFilter((cell, place) -> place % 2 = 0, b.v, arrayEnumerate(b.v))
        )) AS pair
    FROM buckets AS b FINAL
    WHERE b.grain = 'level'
        AND b.epoch = greatest(arrayFirst(s -> s.1 = b.stream, switches).2, 1)
)
GROUP BY family, tenant, dims, since;

CREATE VIEW IF NOT EXISTS contacts_now AS
WITH (
    SELECT groupArray((floor, epoch))
    FROM (SELECT floor, epoch FROM epochs FINAL WHERE stream = 'call' ORDER BY _ver DESC)
) AS switches
SELECT *
FROM contacts FINAL
WHERE epoch = greatest(
        arrayFirst(s -> s.1 <= toDate(coalesce(first_enqueued_at, first_answered_at, last_event_at)), switches).2, 1)
    AND (tenant, initial_contact_id) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'call');

CREATE VIEW IF NOT EXISTS legs_now AS
WITH (
    SELECT groupArray((floor, epoch))
    FROM (SELECT floor, epoch FROM epochs FINAL WHERE stream = 'call' ORDER BY _ver DESC)
) AS switches
SELECT *
FROM legs FINAL
WHERE epoch = greatest(
        arrayFirst(s -> s.1 <= toDate(coalesce(enqueued_at, answered_at, initiated_at)), switches).2, 1)
    AND (tenant, initial_contact_id) NOT IN (SELECT tenant, entity FROM erasures WHERE stream = 'call');

-- Legs whose facts contradict each other: in no metric until a correction frees them.
CREATE VIEW IF NOT EXISTS quarantine AS SELECT * FROM legs_now WHERE contradiction != '';

CREATE VIEW IF NOT EXISTS rejected_now AS SELECT * FROM rejected FINAL;

CREATE VIEW IF NOT EXISTS revisions_now AS SELECT * FROM revisions FINAL;

-- One row per event name and hour of its time. A name sent again with another time is another row:
-- a rebuild takes `ORDER BY _ver DESC LIMIT 1 BY tenant, source, event_id`. The erasing event itself
-- stays, it holds nothing but ids, and a rebuild needs it.
CREATE VIEW IF NOT EXISTS raw_events_now AS
SELECT *
FROM raw_events FINAL
WHERE type = concat('pulse.', stream, '.deleted')
    OR (tenant, stream, entity) NOT IN (SELECT tenant, stream, entity FROM erasures);
