"""Events from NDJSON files, one per line; `-` is standard input."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


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
