"""The rows of every accepted example, as text. `python -m tests.unit.sink.golden_rows` writes them anew:
then read the difference.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.metrics.families import FAMILIES
from pipeline.sink.event_rows import source_rows
from pipeline.sink.rows import Rows
from pipeline.sink.tables import BUCKETS, RAW_EVENTS, REVISIONS
from tests.sink.told import log_of, rows_of, source_record

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "schemas/examples/call"
GOLDEN = Path(__file__).with_suffix(".json")


def accepted() -> list[Path]:
    return sorted(EXAMPLES.glob("*.json"))


def rows_of_example(path: Path) -> list[dict[str, Any]]:
    """What the sink writes of the event, and of the state after it; columns that say something."""
    raw = path.read_bytes()
    rows: Rows = source_rows(source_record(raw, 7), "call")
    rows += rows_of(log_of([[json.loads(raw)]]))
    return [_said(table, row) for table, row in sorted(rows, key=_place)]


def _place(pair: Any) -> tuple[str, str]:
    table, row = pair
    return table.name, json.dumps(row, default=repr)


def _said(table: Any, row: Any) -> dict[str, Any]:
    said = dict(zip(table.columns, row, strict=True))
    if table is RAW_EVENTS:
        said["payload"] = f"{len(said['payload'])} bytes"
    if table in (BUCKETS, REVISIONS):
        said["v"] = _cells(said)
        del said["v_format"]
    return {"table": table.name} | {name: value for name, value in said.items() if value not in (None, "", 0)}


def _cells(said: dict[str, Any]) -> str:
    if said["grain"] == "level":
        return str(said["v"])
    counters = FAMILIES[said["family"]].counters
    bins = [f"bin {place}" for place in range(len(said["v"]) - len(counters))]
    named = zip([*counters, *bins], said["v"], strict=True)
    return ", ".join(f"{name} {value}" for name, value in named if value)


def text() -> str:
    """One row per line, so that a change shows as the row it is."""
    examples = []
    for path in accepted():
        rows = [json.dumps(row, ensure_ascii=False) for row in rows_of_example(path)]
        examples.append(f"{json.dumps(path.stem)}: [\n  " + ",\n  ".join(rows) + "\n ]")
    return "{\n " + ",\n ".join(examples) + "\n}\n"


if __name__ == "__main__":
    GOLDEN.write_text(text(), encoding="utf-8")
