"""/livez, /readyz and /metrics of a process that runs no board."""

import time
from collections.abc import Callable

from aiohttp import web

from pipeline.telemetry import Telemetry

LOOP_STALL_SECONDS = 10.0


class Probes:
    """Serves from the loop that does the work: a dead loop must look dead.

    `problems` says why the roles of the process are not ready; empty = ready.
    """

    def __init__(self, host: str, port: int, telemetry: Telemetry, problems: Callable[[], list[str]]) -> None:
        self._host, self._port = host, port
        self._telemetry = telemetry
        self._problems = problems
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Close the connections. Stopping twice is no error."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        """The real port, also where the setting says 0. Raises RuntimeError before start."""
        if self._runner is None:
            raise RuntimeError("the probes do not listen: start them first")
        return int(self._runner.addresses[0][1])

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "alive", "at": time.time()})

    async def _readyz(self, _: web.Request) -> web.Response:
        problems = self._problems()
        body = {"status": "not ready" if problems else "ready", "reasons": problems}
        return web.json_response(body, status=503 if problems else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._telemetry.render(), content_type="text/plain", charset="utf-8")
