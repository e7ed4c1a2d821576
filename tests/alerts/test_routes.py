"""Who hears of what: every alert that exists, with labels as the rules give them, through the real routing."""

import re
from typing import Any

import pytest
import yaml

from tests.alerts.rules import ALERTMANAGER, ALERTS, read, run

CONFIG: dict[str, Any] = read(ALERTMANAGER)
HEARD_BY = {"page": "page", "ticket": "ticket", "none": "watchdog"}


def route(*labels: str) -> str:
    told = run("amtool", "config", "routes", "test", "--config.file", ALERTMANAGER, *labels)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_alertmanager_takes_the_configuration():
    checked = run("amtool", "check-config", ALERTMANAGER)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_an_alert_goes_to_whom_its_severity_names(rule):
    severity = rule.told["labels"]["severity"]
    assert (
        route(f"alertname={rule.name}", f"severity={severity}", "tenant=acme", "queue=vip")
        == HEARD_BY[severity]
    )


def test_an_alert_without_a_severity_is_heard_as_a_page():
    assert route("alertname=Forgotten") == "page"


def test_a_second_queue_is_a_second_notification():
    assert CONFIG["route"]["group_by"] == ["alertname", "tenant", "queue"]
    assert not [each for each in CONFIG["route"]["routes"] if "group_by" in each]


def test_pages_wait_for_nobody_and_the_watchdog_barks_within_a_minute():
    watchdog, page, ticket = CONFIG["route"]["routes"]
    assert CONFIG["route"]["group_wait"] == "1s"
    assert "group_wait" not in page
    assert "active_time_intervals" not in page
    assert ticket["active_time_intervals"] == ["business"]
    assert watchdog["group_wait"] == "0s"
    assert (watchdog["group_interval"], watchdog["repeat_interval"]) == ("10s", "50s")


def test_every_alert_named_by_an_inhibition_exists():
    names = {rule.name for rule in ALERTS}
    for each in CONFIG["inhibit_rules"]:
        for matcher in (*each["source_matchers"], *each["target_matchers"]):
            label, operator, value = re.fullmatch(r"(\w+) (=~|!=|=) (.+)", matcher).groups()
            if label == "alertname":
                assert value in names if operator == "=" else any(re.fullmatch(value, name) for name in names)


def test_no_secret_stands_in_the_file():
    told = yaml.safe_dump(CONFIG["receivers"])
    secret = re.compile(r"^\s*-?\s*(\w*(?:key|password|token|secret|api_url|credentials)\w*):", re.MULTILINE)
    found = secret.findall(told)
    assert found
    assert [name for name in found if not name.endswith("_file")] == []
