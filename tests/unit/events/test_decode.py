"""Bytes to a call event, or the reason why not: total, exact at its edges, the same however it got there."""

import json
from itertools import product

import pytest
from hypothesis import given, settings

from pipeline.entities.stay import channel_of, direction_of
from pipeline.events import call as stream
from pipeline.events.call import CallEvent, CallFact
from pipeline.events.call_decode import decode
from pipeline.events.envelope import envelope_fault
from pipeline.events.rejects import Ignored, Reason, Rejected
from tests.builders import call, event, ms, raw
from tests.strategies import any_bytes, odd_events, plain_events


def reason(value, appended=None):
    found = decode(value, appended)
    assert isinstance(found, Rejected), found
    assert found.detail
    return found.reason


def with_ignored(text):
    """A sound event whose unknown field holds a piece of JSON as it stands."""
    return raw(event("queued")).replace(b'"data": {', b'"x": ' + text + b', "data": {', 1)


@settings(max_examples=600)
@given(any_bytes)
def test_any_bytes_are_an_event_or_ignored_or_rejected_with_a_reason(value):
    found = decode(value, ms(0))
    assert isinstance(found, CallEvent | Ignored | Rejected)
    if isinstance(found, Rejected):
        assert isinstance(found.reason, Reason)
        assert found.detail


@settings(max_examples=300)
@given(any_bytes)
def test_an_accepted_event_has_a_sound_envelope(value):
    if isinstance(decode(value), CallEvent):
        assert isinstance(envelope_fault(value), dict)


@settings(max_examples=300)
@given(plain_events())
def test_nothing_sound_is_rejected(said):
    assert isinstance(decode(raw(said), ms(100)), CallEvent)


@settings(max_examples=300)
@given(odd_events())
def test_order_of_fields_and_spaces_change_nothing(said):
    turned = {name: said[name] for name in reversed(said)}
    if isinstance(said.get("data"), dict):
        turned["data"] = {name: said["data"][name] for name in reversed(said["data"])}
    one, other = decode(raw(said)), decode(json.dumps(turned, indent=2).encode())
    assert type(one) is type(other)
    if isinstance(one, CallEvent):
        assert one == other


def test_event_names_its_entity_by_tenant_and_initial_contact():
    assert call("queued", contact="c2", initial_contact_id="c1", tenantid="acme").key == "acme|c1"


def test_contact_is_its_own_initial_contact_by_default():
    assert call("queued", contact="c2").key == "t|c2"


@pytest.mark.parametrize(
    ("ids", "contact", "leg"),
    [
        ({}, "", ""),
        ({"initial_contact_id": "c", "leg": "c"}, "", ""),
        ({"initial_contact_id": "first"}, "c", ""),
        ({"initial_contact_id": "first", "leg": "c"}, "c", ""),
        ({"initial_contact_id": "first", "leg": "first"}, "c", "first"),
        ({"leg": "2"}, "", "2"),
    ],
)
def test_the_initial_contact_and_a_leg_named_as_its_contact_need_no_name_beside_the_key(ids, contact, leg):
    said = call("queued", contact="c", **ids)
    assert (said.contact, said.leg) == (contact, leg)


def test_same_id_of_another_source_is_another_name():
    assert call("ended", id="1", source="/a").fact.name != call("ended", id="1", source="/b").fact.name


def test_tenant_is_no_part_of_the_name_because_it_is_part_of_the_key():
    assert call("ended", id="1", tenantid="a").fact.name == call("ended", id="1", tenantid="b").fact.name


def test_correction_names_what_it_voids():
    assert call("ended", id="2", corrects="1").voids == call("ended", id="1").fact.name


def test_fact_keeps_what_the_event_says():
    said = call(
        "answered", 5, queue_id="q", agent_id="a", answered_by="bot", talk_started_at=7, channel="chat",
        direction="outbound", customer_ref="r", accountid="k",
    )  # fmt: skip
    assert said.fact == CallFact(
        said.fact.name, stream.ANSWERED, ms(5), ms(7), "q", "a", 2, 3 * 4 + 2, "r", "k"
    )


