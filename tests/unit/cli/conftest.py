"""Runs `pulse` in this process, in an empty folder, and leaves its logging behind."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.telemetry import CLIENTS

Pulse = Callable[..., Result]


@pytest.fixture
def pulse(tmp_path, monkeypatch) -> Iterator[Pulse]:
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, CLIENTS)]
    handlers, levels, configured = root.handlers[:], [each.level for each in loggers], structlog.get_config()

    def run(*arguments: object, code: int = 0, **options: object) -> Result:
        result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False, **options)
        assert result.exit_code == code, result.output
        return result

    yield run
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    structlog.configure(**configured)
