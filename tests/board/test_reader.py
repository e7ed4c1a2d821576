"""The board on a real broker: what a transactional owner wrote is shown, what it aborted is not."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from pipeline.board.fold import Fold, Source
from pipeline.board.lag import Lag
from pipeline.board.reader import Reader, ReaderStalledError, _Progress
from pipeline.board.server import Board, wall_ms
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.state_log import last_header
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.metrics.definitions import declare
from pipeline.settings import STREAMS, Settings
from pipeline.state.codec import state_format, write_header
from pipeline.telemetry import Telemetry
from tests.board.log import Worker, header
from tests.builders import T0, UNDECLARED, event

PARTITIONS = 4


class Log:
    """The state topic of one test, and the transactions its owner writes."""

    def __init__(self, kafka) -> None:
        self.kafka = kafka
        self.clients = Clients(kafka)
        self.topics = declared_topics(kafka.topic_prefix, ("call",))
        (self.topic,) = [topic.name for topic in self.topics if topic.kind == "state"]
        admin = self.clients.admin()
        create_missing(admin, self.topics, local=True)
        admin.close()

    async def write(self, producer, worker, events, *, aborts=False) -> int:
        """One transaction; the offset of its first record."""
        commit = worker.commit(events)
        await producer.begin_transaction()
        partition = worker.source.partition
        sent = [
            await producer.send(self.topic, draft.value, partition=partition, headers=write_header(head))
            for draft, head in zip(commit.drafts, commit.headers, strict=True)
        ]
        done = [await future for future in sent]
        if aborts:
            await producer.abort_transaction()
        else:
            await producer.commit_transaction()
            worker.written(done[0].offset)
        return done[0].offset

    def owner(self):
        return running(self.clients.aio_producer(transactional_id=f"{self.topic}-0"))

    async def trim(self, offset: int) -> None:
        async with running(self.clients.aio_admin()) as admin:
            await admin.delete_records({TopicPartition(self.topic, 0): RecordsToDelete(before_offset=offset)})


@pytest.fixture
def log(own_kafka):
    return Log(own_kafka)


@asynccontextmanager
async def board_of(log, definitions=UNDECLARED):
    settings = Settings(
        streams=("call",), kafka=log.kafka.model_dump(), board={"port": 0, "render_seconds": 0.02}
    )
    board = Board(settings, definitions, Telemetry())
    await board.start()
    try:
        yield board
    finally:
        await board.stop()


async def get(board, path):
    async with aiohttp.ClientSession() as session, session.get(board.url + path) as answer:
        return answer.status, json.loads(await answer.text())


async def until(board, path, holds, seconds=15):
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await get(board, path)
                if holds(*found):
                    return found[1]
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{path} stayed at {found}") from None


def ready(status, _):
    return status == 200


def events(contact, wait, ago=5):
    """A call answered just now; the board follows the wall clock."""
    at = (wall_ms() - T0) / 1000 - ago
    return [
        event("queued", at - wait, contact=contact),
        event("answered", at, contact=contact, answered_by="human"),
    ]


def asa(value, n):
    def holds(_, answer):
        rows = [row for row in answer["metrics"] if row["definition"] == "enqueued" and row["window"] == "5m"]
        return [(row["value"], row["n"]) for row in rows] == [(value, n)]

    return holds


ASA = "/api/metrics?metric=asa_queue&by=tenant"


async def test_commits_reach_the_api_and_aborted_ones_do_not(log):
    worker = Worker(partitions=PARTITIONS)
    async with log.owner() as owner:
        await log.write(owner, worker, events("a", 10))
        ghost = Worker(partitions=PARTITIONS)
        await log.write(owner, ghost, events("ghost", 500), aborts=True)
        async with board_of(log) as board:
            await until(board, "/readyz", ready)
            _, answer = await get(board, ASA)
            assert asa(10.0, 1)(200, answer)
            assert [each["next_offset"] for each in answer["partitions"]] == [2, -1, -1, -1]
            await log.write(owner, worker, events("b", 30))
            await until(board, ASA, asa(20.0, 2))
            await log.write(owner, ghost, events("ghost2", 500), aborts=True)
            await log.write(owner, worker, events("c", 35))
            answer = await until(board, ASA, asa(25.0, 3))
            assert answer["partitions"][0]["next_offset"] == 6


async def test_the_logs_of_all_streams_are_opened_in_seconds(own_kafka):
    """28 partitions; a fetch at a log's end that waits its half second would make 14 s of them."""
    clients = Clients(own_kafka)
    topics = declared_topics(own_kafka.topic_prefix, STREAMS)
    admin = clients.admin()
    create_missing(admin, topics, local=True)
    admin.close()
    states = [topic.name for topic in topics if topic.kind == "state"]
    head = write_header(header(partitions=PARTITIONS, format=state_format(UNDECLARED.stored("call"))))
    async with running(clients.aio_producer(transactional_id=states[0])) as owner:
        await owner.begin_transaction()
        for name in states:
            for partition in range(PARTITIONS):
                await owner.send(name, b"\x90", partition=partition, headers=head)
        await owner.commit_transaction()
    board = Board(Settings(kafka=own_kafka.model_dump(), board={"port": 0}), UNDECLARED, Telemetry())
    await board.start()
    try:
        answer = await until(
            board, "/api/freshness", lambda _, a: a["is_caught_up"] and len(a["partitions"]) == 28, 10
        )
        assert all(each["age_seconds"] is not None for each in answer["partitions"])
    finally:
        await board.stop()


