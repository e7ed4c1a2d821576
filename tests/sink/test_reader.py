"""How the sink's consumer keeps its place in the group, on a real broker."""

import time

from pipeline.kafka.clients import Clients
from pipeline.kafka.topics import create_missing, declared_topics
from pipeline.settings import Worker
from pipeline.sink.reader import KafkaLog

SECONDS = 30
A_MILLISECOND = 0.001


class Watched(KafkaLog):
    has_joined = False

    def on_partitions_assigned(self, assigned):
        self.has_joined = True
        super().on_partitions_assigned(assigned)


def test_a_rejoin_longer_than_a_poll_is_not_forgotten(own_kafka):
    """The topics appear after the group has formed; each poll ends in the middle of the rejoin they cause."""
    clients = Clients(own_kafka)
    topics = declared_topics(own_kafka.topic_prefix, ["call"])
    log = Watched(clients, f"{own_kafka.group}.sink", [topic.name for topic in topics], Worker())
    try:
        until = time.monotonic() + SECONDS
        while not log.has_joined:
            assert time.monotonic() < until
            log.poll(0.2)
        assert log.positions() == {}
        admin = clients.admin()
        create_missing(admin, topics, local=True)
        admin.close()
        partitions = sum(topic.partitions_local for topic in topics)
        while len(log.positions()) < partitions:
            assert time.monotonic() < until
            log.poll(A_MILLISECOND)
    finally:
        log.close()
