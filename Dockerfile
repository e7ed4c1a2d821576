# The aggregate, board and sink of Pulse, and its commands. No compiler, no tools, no embedded ClickHouse.
# Not the slim one: it has the C compiler and the headers that the core is compiled with.
FROM python:3.11.14-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/pulse
# Before the source: dependencies change rarely, and their layer is kept.
COPY requirements.image.lock ./
RUN /opt/pulse/bin/pip install --require-hashes --only-binary :all: -r requirements.image.lock
COPY pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
COPY schemas schemas
COPY deploy/clickhouse deploy/clickhouse
COPY deploy/kafka deploy/kafka
RUN python -m pip wheel --no-deps --wheel-dir /wheels . \
    && /opt/pulse/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/pulse/bin/pip uninstall --yes pip setuptools
# What compiles the core stays beside what is installed, and behind in this stage.
COPY requirements.compile.lock ./
RUN python -m pip install --require-hashes --only-binary :all: --target /tools -r requirements.compile.lock
WORKDIR /
RUN PYTHONPATH=/tools PULSE_CORE=interpreted /opt/pulse/bin/python -m pipeline.local.compile

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="Pulse" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/pulse /opt/pulse
# Inside a container "all addresses" are those of its own network; what the host shows is the host's choice.
ENV PATH=/opt/pulse/bin:$PATH \
    PULSE_CORE=compiled \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PULSE_BOARD__HOST=0.0.0.0 \
    PULSE_WORKER__HEALTH_HOST=0.0.0.0 \
    PULSE_LOG__FORMAT=json
# Where `simulate --keep` may write: a volume mounted there belongs to the user below.
RUN install --directory --owner=10001 --group=10001 /var/lib/pulse
# A number rather than a name: what runs containers can then see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8470 8471
STOPSIGNAL SIGTERM
# Restoring may take as long as worker.open_timeout_seconds.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "pipeline.local.ready"]
ENTRYPOINT ["pulse"]
CMD ["run"]
