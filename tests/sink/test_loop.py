"""The whole sink on a real broker and a real engine: transactions, slices, restarts, lost records."""

import time
from collections.abc import Callable, Iterator

import pytest
from kafka import TopicPartition

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.settings import Settings
from pipeline.sink.loop import Sink
from pipeline.sink.status import State
from pipeline.state.codec import write_header
from tests.builders import UNDECLARED, event, raw
from tests.sink.told import log_of, rows_of

SECONDS = 60


@pytest.fixture
def settings(own_kafka, engine) -> Settings:
    made = Settings(
        streams=("call",),
        kafka=own_kafka.model_dump(),
        sink=engine.settings.model_dump() | {"url": engine.settings.url},
    )
    admin = Clients(own_kafka).admin()
    create_missing(admin, declared_topics(own_kafka.topic_prefix, ["call"]), local=True)
    admin.close()
    return made


@pytest.fixture
def start(settings) -> Iterator[Callable[[], Sink]]:
    started: list[Sink] = []

    def begin(**sink) -> Sink:
        changed = settings.model_copy(update={"sink": settings.sink.model_copy(update=sink)})
        started.append(Sink(changed, UNDECLARED))
        started[-1].start()
        return started[-1]

    yield begin
    for one in started:
        assert one.stop()


@pytest.fixture
def clients(own_kafka) -> Clients:
    return Clients(own_kafka)


def state_topic(settings):
    return f"{settings.kafka.topic_prefix}.call.state"


async def commit(clients, settings, log, *, partition=0, abort=False):
    """Write records of a log as one transaction of its owner; answers the offset of the last."""
    producer = clients.aio_producer(transactional_id=f"{settings.kafka.group}-{partition}-{abort}")
    async with running(producer):
        await producer.begin_transaction()
        sent = [
            await producer.send(state_topic(settings), one.value, partition=partition, headers=one.headers)
            for one in log
        ]
        offsets = [(await future).offset for future in sent]
        await (producer.abort_transaction() if abort else producer.commit_transaction())
    return offsets[-1]


def send(clients, topic, *values, partition=0, headers=None):
    producer = clients.producer()
    sent = [producer.send(topic, value=value, partition=partition, headers=headers) for value in values]
    producer.flush()
    offset = sent[-1].get(timeout=SECONDS).offset
    producer.close(timeout=5)
    return offset


def legs(engine):
    return [row["contact_id"] for row in engine.query("SELECT contact_id FROM legs_now ORDER BY contact_id")]


def wait_for(condition, seconds=SECONDS):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def slices(log):
    return [one._replace(headers=[*one.headers, ("slice", b"1")]) for one in log]


async def test_committed_records_become_rows_and_aborted_ones_do_not(engine, clients, settings, start):
    await commit(clients, settings, log_of([[event("queued", 0, contact="undone")]]), abort=True)
    last = await commit(
        clients, settings, log_of([[event("queued", 0, contact="a"), event("answered", 7, contact="a")]])
    )
    sink = start()
    assert sink.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == ["a"]
    (row,) = engine.query(
        "SELECT value, n FROM asa_queue WHERE definition = 'enqueued' AND counted_by = 'leave'"
    )
    assert (row["value"], row["n"]) == (7, 1)
    assert sink.status.state is State.RUNNING
    assert sink.status.is_healthy(time.time())


async def test_source_events_and_dead_letters_become_rows(engine, clients, settings, start):
    prefix = settings.kafka.topic_prefix
    last = send(clients, f"{prefix}.call", raw(event("queued", 0)), b"no json", raw(event("answered", 3)))
    letter = send(
        clients,
        f"{prefix}.dlq",
        b"no json",
        headers=[
            ("topic", f"{prefix}.call".encode()),
            ("partition", b"0"),
            ("offset", b"1"),
            ("reason", b"not_json"),
            ("timestamp", b"1772442000000"),
        ],
    )
    sink = start()
    assert sink.wait_past(f"{prefix}.call", 0, last, SECONDS)
    assert sink.wait_past(f"{prefix}.dlq", 0, letter, SECONDS)
    kept = engine.query(
        "SELECT _offset AS o FROM raw_events_now UNION ALL SELECT offset AS o FROM rejected_now"
    )
    assert sorted(row["o"] for row in kept) == [0, 1, 2]


