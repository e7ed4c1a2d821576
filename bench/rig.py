"""What the benches share: a broker and a process of their own, numbers with their noise, one JSON line."""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core import CORE
from pipeline.local.kafka import LocalKafka
from pipeline.settings import Kafka, Settings


@contextmanager
def broker() -> Iterator[Settings]:
    """Settings of a real broker on loopback, with data in a temporary folder."""
    with (
        TemporaryDirectory(prefix="pulse-bench-") as folder,
        LocalKafka(Path(folder), say=say) as kafka,
    ):
        yield Settings(kafka=Kafka(bootstrap=kafka.bootstrap, topic_prefix="bench", group="bench"))


def cores(options: argparse.ArgumentParser) -> None:
    """Which cores take turns within each round, on the same topics."""
    options.add_argument("--cores", nargs="+", choices=("interpreted", "compiled"), default=[CORE.kind])


def say(line: str) -> None:
    """Progress, kept apart from the JSON on standard output."""
    print(line, file=sys.stderr, flush=True)


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median, min and max: the machine's noise belongs to the number."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def report(bench: str, *, core: str = CORE.kind, **fields: Any) -> None:
    """One JSON line. `core`: how that of the measured process ran."""
    machine = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "load": round(os.getloadavg()[0], 2),
        "core": core,
    }
    print(json.dumps({"bench": bench, "machine": machine, **fields}), flush=True)


def child(script: str, env: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Run the other half of a bench in a process of its own and read the JSON it prints."""
    command = [sys.executable, script, "--child", *arguments]
    done = subprocess.run(command, env=os.environ | env, stdout=subprocess.PIPE, check=True, timeout=540)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cpu() -> float:
    """Seconds of all threads of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_mib() -> float:
    """At most, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
