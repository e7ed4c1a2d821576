"""The users of deploy/compose/clickhouse/users.xml, as the real engine takes them: what each may do, and what not.

The embedded engine reads the same file, but knows one user, `default`: each is tried under that name, without its
password. It does not know the constraint of `max_execution_time`, which is left out.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.test_dashboard_queries import QUERIES, of_late

USERS = (ROOT / "deploy/compose/clickhouse/users.xml").read_text(encoding="utf-8")
CONFIG = "<clickhouse><users_config>{0}</users_config></clickhouse>"
ASK = """
import json, sys
import chdb
opened = chdb.connect(sys.argv[1])
opened.query("USE pulse")
said = []
for query in json.load(sys.stdin):
    try:
        said.append(opened.query(query, "CSV").bytes().decode().strip())
    except Exception as error:
        said.append(f"refused: {error}")
print(json.dumps(said))
"""
Asked = Callable[[str, Sequence[str]], list[str]]


def user_alone(name: str) -> str:
    """The file with one user, who is let in as the embedded engine's own."""
    told = re.search(rf"<{name}>(.+?)</{name}>", USERS, re.DOTALL)
    profiles = re.search(r"<profiles>(.+?)</profiles>", USERS, re.DOTALL)
    assert told
    assert profiles
    user = re.sub(r"<password [^>]*/>", "<password/>", told[1])
    limits = re.sub(r"<constraints>.*?</constraints>", "", profiles[1], flags=re.DOTALL)
    return (
        f"<clickhouse><users><default>{user}</default></users>"
        f"<profiles><default/>{limits}</profiles><quotas><default/></quotas></clickhouse>"
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A working directory of each user: the engine takes its configuration from there."""
    found = {}
    for name in ("pulse", "grafana"):
        folder = found[name] = tmp_path_factory.mktemp(name)
        (folder / "users.xml").write_text(user_alone(name))
        (folder / "config.xml").write_text(CONFIG.format(folder / "users.xml"))
    return found


@pytest.fixture(scope="module")
def migrated(folders, tmp_path_factory) -> Path:
    """The database that `pulse migrate` makes with no more rights than the user `pulse` has."""
    data = tmp_path_factory.mktemp("clickhouse") / "data"
    environment = os.environ | {"PULSE_SINK__URL": f"chdb://{data}?database=pulse", "PYTHONPATH": str(ROOT)}
    migrate = [sys.executable, "-m", "pipeline", "migrate"]
    done = subprocess.run(
        migrate, cwd=folders["pulse"], env=environment, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return data


@pytest.fixture(scope="module")
def asked(folders, migrated) -> Asked:
    """What each query answers to a user, or that it is refused and why."""

    def ask(user: str, queries: Sequence[str]) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", ASK, migrated], input=json.dumps(queries), cwd=folders[user],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said: list[str] = json.loads(done.stdout)
        return said

    return ask


def test_grafana_is_answered_every_question_of_every_panel(asked):
    said = asked("grafana", [of_late(query, time.time()) for _, _, query in QUERIES])
    told = zip(QUERIES, said, strict=True)
    assert {name: answer for (name, _, _), answer in told if answer.startswith("refused")} == {}


REFUSED = {
    "INSERT INTO legs (tenant) VALUES ('t')": "READONLY|ACCESS_DENIED",
    "DROP TABLE legs": "READONLY|ACCESS_DENIED",
    "ALTER TABLE legs DELETE WHERE 1": "READONLY|ACCESS_DENIED",
    "TRUNCATE TABLE legs": "READONLY|ACCESS_DENIED",
    "CREATE TABLE more (a Int32) ENGINE = Memory": "READONLY|ACCESS_DENIED",
    "SET readonly = 0": "READONLY",
    "SET max_memory_usage = 0": "READONLY",
    "SELECT * FROM system.users": "ACCESS_DENIED",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')": "ACCESS_DENIED",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')": "ACCESS_DENIED",
    "SELECT * FROM numbers(200000)": "TOO_MANY_ROWS",
}


def test_grafana_can_neither_write_nor_look_elsewhere_nor_lift_its_limits(asked):
    said = asked("grafana", [*REFUSED])
    for (query, why), answer in zip(REFUSED.items(), said, strict=True):
        assert re.match(rf"refused: .*({why})", answer, re.DOTALL), f"{query}: {answer[:200]}"


def test_pulse_writes_its_own_database_and_no_other(asked):
    made, written, elsewhere, users = asked(
        "pulse",
        [
            "CREATE TABLE IF NOT EXISTS tried (a Int32) ENGINE = MergeTree ORDER BY a",
            "INSERT INTO tried VALUES (1)",
            "CREATE DATABASE other",
            "CREATE USER somebody",
        ],
    )
    assert (made, written) == ("", "")
    assert "ACCESS_DENIED" in elsewhere
    assert "ACCESS_DENIED" in users


def test_there_are_these_two_users_with_passwords_and_nobody_else():
    users = re.search(r"<users>(.+?)</users>", USERS, re.DOTALL)
    assert users
    assert re.findall(r"^    <(\w+)", users[1], re.MULTILINE) == ["default", "pulse", "grafana"]
    assert '<default remove="remove"/>' in users[1]
    assert len(re.findall(r'<password from_env="\w+"/>', users[1])) == 2
