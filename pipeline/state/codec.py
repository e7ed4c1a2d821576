"""State-log records: keys and absolute values as msgpack, and the headers that describe them.

Source: architecture.md §2. One record = [[key, value], …], at most 512 KiB before
compression; value nil = has left the worker's memory, which erases nothing anywhere.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.entities.contact import Chain
from pipeline.events.names import word
from pipeline.metrics.buckets import LEVEL, BucketKey, Cells, LevelValue

STATE_FORMAT: Final = 6
MAX_RECORD_BYTES: Final = 512 * 1024
ENTITIES: Final = "entities"
BUCKETS: Final = "buckets"
EMPTY_RECORD: Final = b"\x90"
"""msgpack of []: the record of a commit that only says "alive"."""
_SPLIT: Final = 2000

WireKey: TypeAlias = tuple[str, str, str, tuple[str, ...], int]
WireBucket: TypeAlias = tuple[str, list[int], list[int], list[int]] | None
"""(cause, flat cells or counts, oldest, scheduled); the last two are empty but for levels."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_buckets: Final = msgspec.msgpack.Decoder(list[tuple[WireKey, WireBucket]]).decode
_decode_raw: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class StateLogError(RuntimeError):
    """A state-log record cannot be read: another format, or not ours at all."""


class Header(NamedTuple):
    """What every state-log record says of its partition. `restore_from` −1 = the beginning."""

    kind: str
    next_offset: int
    watermark: int
    restore_from: int
    epoch: int
    floor: int
    partitions: int
    format: str
    part: str = "1/1"
    is_slice: bool = False

    @property
    def is_last_part(self) -> bool:
        """Whether the commit this record belongs to is complete with it."""
        index, _, count = self.part.partition("/")
        return index == count


def write_header(header: Header) -> list[tuple[str, bytes]]:
    """As Kafka headers; `slice` only on records of the rolling snapshot."""
    fields = [(name, str(getattr(header, name)).encode()) for name in header._fields if name != "is_slice"]
    return [*fields, ("slice", b"1")] if header.is_slice else fields


def read_header(headers: Iterable[tuple[str, bytes | None]]) -> Header:
    """Raises StateLogError when a header is missing or no number."""
    texts = {name: (text or b"").decode("ascii", "replace") for name, text in headers}
    try:
        return Header(
            texts["kind"],
            int(texts["next_offset"]),
            int(texts["watermark"]),
            int(texts["restore_from"]),
            int(texts["epoch"]),
            int(texts["floor"]),
            int(texts["partitions"]),
            texts["format"],
            texts.get("part", "1/1"),
            "slice" in texts,
        )
    except (KeyError, ValueError) as error:
        raise StateLogError(f"not a state-log record: header {error}") from error


def state_format(stored: str) -> str:
    """The `format` header: the layout's number and what is declared and stored in buckets
    (Definitions.stored).
    """
    return f"{STATE_FORMAT}-{stored}" if stored else str(STATE_FORMAT)


def declared_apart(format_: str, other: str) -> list[str] | None:
    """Names of the parameters declared differently behind two formats; None: the layouts differ."""
    layout, _, stored = format_.partition("-")
    other_layout, _, other_stored = other.partition("-")
    pairs = {*filter(None, stored.split(","))} ^ {*filter(None, other_stored.split(","))}
    if layout != other_layout or not all(":" in pair for pair in pairs):
        return None
    return sorted({pair.partition(":")[0] for pair in pairs})


def encode_entities(pairs: Sequence[tuple[str, Any]]) -> list[bytes]:
    """Records of at most MAX_RECORD_BYTES (one entity alone may exceed it)."""
    return _pack(pairs)


def encode_buckets(
    pairs: Sequence[tuple[BucketKey, str, Cells | LevelValue | None]],
) -> list[bytes]:
    """Records of buckets with the cause of their last change."""
    return _pack([(key, _wire(cause, value)) for key, cause, value in pairs])


def _wire(cause: str, value: Cells | LevelValue | None) -> WireBucket:
    if value is None:
        return None
    if isinstance(value, LevelValue):
        return (cause, _flat(value.counts), value.oldest, value.scheduled)
    return (cause, _flat(value), [], [])


def _flat(cells: Cells) -> list[int]:
    return [number for pair in sorted(cells.items()) for number in pair]


def _pack(pairs: Sequence[Any]) -> list[bytes]:
    records = []
    for first in range(0, len(pairs), _SPLIT):
        records.extend(_halve(pairs[first : first + _SPLIT]))
    return records


def _halve(pairs: Sequence[Any]) -> list[bytes]:
    raw = _encode(pairs)
    if len(raw) <= MAX_RECORD_BYTES or len(pairs) == 1:
        return [raw]
    middle = len(pairs) // 2
    return _halve(pairs[:middle]) + _halve(pairs[middle:])


def join(records: Sequence[bytes]) -> list[bytes]:
    """The same pairs in fewer records. Each input is itself a record of this module."""
    joined: list[bytes] = []
    pairs: list[msgspec.Raw] = []
    size = 0
    for raw in records:
        if pairs and size + len(raw) > MAX_RECORD_BYTES:
            joined.append(_encode(pairs))
            pairs, size = [], 0
        pairs += _decode_raw(raw)
        size += len(raw)
    if pairs:
        joined.append(_encode(pairs))
    return joined


@cache
def _entities_decoder(entity: Any) -> msgspec.msgpack.Decoder[list[tuple[str, Any]]]:
    return msgspec.msgpack.Decoder(list[tuple[str, entity | None]])


def decode_entities(raw: bytes, entity: Any = Chain) -> list[tuple[str, Any]]:
    """Keys and entities of one record, None for what left. Raises StateLogError."""
    try:
        return _entities_decoder(entity).decode(raw)
    except msgspec.MsgspecError as error:
        raise StateLogError(f"unreadable entities: {error}") from error


_DIMS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
_DIMS_KEPT: Final = 10_000


def _shared(key: WireKey) -> WireKey:
    """The key made of texts that other keys have too: there are as many keys as days, and few texts."""
    grain, family, tenant, dims, start = key
    known = _DIMS.get(dims)
    if known is None:
        if len(_DIMS) >= _DIMS_KEPT:
            _DIMS.clear()
        known = _DIMS[dims] = dims
    return word(grain), word(family), word(tenant), known, start


def decode_buckets(raw: bytes) -> list[tuple[BucketKey, str, Cells | LevelValue | None]]:
    """(key, cause, value) of one record. Raises StateLogError."""
    try:
        pairs = _decode_buckets(raw)
        return [(_shared(key), wire[0] if wire else "", _value(key, wire)) for key, wire in pairs]
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateLogError(f"unreadable buckets: {error}") from error


def _value(key: BucketKey, wire: WireBucket) -> Cells | LevelValue | None:
    if wire is None:
        return None
    _, flat, oldest, scheduled = wire
    cells = dict(zip(flat[::2], flat[1::2], strict=True))
    return LevelValue(cells, oldest, scheduled) if key[0] == LEVEL else cells
