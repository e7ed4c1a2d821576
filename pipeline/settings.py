"""Every setting: its type, default, meaning and bounds, checked all at once before anything is opened.

Sources, the stronger first: environment (`PULSE_KAFKA__BOOTSTRAP`), `pulse.toml` (another file by argument or
PULSE_CONFIG), defaults. It knows no client and opens nothing. docs/settings.md tells the same to operators.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, Secret, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipeline.settings_problems import (
    Problem,
    SettingsError,
    problems_of,
    refuse,
    unknown_variables,
)

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0 = any free port
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]

STREAMS = ("call", "ticket", "survey", "usage", "subscription", "account", "agent")
SINK_SCHEMES = ("chdb", "clickhouse", "clickhouses")


class SinkUrl(Secret[str]):
    """An address that may hold a password: shown with the password masked."""

    def _display(self) -> str:
        parts = urlsplit(self.get_secret_value())
        if parts.password is None:
            return parts.geturl()
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{parts.username or ''}:***@{host}").geturl()


class Section(BaseModel):
    """One group of settings; a name it does not know is an error: a typing mistake is not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Kafka(Section):
    bootstrap: str | None = Field(
        None, description="host:port[,host:port]; none: `pulse demo` starts a local broker"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how every client talks to the brokers"
    )
    ssl_cafile: Path | None = Field(
        None, description="PEM file of the authorities to trust; none: the system's"
    )
    ssl_certfile: Path | None = Field(None, description="PEM file of the client's certificate (mutual TLS)")
    ssl_keyfile: Path | None = Field(None, description="PEM file of the client's key, not encrypted")
    ssl_check_hostname: bool = Field(True, description="the broker's certificate must name its host")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how to authenticate under SASL_*"
    )
    sasl_username: str | None = Field(None, description="user under SASL_*")
    sasl_password: SecretStr | None = Field(None, description="password under SASL_*; better by environment")
    topic_prefix: Name = Field("pulse", description="first part of every topic's name")
    group: Name = Field(
        "pulse", description="consumer group of the workers; also begins every transactional id"
    )
    client_id: Name = Field("pulse", description="how brokers name our connections in their logs and quotas")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        sasl = self.security_protocol.startswith("SASL_")
        tls = self.security_protocol.endswith("SSL")
        named = [
            k for k in ("sasl_mechanism", "sasl_username", "sasl_password") if getattr(self, k) is not None
        ]
        files = [k for k in ("ssl_cafile", "ssl_certfile", "ssl_keyfile") if getattr(self, k) is not None]
        refuse(
            (not sasl or len(named) == 3, "sasl_mechanism", "SASL needs mechanism, user and password",
             "set sasl_mechanism, sasl_username and sasl_password"),
            (sasl or not named, "security_protocol", f"{', '.join(named)} set, but the protocol has no SASL",
             "use SASL_SSL (or SASL_PLAINTEXT), or remove them"),
            (tls or not files, "security_protocol", f"{', '.join(files)} set, but the protocol has no TLS",
             "use SSL or SASL_SSL, or remove them"),
            ((self.ssl_certfile is None) == (self.ssl_keyfile is None), "ssl_certfile",
             "a client certificate needs its key, and a key its certificate", "set both, or none"),
            (not tls or all(getattr(self, k).is_file() for k in files), "ssl_cafile",
             "a TLS file does not exist", f"check the paths of {', '.join(files)}"),
        )  # fmt: skip
        return self


