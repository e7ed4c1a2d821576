"""What an operator may meet is in the pages: metrics, reasons, exit codes, log events, readiness, commands."""

import ast
import re
from pathlib import Path

import pytest

from pipeline.board.collector import FAMILIES
from pipeline.board.exports import LEVELS, WINDOWED
from pipeline.board.server import Board
from pipeline.cli import app
from pipeline.cli.terms import EXIT_CODES, Exit
from pipeline.events.rejects import Reason
from pipeline.metrics.catalogue import METRICS
from pipeline.runtime.plumbing import Plumbing
from pipeline.settings import Settings
from pipeline.sink.gauges import SinkGauges
from pipeline.telemetry import Telemetry
from tests.builders import UNDECLARED

ROOT = Path(__file__).parents[2]
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("docs/metrics.md", "docs/operations.md", "README.md")
}
GROUP_PAGES = "".join(
    page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs/metrics").glob("*.md"))
)
METRICS_PAGE, OPERATIONS = PAGES["docs/metrics.md"], PAGES["docs/operations.md"]
CODE = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipeline").rglob("*.py"))}
LEVELS_THAT_MATTER = {"warning", "error", "exception"}
READINESS = (
    "the worker waits for Kafka",
    "the sink waits for Kafka",
    "no partition has been assigned and opened yet",
    "stays closed: ",
    "has not committed for ",
    "poison: ",
    "the sink is ",
    "the state logs have not been opened yet",
    "no partition of a state log is known yet",
    "Kafka cannot be read: ",
    "does not exist: create it with `pulse topics`",
    "is still being read, at log offset ",
    "has had no commit for ",
    "is refused: ",
    "stands still: ",
    "the event loop has not turned for ",
    "has ended: ",
)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_heading_or_stands_in_the_page_of_its_group(name):
    assert f"### `{name}`\n" in METRICS_PAGE or f"`{name}`" in GROUP_PAGES


def test_no_heading_is_of_a_metric_that_is_gone():
    assert set(re.findall(r"^### `(\w+)`$", METRICS_PAGE, re.MULTILINE)) <= set(METRICS)


@pytest.mark.parametrize("variant", sorted({v for m in METRICS.values() for v in m.variants} - {"default"}))
def test_every_definition_is_explained(variant):
    assert f"Definition `{variant}`" in METRICS_PAGE or f"`{variant}`" in GROUP_PAGES


@pytest.mark.parametrize("name", sorted({export.name for export in (*WINDOWED, *LEVELS)}))
def test_every_business_series_is_shown(name):
    assert name in METRICS_PAGE + GROUP_PAGES


@pytest.mark.parametrize(
    "reason", sorted(set(re.findall(r'return "(\w+)"', (ROOT / "pipeline/entities/stay.py").read_text())))
)
def test_every_contradiction_is_named(reason):
    assert f"`{reason}`" in METRICS_PAGE


async def plumbing_names() -> set[str]:
    """Every family of every role's own registry, without the suffix the library appends."""
    telemetry = Telemetry()
    settings = Settings(kafka={"bootstrap": "nowhere:1"})
    Plumbing(telemetry, settings.streams)
    SinkGauges(telemetry)
    Board(settings, UNDECLARED, telemetry)
    return {family.name for family in telemetry.registry.collect()}


async def test_every_metric_of_the_pipeline_is_listed():
    names = await plumbing_names() | {name for name in FAMILIES if name.startswith("pulse_")}
    listed = set(re.findall(r"`(pulse_\w+)", OPERATIONS))
    missing = {name for name in names if not {name, f"{name}_total"} & listed}
    assert missing == set()


async def test_no_metric_of_the_pipeline_is_listed_that_is_gone():
    plumbing = {"pulse_collector_errors", "pulse_collector_duration_seconds"}
    names = await plumbing_names() | set(FAMILIES) | plumbing
    listed = set(re.findall(r"`(pulse_\w+)", OPERATIONS))
    assert {name.removesuffix("_total") for name in listed} - {
        name.removesuffix("_total") for name in names
    } == set()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reject_reason_is_explained(reason):
    assert f"\n| `{reason}` | " in OPERATIONS


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_is_explained(code):
    assert f"\n| {int(code)} | " in OPERATIONS
    assert f"{int(code)} " in EXIT_CODES


def log_events() -> set[str]:
    """First argument of every warning, error and exception that is logged."""
    found = set()
    for text in CODE.values():
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            owner, first = node.func.value, node.args[0]
            if (
                isinstance(owner, ast.Name)
                and owner.id in {"log", "_log"}
                and node.func.attr in LEVELS_THAT_MATTER
            ):
                assert isinstance(first, ast.Constant), ast.unparse(node)
                found.add(first.value)
    return found


def test_every_log_event_that_matters_is_explained():
    events = log_events()
    assert len(events) > 20
    section = OPERATIONS[
        OPERATIONS.index("\n## Log events") : OPERATIONS.index("\n## Metrics of the pipeline")
    ]
    listed = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert listed == events


@pytest.mark.parametrize("reason", READINESS)
def test_every_reason_not_to_be_ready_is_explained(reason):
    assert any(reason in text for text in CODE.values()), "gone from the code"
    section = OPERATIONS[OPERATIONS.index("\n## `/readyz`") : OPERATIONS.index("\n## What may go wrong")]
    assert reason.strip() in section


@pytest.mark.parametrize(
    "name",
    [*(each.name or each.callback.__name__.replace("_", "-") for each in app.registered_commands), "dlq"],
)
def test_every_command_is_in_the_readme(name):
    assert f"pulse {name}" in PAGES["README.md"]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_links_between_pages_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        path = ((ROOT / name).parent / file).resolve() if file else ROOT / name
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, target