def test_an_instant_that_is_the_time_itself_is_held_once():
    for said in (call("queued", 5, enqueued_at=5), call("answered", 5, talk_started_at=5)):
        assert said.fact.instant == ms(5)
        assert said.fact.instant is said.fact.at


def test_what_is_not_said_stays_unsaid():
    said = call("answered", 5)
    assert said.fact == CallFact(said.fact.name, stream.ANSWERED, ms(5))


@pytest.mark.parametrize(
    ("what", "field", "codes"),
    [
        ("answered", "answered_by", {"human": 1, "bot": 2, "oracle": 3}),
        (
            "callback_attempted",
            "outcome",
            {"connected": 1, "no_answer": 2, "busy": 3, "failed": 4, "lost": 5},
        ),
        ("ended", "end_reason", {"customer": 1, "agent": 2, "system": 3, "fire": 4}),
    ],
)
def test_unknown_value_of_an_enumeration_is_other(what, field, codes):
    assert {value: call(what, **{field: value}).fact.detail for value in codes} == codes


def test_unknown_channel_and_unknown_direction_are_other():
    channels = {None: 0, "voice": 1, "video": 2, "chat": 3, "fax": 4, "": 4, "VOICE": 4}
    directions = {None: 0, "inbound": 1, "outbound": 2, "sideways": 3}
    for (channel, first), (direction, second) in product(channels.items(), directions.items()):
        fact = call("queued", channel=channel, direction=direction).fact
        assert (channel_of(fact), direction_of(fact)) == (first, second)


def test_unknown_what_of_the_stream_is_ignored():
    assert decode(raw(event("praised"))) == Ignored("pulse.call.praised")


def test_unknown_what_with_a_broken_envelope_is_rejected():
    assert reason(raw(event("praised", tenantid="a b"))) is Reason.BAD_TYPE


@pytest.mark.parametrize(
    "name", ["pulse.ticket.created", "pulse.calls.queued", "pulse.call", "PULSE.CALL.QUEUED", "", "queued"]
)
def test_type_of_another_stream_is_refused(name):
    assert reason(raw(event("queued", type=name))) is Reason.WRONG_STREAM


def test_time_basis_arrival_is_told():
    assert call("ended", timebasis="arrival").is_arrival
    assert not call("ended", timebasis="occurred").is_arrival


def test_no_value_is_not_json():
    assert reason(None) is Reason.NOT_JSON
    assert reason(b"") is Reason.NOT_JSON


def test_64_kibibytes_are_taken_and_one_byte_more_is_too_large():
    value = raw(event("queued"))
    assert isinstance(decode(value.ljust(65_536)), CallEvent)
    assert reason(value.ljust(65_537)) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("ahead_ms", "is_taken"), [(0, True), (299_999, True), (300_000, True), (300_001, False)]
)
def test_event_may_be_five_minutes_ahead_of_the_broker(ahead_ms, is_taken):
    value = raw(event("queued", 600))
    appended = ms(600) - ahead_ms
    assert isinstance(decode(value, appended), CallEvent) == is_taken
    if not is_taken:
        assert reason(value, appended) is Reason.FUTURE


def test_without_an_append_time_nothing_is_future():
    assert isinstance(decode(raw(event("queued", time="2099-12-31T00:00:00Z"))), CallEvent)


def test_only_time_itself_makes_an_event_future():
    value = raw(event("queued", 0, enqueued_at="2099-01-01T00:00:00Z"))
    assert isinstance(decode(value, ms(0)), CallEvent)


@pytest.mark.parametrize("field", ["enqueued_at", "talk_started_at"])
def test_instants_in_data_are_judged_like_time(field):
    what = "queued" if field == "enqueued_at" else "answered"
    assert reason(raw(event(what, **{field: "1970-01-01T00:00:00Z"}))) is Reason.BAD_TIME


