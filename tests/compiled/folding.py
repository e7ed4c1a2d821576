"""`python -m tests.compiled.folding FILE`: fold the records of FILE, and print what became of each batch.

FILE holds one JSON array a line: story, stream, append time in ms, value in base64. Each story and stream is
a partition. The first line printed names the core, each further one a batch: its outcome, then the records of
its commit as a digest.
"""

import base64
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from pipeline.core import CORE
from pipeline.metrics.definitions import declare
from pipeline.state.partition import Partition
from pipeline.state.retention import Horizons
from pipeline.state.snapshot import Snapshot
from tests.builders import Record

BATCH = 100


def told(path: Path) -> Iterator[tuple[str, str, list[Record]]]:
    """The records of each story and stream, which stand together."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    for (story, stream), group in groupby(lines, key=lambda line: line[:2]):
        values = [(appended, base64.b64decode(value)) for _, _, appended, value in group]
        records = [Record(offset, value, appended) for offset, (appended, value) in enumerate(values)]
        yield story, stream, records


def fold(stream: str, records: list[Record]) -> Iterator[str]:
    partition, snapshot = Partition(declare({}), Horizons(), stream=stream), Snapshot()
    for first in range(0, len(records), BATCH):
        applied = partition.apply(records[first : first + BATCH])
        drafts = snapshot.draft(partition)
        snapshot.written(first)
        yield f"{applied} {sha256(repr(drafts).encode()).hexdigest()}"


if __name__ == "__main__":
    print(CORE.kind)
    for story, stream, records in told(Path(sys.argv[1])):
        for number, line in enumerate(fold(stream, records)):
            print(story, stream, number, line)