async def test_without_raw_events_the_source_is_left_alone(engine, clients, settings, start):
    send(clients, f"{settings.kafka.topic_prefix}.call", raw(event("queued", 0)))
    last = await commit(clients, settings, log_of([[event("queued", 0)]]))
    sink = start(raw_events=False)
    assert sink.wait_past(state_topic(settings), 0, last, SECONDS)
    assert engine.query("SELECT * FROM raw_events_now") == []
    assert not [place for place in sink.status.positions if place[0].endswith(".call")]


async def test_slices_count_only_where_the_group_begins(engine, clients, settings, start):
    """The log begins with a slice of a leg whose change was trimmed; later slices repeat what is known."""
    log = log_of([[event("queued", 0, contact="old")]])
    last = await commit(clients, settings, slices(log))
    first = start()
    assert first.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == ["old"]
    last = await commit(clients, settings, slices(log_of([[event("queued", 0, contact="later")]])))
    assert first.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == ["old"]
    assert first.stop()
    second = start()
    last = await commit(clients, settings, slices(log_of([[event("queued", 0, contact="again")]])))
    assert second.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == ["old"]


async def test_a_restart_goes_on_with_the_slices_it_had_begun(engine, clients, settings, start):
    """Stopped half-way through the first reading, it must not skip the rest of the snapshot."""
    await commit(clients, settings, slices(log_of([[event("queued", 0, contact="a")]])))
    middle = await commit(clients, settings, slices(log_of([[event("queued", 0, contact="b")]])))
    last = await commit(clients, settings, slices(log_of([[event("queued", 0, contact="c")]])))
    admin = clients.consumer(group_id=f"{settings.kafka.group}.sink")
    from kafka.structs import OffsetAndMetadata

    place = TopicPartition(state_topic(settings), 0)
    admin.assign([place])
    admin.commit({place: OffsetAndMetadata(middle + 2, f"slices<{last + 1}", -1)})
    admin.close(autocommit=False)
    sink = start()
    assert sink.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == ["c"]


async def test_a_restart_loses_nothing_and_repeats_nothing_visible(engine, clients, settings, start):
    log = log_of([[event("queued", at, contact=f"c{at}")] for at in range(6)])
    await commit(clients, settings, log[:6])
    sink = start()
    wait_for(lambda: legs(engine))
    assert sink.stop()
    assert sink.failure is None
    last = await commit(clients, settings, log[6:])
    again = start()
    assert again.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == [f"c{at}" for at in range(6)]
    expected = {row[-1] for _, row in rows_of(log)}
    assert expected
    assert (
        engine.query("SELECT sum(v[1]) AS n FROM buckets_now WHERE family = 'cohort' AND grain = 'day'")[0][
            "n"
        ]
        == 6
    )


async def test_records_trimmed_unread_stop_the_line(clients, settings, start):
    log = log_of([[event("queued", at, contact=f"c{at}")] for at in range(3)])
    last = await commit(clients, settings, log[:2])
    sink = start()
    assert sink.wait_past(state_topic(settings), 0, last, SECONDS)
    assert sink.stop()
    beyond = await commit(clients, settings, log)
    admin = clients.admin()
    admin.delete_records({TopicPartition(state_topic(settings), 0): beyond})
    admin.close()
    stopped = start()
    wait_for(lambda: not stopped.is_alive)
    assert stopped.status.state is State.STOPPED
    assert "before the sink read them" in stopped.status.reason
    assert not stopped.status.is_healthy(time.time())


async def test_a_log_made_anew_under_the_same_epoch_stops_the_line(engine, clients, settings, start):
    engine.command(
        "INSERT INTO buckets (stream, grain, family, tenant, epoch, src_partition, _ver) VALUES ('call', 'day', 'leave', 't', 1, 0, 5000)"
    )
    await commit(clients, settings, log_of([[event("queued", 0)]]))
    sink = start()
    wait_for(lambda: not sink.is_alive)
    assert "made anew" in (sink.failure or "")
    assert legs(engine) == []


async def test_a_record_of_no_state_log_stops_the_line(clients, settings, start):
    send(clients, state_topic(settings), b"\x90", headers=[("kind", b"buckets")])
    sink = start()
    wait_for(lambda: not sink.is_alive)
    assert "at offset 0: not a state-log record" in (sink.failure or "")


async def test_a_missing_migration_stops_the_line_and_names_the_command(engine, start):
    engine.command("RENAME TABLE legs TO legs_away")
    try:
        sink = start()
        wait_for(lambda: not sink.is_alive)
        assert "pulse migrate" in (sink.failure or "")
    finally:
        engine.command("RENAME TABLE legs_away TO legs")


