"""Read the dead-letter topic. Its records are written by the workers, in their commits."""

from typing import Any, NamedTuple

from kafka import TopicPartition

from pipeline.kafka.clients import Clients


class Letter(NamedTuple):
    """One rejected event. `headers` are those of events.md §2, as text."""

    partition: int
    offset: int
    value: bytes
    headers: dict[str, str]

    @property
    def place(self) -> str:
        """Where it stands in the dead-letter topic: PARTITION:OFFSET."""
        return f"{self.partition}:{self.offset}"

    @property
    def source(self) -> str:
        """Where it stood: TOPIC/PARTITION@OFFSET."""
        h = self.headers
        return f"{h.get('topic', '?')}/{h.get('partition', '?')}@{h.get('offset', '?')}"

    @property
    def reason(self) -> str:
        return self.headers.get("reason", "?")

    @property
    def detail(self) -> str:
        return self.headers.get("detail", "")

    @property
    def size(self) -> int:
        """Bytes of the original record."""
        return int(self.headers.get("size", len(self.value)))

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"place": self.place, "source": self.source, **self.headers}


def read_letters(clients: Clients, topic: str, limit: int) -> list[Letter]:
    """The newest `limit` committed letters, oldest first. Raises kafka.errors.KafkaError."""
    consumer = clients.consumer()
    try:
        partitions = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            return []
        begin = consumer.beginning_offsets(partitions)
        end = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for tp in partitions:
            # Each commit leaves a marker, so some more are read than asked for.
            consumer.seek(tp, max(begin[tp], end[tp] - 2 * limit))
        found: list[Letter] = []
        times: dict[str, int] = {}
        while any(consumer.position(tp) < end[tp] for tp in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    headers = {name: raw.decode("utf-8", "replace") for name, raw in record.headers}
                    letter = Letter(record.partition, record.offset, record.value or b"", headers)
                    found.append(letter)
                    times[letter.place] = record.timestamp
        found.sort(key=lambda letter: (times[letter.place], letter.partition, letter.offset))
        return found[-limit:]
    finally:
        consumer.close()
