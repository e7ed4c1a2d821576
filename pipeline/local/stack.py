"""Roles of one process on one event loop: aggregate, board, sink. Knows everybody.

Local use runs all three together, because the embedded ClickHouse allows one process per path.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import structlog

from pipeline.board.server import Board
from pipeline.core import CORE
from pipeline.kafka.clients import Clients, answers
from pipeline.kafka.topics import Finding, Severity, check, declared_topics
from pipeline.local.probes import Probes
from pipeline.metrics.definitions import Definitions
from pipeline.runtime.ownership import Fatal
from pipeline.runtime.worker import Worker, end_process
from pipeline.settings import Settings
from pipeline.sink.ask import AskError, select
from pipeline.sink.gauges import SinkGauges
from pipeline.sink.loop import Sink
from pipeline.sink.migrate import migrate
from pipeline.telemetry import Telemetry

log = structlog.get_logger("pulse.stack")

ROLES: Final = ("aggregate", "board", "sink")
OBSERVE_SECONDS: Final = 1.0
GC_THRESHOLDS: Final = (100_000, 50, 100)
"""Collections are costly while millions of entities are alive, and find nothing."""


class NotReadyError(RuntimeError):
    """What must be there before roles can start is not; `findings` say what helps."""

    def __init__(self, findings: list[Finding]) -> None:
        lines = [f"{each.topic} {each.what}: {each.command}" for each in findings]
        super().__init__("topics are missing:\n  " + "\n  ".join(lines))
        self.findings = findings


class Stack:
    """The roles of this process, started by `running`."""

    def __init__(
        self,
        settings: Settings,
        definitions: Definitions,
        roles: Iterable[str] = ROLES,
        fatal: Fatal = end_process,
    ) -> None:
        self.settings = settings
        self.roles = frozenset(roles)
        self.telemetry = Telemetry()
        self.worker: Worker | None = None
        self.board: Board | None = None
        self.sink: Sink | None = None
        self.probes: Probes | None = None
        self._definitions = definitions
        self._clients = Clients(settings.kafka)
        self._fatal = fatal

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stack"]:
        """Start sink, board, worker in this order; stop them in the reverse one.

        Waits for Kafka, and for ClickHouse inside the sink. Raises NotReadyError for missing
        topics, OSError for a taken port.
        """
        log.info("CoreChosen", kind=CORE.kind, why=CORE.why)
        gc.set_threshold(*GC_THRESHOLDS)
        async with AsyncExitStack() as exits:
            if "board" in self.roles:
                await self._start_board(exits)
            else:
                await self._start_probes(exits)
            await self._await_kafka()
            sinking = self._start_sink(exits) if "sink" in self.roles else None
            if "aggregate" in self.roles:
                self.worker = Worker(
                    self.settings, self._clients, self._definitions, self.telemetry, self._fatal
                )
                await exits.enter_async_context(self.worker.running())
            if sinking is not None:
                await sinking
            gc.collect()
            gc.freeze()
            yield self

    async def _start_board(self, exits: AsyncExitStack) -> None:
        self.board = Board(
            self.settings,
            self._definitions,
            self.telemetry,
            extra_checks=self.problems,
            answers_sql=self._sql if self._is_embedded else None,
        )
        exits.push_async_callback(self.board.stop)
        await self.board.start()

    async def _start_probes(self, exits: AsyncExitStack) -> None:
        worker = self.settings.worker
        self.probes = Probes(worker.health_host, worker.health_port, self.telemetry, self.problems)
        exits.push_async_callback(self.probes.stop)
        await self.probes.start()

    async def _await_kafka(self) -> None:
        """Until a broker answers and the topics are there; says what it waits for."""
        while not await asyncio.to_thread(answers, self._clients):
            log.warning("KafkaAwaited", bootstrap=self._clients.bootstrap)
            await asyncio.sleep(1.0)
        missing = await asyncio.to_thread(self._missing_topics)
        if missing:
            raise NotReadyError(missing)

    def _missing_topics(self) -> list[Finding]:
        kafka = self.settings.kafka
        admin = self._clients.admin()
        try:
            findings = check(admin, declared_topics(kafka.topic_prefix, self.settings.streams))
        finally:
            admin.close()
        return [
            each for each in findings if each.severity is Severity.ERROR and each.what == "does not exist"
        ]

    def _start_sink(self, exits: AsyncExitStack) -> "asyncio.Task[None]":
        """Bring the embedded tables up to date and start, while the worker joins its group.

        The sink stops after the worker, whatever started first.
        """
        sink = self.sink = Sink(self.settings, self._definitions, self._clients)

        async def begin() -> None:
            if self._is_embedded:
                await asyncio.to_thread(migrate, self.settings.sink)
            sink.start()

        async def observe() -> None:
            gauges = SinkGauges(self.telemetry)
            while True:
                gauges.show(sink.status)
                await asyncio.sleep(OBSERVE_SECONDS)

        async def stop() -> None:
            await asyncio.gather(beginning, return_exceptions=True)
            if not await asyncio.to_thread(sink.stop):
                log.error("SinkStopFailed", reason="an insert did not end in time")

        beginning = asyncio.create_task(begin())
        exits.push_async_callback(stop)
        observing = asyncio.create_task(observe())
        exits.callback(observing.cancel)
        return beginning

    @property
    def _is_embedded(self) -> bool:
        """Whether this process holds the embedded ClickHouse, which nobody else can open then."""
        is_embedded = self.settings.sink.url.get_secret_value().startswith("chdb:")
        return "sink" in self.roles and is_embedded

    async def _sql(self, query: str) -> dict[str, Any]:
        try:
            return dict(await asyncio.to_thread(select, self.settings.sink, query))
        except AskError as error:
            return {"error": str(error)}

    def problems(self) -> list[str]:
        """Why this process is not ready, beside what the board says of its own data."""
        found = []
        if "aggregate" in self.roles:
            found += self.worker.problems() if self.worker else ["the worker waits for Kafka"]
        if "sink" in self.roles:
            found += self._sink_problems()
        return found

    def _sink_problems(self) -> list[str]:
        if self.sink is None:
            return ["the sink waits for Kafka"]
        status = self.sink.status
        if status.is_healthy(time.time()):
            return []
        return [f"the sink is {status.state}: {status.reason or 'no insert acknowledged yet'}"]
