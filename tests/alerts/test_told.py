"""A real Alertmanager with the committed routes: who is told, what stands in it, and what holds a page back."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import pytest
import yaml

from tests.alerts.rules import ALERTMANAGER, ALERTS, read
from tests.deploy.rig import process
from tests.deploy.test_health_checks import free_ports

OF_RULE = {rule.name: rule.told for rule in ALERTS}


class Told(NamedTuple):
    """An Alertmanager and what it has posted, by path: `/page` as to PagerDuty, `/ticket` as to Slack."""

    url: str
    posted: list[tuple[str, dict[str, Any]]]

    def fire(self, name: str, **labels: str) -> None:
        """As Prometheus would: labels and annotations of the rule, templates left as they stand."""
        rule = OF_RULE[name]
        alert = {
            "labels": {"alertname": name, **rule["labels"], **labels},
            "annotations": rule["annotations"],
        }
        body = json.dumps([alert]).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    def is_held_back(self, name: str, **labels: str) -> bool:
        """Whether another alert that fires silences this one."""
        matchers = {"alertname": name, **labels}
        query = urllib.parse.urlencode([("filter", f'{key}="{value}"') for key, value in matchers.items()])
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=5) as answer:
            (alert,) = json.load(answer)
        return bool(alert["status"]["inhibitedBy"])


@pytest.fixture
def alertmanager(tmp_path) -> Iterator[Told]:
    """As committed; addresses, keys and business hours apart."""
    posted: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.append((self.path, body))
            self.send_response(202 if self.path == "/page" else 200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    told = read(ALERTMANAGER)
    for route in told["route"]["routes"]:
        route.pop("active_time_intervals", None)
        route["group_wait"] = "0s"
    for name, text in (("key", "key"), ("slack", f"{here}/ticket")):
        (tmp_path / name).write_text(text)
    page, ticket, watchdog = told["receivers"]
    page["pagerduty_configs"][0] |= {"url": f"{here}/page", "routing_key_file": str(tmp_path / "key")}
    ticket["slack_configs"][0]["api_url_file"] = str(tmp_path / "slack")
    watchdog["webhook_configs"][0] |= {"url": f"{here}/watchdog", "http_config": {}}
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(told))
    (port,) = free_ports(1)
    command = [
        "prometheus-alertmanager", f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with process(command, tmp_path / "log", {}, tmp_path):
        found = Told(f"http://127.0.0.1:{port}", posted)
        _until(lambda: urllib.request.urlopen(f"{found.url}/-/ready", timeout=5).close() is None)
        yield found
    server.shutdown()
    server.server_close()


def _until(holds: Any) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if found := holds():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("not in time")


def test_a_page_names_the_runbook_and_links_the_dashboard(alertmanager):
    alertmanager.fire("SupportOldestWaiting", tenant="acme", queue="vip")
    event = _until(lambda: [body for path, body in alertmanager.posted if path == "/page"])[0]
    links = {link["text"]: link["href"] for link in event["links"]}
    assert links["dashboard"] == "http://127.0.0.1:3000/d/support-live"
    assert links["runbook"] == "docs/operations.md#supportoldestwaiting"
    assert event["routing_key"] == "key"


def test_a_ticket_says_the_same_in_one_line(alertmanager):
    alertmanager.fire("SuccessChurnHigh", tenant="acme")
    message = _until(lambda: [body for path, body in alertmanager.posted if path == "/ticket"])[0]
    (attachment,) = message["attachments"]
    assert "<http://127.0.0.1:3000/d/success|dashboard>" in attachment["text"]
    assert "docs/operations.md#successchurnhigh" in attachment["text"]


SLOW = ("SupportOldestWaiting", {"tenant": "acme", "queue": "vip"})


@pytest.mark.parametrize(
    ("cause", "labels", "is_held"),
    [
        ("PulseStale", {"topic": "pulse.call", "partition": "3"}, True),
        ("PulseNotReported", {}, True),
        ("PulseDown", {"role": "board"}, True),
        ("PulseDown", {"role": "aggregate"}, True),
        # ClickHouse is not on the way of live numbers.
        ("PulseDown", {"role": "sink"}, False),
        ("PulseSinkBehind", {"topic": "pulse.call", "partition": "3"}, False),
    ],
)
def test_numbers_that_do_not_get_through_page_as_that_and_not_as_slow_answers(
    alertmanager, cause, labels, is_held
):
    name, where = SLOW
    alertmanager.fire(cause, **labels)
    alertmanager.fire(name, **where)
    if is_held:
        _until(lambda: alertmanager.is_held_back(name, **where))
    else:
        _until(lambda: len([path for path, _ in alertmanager.posted if path == "/page"]) == 2)
        assert not alertmanager.is_held_back(name, **where)


def test_a_page_on_a_queue_holds_back_the_tickets_of_that_queue_alone(alertmanager):
    alertmanager.fire("SupportServiceLevelBurn", tenant="acme", queue="vip")
    for queue in ("vip", "sales"):
        alertmanager.fire("SupportServiceLevelSlowBurn", tenant="acme", queue=queue)
    alertmanager.fire("SuccessChurnHigh", tenant="acme")
    _until(lambda: alertmanager.is_held_back("SupportServiceLevelSlowBurn", queue="vip"))
    assert not alertmanager.is_held_back("SupportServiceLevelSlowBurn", queue="sales")
    assert not alertmanager.is_held_back("SuccessChurnHigh", tenant="acme")
