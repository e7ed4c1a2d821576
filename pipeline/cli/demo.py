"""`demo`: a local Kafka, all roles and a simulated business in this process, and what they say of it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from rich.live import Live

from pipeline.cli.feeding import Accounts, Gamed, business_of
from pipeline.cli.running import ended_early, run_to_end, until_signal
from pipeline.cli.story import Story, begun, go_on, keep
from pipeline.cli.terms import (
    Config,
    Exit,
    Folder,
    definitions_of,
    duration_seconds,
    err,
    kept_in,
    me,
    out,
    settings_of,
    stop,
)
from pipeline.cli.wall import history_bar, lines, wall
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.local.jars import LocalKafkaError
from pipeline.local.kafka import LocalKafka
from pipeline.local.stack import Stack
from pipeline.metrics.definitions import Definitions
from pipeline.settings import Settings
from pipeline.sources.business.params import ACCOUNTS
from pipeline.sources.delivery import Simulated
from pipeline.sources.publish import publish

DEMO_TRIM_SECONDS = 600.0
PLAIN_EVERY_SECONDS = 5.0
QUESTIONS = (
    "SELECT * FROM asa_queue",
    "SELECT day, tenant, value, n FROM churn WHERE window = '30d' AND definition = 'start' AND day <= now()",
)


def demo(  # noqa: PLR0913 - one argument per option
    config: Config = None,
    *,
    for_: Annotated[str | None, typer.Option("--for", help="Stop after so long: 60s, 5m.")] = None,
    folder: Folder = None,
    rate: Annotated[float, typer.Option(help="Simulated events of calls per second.", min=0.5)] = 25.0,
    history: Annotated[str, typer.Option(help="How much past the business has at first: 400d.")] = "60d",
    accounts: Accounts = ACCOUNTS,
    seed: Annotated[int, typer.Option(help="Seed of the simulated story.")] = 7,
    gaming: Gamed = False,
) -> None:
    """Everything on this machine: a local Kafka, all roles, a simulated business, a live table.

    Ctrl-C stops cleanly; data stay in --dir, and the next demo there goes on with the same business. A
    Kafka or a ClickHouse that is configured is used instead.

    Examples: [bold]pulse demo --for 60s[/bold]; [bold]pulse demo --history 400d --dir long[/bold]
    """
    settings = kept_in(settings_of(config, quiet=True), folder)
    worker = settings.worker.model_copy(update={"trim_age_seconds": DEMO_TRIM_SECONDS})
    settings = settings.model_copy(update={"worker": worker})
    definitions = definitions_of(settings.definitions)
    seconds = duration_seconds(for_)
    broker: LocalKafka | None = None
    try:
        if settings.kafka.bootstrap is None:
            data = settings.data_dir / "kafka"
            err.print("Starting a local Kafka …", highlight=False)
            broker = LocalKafka(data, say=lambda line: err.print(line, highlight=False)).start()
            kafka = settings.kafka.model_copy(update={"bootstrap": broker.bootstrap})
            settings = settings.model_copy(update={"kafka": kafka})
        now_ms = time.time_ns() // 1_000_000
        history_ms = int((duration_seconds(history) or 0) * 1000)
        new = begun(
            seed=seed,
            # The port of a local broker changes, its data do not.
            bootstrap="" if broker is not None else settings.kafka.bootstrap or "",
            business=business_of(accounts, gaming=gaming, start_ms=now_ms - history_ms, live_ms=now_ms),
            rate=rate,
            now_ms=now_ms,
            history_ms=history_ms,
        )
        run_to_end(_demo(settings, definitions, seconds, new))
    except LocalKafkaError as error:
        stop(Exit.UNAVAILABLE, str(error))
    finally:
        if broker is not None:
            broker.stop()


async def _demo(settings: Settings, definitions: Definitions, seconds: float | None, new: Story) -> None:
    clients = Clients(settings.kafka)
    await asyncio.to_thread(_create_topics, clients, settings)
    async with until_signal(seconds) as ended:
        stack = Stack(settings, definitions)
        async with ended_early(ended, stack) as is_up:
            if not is_up or stack.board is None:
                return
            feed = Feed(clients, settings, new)
            feeding = asyncio.create_task(feed.run())
            try:
                _print_addresses(stack.board.url, settings)
                await _show(stack, ended, feed, feeding)
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
    err.print(
        f"Stopped. Data are kept in {settings.data_dir}: `{_again('sql', settings)} QUERY` asks them,"
        f" `{_again('demo', settings)}` goes on.",
        highlight=False,
    )


def _again(command: str, settings: Settings) -> str:
    """How to call a command on the same folder."""
    folder = "" if settings.data_dir == Settings().data_dir else f" --dir {settings.data_dir}"
    return f"{me()} {command}{folder}"


def _create_topics(clients: Clients, settings: Settings) -> None:
    admin = clients.admin()
    try:
        topics = declared_topics(settings.kafka.topic_prefix, settings.streams)
        create_missing(admin, topics, local=True)
    finally:
        admin.close()


class Feed:
    """What was missed since the last run, or the past of a new business, at once; then by the clock.

    Calls go first and alone, and are live before the past of the other streams begins. `past` is how much
    of that is told, 1.0 when all of it.
    """

    def __init__(self, clients: Clients, settings: Settings, new: Story) -> None:
        self._clients = clients
        self._prefix = settings.kafka.topic_prefix
        self._streams = settings.streams
        self._file = settings.data_dir / "story.json"
        self._story = story = go_on(self._file, new)
        self._began_ms = time.time_ns() // 1_000_000
        self._told = {"calls": story.calls_told_ms, "others": story.others_told_ms}
        self._calls_are_live = asyncio.Event()

    @property
    def past(self) -> float:
        """Share of the other streams' past that has been told."""
        since = self._story.others_told_ms
        return min(1.0, (self._told["others"] - since) / max(1, self._began_ms - since))

    async def run(self) -> None:
        """Until cancelled."""
        keep(self._file, self._story, *self._told.values())
        try:
            async with (
                running(self._clients.aio_producer(compression_type="lz4", linger_ms=20)) as producer,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(self._tell_calls(producer))
                group.create_task(self._tell_others(producer))
        finally:
            keep(self._file, self._story, *self._told.values())

    async def _tell_calls(self, producer: AIOKafkaProducer) -> None:
        if "call" not in self._streams:
            self._calls_are_live.set()
            return
        records = await asyncio.to_thread(self._story.calls)
        await self._publish(producer, "calls", records)

    async def _tell_others(self, producer: AIOKafkaProducer) -> None:
        await self._calls_are_live.wait()
        if set(self._streams) != {"call"}:
            records = await asyncio.to_thread(self._story.others, self._streams)
            await self._publish(producer, "others", records)

    async def _publish(self, producer: AIOKafkaProducer, name: str, records: Iterator[Simulated]) -> None:
        def tell(ms: int) -> None:
            self._told[name] = ms
            if ms >= self._began_ms and name == "calls":
                self._calls_are_live.set()

        await publish(producer, self._prefix, records, live_from_ms=self._began_ms, tell=tell)


def _print_addresses(url: str, settings: Settings) -> None:
    for what, where in (
        ("live page", url),
        ("Prometheus", f"{url}/metrics"),
        ("JSON", f"{url}/api/metrics"),
        *(("SQL", f'{_again("sql", settings)} "{question}"') for question in QUESTIONS),
        ("Kafka", settings.kafka.bootstrap),
    ):
        out.print(f"  {what:<11} {where}", highlight=False, soft_wrap=True)


async def _show(stack: Stack, ended: asyncio.Event, feed: Feed, feeding: "asyncio.Task[None]") -> None:
    """Live tables on a terminal, plain lines elsewhere, until the end."""
    board = stack.board
    if board is None:
        return
    live = Live(console=out, auto_refresh=False, transient=False) if out.is_terminal else None
    with live or contextlib.nullcontext():
        while not ended.is_set():
            if feeding.done() and feeding.exception() is not None:
                raise RuntimeError("the simulator stopped") from feeding.exception()
            notes = board.faults()
            if live is not None:
                bar = history_bar(feed.past)
                live.update(wall(board.publisher.latest, notes, out.width, bar), refresh=True)
            else:
                notes += [f"history: {feed.past:.0%} told"] if feed.past < 1 else []
                for line in lines(board.publisher.latest, notes):
                    out.print(line, markup=False, highlight=False, soft_wrap=True)
            with contextlib.suppress(TimeoutError):
                seconds = 1.0 if live is not None else PLAIN_EVERY_SECONDS
                await asyncio.wait_for(ended.wait(), seconds)
