"""Decoders made by `decoding.Decoder`: each example's fate, random bytes, and what the schema says."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipeline.events import account, agent, subscription, survey, ticket, usage
from pipeline.events.decoding import FactEvent
from pipeline.events.rejects import Ignored, Rejected
from tests.strategies import json_values, odd_values

SCHEMAS = Path(__file__).parents[2] / "schemas"
DECODERS = {module.STREAM: module.decode for module in (account, agent, subscription, survey, ticket, usage)}


def examples(stream, folder=""):
    return [path for path in sorted((SCHEMAS / "examples" / stream / folder).iterdir()) if path.is_file()]


def params(folder=""):
    return [
        pytest.param(decode, path, id=f"{stream}-{path.stem}")
        for stream, decode in DECODERS.items()
        for path in examples(stream, folder)
    ]


def validators():
    documents = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")]
    registry = Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in documents)
    by_id = {document["$id"].rpartition(":")[2]: document for document in documents}
    return {stream: Draft202012Validator(by_id[stream], registry=registry) for stream in DECODERS}


VALIDATORS = validators()
SOUND = {stream: [json.loads(path.read_bytes()) for path in examples(stream)] for stream in DECODERS}


@pytest.mark.parametrize(("decode", "path"), params())
def test_example_is_an_event(decode, path):
    expected = Ignored if path.stem.endswith("unknown_what") else FactEvent
    assert isinstance(decode(path.read_bytes(), None), expected)


@pytest.mark.parametrize(("decode", "path"), params("rejected"))
def test_rejected_example_is_rejected_for_the_reason_it_is_named_by(decode, path):
    found = decode(path.read_bytes(), None)
    assert isinstance(found, Rejected)
    assert path.name.startswith(f"{found.reason}_"), found.detail


@pytest.mark.parametrize(("decode", "path"), params())
def test_event_more_than_five_minutes_ahead_of_the_broker_is_of_the_future(decode, path):
    event = decode(path.read_bytes(), None)
    if isinstance(event, FactEvent):
        at = event.fact.at
        assert isinstance(decode(path.read_bytes(), at - 300_000), FactEvent)
        assert decode(path.read_bytes(), at - 300_001).reason == "future"


@pytest.mark.parametrize("stream", DECODERS)
def test_decoder_knows_the_types_the_schema_knows(stream):
    told = (SCHEMAS / f"{stream}.schema.json").read_text()
    assert told.count(f'"const": "pulse.{stream}.') == len(DECODERS[stream].types)
    assert all(f'"const": "{name}"' in told for name in DECODERS[stream].types)


@st.composite
def odd_events(draw):
    """A sound example with up to two fields dropped or changed, in the envelope or in `data`."""
    stream = draw(st.sampled_from(sorted(DECODERS)))
    said = json.loads(json.dumps(draw(st.sampled_from(SOUND[stream]))))
    for _ in range(draw(st.integers(0, 2))):
        place = said["data"] if draw(st.booleans()) and isinstance(said.get("data"), dict) else said
        if not place:
            continue
        field = draw(st.sampled_from(sorted(place)))
        if draw(st.integers(0, 3)):
            place[field] = draw(
                odd_values | st.sampled_from(["7", "1e2", "-3", "0.5", " 4", "4 ", "+4", "NaN"])
            )
        else:
            del place[field]
    return stream, said


@settings(max_examples=400)
@given(odd_events())
def test_what_the_schema_refuses_the_decoder_refuses(told):
    """But for what Pulse does not read: fields of other types, and an unknown <what>."""
    stream, said = told
    found = DECODERS[stream](json.dumps(said).encode(), None)
    if isinstance(found, FactEvent) and not VALIDATORS[stream].is_valid(said):
        faults = {
            error.absolute_path[0] for error in VALIDATORS[stream].iter_errors(said) if error.absolute_path
        }
        assert faults <= {"subject", "dataschema", "traceparent"}


@settings(max_examples=400)
@given(odd_events())
def test_what_the_decoder_refuses_is_refused_in_the_contracts_words(told):
    stream, said = told
    found = DECODERS[stream](json.dumps(said).encode(), None)
    if isinstance(found, Rejected) and VALIDATORS[stream].is_valid(said):
        # A schema knows no calendar, compares no fields, and leaves the length of ids in `data` open.
        assert found.reason in {"bad_time", "bad_type", "not_json"}


@settings(max_examples=200)
@given(
    st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), json_values),
    st.sampled_from(sorted(DECODERS)),
)
def test_any_bytes_are_judged(raw, stream):
    assert isinstance(DECODERS[stream](raw, None), Rejected)


def test_a_record_without_value_is_rejected():
    assert {decode(None, None).reason for decode in DECODERS.values()} == {"not_json"}
