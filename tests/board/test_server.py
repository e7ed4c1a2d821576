"""The board over HTTP: numbers, liveness, readiness and the stream of the page."""

import asyncio
import json
import re

import aiohttp
import pytest

from pipeline.board.server import PAGE_FILES, Board
from pipeline.settings import Settings
from pipeline.telemetry import Telemetry
from tests.builders import UNDECLARED, event, ms

EVENTS = [
    event("queued", 10, contact="a", queue_id="sales"), event("answered", 40, contact="a", answered_by="human"),
    event("queued", 20, contact="b", queue_id="billing"), event("answered", 30, contact="b", answered_by="human"),
    event("queued", 45, contact="c", queue_id="billing"),
]  # fmt: skip


def rows(answer, metric, **where):
    return [row for row in answer["metrics"] if row["metric"] == metric and where.items() <= row.items()]


async def test_the_api_tells_each_number_with_its_definition_window_and_n(stage):
    stage.tell(EVENTS)
    stage.show()
    status, answer = await stage.json("/api/metrics?metric=asa_queue&window=5m&queue=sales")
    assert status == 200
    assert answer["metrics"][0] == {
        "metric": "asa_queue", "definition": "enqueued", "window": "5m", "tenant": "t", "queue": "sales",
        "channel": "voice", "value": 30.0, "n": 1, "low": None, "high": None, "unit": "seconds",
    }  # fmt: skip


async def test_the_api_says_what_the_numbers_are_based_on(stage):
    stage.tell(EVENTS)
    stage.show()
    _, answer = await stage.json("/api/metrics")
    assert answer["as_of"] == "2026-03-02T09:01:00.000Z"
    assert answer["definitions"] == UNDECLARED.fingerprint
    (partition,) = answer["partitions"]
    assert (partition["topic"], partition["partition"], partition["next_offset"]) == (
        "pulse.call.state",
        0,
        5,
    )
    assert partition["watermark"] == "2026-03-02T09:00:45.000Z"
    assert rows(answer, "oldest_waiting", queue="billing")[0] == {
        "metric": "oldest_waiting", "definition": "default", "at": "2026-03-02T09:01:00.000Z", "tenant": "t",
        "queue": "billing", "channel": "voice", "value": 15.0, "n": None, "low": None, "high": None, "unit": "seconds",
    }  # fmt: skip


async def test_dimensions_not_named_are_rolled_up(stage):
    stage.tell(EVENTS)
    stage.show()
    _, answer = await stage.json("/api/metrics?by=tenant&metric=asa_queue,in_queue&window=1m,now")
    assert [
        (row["queue"], row["value"], row["n"]) for row in rows(answer, "asa_queue", definition="enqueued")
    ] == [(None, 20.0, 2)]
    assert rows(answer, "in_queue")[0]["value"] == 1
    _, total = await stage.json("/api/metrics?by=&metric=answered&window=today")
    assert [(row["tenant"], row["value"]) for row in total["metrics"]] == [(None, 2)]


async def test_a_definition_can_be_asked_for(stage):
    stage.tell([event("queued", 10, contact="x"), event("abandoned", 19, contact="x")])
    stage.show()
    asked = "/api/metrics?metric=abandon_rate&window=1m&definition="
    assert (await stage.json(asked + "default"))[1]["metrics"][0]["value"] == 1.0
    _, answer = await stage.json(asked + '{"S":10}')
    assert answer["metrics"][0]["value"] == 0.0
    assert answer["metrics"][0]["definition"] == {"name": "default", "S": 10}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("metric=asq", "unknown metric 'asq'"),
        ("window=2h", "unknown window '2h'"),
        ("by=agent", "unknown dimension 'agent'"),
        ("color=red", "unknown parameter 'color'"),
        ("definition=created", "exactly one metric"),
        ("metric=asa_queue&definition=best", "no definition 'best'"),
        ("metric=abandon_rate&definition={", "no JSON object"),
        ('metric=abandon_rate&definition={"S":7}', "is no bucket bound"),
    ],
)
async def test_a_question_that_cannot_be_answered_says_why(stage, query, reason):
    stage.tell(EVENTS)
    stage.show()
    status, answer = await stage.json(f"/api/metrics?{query}")
    assert status == 400
    assert reason in answer["error"]


