"""The one client of ClickHouse: address and settings, inserts of columns, and what an error means.

Source: clickhouse.md §6-§8. Embedded (chdb://) and served (clickhouse://, clickhouses://) look the
same from here. One client belongs to one thread.
"""

from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.datatypes.base import ClickHouseType
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DatabaseError,
    DataError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from clickhouse_connect.driver.insert import InsertContext

from pipeline.events.heartbeat import TENANT as HEARTBEAT_TENANT
from pipeline.metrics.families import HEARTBEAT
from pipeline.settings import Sink
from pipeline.sink.tables import OF_ENTITIES, TABLES, Row, Table

SETTINGS: Final = {"async_insert": 0, "max_partitions_per_insert_block": 100}
CONNECT_SECONDS: Final = 5
ASK_SECONDS: Final = 30
_PORTS: Final = {"clickhouse": 8123, "clickhouses": 8443}


class Remedy(StrEnum):
    """What to do about an error: the same rows again, column types anew, halves, parts, or nothing."""

    RETRY = "retry"
    REFRESH = "refresh"
    BISECT = "bisect"
    SPLIT = "split"
    STOP = "stop"


_BUSY: Final = frozenset({
    3, 107, 159, 160, 198, 201, 202, 203, 209, 210, 216, 225, 236, 241, 242, 243, 244, 252, 254, 265, 279,
    285, 286, 289, 290, 297, 319, 364, 384, 395, 425, 439, 499, 999, 1000,
})  # fmt: skip
_DRIFT: Final = frozenset({16, 20, 33, 53, 131})
_DATA: Final = frozenset({6, 26, 27, 38, 41, 72, 117, 321, 349, 469})
_TOO_MANY_PARTS: Final = 252
_NO_SPACE: Final = "No space left on device"  # ENOSPC under whatever code: 75, 1001, …
_READONLY: Final = 164


def remedy(error: Exception) -> Remedy:
    """Classify one failed insert. What is unknown stops the line: it is never skipped."""
    code = getattr(error, "code", None)
    if code == _TOO_MANY_PARTS and "single INSERT block" in str(error):
        return Remedy.SPLIT
    if code in _BUSY or _NO_SPACE in str(error):
        return Remedy.RETRY
    if code in _DRIFT:
        return Remedy.REFRESH
    if code in _DATA:
        return Remedy.BISECT
    return Remedy.STOP if code is not None else _without_code(error)


def _without_code(error: Exception) -> Remedy:
    if isinstance(error, OperationalError):
        return Remedy.RETRY
    if isinstance(error, NotSupportedError):
        return Remedy.STOP
    # Raised by the driver itself while it encodes rows.
    if isinstance(error, DataError | ProgrammingError | AttributeError | TypeError | ValueError):
        return Remedy.BISECT
    return Remedy.RETRY if isinstance(error, DatabaseError) else Remedy.STOP


STORE_ERRORS: Final = (ClickHouseError, AttributeError, TypeError, ValueError, OverflowError)
"""Everything an insert may raise: the driver encodes rows without classes of its own."""


def open_client(sink: Sink, *, is_made: bool = True) -> Client:
    """Connect to what `sink.url` names: chdb://PATH[?database=NAME], clickhouse://…/NAME, clickhouses://.

    While the database is not made yet (`is_made`), no other one is entered: the user may have no right to.
    Raises ClickHouseError (remedy() tells what to do).
    """
    url = urlsplit(sink.url.get_secret_value())
    if url.scheme == "chdb":
        if find_spec("chdb") is None:
            raise NotSupportedError(
                "the embedded ClickHouse is not installed: pip install 'pulse-pipeline[embedded]', "
                "or set sink.url to the address of a server"
            )
        client = clickhouse_connect.get_client(
            interface="chdb",
            path=unquote(url.netloc + url.path),
            database=database_of(sink) if is_made else None,
            settings=dict(SETTINGS),
        )
    else:
        client = clickhouse_connect.get_client(
            host=url.hostname,
            port=url.port or _PORTS[url.scheme],
            username=unquote(url.username or "default"),
            password=unquote(url.password or ""),
            database=database_of(sink) if is_made else None,
            secure=url.scheme == "clickhouses",
            compress="lz4",
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=int(max(1, sink.insert_timeout_seconds)),
            autogenerate_session_id=False,
            dedicated_pool=True,
            client_name=f"pulse-sink/{version('pulse-pipeline')}",
            tz_mode="aware",
            tz_source="server",
            settings=dict(SETTINGS),
        )
    # Absolute rows need no deduplication, and its failures are silent: an insert that looks like an
    # earlier one would be dropped. The newer setting supersedes the older where the server knows it.
    if "deduplicate_insert" in client.server_settings:
        client.set_client_setting("deduplicate_insert", "disable")
    else:
        client.set_client_setting("insert_deduplicate", 0)
    return client


def database_of(sink: Sink) -> str:
    """The database `sink.url` names; `default` when it names none."""
    url = urlsplit(sink.url.get_secret_value())
    if url.scheme == "chdb":
        return parse_qs(url.query).get("database", ["default"])[0]
    return url.path.strip("/") or "default"


