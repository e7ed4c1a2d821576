"""Every SQL panel over a known story on the real engine: it shows what was worked by hand, and no word of its query
could be another without a row of that being another.
"""

import math
import re
from collections.abc import Iterator
from itertools import accumulate, groupby
from typing import Any, NamedTuple

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.settings import Sink
from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import Store, open_client
from pipeline.sink.migrate import keep_forever, migrate
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS
from pipeline.sink.writer import Writer
from pipeline.state.kinds import KINDS
from tests.deploy.macros import expanded
from tests.deploy.panel_rows import SHOWN
from tests.deploy.panel_story import CHOSEN, DECLARED, SINCE, UNTIL, story, written
from tests.deploy.sql_mutants import mutants
from tests.deploy.test_dashboards import PANELS, Shown
from tests.sink.told import log_of, rows_of

SQL_PANELS = [shown for shown in PANELS if shown.queries]
each_panel = pytest.mark.parametrize("shown", SQL_PANELS, ids=lambda shown: shown.name)
EQUIVALENT = (
    # Only one metric has a definition of that name, and it is counted by entry alone.
    "WHERE: [metric = 'asa_queue' → ]",
    "WHERE: [metric = 'service_level' → ]",
    "WHERE: [counted_by = 'enqueue' → ]",
)


class Engine(NamedTuple):
    """`kept`: what a view answered, by how it was asked, so that only those asked otherwise are asked again."""

    client: Any
    kept: dict[str, str]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        for name, value in CHOSEN.items():
            query = query.replace(name, value)
        query = expanded(query, SINCE, UNTIL)
        source = source_of(query)
        if source in self.kept:
            query = query.replace(f" FROM {source}", f" FROM {self.kept[source]}")
        return [tuple(row) for row in self.client.query(query).result_rows]

    def keep(self, query: str) -> None:
        source = source_of(expanded(query, SINCE, UNTIL))
        if source not in self.kept:
            name = f"kept_{len(self.kept)}"
            self.client.command(f"CREATE TABLE {name} ENGINE = Memory AS SELECT * FROM {source}")
            self.kept[source] = name


def source_of(query: str) -> str:
    """The view a query reads, with its arguments."""
    start = query.index(" FROM ") + len(" FROM ")
    end = start + len(re.match(r"\w*", query[start:])[0])
    if query[end : end + 1] == "(":
        depths = accumulate((each == "(") - (each == ")") for each in query[end:])
        end += next((place for place, depth in enumerate(depths, 1) if not depth), 0)
    return query[start:end]


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    """The whole story, every batch of it written twice: a table holds both, a view shows it once."""
    settings = Sink(url=f"chdb://{tmp_path_factory.mktemp('clickhouse')}/db?database=pulse")
    migrate(settings)
    keep_forever(settings)
    store = Store(settings)
    store.insert(DEFINITIONS, [declaration(DECLARED, 1)])
    told = story()
    rows = written()
    for stream in KINDS:
        mine = [said for said in told if said["type"].split(".")[1] == stream]
        rows += rows_of(log_of([mine], stream=stream, definitions=DECLARED), definitions=DECLARED)
    for _ in range(2):
        batch = Batch()
        batch.add(("story", 0), rows, 1)
        Writer(store, pytest.fail, pytest.fail, pytest.fail).write(batch)
    client = open_client(settings)
    yield Engine(client, {})
    client.close()
    store.close()


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def in_order(shown: Shown, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """As the panel takes them: a graph sorts nothing but what has one time, a table nothing at all."""
    if shown.panel["type"] == "table":
        return rows
    return [row for _, told in groupby(rows, lambda row: row[0]) for row in sorted(told, key=str)]


def is_as_worked(engine: Engine, shown: Shown, query: str) -> bool:
    """What it shows, and that it ends where its description says."""
    said = re.search(r"At most (\d+)", shown.panel["description"])
    limit = re.search(r"LIMIT (\d+)$", query)
    if (said and said[1]) != (limit and limit[1]):
        return False
    return is_same(in_order(shown, engine.rows(query)), SHOWN[shown.name])


def test_every_sql_panel_is_worked_by_hand():
    assert {shown.name for shown in SQL_PANELS} == SHOWN.keys()
    assert all(len(shown.queries) == 1 for shown in SQL_PANELS)


@each_panel
def test_a_panel_shows_what_was_worked_by_hand(engine, shown):
    assert is_as_worked(engine, shown, shown.queries[0]), engine.rows(shown.queries[0])


@each_panel
def test_no_mutant_of_a_query_shows_the_same(engine, shown):
    (query,) = shown.queries
    engine.keep(query)
    assert is_as_worked(engine, shown, query)
    found = [each for each in mutants(query) if each.what not in EQUIVALENT]
    alive = [each.what for each in found if not is_noticed(engine, shown, each.query)]
    print(f"{len(found)} mutants")
    assert not alive, "\n".join(alive)


def is_noticed(engine: Engine, shown: Shown, query: str) -> bool:
    try:
        return not is_as_worked(engine, shown, query)
    except ClickHouseError:
        return True