async def test_metrics_speak_both_formats(stage):
    stage.tell(EVENTS)
    stage.show()
    status, text, kind = await stage.get("/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert 'support_answered{channel="voice",queue="sales",tenant="t",window="1m"} 1.0' in text
    _, text, kind = await stage.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


async def test_latency_is_observed_once_caught_up(stage):
    stage.tell(EVENTS)
    stage.show()
    assert "pulse_event_visible_latency_seconds_count 0.0" in (await stage.get("/metrics"))[1]
    stage.tell([event("queued", 59, contact="d")])
    stage.show()
    text = (await stage.get("/metrics"))[1]
    assert "pulse_event_visible_latency_seconds_count 1.0" in text
    assert "pulse_event_visible_latency_seconds_sum 1.0" in text


async def test_a_board_that_has_caught_up_is_live_and_ready(stage):
    stage.tell(EVENTS)
    stage.show()
    assert await stage.json("/livez") == (200, {"live": True, "reasons": []})
    assert await stage.json("/readyz") == (200, {"ready": True, "reasons": []})


async def test_a_board_that_has_not_caught_up_is_not_ready(stage):
    stage.board.fold.expect(stage.workers[0].source)
    stage.show()
    status, answer = await stage.json("/readyz")
    assert (status, answer["reasons"]) == (503, ["call/0 is still being read, at log offset 0"])


async def test_stale_data_make_the_board_not_ready(stage):
    stage.tell(EVENTS)
    stage.show()
    stage.now += 91_000
    status, answer = await stage.json("/readyz")
    assert status == 503
    assert "no commit for 91 s" in answer["reasons"][0]


async def test_other_roles_can_make_the_process_not_ready(stage):
    stage.tell(EVENTS)
    stage.show()
    stage.checks.append("call/3 is poisoned")
    assert await stage.json("/readyz") == (503, {"ready": False, "reasons": ["call/3 is poisoned"]})


async def test_a_task_that_dies_makes_the_board_dead(stage):
    stage.board.fold.series = None
    stage.board.publisher.changed()
    async with asyncio.timeout(5):
        while (await stage.json("/livez"))[0] == 200:
            await asyncio.sleep(0.02)
    _, answer = await stage.json("/livez")
    assert answer["reasons"] == ["publishing has ended: AttributeError"]


async def test_a_loop_that_stood_still_is_not_alive(stage):
    stage.board.heartbeat._at -= 30
    status, answer = await stage.json("/livez")
    assert status == 503
    assert "has not turned for 30 s" in answer["reasons"][0]


async def test_a_change_is_published_by_itself(stage):
    stage.tell(EVENTS)
    async with asyncio.timeout(5):
        while not (await stage.json("/api/metrics"))[1]["metrics"]:
            await asyncio.sleep(0.02)


async def next_event(stream, wanted="view"):
    name = ""
    async for line in stream:
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: ") and name == wanted:
            return json.loads(line[6:])
    raise AssertionError("the stream has ended")


async def test_the_stream_begins_with_what_is_known_and_goes_on_by_itself(stage):
    stage.tell(EVENTS[:2])
    stage.show()
    async with (
        asyncio.timeout(10),
        aiohttp.ClientSession() as session,
        session.get(f"{stage.board.url}/events") as answer,
    ):
        names = await next_event(answer.content, "names")
        assert names == {"tenants": ["t"], "queues": ["sales"]}
        first = await next_event(answer.content)
        assert first["blocks"][0]["calls"]["queues"][0]["asa_queue"] == [30.0, 1, None, None]
        began = asyncio.get_running_loop().time()
        stage.tell(EVENTS[2:])
        second = await next_event(answer.content)
        assert [line["queue"] for line in second["blocks"][0]["calls"]["queues"]] == ["billing", "sales"]
        assert asyncio.get_running_loop().time() - began >= 0.45, "at most two per second"


async def test_a_stream_of_what_cannot_be_chosen_says_why(stage):
    status, answer = await stage.json("/events?window=2h")
    assert (status, answer["error"]) == (400, "unknown window '2h'; known are 1m, 5m, 15m, 30m, 1h, today")
    status, answer = await stage.json("/events?service_level=best")
    assert (status, answer["error"].startswith("service_level has no definition 'best'")) == (400, True)


async def test_stopping_does_not_wait_for_those_who_look(stage):
    stage.tell(EVENTS)
    stage.show()
    async with aiohttp.ClientSession() as session, session.get(f"{stage.board.url}/events") as answer:
        await next_event(answer.content)
        async with asyncio.timeout(4):
            await stage.board.stop()


@pytest.mark.parametrize("name", ["", *sorted(PAGE_FILES)])
async def test_the_page_needs_nothing_from_elsewhere(stage, name):
    status, body, _ = await stage.get(f"/{name}")
    assert status == 200
    assert "://" not in body.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"\son\w+=|\sstyle=|innerHTML", body), "what the content policy forbids"


async def test_the_page_may_load_nothing_but_its_own_files(stage):
    async with aiohttp.ClientSession() as session, session.get(stage.board.url) as answer:
        policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'self'", "base-uri 'none'", "form-action 'none'", "object-src 'none'"} <= set(policy)
    assert not any("unsafe" in each for each in policy)


async def test_what_is_not_there_is_not_found(stage):
    assert (await stage.get("/favicon.ico"))[0] == 404


async def test_an_address_in_use_is_an_error_and_leaves_nothing_running(stage):
    settings = Settings(board={"port": stage.board.port})
    other = Board(settings, UNDECLARED, Telemetry(), now_ms=lambda: ms(0), reads_log=False)
    with pytest.raises(OSError, match="in use"):
        await other.start()
    with pytest.raises(RuntimeError, match="start it first"):
        _ = other.port


async def test_sql_is_answered_to_commands_and_never_to_a_web_page():
    async def answers(sql: str):
        return {"rows": [[sql]]}

    settings = Settings(board={"port": 0})
    board = Board(settings, UNDECLARED, Telemetry(), reads_log=False, answers_sql=answers)
    await board.start()
    try:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{board.url}/api/sql", data="SELECT 1") as answer:
                assert (answer.status, await answer.json()) == (200, {"rows": [["SELECT 1"]]})
            async with session.post(
                f"{board.url}/api/sql", data="x", headers={"Origin": "http://elsewhere"}
            ) as answer:
                assert answer.status == 403
    finally:
        await board.stop()
