-- Tables of the sink. Every row is absolute: the same record again writes the same row, so redelivery,
-- replay and any split into batches give the same table. `_ver` is the offset of the record that carried
-- the row. Nobody queries tables: read the views, which have FINAL inside.

-- Which epoch of a stream is valid from which date. Filled from the topic of epochs; a stream without a
-- row is in its first epoch. The newest switch (`_ver`) that begins at or before a date holds.
CREATE TABLE IF NOT EXISTS epochs (
    stream LowCardinality(String),
    epoch UInt32,
    floor Date,
    topics String,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver)
ORDER BY (stream, epoch);

-- What the sink was told is declared: the histogram bounds behind a `v_format`, and `stuck_after`.
-- The version is the clock of the declaration: a declaration has no offset.
CREATE TABLE IF NOT EXISTS definitions (
    v_format UInt16,
    format String,
    bounds_ms Array(Int64),
    stuck_after_ms Int64,
    declared_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(declared_at)
ORDER BY v_format;

-- Audit, reconciliation and the source of rebuilds: one row per event name, bytes as they came.
CREATE TABLE IF NOT EXISTS raw_events (
    tenant LowCardinality(String),
    source LowCardinality(String),
    event_id String,
    stream LowCardinality(String),
    type LowCardinality(String),
    entity String,
    account String,
    ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    payload String CODEC(ZSTD(3)),
    _partition UInt16,
    _offset UInt64 CODEC(Delta, ZSTD(1)),
    _appended_at DateTime64(3, 'UTC'),
    _ver UInt64,
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(_ver)
-- The month is a function of the key's hour: replacing never crosses partitions, so it must be.
PARTITION BY toYYYYMM(ts)
-- `ts` by the hour keeps a day's events together; the same name with another hour is another row.
ORDER BY (tenant, stream, toStartOfHour(ts), source, event_id)
-- Usage, subscription, account and agent are rebuilt from their first event and are kept for ever.
TTL toDateTime(ts) + INTERVAL 400 DAY DELETE WHERE stream IN ('call', 'ticket', 'survey')
SETTINGS ttl_only_drop_parts = 0;

-- The value of one bucket in one source partition. `v`: the family's counters, then its histograms'
-- bins (`v_format` names their bounds). Grain `level`: pairs start_ms, count of what has been there
-- since those 10 seconds. A bucket that was taken back is a vector of zeros.
CREATE TABLE IF NOT EXISTS buckets (
    stream LowCardinality(String),
    grain LowCardinality(String),
    family LowCardinality(String),
    tenant LowCardinality(String),
    dims String,
    epoch UInt32,
    start DateTime('UTC'),
    src_partition UInt16,
    v Array(Int64),
    v_format UInt16,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver)
-- Both parts are in the key. Live buckets go by whole days, days and levels are few.
PARTITION BY (grain, if(grain = 'live', toYYYYMMDD(start), toYYYYMM(start)))
-- A question names family, tenant, grain and a stretch of time; epochs stand side by side; one bucket
-- has a row per source partition because the keys of one queue lie in several. The stream follows from
-- family and dims, and `v_format` must be replaced, so neither is in the key.
ORDER BY (family, tenant, grain, epoch, start, dims, src_partition)
TTL start + INTERVAL 90 DAY DELETE WHERE grain = 'live'
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1;

-- One row per contact chain: merged facts. No partition by time: the times are facts that still move.
CREATE TABLE IF NOT EXISTS contacts (
    tenant LowCardinality(String),
    initial_contact_id String,
    epoch UInt32,
    src_partition UInt16,
    channel LowCardinality(String),
    direction LowCardinality(String),
    queue LowCardinality(String),
    path LowCardinality(String),
    first_enqueued_at Nullable(DateTime64(3, 'UTC')),
    first_callback_requested_at Nullable(DateTime64(3, 'UTC')),
    first_answered_at Nullable(DateTime64(3, 'UTC')),
    first_talk_at Nullable(DateTime64(3, 'UTC')),
    customer_ref String,
    account String,
    legs UInt16,
    contradiction LowCardinality(String),
    last_event_at DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- Identity alone: an epoch under construction must not replace the live row.
ORDER BY (tenant, initial_contact_id, epoch);

-- One row per stay in a queue. A deleted row (key only) stays, or a late older row would revive it.
CREATE TABLE IF NOT EXISTS legs (
    tenant LowCardinality(String),
    initial_contact_id String,
    contact_id String,
    leg String,
    epoch UInt32,
    src_partition UInt16,
    queue LowCardinality(String),
    channel LowCardinality(String),
    direction LowCardinality(String),
    callback UInt8,
    initiated_at Nullable(DateTime64(3, 'UTC')),
    queued_at Nullable(DateTime64(3, 'UTC')),
    enqueued_at Nullable(DateTime64(3, 'UTC')),
    answered_at Nullable(DateTime64(3, 'UTC')),
    talk_started_at Nullable(DateTime64(3, 'UTC')),
    callback_requested_at Nullable(DateTime64(3, 'UTC')),
    transferred_at Nullable(DateTime64(3, 'UTC')),
    flowed_out_at Nullable(DateTime64(3, 'UTC')),
    abandoned_at Nullable(DateTime64(3, 'UTC')),
    left_at Nullable(DateTime64(3, 'UTC')),
    ended_at Nullable(DateTime64(3, 'UTC')),
    outcome LowCardinality(String),
    wait_ms Nullable(Int64),
    answered_by LowCardinality(String),
    agent_id String,
    to_queue LowCardinality(String),
    attempt_outcome LowCardinality(String),
    end_reason LowCardinality(String),
    contradiction LowCardinality(String),
    deleted UInt8 DEFAULT 0,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver, deleted)
-- A chain's legs lie together; a leg is named by contact and leg; epochs stand side by side.
ORDER BY (tenant, initial_contact_id, contact_id, leg, epoch);

-- Records no event could be made of, as the worker judged them; with raw_events they add up to the topic.
CREATE TABLE IF NOT EXISTS rejected (
    topic LowCardinality(String),
    partition UInt16,
    offset UInt64,
    appended_at DateTime64(3, 'UTC'),
    reason LowCardinality(String),
    detail String,
    version LowCardinality(String),
    size UInt64,
    sha256 String,
    value String CODEC(ZSTD(3)),
    _dlq_partition UInt16,
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver)
-- The place of the record in its source topic names it: a second judgement replaces the first.
ORDER BY (topic, partition, offset)
TTL toDateTime(appended_at) + INTERVAL 400 DAY;

-- Entities that were erased. No view shows anything of them, whatever arrives again or late; a purge
-- removes what tables still hold. Any two rows of a key say the same, so it needs no version.
CREATE TABLE IF NOT EXISTS erasures (
    tenant LowCardinality(String),
    stream LowCardinality(String),
    entity String
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, stream, entity);

-- Changes of buckets after their time, each with its cause: what was shown at 10:05, and what is true.
CREATE TABLE IF NOT EXISTS revisions (
    stream LowCardinality(String),
    grain LowCardinality(String),
    family LowCardinality(String),
    tenant LowCardinality(String),
    dims String,
    epoch UInt32,
    start DateTime('UTC'),
    src_partition UInt16,
    cause LowCardinality(String),
    v Array(Int64),
    v_format UInt16,
    changed_at DateTime64(3, 'UTC'),
    _ver UInt64
) ENGINE = ReplacingMergeTree(_ver)
-- Partitioned like the buckets it speaks of; `_ver` in the key keeps every change, and each once.
PARTITION BY (grain, toYYYYMM(start))
ORDER BY (family, tenant, grain, epoch, start, dims, src_partition, _ver)
TTL start + INTERVAL 400 DAY;
