"""A Messages API on loopback that answers by script and misbehaves on request. It records what came over the wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "input_tokens": 900,
    "output_tokens": 40,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 50,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One answer. `cut` sends half of the body and hangs up; `hangs` sends nothing until the server is closed."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: bool = False
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def key(self) -> str:
        """By either header: SDKs differ."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def system(self) -> str:
        return "".join(block["text"] for block in self.body["system"])

    @property
    def turns(self) -> list[str]:
        return [turn["content"] for turn in self.body["messages"]]


def says(text: str | dict[str, Any] | list[Any], *, stop_reason: str = "end_turn", usage: Any = USAGE) -> Step:
    """A message; what is no text is its JSON."""
    said = text if isinstance(text, str) else json.dumps(text)
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [{"type": "text", "text": said}] if said else [],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }
    return Step(json.dumps(message).encode())


def fails(status: int, message: str = "scripted", kind: str = "api_error", **headers: str) -> Step:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Step(json.dumps(error).encode(), status, named)


CUT = Step(says("half of it is never sent").body, cut=True)
HANGS = Step(hangs=True)
PAGE = Step(b"<html><body>Sign in to the guest network</body></html>", content_type="text/html")


class MessagesApi:
    """`script` are steps in order; the last one is repeated. A step may be made from the request."""

    def __init__(self) -> None:
        self.script: list[Step | Callable[[Request], Step]] = []
        self.requests: list[Request] = []
        self.released = threading.Event()
        self.url = ""

    def plays(self, *steps: Step | Callable[[Request], Step]) -> None:
        self.script = list(steps)
        self.requests.clear()

    def next_step(self, request: Request) -> Step:
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step(request) if callable(step) else step


@contextmanager
def messages_api() -> Iterator[MessagesApi]:
    api = MessagesApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one packet an answer

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            step = api.next_step(Request(self.path, headers, json.loads(sent)))
            if step.hangs:
                api.released.wait(30)
                self.close_connection = True
                return
            self.send_response(step.status)
            for name, value in {"content-type": step.content_type, **step.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(step.body)))
            self.end_headers()
            self.wfile.write(step.body[: len(step.body) // 2] if step.cut else step.body)
            self.close_connection = step.cut

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        api.released.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
