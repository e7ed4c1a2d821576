"""Compiled, the core says the same of every record, and writes the same bytes for it.

The cases, and a business and a call centre of seven streams, told well and spoiled.
"""

import base64
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from pipeline.events.instants import instant_ms
from pipeline.events.rejects import Reason
from pipeline.sources.business.params import DAY_MS, Business, Gaming, Links
from pipeline.sources.business.world import STREAMS
from pipeline.sources.centre import CallCentre, Chaos
from pipeline.sources.everything import simulate_all
from pipeline.sources.files import read_case
from pipeline.sources.simulate import encode

ROOT = Path(__file__).parents[2]
START_MS = 1_772_442_000_000
DAYS = 60
SEEDS = (1, 2)
STRANGE = [None, True, 0, -1, 1 << 70, 0.5, "", "x" * 300, "\ud800", "2026-02-30T00:00:00Z", [], {}, ["a"]]
"""What stands where a field should."""


def cases() -> Iterator[tuple[str, str, int, bytes]]:
    for path in sorted((ROOT / "tests/cases").glob("*.json")):
        for event in read_case(path)["events"]:
            yield (
                path.stem,
                event["type"].split(".")[1],
                instant_ms(event["time"]),
                json.dumps(event).encode(),
            )


def simulated(seed: int) -> Iterator[tuple[str, str, int, bytes]]:
    chaos = Chaos(duplicate_share=0.05, late_share=0.1, correction_share=0.05, void_share=0.05)
    business = Business(accounts=25, gaming=Gaming(first_day=20), links=Links(churn_per_month=0.2))
    end = START_MS + DAYS * DAY_MS
    records = simulate_all(
        business, CallCentre(rate=1, chaos=chaos), seed, START_MS, end - DAY_MS // 72, STREAMS
    )
    for record in takewhile(lambda record: record.deliver_at_ms < end, records):
        yield f"seed {seed}", record.stream, record.deliver_at_ms, encode(record.event)


def spoiled(records: list[tuple[str, str, int, bytes]], chance: random.Random):
    """A third of the records with a field made strange, a byte changed, an end missing; some come early."""
    for story, stream, appended, value in records:
        kind = chance.randrange(12)
        yield f"{story}, spoiled", stream, appended - (DAY_MS if kind == 4 else 0), spoil(value, kind, chance)


def spoil(value: bytes, kind: int, chance: random.Random) -> bytes:
    place = chance.randrange(len(value))
    if kind == 0:
        return value[:place] + bytes([chance.randrange(256)]) + value[place + 1 :]
    if kind == 1:
        return value[:place]
    if kind in (2, 3):
        event = json.loads(value)
        fields = event["data"] if kind == 2 else event
        fields[chance.choice(sorted([*fields, "id"]))] = chance.choice(STRANGE)
        return json.dumps(event).encode()
    return value


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The file of all records, and how many of each stream are in it."""
    records = list(cases())
    for seed in SEEDS:
        well = list(simulated(seed))
        records += [*well, *spoiled(well, random.Random(seed))]
    records.sort(key=lambda record: record[:2])
    path = tmp_path_factory.mktemp("compiled") / "records"
    lines = ([*where, base64.b64encode(value).decode()] for *where, value in records)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path, Counter(stream for _, stream, _, _ in records)


@pytest.fixture(scope="module")
def _build():
    """Of the sources as they stand. What is missing for it is a failure: tests/parts.sh installs it."""
    done = python("-m", "pipeline.local.compile", core="interpreted")
    _, error = done.communicate(timeout=300)
    assert done.returncode == 0, error


def python(*arguments: str | Path, core: str) -> subprocess.Popen[str]:
    env = os.environ | {"PULSE_CORE": core, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def said(told, _build) -> dict[str, list[str]]:
    """By core: its name, and what became of each batch."""
    path, _ = told
    runs = {
        core: python("-m", "tests.compiled.folding", path, core=core) for core in ("interpreted", "compiled")
    }
    found = {core: run.communicate(timeout=120) for core, run in runs.items()}
    assert [run.returncode for run in runs.values()] == [0, 0], found
    return {core: out.splitlines() for core, (out, _) in found.items()}


def test_every_batch_has_the_same_outcome_and_writes_the_same_bytes(said):
    (first, *interpreted), (second, *compiled) = said.values()
    assert (first, second) == ("interpreted", "compiled")
    assert [pair for pair in zip(interpreted, compiled, strict=True) if pair[0] != pair[1]][:1] == []


def test_every_stream_is_told_at_length_and_refused_for_every_reason(told, said):
    """Or the comparison would be of good weather only."""
    _, counts = told
    assert set(counts) == set(STREAMS)
    assert min(counts.values()) > 300
    assert len(said["interpreted"]) > sum(counts.values()) // 100
    missing = {reason for reason in Reason if f"<Reason.{reason.name}:" not in "".join(said["interpreted"])}
    assert missing == {Reason.TOO_LARGE}
