"""Every name of Faust, mode and aiokafka that we override or use privately: it exists, with the signature we
rely on, and is still called from where we think. An upgrade fails here and not in production.

Source of the list: the Faust guide §4 and §5, and pipeline/runtime.
"""

import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer import consumer as aiokafka_consumer
from aiokafka.consumer.fetcher import READ_COMMITTED as READS_COMMITTED
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.sender import Sender, TxnOffsetCommitHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from faust.app.base import App
from faust.contrib.asgi import faust_app_running
from faust.sensors.monitor import Monitor
from faust.serializers.schemas import Schema
from faust.tables.recovery import Recovery
from faust.topics import Topic
from faust.transport.base import Transport
from faust.transport.conductor import ConductorCompiler
from faust.transport.consumer import Consumer, ConsumerThread, ThreadDelegateConsumer
from faust.transport.consumer import Fetcher as DrainService
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode import Service

from pipeline.runtime import consumer as ours
from pipeline.runtime.consumer import (
    READ_COMMITTED,
    BatchConsumer,
    BatchMessage,
    BatchSchema,
    BatchThread,
    BatchTransport,
    PulseApp,
    hand_out_raw_records,
)

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}
COMPILED_STREAM = (Path(faust.__file__).parent / "_cython" / "streams.pyx").read_text(encoding="utf-8")


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def code(thing: Any) -> str:
    """Source in one line, so that no line break hides a call."""
    return " ".join(inspect.getsource(getattr(thing, "fun", thing)).split())


def module_code(thing: Any) -> str:
    """The same of the whole module `thing` is from."""
    return " ".join(Path(inspect.getfile(thing)).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("package", "number"), PINNED.items())
def test_installed_is_what_the_overrides_were_written_against(package, number):
    assert version(package) == number
    pinned = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"{package}=={number}"' in pinned


# Overridden in BatchConsumer -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("getmany", ["self", "timeout"]),
        ("_new_consumer_thread", ["self"]),
        ("_add_gap", ["self", "tp", "offset_from", "offset_to"]),
        ("on_buffer_full", ["self", "tp"]),
        ("commit", ["self", "topics", "start_new_transaction"]),
        ("_commit", ["self", "offsets"]),
        ("verify_event_path", ["self", "now", "tp"]),
        ("perform_seek", ["self"]),
        ("on_partitions_revoked", ["self", "revoked"]),
        ("on_stop", ["self"]),
    ],
)
def test_overridden_consumer_method_has_the_signature_of_the_driver(name, expected):
    stock, own = getattr(driver.Consumer, name), BatchConsumer.__dict__[name]
    assert parameters(stock) == expected
    assert parameters(own) == expected
    assert inspect.iscoroutinefunction(stock) == inspect.iscoroutinefunction(own)
    assert inspect.isasyncgenfunction(stock) == inspect.isasyncgenfunction(own)


def test_nothing_else_of_the_driver_is_overridden_unseen():
    """A new override needs a line above."""
    own = {name for name in BatchConsumer.__dict__ if hasattr(driver.Consumer, name)}
    # What mode's Service puts into every subclass, and Python into every class.
    own -= {
        name for name in own if name.startswith("__") or name in {"abstract", "logger", "_tasks", "_abc_impl"}
    }
    own -= {"_pool_tasks", "_log_level", "label", "shortlabel"}
    assert own == {
        "getmany",
        "_new_consumer_thread",
        "_add_gap",
        "on_buffer_full",
        "commit",
        "_commit",
        "verify_event_path",
        "perform_seek",
        "on_partitions_revoked",
        "on_stop",
    }


