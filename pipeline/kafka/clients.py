"""The one place that turns `settings.kafka` into Kafka clients: addresses, TLS and SASL reach every one.

Defaults are the safe ones: readers see committed records only, commit nothing by themselves and never jump
when their position is gone; writers wait for all replicas. Callers override any option by keyword.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from pipeline.settings import Kafka

STOP_SECONDS = 10.0


class NoBrokerError(Exception):
    """No address of a Kafka is set."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What Faust needs to connect, as plain data: only the runtime may import Faust.

    `urls` are `kafka://host:port`. `mechanism`, `username` and `password` are None without SASL, `tls`
    without TLS.
    """

    urls: tuple[str, ...]
    protocol: str
    tls: ssl.SSLContext | None
    mechanism: str | None
    username: str | None
    password: str | None


class Clients:
    """Makes clients for one Kafka. kafka-python's connect when made, aiokafka's when started.

    aiokafka's are made inside a running loop. Raises NoBrokerError when no address is set, ssl.SSLError or
    OSError when the TLS files cannot be used.
    """

    def __init__(self, settings: Kafka) -> None:
        self._settings = settings

    @property
    def bootstrap(self) -> list[str]:
        """host:port of each broker to ask first."""
        hosts = [host.strip() for host in (self._settings.bootstrap or "").split(",") if host.strip()]
        if not hosts:
            raise NoBrokerError("No Kafka is configured: set PULSE_KAFKA__BOOTSTRAP, or use `pulse demo`.")
        return hosts

    def connection(self) -> Connection:
        s = self._settings
        password = s.sasl_password.get_secret_value() if s.sasl_password else None
        urls = tuple(f"kafka://{host}" for host in self.bootstrap)
        return Connection(urls, s.security_protocol, self._tls, s.sasl_mechanism, s.sasl_username, password)

    def aio_producer(self, **options: Any) -> AIOKafkaProducer:
        """An aiokafka producer, not started; `transactional_id=…` makes it transactional."""
        return AIOKafkaProducer(**self._common(acks="all", enable_idempotence=True) | options)

    def aio_consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """An aiokafka consumer, not started. Without `group_id` it belongs to no group."""
        return AIOKafkaConsumer(*topics, **self._common(**_READING) | options)

    def aio_admin(self, **options: Any) -> AIOKafkaAdminClient:
        """An aiokafka admin client, not started."""
        return AIOKafkaAdminClient(**self._common() | options)

    def consumer(self, *topics: str, **options: Any) -> KafkaConsumer:
        """A kafka-python consumer. Without `group_id` it belongs to no group."""
        return KafkaConsumer(*topics, **self._common(**_READING, allow_auto_create_topics=False) | options)

    def producer(self, **options: Any) -> KafkaProducer:
        """A kafka-python producer, connected."""
        return KafkaProducer(**self._common(acks="all", allow_auto_create_topics=False) | options)

    def admin(self, **options: Any) -> KafkaAdminClient:
        """A kafka-python admin client, connected; raises kafka.errors.KafkaError when no broker answers."""
        made: list[KafkaNetClient] = []

        def net_client(**config: Any) -> KafkaNetClient:
            made.append(KafkaNetClient(**config))
            return made[0]

        try:
            return KafkaAdminClient(**self._common(kafka_client=net_client) | options)
        except KafkaError:
            # kafka-python 3.0.12 leaves its I/O thread running when the first connection fails.
            for each in made:
                each.close()
                each._manager._net.stop()  # noqa: SLF001
            raise

    def _common(self, **options: Any) -> dict[str, Any]:
        """Options that aiokafka and kafka-python share, by the same names."""
        s = self._settings
        common: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "client_id": s.client_id,
            "security_protocol": s.security_protocol,
        }
        if self._tls is not None:
            common["ssl_context"] = self._tls
        if s.sasl_mechanism is not None and s.sasl_password is not None:
            common["sasl_mechanism"] = s.sasl_mechanism
            common["sasl_plain_username"] = s.sasl_username
            common["sasl_plain_password"] = s.sasl_password.get_secret_value()
        return common | options

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        s = self._settings
        if s.security_protocol not in {"SSL", "SASL_SSL"}:
            return None
        context = ssl.create_default_context(cafile=s.ssl_cafile)
        context.check_hostname = s.ssl_check_hostname
        if s.ssl_certfile is not None:
            context.load_cert_chain(s.ssl_certfile, s.ssl_keyfile)
        return context


_READING: dict[str, Any] = {
    "isolation_level": "read_committed",
    "enable_auto_commit": False,
    # The clients' own default jumps to the end in silence when a position was trimmed.
    "auto_offset_reset": "none",
}


def answers(clients: Clients, *, seconds: float = 2.0) -> bool:
    """Whether a broker answers a metadata request. Blocks up to several times `seconds`."""
    wait_ms = int(seconds * 1000)
    try:
        admin = clients.admin(bootstrap_timeout_ms=wait_ms, request_timeout_ms=wait_ms)
    except KafkaError:
        return False
    try:
        admin.list_topics()
    except KafkaError:
        return False
    finally:
        admin.close()
    return True


C = TypeVar("C", AIOKafkaProducer, AIOKafkaConsumer, AIOKafkaAdminClient)


@contextlib.asynccontextmanager
async def running(client: C) -> AsyncIterator[C]:
    """Start an aiokafka client and stop it at the end, also a half-started one.

    aiokafka 0.14 may hang in stop() while no broker answers, so stopping is bound in time.
    """
    try:
        await client.start()
        yield client
    finally:
        with contextlib.suppress(TimeoutError):
            stop = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
            await asyncio.wait_for(stop(), STOP_SECONDS)
