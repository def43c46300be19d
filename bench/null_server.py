"""Reads HTTP requests and answers 200 at once: what a client can send at most. Prints its port."""

from __future__ import annotations

import asyncio

_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"Ok"}'


class _Always200(asyncio.Protocol):
    """Understands just enough of HTTP/1.1 to know where a request ends: a Content-Length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        while data:
            if self._missing:
                taken = min(self._missing, len(data))
                self._missing -= taken
                data = data[taken:]
                if self._missing == 0:
                    self._transport.write(_ANSWER)
                continue
            self._head, found, data = (self._head + data).partition(b"\r\n\r\n")
            if not found:
                return
            self._missing = _content_length(self._head)
            self._head = b""
            if self._missing == 0:
                self._transport.write(_ANSWER)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(_Always200, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
