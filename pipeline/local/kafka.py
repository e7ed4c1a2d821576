"""A real Apache Kafka of one node on the loopback address, for `pulse demo` and the tests.

It knows how to start, stop, kill, pause and restart the broker on one data directory, and nothing of topics.
"""

import atexit
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from pipeline.kafka.clients import Clients, answers
from pipeline.local.jars import LocalKafkaError, Say, ensure_jars, java
from pipeline.settings import Kafka

HOST = "127.0.0.1"
PORTS = range(15000, 32000)  # below the range for outgoing connections, which begins at 32768
STOP_SECONDS = 20.0
TAIL_LINES = 25

# When the process that started the broker is gone, its end of this pipe closes and `read` returns.
WATCH = 'read -r _; kill -TERM "$1" && sleep 15 && kill -KILL "$1"'

LOGGING = [
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
]

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
    "auto.create.topics.enable": "false",
    # One node holds the only replica.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Few internal partitions: the defaults of 50 cost seconds at every start.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a crash the next broker of the same id waits until the session of the first has ended.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Trimmed records leave the disk a segment at a time.
    "log.segment.bytes": "67108864",
    # The default of 128 MB is a quarter of our heap.
    "log.cleaner.dedupe.buffer.size": "8388608",
    "num.network.threads": "2",
    "num.io.threads": "4",
}

_log = structlog.get_logger(__name__)


class LocalKafka:
    """One broker on `data_dir`; a context manager. The address stays the same from start to start.

    `properties` override or add broker properties. Every method may raise LocalKafkaError, whose text holds
    the tail of the broker's log where there is one. Not safe for several threads.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        properties: Mapping[str, str] | None = None,
        start_seconds: float = 60.0,
        folder_seconds: float = STOP_SECONDS,
        say: Say | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = self.data_dir / "broker.log"
        self._start_seconds = start_seconds
        self._folder_seconds = folder_seconds
        self._extra = dict(properties or {})
        self._listeners: list[str] = []
        self._say: Say = say or (lambda line: _log.info("local_kafka_progressed", detail=line))
        self._port, self._controller_port = _free_ports(2)
        self._broker: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self._folder = -1

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running broker, which is also its process group."""
        return self._running().pid

    def add_listener(self, address: str, properties: Mapping[str, str]) -> None:
        """From the next start on, listen on `SASL_SSL://host:port` too, with its key store and users."""
        self._listeners.append(address)
        self._extra.update(properties)

    def start(self) -> Self:
        """Return when the broker answers a metadata request. Starting what runs already is an error."""
        if self._broker is not None and self._broker.poll() is None:
            raise LocalKafkaError("This local Kafka is running already: stop it first.")
        self._end_watch()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # The first compiler alone: it starts a second sooner, and nothing here needs its peak.
        flags = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        command = [java(), *flags, "-cp", f"{ensure_jars(self._say)}/*"]
        command += LOGGING
        self._take_folder()
        config = self._write_properties()
        self._format(command, config)
        with self.log_file.open("ab") as log:
            self._broker = subprocess.Popen(
                [*command, "kafka.Kafka", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=[self._folder],
            )  # fmt: skip
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", str(self._broker.pid)], start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        atexit.register(self.kill)
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Stop cleanly, by force after 20 s. Stopping what does not run is no error."""
        if self._broker is not None and self._broker.poll() is None:
            self._broker.send_signal(signal.SIGCONT)
            self._broker.terminate()
            try:
                self._broker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _log.warning("local_kafka_stop_timed_out", seconds=STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the broker as a crash does. Killing what does not run is no error."""
        self._end_watch()
        atexit.unregister(self.kill)
        if self._broker is not None:
            self._broker.kill()
            self._broker.wait()
            self._broker = None
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._broker is None:
            raise LocalKafkaError("The local Kafka is not running: start it first.")
        return self._broker

    def _end_watch(self) -> None:
        if self._watch is not None:
            os.killpg(self._watch.pid, signal.SIGKILL)
            self._watch.communicate()
            self._watch = None

    def _take_folder(self) -> None:
        """Lock the folder: a second broker would destroy it, and Kafka 4.1's own lock lets one in.

        The broker inherits the lock, so it holds as long as either of us lives.
        """
        if self._folder >= 0:
            return
        self._folder = os.open(self.data_dir / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        deadline = time.monotonic() + self._folder_seconds
        is_told = False
        while True:
            try:
                fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self.kill()
                    raise LocalKafkaError(
                        f"Another local Kafka runs on {self.data_dir}: stop the `pulse demo` that uses it, "
                        "or give this one another --dir and PULSE_BOARD__PORT."
                    ) from None
            if not is_told:
                self._say(f"Waiting for the Kafka that still runs on {self.data_dir} …")
                is_told = True
            time.sleep(0.1)

    def _write_properties(self) -> Path:
        outer = [f"PLAINTEXT://{self.bootstrap}", *self._listeners]
        values: dict[str, Any] = {
            **PROPERTIES,
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "listeners": ",".join([*outer, f"CONTROLLER://{HOST}:{self._controller_port}"]),
            "advertised.listeners": ",".join(outer),
            "log.dirs": self.data_dir / "logs",
            **self._extra,
        }
        config = self.data_dir / "server.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        return config

    def _format(self, command: list[str], config: Path) -> None:
        if (self.data_dir / "logs" / "meta.properties").is_file():
            return
        cluster = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")
        run = [*command, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=self._start_seconds)
        if done.returncode != 0:
            raise LocalKafkaError(
                f"The local Kafka could not lay out {self.data_dir}:\n{done.stderr[-2000:]}"
            )

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            if self._running().poll() is not None:
                raise LocalKafkaError(f"The local Kafka ended while it started. {self._tail()}")
            if _accepts(self._port) and answers(Clients(Kafka(bootstrap=self.bootstrap))):
                return
            time.sleep(0.1)
        raise LocalKafkaError(
            f"The local Kafka did not answer within {self._start_seconds:g} s. {self._tail()}"
        )

    def _tail(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return f"The end of {self.log_file}:\n" + "\n".join(lines)


def _free_ports(count: int) -> list[int]:
    """Free ports that no outgoing connection is given.

    From the system's own range a client that reconnects while the broker is down may be given the broker's
    port as its source, connect to itself, and keep the broker from coming back.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = PORTS[secrets.randbelow(len(PORTS))]
        if port not in ports and _binds(port):
            ports.append(port)
    return ports


def _binds(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