async def test_empty_logs_are_ready_and_nothing_is_known(log):
    async with board_of(log) as board:
        await until(board, "/readyz", ready)
        assert (await get(board, ASA))[1]["metrics"] == []


async def test_the_newest_header_is_found_behind_markers_and_aborted_records(log):
    worker = Worker(partitions=PARTITIONS)
    tp = TopicPartition(log.topic, 0)
    async with log.owner() as owner, running(log.clients.aio_consumer()) as consumer:
        assert await last_header(consumer, tp, 0, 0) is None
        await log.write(owner, worker, events("a", 10))
        for number in range(12):
            await log.write(owner, Worker(partitions=PARTITIONS), events(f"ghost{number}", 5), aborts=True)
        end = (await consumer.end_offsets([tp]))[tp]
        assert end > 24
        found = await last_header(consumer, tp, 0, end)
        assert found is not None
        assert found.next_offset == 2


async def test_another_format_is_refused_and_said_on_readyz(log):
    async with log.owner() as owner:
        await log.write(owner, Worker(partitions=PARTITIONS), events("a", 10))
    async with board_of(log, declare({"thresholds": [7]})) as board:
        answer = await until(
            board, "/readyz", lambda _, a: any("is refused" in reason for reason in a["reasons"])
        )
        assert "same version and definitions file" in " ".join(answer["reasons"])


async def test_a_log_cut_above_what_a_restore_needs_is_refused(log):
    worker = Worker(partitions=PARTITIONS)
    worker._snapshot.restore_from = 0
    async with log.owner() as owner:
        for contact in "ab":
            first = await log.write(owner, worker, events(contact, 10))
    worker._snapshot.restore_from = 0
    await log.trim(first)
    async with board_of(log) as board:
        answer = await until(
            board, "/readyz", lambda _, a: any("is refused" in reason for reason in a["reasons"])
        )
        assert f"records from offset 0 on are needed, its log begins at {first}" in " ".join(
            answer["reasons"]
        )


