"""The aggregate worker: a Faust app whose agents feed the partitions this process owns.

Source: the Faust guide §6 and §7. Runs on the loop it is started on, alone or beside the other
roles; ends the process (exit code 70) when going on could count wrongly.
"""

import asyncio
import faulthandler
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, NoReturn, cast

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.contrib.asgi import bind_to_running_loop
from faust.types import TP

from pipeline.kafka.clients import Clients, Connection
from pipeline.kafka.topics import declared_topics
from pipeline.metrics.definitions import Definitions
from pipeline.runtime.consumer import (
    BatchConsumer,
    BatchSchema,
    BatchTransport,
    PulseApp,
    hand_out_raw_records,
)
from pipeline.runtime.opening import Source
from pipeline.runtime.ownership import Fatal, Group, Ownership
from pipeline.runtime.plumbing import Plumbing
from pipeline.runtime.trimming import Trimmer
from pipeline.settings import Settings
from pipeline.state.codec import state_format
from pipeline.telemetry import Telemetry

log = structlog.get_logger("pulse.worker")

EXIT_FATAL: Final = 70
COMMIT_HANGS_SECONDS: Final = 3.0
"""Readiness says so long before `commit_timeout_seconds` ends the process."""
STREAM_BUFFER_BATCHES: Final = 8
MAX_FETCH_BYTES: Final = 4 << 20
STOP_SECONDS: Final = 40.0


def end_process(message: str) -> NoReturn:
    """Say why, and end at once: no clean-up of ours may commit anything any more."""
    log.error("WorkerEnded", reason=message, exit_code=EXIT_FATAL)
    sys.stderr.flush()
    os._exit(EXIT_FATAL)


