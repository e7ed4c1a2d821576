"""Rows of events that ClickHouse refuses, kept in `<prefix>.sink.dlq` with the bytes of the record.

Source: clickhouse.md §5: a refused row is our own bug. It is acknowledged here before its offset is
committed there.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline.events.rejects import MAX_EVENT_BYTES
from pipeline.kafka.clients import Clients
from pipeline.sink.tables import RAW_EVENTS
from pipeline.sink.writer import LettersUnavailableError, Refused

log = structlog.get_logger("pulse.sink")

ACKNOWLEDGE_SECONDS: Final = 60.0


class SinkLetters:
    """Sends refused rows; connects with the first one."""

    def __init__(self, clients: Clients, topic: str) -> None:
        self._clients = clients
        self._topic = topic
        self._producer: KafkaProducer | None = None

    def send(self, letters: Sequence[Refused]) -> None:
        """Returns when every letter is acknowledged. Raises LettersUnavailableError."""
        try:
            self._send(letters)
        except KafkaError as error:
            raise LettersUnavailableError(f"{self._topic}: {error!r}") from error
        log.error("RowsRefused", rows=len(letters), topic=self._topic, error=letters[0].error)

    def _send(self, letters: Sequence[Refused]) -> None:
        if self._producer is None:
            self._producer = self._clients.producer()
        sent = [
            self._producer.send(self._topic, value=record_value(letter), headers=record_headers(letter))
            for letter in letters
        ]
        self._producer.flush()
        for future in sent:
            future.get(timeout=ACKNOWLEDGE_SECONDS)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=5)


def record_value(letter: Refused) -> bytes:
    """The bytes of the source record, or of the dead letter it was, cut at 64 KiB."""
    column = "payload" if letter.table is RAW_EVENTS else "value"
    value: bytes = letter.row[letter.table.columns.index(column)]
    return value[:MAX_EVENT_BYTES]


def record_headers(letter: Refused) -> list[tuple[str, bytes]]:
    """As dead letters of the worker, `reason` being `refused`, and the table that refused."""
    topic, partition = letter.place
    column = "payload" if letter.table is RAW_EVENTS else "value"
    value: bytes = letter.row[letter.table.columns.index(column)]
    fields = {
        "topic": topic,
        "partition": partition,
        "offset": letter.row[-1],
        "reason": "refused",
        "detail": letter.error,
        "table": letter.table.name,
        "size": len(value),
        "sha256": sha256(value).hexdigest(),
    }
    return [(name, str(text).encode("utf-8", "replace")) for name, text in fields.items()]
