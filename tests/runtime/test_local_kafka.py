"""The local broker starts, crashes, restarts and never outlives the process that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import TopicPartition

from pipeline.kafka.clients import Clients, answers
from pipeline.local import jars
from pipeline.local.jars import LocalKafkaError
from pipeline.local.kafka import LocalKafka
from pipeline.settings import Kafka


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not is_alive(pid)


def clients(broker: LocalKafka) -> Clients:
    return Clients(Kafka(bootstrap=broker.bootstrap))


def test_records_survive_a_crash_and_the_address_stays(tmp_path):
    with LocalKafka(tmp_path) as broker:
        address = broker.bootstrap
        admin = clients(broker).admin()
        admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
        producer = clients(broker).producer()
        producer.send("kept", b"one").get(timeout=10)
        producer.close()
        broker.kill()
        broker.start()
        assert broker.bootstrap == address
        consumer = clients(broker).consumer(consumer_timeout_ms=20_000)
        consumer.assign([TopicPartition("kept", 0)])
        consumer.seek_to_beginning()
        assert next(consumer).value == b"one"
        consumer.close()


def test_a_paused_broker_can_be_resumed_and_stopped(tmp_path):
    broker = LocalKafka(tmp_path).start()
    broker.pause()
    broker.resume()
    assert answers(clients(broker))
    pid = broker.pid
    broker.pause()
    broker.stop()
    assert not is_alive(pid)


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path):
    broker = LocalKafka(tmp_path, properties={"num.io.threads": "none"})
    with pytest.raises(LocalKafkaError, match=r"num\.io\.threads"):
        broker.start()


SCRIPT = """
import sys, time
from pathlib import Path
from pipeline.local.kafka import LocalKafka
broker = LocalKafka(Path(sys.argv[1])).start()
sys.stdout.write(f"{broker.pid}\\n")
sys.stdout.flush()
if sys.argv[2] == "raise":
    raise SystemExit("gone")
time.sleep(600)
"""


@pytest.mark.parametrize("end", ["raise", "killed"])
def test_the_broker_ends_with_the_process_that_started_it(tmp_path, end):
    run = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), end]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        pid = next(int(line) for line in parent.stdout if line.strip().isdigit())
        if end == "killed":
            os.kill(parent.pid, signal.SIGKILL)
        parent.wait(30)
    assert await_end(pid)


def test_a_second_broker_on_the_same_folder_is_refused_and_harms_nothing(tmp_path):
    """Kafka 4.1 itself lets it in, and the first one then ends over a corrupt metadata log."""
    with LocalKafka(tmp_path) as broker:
        with pytest.raises(LocalKafkaError, match="Another local Kafka runs"):
            LocalKafka(tmp_path, folder_seconds=0.2).start()
        assert answers(clients(broker))


def test_without_java_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LocalKafkaError, match=r"Install Java 17 .* or set PULSE_KAFKA__BOOTSTRAP"):
        jars.java()


def test_without_maven_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = []
    with pytest.raises(LocalKafkaError, match=r"apt-get install maven.* or set PULSE_KAFKA__BOOTSTRAP"):
        jars.ensure_jars(said.append)
    assert "about 43 MB" in said[0]


def test_an_old_java_is_refused(monkeypatch, tmp_path):
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LocalKafkaError, match="too old"):
        jars.java()
