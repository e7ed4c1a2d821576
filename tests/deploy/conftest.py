"""docker-compose.yml as Compose reads it, variables left as they stand; and a whole installation that runs."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.rig import Rig, installation


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def services(compose) -> dict[str, Any]:
    return compose["services"]


@pytest.fixture(scope="session")
def rig(kafka, tmp_path_factory) -> Rig:
    """One for all tests of this folder, and no longer: it would take its share of the machine from the others."""
    name = f"d{time.time_ns() % 10**9}"
    own = kafka.model_copy(update={"topic_prefix": name, "group": name})
    return _RUNNING.enter_context(installation(own, tmp_path_factory.mktemp("rig")))


_RUNNING = ExitStack()


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        _RUNNING.close()
