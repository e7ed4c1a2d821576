"""Events per CPU-second of a whole aggregate worker, with commits, on a real Kafka.

2 M simulated call events in 4 partitions, lz4. Each round starts a worker process on the same
topic with an empty state log. Beside it: the same topic fetched by aiokafka alone, in the same
run, as a baseline for the machine's mood.

    python bench/throughput.py --events 2000000 --rounds 3 --cores interpreted compiled
"""

import argparse
import asyncio
import json
import statistics
import time
from itertools import islice, product

from aggregate import run_worker
from rig import broker, child, cores, cpu, report, say, spread

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import Topic, create_missing, declared_topics
from pipeline.settings import Settings, load
from pipeline.sources.simulate import CallCentre, encode, simulate

HOUR_MS = 3_600_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--events", type=int, default=2_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rate", type=float, default=1000.0, help="events per second of event time")
    cores(options)
    options.add_argument("--child", choices=("worker", "fetch"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        half = {"worker": run_worker, "fetch": run_fetch}[given.child]
        asyncio.run(half(load(), given.events))
        return
    with broker() as settings:
        topics = declared_topics(settings.kafka.topic_prefix)
        clients = Clients(settings.kafka)
        renew(clients, topics, [])
        asyncio.run(fill(clients, given.events, given.rate))
        rounds: dict[str, list[dict[str, float]]] = {core: [] for core in given.cores}
        fetches = []
        for number, core in product(range(given.rounds), given.cores):
            renew(clients, topics, ["bench.call.state", "bench.dlq"])
            settings_env = {
                "PULSE_STREAMS": "call",
                "PULSE_KAFKA__BOOTSTRAP": settings.kafka.bootstrap or "",
                "PULSE_KAFKA__TOPIC_PREFIX": "bench",
                "PULSE_KAFKA__GROUP": f"bench{number}{core}",
                "PULSE_CORE": core,
                "PULSE_LOG__LEVEL": "warning",
            }
            fetches.append(child(__file__, settings_env, "fetch", f"--events={given.events}"))
            rounds[core].append(child(__file__, settings_env, "worker", f"--events={given.events}"))
            say(f"round {number}, {core}: {rounds[core][-1]}")
    base = [each["cpu_us_per_event"] for each in fetches]
    for core, found in rounds.items():
        tell(core, found, given.events, base)


def tell(core: str, rounds: list[dict[str, float]], events: int, base: list[float]) -> None:
    """`base`: µs of CPU of fetching alone, measured before each round of each core."""
    cpu = [each["cpu_us_per_event"] for each in rounds]
    report(
        "throughput",
        core=core,
        events=events,
        partitions=4,
        cpu_us_per_event=spread(cpu),
        events_per_cpu_second=spread([1e6 / each for each in cpu], 0),
        events_per_second=spread([each["events_per_second"] for each in rounds], 0),
        resident_mib=spread([each["resident_mib"] for each in rounds], 0),
        commits=spread([each["commits"] for each in rounds], 0),
        fetch_only_cpu_us_per_event=spread(base),
        ratio_to_fetch=round(statistics.median(cpu) / statistics.median(base), 2),
    )


def renew(clients: Clients, topics: tuple[Topic, ...], names: list[str]) -> None:
    """Delete `names`, create what is missing."""
    admin = clients.admin()
    try:
        if names:
            admin.delete_topics(names)
            while set(names) & set(admin.list_topics()):
                time.sleep(0.2)
        create_missing(admin, topics, local=True)
    finally:
        admin.close()


async def fill(clients: Clients, events: int, rate: float) -> None:
    """Produce the story, starting so that nothing lies in the future."""
    start = time.time_ns() // 1_000_000 - int(events / rate * 1000) - HOUR_MS
    story = islice(simulate(CallCentre(rate=rate), 1, start), events)
    began = time.monotonic()
    async with running(clients.aio_producer(compression_type="lz4", linger_ms=50)) as producer:
        for record in story:
            await producer.send("bench.call", encode(record.event), key=record.key)
        await producer.flush()
    say(f"{events} events produced in {time.monotonic() - began:.0f} s")


async def run_fetch(settings: Settings, events: int) -> None:
    """The same records through aiokafka alone, decoded by nobody."""
    async with running(
        Clients(settings.kafka).aio_consumer(
            "bench.call", auto_offset_reset="earliest", max_partition_fetch_bytes=4 << 20
        )
    ) as consumer:
        before, began, seen = cpu(), time.monotonic(), 0
        while seen < events:
            seen += sum(map(len, (await consumer.getmany(timeout_ms=1000)).values()))
        used, seconds = cpu() - before, time.monotonic() - began
    print(json.dumps({"cpu_us_per_event": used / events * 1e6, "events_per_second": events / seconds}))


if __name__ == "__main__":
    main()
