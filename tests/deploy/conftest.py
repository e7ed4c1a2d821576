"""docker-compose.yml as Compose reads it, variables left as they stand."""

from typing import Any

import pytest
import yaml

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def services(compose) -> dict[str, Any]:
    return compose["services"]
