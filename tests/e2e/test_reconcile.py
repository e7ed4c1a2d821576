"""Every stream through Kafka, worker, board and sink: board, ClickHouse and the facts say one thing."""

import asyncio
import json
import os
import re
import sys
import time
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from pipeline.events.instants import instant_ms, instant_text
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.local.stack import Stack
from pipeline.metrics.definitions import Definitions, declare
from pipeline.replay.answer import answer
from pipeline.replay.cases import event_lines, replay
from pipeline.replay.question import Question
from pipeline.settings import Settings
from pipeline.sink.ask import select
from pipeline.sink.reconcile import Difference, compare
from pipeline.sink.view_numbers import DIMENSIONS
from pipeline.sources.files import read_case
from pipeline.state.kinds import KINDS

PULSE = Path(sys.executable).with_name("pulse")
CASES = Path(__file__).parents[1] / "cases"
INSTANT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
ENTITY = {"ticket": "ticket_id", "survey": "survey_id", "agent": "agent_id"}
YEAR_SECONDS = 366 * 86_400
IN_A_BIN = {"asa_p50", "asa_p90", "asa_p99"}
SETTLED_MS = 15_000
"""Nothing is dated in the running 10 seconds, so no number moves while two readers are asked."""


def told_lately(now: int) -> tuple[dict, list[dict]]:
    """Every case's events, dated so that the last of each case has just happened, and its tenants by names
    of their own.
    """
    tenants: dict[str, dict] = {}
    found: list[dict] = []
    for path in sorted(CASES.glob("*.json")):
        case = read_case(path)
        events = [json.loads(line) for line in event_lines(case["events"])]
        own = {tenant: f"{path.stem}.{tenant}" for tenant in {event["tenantid"] for event in events}}
        tenants |= {own[name]: told for name, told in case.get("tenants", {}).items() if name in own}
        shift = now - SETTLED_MS - max(instant_ms(event["time"]) for event in events)
        for event in events:
            moved = INSTANT.sub(lambda m, by=shift: instant_text(instant_ms(m[0]) + by), json.dumps(event))
            found.append(json.loads(moved) | {"tenantid": own[event["tenantid"]]})
    return tenants, sorted(found, key=lambda event: instant_ms(event["time"]))


def place_of(event: dict) -> tuple[str, bytes]:
    """Stream and key, as the contract gives them."""
    stream, data = event["type"].split(".")[1], event["data"]
    if stream == "call":
        entity = data.get("initial_contact_id", data["contact_id"])
    else:
        entity = data[ENTITY[stream]] if stream in ENTITY else event["accountid"]
    return stream, f"{event['tenantid']}|{entity}".encode()


def fail(message: str):
    raise AssertionError(message)


async def until(holds) -> None:
    async with asyncio.timeout(90):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.fixture
def settings(own_kafka, tmp_path):
    found = Settings(
        streams=tuple(KINDS),
        kafka=own_kafka,
        board={"port": 0, "render_seconds": 0.1},
        worker={"commit_seconds": 0.2},
        heartbeat={"enabled": False},
        sink={"url": f"chdb://{tmp_path / 'clickhouse'}", "flush_seconds": 0.3},
        # The facts know no horizon, and cases correct what is days old.
        horizons=dict.fromkeys(("contact_seconds", "callback_seconds", "solved_seconds"), YEAR_SECONDS),
    )
    admin = Clients(found.kafka).admin()
    create_missing(admin, declared_topics(own_kafka.topic_prefix, found.streams), local=True)
    admin.close()
    return found


async def publish(settings: Settings, events: list[dict]) -> int:
    async with running(Clients(settings.kafka).aio_producer(linger_ms=20)) as producer:
        sent = []
        for event in events:
            stream, key = place_of(event)
            topic = f"{settings.kafka.topic_prefix}.{stream}"
            sent.append(await producer.send(topic, json.dumps(event).encode(), key=key))
        await asyncio.gather(*sent)
    return len(sent)


def committed(stack: Stack) -> int:
    return sum(each.committed_offset for each in stack.worker.ownership.owned.values())


