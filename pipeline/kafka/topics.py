"""The topics Pulse needs: what schemas/topics.toml declares, created where missing and checked where present.

It alters and deletes nothing: a topic that differs becomes a finding with the command that helps.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from pipeline.share import shared_file

Kind = Literal["source", "state", "dead_letters", "epochs"]


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of topics.toml; `name` carries the configured prefix. `config` is Kafka's, values as text."""

    name: str
    stream: str
    kind: Kind
    partitions: int
    partitions_local: int
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    retention: str
    config: dict[str, str]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topic: tuple[Topic, ...]


class Severity(StrEnum):
    """`error`: roles refuse to work or lose data. `warning`: they work, somebody must look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    topic: str
    severity: Severity
    what: str
    command: str


class TopicError(Exception):
    """A stream is configured that has no topics."""


# A value other than the declared one changes what a record means.
_EXACT = ("message.timestamp.type", "cleanup.policy")
# Less than declared loses records, or refuses them; -1 is without limit.
_AT_LEAST = ("retention.ms", "retention.bytes", "max.message.bytes")


def declared_topics(prefix: str = "pulse", streams: Iterable[str] | None = None) -> tuple[Topic, ...]:
    """The declared topics under `prefix`, of `streams` (none = all) and those that belong to every stream.

    Raises TopicError for a stream that topics.toml does not know.
    """
    text = shared_file("schemas/topics.toml").read_text(encoding="utf-8")
    topics = msgspec.convert(tomllib.loads(text), _File).topic
    known = {topic.stream for topic in topics} - {"*"}
    wanted = known if streams is None else set(streams)
    if strange := wanted - known:
        names = ", ".join(sorted(strange))
        raise TopicError(f"No topics for {names}: streams may hold {', '.join(sorted(known))}.")
    return tuple(
        msgspec.structs.replace(topic, name=f"{prefix}.{topic.name.removeprefix('pulse.')}")
        for topic in topics
        if topic.stream in wanted or topic.stream == "*"
    )


def create_missing(
    admin: KafkaAdminClient,
    topics: Iterable[Topic],
    *,
    local: bool = False,
    replication_factor: int = -1,
) -> list[str]:
    """Create what is missing and return the names created, when they can be used.

    `local` takes `partitions_local`; `replication_factor` -1 is the broker's default.
    Raises kafka.errors.KafkaError.
    """
    present = set(admin.list_topics())
    missing = {
        topic.name: {
            "num_partitions": topic.partitions_local if local else topic.partitions,
            "replication_factor": replication_factor,
            "configs": topic.config,
        }
        for topic in topics
        if topic.name not in present
    }
    if missing:
        admin.create_topics(missing, wait_for_metadata=True)
    return list(missing)


def check(admin: KafkaAdminClient, topics: Iterable[Topic], *, local: bool = False) -> list[Finding]:
    """Compare what exists with what is declared; no findings = all is well."""
    topics = tuple(topics)
    present = set(admin.list_topics()) & {topic.name for topic in topics}
    partitions = _partitions(admin, present)
    configs = _configs(admin, present)
    findings = []
    for topic in topics:
        if topic.name not in present:
            findings.append(Finding(topic.name, Severity.ERROR, "does not exist", "pulse topics"))
            continue
        findings += _partition_findings(topic, topics, partitions, local=local)
        findings += _config_findings(topic, configs[topic.name])
    return findings


def _partition_findings(
    topic: Topic, topics: tuple[Topic, ...], partitions: Mapping[str, int], *, local: bool
) -> list[Finding]:
    count = partitions[topic.name]
    expected = topic.partitions_local if local else topic.partitions
    source = next((t for t in topics if t.kind == "source" and t.stream == topic.stream), None)
    if topic.kind == "state" and source is not None and partitions.get(source.name, count) != count:
        what = f"has {count} partitions, {source.name} has {partitions[source.name]}: they must be alike"
        rebuild = f"pulse rebuild --stream {topic.stream} --since YYYY-MM-DD"
        return [Finding(topic.name, Severity.ERROR, what, rebuild)]
    if count == expected:
        return []
    what = f"has {count} partitions, topics.toml says {expected}"
    command = f"set {'partitions_local' if local else 'partitions'} = {count} in schemas/topics.toml"
    return [Finding(topic.name, Severity.WARNING, what, command)]


def _config_findings(topic: Topic, actual: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            topic.name,
            _severity(topic, name),
            f"{name} is {actual[name]}, must be {must}",
            _alter(topic, name),
        )
        for name, must in topic.config.items()
        if (name in _EXACT and actual[name] != must)
        or (name in _AT_LEAST and _unlimited(actual[name]) < _unlimited(must))
    ]


def _severity(topic: Topic, name: str) -> Severity:
    """Too short a retention costs a rebuild of a source; it costs the state log its state."""
    short = name.startswith("retention.") and topic.kind != "state"
    return Severity.WARNING if short else Severity.ERROR


def _unlimited(value: str) -> float:
    return float("inf") if int(value) < 0 else int(value)


def _alter(topic: Topic, name: str) -> str:
    change = f"--add-config {name}={topic.config[name]}"
    place = f"--entity-type topics --entity-name {topic.name}"
    return f"kafka-configs.sh --bootstrap-server HOST:PORT --alter {place} {change}"


def _partitions(admin: KafkaAdminClient, names: set[str]) -> dict[str, int]:
    described = admin.describe_topics(sorted(names)) if names else []
    return {each["name"]: len(each["partitions"]) for each in described}


def _configs(admin: KafkaAdminClient, names: set[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(names)]
    answer: dict[str, dict[str, dict[str, Any]]] = admin.describe_configs(asked, config_filter="all")
    return {
        name: {key: str(entry["value"]) for key, entry in values.items()}
        for name, values in answer["topic"].items()
    }