class Asker:
    """Questions of the pipeline's own, for one thread. Methods raise one of STORE_ERRORS."""

    def __init__(self, sink: Sink) -> None:
        self._client = open_client(sink)

    def gaming_flags(self) -> dict[tuple[str, str, str], int]:
        """Flagged days of the last seven by (tenant, queue, kind), 0 where judged and nothing found."""
        rows = self._client.query(
            "SELECT tenant, queue, kind, flags FROM gaming_flags_now",
            settings={"max_execution_time": ASK_SECONDS},
        ).result_rows
        return {(tenant, queue, kind): int(flags) for tenant, queue, kind, flags in rows}

    def close(self) -> None:
        self._client.close()


class MissingTableError(RuntimeError):
    """Tables, columns or engines are not as this version writes them; the message names the command."""


class Store:
    """Inserts for one thread. Column types are read once per table and again after `refresh`."""

    def __init__(self, sink: Sink) -> None:
        self._client = open_client(sink)
        self._types: dict[str, list[ClickHouseType]] = {}
        self._purged = 0

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Write rows of one table in one insert. Raises one of STORE_ERRORS; then the outcome is unknown."""
        context = InsertContext(
            table.name,
            table.columns,
            self._types_of(table),
            list(zip(*rows, strict=True)),
            column_oriented=True,
            column_formats=dict.fromkeys(table.instants, "int"),
        )
        self._client.insert(context=context)

    def refresh(self) -> None:
        """Forget the column types: the tables have changed under us."""
        self._types.clear()

    def check(self) -> None:
        """Compare tables, columns and engines with what this version relies on. Raises MissingTableError."""
        found = self._client.query(
            "SELECT table, name FROM system.columns WHERE database = currentDatabase()"
        ).result_rows
        present = {(table, column) for table, column in found}
        missing = [f"{t.name}.{c}" for t in TABLES for c in t.columns if (t.name, c) not in present]
        if missing:
            raise MissingTableError(f"ClickHouse lacks {', '.join(missing[:5])}: run `pulse migrate`")
        rows = self._client.query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase()"
        ).result_rows
        engines = {name: str(engine) for name, engine in rows}
        # Replicated… and Shared… end alike; anything else would keep every delivery as a row of its own.
        wrong = [t.name for t in TABLES if not engines[t.name].endswith("ReplacingMergeTree")]
        if wrong:
            raise MissingTableError(
                f"{', '.join(wrong)}: not a ReplacingMergeTree, rows would count twice."
                " Make the tables by `pulse migrate`"
            )

    def last_version(self, stream: str, epoch: int, partition: int) -> int | None:
        """The newest state-log offset whose buckets are stored; None when there are none."""
        sql = (
            "SELECT max(_ver), count() FROM buckets"
            " WHERE stream = {s:String} AND epoch = {e:UInt32} AND src_partition = {p:UInt16}"
        )
        given = {"s": stream, "e": epoch, "p": partition}
        version, count = self._client.query(sql, parameters=given).result_rows[0]
        return int(version) if count else None

    def heartbeats(self) -> dict[tuple[str, int], int]:
        """When the newest heartbeat of each (stream, source partition) was sent, ms, as a reader finds it."""
        sql = (
            "SELECT stream, src_partition, max(v[1]) FROM buckets"
            " WHERE family = {f:String} AND tenant = {t:String} GROUP BY stream, src_partition"
        )
        given = {"f": HEARTBEAT.name, "t": HEARTBEAT_TENANT}
        rows = self._client.query(sql, parameters=given).result_rows
        return {(str(stream), int(partition)): int(at) for stream, partition, at in rows}

    def purge(self) -> None:
        """Have the server remove what tables still hold of entities erased since the last purge, or
        since ever; it does so in the background. Views hide it already.
        """
        erased = int(self._client.query("SELECT count() FROM erasures FINAL").result_rows[0][0])
        if erased == self._purged:
            return
        self._delete(
            "raw_events",
            "type != concat('pulse.', stream, '.deleted') AND (tenant, stream, entity) IN"
            " (SELECT tenant, stream, entity FROM erasures)",
        )
        for table, stream, entity in OF_ENTITIES:
            self._delete(
                table,
                f"deleted = 0 AND (tenant, {entity}) IN"  # noqa: S608 - constants of tables.py
                f" (SELECT tenant, entity FROM erasures WHERE stream = '{stream}')",
            )
        self._purged = erased

    def _delete(self, table: str, where: str) -> None:
        # Deleted rows (deleted = 1) stay: a late older row would revive the entity.
        statement = f"DELETE FROM {table} WHERE {where}"  # noqa: S608 - constants of this module
        self._client.command(statement, settings={"lightweight_deletes_sync": 0})

    def close(self) -> None:
        self._client.close()

    def _types_of(self, table: Table) -> Sequence[ClickHouseType]:
        types = self._types.get(table.name)
        if types is None:
            context: Any = self._client.create_insert_context(table.name, table.columns)
            types = self._types[table.name] = list(context.column_types)
        return types