@pytest.mark.parametrize(
    ("caller", "call"),
    [
        (DrainService._fetcher, "consumer._drain_messages"),
        (Consumer._drain_messages, "getmany = self.getmany"),
        (Consumer._drain_messages, "getmany(timeout=1.0)"),
        (Consumer._drain_messages, "async for tp, message in ait:"),
        (Consumer._drain_messages, "offset = message.offset"),
        (Consumer._drain_messages, "await self._add_gap(tp, r_offset + 1, offset)"),
        (Consumer._drain_messages, "await self.commit()"),
        (Consumer._drain_messages, "await self.wait_first( callback(message), self.suspend_flow.wait() )"),
        (ThreadDelegateConsumer.__init__, "self._thread = self._new_consumer_thread()"),
        (ConductorCompiler.build, "consumer_on_buffer_full = app.consumer.on_buffer_full"),
        (Consumer._commit_handler, "await self.commit()"),
        (Consumer.on_task_error, "await self.commit()"),
        (Consumer.wait_empty, "await T(self.commit)()"),
        (Consumer.wait_empty, "await T(self.commit_and_end_transactions)()"),
        (Consumer.commit_and_end_transactions, "await self.commit(start_new_transaction=False)"),
        (Consumer._commit_offsets, "await self._commit(committable_offsets)"),
        (Consumer.verify_all_partitions_active, "self.verify_event_path(now, tp)"),
        (Consumer.on_stop, "await self.wait_empty()"),
        (ThreadDelegateConsumer.threadsafe_partitions_revoked, "self.on_partitions_revoked, revoked"),
        (Consumer.on_partitions_revoked, "self._on_partitions_revoked"),
        (Service.stop, "await self.on_stop()"),
    ],
)
def test_overridden_method_is_called_from_where_we_think(caller, call):
    assert call in code(caller)


def test_opening_runs_in_the_recovery_under_the_request_time_out():
    assert (
        "await self._wait( consumer.perform_seek(), timeout=self.app.conf.broker_request_timeout )"
        in code(Recovery._resume_streams)
    )
    assert "if not self.tables" in code(Recovery._restart_recovery)
    assert "self._resume_streams)(generation_id=generation_id)" in code(Recovery._restart_recovery)


def test_partitions_are_active_again_before_they_are_opened():
    """So what `perform_seek` pauses stays paused."""
    body = code(Recovery._resume_streams)
    assert 0 < body.index("consumer.resume_partitions(") < body.index("consumer.perform_seek()")
    assert body.index("consumer.perform_seek()") < body.index("consumer.resume_flow()")


def test_revocation_comes_first_and_the_end_of_the_flow_after_our_closing():
    """Closing needs agents that still run; `app._on_partitions_revoked` stops them."""
    assert "self._on_partitions_revoked" in code(Consumer.on_partitions_revoked)
    assert "self._consumer_wait_empty" in code(App._on_partitions_revoked)
    assert "consumer.wait_empty" in code(App._consumer_wait_empty)
    body = code(BatchConsumer.on_partitions_revoked)
    assert body.index("self._owner.close(revoked)") < body.index("FaustConsumer.on_partitions_revoked")


def test_generation_is_set_before_the_assignment_is_told():
    body = code(driver.ConsumerRebalanceListener.on_partitions_assigned)
    assert body.index("app.consumer_generation_id = generation") < body.index("on_partitions_assigned(ensure")


def test_only_stock_commit_would_commit_offsets():
    """Whoever else calls the thread's commit has to be looked at."""
    callers = [
        name
        for name, each in inspect.getmembers(ThreadDelegateConsumer, inspect.isfunction)
        if "_thread.commit(" in code(each)
    ]
    assert callers == ["_commit"]


# Bookkeeping that our overrides free or switch off ----------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "where"),
    [
        ("_acked", "defaultdict(list)"),
        ("_acked_index", "defaultdict(set)"),
        ("_read_offset", "defaultdict(lambda: None)"),
    ],
)
def test_bookkeeping_is_made_where_we_replace_or_clear_it(attribute, where):
    assert f"self.{attribute} = {where}" in code(Consumer.__init__)


