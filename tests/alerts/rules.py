"""The files of deploy/ that the tests of this folder are about, and the programs that judge them."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


class Rule(NamedTuple):
    """One rule, the group it is evaluated in, and the file it stands in."""

    file: Path
    group: dict[str, Any]
    told: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.told.get("alert") or self.told["record"])

    @property
    def is_alert(self) -> bool:
        return "alert" in self.told


@cache
def _parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read(path: Path) -> Any:
    """A fresh copy each time: some tests change what they read."""
    return deepcopy(_parsed(path))


def rules() -> Iterator[Rule]:
    for file in RULE_FILES:
        for group in read(file)["groups"]:
            yield from (Rule(file, group, told) for told in group["rules"])


RULES = list(rules())
ALERTS = [rule for rule in RULES if rule.is_alert]


def run(program: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program of Prometheus or Alertmanager, with what it says."""
    found = shutil.which(program)
    assert found, f"{program} is missing: run `make parts`"
    command = [found, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


def verdicts(test_files: Sequence[Path]) -> dict[Path, bool]:
    """Whether each file's tests passed, all of them in one call of promtool."""
    told = run("promtool", "test", "rules", *test_files).stdout
    parts = dict(part.split("\n", 1) for part in told.split("Unit Testing:  ")[1:])
    assert list(parts) == [str(file) for file in test_files], told
    return {Path(name): verdict.strip() == "SUCCESS" for name, verdict in parts.items()}
