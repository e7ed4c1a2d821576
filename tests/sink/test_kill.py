"""A sink killed at random loses nothing and doubles nothing: kill -9 of a process with a real engine."""

import random
import subprocess
import sys
import time
from pathlib import Path

from pipeline.kafka.clients import Clients, running
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.settings import Settings
from pipeline.sink.clickhouse import open_client
from pipeline.sink.loop import Sink
from pipeline.sink.migrate import keep_forever, migrate
from tests.builders import UNDECLARED
from tests.sink.test_views import a_day
from tests.sink.told import log_of, rows_of

KILLS = 3
PROGRAM = """
import sys, time
from pipeline.metrics.definitions import declare
from pipeline.settings import Settings
from pipeline.sink.loop import Sink
sink = Sink(Settings.model_validate_json(sys.argv[1]), declare({}))
sink.start()
while sink.is_alive:
    time.sleep(0.05)
sys.exit(sink.failure)
"""


def as_json(settings):
    """With the address in full: settings show secrets masked."""
    url = settings.sink.url.get_secret_value()
    shown = settings.model_dump_json()
    return shown.replace(f'"{settings.sink.model_dump(mode="json")["url"]}"', f'"{url}"')


async def test_killed_at_random_it_ends_with_the_table_of_a_single_pass(own_kafka, tmp_path, request):
    settings = Settings(
        streams=("call",),
        kafka=own_kafka.model_dump(),
        worker={"session_timeout_seconds": 1, "heartbeat_interval_seconds": 0.3},
        sink={"url": f"chdb://{tmp_path}/db", "flush_seconds": 0.05, "flush_rows": 40},
    )
    clients = Clients(own_kafka)
    admin = clients.admin()
    create_missing(admin, declared_topics(own_kafka.topic_prefix, ["call"]), local=True)
    admin.close()
    migrate(settings.sink)
    keep_forever(settings.sink)
    rng = random.Random(request.config.getoption("--seed"))
    kills = 100 if request.config.getoption("--long") else KILLS
    events = a_day(11)
    log = log_of([events[first : first + 2] for first in range(0, len(events), 2)])
    topic = f"{own_kafka.topic_prefix}.call.state"
    last = await write_while_killing(clients, topic, log, kills, settings, rng)
    migrated = Settings.model_validate_json(as_json(settings))
    sink = Sink(migrated, UNDECLARED)
    sink.start()
    try:
        assert sink.wait_past(topic, 0, last, 30), sink.status
    finally:
        assert sink.stop()
    assert sink.failure is None
    compare(settings, log)


async def write_while_killing(clients, topic, log, kills, settings, rng):
    """Every part of the log in a transaction of its own; a sink is born and killed meanwhile."""
    size = -(-len(log) // (kills + 1))
    parts = [log[first : first + size] for first in range(0, len(log), size)]
    last = -1
    async with running(clients.aio_producer(transactional_id=f"{topic}-owner")) as producer:
        for number, part in enumerate(parts):
            process = None
            if number < kills:
                process = subprocess.Popen([sys.executable, "-c", PROGRAM, as_json(settings)], cwd=Path.cwd())
            for one in part:
                await producer.begin_transaction()
                sent = await producer.send(topic, one.value, partition=0, headers=one.headers)
                last = (await sent).offset
                await producer.commit_transaction()
            if process:
                time.sleep(rng.uniform(1.0, 2.2))
                process.kill()
                process.wait(10)
    return last


def compare(settings, log):
    """Newest rows by key: offsets differ from the told ones by the markers between."""
    newest = {}
    for table, row in rows_of(log):
        newest[table.name, table.name_of(row)] = row
    client = open_client(settings.sink)
    try:
        for name in ("legs", "contacts", "buckets"):
            expected = sum(1 for table, _ in newest if table == name)
            found = client.query(
                "SELECT count() FROM (SELECT * FROM {t:Identifier} FINAL)", parameters={"t": name}
            )
            gone = sum(1 for (table, _), row in newest.items() if table == name != "buckets" and row[-2] == 1)
            assert found.result_rows[0][0] == expected - gone > 0
        cells = sum(
            sum(row[8]) for (table, _), row in newest.items() if table == "buckets" and row[1] != "level"
        )
        assert (
            client.query("SELECT sum(arraySum(v)) FROM buckets FINAL WHERE grain != 'level'").result_rows[0][
                0
            ]
            == cells
        )
    finally:
        client.close()
