"""What the simulator tells is what the contract allows: every event, of every stream, also when spoiled."""

import json
import re
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipeline.events.rejects import Ignored, Rejected
from pipeline.sources.business.gaming import KINDS as GAMED
from pipeline.sources.business.params import DAY_MS, Business, Gaming, Links
from pipeline.sources.business.world import STREAMS
from pipeline.sources.centre import CallCentre, Chaos
from pipeline.sources.everything import simulate_all
from pipeline.sources.simulate import encode
from pipeline.state.kinds import KINDS

SCHEMAS = Path(__file__).parents[2] / "schemas"
START_MS = 1_772_442_000_000
DAYS = 150
SHOWN = 1500
NEVER_TOLD = {
    "pulse.usage.deleted", "pulse.account.deleted", "pulse.agent.deleted", "pulse.call.deleted",
    "pulse.subscription.deleted", "pulse.survey.deleted", "pulse.ticket.deleted",
}  # fmt: skip


@pytest.fixture(scope="module")
def told():
    """By stream: the events of a spoiled, gamed story as bytes."""
    chaos = Chaos(duplicate_share=0.02, late_share=0.1, correction_share=0.05, void_share=0.05)
    links = Links(churn_per_month=0.2)  # or a cancel withdrawn would be rare
    business = Business(accounts=100, gaming=Gaming(first_day=20), links=links)
    crowd = CallCentre(rate=2, chaos=chaos)
    end = START_MS + DAYS * DAY_MS
    found = {stream: [] for stream in STREAMS}
    records = simulate_all(business, crowd, 3, START_MS, end - DAY_MS // 48, STREAMS)
    for record in takewhile(lambda record: record.deliver_at_ms < end, records):
        found[record.stream].append(encode(record.event))
    return found


def validator(stream):
    documents = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")]
    registry = Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in documents)
    own = next(document for document in documents if document["$id"].endswith(f":{stream}"))
    return Draft202012Validator(own, registry=registry)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_event_is_accepted_by_its_decoder(told, stream):
    assert len(told[stream]) > 300
    for raw in told[stream]:
        judged = KINDS[stream].decode(raw, None)
        assert not isinstance(judged, Rejected | Ignored), (judged, raw)


@pytest.mark.parametrize("stream", STREAMS)
def test_events_satisfy_the_schema(told, stream):
    schema = validator(stream)
    every = max(1, len(told[stream]) // SHOWN)
    for raw in told[stream][::every]:
        schema.validate(json.loads(raw))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_type_of_the_contract_is_told_but_erasure(told, stream):
    text = (SCHEMAS / f"{stream}.schema.json").read_text()
    known = {part.partition('"')[0] for part in text.split('"const": "') if part.startswith("pulse.")}
    types = {json.loads(raw)["type"] for raw in told[stream]}
    assert types == known - NEVER_TOLD


def test_the_page_declares_the_links_as_they_are():
    page = (SCHEMAS.parent / "docs" / "simulation.md").read_text()
    rows = re.findall(r"\| `(\w+)` \| ([\d.]+) (?=\|)", page)
    assert {name: float(value) for name, value in rows} == asdict(Links())


def test_the_page_names_every_kind_of_gaming():
    page = (SCHEMAS.parent / "docs" / "simulation.md").read_text()
    assert re.findall(r"^\| \d \| `(\w+)` \|", page, re.MULTILINE) == list(GAMED)
