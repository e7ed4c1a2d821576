"""`run`: roles in this process until a signal, or a time, ends them."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from errno import EADDRINUSE
from typing import Annotated, Any

import typer

from pipeline.cli.terms import (
    Config,
    Exit,
    definitions_of,
    duration_seconds,
    settings_of,
    stop,
)
from pipeline.local.stack import ROLES, NotReadyError, Stack


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
        async with until_signal(duration_seconds(for_)) as ended:
            stack = Stack(settings, definitions, wanted)
            async with ended_early(ended, stack) as is_up:
                if is_up:
                    await ended.wait()

    run_to_end(main())


@contextlib.asynccontextmanager
async def until_signal(seconds: float | None) -> AsyncIterator[asyncio.Event]:
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
async def ended_early(ended: asyncio.Event, stack: Stack) -> AsyncIterator[bool]:
    """Start the stack, but give up when the end comes first; yields whether it is up."""
    context = stack.running()
    starting = asyncio.ensure_future(context.__aenter__())
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        if not starting.cancelled() and starting.exception() is None:
            await context.__aexit__(None, None, None)  # what is cancelled may still get through
        yield False
        return
    starting.result()
    try:
        yield True
    finally:
        await context.__aexit__(*sys.exc_info())


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; turns what may be missing into a message and an exit code."""
    try:
        asyncio.run(work)
    except NotReadyError as error:
        stop(Exit.UNAVAILABLE, str(error))
    except OSError as error:
        port = "; choose another port with PULSE_BOARD__PORT" if error.errno == EADDRINUSE else ""
        stop(Exit.UNAVAILABLE, f"{error.strerror or error}{port}")
