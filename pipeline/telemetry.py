"""Logs and metrics of the process itself: how a log line looks, and the one registry that metrics belong to.

Log events are past tense (`partition_opened`), levels go by consequence: warning = nothing lost, error = data
lost or somebody must act, debug never per event. A Telemetry is made once and handed on.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from pipeline.settings import Log

NAMESPACE = "pulse"
CLIENTS = ("kafka", "aiokafka", "faust", "mode", "urllib3", "clickhouse_connect")


def configure_logging(log: Log, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records (Faust, Kafka clients) to `stream`, else to stderr.

    JSON lines begin with `ts` (RFC 3339, UTC), `level`, `event`; `auto` means console on a terminal.
    Tracebacks are without local variables, which may hold secrets.
    """
    out = stream if stream is not None else sys.stderr
    console = log.format == "console" or (log.format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp" if console else "ts"),
        structlog.processors.StackInfoRenderer(),
    ]
    ending: list[Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if console
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            _ordered,
            structlog.processors.JSONRenderer(),
        ]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    # The clients tell every reconnect and rebalance at info; ours are the events that matter.
    for noisy in CLIENTS:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _ordered(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = {name: event.pop(name) for name in ("ts", "level", "event") if name in event}
    return first | dict(event)


class Repeats(logging.Filter):
    """Lets each message of a client library through once per 10 s, with how many were held back.

    While a broker is away the clients write hundreds of lines a second, and what matters drowns.
    Our own lines all pass.
    """

    every_seconds = 10.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        key = (record.name, str(record.msg))
        now = self._clock()
        told_at, held = self._told.get(key, (-self.every_seconds, 0))
        if now - told_at < self.every_seconds:
            self._told[key] = (told_at, held + 1)
            return False
        self._told[key] = (now, 0)
        if held:
            record.suppressed = held
        return True


class Telemetry:
    """Owns one registry; `pulse_` is put before each name. A name is made once: twice is a ValueError.

    Label values come from closed sets, never ids, addresses or exception texts.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # A `_created` series beside each counter doubles the scrape and tells nothing we use. The switch is
        # the library's own and process-wide, so it is set before the first metric is made.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry if registry is not None else CollectorRegistry()

    def counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        """`name` without `_total`, which the library appends."""
        return Counter(name, help_text, labels, namespace=NAMESPACE, registry=self.registry)

    def gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, help_text, labels, namespace=NAMESPACE, registry=self.registry)

    def histogram(
        self, name: str, help_text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        """`buckets` are upper bounds in the unit the name ends in, usually seconds."""
        return Histogram(
            name, help_text, labels, namespace=NAMESPACE, registry=self.registry, buckets=buckets
        )

    def render(self) -> bytes:
        """All series of the registry in Prometheus' text format."""
        return generate_latest(self.registry)
