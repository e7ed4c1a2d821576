"""The declared topics on a real broker: created once, and every way to differ is found."""

from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient
from msgspec.structs import replace

from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import Finding, Severity, TopicError, check, create_missing, declared_topics
from pipeline.settings import Kafka


@pytest.fixture
def admin(own_kafka: Kafka) -> Iterator[KafkaAdminClient]:
    client = Clients(own_kafka).admin()
    yield client
    client.close()


def create_as(admin, topic, *, partitions=4, **config):
    config = topic.config | {name.replace("_", "."): value for name, value in config.items()}
    create_missing(admin, [replace(topic, config=config, partitions_local=partitions)], local=True)


def the_topic(own_kafka, kind):
    topics = declared_topics(own_kafka.topic_prefix, ["call"])
    return next(topic for topic in topics if topic.kind == kind)


def test_created_topics_pass_the_check_and_are_created_once(admin, own_kafka):
    topics = declared_topics(own_kafka.topic_prefix, ["call"])
    created = create_missing(admin, topics, local=True)
    assert set(created) == {topic.name for topic in topics}
    assert check(admin, topics, local=True) == []
    assert create_missing(admin, topics, local=True) == []


def test_a_missing_topic_is_an_error_that_names_the_command(admin, own_kafka):
    source = the_topic(own_kafka, "source")
    assert check(admin, [source]) == [Finding(source.name, Severity.ERROR, "does not exist", "pulse topics")]


@pytest.mark.parametrize(
    ("kind", "changed", "severity"),
    [
        ("source", {"message_timestamp_type": "CreateTime"}, Severity.ERROR),
        ("source", {"cleanup_policy": "compact"}, Severity.ERROR),
        ("source", {"retention_ms": "3600000"}, Severity.WARNING),
        ("state", {"message_timestamp_type": "CreateTime"}, Severity.ERROR),
        ("state", {"cleanup_policy": "compact"}, Severity.ERROR),
        ("state", {"retention_ms": "604800000"}, Severity.ERROR),
        ("state", {"retention_bytes": "1073741824"}, Severity.ERROR),
        ("state", {"max_message_bytes": "1000000"}, Severity.ERROR),
        ("epochs", {"cleanup_policy": "delete"}, Severity.ERROR),
    ],
)
def test_a_config_that_differs_is_found_with_its_remedy(admin, own_kafka, kind, changed, severity):
    topic = the_topic(own_kafka, kind)
    create_as(admin, topic, partitions=topic.partitions_local, **changed)
    [finding] = check(admin, [topic], local=True)
    name = next(iter(changed)).replace("_", ".")
    assert finding.severity == severity
    assert finding.what.startswith(name)
    assert f"--entity-name {topic.name} --add-config {name}={topic.config[name]}" in finding.command


def test_more_than_declared_is_no_finding(admin, own_kafka):
    source = the_topic(own_kafka, "source")
    create_as(admin, source, retention_ms="-1")
    assert check(admin, [source], local=True) == []


def test_state_and_source_must_have_the_same_partitions(admin, own_kafka):
    source, state = the_topic(own_kafka, "source"), the_topic(own_kafka, "state")
    create_as(admin, source)
    create_as(admin, state, partitions=3)
    [finding] = check(admin, [source, state], local=True)
    assert (finding.topic, finding.severity) == (state.name, Severity.ERROR)
    assert "pulse rebuild --stream call" in finding.command


def test_another_partition_count_than_declared_is_a_warning(admin, own_kafka):
    source = the_topic(own_kafka, "source")
    create_as(admin, source, partitions=2)
    [finding] = check(admin, [source], local=True)
    assert finding.severity == Severity.WARNING


def test_an_unknown_stream_is_refused():
    with pytest.raises(TopicError, match=r"No topics for calls: streams may hold .*call"):
        declared_topics("pulse", ["calls"])
