"""One story through Kafka, worker, board and sink: every reader tells the same numbers."""

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import takewhile

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.events.instants import instant_ms, instant_text
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.local.stack import Stack
from pipeline.metrics.definitions import declare
from pipeline.metrics.windows import LIVE_WINDOWS, live_window
from pipeline.settings import Settings
from pipeline.sink.ask import select
from pipeline.sources.publish import publish
from pipeline.sources.simulate import CallCentre, Chaos, simulate

EVENTS_PER_SECOND = 4.0
STORY_SECONDS = 25 * 60
SPOILED = Chaos(duplicate_share=0.03, late_share=0.1, correction_share=0.02, void_share=0.02)
STATE = "return document.body.dataset.state"
READ_PAGE = """
const found = {};
for (const tenant of document.querySelectorAll("[data-tenant]"))
  for (const queue of tenant.querySelectorAll("[data-queue]"))
    found[tenant.dataset.tenant + "/" + queue.dataset.queue] = {
      asa: queue.querySelector("td.asa .value").innerText,
      answered: queue.querySelector("td.answered .value").innerText,
    };
return found;
"""
WINDOW_METRICS = {
    "support_asa_seconds": ("asa_queue", {"enqueued", "created"}),
    "support_wait_seconds": ("wait_all", None),
    "support_wait_abandoned_seconds": ("wait_abandoned", None),
    "support_answered": ("answered", None),
    "support_abandoned": ("abandoned", None),
    "support_offered": ("offered", None),
    "support_abandon_ratio": ("abandon_rate", None),
    "support_callbacks_requested": ("callbacks_requested", None),
    "support_asa_p90_seconds": ("asa_p90", None),
    "support_callback_kept_ratio": ("callback_kept", None),
    "support_callback_wait_seconds": ("callback_wait", None),
    "support_handle_time_seconds": ("handle_time", None),
}
ASKED_OTHERWISE = {"service_level", "asa_customer", "asa_p50", "asa_p90", "asa_p99"}
"""On the board a service level waits for its threshold and a percentile is of a bin; views have
`asa_customer` by path apart. tests/sink/test_views_of_calls.py holds these to the oracle.
"""


@pytest.fixture
def settings(own_kafka, tmp_path):
    found = Settings(
        streams=("call",),
        kafka=own_kafka,
        board={"port": 0, "render_seconds": 0.1},
        worker={"commit_seconds": 0.2},
        sink={"url": f"chdb://{tmp_path / 'clickhouse'}", "flush_seconds": 0.3},
        # Readers are compared at one offset, so nothing may move after the story.
        heartbeat={"enabled": False},
    )
    admin = Clients(found.kafka).admin()
    create_missing(admin, declared_topics(own_kafka.topic_prefix), local=True)
    admin.close()
    return found


def fail(message: str):
    raise AssertionError(message)


@asynccontextmanager
async def told(settings):
    """The stack, after it has taken in a story that ends now."""
    stack = Stack(settings, declare({}), fatal=fail)
    async with stack.running():
        clients = Clients(settings.kafka)
        now = time.time_ns() // 1_000_000
        story = simulate(CallCentre(rate=EVENTS_PER_SECOND, chaos=SPOILED), 5, now - STORY_SECONDS * 1000)
        async with running(clients.aio_producer(linger_ms=20)) as producer:
            past = takewhile(lambda record: record.deliver_at_ms <= now, story)
            sent = await publish(producer, settings.kafka.topic_prefix, past, is_paced=False)
        async with asyncio.timeout(60):
            await until(lambda: committed(stack) == sent)
        yield stack


def committed(stack: Stack) -> int:
    return sum(each.committed_offset for each in stack.worker.ownership.owned.values())


async def until(holds) -> None:
    while not holds():
        await asyncio.sleep(0.05)


async def board_and_sink_are_level(stack: Stack) -> None:
    """Both have read every state log to the offset of the last commit."""
    offsets = {tp.partition: each.committed_offset for tp, each in stack.worker.ownership.owned.items()}

    def level() -> bool:
        places = stack.board.publisher.latest.freshness
        seen = {each.source.partition: each.next_offset for each in places}
        positions = stack.sink.status.positions
        return seen == offsets and all(
            positions.get((each.source.topic, each.source.partition), -1) >= each.position for each in places
        )

    async with asyncio.timeout(60):
        await until(level)