def is_level(stack: Stack) -> bool:
    """Board and sink have read every state log to the last commit."""
    owned = {
        (tp.topic, tp.partition): each.committed_offset for tp, each in stack.worker.ownership.owned.items()
    }
    places = stack.board.publisher.latest.freshness
    positions = stack.sink.status.positions
    prefix = stack.settings.kafka.topic_prefix
    seen = {(f"{prefix}.{f.source.stream}", f.source.partition): f.next_offset for f in places}
    return seen == owned and all(
        positions.get((f.source.topic, f.source.partition), -1) >= f.position for f in places
    )


async def numbers_of(stack: Stack) -> dict:
    async with aiohttp.ClientSession() as session, session.get(stack.board.url + "/api/metrics") as told:
        assert told.status == 200, await told.text()
        return await told.json()


async def test_board_clickhouse_and_the_facts_agree_on_every_stream(settings, tmp_path):
    now = time.time_ns() // 1_000_000
    tenants, events = told_lately(now)
    definitions = declare({"tenants": tenants})
    stack = Stack(settings, definitions, fatal=fail)
    async with stack.running():
        sent = await publish(settings, events)
        await until(lambda: committed(stack) == sent)
        await until(lambda: is_level(stack))
        api = await numbers_of(stack)
        compared = await asyncio.to_thread(compare, api, partial(select, settings.sink), definitions)
        assert "\n".join(map(told, compared.differences)) == ""
        said = await reconciled(stack, write(tmp_path / "definitions.toml", tenants))
    assert (said["differing"], said["moving"]) == ([], 0)
    assert said["agreed"] >= compared.agreed
    assert compared.agreed > 1000
    # Solvings of which the board has no 10 seconds any more: some are old enough, some are not.
    reopened = [row for row in api["metrics"] if row["metric"] == "reopen_rate"]
    assert sum(row["n"] for row in reopened if row["window"] == "90d") > 0
    held, faults = held_to_the_facts(api, events, definitions)
    assert "\n".join(faults) == ""
    assert held > 1000


def told(each: Difference) -> str:
    return f"{each.key[:3]} {each.key.where}: board {each.board}, ClickHouse {each.store}"


def write(file: Path, tenants: dict) -> Path:
    """A definitions file; what is no table is written as in JSON, which TOML reads too."""
    lines = []
    for tenant, told in tenants.items():
        tables = {name: value for name, value in told.items() if isinstance(value, dict)}
        lines.append(f'[tenants."{tenant}"]')
        lines += [f"{name} = {json.dumps(value)}" for name, value in told.items() if name not in tables]
        for name, table in tables.items():
            lines.append(f'[tenants."{tenant}".{name}]')
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    file.write_text("\n".join(lines))
    return file


async def reconciled(stack: Stack, definitions: Path) -> dict:
    """What `pulse reconcile` says, asking the running stack for its board and its ClickHouse."""
    asked = {
        "PULSE_BOARD__PORT": str(stack.board.port),
        "PULSE_SINK__URL": stack.settings.sink.url.get_secret_value(),
        "PULSE_DEFINITIONS": str(definitions),
    }
    process = await asyncio.create_subprocess_exec(
        PULSE, "reconcile", "--json", "--patience", "60s",
        env=os.environ | asked, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
    return json.loads(out)


def held_to_the_facts(api: dict, events: list[dict], definitions: Definitions) -> tuple[int, list[str]]:
    population = replay([json.dumps(event).encode() for event in events], definitions).population
    at = instant_ms(api["as_of"])
    held, faults = 0, []
    for row in api["metrics"]:
        if row["metric"] in IN_A_BIN:
            continue
        question = question_of(row, at)
        number = answer(population, question, definitions)
        same = number.value == pytest.approx(row["value"]) if row["value"] is not None else not number.value
        if not same or (row["n"] is not None and number.n != row["n"]):
            faults.append(f"{question}: board {row['value']} (n {row['n']}), facts {number}")
        held += 1
    return held, faults


def question_of(row: dict, at: int) -> Question:
    dims = {name: row[name] for name in DIMENSIONS if row.get(name) is not None}
    return Question(row["metric"], row["definition"], dims, None, at, row.get("window"))
