"""Bring ClickHouse's tables and views to this version: numbered SQL files, each applied once.

Source: clickhouse.md §9. A file that was changed after it was applied is refused. There is no lock:
run it as one job. A view made by SELECT * keeps the columns of its day: a migration that adds a column
makes the view anew.
"""

from pathlib import Path
from typing import Final, NamedTuple

from clickhouse_migrations.connection import ClickhouseConnectConnection
from clickhouse_migrations.exceptions import MigrationException
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from pipeline.settings import Sink
from pipeline.share import shared_file
from pipeline.sink.clickhouse import database_of, open_client

_FOLDER: Final = "deploy/clickhouse"


class MigrationError(RuntimeError):
    """A migration was refused; the message says which and why."""


class Step(NamedTuple):
    """One migration: its number, and whether it is `applied`, `pending`, `md5-mismatch` or `unknown`."""

    version: int
    state: str


def migrate(sink: Sink, folder: Path | None = None) -> list[int]:
    """Make the database, apply what is pending; answers the numbers applied.

    Raises MigrationError, ClickHouseError.
    """
    _make_database(sink)
    client = open_client(sink)
    try:
        migrator, storage = _migrator(client, folder)
        return [done.version for done in migrator.apply_migration(storage.migrations(), multi_statement=True)]
    except MigrationException as error:
        raise MigrationError(
            f"{error}. Migrations are never edited: restore the file, add a new one"
        ) from error
    finally:
        client.close()


def migration_status(sink: Sink, folder: Path | None = None) -> list[Step]:
    """Every migration known to the files or to the database, in order. Changes no table of ours."""
    client = open_client(sink)
    try:
        migrator, storage = _migrator(client, folder)
        return [Step(row.version, row.state) for row in migrator.migration_status(storage.migrations())]
    finally:
        client.close()


def keep_forever(sink: Sink) -> None:
    """Take the tables' time limits away: for a run over old events in a database of its own.

    By the clock of the server, live buckets older than 90 days vanish within moments.
    """
    client = open_client(sink)
    try:
        for table in ("raw_events", "buckets", "rejected", "revisions"):
            client.command(f"ALTER TABLE {table} REMOVE TTL")
    finally:
        client.close()


def _make_database(sink: Sink) -> None:
    name = database_of(sink)
    if name != "default":
        client = open_client(sink, is_made=False)
        try:
            client.command("CREATE DATABASE IF NOT EXISTS {name:Identifier}", parameters={"name": name})
        finally:
            client.close()


def _migrator(client: object, folder: Path | None) -> tuple[Migrator, MigrationStorage]:
    migrator = Migrator(ClickhouseConnectConnection(client), migration_log_format="compact")
    migrator.init_schema()
    return migrator, MigrationStorage(folder or shared_file(_FOLDER))