class Worker(Section):
    commit_seconds: Seconds = Field(
        0.5, description="a changed partition is committed this often: the age of live numbers"
    )
    heartbeat_seconds: Seconds = Field(
        30.0, description="an unchanged partition commits headers this often: idle is told from dead"
    )
    commit_timeout_seconds: Seconds = Field(
        15.0, description="a commit longer than this ends the process; its successor restores"
    )
    max_batch: Count = Field(2000, description="events handed over at once")
    fetch_min_bytes: Count = Field(
        65536, description="a fetch waits for so much, which saves CPU at low rates"
    )
    fetch_max_wait_ms: Count = Field(100, description="but no longer than this")
    session_timeout_seconds: Seconds = Field(
        8.0, description="without heartbeats a worker is dead after this"
    )
    heartbeat_interval_seconds: Seconds = Field(
        1.0, description="between heartbeats to the group coordinator"
    )
    rebalance_timeout_seconds: Seconds = Field(20.0, description="closing partitions must fit in this")
    request_timeout_seconds: Seconds = Field(90.0, description="longest request to a broker")
    open_timeout_seconds: Seconds = Field(
        60.0, description="longest restore of a partition; exceeded, the process ends"
    )
    transaction_timeout_seconds: Seconds = Field(
        20.0, description="the broker aborts a dead worker's transaction after this; readers wait so long"
    )
    stall_seconds: Seconds = Field(60.0, description="lag without progress for this long ends the process")
    trim_age_seconds: Seconds = Field(
        604800.0, description="state-log records are kept at least this long (demo: 600)"
    )
    max_dead_letters: Count = Field(5000, description="more rejected events than this: commit earlier")
    max_dead_letter_bytes: Count = Field(8388608, description="more rejected bytes than this: commit earlier")
    state_compression: Literal["zstd", "snappy", "lz4", "none"] = Field(
        "zstd", description="codec of the state log; measured: zstd 2.3, snappy 1.2, lz4 14 ns per byte"
    )
    health_host: str = Field("127.0.0.1", description="address of the worker's /livez, /readyz and /metrics")
    health_port: Port = Field(8471, description="port of the same; 0 = any free one")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        refuse(
            (self.commit_timeout_seconds > self.commit_seconds, "commit_timeout_seconds",
             "is not longer than commit_seconds", "allow a commit several times the interval"),
            (self.heartbeat_seconds >= self.commit_seconds, "heartbeat_seconds",
             "is shorter than commit_seconds", "an idle commit cannot be more frequent than a busy one"),
            (self.session_timeout_seconds <= self.request_timeout_seconds, "session_timeout_seconds",
             "exceeds request_timeout_seconds", "raise the request time-out or lower the session's"),
            (self.heartbeat_interval_seconds * 3 <= self.session_timeout_seconds,
             "heartbeat_interval_seconds",
             "is more than a third of session_timeout_seconds", "one lost heartbeat must not end a session"),
            (self.open_timeout_seconds < self.request_timeout_seconds, "open_timeout_seconds",
             "is not shorter than request_timeout_seconds",
             "raise request_timeout_seconds: at that limit an open is cancelled without a word"),
            (self.commit_timeout_seconds < self.rebalance_timeout_seconds, "commit_timeout_seconds",
             "is not shorter than rebalance_timeout_seconds",
             "raise rebalance_timeout_seconds: a partition commits while it is revoked"),
            (self.commit_timeout_seconds <= self.transaction_timeout_seconds, "transaction_timeout_seconds",
             "is shorter than commit_timeout_seconds", "the broker would abort a commit still in progress"),
            (self.stall_seconds > max(self.commit_timeout_seconds, self.heartbeat_seconds), "stall_seconds",
             "is not longer than commit_timeout_seconds and heartbeat_seconds",
             "a slow or an idle worker is not a stalled one"),
        )  # fmt: skip
        return self


class Board(Section):
    host: str = Field(
        "127.0.0.1", description="address of /metrics, the JSON and the live page; 0.0.0.0 = all"
    )
    port: Port = Field(8470, description="port of the same; 0 = any free one")
    render_seconds: Seconds = Field(0.5, description="changed numbers are rendered at most this often")

    @property
    def called(self) -> str:
        """The host to call it by from here: who listens on every address listens on loopback."""
        return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - not bound


class Heartbeat(Section):
    """An event of our own through every source partition, to the board and to ClickHouse."""

    enabled: bool = Field(True, description="boards send one into each source partition")
    seconds: Seconds = Field(
        5.0, le=20, description="this often, at most 20; a sink looks twice as often what came through"
    )


class Sink(Section):
    url: SinkUrl = Field(
        SinkUrl("chdb://.pulse/clickhouse"),
        description="chdb://PATH (embedded), clickhouse://user:password@host:port/database, clickhouses://",
    )
    flush_rows: Count = Field(20000, description="rows that fill one insert")
    flush_bytes: Count = Field(8388608, description="bytes that fill one insert")
    flush_seconds: Seconds = Field(1.0, description="an insert waits no longer than this")
    insert_timeout_seconds: Seconds = Field(60.0, description="longest insert; exceeded, it is tried again")
    raw_events: bool = Field(True, description="keep every event in raw_events too (needed by rebuild)")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SinkUrl) -> SinkUrl:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in SINK_SCHEMES or not (parts.netloc or parts.path):
            raise ValueError(
                "use chdb://PATH, clickhouse://user:password@host:port/database or clickhouses://"
            )
        return url

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        longer = self.insert_timeout_seconds > self.flush_seconds
        refuse(
            (longer, "insert_timeout_seconds", "is not longer than flush_seconds", "allow it more time"),
        )
        return self


