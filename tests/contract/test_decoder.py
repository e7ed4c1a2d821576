"""Decoder, schemas and examples say the same: each example's fate, and random events' too."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipeline.events.call import CallEvent
from pipeline.events.call_decode import TYPES, decode
from pipeline.events.rejects import Ignored, Rejected
from tests.builders import event, raw
from tests.strategies import odd_events, plain_events

SCHEMAS = Path(__file__).parents[2] / "schemas"
CALL = SCHEMAS / "examples" / "call"
EXAMPLES = sorted(path for path in CALL.iterdir() if path.is_file())
REFUSED = sorted((CALL / "rejected").iterdir())


def validator() -> Draft202012Validator:
    documents = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")]
    registry = Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in documents)
    return Draft202012Validator(json.loads((SCHEMAS / "call.schema.json").read_text()), registry=registry)


VALIDATOR = validator()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_an_event(path):
    expected = Ignored if path.stem == "call_unknown_what" else CallEvent
    assert isinstance(decode(path.read_bytes()), expected)


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.name)
def test_rejected_example_is_rejected_for_the_reason_it_is_named_by(path):
    found = decode(path.read_bytes())
    assert isinstance(found, Rejected)
    assert path.name.startswith(f"{found.reason}_"), found.detail


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_on_one_line_without_spaces_is_the_same_event(path):
    value = path.read_bytes()
    assert decode(json.dumps(json.loads(value), separators=(",", ":")).encode()) == decode(value)


def test_decoder_knows_the_types_the_schema_knows():
    told = json.dumps(json.loads((SCHEMAS / "call.schema.json").read_text()))
    assert {name for name in TYPES if f'"const": "{name}"' in told} == set(TYPES)
    assert told.count('"const": "pulse.call.') == len(TYPES)


# Where decoder and schema differ, and why that is meant. A line less here is a difference less.
IDS = ("contact_id", "initial_contact_id", "leg", "customer_ref", "queue_id", "agent_id", "to_queue_id")
EDGES = (
    "1999-12-31",
    "2000-01-01",
    "2099-12-31",
    "2100-01-01",
    "2026-02-29",
)  # an offset moves these; a calendar


def _is_decoder_stricter(said: dict[str, Any]) -> bool:
    """Ids in `data` have 1-256 characters; lone surrogates are no text; a schema knows no calendar."""
    data = said["data"]
    told = [*said.values(), *data.values()]
    return (
        any(len(data.get(name) or "-") > 256 or data.get(name) == "" for name in IDS)
        or any("\\ud" in json.dumps(value) for value in told)
        or any(isinstance(value, str) and value[:10] in EDGES for value in told)
    )


def _is_schema_stricter(said: dict[str, Any]) -> bool:
    """Fields Pulse does not read are not judged; erasing an entity needs only the name of the chain."""
    name = said["type"]
    if not isinstance(decode(raw(said)), CallEvent):
        return True  # ignored: an unknown <what> is not judged further
    read = (
        {"contact_id", "initial_contact_id", "leg"}
        if name.endswith(("voided", "deleted"))
        else set(said["data"])
    )
    data = {field: value for field, value in said["data"].items() if field in read}
    data.setdefault("contact_id", data.get("initial_contact_id") or "c")
    data["contact_id"] = data["contact_id"] or "c"
    return VALIDATOR.is_valid({**said, "data": data})


@settings(max_examples=500)
@given(odd_events())
def test_what_the_schema_takes_the_decoder_takes(said):
    if VALIDATOR.is_valid(said) and isinstance(decode(raw(said)), Rejected):
        assert _is_decoder_stricter(said), decode(raw(said))


@settings(max_examples=500)
@given(odd_events())
def test_what_the_decoder_takes_the_schema_takes(said):
    if not isinstance(decode(raw(said)), Rejected) and not VALIDATOR.is_valid(said):
        assert _is_schema_stricter(said), decode(raw(said))


@settings(max_examples=100)
@given(plain_events())
def test_sound_events_satisfy_the_schema(said):
    VALIDATOR.validate(said)


def test_comparison_with_the_schema_bites():
    said = event("queued", channel=5)
    assert isinstance(decode(raw(said)), Rejected)
    assert not VALIDATOR.is_valid(said)
    assert not _is_decoder_stricter(said)