async def fetch(stack: Stack, path: str) -> aiohttp.ClientResponse:
    async with aiohttp.ClientSession() as session, session.get(stack.board.url + path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json() if path.startswith("/api") else await answer.text()


async def both_of_one_moment(stack: Stack) -> tuple[dict, dict[tuple, float]]:
    """/api/metrics, and the /metrics rendered within the same 10 seconds."""
    for _ in range(5):
        api = await fetch(stack, "/api/metrics")
        text = await fetch(stack, "/metrics")
        again = await fetch(stack, "/api/metrics")
        edges = [live_window("1m", instant_ms(each["as_of"])) for each in (api, again)]
        if edges[0] == edges[1]:
            return again, samples(text)
    raise AssertionError("no two answers of the same 10 seconds")


def samples(text: str) -> dict[tuple, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_page_metrics_api_and_clickhouse_tell_the_same_numbers_at_the_same_offset(settings, browser):
    async with told(settings) as stack:
        await board_and_sink_are_level(stack)
        api, prometheus = await both_of_one_moment(stack)
        rows = api["metrics"]
        assert {row["queue"] for row in rows} >= {"billing", "technical", "sales", "support"}
        compared = compare_with_prometheus(rows, prometheus)
        assert compared > 300
        now = instant_ms(api["as_of"])
        compare_live_windows(settings, rows, now)
        compare_today(settings, rows, now)
        compare_levels(settings, rows, now)
        await compare_with_page(stack, browser)


async def compare_with_page(stack: Stack, browser) -> None:
    """What a person reads for today, queue by queue, is what /api/metrics says of the same offset."""
    await asyncio.to_thread(browser.get, stack.board.url + "/?window=today")
    async with asyncio.timeout(20):
        while await asyncio.to_thread(browser.execute_script, STATE) != "live":
            await asyncio.sleep(0.1)
    api = await fetch(stack, "/api/metrics?by=tenant,queue&window=today&metric=asa_queue,answered")
    shown = await asyncio.to_thread(browser.execute_script, READ_PAGE)
    compared = 0
    for row in api["metrics"]:
        told = shown.get(f"{row['tenant']}/{row['queue']}")
        if told is None or row["definition"] == "created":
            continue
        if row["metric"] == "answered":
            assert int("".join(filter(str.isdigit, told["answered"]))) == row["value"]
        elif row["value"] is not None:
            minutes, seconds = divmod(int(row["value"] + 0.5), 60)
            assert told["asa"].split()[0] == f"{minutes}:{seconds:02d}", row
        compared += 1
    assert compared >= 8


def compare_with_prometheus(rows: list[dict], prometheus: dict[tuple, float]) -> int:
    """Every window number is a series of the same value, or absent in both."""
    compared = 0
    for name, (metric, clocks) in WINDOW_METRICS.items():
        for row in rows:
            if row["metric"] != metric:
                continue
            labels = {key: row[key] for key in ("tenant", "queue", "channel", "window")}
            if clocks:
                labels["clock"] = row["definition"]
            value = prometheus.get((name, frozenset(labels.items())))
            assert value == pytest.approx(row["value"]), (name, labels)
            compared += 1
    return compared


def ask(settings: Settings, query: str) -> list[dict]:
    answer = select(settings.sink, query)
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]


def key(row: dict) -> tuple:
    return (row["metric"], row["definition"], row["tenant"], row["queue"], row["channel"])


def compare_live_windows(settings: Settings, rows: list[dict], now: int) -> None:
    for window in LIVE_WINDOWS:
        span = live_window(window, now)
        found = {
            key(row): row
            for row in ask(
                settings,
                "SELECT * FROM support_window("
                f"from = '{clickhouse(span.start)}', to = '{clickhouse(span.end)}')",
            )
            if row["counted_by"] != "enqueue" or row["metric"] in {"offered", "abandon_rate"}
        }
        expected = [row for row in rows if row.get("window") == window]
        assert_same(expected, found)


def compare_today(settings: Settings, rows: list[dict], now: int) -> None:
    day = instant_text(now)[:10]
    found = {
        key(row): row
        for row in ask(settings, f"SELECT * FROM support_days WHERE day = '{day}'")
        if row["counted_by"] != "enqueue" or row["metric"] in {"offered", "abandon_rate"}
    }
    # What is dated after now belongs to the day in ClickHouse, and not yet to the board's today.
    ahead = {
        key(row)[2:]
        for row in ask(
            settings,
            f"SELECT * FROM support_window(from = '{clickhouse(live_window('1m', now).end)}',"
            f" to = '{clickhouse(live_window('1m', now).end + 3_600_000)}')",
        )
    }
    expected = [row for row in rows if row.get("window") == "today" and key(row)[2:] not in ahead]
    assert len(expected) > 50
    assert_same(expected, found)


def assert_same(expected: list[dict], found: dict[tuple, dict]) -> None:
    for row in expected:
        if row["metric"] in ASKED_OTHERWISE:
            continue
        other = found.get(key(row))
        if other is None:
            assert row["value"] in (None, 0), row
            continue
        assert other["value"] == pytest.approx(row["value"]), (row, other)
        if row["n"] is not None:
            assert other["n"] == row["n"], (row, other)
        if row["low"] is not None:
            assert (other["low"], other["high"]) == pytest.approx((row["low"], row["high"]))


def compare_levels(settings: Settings, rows: list[dict], now: int) -> None:
    found = {
        (row["tenant"], row["queue"], row["channel"]): row
        for row in ask(settings, f"SELECT * FROM waiting_at(at = '{clickhouse(now)}')")
    }
    waiting = 0
    for row in rows:
        if row["metric"] in {"in_queue", "scheduled", "stuck"}:
            other = found.get((row["tenant"], row["queue"], row["channel"]), {})
            assert other.get(row["metric"], 0) == row["value"], (row, other)
            waiting += row["value"]
        elif row["metric"] == "oldest_waiting":
            other = found.get((row["tenant"], row["queue"], row["channel"]), {})
            assert other.get("oldest_waiting") == pytest.approx(row["value"]), (row, other)
    assert waiting > 0


def clickhouse(ms: int) -> str:
    return instant_text(ms).replace("T", " ").removesuffix("Z")
