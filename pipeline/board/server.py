"""The board as a role: its web pages, its tasks, and how they start and stop together.

/metrics, /api/…, /events, /livez, /readyz and the live page, all on one event loop with whatever other
role the process runs. Source: architecture.md §4.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web

from pipeline.board.answers import (
    QuestionError,
    api_answer,
    catalogue_answer,
    freshness_answer,
    question_of,
)
from pipeline.board.fold import Fold
from pipeline.board.health import Heartbeat, data_faults
from pipeline.board.lag import Lag
from pipeline.board.pacemaker import Pacemaker
from pipeline.board.publisher import Publisher
from pipeline.board.reader import Reader
from pipeline.board.series import Hours, series_question
from pipeline.board.stream import Stream
from pipeline.board.view import choice_of
from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import declared_topics
from pipeline.metrics.calls import ThresholdError
from pipeline.metrics.catalogue import DefinitionError
from pipeline.metrics.definitions import Definitions
from pipeline.settings import Settings
from pipeline.telemetry import Telemetry

BEAT_SECONDS: Final = 1.0
STOP_SECONDS: Final = 2.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
KINDS: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
PAGE_FILES: Final = {
    each.name: KINDS[Path(each.name).suffix] for each in files(__package__).joinpath("page").iterdir()
}
"""The files of the page and what they are."""
HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


def wall_ms() -> int:
    """The wall clock, ms."""
    return time.time_ns() // 1_000_000


class Board:
    """Folds the state logs of the configured streams and serves them. Made inside a running loop.

    `extra_checks` gives further reasons for /readyz from other roles of the process. Without
    `reads_log` its maker folds records into `fold` and calls `publisher.changed()`.
    `answers_sql` serves POST /api/sql to programs on this machine: the process holds the embedded
    ClickHouse, and nobody else can.
    """

    def __init__(
        self,
        settings: Settings,
        definitions: Definitions,
        telemetry: Telemetry,
        *,
        extra_checks: Callable[[], list[str]] = list,
        now_ms: Callable[[], int] = wall_ms,
        reads_log: bool = True,
        answers_sql: Callable[[str], Awaitable[dict[str, Any]]] | None = None,
    ) -> None:
        self.fold = Fold(definitions, now_ms())
        self.heartbeat = Heartbeat()
        self.publisher = Publisher(self.fold, definitions, telemetry, now_ms, settings.board.render_seconds)
        self._settings = settings
        self._extra_checks = extra_checks
        self._answers_sql = answers_sql
        self._reader: Reader | None = None
        self._lag: Lag | None = None
        self._pacemaker: Pacemaker | None = None
        heartbeat = settings.heartbeat
        telemetry.gauge(
            "heartbeat_interval_seconds",
            "How often a heartbeat is sent into each source partition; 0 = never.",
        ).set(heartbeat.seconds if heartbeat.enabled else 0)
        if reads_log:
            clients = Clients(settings.kafka)
            topics = declared_topics(settings.kafka.topic_prefix, settings.streams)
            self._reader = Reader(clients, topics, self.fold, self.publisher.changed)
            self._lag = Lag(clients, topics, self.fold, telemetry)
            if heartbeat.enabled:
                self._pacemaker = Pacemaker(clients, lambda: self.fold.positions, now_ms, heartbeat.seconds)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._hours = Hours()
        self._stream = Stream(self.publisher, self.faults)
        self._page = {name: files(__package__).joinpath("page", name).read_bytes() for name in PAGE_FILES}

    async def start(self) -> None:
        """Listen, then read. Raises OSError when the address is taken."""
        runner = self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=STOP_SECONDS
        )
        await runner.setup()
        board = self._settings.board
        try:
            await web.TCPSite(runner, board.host, board.port).start()
        except OSError:
            await self.stop()
            raise
        self._spawn("publishing", self.publisher.run())
        self._spawn("heartbeat", self._beat())
        if self._reader is not None and self._lag is not None:
            self._spawn("reading the state logs", self._reader.run())
            self._spawn("measuring lag", self._lag.run())
        if self._pacemaker is not None:
            self._spawn("sending heartbeats", self._pacemaker.run())
        _log.info("board_started", url=self.url)

    async def stop(self) -> None:
        """End the tasks, then the connections. Stopping twice is no error."""
        self._stopping.set()
        self.publisher.wake()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        """The real port, also where the setting says 0. Raises RuntimeError before start."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the board does not listen: start it first")
        port: int = self._runner.addresses[0][1]
        return port

    @property
    def url(self) -> str:
        return f"http://{self._settings.board.called}:{self.port}"

    def faults(self) -> list[str]:
        """Why the numbers shown are not to be believed; what /readyz says."""
        found = [self._reader.problem] if self._reader is not None and self._reader.problem else []
        heartbeat = self._settings.worker.heartbeat_seconds
        found += data_faults(self.publisher.latest, self.publisher.now_ms(), heartbeat)
        return [*found, *self._extra_checks()]

    def _spawn(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"board: {what}")
        task.add_done_callback(lambda ended: self._ended(what, ended))
        self._tasks.append(task)

    def _ended(self, what: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception()
            _log.error("board_task_ended", task=what, exc_info=error)
            self.heartbeat.ended(f"{what} has ended: {type(error).__name__}")

    async def _beat(self) -> None:
        while True:
            self.heartbeat.beat()
            await asyncio.sleep(BEAT_SECONDS)

    def _application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/metrics", self._api)
        app.router.add_get("/api/series", self._series)
        app.router.add_get("/api/catalogue", self._catalogue)
        app.router.add_get("/api/freshness", self._freshness)
        app.router.add_get("/events", self._events)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        if self._answers_sql is not None:
            app.router.add_post("/api/sql", self._sql)
        app.router.add_get("/", self._file)
        app.router.add_get("/{name}", self._file)
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        accept = ",".join(request.headers.getall("Accept", []))
        body, kind = self.publisher.exposition.answer(accept)
        return web.Response(body=body, headers={"Content-Type": kind})

    async def _api(self, request: web.Request) -> web.Response:
        return _answer(lambda: api_answer(self.publisher.latest, question_of(request.query)))

    async def _series(self, request: web.Request) -> web.Response:
        return _answer(lambda: self._hours.answer(self.publisher.latest, series_question(request.query)))

    async def _catalogue(self, _: web.Request) -> web.Response:
        return _json(catalogue_answer())

    async def _freshness(self, _: web.Request) -> web.Response:
        return _json(freshness_answer(self.publisher.latest))

    async def _sql(self, request: web.Request) -> web.Response:
        # Only commands on this machine may ask. A browser names the page it asks for: any page could.
        if self._answers_sql is None or request.remote not in LOOPBACK or "Origin" in request.headers:
            raise web.HTTPForbidden(text="SQL is answered to commands on this machine only")
        answer = await self._answers_sql(await request.text())
        return _json(answer, 400 if "error" in answer else 200)

    async def _livez(self, _: web.Request) -> web.Response:
        return _verdict("live", self.heartbeat.faults())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _verdict("ready", self.faults())

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        if name not in self._page:
            raise web.HTTPNotFound
        kind = PAGE_FILES[name]
        return web.Response(body=self._page[name], content_type=kind, charset="utf-8", headers=HEADERS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The numbers somebody chose, for as long as they look."""
        try:
            choice = choice_of(request.query)
        except (QuestionError, DefinitionError) as error:
            return _json({"error": str(error)}, 400)
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            async for told in self._stream.events(choice, self._stopping):
                await response.write(told)
        return response


def _answer(make: Callable[[], dict[str, Any]]) -> web.Response:
    try:
        return _json(make())
    except (QuestionError, DefinitionError, ThresholdError) as error:
        return _json({"error": str(error)}, 400)


def _json(answer: dict[str, Any], status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=_encode(answer), status=status, content_type="application/json", headers=headers)


def _verdict(what: str, faults: list[str]) -> web.Response:
    return _json({what: not faults, "reasons": faults}, 503 if faults else 200)
