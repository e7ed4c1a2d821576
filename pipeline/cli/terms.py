"""What the commands share: options, settings and definitions, output, exit codes."""

import logging
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from kafka.errors import KafkaError
from rich.console import Console

from pipeline.events.instants import BadTimeError, instant_ms
from pipeline.kafka.clients import Clients, NoBrokerError, answers
from pipeline.metrics.definitions import Definitions, DefinitionsError, declare
from pipeline.settings import Settings, SinkUrl, load
from pipeline.settings_problems import SettingsError
from pipeline.telemetry import CLIENTS, configure_logging

PIPE_WIDTH: Final = 240


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    DIFFERENT = 1
    USAGE = 2
    UNAVAILABLE = 3
    FATAL = 70


EXIT_CODES = (
    "Exit codes: 0 well; 1 a difference or a finding; 2 wrong usage, settings or input; "
    "3 Kafka, ClickHouse, Java or a topic is not there; 70 a worker ended rather than count wrongly."
)

# Into a file or a pipe nothing is cut to the width of a terminal that is not there.
out = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, soft_wrap=True)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default pulse.toml where it exists.", metavar="FILE"),
]
Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="Folder of the demo's Kafka and ClickHouse; default .pulse.", metavar="DIR"),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines instead of a table.")]


def me() -> str:
    """How to call this program here: its name where it is on the PATH, else its path."""
    path = Path(sys.argv[0]).resolve()
    return "pulse" if shutil.which("pulse") else min(os.path.relpath(path), str(path), key=len)


def stop(code: Exit, message: str) -> NoReturn:
    """End the command with a message on standard error."""
    err.print(message, style="red" if code else "", markup=False, highlight=False)
    raise typer.Exit(int(code))


def settings_of(config: Path | None, *, quiet: bool = False) -> Settings:
    """Load and check the settings, set up logging; ends with code 2 when they are wrong."""
    try:
        settings = load(config)
    except SettingsError as error:
        stop(Exit.USAGE, str(error))
    log = settings.log.model_copy(update={"level": "warning"}) if quiet else settings.log
    configure_logging(log)
    if quiet:
        # What a client library cannot reach is told once, by the command.
        for name in CLIENTS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return settings


def kept_in(settings: Settings, folder: Path | None) -> Settings:
    """The settings with everything that is kept on this machine in `folder`, where one is named."""
    if folder is None:
        return settings
    sink = settings.sink.model_copy(update={"url": SinkUrl(f"chdb://{folder / 'clickhouse'}")})
    return settings.model_copy(update={"data_dir": folder, "sink": sink})


def definitions_of(path: Path, thresholds_s: tuple[float, ...] = ()) -> Definitions:
    """Read definitions.toml, which may be absent; ends with code 2 when it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return declare(table, thresholds_s)
    except (tomllib.TOMLDecodeError, DefinitionsError, OSError) as error:
        stop(Exit.USAGE, f"{path}: {error}")


def instant_option(text: str | None, name: str) -> int | None:
    """RFC 3339 text of an option as ms; ends with code 2 when it is none."""
    if text is None:
        return None
    try:
        return instant_ms(text)
    except BadTimeError as error:
        stop(Exit.USAGE, f"{name}: {error}; e.g. 2026-03-02T17:30:00Z")


def duration_seconds(text: str | None) -> float | None:
    """`90`, `90s`, `5m`, `1h`, `2d` in seconds. Raises typer.BadParameter."""
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no duration, e.g. 60s, 5m, 1h") from None
    if seconds <= 0:
        raise typer.BadParameter("a duration is more than 0")
    return seconds


@contextmanager
def kafka_there(clients: Clients) -> Iterator[None]:
    """Check that a broker answers; turns Kafka's errors into one message and code 3."""
    try:
        if not answers(clients):
            stop(
                Exit.UNAVAILABLE,
                f"No Kafka answers at {', '.join(clients.bootstrap)}: start it, or set "
                "PULSE_KAFKA__BOOTSTRAP (TLS and SASL: PULSE_KAFKA__SECURITY_PROTOCOL).",
            )
        yield
    except NoBrokerError as error:
        stop(Exit.USAGE, str(error))
    except KafkaError as error:
        stop(Exit.UNAVAILABLE, f"Kafka: {error!r}")
