"""Every class of error, provoked on the real engine or on a server that fails as told."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.settings import Sink
from pipeline.sink.clickhouse import STORE_ERRORS, Remedy, Store, open_client, remedy
from pipeline.sink.event_rows import source_rows
from pipeline.sink.tables import ERASURES, RAW_EVENTS, REJECTED
from tests.builders import event
from tests.sink.told import source_record

LETTER = ("pulse.call", 0, 1, 1_772_442_000_000, "bad_type", "d", "v", 1, "s", b"x", 0, 1)


def raised(act):
    with pytest.raises(STORE_ERRORS) as caught:
        act()
    return caught.value


def insert_fails(store, table=REJECTED, rows=(LETTER,)):
    return raised(lambda: store.insert(table, rows))


def check(error, code, expected):
    assert getattr(error, "code", None) == code, error
    assert remedy(error) is expected


def test_too_many_parts_is_pressure(engine, store):
    engine.command("ALTER TABLE rejected MODIFY SETTING parts_to_throw_insert = 2, parts_to_delay_insert = 0")
    engine.command("SYSTEM STOP MERGES rejected")
    try:
        errors = []
        for offset in range(5):
            try:
                store.insert(REJECTED, [(LETTER[0], 0, offset, *LETTER[3:])])
            except ClickHouseError as error:
                errors.append(error)
        check(errors[0], 252, Remedy.RETRY)
    finally:
        engine.command("SYSTEM START MERGES rejected")
        engine.command("ALTER TABLE rejected RESET SETTING parts_to_throw_insert, parts_to_delay_insert")


def test_too_many_partitions_is_a_shape(store):
    (row,) = [row for _, row in source_rows(source_record(event("queued", 0)), "call")]
    months = [(*row[:7], 946_684_800_000 + place * 32 * 86_400_000, *row[8:]) for place in range(120)]
    check(insert_fails(store, RAW_EVENTS, months), 252, Remedy.SPLIT)


def test_no_memory_is_pressure(engine, store):
    store._client.set_client_setting("max_memory_usage", 1_000)
    try:
        check(insert_fails(store, REJECTED, [LETTER] * 1000), 241, Remedy.RETRY)
    finally:
        store._client.set_client_setting("max_memory_usage", 0)


def test_no_room_on_the_disk_is_pressure(engine, store):
    engine.command("ALTER TABLE rejected MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1e18")
    try:
        check(insert_fails(store), 243, Remedy.RETRY)
    finally:
        engine.command("ALTER TABLE rejected RESET SETTING min_free_disk_bytes_to_perform_insert")
    store.insert(REJECTED, [LETTER])


def test_a_missing_table_stops(engine, store):
    store.insert(REJECTED, [LETTER])
    engine.command("RENAME TABLE rejected TO rejected_away")
    try:
        check(insert_fails(store), 60, Remedy.STOP)
    finally:
        engine.command("RENAME TABLE rejected_away TO rejected")


def test_a_dropped_column_is_drift_that_fresh_types_do_not_hide(engine, store):
    store.insert(REJECTED, [LETTER])
    engine.command("ALTER TABLE rejected RENAME COLUMN sha256 TO sha")
    try:
        check(insert_fails(store), 16, Remedy.REFRESH)
    finally:
        engine.command("ALTER TABLE rejected RENAME COLUMN sha TO sha256")


def test_numbers_for_a_column_that_became_text_are_bad_rows(engine, store):
    engine.command("ALTER TABLE rejected MODIFY COLUMN size String")
    try:
        assert remedy(insert_fails(store)) is Remedy.BISECT
    finally:
        engine.command("ALTER TABLE rejected MODIFY COLUMN size UInt64")
        store.refresh()
    store.insert(REJECTED, [LETTER])


def test_a_violated_constraint_is_a_bad_row(engine, store):
    engine.command("ALTER TABLE rejected ADD CONSTRAINT small CHECK size < 10")
    try:
        check(insert_fails(store, REJECTED, [(*LETTER[:7], 11, *LETTER[8:])]), 469, Remedy.BISECT)
        store.insert(REJECTED, [LETTER])
    finally:
        engine.command("ALTER TABLE rejected DROP CONSTRAINT small")


def test_a_throwing_view_is_tried_again(engine, store):
    engine.command(
        "CREATE MATERIALIZED VIEW thrower ENGINE = Memory AS SELECT throwIf(size = 1, 'no') AS t FROM rejected"
    )
    try:
        check(insert_fails(store), 395, Remedy.RETRY)
    finally:
        engine.command("DROP VIEW thrower")


@pytest.mark.parametrize("bad", [-1, 1 << 70, "many", None])
def test_a_value_out_of_range_is_a_bad_row(store, bad):
    error = insert_fails(store, REJECTED, [(*LETTER[:7], bad, *LETTER[8:])])
    assert remedy(error) is Remedy.BISECT


class Server:
    """Speaks just enough HTTP to be connected to; then every insert meets `reply`."""

    def __init__(self) -> None:
        self.reply = "ok"
        self.inserts = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                while self.headers.get("Transfer-Encoding") and not self._drained():
                    pass
                server.answer(self, body)

            def _drained(self) -> bool:
                size = int(self.rfile.readline().strip() or b"0", 16)
                self.rfile.read(size + 2)
                return size == 0

            do_GET = do_POST  # noqa: N815 - the standard library's name

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if b"INSERT" in body or "INSERT" in request.path.upper():
            self.inserts += 1
            if self.reply == "reset":
                request.connection.close()
                request.close_connection = True
                return
            if self.reply.isdigit():
                self._send(request, int(self.reply), b"<html>away</html>")
                return
            if self.reply.startswith("code"):
                code, _, said = self.reply.removeprefix("code ").partition(" ")
                text = f"Code: {code}. DB::Exception: {said or 'told to'}".encode()
                self._send(request, 500, text, **{"X-ClickHouse-Exception-Code": code})
                return
        self._send(request, 200, server_answer(body + request.path.encode()))

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


def server_answer(query: bytes) -> bytes:
    """What clickhouse-connect 1.12 asks when it connects; nothing else is needed to insert."""
    if b"version()" in query:
        return b"26.9.2.1\tUTC\n"
    return b""


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture
def served(server: Server) -> Iterator[Store]:
    """A store on the server, its column types known as if asked before."""
    from clickhouse_connect.datatypes.registry import get_from_name

    settings = Sink(url=f"clickhouse://pulse:secret@127.0.0.1:{server.port}/pulse", insert_timeout_seconds=2)
    store = Store(settings)
    store._types[ERASURES.name] = [get_from_name("String")] * 3
    yield store
    store.close()


ROW = ("t", "call", "c")


def test_an_insert_reaches_a_server(served, server):
    served.insert(ERASURES, [ROW])
    assert server.inserts == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("reset", Remedy.RETRY),
        ("503", Remedy.RETRY),
        ("502", Remedy.RETRY),
        ("429", Remedy.RETRY),
        ("code 202", Remedy.RETRY),
        ("code 75 Cannot write to file: errno: 28, strerror: No space left on device", Remedy.RETRY),
        ("code 75 Cannot write to file: errno: 5, strerror: Input/output error", Remedy.STOP),
        ("code 516", Remedy.STOP),
        ("code 349", Remedy.BISECT),
    ],
)
def test_what_a_server_answers_has_its_remedy(served, server, reply, expected):
    server.reply = reply
    assert remedy(insert_fails(served, ERASURES, [ROW])) is expected
    server.reply = "ok"
    served.insert(ERASURES, [ROW])


def test_a_reset_insert_may_have_been_sent_twice_by_the_driver(served, server):
    """Why rows are absolute: the driver repeats it before we hear of anything."""
    server.reply = "reset"
    insert_fails(served, ERASURES, [ROW])
    assert server.inserts == 2


def test_nobody_there_is_retried():
    nobody = Sink(url="clickhouse://127.0.0.1:1/pulse")
    assert remedy(raised(lambda: open_client(nobody))) is Remedy.RETRY
