"""What the tables keep when records come again, late, or to take something back."""

import random
import re
import shutil
import time
from pathlib import Path

import pytest

from pipeline.metrics.catalogue import METRICS
from pipeline.share import shared_file
from pipeline.sink.clickhouse import MissingTableError, Store, open_client
from pipeline.sink.event_rows import source_rows
from pipeline.sink.migrate import MigrationError, migrate, migration_status
from pipeline.sink.tables import TABLES
from tests.builders import event, ms, raw
from tests.sink.test_views import a_day
from tests.sink.told import log_of, rows_of, source_record

STATE = ("contacts_now", "legs_now", "buckets_now", "levels_now", "revisions_now")


def everything(engine, views=STATE):
    return {view: engine.query("SELECT * FROM {v:Identifier} ORDER BY ALL", v=view) for view in views}


def the(engine, sql, **parameters):
    (row,) = engine.query(sql, **parameters)
    return row


def some_commits(seed=7):
    events = a_day(seed)
    return [events[first : first + 30] for first in range(0, len(events), 30)]


def test_every_column_is_in_its_table_and_in_order(engine):
    for table in TABLES:
        rows = engine.query(
            "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
            " AND default_kind = '' OR database = currentDatabase() AND table = {t:String} AND name = 'deleted'"
            " ORDER BY position",
            t=table.name,
        )
        assert tuple(row["name"] for row in rows) == table.columns


def test_keys_and_versions_are_those_of_the_tables(engine):
    for table in TABLES:
        row = the(
            engine,
            "SELECT sorting_key, engine_full FROM system.tables"
            " WHERE database = currentDatabase() AND name = {t:String}",
            t=table.name,
        )
        key = re.sub(r"toStartOfHour\((\w+)\)", r"\1", row["sorting_key"])
        assert key.split(", ") == [table.columns[place] for place in table.key]
        assert row["engine_full"].startswith("ReplacingMergeTree")
        if "_ver" in table.columns:
            assert row["engine_full"].startswith("ReplacingMergeTree(_ver")


def test_every_call_metric_of_a_window_has_a_view(engine):
    views = {row["name"] for row in engine.query("SELECT name FROM system.tables WHERE engine = 'View'")}
    calls = {name for name, metric in METRICS.items() if metric.stream == "call" and not metric.is_level}
    # Percentiles cannot be rolled up from days: asa_percentiles takes them from facts.
    assert calls - views == {"asa_p50", "asa_p90", "asa_p99"}
    assert "asa_percentiles" in views


def test_redelivery_in_any_order_gives_the_same_table(engine, write):
    """Batches of any size, repeated, the later before the earlier."""
    rows = rows_of(log_of(some_commits()), accept_slice=True)
    write(rows)
    once = everything(engine)
    assert once["legs_now"]
    assert once["buckets_now"]
    for name in (table.name for table in TABLES):
        engine.command(f"TRUNCATE TABLE {name}")
    rng = random.Random(1)
    pieces = [rows[first : first + 37] for first in range(0, len(rows), 37)]
    for piece in rng.sample(pieces, len(pieces)):
        write(piece)
        if rng.random() < 0.3:
            write(rng.choice(pieces))
    assert everything(engine) == once


