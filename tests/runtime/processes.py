"""Workers as real processes: started, killed, stopped, frozen; none outlives its test."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from pipeline.settings import Settings
from tests.runtime.world import PATIENCE, until

ROOT = Path(__file__).parents[2]
FATAL = 70
KILLED = -signal.SIGKILL


def variables(settings: Settings, **more: Any) -> dict[str, str]:
    """The environment that makes a process read these settings."""
    flat = {"PULSE_LOG__FORMAT": "json", "PULSE_STREAMS": ",".join(settings.streams)}
    for section in ("kafka", "worker", "board", "sink"):
        for name, value in getattr(settings, section).model_dump(mode="json", exclude_unset=True).items():
            if value is not None:
                flat[f"PULSE_{section}__{name}".upper()] = str(value)
    return {**os.environ, **flat, **more}


class Process:
    """One worker process and what it wrote; `log` survives it for the failure's message."""

    def __init__(self, settings: Settings, folder: Path, *faults: str) -> None:
        self.log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
        command = [sys.executable, "-W", "ignore", "-m", "tests.runtime.worker_process", *faults]
        # In `folder` there are no settings and no definitions of anybody.
        environment = variables(settings, PYTHONPATH=str(ROOT))
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                command, cwd=folder, stdout=out, stderr=out, env=environment, start_new_session=True
            )
        self.frozen = False
        self._is_asked = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it lives."""
        return self._process.poll()

    def said(self, text: str) -> bool:
        return text in self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        if self.code is None and not (number == signal.SIGTERM and self._is_asked):
            self._is_asked |= number == signal.SIGTERM
            self._process.send_signal(number)
            self.frozen = number == signal.SIGSTOP or (self.frozen and number != signal.SIGCONT)

    async def says(self, text: str, seconds: float = PATIENCE) -> None:
        def heard() -> bool:
            assert self.code is None or self.said(text), f"ended with {self.code}:\n{self.tail()}"
            return self.said(text)

        await until(heard, seconds, what=f"{text!r} in\n{self.tail()}")

    async def listening(self) -> None:
        """Until signals are handled, or it has ended."""
        await until(lambda: self.code is not None or self.said("listening"), what=self.tail())

    async def ended(self, seconds: float = PATIENCE) -> int:
        await until(lambda: self.code is not None, seconds, what=f"the end of {self.pid}\n{self.tail()}")
        assert self.code is not None
        return self.code

    async def stopped(self) -> int:
        """SIGTERM as soon as somebody listens, and how it ended."""
        self.signal(signal.SIGCONT)
        await self.listening()
        self.signal(signal.SIGTERM)
        return await self.ended()

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        if self.code is None:
            self._process.kill()
        self._process.wait()


class Processes:
    """Starts workers into one folder; leaving the context kills what is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Process] = []

    def start(self, settings: Settings, *faults: str) -> Process:
        self.all.append(Process(settings, self.folder, *faults))
        return self.all[-1]

    @property
    def alive(self) -> list[Process]:
        return [each for each in self.all if each.code is None]

    async def stop_all(self) -> None:
        await asyncio.gather(*(each.stopped() for each in self.alive))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.all:
            each.kill()
