"""Every client reaches a broker with TLS and SASL, and reads what the other library wrote."""

import gc
import logging
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition as AioPartition
from kafka import TopicPartition

from pipeline.kafka.clients import Clients, NoBrokerError, answers, running
from pipeline.local.kafka import LocalKafka
from pipeline.settings import Kafka

STORE_PASSWORD = "changeit"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1: the broker's key store, and the PEM a client trusts."""
    folder = tmp_path_factory.mktemp("tls")
    keytool = shutil.which("keytool")
    assert keytool, "keytool comes with Java: run `make parts`"
    store = ["-keystore", str(folder / "broker.p12"), "-storepass", STORE_PASSWORD, "-alias", "broker"]
    subprocess.run(
        [keytool, "-genkeypair", *store, "-storetype", "PKCS12", "-keyalg", "EC", "-dname", "CN=pulse",
         "-ext", "san=ip:127.0.0.1", "-ext", "bc=ca:true", "-validity", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem = folder / "ca.pem"
    subprocess.run(
        [keytool, "-exportcert", *store, "-rfc", "-file", str(pem)], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def secured(certificate, tmp_path_factory):
    """A broker that has a SASL_SSL listener beside its plain one."""
    broker = LocalKafka(tmp_path_factory.mktemp("secured"), say=print)
    secure_port = LocalKafka(Path("unused")).bootstrap.rpartition(":")[2]
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        'username="broker" password="b" user_pulse="s3cret";'
    )
    broker.add_listener(
        f"SASL_SSL://127.0.0.1:{secure_port}",
        {
            "ssl.keystore.location": str(certificate / "broker.p12"),
            "ssl.keystore.password": STORE_PASSWORD,
            "ssl.keystore.type": "PKCS12",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": jaas,
        },
    )
    with broker:
        yield Kafka(
            bootstrap=f"127.0.0.1:{secure_port}",
            security_protocol="SASL_SSL",
            ssl_cafile=certificate / "ca.pem",
            sasl_mechanism="PLAIN",
            sasl_username="pulse",
            sasl_password="s3cret",
        )


async def exchange(settings: Kafka, topic: str) -> None:
    clients = Clients(settings)
    admin = clients.admin()
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    producer = clients.producer()
    producer.send(topic, b"from kafka-python").get(timeout=20)
    producer.close()
    async with running(clients.aio_producer(transactional_id=f"{topic}-0")) as sender, sender.transaction():
        await sender.send_and_wait(topic, b"from aiokafka")
    assert await read_aiokafka(clients, topic) == [b"from kafka-python", b"from aiokafka"]
    assert read_kafka_python(clients, topic) == [b"from kafka-python", b"from aiokafka"]
    async with running(clients.aio_admin()) as aio_admin:
        assert topic in await aio_admin.list_topics()


async def read_aiokafka(clients, topic):
    async with running(clients.aio_consumer()) as consumer:
        consumer.assign([AioPartition(topic, 0)])
        await consumer.seek_to_beginning()
        return [(await consumer.getone()).value for _ in range(2)]


def read_kafka_python(clients, topic):
    consumer = clients.consumer(consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    values = [next(consumer).value for _ in range(2)]
    consumer.close()
    return values


async def test_all_clients_exchange_records(own_kafka):
    await exchange(own_kafka, f"{own_kafka.topic_prefix}.exchange")


async def test_all_clients_exchange_records_over_tls_with_sasl(secured):
    await exchange(secured, "exchange")


# kafka-python 3.0.12 does not close the socket of a failed handshake.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("changed", [{"sasl_password": "wrong"}, {"ssl_cafile": None}])
def test_a_wrong_password_or_an_unknown_authority_gets_no_answer(secured, changed, caplog):
    caplog.set_level(logging.CRITICAL, "kafka")  # a captured record would hold the socket until the very end
    threads = threading.active_count()
    assert not answers(Clients(Kafka(**secured.model_dump() | changed)))
    assert threading.active_count() == threads
    gc.collect()


def test_what_faust_needs_is_plain_data(secured):
    connection = Clients(secured).connection()
    assert connection.urls == (f"kafka://{secured.bootstrap}",)
    assert (connection.protocol, connection.mechanism) == ("SASL_SSL", "PLAIN")
    assert (connection.username, connection.password) == ("pulse", "s3cret")
    assert connection.tls is not None
    assert connection.tls.check_hostname


def test_the_host_name_check_can_be_switched_off():
    tls = Clients(
        Kafka(bootstrap="b:1", security_protocol="SSL", ssl_check_hostname=False)
    ).connection().tls  # fmt: skip
    assert tls is not None
    assert not tls.check_hostname


def test_without_an_address_the_error_says_what_to_set():
    with pytest.raises(NoBrokerError, match="PULSE_KAFKA__BOOTSTRAP"):
        _ = Clients(Kafka()).bootstrap


def test_several_addresses_are_split():
    assert Clients(Kafka(bootstrap="a:1, b:2")).bootstrap == ["a:1", "b:2"]
