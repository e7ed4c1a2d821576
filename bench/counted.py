"""Topics of all streams that a worker has counted: what a board and a sink read."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import mixed
from mixed import SHARES, fill
from rig import broker, child
from throughput import renew

from pipeline.events.instants import instant_text
from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import declared_topics
from pipeline.settings import Settings
from pipeline.sources.simulate import encode

WORKER_PORT = 8478
PATIENCE_SECONDS = 300


class Counted(NamedTuple):
    """`env`: what makes a process read the same topics; `events`: how many were counted."""

    settings: Settings
    env: dict[str, str]
    events: int


@contextmanager
def counted(events: int, accounts: int) -> Iterator[Counted]:
    """Filled, and every event committed to the state logs by a worker that has gone."""
    with broker() as settings, TemporaryDirectory(prefix="pulse-bench-") as folder:
        clients = Clients(settings.kafka)
        renew(clients, declared_topics(settings.kafka.topic_prefix, tuple(SHARES)), [])
        env = {
            "PULSE_KAFKA__BOOTSTRAP": settings.kafka.bootstrap or "",
            "PULSE_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
            "PULSE_KAFKA__GROUP": settings.kafka.group,
            "PULSE_STREAMS": ",".join(SHARES),
            "PULSE_HEARTBEAT__ENABLED": "false",
            "PULSE_SINK__URL": f"chdb://{folder}/clickhouse?database=pulse",
            "PULSE_BOARD__PORT": "0",
            "PULSE_LOG__LEVEL": "warning",
        }
        told = asyncio.run(fill(clients, events, accounts))
        child(mixed.__file__, env, f"--events={told}")
        yield Counted(settings, env, told)


@contextmanager
def aggregating() -> Iterator[float]:
    """A worker beside this process; answers how long it restored a partition, mean seconds."""
    env = os.environ | {"PULSE_KAFKA__GROUP": "bench", "PULSE_WORKER__HEALTH_PORT": str(WORKER_PORT)}
    command = [sys.executable, "-m", "pipeline", "run", "--roles", "aggregate"]
    with TemporaryDirectory() as folder, subprocess.Popen(command, env=env, cwd=folder) as worker:
        try:
            yield restored(worker)
        finally:
            worker.terminate()
            worker.wait(60)


def restored(worker: subprocess.Popen[bytes]) -> float:
    """Mean seconds of opening one of its partitions."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if worker.poll() is not None:
            raise RuntimeError("the worker has ended")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{WORKER_PORT}/readyz", timeout=5):
                break
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    with urllib.request.urlopen(f"http://127.0.0.1:{WORKER_PORT}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    told = {
        line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("pulse_open_seconds_")
    }
    return told["pulse_open_seconds_sum"] / told["pulse_open_seconds_count"]


def probe(name: str) -> tuple[bytes, bytes]:
    """Key and value of somebody who enters a queue of that name now."""
    now = time.time_ns() // 1_000_000
    told: dict[str, Any] = {
        "specversion": "1.0", "id": name, "source": "/bench", "type": "pulse.call.queued",
        "time": instant_text(now), "tenantid": "bench", "data": {"contact_id": name, "queue_id": name},
    }  # fmt: skip
    return f"bench|{name}".encode(), encode(told)


async def until(holds: Callable[[], bool], pause: float = 0.005) -> float:
    """Seconds until it holds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError
        await asyncio.sleep(pause)
    return time.monotonic() - began