@pytest.mark.parametrize(
    ("field", "size", "is_taken"),
    [
        ("id", 128, True), ("id", 129, False), ("id", 0, False),
        ("source", 256, True), ("source", 257, False), ("source", 0, False),
        ("tenantid", 64, True), ("tenantid", 65, False), ("tenantid", 0, False),
        ("accountid", 128, True), ("accountid", 129, False), ("accountid", 0, False),
        ("corrects", 128, True), ("corrects", 129, False), ("corrects", 0, False),
        ("contact_id", 256, True), ("contact_id", 257, False), ("contact_id", 0, False),
    ],
)  # fmt: skip
def test_lengths_are_exact(field, size, is_taken):
    said = event("ended")
    (said["data"] if field == "contact_id" else said)[field] = "a" * size
    assert isinstance(decode(raw(said)), CallEvent) == is_taken
    if not is_taken:
        assert reason(raw(said)) is Reason.BAD_TYPE


def test_lengths_count_characters_not_bytes():
    assert isinstance(decode(raw(event("ended", id="é" * 128))), CallEvent)


def test_last_of_two_equal_json_keys_holds():
    value = raw(event("queued")).replace(b'"contact_id": "c"', b'"contact_id": "c", "contact_id": "d"')
    assert decode(value).key == "t|d"


def test_two_types_in_one_event_are_refused():
    value = raw(event("queued")).replace(b'"type": ', b'"type": "pulse.call.ended", "type": ')
    assert reason(value) is Reason.BAD_TYPE


@pytest.mark.parametrize(
    "text",
    [
        rb'"\ud800"', rb'"\udc00\ud800"', rb'"\q"', b'"\x01"', b'"\x00"', b'"caf\xe9"', b'"\xed\xa0\x80"',
        b'"\xc0\x80"', b"NaN", b"-Infinity", b"01", b"'x'", b"[1,]", b"",
    ],
)  # fmt: skip
def test_what_is_no_json_spoils_an_event_even_in_an_ignored_field(text):
    assert reason(with_ignored(text)) is Reason.NOT_JSON


@pytest.mark.parametrize("text", [rb'"\u0000"', b"1e999", b"1" * 5000, rb'"\ud83d\ude00"', '"☎"'.encode()])
def test_odd_json_in_an_ignored_field_spoils_nothing(text):
    assert isinstance(decode(with_ignored(text)), CallEvent)


def test_nul_in_an_id_is_a_character_like_any_other():
    assert call("queued", contact="\x00").key == "t|\x00"


@pytest.mark.parametrize("depth", [2_000, 30_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_beyond_all_measure_is_refused(depth, opening):
    value = with_ignored(opening * min(depth, 60_000 // len(opening)))
    assert reason(value) is Reason.NOT_JSON


def test_a_hundred_levels_of_nesting_are_taken():
    assert isinstance(decode(with_ignored(b"[" * 100 + b"]" * 100)), CallEvent)


def test_byte_order_mark_is_not_json():
    assert reason(b"\xef\xbb\xbf" + raw(event("queued"))) is Reason.NOT_JSON


@pytest.mark.parametrize("what", ["voided", "deleted"])
def test_erasing_needs_to_name_the_chain(what):
    said = event(what, corrects="x")
    said["data"] = {}
    assert reason(raw(said)) is Reason.MISSING_FIELD


def test_deleted_may_correct_too():
    assert call("deleted", corrects="x").voids != 0


@pytest.mark.parametrize("field", ["id", "source", "time", "tenantid", "type", "data"])
def test_null_counts_as_missing(field):
    assert reason(raw({**event("ended"), field: None})) is Reason.MISSING_FIELD


def test_fact_order_tells_any_two_contents_apart():
    one = call("answered", 5, id="1", queue_id="q", customer_ref="r").fact
    others = [
        {"queue_id": "p"}, {"agent_id": "a"}, {"talk_started_at": 6}, {"answered_by": "bot"}, {"channel": "chat"},
        {"direction": "inbound"}, {"customer_ref": "s"}, {"accountid": "k"},
    ]  # fmt: skip
    told = {stream.fact_order(one)}
    for other in others:
        told.add(
            stream.fact_order(
                call("answered", 5, id="1", **{"queue_id": "q", "customer_ref": "r", **other}).fact
            )
        )
    assert len(told) == len(others) + 1