async def test_a_refused_event_goes_to_the_sinks_dead_letters(engine, clients, settings, start):
    engine.command("ALTER TABLE raw_events ADD CONSTRAINT no_x CHECK event_id != 'x'")
    prefix = settings.kafka.topic_prefix
    try:
        bad = raw(event("queued", 1, id="x"))
        last = send(
            clients, f"{prefix}.call", raw(event("queued", 0, id="a")), bad, raw(event("answered", 3, id="b"))
        )
        sink = start()
        assert sink.wait_past(f"{prefix}.call", 0, last, SECONDS)
        assert sink.status.refused_rows == 1
        assert [
            row["event_id"] for row in engine.query("SELECT event_id FROM raw_events_now ORDER BY event_id")
        ] == ["a", "b"]
        reader = clients.consumer(
            f"{prefix}.sink.dlq", auto_offset_reset="earliest", consumer_timeout_ms=SECONDS * 1000
        )
        record = next(iter(reader))
        reader.close()
        headers = dict(record.headers)
        assert record.value == bad
        assert (headers["topic"], headers["offset"], headers["table"]) == (
            f"{prefix}.call".encode(),
            b"1",
            b"raw_events",
        )
    finally:
        engine.command("ALTER TABLE raw_events DROP CONSTRAINT no_x")


async def refused_for_a_while(engine, clients, settings, start, code, setting):
    """Records meet a table that takes nothing; then it does again. Answers the sink after all."""
    engine.command(f"ALTER TABLE legs MODIFY SETTING {setting}")
    try:
        last = await commit(clients, settings, log_of([[event("queued", 0, contact="a")]]))
        sink = start()
        wait_for(lambda: sink.status.state is State.RETRYING)
        assert code in sink.status.retries
        assert sink.status.positions.get((state_topic(settings), 0), 0) == 0
        later = await commit(clients, settings, log_of([[event("queued", 0, contact="b")]]))
        assert later > last
    finally:
        names = [each.partition(" = ")[0] for each in setting.split(", ")]
        engine.command(f"ALTER TABLE legs RESET SETTING {', '.join(names)}")
    assert sink.wait_past(state_topic(settings), 0, later, SECONDS)
    assert legs(engine) == ["a", "b"]
    assert sink.status.state is State.RUNNING
    assert sink.status.refused_rows == 0


async def test_a_busy_server_is_waited_for_and_everything_lands(engine, clients, settings, start):
    """Too many parts, for real: nothing is skipped, the group is kept, positions stand still."""
    engine.command("SYSTEM STOP MERGES legs")
    try:
        for _ in range(2):
            engine.command("INSERT INTO legs (tenant, deleted) VALUES ('full', 1)")
        setting = "parts_to_throw_insert = 1, parts_to_delay_insert = 0"
        await refused_for_a_while(engine, clients, settings, start, "252", setting)
    finally:
        engine.command("SYSTEM START MERGES legs")


async def test_a_server_without_room_on_its_disk_is_waited_for_too(engine, clients, settings, start):
    setting = "min_free_disk_bytes_to_perform_insert = 1e18"
    await refused_for_a_while(engine, clients, settings, start, "243", setting)


async def test_two_sinks_share_the_partitions_and_one_takes_over(engine, clients, settings, start):
    first, second = start(), start()
    for number in range(4):
        await commit(
            clients,
            settings,
            log_of([[event("queued", 0, contact=f"p{number}")]], number=number),
            partition=number,
        )
    wait_for(lambda: len(legs(engine)) == 4)
    wait_for(lambda: second.status.positions)
    assert first.stop()
    last = await commit(clients, settings, log_of([[event("queued", 0, contact="q")]]))
    assert second.wait_past(state_topic(settings), 0, last, SECONDS)
    assert legs(engine) == ["p0", "p1", "p2", "p3", "q"]


async def test_an_idle_log_writes_no_row(engine, clients, settings, start):
    """Headers alone, and slices: positions move, tables do not."""
    sink = start()
    log = log_of([[event("queued", 0)]])
    last = await commit(clients, settings, log)
    assert sink.wait_past(state_topic(settings), 0, last, SECONDS)
    before = sink.status.written_rows
    idle = [log[-1]._replace(value=b"\x90", headers=write_headers(log[-1]))]
    for _ in range(3):
        last = await commit(clients, settings, [*idle, *slices(log)])
    assert sink.wait_past(state_topic(settings), 0, last, SECONDS)
    assert sink.status.written_rows == before


def write_headers(record):
    from pipeline.state.codec import read_header

    return write_header(read_header(record.headers))
