"""The CloudEvents envelope every stream shares: fields, limits, and why bytes fail.

Source: events.md §1. Knows no stream's `data`.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from pipeline.events.names import tenant_word
from pipeline.events.rejects import Reason, Rejected

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=256)]

_REQUIRED: Final = ("id", "source", "type", "time", "tenantid", "data")


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


def tenant_of(key: str) -> str:
    """The tenant of an entity, whose key is `tenant|…` in every stream."""
    return key.partition("|")[0]


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
