# The only list of commands. `make` alone explains itself; every target is non-interactive.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILE := PULSE_CORE=interpreted $(BIN)/python -m pipeline.local.compile
CORE_TESTS := tests/test_cases.py tests/contract/test_decoder.py tests/unit/events tests/unit/entities \
  $(addprefix tests/unit/state/test_, heartbeats.py horizons.py ledger.py partition.py partition_laws.py restore_model.py \
  subscription_laws.py tallied.py ticket_horizons.py usage_laws.py)
SEED ?= 1
.DEFAULT_GOAL := help
.PHONY: help setup demo test compiled test-compiled check lint types format chaos bench parts kafka-jars dashboards look lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the locked dependencies and the command .venv/bin/pulse

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Pulse needs Python 3.11 or newer: install it, or name it: make setup PYTHON=python3.12'; exit 1; }
	@echo 'Setting up $(VENV): about 320 MB are downloaded (most of it the embedded ClickHouse), 1.2 GB installed.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'Python has no venv module: on Debian and Ubuntu install python3-venv.'; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $(STAMP)

demo: setup ## a local Kafka, simulated traffic, the board and ClickHouse in one process; Ctrl-C ends it
	$(BIN)/pulse demo

test: setup parts kafka-jars ## everything, against a real broker, ClickHouse, Prometheus tools and a browser (COV=1: coverage)
	PULSE_CORE=interpreted $(BIN)/python -m pytest $(if $(COV),--cov --cov-report=term)
	$(MAKE) --no-print-directory test-compiled

compiled: setup ## compile the hot part of the core: less CPU, the same numbers (needs a C compiler and Python's headers)
	@$(COMPILE)

test-compiled: compiled ## the cases, and the tests of what is compiled, on the compiled core
	PULSE_CORE=compiled $(BIN)/python -m pytest $(CORE_TESTS)

check: lint types ## the fast check, under a minute: format, lint, types, unit and contract tests
	PULSE_CORE=interpreted $(BIN)/python -m pytest -q tests/unit tests/contract tests/test_imports.py

lint: setup ## style and format, nothing is changed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## static types of the package
	$(BIN)/mypy

format: setup ## rewrite the code in the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

chaos: setup kafka-jars ## workers and broker killed for minutes; the same SEED gives the same plan
	$(BIN)/python -m pytest tests/runtime/test_chaos.py --long --seed $(SEED)

bench: setup kafka-jars ## throughput, latency, restore, scrape; one JSON line each
	@for bench in bench/[a-z]*.py; do $(BIN)/python $$bench || exit 1; done

parts: setup ## install what the tests need of the system (Prometheus, Chromium, Java, Maven, wget, gcc) where it is missing
	@tests/parts.sh $(BIN)/python

kafka-jars: setup ## fetch the jars of the local Kafka once (about 43 MB, into the user's cache)
	@$(BIN)/python -m pipeline.local.jars

dashboards: setup ## write deploy/grafana/dashboards anew from the code beside it
	$(BIN)/python -m deploy.grafana

look: setup parts kafka-jars ## pictures of the dashboards, drawn by Grafana's own components, in .pulse/look (needs npm; 5 minutes)
	PULSE_CORE=interpreted $(BIN)/python -m tests.deploy.look

PIN := pip-compile --quiet --generate-hashes --strip-extras --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

COMPILED_EXTRA := import tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["compiled"], sep="\n")

lock: setup ## pin every dependency anew, with hashes (needs pip-tools on the PATH)
	$(PIN) --extra dev --extra embedded --allow-unsafe -o requirements.lock pyproject.toml
	# What the container image holds: neither tools nor the embedded ClickHouse.
	$(PIN) -c requirements.lock -o requirements.image.lock pyproject.toml
	# What compiles the core while the image is built.
	$(BIN)/python -c '$(COMPILED_EXTRA)' | $(PIN) --allow-unsafe -c requirements.lock -o requirements.compile.lock -

clean: ## remove caches and the demo's data (.pulse); .venv stays
	rm -rf .pulse .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov build dist pipeline/_compiled
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
