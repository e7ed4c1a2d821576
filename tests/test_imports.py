"""The import law: the folder listing is the architecture, and each outside library has one home."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each may import those to its left, and nothing else of ours.
CORE = ("events", "metrics", "entities", "state")
CORE_LIBRARIES = {"msgspec", "xxhash"}
# No clock, no I/O, no chance, no log in the core.
IMPURE = {
    "asyncio", "concurrent", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading",
    "time", "urllib",
}  # fmt: skip
HOMES = {
    "faust": ("runtime/",),
    "mode": ("runtime/",),
    "clickhouse_connect": ("sink/clickhouse.py", "sink/migrate.py"),
    "clickhouse_migrations": ("sink/migrate.py",),
    "chdb": ("sink/clickhouse.py", "sink/migrate.py"),
    "prometheus_client": ("board/", "telemetry.py"),
    "typer": ("cli.py", "cli/"),
}
KAFKA_LIBRARIES = {"aiokafka", "kafka"}
CLIENTS = ("Client", "Consumer", "Producer")
ROLES = {"runtime", "board", "sink", "sources"}
FOUNDATION = ("kafka/", "settings.py", "settings_problems.py", "share.py", "telemetry.py")
KNOWS_EVERYBODY = ("cli.py", "cli/", "local/stack.py", "__main__.py")


@dataclass(frozen=True)
class Import:
    """`name` is the module, `member` what is taken from it; `called` = the file calls that member."""

    name: str
    member: str
    line: int
    called: bool = False

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    @property
    def ours(self) -> str | None:
        """The folder or module directly below pipeline."""
        parts = f"{self.name}.{self.member}".split(".")
        return parts[1] if parts[0] == "pipeline" and len(parts) > 1 else None


def imports(source: str, file: str) -> Iterator[Import]:
    tree = ast.parse(source)
    called = {
        ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(tree) if isinstance(node, ast.Call)
    }
    package = ["pipeline", *file.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            near = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*near, *filter(None, [node.module])])
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, (alias.asname or alias.name) in called)


def violations(file: str, source: str) -> list[str]:
    """What `file` (its path below pipeline/) imports against the law."""
    found = list(imports(source, file))
    told = [f"{file}:{each.line} {wrong}" for each in found if (wrong := violation(file, each))]
    own = {file.partition("/")[0]} & ROLES
    roles = {each.ours for each in found if each.ours in ROLES} | own
    if len(roles) > 1 and not file.startswith(KNOWS_EVERYBODY):
        told.append(
            f"{file} knows the roles {', '.join(sorted(roles))}: only cli and local/stack may know several"
        )
    return told


def violation(file: str, each: Import) -> str | None:
    folder = file.partition("/")[0]
    if folder in CORE and (wrong := core_violation(folder, each)):
        return wrong
    if each.top in HOMES and not file.startswith(HOMES[each.top]):
        return f"imports {each.top}, whose home is {' and '.join(HOMES[each.top])}"
    if each.top in KAFKA_LIBRARIES and not may_name_kafka(file, each):
        return f"imports {each.name} {each.member}: Kafka clients are made in pipeline/kafka"
    if file.startswith(FOUNDATION) and each.ours in ROLES | {"local", "cli"}:
        return f"imports pipeline.{each.ours}, which builds on it"
    return None


def core_violation(folder: str, each: Import) -> str | None:
    if each.ours is not None:
        left = CORE[: CORE.index(folder) + 1]
        return None if each.ours in left else f"imports pipeline.{each.ours}; {folder} may import {left}"
    if each.top in IMPURE:
        return f"imports {each.top}: the core has no clock, no I/O, no chance and no log"
    if each.top not in CORE_LIBRARIES and each.top not in sys.stdlib_module_names:
        return f"imports {each.top}: the core has msgspec, xxhash and the standard library"
    return None


def may_name_kafka(file: str, each: Import) -> bool:
    """Types and errors may be named outside the core, so that functions can say what they take."""
    makes_a_client = each.called and each.member.endswith(CLIENTS)
    return file.startswith("kafka/") or (each.member != "" and not makes_a_client)


FILES = sorted(ROOT.glob("pipeline/**/*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_the_law_allows(path):
    file = path.relative_to(ROOT / "pipeline").as_posix()
    assert violations(file, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("events/call.py", "from pipeline.entities import contact"),
        ("metrics/asa.py", "import pipeline.state.partition"),
        ("metrics/asa.py", "from pipeline import settings"),
        ("metrics/asa.py", "from ..state import codec"),
        ("entities/contact.py", "import time"),
        ("entities/contact.py", "from os import path"),
        ("state/codec.py", "def f():\n    import random"),
        ("state/codec.py", "from pydantic import BaseModel"),
        ("state/codec.py", "import kafka"),
        ("board/fold.py", "import faust"),
        ("local/stack.py", "from mode import Service"),
        ("sink/loop.py", "import clickhouse_connect"),
        ("runtime/worker.py", "from prometheus_client import Counter"),
        ("sink/loop.py", "from kafka import KafkaConsumer\nconsumer = KafkaConsumer()"),
        ("runtime/worker.py", "from aiokafka import AIOKafkaProducer as P\nP()"),
        ("runtime/worker.py", "import aiokafka"),
        ("local/kafka.py", "from kafka.admin import KafkaAdminClient\nKafkaAdminClient()"),
        ("board/fold.py", "from pipeline.sink import rows"),
        ("verify.py", "from pipeline.sink import rows\nfrom pipeline.board import fold"),
        ("kafka/topics.py", "from pipeline.runtime import worker"),
        ("sources/simulate.py", "import typer"),
    ],
)
def test_the_law_bites(file, source):
    assert violations(file, source) != []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "state/partition.py",
            "from pipeline.entities import contact\nimport msgspec, xxhash, datetime, zoneinfo",
        ),
        ("metrics/asa.py", "from .buckets import Family\nfrom pipeline.events.envelope import Event"),
        (
            "runtime/worker.py",
            "import faust\nfrom aiokafka.errors import KafkaError\nimport pipeline.state.codec",
        ),
        (
            "sink/loop.py",
            "from kafka.structs import TopicPartition\nfrom pipeline.kafka.clients import Clients",
        ),
        ("board/fold.py", "from aiokafka import AIOKafkaConsumer\ndef fold(consumer: AIOKafkaConsumer): ..."),
        ("sink/migrate.py", "import clickhouse_connect, clickhouse_migrations"),
        ("local/stack.py", "from pipeline import board, sink, runtime, sources"),
        ("cli.py", "import typer\nfrom pipeline import board, sink, runtime, sources"),
    ],
)
def test_the_law_lets_pass_what_it_allows(file, source):
    assert violations(file, source) == []


def test_there_is_something_to_check():
    assert len(FILES) > 5
