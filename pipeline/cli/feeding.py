"""`simulate`: a contact centre as events, into a file or into Kafka."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from pipeline.cli.terms import Config, duration_seconds, err, instant_option, kafka_there, settings_of
from pipeline.kafka.clients import Clients, running
from pipeline.sources.delivery import Simulated
from pipeline.sources.publish import publish_live, publish_until
from pipeline.sources.simulate import CallCentre, Chaos, encode
from pipeline.sources.simulate import simulate as story


def simulate(  # noqa: PLR0913 - one argument per option
    config: Config = None,
    *,
    rate: Annotated[float, typer.Option(help="Events per second of event time.", min=0.1)] = 20.0,
    for_: Annotated[str, typer.Option("--for", help="How much event time: 60s, 5m, 1h.")] = "10m",
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    start: Annotated[
        str | None, typer.Option(help="First instant; default: now, with --fast so that it ends now.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--out", help="NDJSON file; - is standard output.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="To Kafka without waiting for the clock.")] = False,
    chaos: Annotated[bool, typer.Option("--chaos", help="Duplicates, disorder, corrections.")] = False,
) -> None:
    """Tell the story of a contact centre (Erlang-A) as call events.

    Examples: [bold]pulse simulate --for 1h --out calls.ndjson[/bold];
    [bold]pulse simulate --rate 100[/bold] sends to Kafka in real time.
    """
    seconds = duration_seconds(for_) or 0.0
    start_ms = instant_option(start, "--start")
    if start_ms is None:
        # Events ahead of the broker's clock would be rejected.
        start_ms = time.time_ns() // 1_000_000 - (int(seconds * 1000) if fast else 0)
    spoiled = (
        Chaos(duplicate_share=0.02, late_share=0.05, correction_share=0.01, void_share=0.01)
        if chaos
        else Chaos()
    )
    end_ms = start_ms + int(seconds * 1000)
    records = takewhile(
        lambda record: record.deliver_at_ms < end_ms,
        story(CallCentre(rate=rate, chaos=spoiled), seed, start_ms),
    )
    if file is not None:
        _to_file(file, records, start_ms, end_ms)
        return
    kafka = settings_of(config, quiet=True).kafka
    clients = Clients(kafka)
    with kafka_there(clients), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_to_kafka(clients, kafka.topic_prefix, records, fast=fast))


def _to_file(file: Path, records: Iterator[Simulated], start_ms: int, end_ms: int) -> None:
    with contextlib.ExitStack() as exits:
        target = sys.stdout.buffer if str(file) == "-" else exits.enter_context(file.open("wb"))
        progress = exits.enter_context(Progress(console=err, disable=not err.is_terminal, transient=True))
        task = progress.add_task("simulate", total=end_ms - start_ms)
        count = 0
        for record in records:
            target.write(encode(record.event) + b"\n")
            count += 1
            if count % 1000 == 0:
                progress.update(task, completed=record.deliver_at_ms - start_ms)
    err.print(f"{count} events", highlight=False)


async def _to_kafka(clients: Clients, prefix: str, records: Iterator[Simulated], *, fast: bool) -> None:
    producer = clients.aio_producer(compression_type="lz4", linger_ms=20)
    async with running(producer):
        if fast:
            count = await publish_until(producer, f"{prefix}.call", records, 1 << 60)
            err.print(f"{count} events sent", highlight=False)
        else:
            err.print("Sending as the clock goes; Ctrl-C ends it.", highlight=False)
            await publish_live(producer, f"{prefix}.call", records)
            await producer.flush()