def test_read_offsets_are_used_through_the_methods_we_replace():
    body = code(Consumer._drain_messages)
    assert "get_read_offset = self._read_offset.__getitem__" in body
    assert "set_read_offset = self._read_offset.__setitem__" in body
    assert "if r_offset is None or offset >= r_offset:" in body
    assert "self._read_offset.pop(tp, None)" in code(Consumer.on_partitions_revoked)


def test_stream_acks_inline_and_skips_other_generations():
    for text in (COMPILED_STREAM, inspect.getsource(faust.Stream)):
        assert "message.generation_id != self.app.consumer_generation_id" in text
        assert "self.app.flow_control.is_active()" in text


# Used, not overridden ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (Consumer._wait_next_records, ["self", "timeout"]),
        (ThreadDelegateConsumer.seek_wait, ["self", "partitions"]),
        (ThreadDelegateConsumer.assignment, ["self"]),
        (ThreadDelegateConsumer.highwater, ["self", "tp"]),
        (ThreadDelegateConsumer.position, ["self", "tp"]),
        (ThreadDelegateConsumer.earliest_offsets, ["self", "partitions"]),
        (Consumer.pause_partitions, ["self", "tps"]),
        (Monitor.track_tp_end_offset, ["self", "tp", "offset"]),
        (driver.AIOKafkaConsumerThread.highwater, ["self", "tp"]),
        (driver.AIOKafkaConsumerThread._ensure_consumer, ["self"]),
        (AIOKafkaConsumer.last_stable_offset, ["self", "partition"]),
        (AIOKafkaConsumer.position, ["self", "partition"]),
    ],
)
def test_used_method_has_the_signature_we_call(function, expected):
    assert parameters(function) == expected


def test_waiting_for_records_answers_records_and_active_partitions():
    assert "return records, active_partitions" in code(Consumer._wait_next_records)
    assert "await self.wait(self.can_resume_flow)" in code(Consumer._wait_next_records)
    assert "self._getmany(" in code(Consumer._wait_next_records)


def test_paused_partitions_are_not_fetched():
    assert "self._get_active_partitions().difference_update(tpset)" in code(Consumer.pause_partitions)
    assert "active_partitions=active_partitions" in code(Consumer._wait_next_records)


def test_highwater_and_seek_go_to_the_thread():
    assert "self._thread.highwater(tp)" in code(ThreadDelegateConsumer.highwater)
    assert "self._thread.position(tp)" in code(ThreadDelegateConsumer.position)
    assert "self._thread.seek_wait(partitions)" in code(ThreadDelegateConsumer.seek_wait)
    assert "self._thread.earliest_offsets(*partitions)" in code(ThreadDelegateConsumer.earliest_offsets)


def test_flow_and_generation_are_plain_attributes():
    assert Consumer.flow_active is True
    assert "self.flow_active = False" in code(Consumer.stop_flow)
    assert "self.flow_active = True" in code(Consumer.resume_flow)
    assert App.consumer_generation_id == 0


def test_app_says_when_it_has_crashed():
    """The worker's watch asks for both: started inside our loop, a crashed app goes on."""
    app = PulseApp("names", broker="kafka://nobody:1")
    assert app.crashed is False
    assert app.crash_reason is None


def test_starting_waits_for_the_app_and_stopping_has_a_limit():
    assert parameters(faust_app_running) == ["app", "finalize", "discover", "stop_timeout"]
    assert "await app.maybe_start()" in code(faust_app_running)
    assert "asyncio.wait_for(app.stop(), timeout=stop_timeout)" in code(faust_app_running)


# Message and schema -----------------------------------------------------------------------------------------


def test_message_takes_the_thirteen_arguments_we_give():
    assert parameters(ConsumerMessage.__init__)[1:13] == [
        "topic",
        "partition",
        "offset",
        "timestamp",
        "timestamp_type",
        "headers",
        "key",
        "value",
        "checksum",
        "serialized_key_size",
        "serialized_value_size",
        "tp",
    ]
    assert "generation_id" in parameters(ConsumerMessage.__init__)
    message = BatchMessage("t", 0, 7, 1.5, 1, None, None, None, None, 0, 0, TP("t", 0), generation_id=3)
    assert (message.offset, message.generation_id, message.timestamp_type) == (7, 3, 1)
    assert issubclass(BatchMessage, ConsumerMessage)
    assert issubclass(ConsumerMessage, Message)
    assert hasattr(message, "__weakref__")  # Faust keeps unacked messages in a WeakSet


