"""A mail server on loopback that takes letters, or misbehaves on request."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MailServer(socketserver.ThreadingTCPServer):
    """`letters` are (sender, recipients, text). `answers` replaces the answer to a verb, as `{"RCPT": "550 no"}`;
    `vanishes` ends the connection after a letter, before it is answered. With `user` a login is asked for."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: dict[str, str] | None = None, *, vanishes: bool = False, user: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.answers, self.vanishes, self.user = answers or {}, vanishes, user
        self.letters: list[tuple[str, list[str], str]] = []
        self.logins: list[str] = []

    @property
    def port(self) -> int:
        return self.server_address[1]

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join(10)


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 here")
        sender, recipients = "", []
        while line := self.rfile.readline().decode().strip():
            verb = line.partition(" ")[0].upper()
            if (answer := self.server.answers.get(verb)) is not None:
                self.say(answer)
            elif verb == "EHLO":
                self.say("250-here\r\n250 AUTH PLAIN" if self.server.user else "250 here")
            elif verb == "AUTH":
                self.server.logins.append(base64.b64decode(line.split()[-1]).decode().split("\0")[1])
                self.say("235 welcome")
            elif verb == "MAIL":
                sender = line.partition("<")[2].partition(">")[0]
                self.say("250 yes")
            elif verb == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
                self.say("250 yes")
            elif verb == "DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                if self.server.vanishes:
                    return
                self.server.letters.append((sender, recipients, text))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
