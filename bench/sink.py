"""A sink on topics of all seven streams into the embedded ClickHouse: rows a second, CPU, latency.

Events as in mixed.py, counted by a worker before. Each round reads state logs, raw events and dead
letters from the beginning into a database of its own; then a worker runs beside it, and callers enter
queues of new names: how long until a SELECT finds the leg.

    python bench/sink.py --events 120000 --probes 20
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from clickhouse_connect.driver.query import QueryResult
from counted import aggregating, counted, probe, until
from kafka import TopicPartition
from rig import child, cpu, report, resident_mib, say, spread

from pipeline.kafka.clients import Clients, running
from pipeline.metrics.definitions import declare
from pipeline.settings import Settings, load
from pipeline.sink.clickhouse import open_client
from pipeline.sink.loop import Sink, Topics
from pipeline.sink.migrate import migrate
from pipeline.sink.status import Place, State

STORED = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
FOUND = "SELECT count() FROM legs_now WHERE queue = {queue:String}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--events", type=int, default=120_000)
    options.add_argument("--accounts", type=int, default=5_000)
    options.add_argument("--probes", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        asyncio.run(write(given.probes))
        return
    with counted(given.events, given.accounts) as found:
        rounds = []
        for number in range(given.rounds):
            # A group and a database of its own: each round begins at the beginning.
            own = {
                "PULSE_KAFKA__GROUP": f"sink{number}",
                "PULSE_SINK__URL": found.env["PULSE_SINK__URL"].replace("?", f"{number}?"),
            }
            probes = given.probes if number == given.rounds - 1 else 0
            rounds.append(child(__file__, found.env | own, f"--probes={probes}"))
            say(f"round {number}: {rounds[-1]}")
    rows = rounds[0]["rows"]
    report(
        "sink",
        events=found.events,
        accounts=given.accounts,
        rows=rows,
        rows_per_second=spread([each["rows"] / each["seconds"] for each in rounds], 0),
        cpu_us_per_event=spread([each["cpu"] / found.events * 1e6 for each in rounds]),
        cpu_us_per_row=spread([each["cpu"] / each["rows"] * 1e6 for each in rounds]),
        events_per_cpu_second=spread([found.events / each["cpu"] for each in rounds], 0),
        resident_mib=spread([each["resident_mib"] for each in rounds], 0),
        stored_bytes_per_event=spread([each["stored_bytes"] / found.events for each in rounds], 0),
        event_to_queryable_seconds=spread(rounds[-1]["latencies"]),
    )


async def write(probes: int) -> None:
    """One sink from its start to the last probe."""
    settings = load()
    migrate(settings.sink)
    ends = await asyncio.to_thread(ends_of, settings)
    sink = Sink(settings, declare({}))
    before, began = cpu(), time.monotonic()
    sink.start()
    try:
        await until(lambda: is_level(sink, ends))
        told = {"seconds": time.monotonic() - began, "cpu": cpu() - before, "rows": sink.status.written_rows}
        told["resident_mib"] = resident_mib()
        told["stored_bytes"] = stored_bytes(settings)
        latencies: list[float] = []
        if probes:
            with aggregating():
                latencies = await probed(settings, probes)
        print(json.dumps({**told, "latencies": latencies}), flush=True)
    finally:
        await asyncio.to_thread(sink.stop)


def ends_of(settings: Settings) -> dict[Place, int]:
    """Where every partition that the sink reads ends."""
    consumer = Clients(settings.kafka).consumer()
    try:
        names = Topics(settings, declare({})).names
        found = [TopicPartition(name, each) for name in names for each in consumer.partitions_for_topic(name)]
        ends: dict[Any, int] = consumer.end_offsets(found)
    finally:
        consumer.close()
    return {(tp.topic, tp.partition): end for tp, end in ends.items()}


def is_level(sink: Sink, ends: dict[Place, int]) -> bool:
    if sink.status.state is State.STOPPED:
        raise RuntimeError(sink.status.reason)
    positions = sink.status.positions
    return all(positions.get(place, 0) >= end for place, end in ends.items())


def stored_bytes(settings: Settings) -> int:
    client = open_client(settings.sink)
    try:
        (found,) = client.query(STORED).result_rows[0]
    finally:
        client.close()
    return int(found)


def is_found(ask: Callable[[], QueryResult]) -> bool:
    return bool(ask().result_rows[0][0])


async def probed(settings: Settings, probes: int) -> list[float]:
    """Seconds from an event's own time until a SELECT finds its leg."""
    found = []
    client = open_client(settings.sink)
    try:
        async with running(Clients(settings.kafka).aio_producer()) as producer:
            for number in range(probes):
                # Not in step with commits and inserts.
                await asyncio.sleep(0.37 * (number % 5))
                key, value = probe(f"probe-{number}")
                asked = partial(client.query, FOUND, parameters={"queue": f"probe-{number}"})
                await producer.send(f"{settings.kafka.topic_prefix}.call", value, key=key)
                found.append(await until(partial(is_found, asked), pause=0.05))
    finally:
        client.close()
    return found


if __name__ == "__main__":
    main()