def test_schema_is_compiled_once_per_topic():
    assert parameters(Schema.compile)[:2] == ["self", "app"]
    assert "self.decode = self.schema.compile(" in module_code(Topic)
    assert issubclass(BatchSchema, Schema)


def test_decode_makes_the_event_as_the_stock_schema_does():
    assert "create_event = app.create_event" in code(Schema.compile)
    assert "async def decode( message: Message, *, propagate: bool" in code(Schema.compile)
    assert parameters(App.create_event)[1:5] == ["key", "value", "headers", "message"]


def test_agent_reads_the_events_of_its_stream():
    assert inspect.isasyncgenfunction(faust.Stream.events)
    assert "yield self.current_event" in code(faust.Stream.events)


# Transport and consumer thread ------------------------------------------------------------------------------


def test_transport_makes_our_consumer_and_our_thread():
    assert issubclass(BatchTransport, driver.Transport)
    assert BatchTransport.Consumer is BatchConsumer
    assert "self.Consumer(self" in code(Transport.create_consumer)
    assert "BatchThread(self, loop=self.loop, beacon=self.beacon)" in code(BatchConsumer._new_consumer_thread)
    stock = code(driver.Consumer._new_consumer_thread)
    assert "AIOKafkaConsumerThread(self, loop=self.loop, beacon=self.beacon)" in stock
    assert issubclass(driver.AIOKafkaConsumerThread, ConsumerThread)


def test_thread_makes_its_consumer_before_it_starts_it():
    assert parameters(driver.AIOKafkaConsumerThread._create_worker_consumer) == ["self", "transport"]
    assert "return self._create_worker_consumer(transport)" in code(
        driver.AIOKafkaConsumerThread._create_consumer
    )
    body = code(driver.AIOKafkaConsumerThread.on_start)
    assert body.index("self._consumer = self._create_consumer(") < body.index("await self._consumer.start()")


async def test_fetch_settings_reach_the_fetcher(monkeypatch):
    """Set on the consumer before it starts, they are what its fetcher is made with."""
    app = PulseApp("names", broker="kafka://nobody:1")
    app.partition_owner = SimpleNamespace(fetch_min_bytes=777, fetch_max_wait_ms=33)
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    owner = SimpleNamespace(
        app=app, transport=app.transport, RebalanceListener=lambda _: None, in_transaction=False
    )
    made = []

    class Made(Exception):  # noqa: N818
        pass

    def remember(*_: Any, **settings: Any) -> Any:
        made.append(settings)
        raise Made

    async def bootstrap(self: Any) -> None: ...

    async def wait_on_metadata(self: Any, topic: str) -> None: ...

    monkeypatch.setattr(aiokafka_consumer, "Fetcher", remember)
    monkeypatch.setattr(aiokafka_consumer.AIOKafkaClient, "bootstrap", bootstrap)
    thread = BatchThread(owner)
    consumer = thread._create_worker_consumer(app.transport)
    with pytest.raises(Made):
        await consumer.start()
    await consumer._client.close()
    thread.thread_loop.close()
    consumer._closed = True  # else it complains that it was never stopped
    assert (made[0]["fetch_min_bytes"], made[0]["fetch_max_wait_ms"]) == (777, 33)
    assert made[0]["isolation_level"] == READ_COMMITTED