async def test_a_position_that_was_trimmed_away_is_opened_anew_from_the_newest_header(log):
    worker = Worker(partitions=PARTITIONS)
    topics = declared_topics(log.kafka.topic_prefix, ("call",))
    async with log.owner() as owner:
        for number, contact in enumerate("abcdefghijklmnop"):
            told = worker._snapshot.restore_from  # what the header of the next commit says
            await log.write(owner, worker, events(contact, 10 * number))
        assert told > 1
        await log.trim(told)
    fold = Fold(UNDECLARED, wall_ms())
    changed = asyncio.Event()
    reader = Reader(log.clients, topics, fold, changed.set)
    source = reader._source(TopicPartition(log.topic, 0))
    async with running(log.clients.aio_consumer()) as consumer:
        consumer.assign([TopicPartition(log.topic, 0)])
        consumer.seek(TopicPartition(log.topic, 0), 0)
        with pytest.raises(OffsetOutOfRangeError):
            await asyncio.wait_for(reader._follow(consumer, {}), 10)
    place = fold.expect(source)
    place.position, place.is_caught_up = 1, True
    task = asyncio.create_task(reader.run())
    async with asyncio.timeout(10):
        while place.next_offset != 32 or not place.is_caught_up:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reader_that_stands_still_while_the_log_grows_is_replaced():
    class Frozen:
        async def end_offsets(self, partitions):
            return dict.fromkeys(partitions, 9)

        async def position(self, _):
            return 4

    clock = [0.0]
    progress, tp = _Progress(lambda: clock[0]), TopicPartition("log", 0)
    for clock[0] in (11.0, 22.0, 71.0):
        await progress.check(Frozen(), [tp])
    clock[0] = 82.0
    with pytest.raises(ReaderStalledError, match="log/0 has stood at 4"):
        await progress.check(Frozen(), [tp])


async def test_lag_is_what_the_source_holds_beyond_the_numbers(log):
    (source_topic,) = [topic.name for topic in log.topics if topic.kind == "source"]
    async with running(log.clients.aio_producer()) as producer:
        for _ in range(5):
            await producer.send_and_wait(source_topic, b"{}", partition=1)
    fold, telemetry = Fold(UNDECLARED, wall_ms()), Telemetry()
    for partition, next_offset in ((0, -1), (1, 3)):
        place = fold.expect(Source("call", log.topic, partition))
        place.is_caught_up, place.next_offset = True, next_offset
    task = asyncio.create_task(Lag(log.clients, log.topics, fold, telemetry).run())
    name = "pulse_consumer_lag_messages"
    async with asyncio.timeout(10):
        while telemetry.registry.get_sample_value(name, {"topic": source_topic, "partition": "1"}) is None:
            await asyncio.sleep(0.02)
    assert telemetry.registry.get_sample_value(name, {"topic": source_topic, "partition": "0"}) == 0
    assert telemetry.registry.get_sample_value(name, {"topic": source_topic, "partition": "1"}) == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_topic_created_anew_starts_from_nothing(log):
    worker = Worker(partitions=PARTITIONS)
    async with log.owner() as owner:
        for contact in "abcd":
            await log.write(owner, worker, events(contact, 10))
    async with board_of(log) as board:
        await until(board, ASA, asa(10.0, 4))
        admin = log.clients.admin()
        admin.delete_topics([log.topic])
        await asyncio.sleep(0.3)
        create_missing(admin, log.topics, local=True)
        admin.close()
        async with log.owner() as owner:
            await log.write(owner, Worker(partitions=PARTITIONS), events("new", 40))
        await until(board, ASA, asa(40.0, 1))


async def test_without_topics_the_board_says_what_to_create(own_kafka):
    settings = Settings(kafka=own_kafka.model_dump(), board={"port": 0})
    board = Board(settings, UNDECLARED, Telemetry())
    await board.start()
    try:
        answer = await until(
            board, "/readyz", lambda _, a: any("does not exist" in reason for reason in a["reasons"])
        )
        assert "create it with `pulse topics`" in answer["reasons"][0]
    finally:
        await board.stop()


async def test_without_a_broker_the_board_waits_and_says_so():
    settings = Settings(kafka={"bootstrap": "127.0.0.1:1"}, board={"port": 0})
    board = Board(settings, UNDECLARED, Telemetry())
    await board.start()
    try:
        await until(
            board, "/readyz", lambda _, a: any("Kafka cannot be read" in reason for reason in a["reasons"])
        )
    finally:
        await board.stop()
