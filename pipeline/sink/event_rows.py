"""Source events and dead letters to rows, as they came.

Source: clickhouse.md §2-§3, architecture.md §4. Pure, as rows.py is.
"""

from typing import Any

import msgspec

from pipeline.events.heartbeat import Heartbeat
from pipeline.events.instants import BadTimeError, instant_ms
from pipeline.events.rejects import Ignored, Rejected
from pipeline.sink.rows import UNKNOWN_MS, Record, Rows
from pipeline.sink.tables import ERASURES, RAW_EVENTS, REJECTED
from pipeline.state.kinds import KINDS


class _Keys(msgspec.Struct):
    """What names the entity in `data`; streams without such a field are keyed by the account."""

    contact_id: Any = None
    initial_contact_id: Any = None
    ticket_id: Any = None
    survey_id: Any = None
    agent_id: Any = None


class _Envelope(msgspec.Struct):
    """What columns take of an event that was already judged."""

    id: str
    source: str
    type: str
    time: str
    tenantid: str
    data: _Keys
    accountid: Any = None


_envelope = msgspec.json.Decoder(_Envelope).decode


def source_rows(record: Record, stream: str) -> Rows:
    """The event as it came, and its erasure if it is one; nothing of a heartbeat or of what the worker
    rejects.

    The stream's decoder is the worker's own judgement, so the two tables add up to the topic's events.
    """
    raw = record.value
    judged = KINDS[stream].decode(raw, record.timestamp)
    if raw is None or isinstance(judged, Rejected | Heartbeat):
        return []
    try:
        event = _envelope(raw)
        ts = instant_ms(event.time)
    except (msgspec.MsgspecError, BadTimeError):
        return []
    entity = _entity_of(event, stream)
    row = (
        event.tenantid,
        event.source,
        event.id,
        stream,
        event.type,
        entity,
        str(event.accountid or ""),
        ts,
        raw,
        record.partition,
        record.offset,
        record.timestamp or UNKNOWN_MS,
        record.offset,
    )
    rows: Rows = [(RAW_EVENTS, row)]
    if not isinstance(judged, Ignored) and event.type == f"pulse.{stream}.deleted":
        rows.append((ERASURES, (event.tenantid, stream, entity)))
    return rows


def _entity_of(event: _Envelope, stream: str) -> str:
    data = event.data
    if stream == "call":
        return str(data.initial_contact_id or data.contact_id or "")
    return str(getattr(data, f"{stream}_id", event.accountid) or "")


def dead_letter_rows(record: Record) -> Rows:
    """What a worker rejected, by the place of the record it rejected."""
    texts = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    value = record.value or b""
    return [
        (
            REJECTED,
            (
                texts.get("topic") or record.topic,
                _number(texts.get("partition"), record.partition),
                _number(texts.get("offset"), record.offset),
                _number(texts.get("timestamp"), record.timestamp or UNKNOWN_MS),
                texts.get("reason", ""),
                texts.get("detail", ""),
                texts.get("version", ""),
                _number(texts.get("size"), len(value)),
                texts.get("sha256", ""),
                value,
                record.partition,
                record.offset,
            ),
        )
    ]


def _number(text: str | None, otherwise: int) -> int:
    """A header that must be a number at least 0; a foreign record keeps its own place."""
    return int(text) if text and text.isascii() and text.isdecimal() else otherwise
