"""A board on state logs of all seven streams: reading them from the beginning, rendering, a scrape, latency.

Events as in mixed.py, counted by a worker before. A board of its own process reads the logs; then a
worker runs beside it, and callers enter queues of new names: how long until /metrics names the queue.

    python bench/board.py --events 120000 --probes 20
"""

import argparse
import asyncio
import json
import time
import urllib.request
from functools import partial

from counted import aggregating, counted, probe, until
from mixed import SHARES
from rig import child, cpu, report, resident_mib, say, spread

from pipeline.board.server import Board
from pipeline.kafka.clients import Clients, running
from pipeline.metrics.definitions import declare
from pipeline.settings import Settings, load
from pipeline.telemetry import Telemetry

PARTITIONS = 4
TIMES = 30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--events", type=int, default=120_000)
    options.add_argument("--accounts", type=int, default=5_000)
    options.add_argument("--probes", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        asyncio.run(read(given.probes))
        return
    with counted(given.events, given.accounts) as found:
        rounds = []
        for number in range(given.rounds):
            probes = given.probes if number == given.rounds - 1 else 0
            rounds.append(child(__file__, found.env, f"--probes={probes}"))
            say(f"round {number}: {rounds[-1]}")
    last = rounds[-1]
    report(
        "board",
        events=found.events,
        accounts=given.accounts,
        samples=last["samples"],
        scrape_bytes=last["scrape_bytes"],
        catch_up_seconds=spread([each["catch_up_seconds"] for each in rounds]),
        catch_up_cpu_us_per_event=spread([each["catch_up_cpu"] / found.events * 1e6 for each in rounds]),
        resident_mib=spread([each["resident_mib"] for each in rounds], 0),
        render_cpu_ms=spread([each["render_cpu_ms"] for each in rounds], 1),
        scrape_ms=spread([each["scrape_ms"] for each in rounds], 1),
        worker_open_seconds=last["worker_open_seconds"],
        event_to_gauge_seconds=spread(last["latencies"]),
    )


async def read(probes: int) -> None:
    """One board from its start to the last probe."""
    settings = load()
    before, began = cpu(), time.monotonic()
    board = Board(settings, declare({}), Telemetry())
    await board.start()
    try:
        await until(lambda: is_whole(board))
        told = {"catch_up_seconds": time.monotonic() - began, "catch_up_cpu": cpu() - before}
        told["resident_mib"] = resident_mib()
        body = await asyncio.to_thread(scraped, board.url)
        told["scrape_bytes"] = len(body)
        told["samples"] = sum(not line.startswith(b"#") for line in body.splitlines())
        before = cpu()
        for _ in range(TIMES):
            board.publisher.publish()
        told["render_cpu_ms"] = (cpu() - before) / TIMES * 1000
        began = time.perf_counter()
        for _ in range(TIMES):
            await asyncio.to_thread(scraped, board.url)
        told["scrape_ms"] = (time.perf_counter() - began) / TIMES * 1000
        latencies: list[float] = []
        if probes:
            with aggregating() as told["worker_open_seconds"]:
                latencies = await probed(board, settings, probes)
        print(json.dumps({**told, "latencies": latencies}), flush=True)
    finally:
        await board.stop()


def is_whole(board: Board) -> bool:
    found = board.publisher.latest.freshness
    return len(found) == len(SHARES) * PARTITIONS and all(each.is_caught_up for each in found)


def scraped(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310 - of this machine
        body: bytes = answer.read()
    return body


def is_shown(board: Board, named: bytes) -> bool:
    return named in board.publisher.exposition.answer("")[0]


async def probed(board: Board, settings: Settings, probes: int) -> list[float]:
    """Seconds from an event's own time until /metrics names its queue."""
    found = []
    async with running(Clients(settings.kafka).aio_producer()) as producer:
        for number in range(probes):
            # Not in step with commits and renderings.
            await asyncio.sleep(0.37 * (number % 5))
            key, value = probe(f"probe-{number}")
            named = f'queue="probe-{number}"'.encode()
            await producer.send(f"{settings.kafka.topic_prefix}.call", value, key=key)
            found.append(await until(partial(is_shown, board, named)))
    return found


if __name__ == "__main__":
    main()
