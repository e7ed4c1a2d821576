"""What /metrics says passes Prometheus' own linter, and a bad name would not."""

import shutil
import subprocess

import pytest

from tests.board.log import simulated
from tests.builders import T0


def promtool(text: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    assert found, "promtool comes with Prometheus: run `make parts`"
    command = [found, "check", "metrics"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)


async def test_the_linter_has_nothing_to_say(stage):
    stage.tell(simulated(T0 - 1_200_000, stage.now))
    stage.show()
    _, text, _ = await stage.get("/metrics")
    assert "support_asa_seconds{" in text
    checked = promtool(text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize("name", ["support_wait_sum", "support_wait_ms"])
def test_the_linter_would_find_a_bad_name(name):
    assert promtool(f"# HELP {name} Waits.\n# TYPE {name} gauge\n{name} 1\n").returncode == 3
