"""`simulate`: a business and its contact centre as events, into a file or into Kafka."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import Progress

from pipeline.cli.story import Story, begun, go_on, keep
from pipeline.cli.terms import (
    Config,
    Exit,
    duration_seconds,
    err,
    instant_option,
    kafka_there,
    settings_of,
    stop,
)
from pipeline.kafka.clients import Clients, running
from pipeline.sources.business.gaming import gaming_days
from pipeline.sources.business.params import ACCOUNTS, DAY_MS, Business, Gaming
from pipeline.sources.business.world import STREAMS
from pipeline.sources.centre import CallCentre, Chaos
from pipeline.sources.delivery import Simulated
from pipeline.sources.everything import simulate_all
from pipeline.sources.publish import backfilled, publish
from pipeline.sources.simulate import encode

PLAIN_EVERY_SECONDS = 5.0
KEEP_EVERY_SECONDS = 1.0
SPOILED = Chaos(duplicate_share=0.02, late_share=0.05, correction_share=0.01, void_share=0.01)

Accounts = Annotated[int, typer.Option(help="Customers the business begins with.", min=1)]
Gamed = Annotated[
    bool,
    typer.Option("--gaming", help="Plant numbers better than the service, near the end of the history."),
]


class Span(NamedTuple):
    """From where the story is told, from where it is no history any more, and up to where; ms."""

    start_ms: int
    live_ms: int
    end_ms: int


def business_of(accounts: int, *, gaming: bool, start_ms: int, live_ms: int) -> Business:
    """The business wanted; gaming is planted on days that end before it is live, and told of."""
    planted = None
    if gaming:
        days = (live_ms - start_ms) // DAY_MS
        planted = Gaming(first_day=max(11, days - 6))
        for kind, day in gaming_days(planted, start_ms).items():
            err.print(f"planted {day} in {planted.tenant}/{planted.queue}: {kind}", highlight=False)
    return Business(accounts=accounts, gaming=planted)


def simulate(  # noqa: PLR0913 - one argument per option
    config: Config = None,
    *,
    rate: Annotated[float, typer.Option(help="Calls' events per second of event time.", min=0.1)] = 20.0,
    for_: Annotated[str, typer.Option("--for", help="How much event time: 60s, 5m, 1h.")] = "10m",
    history: Annotated[
        str | None, typer.Option(help="The business's past before that, as fast as it goes: 400d.")
    ] = None,
    accounts: Accounts = ACCOUNTS,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    start: Annotated[
        str | None, typer.Option(help="First instant; default: so that it goes on or (--fast) ends now.")
    ] = None,
    streams: Annotated[
        str | None, typer.Option(help="Which streams, separated by commas; default: those of the settings.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--out", help="NDJSON file; - is standard output.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="To Kafka without waiting for the clock.")] = False,
    chaos: Annotated[bool, typer.Option("--chaos", help="Duplicates, disorder, corrections.")] = False,
    gaming: Gamed = False,
    kept: Annotated[
        Path | None, typer.Option("--keep", help="File by which the next run goes on with the same story.")
    ] = None,
) -> None:
    """Tell the story of a business and its contact centre (Erlang-A) as events.

    Examples: [bold]pulse simulate --for 1h --out events.ndjson[/bold];
    [bold]pulse simulate --history 400d[/bold] fills Kafka with the past and goes on in real time;
    [bold]pulse simulate --rate 100 --streams call[/bold] sends only calls, and more of them.
    """
    settings = settings_of(config, quiet=True)
    wanted = _streams(streams) or settings.streams
    span = _span(history, for_, start, is_past=fast)
    business = business_of(accounts, gaming=gaming, start_ms=span.start_ms, live_ms=span.live_ms)
    crowd = CallCentre(rate=rate, chaos=SPOILED if chaos else Chaos())
    told = simulate_all(business, crowd, seed, span.start_ms, span.live_ms, wanted)
    remember: Callable[[int], None] = _nothing
    if kept is not None:
        if file or fast or chaos or start:
            stop(Exit.USAGE, "--keep goes on by the clock: without --out, --fast, --chaos and --start")
        story = go_on(
            kept,
            begun(
                seed=seed, bootstrap=settings.kafka.bootstrap or "", business=business, rate=rate,
                now_ms=span.live_ms, history_ms=span.live_ms - span.start_ms,
            ),
        )  # fmt: skip
        told, remember = story.rest(wanted), _keeping(kept, story)
    records = takewhile(lambda record: record.deliver_at_ms < span.end_ms, told)
    if file is not None:
        _to_file(file, records, span)
        return
    clients = Clients(settings.kafka)
    with kafka_there(clients), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_to_kafka(clients, settings.kafka.topic_prefix, records, span, remember, fast=fast))


def _nothing(_: int) -> None:
    """Remembers nothing."""


def _keeping(file: Path, story: Story) -> Callable[[int], None]:
    """Remembers up to which instant (ms) the story is told, about once a second: nobody says when it ends."""
    kept_at = 0.0

    def remember(ms: int) -> None:
        nonlocal kept_at
        if time.monotonic() - kept_at >= KEEP_EVERY_SECONDS:
            kept_at = time.monotonic()
            keep(file, story, ms, ms)

    return remember


def _streams(text: str | None) -> tuple[str, ...]:
    named = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    if unknown := set(named) - set(STREAMS):
        stop(Exit.USAGE, f"--streams {', '.join(sorted(unknown))}: known are {', '.join(STREAMS)}")
    return named


def _span(history: str | None, for_: str, start: str | None, *, is_past: bool) -> Span:
    """Where nothing is said of the start, events end now or go on from now: ahead of the broker's clock
    they would be rejected.
    """
    past_ms = int((duration_seconds(history) or 0) * 1000)
    length_ms = int((duration_seconds(for_) or 0) * 1000)
    start_ms = instant_option(start, "--start")
    if start_ms is None:
        start_ms = time.time_ns() // 1_000_000 - past_ms - (length_ms if is_past else 0)
    return Span(start_ms, start_ms + past_ms, start_ms + past_ms + length_ms)


@contextlib.contextmanager
def telling(span: Span) -> Iterator[Callable[[int], None]]:
    """A function that is told up to which instant the story is: a bar on a terminal, else plain lines."""
    if err.is_terminal:
        with Progress(console=err, transient=True) as progress:
            task = progress.add_task("history", total=span.live_ms - span.start_ms)
            yield lambda ms: progress.update(task, completed=ms - span.start_ms)
        return
    said_at = time.monotonic()

    def say(ms: int) -> None:
        nonlocal said_at
        if ms < span.live_ms and time.monotonic() - said_at >= PLAIN_EVERY_SECONDS:
            said_at = time.monotonic()
            share = (ms - span.start_ms) / (span.live_ms - span.start_ms)
            err.print(f"history: {share:.0%} told", highlight=False)

    yield say


def _to_file(file: Path, records: Iterator[Simulated], span: Span) -> None:
    with contextlib.ExitStack() as exits:
        target = sys.stdout.buffer if str(file) == "-" else exits.enter_context(file.open("wb"))
        tell = exits.enter_context(telling(span._replace(live_ms=span.end_ms)))
        count = 0
        for record in records:
            is_past = record.deliver_at_ms < span.live_ms
            target.write(encode(backfilled(record.event) if is_past else record.event) + b"\n")
            count += 1
            if count % 1000 == 0:
                tell(record.deliver_at_ms)
    err.print(f"{count} events", highlight=False)


async def _to_kafka(
    clients: Clients,
    prefix: str,
    records: Iterator[Simulated],
    span: Span,
    remember: Callable[[int], None],
    *,
    fast: bool,
) -> None:
    if not fast:
        err.print("Sending as the clock goes; Ctrl-C ends it.", highlight=False)
    shown = span._replace(live_ms=span.end_ms) if fast else span
    async with running(clients.aio_producer(compression_type="lz4", linger_ms=20)) as producer:
        with telling(shown) as show:

            def tell(ms: int) -> None:
                show(ms)
                remember(ms)

            count = await publish(
                producer, prefix, records, live_from_ms=span.live_ms, is_paced=not fast, tell=tell
            )
    err.print(f"{count} events sent", highlight=False)
