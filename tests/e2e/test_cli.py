"""Commands against a real broker, and the demo as a person starts it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.board.server import Board
from pipeline.events.rejects import Reason
from pipeline.settings import Kafka, Settings
from pipeline.sink.ask import UnavailableError, ask
from pipeline.telemetry import Telemetry
from tests.builders import UNDECLARED, event, raw
from tests.runtime.world import World, until
from tests.unit.cli.conftest import pulse  # noqa: F401 - a fixture

PULSE = Path(sys.executable).with_name("pulse")
PATIENCE = 60.0


@pytest.fixture
def here(own_kafka: Kafka, monkeypatch) -> Kafka:
    monkeypatch.setenv("PULSE_KAFKA__BOOTSTRAP", own_kafka.bootstrap or "")
    monkeypatch.setenv("PULSE_KAFKA__TOPIC_PREFIX", own_kafka.topic_prefix)
    monkeypatch.setenv("PULSE_KAFKA__GROUP", own_kafka.group)
    return own_kafka


def test_topics_are_created_once_and_checked(pulse, here):  # noqa: F811
    assert "17 findings" in pulse("topics", "--local", "--check", code=1).stdout
    told = pulse("topics", "--local").stdout
    assert f"created {here.topic_prefix}.call.state" in told
    assert "0 findings" in told
    again = pulse("topics", "--local").stdout
    assert "created" not in again
    # For production it says that the counts are those of one machine, and goes on.
    assert "warning" in pulse("topics", "--check").stdout


def test_run_without_topics_says_which_and_what_helps(pulse, here, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PULSE_BOARD__PORT", "0")
    told = pulse("run", "--roles", "board", code=3).stderr
    assert f"{here.topic_prefix}.call.state does not exist: pulse topics" in told


def test_a_fast_simulation_ends_now_and_nothing_of_it_is_rejected(pulse, here):  # noqa: F811
    pulse("topics", "--local")
    told = pulse("simulate", "--streams", "call", "--fast", "--for", "30m", "--rate", "2").stderr
    sent = int(re.match(r"(\d+) events sent", told)[1])
    asyncio.run(_work_until(here, sent))
    assert pulse("dlq", "list").stdout == "no rejected events\n"
    assert json.loads(pulse("dlq", "list", "--json").stdout) == []


async def _work_until(kafka: Kafka, count: int) -> None:
    world = World(kafka, partitions=4)

    async def all_there() -> bool:
        return sum((await world.group_offsets()).values()) >= count

    async with world.working():
        await until(all_there)


def test_a_simulation_that_is_kept_goes_on_where_it_was(pulse, here, tmp_path):  # noqa: F811
    pulse("topics", "--local")
    story = ("simulate", "--rate", "5", "--for", "3s", "--keep", "story.json")
    sent, began = [], []
    for _ in range(2):
        sent.append(int(re.search(r"(\d+) events sent", pulse(*story).stderr)[1]))
        began.append(json.loads((tmp_path / "story.json").read_text())["start_ms"])
    assert began[0] == began[1]
    # Twenty minutes of callers at first, then some seconds of them.
    assert sent[0] > 1000
    assert 0 < sent[1] < 500
    assert "without --out" in pulse(*story, "--fast", code=2).stderr


def test_dead_letters_are_listed_and_shown(pulse, here):  # noqa: F811
    world = World(here)

    async def reject() -> None:
        await world.create_topics()
        await world.tell(
            [(b"k", b"[no markup]"), (b"k", raw(event("queued"))), (b"k", raw(event("queued", time="soon")))],
            0,
        )
        async with world.working():
            await until(world.all_counted)

    asyncio.run(reject())
    told = pulse("dlq", "list").stdout
    assert f"{world.source}/0@0" in told
    assert "not_json" in told
    letters = json.loads(pulse("dlq", "list", "--json").stdout)
    assert [(each["offset"], each["reason"]) for each in letters] == [
        ("0", Reason.NOT_JSON),
        ("2", Reason.BAD_TIME),
    ]
    newest = json.loads(pulse("dlq", "list", "--limit", "1", "--json").stdout)
    assert newest == letters[1:]
    shown = pulse("dlq", "show", letters[0]["place"]).stdout
    assert "reason: not_json" in shown
    assert shown.endswith("[no markup]\n")
    assert "no rejected event at 9:9" in pulse("dlq", "show", "9:9", code=1).stderr


async def test_sql_is_answered_to_this_machine_and_nobody_else(monkeypatch):
    async def answers(query: str) -> dict[str, Any]:
        return {"columns": [query], "rows": []}

    settings = Settings(board={"port": 0})
    board = Board(settings, UNDECLARED, Telemetry(), reads_log=False, answers_sql=answers)
    await board.start()
    try:
        request = urllib.request.Request(f"{board.url}/api/sql", data=b"SELECT 1")
        with await asyncio.to_thread(urllib.request.urlopen, request) as response:
            assert json.load(response) == {"columns": ["SELECT 1"], "rows": []}
        monkeypatch.setattr("pipeline.board.server.LOOPBACK", frozenset())
        with pytest.raises(urllib.error.HTTPError, match="403") as caught:
            await asyncio.to_thread(urllib.request.urlopen, request)
        caught.value.close()
    finally:
        await board.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """A running `pulse demo` in a folder of its own."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[str]) -> None:
        self._folder, self._port, self.process = folder, port, process

    def asked(self, metric: str) -> dict[str, Any] | None:
        """One number over everything, with the state of its partitions; None while nobody listens."""
        url = f"http://127.0.0.1:{self._port}/api/metrics?metric={metric}&by=&window=1h"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except OSError:
            assert self.process.poll() is None, self.process.communicate()
            return None

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first answer for which something holds."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self.asked("offered")
            if answer is not None and holds(answer):
                return answer
            time.sleep(0.2)
        raise AssertionError("not in time")


