"""The sink as a role: a thread of its own that reads Kafka and writes ClickHouse until it is told to stop.

Source: architecture.md §4, clickhouse.md §5. It owns its clients; others see `status` only.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Final

import structlog
from kafka.errors import KafkaError

from pipeline.kafka.clients import Clients
from pipeline.metrics.definitions import Definitions
from pipeline.settings import Settings
from pipeline.sink.clickhouse import (
    ASK_SECONDS,
    STORE_ERRORS,
    Asker,
    MissingTableError,
    Remedy,
    Store,
    remedy,
)
from pipeline.sink.event_rows import dead_letter_rows, source_rows
from pipeline.sink.flow import Clock, Flow, Limits
from pipeline.sink.letters import SinkLetters
from pipeline.sink.reader import KafkaLog
from pipeline.sink.rows import Record, Rows, declaration, state_rows, vectors_of
from pipeline.sink.status import Place, SinkStatus, State, StatusBoard
from pipeline.sink.tables import DEFINITIONS
from pipeline.sink.watch import Watch
from pipeline.sink.writer import LineStoppedError
from pipeline.state.codec import Header, read_header, state_format

log = structlog.get_logger("pulse.sink")

FINISH_SECONDS: Final = 20.0
CONNECT_WAIT_SECONDS: Final = 2.0


class Topics:
    """What the sink reads under a prefix, and how a record of each topic becomes rows."""

    def __init__(self, settings: Settings, definitions: Definitions) -> None:
        prefix = settings.kafka.topic_prefix
        self.state = {f"{prefix}.{stream}.state": stream for stream in settings.streams}
        self.sources = (
            {f"{prefix}.{stream}": stream for stream in settings.streams} if settings.sink.raw_events else {}
        )
        self.dead_letters = f"{prefix}.dlq"
        self._vectors = vectors_of(definitions)

    @property
    def names(self) -> list[str]:
        return [*self.state, *self.sources, self.dead_letters]

    def rows(self, record: Record, accept_slice: bool) -> Rows:  # noqa: FBT001 - flow.ToRows
        """Rows of one record. Raises StateLogError."""
        topic = record.topic
        if topic in self.state:
            return state_rows(record, self.state[topic], self._vectors, accept_slice=accept_slice)
        if topic in self.sources:
            return source_rows(record, self.sources[topic])
        return dead_letter_rows(record)


class Sink:
    """`start` returns at once; `stop` flushes, commits and leaves the group.

    When the line stops, the thread ends, `status.state` is `stopped` and `failure` tells why.
    """

    def __init__(self, settings: Settings, definitions: Definitions, clients: Clients | None = None) -> None:
        self._settings = settings
        self._definitions = definitions
        self._clients = clients or Clients(settings.kafka)
        self._topics = Topics(settings, definitions)
        self._board = StatusBoard()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="pulse-sink", daemon=True)
        self._formats: set[str] = set()
        self._checked: set[Place] = set()
        self._give_up_at: float | None = None
        self.failure: str | None = None

    @property
    def status(self) -> SinkStatus:
        """A copy of the current status."""
        return self._board.current

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin. ClickHouse or Kafka may still be away: they are waited for."""
        self._thread.start()

    def stop(self, seconds: float = FINISH_SECONDS + 10.0) -> bool:
        """Flush, commit, leave; whether the thread has ended within `seconds`."""
        self._give_up_at = time.monotonic() + FINISH_SECONDS
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def wait_past(self, topic: str, partition: int, offset: int, seconds: float) -> bool:
        """Wait until the record at `offset` is in ClickHouse."""
        return self._board.wait_past((topic, partition), offset, seconds)

    def _run(self) -> None:
        try:
            store = self._connect("ClickHouse", self._open_store)
            if store is None:
                return
            watching = Thread(target=self._watch().run, name="pulse-watch", daemon=True)
            watching.start()
            try:
                self._read(store)
            finally:
                # The embedded engine must not be closed under a question.
                self._stopping.set()
                watching.join(ASK_SECONDS)
                store.close()
        except LineStoppedError as error:
            self.failure = str(error)
            log.error("LineStopped", reason=self.failure)  # noqa: TRY400 - the message is the report
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            log.exception("SinkFailed")
        finally:
            self._board.update(state=State.STOPPED, reason=self.failure or "")

    def _watch(self) -> Watch:
        return Watch(
            lambda: Asker(self._settings.sink), lambda flags: self._board.update(gaming=flags), self._stopping
        )

    def _open_store(self) -> Store:
        store = Store(self._settings.sink)
        try:
            store.check()
            self._declare(store)
        except BaseException:
            store.close()
            raise
        return store

    def _declare(self, store: Store) -> None:
        """Tell readers what is declared behind the numbers."""
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        store.insert(DEFINITIONS, [declaration(self._definitions, now_ms)])

    def _connect(self, name: str, connect: Callable[[], Store]) -> Store | None:
        """Try until it answers; None when told to stop meanwhile. Raises LineStoppedError."""
        while not self._stopping.is_set():
            try:
                return connect()
            except MissingTableError as error:
                raise LineStoppedError(str(error)) from error
            except STORE_ERRORS as error:
                if remedy(error) is not Remedy.RETRY:
                    raise LineStoppedError(f"{name}: {type(error).__name__}: {error}") from error
                log.warning("ConnectFailed", to=name, error=str(error)[:300])
                self._board.update(state=State.RETRYING, reason=str(error)[:300])
                self._stopping.wait(CONNECT_WAIT_SECONDS)
        return None

    def _read(self, store: Store) -> None:
        kafka, sink = self._settings.kafka, self._settings.sink
        letters = SinkLetters(self._clients, f"{kafka.topic_prefix}.sink.dlq")
        reader = self._open_reader(f"{kafka.group}.sink")
        if reader is None:
            return
        heartbeat = self._settings.heartbeat
        read_back = heartbeat.seconds / 2 if heartbeat.enabled else None
        limits = Limits(sink.flush_rows, sink.flush_bytes, sink.flush_seconds, read_back)
        clock = Clock(time.monotonic, time.time, lambda: self._give_up_at)

        def rows(record: Record, accept_slice: bool) -> Rows:  # noqa: FBT001 - flow.ToRows
            self._check(record, store, reader)
            return self._topics.rows(record, accept_slice)

        flow = Flow(reader, store, rows, letters.send, limits, clock, self._board)
        self._board.update(state=State.RUNNING, reason="", last_success=time.time())
        try:
            while not self._stopping.is_set():
                flow.step()
            flow.flush()
        finally:
            reader.close()
            letters.close()

    def _open_reader(self, group: str) -> KafkaLog | None:
        while not self._stopping.is_set():
            try:
                return KafkaLog(self._clients, group, self._topics.names, self._settings.worker)
            except KafkaError as error:
                log.warning("ConnectFailed", to="Kafka", error=repr(error))
                self._board.update(state=State.RETRYING, reason=f"Kafka: {error!r}")
                self._stopping.wait(CONNECT_WAIT_SECONDS)
        return None

    def _check(self, record: Record, store: Store, reader: KafkaLog) -> None:
        """Before the first state-log record of a place: is it the log these tables were made from?"""
        place = (record.topic, record.partition)
        stream = self._topics.state.get(record.topic)
        if stream is None or place in self._checked:
            return
        header = read_header(record.headers)
        self._warn_of_format(stream, header)
        try:
            known = store.last_version(stream, header.epoch, record.partition)
        except STORE_ERRORS as error:
            # Its rows cannot be written either: the next record asks again.
            log.warning("LogNotChecked", topic=place[0], partition=place[1], error=str(error)[:300])
            return
        self._checked.add(place)
        end = reader.end(place)
        if known is not None and known >= end:
            raise LineStoppedError(
                f"{place[0]}-{place[1]} ends at {end}, but ClickHouse holds rows of offset"
                f" {known} of the same epoch {header.epoch}: the topic was made anew."
                " Start a new epoch (`pulse rebuild`)"
            )

    def _warn_of_format(self, stream: str, header: Header) -> None:
        mine = state_format(self._definitions.stored(stream))
        if header.format not in {mine, *self._formats}:
            self._formats.add(header.format)
            log.warning("FormatDiffers", log=header.format, mine=mine)
