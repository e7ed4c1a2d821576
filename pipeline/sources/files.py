"""Events from NDJSON files, one per line, `-` is standard input; case files."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def lines_of(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Every non-empty line of the files, in order, with its place FILE:LINE. Raises OSError."""
    for path in paths:
        if str(path) == "-":
            yield from _placed("-", sys.stdin.buffer)
            continue
        with path.open("rb") as file:
            yield from _placed(str(path), file)


def _placed(name: str, file: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    for number, raw in enumerate(file, 1):
        if line := raw.strip():
            yield f"{name}:{number}", line


def read_case(path: Path) -> Any:
    """A case file as it stands, its `events_file` beside it read into `events`.

    Raises OSError, and ValueError that names the place of what is no JSON.
    """
    case = json.loads(path.read_bytes())
    if not isinstance(case, dict) or "events_file" not in case:
        return case
    if "events" in case:
        raise ValueError("a case has `events` or `events_file`, not both")
    events = []
    for place, line in lines_of([path.parent / str(case["events_file"])]):
        try:
            events.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return {**case, "events": events}
