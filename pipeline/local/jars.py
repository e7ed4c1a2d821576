"""The jars of the local broker: resolved once by Maven, then kept in the user's cache for every clone.

`python -m pipeline.local.jars` fetches them ahead of time.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.share import shared_file

FETCH_SECONDS = 900
OLDEST_JAVA = 17
INSTEAD = "or set PULSE_KAFKA__BOOTSTRAP to use a Kafka of your own"

Say = Callable[[str], None]


class LocalKafkaError(Exception):
    """The local broker cannot be used; the text says what to install or to set."""


def java() -> str:
    """The path of a Java that can run the broker."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    advice = (
        f"Install Java {OLDEST_JAVA} or newer (Debian: apt-get install openjdk-17-jre-headless), {INSTEAD}."
    )
    if found is None:
        raise LocalKafkaError(f"The local Kafka needs Java, and there is none on the PATH. {advice}")
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False, timeout=60)
    version = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise LocalKafkaError(f"{found} is too old for the local Kafka. {advice}")
    return found


def ensure_jars(say: Say) -> Path:
    """The folder of the jars, fetched if this is the first time. `say` gets one line before a download."""
    pom = shared_file("deploy/kafka/pom.xml")
    target = _cache() / f"kafka-jars-{_version(pom)}"
    if target.is_dir():
        return target
    say(f"Fetching the jars of the local Kafka {_version(pom)}: about 43 MB, once, into {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        jars = Path(work) / "jars"
        _fetch(pom, jars)
        try:
            jars.rename(target)  # whole or not at all, also with two of us at once
        except OSError:
            if not target.is_dir():
                raise
    return target


def _fetch(pom: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalKafkaError(
            f"The jars of the local Kafka are fetched by Maven, and there is no mvn on the PATH. "
            f"Install it (Debian: apt-get install maven), {INSTEAD}."
        )
    copy = "dependency:copy-dependencies"
    run = [maven, "--batch-mode", "--quiet", "--file", str(pom), copy, f"-DoutputDirectory={jars}"]
    try:
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise LocalKafkaError(f"Maven needed more than {FETCH_SECONDS} s: try again, {INSTEAD}.") from None
    if done.returncode != 0 or not any(jars.glob("*.jar")):
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise LocalKafkaError(f"Maven could not fetch the jars of the local Kafka:\n{tail}")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulse"


def _version(pom: Path) -> str:
    """Kafka's version and what the pom says beside it, so that a changed pom is fetched anew."""
    text = pom.read_text(encoding="utf-8")
    named = re.search(r"<kafka\.version>([^<]+)<", text)
    return f"{named[1] if named else 'unknown'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


if __name__ == "__main__":
    try:
        ensure_jars(lambda line: print(line, flush=True))  # noqa: T201 - a command of its own
    except LocalKafkaError as error:
        sys.exit(str(error))
