"""Schemas, examples and the topic registry agree, and none of them is an orphan."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "schemas"
EXAMPLES = SCHEMAS / "examples"
TOPICS: list[dict[str, Any]] = tomllib.loads((SCHEMAS / "topics.toml").read_text())["topic"]
STREAMS = sorted(topic["stream"] for topic in TOPICS if topic["kind"] == "source")
MAX_EVENT_BYTES = 65_536

# `future` compares with the broker's append time, which no file has.
REASONS = ("not_json", "not_cloudevent", "missing_field", "bad_type", "bad_time", "too_large", "wrong_stream")
# What a schema cannot say: a size in bytes, a calendar, an instant across offsets, a field compared with another.
BEYOND_A_SCHEMA = {
    "too_large_by_one_byte_of_padding",
    "too_large_unknown_field",
    "bad_time_thirtieth_of_february",
    "bad_time_taken_outside_by_its_offset",
    "bad_type_score_above_its_scale",
    "bad_type_score_below_its_scale",
    "bad_type_scale_of_one_point",
    "bad_type_scale_upside_down",
}
TOPIC_FIELDS = {
    "name": str,
    "stream": str,
    "kind": str,
    "partitions": int,
    "partitions_local": int,
    "key": str,
    "producers": list,
    "consumers": list,
    "retention": str,
    "config": dict,
}


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def registry() -> Registry:
    documents = (json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json"))
    return Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in documents)


VALIDATORS = {stream: Draft202012Validator(schema(stream), registry=registry()) for stream in STREAMS}


def strictly(raw: bytes) -> Any:
    """RFC 8259: UTF-8, and no NaN or infinities, which json.loads lets pass."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(raw.decode("utf-8"), parse_constant=refuse)


def is_json(path: Path) -> bool:
    try:
        strictly(path.read_bytes())
    except ValueError:
        return False
    return True


def examples(stream: str) -> Iterator[Path]:
    return (path for path in sorted((EXAMPLES / stream).iterdir()) if path.is_file())


def rejected(stream: str) -> Iterator[Path]:
    return iter(sorted((EXAMPLES / stream / "rejected").iterdir()))


def known_types(document: Any) -> set[str]:
    """The types a stream's schema constrains: every `const` of a `type` in it."""
    if isinstance(document, list):
        return set().union(*map(known_types, document))
    if not isinstance(document, dict):
        return set()
    own = document.get("type")
    found = {own["const"]} if isinstance(own, dict) and "const" in own else set()
    return found.union(*map(known_types, document.values()))


def known_fields(document: Any) -> set[str]:
    """Every property named anywhere in a schema."""
    if isinstance(document, list):
        return set().union(*(known_fields(item) for item in document))
    if not isinstance(document, dict):
        return set()
    return set(document.get("properties", ())).union(*(known_fields(value) for value in document.values()))


def fields_of(event: dict[str, Any]) -> set[str]:
    return set(event) | set(event["data"])


def params(kind: Any) -> list[Any]:
    return [pytest.param(s, p, id=f"{s}-{p.stem}") for s in STREAMS for p in kind(s)]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.schema.json")), ids=lambda p: p.name)
def test_schema_is_valid_json_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text()))


@pytest.mark.parametrize(("stream", "path"), params(examples))
def test_example_satisfies_its_schema(stream: str, path: Path) -> None:
    VALIDATORS[stream].validate(strictly(path.read_bytes()))


@pytest.mark.parametrize(("stream", "path"), params(examples))
def test_example_fits_into_a_record(stream: str, path: Path) -> None:
    assert path.stat().st_size <= MAX_EVENT_BYTES


@pytest.mark.parametrize(("stream", "path"), params(examples))
def test_example_is_named_by_its_situation(stream: str, path: Path) -> None:
    assert re.fullmatch(rf"{stream}_[a-z0-9_]+\.json", path.name)


@pytest.mark.parametrize(("stream", "path"), params(rejected))
def test_rejected_example_starts_with_its_reason(stream: str, path: Path) -> None:
    assert any(re.fullmatch(rf"{reason}_\w[\w.]*\.(json|txt|bin)", path.name) for reason in REASONS)


@pytest.mark.parametrize(("stream", "path"), params(rejected))
def test_rejected_example_is_json_exactly_when_its_ending_says_so(stream: str, path: Path) -> None:
    assert is_json(path) == (path.suffix == ".json")


