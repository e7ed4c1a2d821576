"""What the broker says of our topics and of our group. Blocks: call it in a thread."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import structlog
from faust.types import TP
from kafka import TopicPartition
from kafka.errors import KafkaError

from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import Severity, Topic, check
from pipeline.runtime.opening import RefusedError

log = structlog.get_logger("pulse.worker")


class Topics(NamedTuple):
    """Topics that would lose or misread records, and partition counts."""

    wrong: dict[str, RefusedError]
    partitions: dict[str, int]


def look_at_topics(clients: Clients, declared: tuple[Topic, ...], sources: Iterable[str]) -> Topics:
    """Faust's own count of partitions is missing for a while after a rebalance. Raises KafkaError."""
    asked = sorted(sources)
    if not asked:
        return Topics({}, {})
    admin = clients.admin()
    try:
        wrong = {
            finding.topic: RefusedError(f"{finding.topic} {finding.what}", finding.command)
            for finding in check(admin, declared)
            if finding.severity is Severity.ERROR
        }
        described = admin.describe_topics(asked)
        return Topics(wrong, {each["name"]: len(each["partitions"]) for each in described})
    finally:
        admin.close()


def warn_of_group_offsets(clients: Clients, group: str, next_offsets: Mapping[TP, int]) -> None:
    """The log is right; another offset in the group means that somebody moved it."""
    try:
        admin = clients.admin()
        try:
            told = admin.list_group_offsets({group: None})[group]
        finally:
            admin.close()
    except KafkaError as error:
        log.warning("GroupOffsetsNotRead", error=repr(error))
        return
    for tp, next_offset in next_offsets.items():
        found = told.get(TopicPartition(tp.topic, tp.partition))
        if found is not None and found.offset not in (-1, next_offset):
            log.warning(
                "GroupOffsetDiffers",
                topic=tp.topic,
                partition=tp.partition,
                group_offset=found.offset,
                next_offset=next_offset,
            )
