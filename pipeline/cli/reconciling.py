"""`reconcile`: is what the board shows what ClickHouse says?"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.table import Table

from pipeline.cli.terms import (
    AsJson,
    Config,
    Exit,
    Folder,
    definitions_of,
    duration_seconds,
    err,
    kept_in,
    out,
    settings_of,
    stop,
)
from pipeline.sink.ask import AskError, UnavailableError, ask
from pipeline.sink.reconcile import Compared, Difference, compare
from pipeline.sink.view_numbers import Key, Told

ANSWER_SECONDS: Final = 30
PAUSE_SECONDS: Final = 1.0
LEAST_TIMES: Final = 4
SHOWN: Final = 40


class Settled(NamedTuple):
    """What is left of the differences of a first comparison when patience ends.

    `moving`: numbers that differed each time, and changed meanwhile.
    """

    agreed: int
    differing: list[Difference]
    moving: int
    left_out: dict[str, int]


def reconcile(
    config: Config = None,
    *,
    folder: Folder = None,
    board: Annotated[
        str | None, typer.Option(help="Address of a board; default the one in the settings.", metavar="URL")
    ] = None,
    patience: Annotated[
        str, typer.Option(help="How long a number may differ: ClickHouse comes some seconds later.")
    ] = "30s",
    as_json: AsJson = False,
) -> None:
    """Hold every number of the board to ClickHouse's views and tell what differs.

    What differs is asked again until it agrees or patience ends. A number that moves all the while is only
    counted: two readers of a stream cannot be asked at one instant.

    Example: [bold]pulse reconcile --patience 1m[/bold]
    """
    settings = kept_in(settings_of(config, quiet=True), folder)
    definitions = definitions_of(settings.definitions)
    own = f"http://{settings.board.called}:{settings.board.port}"
    url = (board or own).rstrip("/") + "/api/metrics"

    def once() -> Compared:
        answer = _answer_of(url)
        if answer["definitions"] != definitions.fingerprint:
            stop(
                Exit.USAGE,
                f"The board counts by other definitions than {settings.definitions}: name the file it was"
                " started with by PULSE_DEFINITIONS.",
            )
        return compare(answer, partial(ask, settings), definitions)

    with err.status("reconcile: asking board and ClickHouse") if err.is_terminal else nullcontext():
        try:
            settled = settle(once, duration_seconds(patience) or 0.0)
        except UnavailableError as error:
            stop(Exit.UNAVAILABLE, str(error))
        except AskError as error:
            stop(Exit.DIFFERENT, str(error))
    _tell(settled, as_json=as_json)
    if settled.differing:
        raise typer.Exit(int(Exit.DIFFERENT))


def settle(once: Callable[[], Compared], seconds: float) -> Settled:
    """Compare, and compare again what differed, for so many seconds and a few times at least: once is not
    enough to see a number move.
    """
    until = time.monotonic() + seconds
    times = 1
    first = once()
    seen: dict[Key, list[Difference]] = {each.key: [each] for each in first.differences}
    while seen and (times < LEAST_TIMES or time.monotonic() < until):
        time.sleep(PAUSE_SECONDS)
        times += 1
        again = {each.key: each for each in once().differences}
        seen = {key: [*told, again[key]] for key, told in seen.items() if key in again}
    moving = {key for key, told in seen.items() if any(each != told[0] for each in told)}
    differing = [told[-1] for key, told in seen.items() if key not in moving]
    agreed = first.agreed + len(first.differences) - len(seen)
    return Settled(agreed, differing, len(moving), dict(first.left_out))


def _answer_of(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as response:  # noqa: S310 - the user's own
            answer: dict[str, Any] = json.load(response)
    except (OSError, urllib.error.URLError, ValueError) as error:
        stop(Exit.UNAVAILABLE, f"No board answers at {url} ({error}): start one, or name it by --board.")
    if not answer["is_caught_up"]:
        stop(Exit.UNAVAILABLE, f"The board at {url} is still reading the log: ask again when /readyz is 200.")
    return answer


def _tell(settled: Settled, *, as_json: bool) -> None:
    if as_json:
        differing = [
            {**each.key._asdict(), "place": dict(each.key.place), "board": each.board._asdict(),
             "clickhouse": each.store._asdict()}
            for each in settled.differing
        ]  # fmt: skip
        out.print_json(json.dumps(settled._asdict() | {"differing": differing}))
        return
    if settled.differing:
        table = Table(title="differing", title_justify="left")
        for name in ("metric", "definition", "window", "of"):
            table.add_column(name, overflow="fold")
        for name in ("board", "n", "ClickHouse", "n"):
            table.add_column(name, justify="right")
        for each in settled.differing[:SHOWN]:
            key = each.key
            numbers = (*_shown(each.board), *_shown(each.store))
            table.add_row(key.metric, key.definition, key.window or "now", key.where, *numbers)
        out.print(table)
    told = f"{settled.agreed} numbers agree, {len(settled.differing)} differ, {settled.moving} were moving"
    out.print(told, highlight=False)
    for reason, count in sorted(settled.left_out.items()):
        out.print(f"{count} not compared: {reason}", highlight=False, style="dim")


def _shown(told: Told) -> tuple[str, str]:
    return (
        "absent" if told.value is None else f"{told.value:g}",
        "" if told.n is None else f"{told.n:g}",
    )
