"""Every example of docs/metrics.md and docs/metrics/ is run: replayed in any order, and asked of ClickHouse."""

import re

import pytest

from pipeline.metrics.catalogue import METRICS
from pipeline.replay.cases import check
from pipeline.settings import Sink
from pipeline.sink.batch import Batch
from pipeline.sink.clickhouse import Store, open_client
from pipeline.sink.migrate import keep_forever, migrate
from pipeline.sink.rows import declaration
from pipeline.sink.tables import DEFINITIONS, TABLES
from pipeline.sink.writer import Writer
from tests.pages import MIGRATIONS, ROOT, SCENARIOS, definitions_shown, scenarios, views, views_shown
from tests.sink.told import rows_of_streams

EXPECTED = [(each, told) for each in SCENARIOS for told in each.expected]
ASKED = [(each, asked) for each in SCENARIOS for asked in each.asked]
DEFINED = {(name, variant) for name, metric in METRICS.items() for variant in metric.variants}


def named(scenario, text):
    return f"{scenario.name}: {' '.join(text.split())[:60]}"


@pytest.mark.parametrize(
    ("scenario", "expected"), EXPECTED, ids=[named(each, told["metric"]) for each, told in EXPECTED]
)
def test_replay_gives_the_number_in_any_order_of_events(scenario, expected):
    verdicts = list(check(scenario.case(expected)))
    assert len(verdicts) == 6
    assert [verdict.fault for verdict in verdicts] == [""] * 6


def test_a_wrong_number_on_a_page_would_be_found():
    scenario, expected = EXPECTED[0]
    wrong = {**expected, "value": expected["value"] + 1}
    assert all(verdict.fault for verdict in check(scenario.case(wrong)))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    settings = Sink(url=f"chdb://{tmp_path_factory.mktemp('clickhouse')}/db?database=pulse")
    migrate(settings)
    # The days of the pages are past: the rules for old rows must not act on them.
    keep_forever(settings)
    opened, store = open_client(settings), Store(settings)
    yield opened, store
    store.close()
    opened.close()


@pytest.fixture(scope="module")
def ask(engine):
    """A question to the tables of a scenario, which are filled when it is another one than before."""
    client, store = engine
    told = []

    def asked(scenario, sql):
        if told[-1:] != [scenario.name]:
            for table in TABLES:
                client.command(f"TRUNCATE TABLE {table.name}")
            store.insert(DEFINITIONS, [declaration(scenario.definitions, 1)])
            batch = Batch()
            batch.add(("page", 0), rows_of_streams(scenario.commits, scenario.definitions), 1)
            Writer(store, pytest.fail, pytest.fail, pytest.fail).write(batch)
            told.append(scenario.name)
        result = client.query(sql)
        rows = [["NULL" if value is None else str(value) for value in row] for row in result.result_rows]
        return [list(result.column_names), *rows]

    return asked


@pytest.mark.parametrize(("scenario", "asked"), ASKED, ids=[named(each, asked.sql) for each, asked in ASKED])
def test_clickhouse_gives_the_answer(ask, scenario, asked):
    assert ask(scenario, asked.sql) == asked.answer


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_clickhouse_understands_what_other_pages_ask(ask, page):
    text = (ROOT / page).read_text(encoding="utf-8")
    asked = re.findall(r'pulse sql "(S[^"]+)"', text) + re.findall(
        r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    assert asked
    for query in asked:
        ask(SCENARIOS[0], query)


def test_every_view_has_a_worked_example():
    found = views(path.read_text(encoding="utf-8") for path in MIGRATIONS)
    assert len(found) > 100
    assert found - views_shown(SCENARIOS) == set()


def test_every_definition_of_every_metric_has_a_worked_example():
    assert DEFINED - definitions_shown(SCENARIOS) == set()


PAGE = """
```ndjson
{}
```
```json
{"metric": "churn", "definition": "daily_sum"}
{"metric": "service_level", "definition": {"X": 30}}
```
```sql
SELECT * FROM gone JOIN there ON 1 WHERE x IN (SELECT y FROM deep)
```
```text
a
1
```
```sql
SELECT * FROM empty
```
```text
a
```
"""


def test_what_a_page_does_not_show_is_told():
    told = list(scenarios("page", PAGE))
    assert views_shown(told) == {"gone", "there", "deep"}
    assert definitions_shown(told) == {("churn", "daily_sum"), ("service_level", "strict")}
    assert views(["CREATE VIEW IF NOT EXISTS a AS\nCREATE OR REPLACE VIEW b", "DROP VIEW IF EXISTS a;"]) == {
        "b"
    }


@pytest.mark.parametrize("page", ["```sql\nSELECT 1\n```\n", "```ndjson\n{}\n```\n```sql\nSELECT 1\n```\n"])
def test_a_question_without_events_or_answer_is_a_fault(page):
    with pytest.raises(AssertionError):
        list(scenarios("page", page))
