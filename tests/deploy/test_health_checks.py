"""Each health check of docker-compose.yml, run as it stands there: it fails without its service, not with it.

Kafka, Prometheus, Alertmanager and Pulse are the real ones. Of ClickHouse's server and of Grafana, which no
test can start here, only the command is tried, on a stand-in that answers as they document it.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import check, create_missing, declared_topics
from pipeline.local.jars import ensure_jars, java
from pipeline.local.probes import Probes
from pipeline.settings import Kafka
from pipeline.telemetry import Telemetry
from tests.conftest import ROOT

JAVA_OF = {"/opt/kafka/bin/kafka-configs.sh": "kafka.admin.ConfigCommand"}
"""Which class of the jars a script of the image starts."""


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def command_of(service: dict, port: int) -> list[str]:
    """The check as a command of this machine: its service listens on `port`.

    Options of wget are those that GNU's and busybox's share: the images have one or the other.
    """
    kind, program, *arguments = service["healthcheck"]["test"]
    assert kind == "CMD"
    moved = [re.sub(r"(127\.0\.0\.1|localhost):\d+", rf"\1:{port}", argument) for argument in arguments]
    assert moved != arguments, "the check names no address"
    if program in JAVA_OF:
        return [java(), "-cp", f"{ensure_jars(print)}/*", JAVA_OF[program], *moved]
    assert program == "wget"
    assert set(re.findall(r"(?<= )-\w+", " " + " ".join(moved))) <= {"-q", "-T", "-O"}
    return [program, *moved]


def is_well(service: dict, command: list[str]) -> bool:
    """As an engine judges: what takes longer than the time-out is not well."""
    seconds = float(service["healthcheck"]["timeout"].removesuffix("s"))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def becomes_well(service: dict, command: list[str], process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service has ended"
        if is_well(service, command):
            return True
        time.sleep(0.2)
    return False


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | environment) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def test_the_broker_of_the_file_starts_serves_pulse_and_is_missed_when_it_is_gone(services, tmp_path):
    """The image's own set-up program turns the file's environment into a broker's properties."""
    service = services["kafka"]
    inner, host, controller = free_ports(3)
    environment = {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in service["environment"].items()
    }
    moved = {":9092": f":{inner}", ":9094": f":{host}", ":9093": f":{controller}", "//kafka:": "//localhost:"}
    for old, new in moved.items():
        environment = {name: value.replace(old, new) for name, value in environment.items()}
    environment["KAFKA_LOG_DIRS"] = str(tmp_path / "data")
    for folder in ("defaults", "mounted", "config"):
        (tmp_path / folder).mkdir()
    run = [java(), "-Xmx512m", "-cp", f"{ensure_jars(print)}/*"]
    folders = ["--default-configs-dir", "defaults", "--mounted-configs-dir", "mounted"]
    set_up = [*run, "kafka.docker.KafkaDockerWrapper", "setup", *folders, "--final-configs-dir", "config"]
    subprocess.run(
        set_up, cwd=tmp_path, env=os.environ | environment, capture_output=True, check=True, timeout=60
    )
    command = command_of(service, inner)
    start = [*run, "kafka.Kafka", tmp_path / "config/server.properties"]
    with running(start, tmp_path / "broker.log") as broker:
        assert becomes_well(service, command, broker), (tmp_path / "broker.log").read_text()[-3000:]
        admin = Clients(Kafka(bootstrap=f"127.0.0.1:{host}")).admin()
        topics = declared_topics("pulse", ("call",))
        create_missing(admin, topics)
        findings = check(admin, topics)
        admin.close()
        assert findings == []
    assert not is_well(service, command)


@pytest.mark.parametrize(
    ("name", "program"), [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")]
)
def test_a_program_that_watches_is_well_while_it_runs(services, tmp_path, name, program):
    service, (port,) = services[name], free_ports(1)
    command = command_of(service, port)
    assert not is_well(service, command)
    moved = {f"/etc/{name}": str(ROOT / "deploy" / name), f"=/{name}": f"={tmp_path}"}
    flags = service["command"]
    for old, new in moved.items():
        flags = [flag.replace(old, new) for flag in flags]
    start = [program, *flags, f"--web.listen-address=127.0.0.1:{port}"]
    with running(start, tmp_path / "log") as process:
        assert becomes_well(service, command, process)
        # Frozen is not well either: a process that is there but does not answer.
        process.send_signal(signal.SIGSTOP)
        assert not is_well(service, command)
        process.send_signal(signal.SIGCONT)
    assert not is_well(service, command)


@contextmanager
def answering(path: str, status: int) -> Iterator[int]:
    """A server that knows one path; answers its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == path else 404)
            self.end_headers()
            self.wfile.write(b"Ok.\n")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("name", "path"), [("clickhouse", "/ping"), ("grafana", "/api/health")])
def test_a_server_is_well_when_it_says_so_and_only_then(services, name, path):
    service = services[name]
    for status, expected in ((200, True), (503, False)):
        with answering(path, status) as port:
            assert is_well(service, command_of(service, port)) is expected
    assert not is_well(service, command_of(service, port))


def ready(board: int, worker: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PULSE_BOARD__PORT": str(board),
        "PULSE_WORKER__HEALTH_PORT": str(worker),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "pipeline.local.ready"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_the_check_of_the_image_and_of_the_file_is_the_same(services):
    image = (ROOT / "Dockerfile").read_text()
    assert 'CMD ["python", "-m", "pipeline.local.ready"]' in image
    for role in ("aggregate", "board", "sink"):
        assert services[role]["healthcheck"]["test"] == ["CMD", "python", "-m", "pipeline.local.ready"]


async def test_pulse_is_ready_when_it_says_so_and_tells_why_it_is_not():
    problems: list[str] = []
    probes = Probes("127.0.0.1", 0, Telemetry(), lambda: problems)
    (nobody,) = free_ports(1)
    await probes.start()
    try:
        well = await asyncio.to_thread(ready, nobody, probes.port)
        assert (well.returncode, well.stdout) == (0, "ready\n")
        problems.append("the sink is stopped: a reason")
        ill = await asyncio.to_thread(ready, probes.port, nobody)
        assert (ill.returncode, ill.stdout) == (1, "the sink is stopped: a reason\n")
        port = probes.port
    finally:
        await probes.stop()
    gone = await asyncio.to_thread(ready, nobody, port)
    assert gone.returncode == 1
    assert "nobody listens" in gone.stdout


def test_pulse_that_answers_something_else_is_not_ready():
    with answering("/other", 200) as port:
        assert ready(port, port).returncode == 1
