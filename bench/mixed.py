"""Events per CPU-second of a whole aggregate worker on all seven streams, with commits, on a real Kafka.

Calls 50 %, usage 30 %, tickets 15 %, the others 5 %, in 4 partitions each, lz4. Accounts sign up and a
month of subscriptions is told within the stream; histories are as long as the stream makes them: what a
longer one costs, streams.py tells. Each round starts a worker process on the same topics with empty
state logs.

    python bench/mixed.py --events 600000 --rounds 3 --cores interpreted compiled
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from itertools import chain, count, islice, product

import stories
from aggregate import run_worker
from rig import broker, child, cores, report, say, spread
from stories import MONTH_MS, Told
from throughput import renew

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import declared_topics
from pipeline.metrics.windows import DAY_MS
from pipeline.settings import load

SHARES = {
    "call": 0.50, "usage": 0.30, "ticket": 0.15,
    "subscription": 0.02, "survey": 0.01, "account": 0.01, "agent": 0.01,
}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--events", type=int, default=600_000)
    options.add_argument("--accounts", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=3)
    cores(options)
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        asyncio.run(run_worker(load(), given.events))
        return
    with broker() as settings:
        topics = declared_topics(settings.kafka.topic_prefix, tuple(SHARES))
        clients = Clients(settings.kafka)
        renew(clients, topics, [])
        told = asyncio.run(fill(clients, given.events, given.accounts))
        rounds: dict[str, list[dict[str, float]]] = {core: [] for core in given.cores}
        for number, core in product(range(given.rounds), given.cores):
            renew(clients, topics, [topic.name for topic in topics if topic.kind != "source"])
            env = {
                "PULSE_KAFKA__BOOTSTRAP": settings.kafka.bootstrap or "",
                "PULSE_KAFKA__TOPIC_PREFIX": "bench",
                "PULSE_KAFKA__GROUP": f"bench{number}{core}",
                "PULSE_CORE": core,
                "PULSE_STREAMS": ",".join(SHARES),
                "PULSE_LOG__LEVEL": "warning",
            }
            rounds[core].append(child(__file__, env, f"--events={told}"))
            say(f"round {number}, {core}: {rounds[core][-1]}")
    for core, found in rounds.items():
        tell(core, found, told, given.accounts)


def tell(core: str, rounds: list[dict[str, float]], told: int, accounts: int) -> None:
    cpu = [each["cpu_us_per_event"] for each in rounds]
    report(
        "mixed",
        core=core,
        events=told,
        accounts=accounts,
        shares=SHARES,
        partitions=4,
        cpu_us_per_event=spread(cpu),
        events_per_cpu_second=spread([1e6 / each for each in cpu], 0),
        events_per_second=spread([each["events_per_second"] for each in rounds], 0),
        resident_mib=spread([each["resident_mib"] for each in rounds], 0),
        commits=spread([each["commits"] for each in rounds], 0),
    )


def tales(accounts: int, days: int) -> dict[str, Iterator[Told]]:
    """Every stream's story, `days` days long, that ended an hour ago."""
    start = (time.time_ns() // 1_000_000 // DAY_MS - days) * DAY_MS
    usage = (stories.usage_day(accounts, start + day * DAY_MS) for day in range(days))
    paid = (
        stories.subscription_month(accounts, start - (24 - month) * MONTH_MS, month) for month in range(24)
    )
    return {
        "call": stories.calls(start),
        "usage": chain(stories.sign_ups(accounts, start), chain.from_iterable(usage)),
        "ticket": stories.tickets(start),
        "subscription": chain.from_iterable(paid),
        "survey": stories.surveys(start),
        "account": stories.stages(accounts, start),
        "agent": stories.agents(start),
    }


def mixed(accounts: int, events: int) -> Iterator[tuple[str, Told]]:
    """Streams take turns by their shares, each in its own order."""
    told = tales(accounts, 2)
    turns = [stream for stream, share in SHARES.items() for _ in range(round(share * 100))]
    # 37 and 100 share no divisor: every turn is taken once, and streams are well mixed.
    for number in islice(count(), events):
        stream = turns[number * 37 % 100]
        record = next(told[stream], None)
        if record is not None:
            yield stream, record


async def fill(clients: Clients, events: int, accounts: int) -> int:
    """Produce the mixture; answers how many records."""
    sent = dict.fromkeys(SHARES, 0)
    async with running(clients.aio_producer(compression_type="lz4", linger_ms=50)) as producer:
        for stream, record in mixed(accounts, events):
            await producer.send(f"bench.{stream}", record.value, key=record.key)
            sent[stream] += 1
        await producer.flush()
    say(f"produced: {sent}")
    return sum(sent.values())


if __name__ == "__main__":
    main()
