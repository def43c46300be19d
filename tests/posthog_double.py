"""A PostHog that misbehaves on request: a real HTTP server on loopback that gives scripted answers in order."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer. `cut` sends only that many bytes of the body and ends the connection; `hangs` waits for the double's
    `release` before a byte is sent; `drips` sends the body byte by byte until the client leaves; `endless` sends
    blanks for ever; `vanishes` closes without an answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    cut: int | None = None
    hangs: bool = False
    drips: bool = False
    vanishes: bool = False
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: dict | None
    connection: int


def json_answer(document: object, status: int = 200, **more: object) -> Scripted:
    return Scripted(status, json.dumps(document).encode(), **more)  # type: ignore[arg-type]


def refusal(status: int, detail: str, type: str = "server_error", code: str = "error", **extra: object) -> Scripted:
    """PostHog's error body."""
    return json_answer({"type": type, "code": code, "detail": detail, "attr": None, **extra}, status)


def page(status: int, text: str = "<html><body><h1>Sorry</h1></body></html>") -> Scripted:
    """What a load balancer answers."""
    return Scripted(status, text.encode(), {"Content-Type": "text/html"})


def rows(*found: list, columns: list[str] | None = None, types: list[str] | None = None, **more: object) -> Scripted:
    """A good answer."""
    columns = columns or ["n"]
    types = types or ["UInt64"] * len(columns)
    return json_answer(
        {
            "results": list(found),
            "columns": columns,
            "types": [list(pair) for pair in zip(columns, types, strict=True)],
            "timezone": "UTC",
            "hasMore": False,
            **more,
        }
    )


Answering = Callable[[Received], Scripted | None]


class Double:
    """`script` is used up from the front; when it is empty, `otherwise` answers."""

    def __init__(self, script: list[Scripted], otherwise: Answering | None = None) -> None:
        self.script, self.otherwise = list(script), otherwise
        self.received: list[Received] = []
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        self._lock = threading.Lock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                raw = self.rfile.read(length)
                if self.headers.get("content-encoding") == "gzip":
                    raw = gzip.decompress(raw)
                received = Received(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                    self.client_address[1],
                )
                double.send(self, double.next(received))

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, received: Received) -> Scripted:
        with self._lock:
            self.received.append(received)
            self.arrived.release()
            if received.method != "DELETE" and self.script:
                return self.script.pop(0)
        found = self.otherwise(received) if self.otherwise else None
        return found or refusal(404, "Not found.", "invalid_request", "not_found")

    def send(self, handler: BaseHTTPRequestHandler, answer: Scripted) -> None:
        if answer.hangs:
            self.release.wait(30)
        if answer.vanishes:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if not answer.endless:
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if answer.drips or answer.endless:
            handler.close_connection = True
            self._trickle(handler, answer)
            return
        handler.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        handler.close_connection = answer.cut is not None

    def _trickle(self, handler: BaseHTTPRequestHandler, answer: Scripted) -> None:
        if answer.endless:
            while not self.release.is_set():
                handler.wfile.write(b" " * 65536)
            return
        for place in range(len(answer.body)):
            handler.wfile.write(answer.body[place : place + 1])
            if self.release.wait(0.01):
                return

    @contextmanager
    def running(self) -> Iterator[Double]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.release.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)
