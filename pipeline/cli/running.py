"""`demo` and `run`: roles in this process until a signal, or a time, ends them."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from errno import EADDRINUSE
from typing import Annotated, Any

import typer
from rich.live import Live

from pipeline.cli.story import HISTORY_MS, Story, go_on, keep
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
from pipeline.cli.wall import lines, wall
from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.local.jars import LocalKafkaError
from pipeline.local.kafka import LocalKafka
from pipeline.local.stack import ROLES, NotReadyError, Stack
from pipeline.metrics.definitions import Definitions
from pipeline.settings import Settings
from pipeline.sources.publish import publish_live, publish_until

DEMO_TRIM_SECONDS = 600.0
PLAIN_EVERY_SECONDS = 5.0
QUESTION = '"SELECT * FROM asa_queue"'


def run(
    config: Config = None,
    *,
    roles: Annotated[str, typer.Option(help="Which of aggregate, board, sink.")] = ",".join(ROLES),
    for_: Annotated[str | None, typer.Option("--for", help="Stop after so long.")] = None,
) -> None:
    """Run roles against your Kafka and ClickHouse until SIGTERM or Ctrl-C.

    Example: [bold]PULSE_KAFKA__BOOTSTRAP=localhost:9092 pulse run --roles aggregate,board[/bold]
    """
    settings = settings_of(config)
    wanted = [role.strip() for role in roles.split(",") if role.strip()]
    if not wanted or set(wanted) - set(ROLES):
        stop(Exit.USAGE, f"--roles {roles}: known are {', '.join(ROLES)}")
    if settings.kafka.bootstrap is None:
        stop(Exit.USAGE, "No Kafka is configured: set PULSE_KAFKA__BOOTSTRAP, or use `pulse demo`.")
    definitions = definitions_of(settings.definitions)

    async def main() -> None:
        async with _until_signal(duration_seconds(for_)) as ended:
            stack = Stack(settings, definitions, wanted)
            async with _ended_early(ended, stack) as is_up:
                if is_up:
                    await ended.wait()

    _run(main())


def demo(
    config: Config = None,
    *,
    for_: Annotated[str | None, typer.Option("--for", help="Stop after so long: 60s, 5m.")] = None,
    folder: Folder = None,
    rate: Annotated[float, typer.Option(help="Simulated events per second.", min=0.5)] = 25.0,
    seed: Annotated[int, typer.Option(help="Seed of the simulated contact centre.")] = 7,
) -> None:
    """Everything on this machine: a local Kafka, all roles, simulated calls, a live table.

    Ctrl-C stops cleanly; data stay in --dir, and the next demo there goes on. A Kafka or a ClickHouse
    that is configured is used instead. Example: [bold]pulse demo --for 60s[/bold]
    """
    settings = kept_in(settings_of(config, quiet=True), folder)
    settings = settings.model_copy(
        update={"worker": settings.worker.model_copy(update={"trim_age_seconds": DEMO_TRIM_SECONDS})}
    )
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
        # The port of a local broker changes, its data do not.
        address = "" if broker is not None else settings.kafka.bootstrap or ""
        _run(_demo(settings, definitions, seconds, (rate, seed, address)))
    except LocalKafkaError as error:
        stop(Exit.UNAVAILABLE, str(error))
    finally:
        if broker is not None:
            broker.stop()


async def _demo(
    settings: Settings,
    definitions: Definitions,
    seconds: float | None,
    wanted: tuple[float, int, str],
) -> None:
    clients = Clients(settings.kafka)
    await asyncio.to_thread(_create_topics, clients, settings)
    async with _until_signal(seconds) as ended:
        stack = Stack(settings, definitions)
        async with _ended_early(ended, stack) as is_up:
            if not is_up or stack.board is None:
                return
            feeding = asyncio.create_task(_feed(clients, settings, wanted))
            try:
                _print_addresses(stack.board.url, settings)
                await _show(stack, ended, feeding)
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


async def _feed(clients: Clients, settings: Settings, wanted: tuple[float, int, str]) -> None:
    """What was missed since the last run, or twenty minutes of history, at once; then by the clock."""
    file = settings.data_dir / "story.json"
    now_ms = time.time_ns() // 1_000_000
    story = go_on(file, Story(*wanted, now_ms - HISTORY_MS, now_ms - HISTORY_MS))
    keep(file, story, story.told_ms)
    topic = f"{settings.kafka.topic_prefix}.call"
    records = await asyncio.to_thread(story.untold)
    async with running(clients.aio_producer(compression_type="lz4", linger_ms=20)) as producer:
        try:
            await publish_until(producer, topic, records, time.time_ns() // 1_000_000)
            await publish_live(producer, topic, records)
        finally:
            keep(file, story, time.time_ns() // 1_000_000)


def _print_addresses(url: str, settings: Settings) -> None:
    for what, where in (
        ("live page", url),
        ("Prometheus", f"{url}/metrics"),
        ("JSON", f"{url}/api/metrics"),
        ("SQL", f"{_again('sql', settings)} {QUESTION}"),
        ("Kafka", settings.kafka.bootstrap),
    ):
        out.print(f"  {what:<11} {where}", highlight=False)


async def _show(stack: Stack, ended: asyncio.Event, feeding: "asyncio.Task[None]") -> None:
    """A live table on a terminal, plain lines elsewhere, until the end."""
    board = stack.board
    if board is None:
        return
    live = Live(console=out, auto_refresh=False, transient=False) if out.is_terminal else None
    with live or contextlib.nullcontext():
        while not ended.is_set():
            if feeding.done() and feeding.exception() is not None:
                raise RuntimeError("the simulator stopped") from feeding.exception()
            problems = board.faults()
            if live is not None:
                live.update(wall(board.publisher.latest, problems), refresh=True)
            else:
                for line in lines(board.publisher.latest, problems):
                    out.print(line, markup=False, highlight=False, soft_wrap=True)
            with contextlib.suppress(TimeoutError):
                seconds = 1.0 if live is not None else PLAIN_EVERY_SECONDS
                await asyncio.wait_for(ended.wait(), seconds)


@contextlib.asynccontextmanager
async def _until_signal(seconds: float | None) -> AsyncIterator[asyncio.Event]:
    """An event set by SIGINT, SIGTERM or after `seconds`."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    timer = loop.call_later(seconds, ended.set) if seconds is not None else None
    try:
        yield ended
    finally:
        if timer is not None:
            timer.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _ended_early(ended: asyncio.Event, stack: Stack) -> AsyncIterator[bool]:
    """Start the stack, but give up when the end comes first; yields whether it is up."""
    context = stack.running()
    starting = asyncio.ensure_future(context.__aenter__())
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        yield False
        return
    starting.result()
    try:
        yield True
    finally:
        await context.__aexit__(*sys.exc_info())


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; turns what may be missing into a message and an exit code."""
    try:
        asyncio.run(work)
    except NotReadyError as error:
        stop(Exit.UNAVAILABLE, str(error))
    except OSError as error:
        port = "; choose another port with PULSE_BOARD__PORT" if error.errno == EADDRINUSE else ""
        stop(Exit.UNAVAILABLE, f"{error.strerror or error}{port}")
