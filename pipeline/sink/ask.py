"""One SELECT for a person: at the server, in the embedded engine, or through who holds that.

The embedded engine allows one process per path; while a running Pulse holds it, the board's
/api/sql answers in its stead, on loopback only.
"""

import fcntl
import json
import urllib.error
import urllib.request
from http import HTTPStatus
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypedDict
from urllib.parse import unquote, urlsplit

from pipeline.settings import Settings, Sink
from pipeline.sink.clickhouse import STORE_ERRORS, open_client

READ_ONLY: Final = 2
"""ClickHouse's `readonly`: no writes, no DDL; the client's own settings stay possible."""
ANSWER_SECONDS: Final = 60


class Answer(TypedDict):
    """Columns by name and rows of plain JSON values."""

    columns: list[str]
    rows: list[list[Any]]


class AskError(RuntimeError):
    """The question cannot be answered; the message says why."""


class UnavailableError(AskError):
    """There is nobody to ask."""


def select(sink: Sink, query: str) -> Answer:
    """Ask directly. Raises AskError."""
    try:
        client = open_client(sink)
    except STORE_ERRORS as error:
        raise UnavailableError(f"ClickHouse cannot be reached: {str(error)[:300]}") from error
    try:
        result = client.query(query, settings={"readonly": READ_ONLY})
        return Answer(
            columns=list(result.column_names),
            rows=[[_plain(value) for value in row] for row in result.result_rows],
        )
    except STORE_ERRORS as error:
        raise AskError(str(error)[:500]) from error
    finally:
        client.close()


def _plain(value: object) -> object:
    """What JSON can say; it has no word for 0/0, which is absent."""
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def ask(settings: Settings, query: str) -> Answer:
    """Ask whoever can answer. Raises AskError."""
    url = urlsplit(settings.sink.url.get_secret_value())
    if url.scheme == "chdb":
        folder = Path(unquote(url.netloc + url.path))
        if not (folder / "metadata").exists():
            raise UnavailableError(
                f"There is no embedded ClickHouse in {folder}: run `pulse demo` first, or name another"
                " with --dir or PULSE_SINK__URL."
            )
        if _is_held(folder / "status"):
            return _ask_holder(settings, folder, query)
    return select(settings.sink, query)


def _is_held(status: Path) -> bool:
    """Whether a process has the folder open: the engine makes and locks this file while it runs."""
    try:
        file = status.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _ask_holder(settings: Settings, folder: Path, query: str) -> Answer:
    url = f"http://{settings.board.called}:{settings.board.port}/api/sql"
    request = urllib.request.Request(url, data=query.encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310
            answer: Answer = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.BAD_REQUEST:
            raise AskError(json.load(error)["error"]) from None
        reason = f"answers {error.code}"
    except OSError as error:
        reason = f"does not answer ({error})"
    raise UnavailableError(
        f"A running Pulse holds {folder}, and {url} {reason}: set PULSE_BOARD__HOST and"
        " PULSE_BOARD__PORT to where its board listens."
    )
