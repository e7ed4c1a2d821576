"""One SELECT for a person: at the server, in the embedded engine, or through who holds that.

The embedded engine allows one process per path; while a running Pulse holds it, the board's
/api/sql answers in its stead, on loopback only.
"""

import json
import urllib.error
import urllib.request
from typing import Any, TypedDict

from pipeline.settings import Settings, Sink
from pipeline.sink.clickhouse import STORE_ERRORS, open_client

READ_ONLY = 2
"""ClickHouse's `readonly`: no writes, no DDL; the client's own settings stay possible."""


class Answer(TypedDict):
    """Columns by name and rows of plain JSON values."""

    columns: list[str]
    rows: list[list[Any]]


class AskError(RuntimeError):
    """The question cannot be answered; the message says why."""


def select(sink: Sink, query: str) -> Answer:
    """Ask directly. Raises AskError."""
    try:
        client = open_client(sink)
    except STORE_ERRORS as error:
        raise AskError(f"ClickHouse cannot be reached: {str(error)[:300]}") from error
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
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def ask(settings: Settings, query: str) -> Answer:
    """Ask whoever can answer. Raises AskError."""
    if settings.sink.url.get_secret_value().startswith("chdb:"):
        url = f"http://{settings.board.host}:{settings.board.port}/api/sql"
        request = urllib.request.Request(url, data=query.encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                answer: Answer = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise AskError(json.load(error)["error"]) from None
        except OSError:
            pass
    return select(settings.sink, query)