@pytest.mark.parametrize(("stream", "path"), params(rejected))
def test_rejected_example_fails_the_schema(stream: str, path: Path) -> None:
    if is_json(path):
        passes = VALIDATORS[stream].is_valid(strictly(path.read_bytes()))
        assert passes == (path.stem in BEYOND_A_SCHEMA)


@pytest.mark.parametrize(("stream", "path"), params(rejected))
def test_rejected_example_is_large_exactly_when_that_is_its_fault(stream: str, path: Path) -> None:
    assert (path.stat().st_size > MAX_EVENT_BYTES) == path.name.startswith("too_large_")


@pytest.mark.parametrize(("stream", "path"), params(rejected))
def test_not_json_is_the_reason_exactly_for_what_is_not_json(stream: str, path: Path) -> None:
    if not path.name.startswith("too_large_"):
        assert path.name.startswith("not_json_") == (not is_json(path))


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("reason", REASONS)
def test_stream_has_a_rejected_example_for_every_reason(stream: str, reason: str) -> None:
    assert any(path.name.startswith(f"{reason}_") for path in rejected(stream))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_known_type_has_an_example(stream: str) -> None:
    shown = {strictly(path.read_bytes())["type"] for path in examples(stream)}
    assert {f"pulse.{stream}.voided", f"pulse.{stream}.deleted"} <= known_types(schema(stream)) <= shown


@pytest.mark.parametrize("stream", STREAMS)
def test_every_known_field_has_an_example_with_a_value(stream: str) -> None:
    shown: set[str] = set()
    for path in examples(stream):
        event = strictly(path.read_bytes())
        shown |= {name for name in fields_of(event) if {**event, **event["data"]}[name] is not None}
    assert known_fields(schema("envelope")) | known_fields(schema(stream)) <= shown


def test_every_schema_but_the_envelope_belongs_to_a_source_topic() -> None:
    found = {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert found == {"envelope", *STREAMS}


def test_every_folder_of_examples_belongs_to_a_source_topic() -> None:
    assert sorted(path.name for path in EXAMPLES.iterdir()) == STREAMS


@pytest.mark.parametrize("stream", STREAMS)
def test_source_topic_is_named_by_its_stream_and_has_a_state_topic(stream: str) -> None:
    kinds = {topic["name"]: topic["kind"] for topic in TOPICS if topic["stream"] == stream}
    assert kinds == {f"pulse.{stream}": "source", f"pulse.{stream}.state": "state"}


@pytest.mark.parametrize("stream", STREAMS)
def test_state_topic_has_the_partitions_of_its_source(stream: str) -> None:
    counts = {(t["partitions"], t["partitions_local"]) for t in TOPICS if t["stream"] == stream}
    assert len(counts) == 1


def test_topic_names_are_unique() -> None:
    names = [topic["name"] for topic in TOPICS]
    assert len(names) == len(set(names))


def test_topics_shared_by_all_streams_are_registered() -> None:
    shared = {topic["name"]: topic["kind"] for topic in TOPICS if topic["stream"] == "*"}
    assert shared == {
        "pulse.dlq": "dead_letters",
        "pulse.sink.dlq": "dead_letters",
        "pulse.epochs": "epochs",
    }


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t["name"])
def test_topic_entry_is_complete(topic: dict[str, Any]) -> None:
    assert {field: type(value) for field, value in topic.items()} == TOPIC_FIELDS
    assert all(topic.values())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t["name"])
def test_topic_config_is_text_for_the_broker(topic: dict[str, Any]) -> None:
    assert all(isinstance(value, str) for value in topic["config"].values())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t["name"])
def test_topic_is_stamped_by_the_broker(topic: dict[str, Any]) -> None:
    assert topic["config"]["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("topic", [t for t in TOPICS if t["kind"] == "source"], ids=lambda t: t["name"])
def test_source_topic_keeps_at_least_seven_days(topic: dict[str, Any]) -> None:
    assert int(topic["config"]["retention.ms"]) >= 7 * 86_400_000


@pytest.mark.parametrize("topic", [t for t in TOPICS if t["kind"] == "state"], ids=lambda t: t["name"])
def test_broker_removes_nothing_from_a_state_topic(topic: dict[str, Any]) -> None:
    config = topic["config"]
    assert (config["cleanup.policy"], config["retention.ms"], config["retention.bytes"]) == (
        "delete",
        "-1",
        "-1",
    )
