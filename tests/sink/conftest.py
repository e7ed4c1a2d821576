"""A real engine per module, opened in this process and emptied before each test.

One process may hold one embedded path at a time, so a module lets go of its own at its end.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from pipeline.settings import Sink
from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import Store, open_client
from pipeline.sink.migrate import keep_forever, migrate
from pipeline.sink.rows import Rows
from pipeline.sink.tables import TABLES
from pipeline.sink.writer import Writer


class Engine(NamedTuple):
    """`query` answers rows as dictionaries."""

    settings: Sink
    client: Any

    def query(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return list(self.client.query(sql, parameters=parameters or None).named_results())

    def command(self, sql: str) -> None:
        self.client.command(sql)


@pytest.fixture(scope="module")
def _migrated(tmp_path_factory) -> Iterator[Engine]:
    settings = Sink(
        url=f"chdb://{tmp_path_factory.mktemp('clickhouse')}/db?database=pulse", flush_seconds=0.1
    )
    migrate(settings)
    # Cases are dated in the past: the rules for old rows must not act on them.
    keep_forever(settings)
    client = open_client(settings)
    yield Engine(settings, client)
    client.close()


@pytest.fixture
def engine(_migrated: Engine) -> Engine:
    for name in [*(table.name for table in TABLES), "epochs"]:
        _migrated.command(f"TRUNCATE TABLE {name}")
    return _migrated


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    opened = Store(engine.settings)
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store) -> Callable[[Rows], None]:
    """Rows into the tables, as one batch of the sink."""

    def wait(_seconds: float) -> None:
        raise AssertionError("nothing here is to be retried")

    def written(rows: Rows) -> None:
        batch = Batch()
        batch.add(("t", 0), rows, 1)
        Writer(store, wait, wait, lambda _kind, _error: None).write(batch)

    return written