def offsets(answer: dict[str, Any]) -> int:
    return sum(each["next_offset"] for each in answer["partitions"])


def offered(answer: dict[str, Any]) -> float:
    return sum(row["value"] for row in answer["metrics"])


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    port = free_port()
    environment = os.environ | {"PULSE_BOARD__PORT": str(port)}
    command = [str(PULSE), "demo", "--rate", "20", "--history", "3d", "--accounts", "30", *options]
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield Demo(folder, port, process)
        finally:
            if process.poll() is None:
                process.kill()


def sql(folder: Path, query: str, **environment: str) -> list[list[Any]]:
    done = subprocess.run(
        [PULSE, "sql", "--json", query], cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    rows: list[list[Any]] = json.loads(done.stdout)["rows"]
    return rows


def caught_up(folder: Path, running: Demo, offered: float) -> int:
    """How many legs ClickHouse has when it has those that the board has shown: it comes after the board."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ((count,),) = sql(folder, "SELECT count() FROM legs_now", PULSE_BOARD__PORT=str(running._port))
        if count >= offered:
            return int(count)
    raise AssertionError("not in time")


def test_the_demo_counts_answers_sql_stops_and_goes_on(tmp_path):
    with demo(tmp_path) as first:
        seen = first.until(lambda answer: answer["is_caught_up"] and offered(answer) > 500)
        told = caught_up(tmp_path, first, offered(seen))
        lost = Settings(sink={"url": f"chdb://{tmp_path}/.pulse/clickhouse"}, board={"port": free_port()})
        with pytest.raises(UnavailableError, match="PULSE_BOARD__PORT"):
            ask(lost, "SELECT 1")
        first.process.send_signal(signal.SIGINT)
        out, err = first.process.communicate(timeout=PATIENCE)
        assert first.process.returncode == 0, err
    assert "live page" in out
    assert "Stopped. Data are kept in .pulse" in err
    (kept,) = sql(tmp_path, "SELECT count(), uniqExact(tenant, contact_id, leg) FROM legs_now")
    assert kept[0] == kept[1] >= told
    with demo(tmp_path, "--for", "20s") as second:
        again = second.until(lambda answer: answer["is_caught_up"] and offsets(answer) > offsets(seen))
        assert offered(again) >= offered(seen)
        _, err = second.process.communicate(timeout=PATIENCE)
        assert second.process.returncode == 0, err
    (after,) = sql(tmp_path, "SELECT count() FROM legs_now")
    assert after[0] >= kept[0]
