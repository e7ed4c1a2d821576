"""The CloudEvents envelope every stream shares: fields, limits, names, and why bytes fail.

Source: events.md §1. Knows no stream's `data`.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from xxhash import xxh3_64_intdigest

from pipeline.events.rejects import Reason, Rejected

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=256)]

_TENANT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_REQUIRED: Final = ("id", "source", "type", "time", "tenantid", "data")
_CACHE_SIZE: Final = 1 << 17
_words: dict[str, str] = {}
_tenants: dict[str, str] = {}
known_word: Final = _words.get
known_tenant: Final = _tenants.get
"""What `word` and `tenant_word` look up first, without a call of theirs: the hot path asks here."""


class Envelope(Struct, gc=False):
    """Required attributes first; `type` and `data` belong to the stream's subclasses."""

    specversion: Literal["1.0"]
    id: Id
    source: Text
    time: str
    tenantid: str
    accountid: Id | None = None
    corrects: Id | None = None
    origin: str | None = None
    timebasis: str | None = None


def event_name(source: str, event_id: str) -> int:
    """64-bit name of (source, id), never 0; the tenant is part of the entity's key."""
    # The length keeps "a" + "bc" apart from "ab" + "c", whatever a source is made of.
    return xxh3_64_intdigest(f"{len(source)} {source}{event_id}") or 1


def tenant_of(key: str) -> str:
    """The tenant of an entity, whose key is `tenant|…` in every stream."""
    return key.partition("|")[0]


def word(text: str) -> str:
    """One shared object per repeated text (queues, agents): less memory, hashed once."""
    known = _words.get(text)
    if known is None:
        if len(_words) >= _CACHE_SIZE:
            _words.clear()
        known = _words[text] = text
    return known


def tenant_word(text: str) -> str | None:
    """The tenant's shared text, or None when it is no tenant id."""
    known = _tenants.get(text)
    if known is None and _TENANT.fullmatch(text):
        if len(_tenants) >= _CACHE_SIZE:
            _tenants.clear()
        known = _tenants[text] = word(text)
    return known


def refusal(error: Exception) -> Rejected:
    """What a msgspec error says, in the contract's words."""
    message = str(error)
    if isinstance(error, msgspec.ValidationError):
        reason = Reason.MISSING_FIELD if "missing required field" in message else Reason.BAD_TYPE
        return Rejected(reason, message[:200])
    return Rejected(Reason.NOT_JSON, message[:200])


def envelope_fault(raw: bytes) -> Rejected | dict[str, Any]:
    """Judge the envelope alone, slowly and in order; the parsed object when it is sound."""
    try:
        parsed = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(Reason.NOT_JSON, str(error)[:200])
    if not isinstance(parsed, dict):
        return Rejected(Reason.NOT_CLOUDEVENT, "an event is a JSON object")
    version = parsed.get("specversion")
    if version != "1.0":
        return Rejected(Reason.NOT_CLOUDEVENT, f"specversion is {str(version)[:40]!r}, not '1.0'")
    for field in _REQUIRED:
        if parsed.get(field) is None:
            return Rejected(Reason.MISSING_FIELD, f"{field} is missing")
    for field in _REQUIRED[:-1]:
        if not isinstance(parsed[field], str):
            return Rejected(Reason.BAD_TYPE, f"{field} is not a string")
    if not isinstance(parsed["data"], dict):
        return Rejected(Reason.BAD_TYPE, "data is not an object")
    if tenant_word(parsed["tenantid"]) is None:
        return Rejected(Reason.BAD_TYPE, "tenantid is not 1-64 of A-Za-z0-9_.-")
    return parsed
