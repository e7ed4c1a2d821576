"""Settings: defaults, sources, every problem at once, and nothing secret shown."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.kafka.topics import declared_topics
from pipeline.settings import Kafka, Settings, Sink, load
from pipeline.settings_problems import SettingsError, places_of

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"

SASL = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "u",
    "sasl_password": "s3cret",
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def problems(path: Path | None = None) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return {problem.place: str(problem) for problem in caught.value.problems}


def test_nothing_set_gives_the_defaults():
    settings = load()
    assert settings.kafka.bootstrap is None
    assert set(settings.streams) == {topic.stream for topic in declared_topics() if topic.kind == "source"}
    assert settings.worker.commit_seconds == 0.5
    assert settings.sink.url.get_secret_value() == "chdb://.pulse/clickhouse"


def test_the_environment_is_stronger_than_the_file(tmp_path, monkeypatch):
    (tmp_path / "pulse.toml").write_text('streams = ["ticket"]\n[kafka]\nbootstrap = "file:1"\ngroup = "g"\n')
    monkeypatch.setenv("PULSE_KAFKA__BOOTSTRAP", "environment:1")
    settings = load()
    assert settings.kafka.bootstrap == "environment:1"
    assert settings.kafka.group == "g"
    assert settings.streams == ("ticket",)


def test_streams_are_split_at_commas(monkeypatch):
    monkeypatch.setenv("PULSE_STREAMS", "call, ticket,usage")
    assert load().streams == ("call", "ticket", "usage")


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_another_file_can_be_named(tmp_path, monkeypatch, by):
    other = tmp_path / "other.toml"
    other.write_text("[board]\nport = 9000\n")
    if by == "variable":
        monkeypatch.setenv("PULSE_CONFIG", str(other))
    assert load(other if by == "argument" else None).board.port == 9000


def test_a_named_file_must_exist(tmp_path):
    assert problems(tmp_path / "absent.toml") == {
        str(
            tmp_path / "absent.toml"
        ): f"{tmp_path}/absent.toml: no such file. Correct --config or PULSE_CONFIG."
    }


def test_a_file_that_is_no_toml_is_a_problem(tmp_path):
    (tmp_path / "pulse.toml").write_text("kafka = [")
    assert "settings" in problems()


def test_all_problems_are_told_at_once_with_what_to_do(monkeypatch):
    for name, value in {
        "PULSE_WORKER__MAX_BATCH": "-1",
        "PULSE_KAFKA__SECURITY_PROTOCOL": "TLS",
        "PULSE_KAFKA__BOOTSTRP": "x",
        "PULSE_KAFAK__BOOTSTRAP": "x",
        "PULSE_HORIZONS__CALLBACK_SECONDS": "1",
        "PULSE_SINK__URL": "postgres://u:s3cret@db/x",
    }.items():
        monkeypatch.setenv(name, value)
    found = problems()
    assert set(found) == {
        "worker.max_batch",
        "kafka.security_protocol",
        "kafka.bootstrp",
        "PULSE_KAFAK__BOOTSTRAP",
        "horizons.callback_seconds",
        "sink.url",
    }
    assert "set PULSE_WORKER__MAX_BATCH" in found["worker.max_batch"]
    assert "'SASL_SSL'" in found["kafka.security_protocol"]
    assert "Did you mean kafka.bootstrap?" in found["kafka.bootstrp"]
    assert "Did you mean PULSE_KAFKA__BOOTSTRAP?" in found["PULSE_KAFAK__BOOTSTRAP"]
    assert "use chdb://" in found["sink.url"]
    assert "s3cret" not in "".join(found.values())


@pytest.mark.parametrize(
    ("section", "values", "place"),
    [
        ("kafka", {k: v for k, v in SASL.items() if k != "sasl_password"}, "sasl_mechanism"),
        ("kafka", SASL | {"security_protocol": "SSL"}, "security_protocol"),
        ("kafka", {"ssl_cafile": __file__}, "security_protocol"),
        ("kafka", {"security_protocol": "SSL", "ssl_certfile": __file__}, "ssl_certfile"),
        ("kafka", {"security_protocol": "SSL", "ssl_cafile": "absent.pem"}, "ssl_cafile"),
        ("worker", {"commit_seconds": 15}, "commit_timeout_seconds"),
        ("worker", {"heartbeat_seconds": 0.1}, "heartbeat_seconds"),
        ("worker", {"session_timeout_seconds": 91}, "session_timeout_seconds"),
        ("worker", {"heartbeat_interval_seconds": 4}, "heartbeat_interval_seconds"),
        ("worker", {"open_timeout_seconds": 90}, "open_timeout_seconds"),
        ("worker", {"rebalance_timeout_seconds": 15}, "commit_timeout_seconds"),
        ("worker", {"transaction_timeout_seconds": 10}, "transaction_timeout_seconds"),
        ("worker", {"stall_seconds": 20}, "stall_seconds"),
        ("worker", {"commit_seconds": float("inf")}, "commit_seconds"),
        ("sink", {"flush_seconds": 60}, "insert_timeout_seconds"),
        ("horizons", {"callback_seconds": 3599}, "callback_seconds"),
        ("horizons", {"day_seconds": 100}, "day_seconds"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(section, values, place, tmp_path):
    lines = "".join(
        f"{k} = {v!r}\n" if not isinstance(v, str) else f'{k} = "{v}"\n' for k, v in values.items()
    )
    (tmp_path / "pulse.toml").write_text(f"[{section}]\n{lines}")
    assert f"{section}.{place}" in problems()


def test_a_stream_named_twice_and_a_shared_port_are_refused(monkeypatch):
    monkeypatch.setenv("PULSE_STREAMS", "call,call")
    monkeypatch.setenv("PULSE_BOARD__PORT", "8471")
    assert set(problems()) == {"streams", "worker.health_port"}


def test_sasl_over_tls_is_accepted():
    assert Kafka(**SASL).sasl_password.get_secret_value() == "s3cret"


def test_secrets_are_never_shown():
    settings = Settings(kafka=SASL, sink={"url": "clickhouses://writer:s3cret@db:8443/pulse"})
    shown = f"{settings!r} {settings} {settings.public()} {settings.model_dump_json()}"
    assert "s3cret" not in shown
    assert "clickhouses://writer:***@db:8443/pulse" in shown


def test_an_address_without_password_is_shown_whole():
    assert Sink().model_dump(mode="json")["url"] == "chdb://.pulse/clickhouse"


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().worker.max_batch = 1


@pytest.mark.parametrize("place", places_of(Settings))
def test_every_setting_is_documented_with_its_default_and_its_meaning(place):
    section, _, name = place.rpartition(".")
    model = Settings.model_fields[section].annotation if section else Settings
    field = model.model_fields[name]
    row = next((line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{place}` |")), None)
    assert row is not None, f"docs/settings.md does not name {place}"
    assert field.description in row.replace("\\|", "|")


def test_no_setting_is_documented_that_does_not_exist():
    settings, _, _ = DOCS.read_text().partition("## Definitions")
    documented = re.findall(r"^\| `([a-z_.]+)` \|", settings, re.MULTILINE)
    assert documented == places_of(Settings)
