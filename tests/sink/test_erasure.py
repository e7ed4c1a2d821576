"""An erased entity is in no view and in no table: every stream, every kind of event, every view there is."""

import json
import re
import time
from pathlib import Path

import pytest

from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, ENTITY_TABLES, OF_ENTITIES, RAW_EVENTS
from pipeline.state.kinds import KINDS
from tests.builders import UNDECLARED
from tests.sink.told import rows_of_streams

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
KEYS = {
    "call": "initial_contact_id",
    "ticket": "ticket_id",
    "survey": "survey_id",
    "agent": "agent_id",
}
"""The field of `data` that names the entity; the other streams are keyed by `accountid`."""
MARK = "gone"
"""Stands in every name and reference of the entity, and nowhere else."""
ARGUMENTS = {
    "from": "'2020-01-01 00:00:00'", "to": "'2030-01-01 00:00:00'", "at": "'2027-01-01 00:00:00'", "core": "[]",
    "unit": "'user'", "period": "'day'", "since": "'first_use'", "recognition": "'effective'", "last": "'2026-04-01'", ("first", "Date"): "'2026-01-01'",
    "first": "'2026-01-01 00:00:00'",
}  # fmt: skip
PLACES = ("queue_id", "to_queue_id", "group_id")
"""Queues and groups are no part of an entity: the log of revisions goes on naming them."""


def of_entity(stream):
    """One of each example of the stream, told of one entity, whose names and references all bear the mark."""
    told = []
    for path in sorted((EXAMPLES / stream).glob("*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        if event["type"].endswith(("voided", "deleted")) or "corrects" in event:
            continue
        event |= {"id": path.stem, "tenantid": "t", "accountid": MARK}
        event["data"] = {name: marked(name, said) for name, said in event["data"].items()}
        if stream in KEYS:
            event["data"] |= {KEYS[stream]: MARK}
        if stream == "call":
            event["data"] |= {"contact_id": MARK, "leg": MARK}
        told.append(event)
    return told


def marked(name, said):
    is_reference = name.endswith(("_ref", "_id")) or name in ("ref", "owner", "into", "same_as")
    return f"{MARK}-{name}" if is_reference and name not in PLACES and said is not None else said


def erasure_of(stream):
    data = {KEYS[stream]: MARK} if stream in KEYS else {}
    data |= {"contact_id": MARK} if stream == "call" else {}
    envelope = {"specversion": "1.0", "source": "/s", "time": "2026-06-01T00:00:00Z", "tenantid": "t"}
    keyed = {"accountid": MARK} if stream not in KEYS else {}
    return {**envelope, **keyed, "id": "erase", "type": f"pulse.{stream}.deleted", "data": data}


def views_over(engine, stream):
    """Every view that reads what the stream's rows are in, also through others, with arguments for its parameters."""
    rows = engine.query(
        "SELECT name, create_table_query AS said FROM system.tables"
        " WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
    )
    reached = {RAW_EVENTS.name, *(table for table, owner, _ in OF_ENTITIES if owner == stream)}
    for _ in rows:
        reading = re.compile(rf"\b({'|'.join(sorted(reached))})\b")
        reached |= {row["name"] for row in rows if reading.search(row["said"])}
    for row in rows:
        wanted = dict(re.findall(r"\{(\w+)\s*:\s*(\w+)", row["said"]))
        if row["name"] in reached:
            given = ", ".join(f"{name} = {argument(name, kind)}" for name, kind in wanted.items())
            yield row["name"], f"{row['name']}({given})" if given else row["name"]


def test_views_over_a_stream_are_found_through_others(engine):
    found = {name for name, _ in views_over(engine, "ticket")}
    assert found >= {
        "tickets_now",
        "tickets_at",
        "backlog",
        "account_support_at",
        "account_360",
        "raw_events_now",
    }
    assert not found & {"legs_now", "staff_window", "mrr"}


def argument(name, kind):
    return ARGUMENTS.get((name, kind)) or ARGUMENTS.get(name, "1")


def shown(engine, stream):
    """The views that show the entity. Of events as they came the erasing one may, it is all ids."""
    found = set()
    for name, view in views_over(engine, stream):
        where = " WHERE NOT endsWith(type, '.deleted')" if name == "raw_events_now" else ""
        if any(MARK in str(row) for row in engine.query(f"SELECT * FROM {view}{where}")):
            found.add(name)
    return found


@pytest.mark.parametrize("stream", sorted(KINDS))
def test_every_example_of_an_erased_entity_is_in_no_view_and_no_table(engine, write, store, stream):
    store.insert(DEFINITIONS, [declaration(UNDECLARED, 1)])
    told = of_entity(stream)
    write(rows_of_streams([told], UNDECLARED))
    assert len(shown(engine, stream)) > 1
    assert engine.query("SELECT * FROM raw_events_now WHERE entity != {m:String}", m=MARK) == []
    write(rows_of_streams([told, [erasure_of(stream)], told], UNDECLARED))
    assert shown(engine, stream) == set()
    counted = engine.query("SELECT DISTINCT family FROM buckets_now WHERE family != 'late'")
    assert counted == [], "absent, not zero"
    assert engine.query("SELECT * FROM levels_now") == []
    store.purge()
    assert settles(lambda: kept(engine) == {("raw_events", f"pulse.{stream}.deleted")})
    assert store_says(engine, stream) == [MARK]


def settles(condition, seconds=30):
    """The server removes in the background."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def kept(engine):
    """Where the mark still is, but for keys of rows that say `deleted` and the list of erasures."""
    found = set()
    for table in ENTITY_TABLES:
        rows = engine.query(f"SELECT * FROM {table.name} WHERE deleted = 0")
        found |= {(table.name, "") for row in rows if MARK in str(row)}
        for row in engine.query(f"SELECT * FROM {table.name} WHERE deleted = 1"):
            keys = {table.columns[place] for place in table.key}
            found |= {
                (table.name, name) for name, value in row.items() if name not in keys and MARK in str(value)
            }
    rows = engine.query(f"SELECT type, payload, entity FROM {RAW_EVENTS.name}")
    return found | {(RAW_EVENTS.name, row["type"]) for row in rows if MARK in str(row)}


def store_says(engine, stream):
    rows = engine.query("SELECT entity FROM erasures FINAL WHERE stream = {s:String}", s=stream)
    return [row["entity"] for row in rows]


@pytest.mark.parametrize("stream", sorted(KINDS))
def test_an_erasure_that_comes_first_holds_for_what_comes_after(engine, write, stream):
    write(rows_of_streams([[erasure_of(stream)], of_entity(stream)], UNDECLARED))
    assert shown(engine, stream) == set()
    assert engine.query("SELECT DISTINCT family FROM buckets_now WHERE family != 'late'") == []


def test_another_entity_of_the_tenant_stays(engine, write):
    other = json.loads(json.dumps(of_entity("ticket")).replace(MARK, "stays"))
    write(rows_of_streams([of_entity("ticket"), other, [erasure_of("ticket")]], UNDECLARED))
    assert [row["ticket_id"] for row in engine.query("SELECT ticket_id FROM tickets_now")] == ["stays"]
    entities = {row["entity"] for row in engine.query("SELECT entity FROM raw_events_now")}
    assert entities == {"stays", MARK}