def test_an_older_row_after_the_newer_one_changes_nothing(engine, write):
    log = log_of([[event("queued", 0)], [event("answered", 9)]])
    write(rows_of(log[-1:] + log[len(log) // 2 :]))
    write(rows_of(log))
    before = everything(engine)
    write(rows_of(log[:2]))
    assert everything(engine) == before
    assert the(engine, "SELECT outcome FROM legs_now")["outcome"] == "answered"


def test_equal_versions_are_one_row(engine, write):
    rows = rows_of(log_of([[event("queued", 0)]]))
    for _ in range(3):
        write(rows)
    assert the(engine, "SELECT count() AS n FROM legs FINAL")["n"] == 1
    assert the(engine, "SELECT v[1] AS n FROM buckets_now WHERE grain = 'day'")["n"] == 1


def test_a_deleted_row_is_not_revived_by_an_older_one(engine, write):
    """A correction moves the leg's only fact to another leg."""
    first = [event("queued", 0, leg="l1", id="e1")]
    second = [event("queued", 0, leg="l2", id="e2", corrects="e1")]
    log = log_of([first, second])
    write(rows_of(log))
    write(rows_of(log[:2]))
    assert [row["leg"] for row in engine.query("SELECT leg FROM legs_now")] == ["l2"]
    engine.command("OPTIMIZE TABLE legs FINAL")
    write(rows_of(log[:2]))
    assert [row["leg"] for row in engine.query("SELECT leg FROM legs_now")] == ["l2"]


def test_a_retracted_bucket_reads_empty(engine, write):
    log = log_of(
        [
            [event("queued", 0, id="e1"), event("abandoned", 9, id="e2")],
            [event("voided", 9, corrects="e1"), event("voided", 9, corrects="e2")],
        ]
    )
    write(rows_of(log))
    assert engine.query("SELECT * FROM buckets_now") == []
    assert engine.query("SELECT * FROM abandoned") == []
    assert the(engine, "SELECT count() AS n FROM buckets FINAL WHERE grain = 'day'")["n"] >= 1
    causes = {row["cause"] for row in engine.query("SELECT cause FROM revisions_now")}
    assert causes == {"corrected"}


def test_buckets_of_two_partitions_are_summed(engine, write):
    write(rows_of(log_of([[event("queued", 0, contact="a")]], number=0)))
    write(rows_of(log_of([[event("queued", 0, contact="b")]], number=1)))
    assert the(engine, "SELECT value FROM offered")["value"] == 2


def test_epochs_stand_side_by_side_until_the_switch(engine, write):
    """Epoch 2 begins on 2026-03-02 and knows one leg less; its rows are at lower offsets."""
    old, late = (
        [event("queued", -86_400, contact="y")],
        [event("queued", 0, contact="a"), event("queued", 1, contact="b")],
    )
    write(rows_of(log_of([old + late], first=500)))
    write(rows_of(log_of([[event("queued", 0, contact="a")]], epoch=2)))

    def offered():
        return [row["value"] for row in engine.query("SELECT value FROM offered ORDER BY day")]

    assert offered() == [1, 2]
    engine.command("INSERT INTO epochs VALUES ('call', 2, '2026-03-02', 'pulse.call.state.2', 10)")
    assert offered() == [1, 1]
    assert [row["contact_id"] for row in engine.query("SELECT contact_id FROM legs_now ORDER BY ALL")] == [
        "a",
        "y",
    ]
    assert the(engine, "SELECT sum(n) AS n FROM levels_now")["n"] == 1
    engine.command("INSERT INTO epochs VALUES ('call', 1, '1970-01-01', 'pulse.call.state', 11)")
    assert offered() == [1, 2]


def test_raw_events_keep_the_newest_of_a_name(engine, write):
    said = event("queued", 0, id="e1")
    write(source_rows(source_record(said, 5), "call"))
    write(source_rows(source_record({**said, "data": {**said["data"], "queue_id": "z"}}, 9), "call"))
    write(source_rows(source_record(said, 5), "call"))
    row = the(engine, "SELECT _offset, payload, ts, entity FROM raw_events_now")
    assert row["_offset"] == 9
    assert '"queue_id": "z"' in row["payload"]
    assert row["ts"].timestamp() * 1000 == ms(0) or row["ts"].replace(tzinfo=None).isoformat().startswith(
        "2026-03-02T09:00"
    )


def test_an_erased_person_is_nowhere_and_stays_so(engine, write, store):
    """The events come again after the erasure; only the erasing event itself is kept."""
    told = [event("queued", 0, customer_ref="cu"), event("answered", 5), event("queued", 0, contact="other")]
    write(
        [row for offset, said in enumerate(told) for row in source_rows(source_record(said, offset), "call")]
    )
    write(rows_of(log_of([told])))
    write(source_rows(source_record(event("deleted", 9), 3), "call"))
    for _ in range(2):
        kinds = [row["type"] for row in engine.query("SELECT type FROM raw_events_now ORDER BY type")]
        assert kinds == ["pulse.call.deleted", "pulse.call.queued"]
        assert [row["contact_id"] for row in engine.query("SELECT contact_id FROM legs_now")] == ["other"]
        assert [row["initial_contact_id"] for row in engine.query("SELECT * FROM contacts_now")] == ["other"]
        write(source_rows(source_record(told[0], 0), "call"))
    store.purge()
    for _ in range(100):
        left = the(
            engine,
            "SELECT (SELECT count() FROM raw_events WHERE entity = 'c' AND NOT endsWith(type, '.deleted'))"
            " + (SELECT count() FROM legs WHERE contact_id = 'c')"
            " + (SELECT count() FROM contacts WHERE customer_ref = 'cu') AS n",
        )["n"]
        if not left:
            break
        time.sleep(0.05)
    assert left == 0


def test_bytes_and_names_of_any_kind_are_kept(engine, write):
    name = "a\x00b é\u2028"
    write(rows_of(log_of([[event("queued", 0, contact=name, queue_id=name)]])))
    assert the(engine, "SELECT contact_id, queue FROM legs_now") == {"contact_id": name, "queue": name}
    assert the(engine, "SELECT queue FROM offered")["queue"] == name


def test_wild_clocks_make_many_partitions_and_one_insert(engine, write):
    """Every month from 2000 to 2099, in one batch."""
    months = [f"{year}-{month:02}-01T00:00:00Z" for year in range(2000, 2100, 3) for month in (1, 4, 7, 10)]
    rows = [
        row
        for place, at in enumerate(months)
        for row in source_rows(
            source_record(raw({**event("queued", id=str(place)), "time": at}), place, 4_102_444_800_000),
            "call",
        )
    ]
    engine.command("SYSTEM STOP MERGES raw_events")
    write(rows)
    assert the(engine, "SELECT count() AS n FROM raw_events_now")["n"] == len(months) > 100
    engine.command("SYSTEM START MERGES raw_events")


def test_migrating_again_does_nothing(engine):
    assert migrate(engine.settings) == []
    assert {step.state for step in migration_status(engine.settings)} == {"applied"}


def test_an_edited_migration_is_refused(engine, tmp_path):
    folder = shutil.copytree(shared_file("deploy/clickhouse"), tmp_path / "clickhouse")
    first = min(Path(folder).iterdir())
    first.write_text(first.read_text() + "-- edited\n")
    with pytest.raises(MigrationError, match="never edited"):
        migrate(engine.settings, Path(folder))


def test_a_column_that_is_missing_is_told_at_the_start(engine, store):
    store.check()
    engine.command("ALTER TABLE rejected RENAME COLUMN sha256 TO sha")
    try:
        with pytest.raises(MissingTableError, match=r"rejected\.sha256: run `pulse migrate`"):
            store.check()
    finally:
        engine.command("ALTER TABLE rejected RENAME COLUMN sha TO sha256")


def test_a_table_that_would_count_twice_is_refused_at_the_start(engine, store):
    engine.command("RENAME TABLE erasures TO erasures_away")
    engine.command("CREATE TABLE erasures ENGINE = MergeTree ORDER BY tenant AS SELECT * FROM erasures_away")
    try:
        with pytest.raises(MissingTableError, match="erasures: not a ReplacingMergeTree"):
            store.check()
    finally:
        engine.command("DROP TABLE erasures SYNC")
        engine.command("RENAME TABLE erasures_away TO erasures")


def test_the_newest_offset_is_known_per_epoch_and_partition(engine, write, store):
    write(rows_of(log_of([[event("queued", 0)]], number=2, epoch=4, first=90)))
    assert isinstance(store, Store)
    assert store.last_version("call", 4, 2) == 91
    assert store.last_version("call", 1, 2) is None


def test_the_settings_the_rows_rely_on_are_sent(engine):
    client = open_client(engine.settings)
    found = client.query("SELECT getSetting('deduplicate_insert'), getSetting('async_insert')").result_rows[0]
    client.close()
    assert found == ("disable", False)