class Horizons(Section):
    """How far behind the watermark the state still takes an event of a kind."""

    bucket_seconds: Count = Field(21600, description="10-second buckets (6 h)")
    contact_seconds: Count = Field(3600, description="a contact, after its end (1 h)")
    callback_seconds: Count = Field(259200, description="a promised callback without an answer (72 h)")
    quarantine_seconds: Count = Field(604800, description="what contradicts itself (7 d)")
    stale_seconds: Count = Field(604800, description="a leg still open after this is a contradiction (7 d)")
    day_seconds: Count = Field(34560000, description="day buckets of tallies (400 d)")
    solved_seconds: Count = Field(2592000, description="a solved ticket, after its last event (30 d)")
    survey_seconds: Count = Field(2592000, description="a survey, after its last event (30 d)")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        refuse(
            (self.callback_seconds >= self.contact_seconds, "callback_seconds",
             "is shorter than contact_seconds", "a contact that awaits its callback outlives a finished one"),
            (self.stale_seconds >= self.bucket_seconds + 10, "stale_seconds",
             "is shorter than bucket_seconds + 10",
             "a leg becomes stale by the clock of its alarm, when its 10-second buckets are closed"),
            (self.day_seconds >= self.bucket_seconds, "day_seconds", "is shorter than bucket_seconds",
             "the day takes what 10-second buckets no longer take"),
        )  # fmt: skip
        return self


class Log(Section):
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level written")


class Settings(BaseSettings):
    """All settings, frozen. Made by `load`; tests make it by keyword: `Settings(kafka={"bootstrap": …})`."""

    model_config = SettingsConfigDict(
        env_prefix="PULSE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    streams: Annotated[tuple[str, ...], NoDecode] = Field(
        STREAMS, min_length=1, description="streams to work on, separated by commas"
    )
    data_dir: Path = Field(Path(".pulse"), description="what a local broker and the worker keep on disk")
    definitions: Path = Field(
        Path("definitions.toml"), description="declared metrics; the file may be absent"
    )
    kafka: Kafka = Kafka()
    worker: Worker = Worker()
    board: Board = Board()
    heartbeat: Heartbeat = Heartbeat()
    sink: Sink = Sink()
    horizons: Horizons = Horizons()
    log: Log = Log()

    @field_validator("streams", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        same_host = self.board.host == self.worker.health_host
        refuse(
            (len(set(self.streams)) == len(self.streams), "streams", "a stream is named twice",
             "name it once"),
            (not same_host or self.board.port == 0 or self.board.port != self.worker.health_port,
             "worker.health_port", "is the board's port", "give board and worker different ports"),
        )  # fmt: skip
        return self

    def public(self) -> dict[str, Any]:
        """All values as plain JSON data, secrets masked: for the log line at the start and `check-config`."""
        return self.model_dump(mode="json")


def load(path: Path | None = None) -> Settings:
    """Read environment and file. `path` (or PULSE_CONFIG) must exist; `pulse.toml` may be absent.

    Raises SettingsError with every problem found; the command line ends with exit code 2 on it.
    """
    named = path or (Path(os.environ["PULSE_CONFIG"]) if os.environ.get("PULSE_CONFIG") else None)
    if named is not None and not named.is_file():
        raise SettingsError([Problem(str(named), "no such file", "correct --config or PULSE_CONFIG")])

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = TomlConfigSettingsSource(settings_cls, named or Path("pulse.toml"))
            return (init_settings, env_settings, file)

    found = unknown_variables(os.environ, Settings)
    try:
        settings = FromFile()
    except (
        ValueError
    ) as error:  # ValidationError, unreadable TOML and unreadable variables are all of this class
        raise SettingsError([*found, *problems_of(error, Settings)]) from None
    if found:
        raise SettingsError(found)
    return settings
