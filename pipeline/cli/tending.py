"""`topics`, `migrate`, `check-config`, `dlq`, `sql`: what an operator does beside running."""

import json
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli.terms import (
    AsJson,
    Config,
    Exit,
    Folder,
    definitions_of,
    kafka_there,
    kept_in,
    out,
    settings_of,
    stop,
)
from pipeline.core import CORE
from pipeline.kafka.clients import Clients
from pipeline.kafka.dead_letters import Letter, read_letters
from pipeline.kafka.topics import TopicError, check, create_missing, declared_topics
from pipeline.metrics.declared import PARAMETERS
from pipeline.sink.ask import AskError, UnavailableError, ask
from pipeline.sink.clickhouse import STORE_ERRORS
from pipeline.sink.migrate import MigrationError, migration_status
from pipeline.sink.migrate import migrate as apply_migrations

SMALLEST_DECIMAL = 1e-3
"""Smaller numbers than this keep all their digits: six decimals would not tell them apart."""

dlq = typer.Typer(
    no_args_is_help=True, help="Look at rejected events. Example: [bold]pulse dlq list --limit 10[/bold]"
)


def topics(
    config: Config = None,
    *,
    local: Annotated[bool, typer.Option("--local", help="Few partitions, for one machine.")] = False,
    check_only: Annotated[bool, typer.Option("--check", help="Create nothing.")] = False,
) -> None:
    """Create the topics that are missing and check those that are there.

    Example: [bold]PULSE_KAFKA__BOOTSTRAP=localhost:9092 pulse topics[/bold]
    """
    settings = settings_of(config, quiet=True)
    clients = Clients(settings.kafka)
    try:
        declared = declared_topics(settings.kafka.topic_prefix, settings.streams)
    except TopicError as error:
        stop(Exit.USAGE, str(error))
    with kafka_there(clients):
        admin = clients.admin()
        try:
            created = [] if check_only else create_missing(admin, declared, local=local)
            findings = check(admin, declared, local=local)
        finally:
            admin.close()
    for name in created:
        out.print(f"created {name}", highlight=False)
    for finding in findings:
        out.print(
            f"{finding.severity}: {finding.topic} {finding.what}\n  {finding.command}",
            markup=False,
            highlight=False,
        )
    out.print(f"{len(declared)} topics, {len(findings)} findings", highlight=False)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(int(Exit.DIFFERENT))


def migrate(
    config: Config = None,
    *,
    status: Annotated[bool, typer.Option("--status", help="Show, change nothing.")] = False,
) -> None:
    """Bring ClickHouse's tables and views to this version.

    Example: [bold]PULSE_SINK__URL=clickhouse://user:pw@host:8123/pulse pulse migrate[/bold]
    """
    sink = settings_of(config, quiet=True).sink
    try:
        if status:
            for step in migration_status(sink):
                out.print(f"{step.version:04d} {step.state}", highlight=False)
            return
        applied = apply_migrations(sink)
    except MigrationError as error:
        stop(Exit.DIFFERENT, str(error))
    except STORE_ERRORS as error:
        stop(Exit.UNAVAILABLE, f"ClickHouse: {str(error)[:500]}")
    out.print(f"applied {applied or 'nothing: up to date'}", highlight=False)


def check_config(config: Config = None, *, as_json: AsJson = False) -> None:
    """Check settings and definitions, all at once, and print what is in force (secrets masked).

    Example: [bold]PULSE_WORKER__COMMIT_SECONDS=1 pulse check-config[/bold]
    """
    settings = settings_of(config, quiet=True)
    definitions = definitions_of(settings.definitions)
    declared = {
        each.name: {
            "declared": definitions.declared.get(each.name),
            "default": each.default,
            "applies": each.applies,
        }
        for each in PARAMETERS
    }
    document = {
        "settings": settings.public(),
        "definitions": definitions.fingerprint,
        "declared": declared,
        "core": CORE.kind,
    }
    if as_json:
        out.print_json(json.dumps(document, default=str))
        return
    table = Table("setting", "value")
    for section, values in settings.public().items():
        if isinstance(values, dict):
            for name, value in values.items():
                table.add_row(f"{section}.{name}", "" if value is None else str(value))
        else:
            table.add_row(section, ", ".join(values) if isinstance(values, list) else str(values))
    out.print(table)
    meanings = Table("declared", "in force", "a change applies")
    for name, told in declared.items():
        value = told["declared"]
        text = f"default: {told['default']}" if value is None else json.dumps(value, default=str)
        meanings.add_row(Text(name), Text(text), told["applies"])
    out.print(meanings)
    out.print(
        f"definitions {definitions.fingerprint}: {len(definitions.tenants)} tenants, "
        f"{len(definitions.bounds_ms)} bounds",
        highlight=False,
    )
    out.print(str(CORE), markup=False, highlight=False)


def _letters(config: Path | None, limit: int) -> list[Letter]:
    settings = settings_of(config, quiet=True)
    clients = Clients(settings.kafka)
    with kafka_there(clients):
        return read_letters(clients, f"{settings.kafka.topic_prefix}.dlq", limit)
    raise AssertionError("kafka_there ends the command instead of swallowing an error")


@dlq.command("list")
def dlq_list(
    config: Config = None,
    *,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest rejected events with place and reason.

    Example: [bold]pulse dlq list --limit 10[/bold]
    """
    letters = _letters(config, limit)
    if as_json:
        out.print_json(json.dumps([letter.document() for letter in letters]))
        return
    table = Table("place", "source record", "reason", "detail", "bytes")
    for letter in letters:
        cells = (letter.place, letter.source, letter.reason, letter.detail, str(letter.size))
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table if letters else "no rejected events")


@dlq.command("show")
def dlq_show(
    place: Annotated[str, typer.Argument(help="PARTITION:OFFSET, as `dlq list` prints it.")],
    config: Config = None,
) -> None:
    """Show one rejected event: its headers and its bytes.

    Example: [bold]pulse dlq show 0:17[/bold]
    """
    for letter in _letters(config, 1 << 30):
        if letter.place == place:
            for name, value in letter.document().items():
                out.print(f"{name}: {value}", markup=False, highlight=False)
            out.print(letter.value.decode("utf-8", "backslashreplace"), markup=False)
            return
    stop(Exit.DIFFERENT, f"no rejected event at {place}: see `pulse dlq list`")


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; SHOW TABLES lists what there is.")],
    config: Config = None,
    *,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Ask ClickHouse; a running `pulse demo` or `pulse run` that holds the embedded one answers for it.

    Example: [bold]pulse sql "SELECT * FROM asa_queue ORDER BY day, tenant, queue"[/bold]
    """
    settings = kept_in(settings_of(config, quiet=True), folder)
    try:
        answer = ask(settings, query)
    except UnavailableError as error:
        stop(Exit.UNAVAILABLE, str(error))
    except AskError as error:
        stop(Exit.DIFFERENT, str(error))
    if as_json:
        out.print_json(json.dumps(answer, default=str))
        return
    table = Table()
    for index, name in enumerate(answer["columns"]):
        is_numbers = all(isinstance(row[index], int | float | None) for row in answer["rows"])
        # A value cut short is of no use.
        table.add_column(name, overflow="fold", justify="right" if is_numbers else "left")
    for row in answer["rows"]:
        table.add_row(*(Text(_cell(value)) for value in row))
    out.print(table)


def _cell(value: object) -> str:
    """As people read it: six decimals at most; `--json` has all of them."""
    if isinstance(value, float) and math.isfinite(value) and abs(value) >= SMALLEST_DECIMAL:
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return "NULL" if value is None else str(value)