class Worker:
    """Made on a running loop. `problems()` is what readiness shows; empty = ready."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        definitions: Definitions,
        telemetry: Telemetry,
        fatal: Fatal = end_process,
    ) -> None:
        self._settings = settings
        self._fatal = fatal
        self.plumbing = Plumbing(telemetry, settings.streams)
        declared = declared_topics(settings.kafka.topic_prefix, settings.streams)
        self.ownership = Ownership(
            settings,
            clients,
            definitions,
            self.plumbing,
            _sources(settings, definitions),
            declared,
            fatal,
        )
        # Faust wants a folder, although without tables it keeps nothing there.
        self._folder = tempfile.TemporaryDirectory(prefix="pulse-faust-")
        self._app = _new_app(settings, clients.connection(), self.ownership, self._folder.name)
        self._trimmer = Trimmer(
            clients,
            self.plumbing,
            age_seconds=settings.worker.trim_age_seconds,
            sink_group=f"{settings.kafka.group}.sink",
        )
        self._progress: dict[TP, tuple[int, float]] = {}
        self.stalled = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        """Join the group, open, apply and commit until the context is left; then close."""
        app = self._app
        self.ownership.group = Group(
            lambda: app.consumer_generation_id,
            app.consumer.pause_partitions,
        )
        async with AsyncExitStack() as exits:
            exits.callback(shutil.rmtree, app.conf.datadir, ignore_errors=True)
            bind_to_running_loop(app)
            app.finalize()
            # Before the start: one that is given up half-way leaves threads and tasks that only a stop ends.
            exits.push_async_callback(self._stop)
            try:
                await app.start()
            except KafkaError as error:
                self._fatal(f"starting failed: {error!r}: is the broker well? Start the worker again")
            tasks = [
                asyncio.create_task(self._repeat(each, seconds), name=f"worker.{each.__name__}")
                for each, seconds in (
                    (self.ownership.commit_due, self._settings.worker.commit_seconds),
                    (self._watch, 1.0),
                    (self._trim, max(2.0, min(60.0, self._settings.worker.trim_age_seconds / 10))),
                )
            ]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        self._folder.cleanup()

    async def _stop(self) -> None:
        await asyncio.wait_for(self._app.stop(), STOP_SECONDS)

    async def _repeat(self, act: Callable[[], Any], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - a worker without its timers only looks alive
                self._fatal(f"{act.__name__} failed: {error!r}")

    async def _trim(self) -> None:
        try:
            await self._trimmer.trim(list(self.ownership.owned.values()))
        except Exception as error:  # noqa: BLE001 - a longer log is no reason to stop counting
            log.warning("StateLogNotTrimmed", error=repr(error))

    async def _watch(self) -> None:
        """Show where each partition stands; end the process when one no longer moves."""
        if self._app.crashed:
            self._fatal(f"Faust crashed: {self._app.crash_reason!r}")
        for tp, owned in list(self.ownership.owned.items()):
            now = time.monotonic()
            offset, since = self._progress.get(tp, (-1, now))
            consumer = cast("BatchConsumer", self._app.consumer)
            next_offset = owned.state.next_offset
            lag = max((consumer.highwater(tp) or 0) - next_offset, 0)
            if lag and offset == next_offset and await consumer.has_come_to_the_end(tp, next_offset):
                lag = 0
            if self.ownership.owned.get(tp) is not owned:
                continue
            labels = (tp.topic, str(tp.partition))
            self.plumbing.lag.labels(*labels).set(lag)
            self.plumbing.watermark.labels(*labels).set(owned.state.watermark / 1000)
            self.plumbing.entities.labels(*labels).set(len(owned.state.entities.by_key))
            self.plumbing.buckets.labels(*labels).set(len(owned.state.ledger.buckets))
            if offset != owned.state.next_offset or lag == 0:
                self._progress[tp] = (owned.state.next_offset, now)
            elif now - since > self._settings.worker.stall_seconds:
                faulthandler.dump_traceback(all_threads=True)
                self._fatal(f"{tp.topic}/{tp.partition} has a lag of {lag} and does not move")
        for tp in set(self._progress) - set(self.ownership.owned):
            del self._progress[tp]

    def problems(self) -> list[str]:
        """Why this worker is not ready, in words an operator can act on."""
        found = [
            f"{tp.topic}/{tp.partition} stays closed: {refusal.reason}; try: {refusal.command}"
            for tp, refusal in sorted(self.ownership.refused.items())
        ]
        if not self.ownership.has_opened:
            found.append("no partition has been assigned and opened yet")
        now = time.monotonic()
        limit = 3 * self._settings.worker.heartbeat_seconds
        for tp, owned in sorted(self.ownership.owned.items()):
            age = now - owned.committed_at
            hangs = owned.commit_began is not None and now - owned.commit_began > COMMIT_HANGS_SECONDS
            if hangs or age > limit:
                found.append(f"{tp.topic}/{tp.partition} has not committed for {age:.0f} s")
            reason = self.ownership.poison[tp].reason
            if reason:
                found.append(f"poison: {tp.topic}/{tp.partition}: {reason}; see `pulse dlq list`")
        return found


def _sources(settings: Settings, definitions: Definitions) -> dict[str, Source]:
    prefix = settings.kafka.topic_prefix
    return {
        f"{prefix}.{stream}": Source(
            stream=stream,
            topic=f"{prefix}.{stream}",
            log_topic=f"{prefix}.{stream}.state",
            dead_letter_topic=f"{prefix}.dlq",
            group=settings.kafka.group,
            format=state_format(definitions.stored(stream)),
            version=version("pulse-pipeline"),
        )
        for stream in settings.streams
    }


def _credentials(connection: Connection) -> Any:
    if connection.mechanism is not None:
        return faust.SASLCredentials(
            mechanism=connection.mechanism,
            username=connection.username,
            password=connection.password,
            ssl_context=connection.tls,
        )
    return faust.SSLCredentials(connection.tls) if connection.tls is not None else None


def _new_app(settings: Settings, connection: Connection, ownership: Ownership, folder: str) -> PulseApp:
    worker = settings.worker
    app = PulseApp(
        settings.kafka.group,
        broker=list(connection.urls),
        broker_credentials=_credentials(connection),
        broker_client_id=settings.kafka.client_id,
        processing_guarantee="at_least_once",
        broker_max_poll_records=None,
        consumer_max_fetch_size=MAX_FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        # A young topic, or a partition added to it, is noticed this soon.
        consumer_metadata_max_age_ms=10_000,
        stream_buffer_maxsize=STREAM_BUFFER_BATCHES,
        stream_wait_empty=True,
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_allow_declare=False,
        value_serializer="raw",
        web_enabled=False,
        worker_redirect_stdouts=False,
        broker_commit_interval=1.0,
        broker_session_timeout=worker.session_timeout_seconds,
        broker_heartbeat_interval=worker.heartbeat_interval_seconds,
        broker_rebalance_timeout=worker.rebalance_timeout_seconds,
        broker_request_timeout=worker.request_timeout_seconds,
        datadir=folder,
    )
    app.partition_owner = ownership
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    hand_out_raw_records(ownership.batched_topics)
    for name in sorted(ownership.batched_topics):
        _declare_agent(app, name, ownership)
    return app


def _declare_agent(app: PulseApp, topic: str, ownership: Ownership) -> None:
    async def take_batches(stream: Any) -> None:
        async for event in stream.events():
            await ownership.take(event.message)

    take_batches.__name__ = f"take_{topic.replace('.', '_')}"
    app.agent(app.topic(topic, schema=BatchSchema()), name=take_batches.__name__)(take_batches)
