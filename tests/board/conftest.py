"""A board that listens but reads no log: the tests fold records themselves."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from pipeline.board.server import Board
from pipeline.metrics.definitions import Definitions
from pipeline.settings import Settings
from pipeline.telemetry import Telemetry
from tests.board.log import Worker
from tests.builders import T0, UNDECLARED


class Stage:
    """A board on a free port, its workers, and the clock both follow (ms)."""

    def __init__(self, now: int, definitions: Definitions = UNDECLARED, workers: int = 1) -> None:
        self.now = now
        settings = Settings(board={"port": 0, "render_seconds": 0.02})
        self.checks: list[str] = []
        self.board = Board(
            settings, definitions, Telemetry(), extra_checks=lambda: self.checks, now_ms=lambda: self.now, reads_log=False
        )  # fmt: skip
        self._definitions = definitions
        self._by_stream: dict[str, Worker] = {}
        self.workers = [Worker(n, partitions=workers, definitions=definitions) for n in range(workers)]

    def tell(self, events: list[dict], worker: int = 0) -> None:
        """One commit of a worker, appended now."""
        self._commit(self.workers[worker], events)

    def tell_all(self, told: dict[str, list[dict]]) -> None:
        """One commit of each stream's worker."""
        for stream, events in told.items():
            if stream not in self._by_stream:
                self._by_stream[stream] = Worker(stream=stream, definitions=self._definitions)
            self._commit(self._by_stream[stream], events)

    def _commit(self, owner: Worker, events: list[dict]) -> None:
        for each in owner.log(events, self.now):
            self.board.fold.take(owner.source, each)
        self.board.fold.caught_up(owner.source)
        self.board.publisher.changed()

    def show(self) -> None:
        """Publish at once rather than soon."""
        self.board.publisher.publish()

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """(status, body, content type)"""
        url = self.board.url + path
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers["Content-Type"]

    async def json(self, path: str) -> tuple[int, dict]:
        status, body, _ = await self.get(path)
        return status, json.loads(body)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    found = Stage(T0 + 60_000)
    await found.board.start()
    yield found
    await found.board.stop()
