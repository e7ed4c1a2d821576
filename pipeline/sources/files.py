"""Events from NDJSON files, one per line; `-` is standard input."""

import sys
from collections.abc import Iterator
from pathlib import Path


def lines_of(paths: list[Path]) -> Iterator[bytes]:
    """Every non-empty line of the files, in order. Raises OSError."""
    for path in paths:
        if str(path) == "-":
            yield from (line for raw in sys.stdin.buffer if (line := raw.strip()))
            continue
        with path.open("rb") as file:
            yield from (line for raw in file if (line := raw.strip()))
