"""What can be said of docker-compose.yml without an engine: it is valid, closed, pinned and complete."""

import copy
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import typer
import yaml

from pipeline.cli import app
from pipeline.settings import Settings
from tests.conftest import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("pulse-pipeline:")}
ONE_SHOT = {"topics", "migrate"}


def schema_check(path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_file_is_valid_by_the_compose_specification():
    checked = schema_check(ROOT / "docker-compose.yml")
    assert checked.returncode == 0, checked.stdout


def test_the_specification_would_find_a_misspelt_key(compose, tmp_path):
    spoiled = copy.deepcopy(compose)
    spoiled["services"]["board"]["health_check"] = spoiled["services"]["board"].pop("healthcheck")
    (tmp_path / "spoiled.yml").write_text(yaml.safe_dump(spoiled))
    assert schema_check(tmp_path / "spoiled.yml").returncode == 1


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_whole_version(name):
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)+", tag)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert not service["user"].startswith(("0", "root"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits_of_its_own(name):
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}


def test_no_port_is_open_beyond_this_machine():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) >= 4
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_variable_has_a_default_or_ends_the_start_with_a_word():
    variables = re.findall(r"\$\{(\w+)(:-|:\?|)", TEXT)
    assert len(variables) > 5
    assert [name for name, how in variables if not how] == []
    assert "$$" not in TEXT


def test_no_password_has_a_default():
    secret = [(name, how) for name, how in re.findall(r"\$\{(\w+)(:-|:\?)", TEXT) if "PASSWORD" in name]
    assert {name for name, _ in secret} == {
        "CLICKHOUSE_PULSE_PASSWORD",
        "CLICKHOUSE_GRAFANA_PASSWORD",
        "GRAFANA_ADMIN_PASSWORD",
    }
    assert {how for _, how in secret} == {":?"}
    for name, value in environment_of_all():
        if "PASSWORD" in name:
            assert value.startswith("${"), name


def environment_of_all():
    return [pair for service in SERVICES.values() for pair in service.get("environment", {}).items()]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_when_what_it_needs_is_really_there(name):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"], other
        else:
            assert how["condition"] == "service_completed_successfully"
            assert other in ONE_SHOT


@pytest.mark.parametrize("name", SERVICES)
def test_whoever_runs_on_is_watched_and_who_ends_is_not(name):
    service = SERVICES[name]
    check = service["healthcheck"]
    if name in ONE_SHOT | {"simulator"}:
        assert check == {"disable": True}
        return
    assert check["test"][0] == "CMD", "a shell would hide what fails before a pipe"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert service["restart"] == "unless-stopped"


def test_files_that_are_mounted_exist_and_are_not_written():
    mounted = [
        volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume[0] == "."
    ]
    assert len(mounted) > 5
    for volume in mounted:
        path, _, mode = volume.split(":")
        assert (ROOT / path).exists(), path
        assert mode == "ro"


def test_every_named_volume_is_declared_and_used(compose):
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if volume[0] != "."
    }
    assert used == set(compose["volumes"])


def test_nothing_simulated_runs_unless_the_demo_is_asked_for():
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"simulator"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_command_of_ours_is_one_that_pulse_has(name):
    command, *options = SERVICES[name]["command"]
    known = typer.main.get_command(app).commands[command]
    known.make_context(command, [*options])
    with pytest.raises(Exception, match="No such option"):
        known.make_context(command, [*options, "--misspelt"])


def test_the_demo_tells_all_streams_with_a_past_and_goes_on_when_started_again():
    options = SERVICES["simulator"]["command"]
    assert "--streams" not in options
    assert options[options.index("--history") + 1] == "60d"
    folder = SERVICES["simulator"]["volumes"][-1].partition(":")[2]
    assert options[options.index("--keep") + 1].startswith(f"{folder}/")
    assert f"--owner={SERVICES['simulator']['user'].partition(':')[0]}" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_settings_of_a_role_are_settings_of_pulse(name, monkeypatch):
    from pipeline.settings import load

    monkeypatch.setenv("CLICKHOUSE_PULSE_PASSWORD", "x")
    for key, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(key, re.sub(r"\$\{\w+:\?[^}]*\}", "x", value))
    settings = load()
    assert len(settings.streams) == 7
    assert settings.kafka.bootstrap == "kafka:9092"
    assert settings.kafka.group == Settings().kafka.group


def test_addresses_name_services_of_the_file():
    hosts = {"kafka"}
    for name, value in environment_of_all():
        if name.endswith(("_URL", "__URL")):
            hosts.add(urlsplit(re.sub(r"\$\{[^}]*\}", "x", value)).hostname or "")
        elif name.endswith("_HOST"):
            hosts.add(value)
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    for job in prometheus["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            hosts |= set(found["names"])
    for each in prometheus["alerting"]["alertmanagers"]:
        hosts |= {target.partition(":")[0] for told in each["static_configs"] for target in told["targets"]}
    assert hosts >= {"clickhouse", "prometheus", "alertmanager", "aggregate", "board", "sink"}
    assert hosts <= set(SERVICES)


def test_grafana_is_given_every_variable_its_data_sources_name():
    text = (ROOT / "deploy/grafana/provisioning/datasources/pulse.yml").read_text()
    named = set(re.findall(r"^[^#]*?\$(?!__)(\w+)", text, re.MULTILINE))
    assert named == {"PROMETHEUS_URL", "CLICKHOUSE_HOST", "CLICKHOUSE_GRAFANA_PASSWORD"}
    assert named <= set(SERVICES["grafana"]["environment"])


def test_clickhouse_is_given_every_password_its_users_need():
    text = (ROOT / "deploy/compose/clickhouse/users.xml").read_text()
    named = re.findall(r'<password from_env="(\w+)"/>', text)
    assert sorted(named) == ["CLICKHOUSE_GRAFANA_PASSWORD", "CLICKHOUSE_PULSE_PASSWORD"]
    assert set(named) <= set(SERVICES["clickhouse"]["environment"])


def test_prometheus_takes_its_configuration():
    command = ["promtool", "check", "config", ROOT / "deploy/prometheus/prometheus.yml"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert checked.returncode == 0, checked.stderr
