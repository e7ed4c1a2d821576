"""What every kind of test may need: nothing here is started before a test asks for it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from pipeline.core import CORE, VARIABLE
from pipeline.settings import Kafka

if TYPE_CHECKING:
    from selenium import webdriver

pytest.register_assert_rewrite("tests.runtime")
ROOT = Path(__file__).parent.parent
BROWSER_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# A busy machine is no counterexample. HYPOTHESIS_PROFILE=ci tries the same examples every time.
settings.register_profile("pulse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("pulse"), derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "pulse"))


def pytest_report_header() -> str:
    return str(CORE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the chaos tests for minutes, not seconds")
    parser.addoption("--seed", type=int, default=1, help="seed of the chaos tests' plan")


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own PULSE_ variables must not change what a test means; PULSE_CORE changes no number."""
    for name in list(os.environ):
        if name.startswith("PULSE_") and not name.startswith(("PULSE_TEST_", VARIABLE)):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Settings of one real broker for the whole session; PULSE_TEST_BOOTSTRAP names another one to use."""
    if given := os.environ.get("PULSE_TEST_BOOTSTRAP"):
        yield Kafka(bootstrap=given)
        return
    from pipeline.local.kafka import LocalKafka

    with LocalKafka(tmp_path_factory.mktemp("kafka"), say=print) as broker:
        yield Kafka(bootstrap=broker.bootstrap)


@pytest.fixture
def own_kafka(kafka: Kafka) -> Kafka:
    """The session's broker with a topic prefix and a group that no other test uses."""
    name = f"t{uuid4().hex[:10]}"
    return kafka.model_copy(update={"topic_prefix": name, "group": name})


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["webdriver.Chrome"]:
    """A headless Chromium from the system's packages."""
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "chromium is missing: run `make parts`"
    assert driver, "chromedriver is missing: run `make parts`"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    found.set_page_load_timeout(20)
    yield found
    found.quit()