def test_fetcher_sends_these_settings_and_filters_by_them():
    assert {"fetch_min_bytes", "fetch_max_wait_ms", "isolation_level"} <= set(parameters(Fetcher.__init__))
    assert "self._fetch_max_wait_ms, self._fetch_min_bytes," in module_code(Fetcher)
    assert "self._isolation_level == READ_COMMITTED" in code(PartitionRecords._unpack_records)
    assert READS_COMMITTED == 1


def test_position_passes_markers_and_aborted_records():
    """The watch, and the end of reading a log, rest on it."""
    body = code(PartitionRecords._unpack_records)
    assert body.count("self.next_fetch_offset = next_batch.next_offset continue") == 2


def test_records_fetched_before_a_seek_are_not_handed_out_after_it():
    """At most one answer under way is stale; the driver reads a hole again exactly once."""
    assert "next_fetch_offset" in code(FetchResult.check_assignment)


def test_listener_errors_are_swallowed_so_closing_has_to_end_the_process_itself():
    assert re.search(r"on_partitions_revoked\(.*?except Exception", code(GroupCoordinator._on_join_prepare))


# The raw record ---------------------------------------------------------------------------------------------


def fetched(topic: str) -> PartitionRecords:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=10_000,
    )
    builder.append(0, timestamp=5, key=b"k", value=b"v", headers=[("h", b"1")])
    builder.append(1, timestamp=6, key=None, value=None, headers=[])
    records = MemoryRecords(bytes(builder.build()))
    return PartitionRecords(TopicPartition(topic, 0), records, None, 0, None, None, True, 1)


@pytest.fixture
def _raw_records(monkeypatch):
    monkeypatch.setattr(PartitionRecords, "_consumer_record", PartitionRecords._consumer_record)
    hand_out_raw_records(frozenset({"batched"}))


@pytest.mark.usefixtures("_raw_records")
def test_raw_record_shows_what_the_state_and_the_driver_read():
    first, second = fetched("batched")
    assert (first.offset, first.key, first.value, first.timestamp, first.timestamp_type) == (
        0,
        b"k",
        b"v",
        5,
        0,
    )
    assert list(first.headers) == [("h", b"1")]
    assert (second.offset, second.key, second.value) == (1, None, None)
    assert not hasattr(first, "topic")


@pytest.mark.usefixtures("_raw_records")
def test_other_topics_get_the_whole_record():
    first, _ = fetched("other")
    assert (first.topic, first.partition, first.offset, first.value) == ("other", 0, 0, b"v")


def test_raw_record_is_handed_out_by_the_one_place_that_makes_records():
    assert parameters(PartitionRecords._consumer_record) == ["self", "tp", "record"]
    assert "consumer_record = self._consumer_record(tp, record)" in code(PartitionRecords._unpack_records)
    assert module_code(Fetcher).count("PartitionRecords(") == 1
    assert module_code(Fetcher).count("_consumer_record(") == 2


# Transactions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (AIOKafkaProducer.begin_transaction, ["self"]),
        (AIOKafkaProducer.commit_transaction, ["self"]),
        (AIOKafkaProducer.send_offsets_to_transaction, ["self", "offsets", "group_id"]),
    ],
)
def test_transactional_producer_has_the_methods_of_a_commit(function, expected):
    assert parameters(function) == expected


def test_starting_a_transactional_producer_fences_the_former_one():
    assert "await self._sender.start()" in code(AIOKafkaProducer.start)
    assert "await self._maybe_wait_for_pid()" in code(Sender.start)
    assert "InitPIDHandler" in code(Sender._do_init_pid)


def test_second_beginning_is_refused_so_a_half_commit_cannot_be_continued():
    assert "_transition_to" in code(TransactionManager.begin_transaction)
    assert "assert TransactionState.is_transition_valid" in code(TransactionManager._transition_to)


def test_offsets_go_without_member_and_generation_so_the_producer_must_fence():
    assert "generation" not in code(TxnOffsetCommitHandler.create_request)


def test_module_with_all_overrides_is_one():
    """Where a reader of this file has to look."""
    assert "Source: the Faust guide §4" in (ours.__doc__ or "")
