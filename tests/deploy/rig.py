"""A whole installation on this machine: worker, sink and two boards as processes, a Prometheus that scrapes them."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.settings import STREAMS, Kafka
from tests.conftest import ROOT
from tests.deploy.test_health_checks import free_ports
from tests.deploy.traffic import Told, traffic

SCRAPE_SECONDS = 1
PATIENCE = 120.0


class Rig(NamedTuple):
    """`now` is when the traffic ended, seconds."""

    prometheus: str
    board: str
    now: float

    def range(self, expr: str, seconds: float = 20, end: float | None = None) -> list[dict[str, Any]]:
        """What a time series panel gets: series with their points."""
        end = time.time() if end is None else end
        found = self._ask("query_range", query=expr, start=end - seconds, end=end, step=2)
        assert found["resultType"] == "matrix"
        return list(found["result"])

    def instant(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        return list(self._ask("query", query=expr, time=time.time() if at is None else at)["result"])

    def series(self, match: str) -> list[dict[str, str]]:
        return list(self._ask("series", **{"match[]": match}))

    def sql(self, query: str) -> dict[str, Any]:
        """Columns and rows of the process that holds the embedded engine. Raises AssertionError with its word."""
        request = urllib.request.Request(f"{self.board}/api/sql", data=query.encode())
        return fetched(request)

    def _ask(self, what: str, **parameters: Any) -> Any:
        data = urllib.parse.urlencode(parameters).encode()
        answer = fetched(urllib.request.Request(f"{self.prometheus}/api/v1/{what}", data=data))
        assert answer["status"] == "success", answer
        return answer["data"]


def fetched(request: urllib.request.Request | str) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(error.read().decode()) from None


@contextmanager
def installation(kafka: Kafka, folder: Path) -> Iterator[Rig]:
    """Running, all traffic in the numbers of both boards and in ClickHouse, and scraped more than once."""
    clients = Clients(kafka)
    admin = clients.admin()
    create_missing(admin, declared_topics(kafka.topic_prefix, STREAMS), local=True)
    admin.close()
    # Earlier than all of it, so that no moment of the story is ahead of its own arrival.
    now = time.time()
    asyncio_run_send(clients, kafka.topic_prefix, traffic(int(now * 1000)))
    worker, board, second, prometheus = free_ports(4)
    environment = os.environ | {
        "PULSE_KAFKA__BOOTSTRAP": kafka.bootstrap or "",
        "PULSE_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "PULSE_KAFKA__GROUP": kafka.group,
        "PULSE_WORKER__HEALTH_PORT": str(worker),
        "PULSE_HEARTBEAT__SECONDS": "1",
        "PULSE_SINK__URL": f"chdb://{folder}/clickhouse?database=pulse",
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as exits:
        for roles, port in (("aggregate", 0), ("board,sink", board), ("board", second)):
            run = [sys.executable, "-m", "pipeline", "run", "--roles", roles]
            exits.enter_context(
                process(
                    run,
                    folder / f"{roles}-{port}.log",
                    environment | {"PULSE_BOARD__PORT": str(port or 1)},
                    folder,
                )
            )
        targets = {"aggregate": worker, "sink": board, "board": second}
        config = configuration(targets)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
        scrape = ["prometheus", *flags, f"--web.listen-address=127.0.0.1:{prometheus}"]
        exits.enter_context(process(scrape, folder / "prometheus.log", environment, folder))
        rig = Rig(f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{board}", now)
        until(lambda: caught_up(rig, second), folder)
        until(lambda: len(read_by_board(rig)) == len(STREAMS) * 4, folder)
        positions = read_by_board(rig)
        until(lambda: is_level(rig, kafka.topic_prefix, positions), folder)
        # The watch asks once a minute.
        until(lambda: bool(rig.instant("pulse_gaming_flags > 0")), folder)
        yield rig


def configuration(targets: dict[str, int]) -> dict[str, Any]:
    """The committed one, with addresses of this machine and scrapes a test need not wait for."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"}
    config.pop("rule_files", None)
    config.pop("alerting", None)
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "pulse"]
    for key in ("dns_sd_configs", "relabel_configs"):
        del job[key]
    job["static_configs"] = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"role": role}} for role, port in targets.items()
    ]
    config["scrape_configs"] = [job]
    return config


def asyncio_run_send(clients: Clients, prefix: str, told: Sequence[Told]) -> None:
    import asyncio

    async def send() -> None:
        async with running(clients.aio_producer(linger_ms=20)) as producer:
            for each in told:
                await producer.send(f"{prefix}.{each.stream}", each.value, key=each.key)
            await producer.flush()

    asyncio.run(send())


@contextmanager
def process(
    command: Sequence[str], log: Path, environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder) as child,
    ):
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def caught_up(rig: Rig, second: int) -> bool:
    """Ready, nothing left to read but heartbeats, and every process scraped some times."""
    for url in (rig.board, f"http://127.0.0.1:{second}"):
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                pass
        except OSError:
            return False
    lag = rig.instant("max(pulse_consumer_lag_messages)")
    scrapes = rig.instant('min(count_over_time(up{job="pulse"}[1m]))')
    return bool(lag and scrapes) and number(lag[0]) <= 5 and number(scrapes[0]) >= 8


def is_level(rig: Rig, prefix: str, positions: dict[tuple[str, str], float]) -> bool:
    """Whether ClickHouse has what the board had at these positions of the state logs."""
    reached = {
        (each["metric"]["topic"], each["metric"]["partition"]): number(each)
        for each in rig.instant("max by (topic, partition) (pulse_sink_position_offset)")
    }
    return all(
        reached.get((f"{prefix}.{stream}.state", partition), -1) >= position
        for (stream, partition), position in positions.items()
    )


def read_by_board(rig: Rig) -> dict[tuple[str, str], float]:
    return {
        (each["metric"]["stream"], each["metric"]["partition"]): number(each)
        for each in rig.instant("min by (stream, partition) (pulse_state_log_position)")
    }


def number(sample: dict[str, Any]) -> float:
    return float(sample["value"][1])


def until(holds: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except (AssertionError, OSError):
            pass
        time.sleep(0.3)
    tails = {log.name: log.read_text(errors="replace")[-1500:] for log in folder.glob("*.log")}
    raise AssertionError(f"not in time: {json.dumps(tails, indent=1)}")
