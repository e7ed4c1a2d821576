"""The way of an alert on one machine: Pulse's roles as processes, Prometheus, Alertmanager, and who is told.

Rules and routes are those of deploy/, hastened: every `for`, `keep_firing_for` and interval of a group is divided by
ten, scrapes and evaluations are a second apart. Thresholds stay; what takes minutes is told as having begun earlier.
"""

import json
import os
import re
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from threading import Thread
from typing import Any, NamedTuple

import yaml

from pipeline.events.instants import instant_text
from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.settings import Kafka
from tests.alerts.rules import ALERTMANAGER, PROMETHEUS, ROOT, RULE_FILES, read
from tests.builders import event, raw
from tests.deploy.rig import process
from tests.deploy.test_health_checks import free_ports

HASTE = 10
PATIENCE = 60.0


class Told(NamedTuple):
    """One alert as a receiver heard it. `at`: when, seconds since 1970."""

    at: float
    receiver: str
    status: str
    labels: dict[str, str]

    def says(self, name: str, status: str = "firing", **labels: str) -> bool:
        wanted = labels | {"alertname": name}
        return self.status == status and wanted.items() <= self.labels.items()


class Receiver(ThreadingHTTPServer):
    """Keeps what Alertmanager posts: one list of alerts per notification."""

    def __init__(self) -> None:
        notifications: list[list[Told]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver, now = told["receiver"], time.time()
                notifications.append(
                    [Told(now, receiver, each["status"], each["labels"]) for each in told["alerts"]]
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.notifications = notifications

    def told(self, name: str, status: str = "firing", **labels: str) -> list[Told]:
        """Every time somebody heard of it, the first time first."""
        return [
            each for told in list(self.notifications) for each in told if each.says(name, status, **labels)
        ]


class Way(NamedTuple):
    """What a test does to the installation. `worker` may be killed."""

    kafka: Kafka
    receiver: Receiver
    worker: Popen[bytes]
    prometheus: str
    folder: Path

    def tell(self, events: Iterable[dict[str, Any]]) -> float:
        """Send events; answers when the broker had all of them, seconds."""
        producer = Clients(self.kafka).producer()
        try:
            sent = [
                producer.send(
                    f"{self.kafka.topic_prefix}.call",
                    raw(told),
                    key=f"{told['tenantid']}|{told['data']['contact_id']}".encode(),
                )
                for told in events
            ]
            for future in sent:
                future.get(timeout=30)
        finally:
            producer.close()
        return time.time()

    def asked(self, expr: str) -> list[dict[str, Any]]:
        """An instant query."""
        url = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def until(self, holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """The first answer that is not empty."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := holds():
                    return found
            except OSError:  # not listening yet
                pass
            time.sleep(0.05)
        tails = {log.name: log.read_text(errors="replace")[-1200:] for log in self.folder.glob("*.log")}
        heard = [(each.status, each.labels) for told in self.receiver.notifications for each in told]
        raise AssertionError(f"not within {seconds} s: {what}; heard {heard}\n{json.dumps(tails, indent=1)}")

    def page(self, name: str, status: str = "firing", **labels: str) -> Told:
        """The first notification of an alert, waited for."""
        told: list[Told] = self.until(lambda: self.receiver.told(name, status, **labels), f"{name} {status}")
        return told[0]


def call(what: str, contact: str, queue: str, seconds_ago: float, **more: Any) -> dict[str, Any]:
    at = instant_text(round((time.time() - seconds_ago) * 1000))
    return event(what, contact=contact, tenantid="acme", queue_id=queue, time=at, **more)


def hastened(duration: str) -> str:
    count, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return f"{int(count) * {'s': 1, 'm': 60, 'h': 3600}[unit] * 1000 // HASTE}ms"


def write_rules(folder: Path) -> None:
    (folder / "rules").mkdir()
    for file in RULE_FILES:
        told = read(file)
        for group in told["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                rule.update(
                    {
                        clause: hastened(rule[clause])
                        for clause in ("for", "keep_firing_for")
                        if clause in rule
                    }
                )
        (folder / "rules" / file.name).write_text(yaml.safe_dump(told))


def write_prometheus(folder: Path, targets: dict[str, int], alertmanager: int) -> None:
    told = read(PROMETHEUS / "prometheus.yml")
    told["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    told["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]}
    (job,) = told["scrape_configs"]
    del job["dns_sd_configs"], job["relabel_configs"]
    job["static_configs"] = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"role": role}} for role, port in targets.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told))


def write_alertmanager(folder: Path, receiver: int) -> None:
    """The routes and inhibitions as they are; every receiver is ours, and nobody waits for a second notification."""
    told = read(ALERTMANAGER)
    told["route"]["group_interval"] = "1s"
    told["receivers"] = [
        {
            "name": each["name"],
            "webhook_configs": [{"url": f"http://127.0.0.1:{receiver}/", "send_resolved": True}],
        }
        for each in told["receivers"]
    ]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(told))


@contextmanager
def alerting(kafka: Kafka, folder: Path) -> Iterator[Way]:
    """Everything runs, and the first heartbeats have come through."""
    admin = Clients(kafka).admin()
    create_missing(admin, declared_topics(kafka.topic_prefix, ("call",)), local=True)
    admin.close()
    worker_port, board, prometheus, alertmanager = free_ports(4)
    environment = os.environ | {
        "PULSE_STREAMS": "call",
        "PULSE_KAFKA__BOOTSTRAP": kafka.bootstrap or "",
        "PULSE_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "PULSE_KAFKA__GROUP": kafka.group,
        "PULSE_WORKER__HEALTH_PORT": str(worker_port),
        "PULSE_BOARD__PORT": str(board),
        "PULSE_HEARTBEAT__SECONDS": "1",
        "PULSE_SINK__URL": f"chdb://{folder}/clickhouse",
        "PYTHONPATH": str(ROOT),
    }
    receiver = Receiver()
    write_rules(folder)
    write_prometheus(folder, {"aggregate": worker_port, "board": board, "sink": board}, alertmanager)
    write_alertmanager(folder, receiver.server_port)
    run = [sys.executable, "-m", "pipeline", "run", "--roles"]
    with ExitStack() as exits:
        exits.callback(receiver.server_close)
        exits.callback(receiver.shutdown)
        Thread(target=receiver.serve_forever, daemon=True).start()
        worker = exits.enter_context(process([*run, "aggregate"], folder / "worker.log", environment, folder))
        exits.enter_context(process([*run, "board,sink"], folder / "board.log", environment, folder))
        flags = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager"]
        listen = [f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="]
        command = ["prometheus-alertmanager", *flags, *listen]
        exits.enter_context(process(command, folder / "alertmanager.log", environment, folder))
        flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
        # What fires before Alertmanager is found is told again after this; by itself after a minute.
        flags.append("--rules.alert.resend-delay=5s")
        command = ["prometheus", *flags, f"--web.listen-address=127.0.0.1:{prometheus}"]
        exits.enter_context(process(command, folder / "prometheus.log", environment, folder))
        path = Way(kafka, receiver, worker, f"http://127.0.0.1:{prometheus}", folder)
        path.until(lambda: path.asked("support:known_until:timestamp_seconds > time() - 5"), "a heartbeat")
        yield path
