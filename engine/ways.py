"""The ways themselves: each sends one message, within a time limit, and says whether it arrived."""

from __future__ import annotations

import hashlib
import os
import signal
import smtplib
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from engine.notices import Message
from engine.notify import PASSWORD, Mail, MayHaveArrived, NotSent
from workspace.config import LOOPBACK
from workspace.text import plain

LIMIT_S = 10.0
# What only loopdesk needs is not handed on to a program of the owner's.
_KEPT_BACK = ("POSTHOG_PERSONAL_API_KEY", "ANTHROPIC_API_KEY", "GITHUB_TOKEN", "LOOPDESK_DATABASE_URL", PASSWORD)


@dataclass(frozen=True, slots=True)
class ByCommand:
    """A program of the owner's, without a shell. The text is its standard input and in its environment."""

    arguments: tuple[str, ...]
    limit_s: float = LIMIT_S
    key: ClassVar[str] = "command"

    @property
    def name(self) -> str:
        return f"command {plain(Path(self.arguments[0]).name, 60)}"

    def send(self, message: Message) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _KEPT_BACK}
        environment |= {"LOOPDESK_TITLE": message.title, "LOOPDESK_BODY": message.body}
        try:
            running = subprocess.Popen(
                self.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise NotSent(f"The command cannot be started: {why}", do="Check notify.command") from error
        try:
            running.communicate(f"{message.title}\n{message.body}\n".encode(), timeout=self.limit_s)
        except subprocess.TimeoutExpired as error:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            raise MayHaveArrived(f"The command did not end within {self.limit_s:g} s and was killed") from error
        if running.returncode:
            raise NotSent(f"The command ended with {running.returncode}", do="Run it by hand to see why")


@dataclass(frozen=True, slots=True)
class ByWebhook:
    """A POST of JSON. The address may be a secret: it goes nowhere else, not by a redirect and not into a sentence."""

    url: str = field(repr=False)
    limit_s: float = LIMIT_S
    key: ClassVar[str] = "webhook"

    @property
    def name(self) -> str:
        return f"webhook {urlsplit(self.url).hostname}"

    def send(self, message: Message) -> None:
        import httpx

        # Chat services read "<...>" in `text` as links and calls for everybody.
        text = f"{message.title}\n{message.body}".strip().replace("<", "‹").replace(">", "›")
        document = {"text": text, "title": message.title, "body": message.body, "kinds": list(message.kinds)}
        is_here = urlsplit(self.url).hostname in LOOPBACK
        try:
            with (
                httpx.Client(timeout=self.limit_s, follow_redirects=False, trust_env=not is_here) as client,
                # The answer's body says nothing that is needed, and may never end.
                client.stream("POST", self.url, json=document, headers={"User-Agent": "loopdesk"}) as answer,
            ):
                status = answer.status_code
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            # Never chained: an exception of httpx carries the address.
            raise NotSent(f"The webhook's host cannot be reached ({type(error).__name__})") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise MayHaveArrived(f"The webhook did not answer in full ({type(error).__name__})") from None
        if 300 <= status < 400:
            raise NotSent(f"The webhook sends on to another address (HTTP {status})", do="Set notify.webhook to it")
        if status == 504:
            raise MayHaveArrived("The gateway before the webhook had no answer from it in time")
        if not 200 <= status < 300:
            raise NotSent(f"The webhook refused it (HTTP {status})")


@dataclass(frozen=True, slots=True)
class ByMail:
    mail: Mail
    limit_s: float = LIMIT_S
    key: ClassVar[str] = "mail"

    @property
    def name(self) -> str:
        return f"mail {plain(', '.join(self.mail.to), 80)}"

    def send(self, message: Message) -> None:
        letter = self._letter(message)
        server = self._connected()
        try:
            refused = server.send_message(letter, self.mail.sender, list(self.mail.to))
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"The mail server refused it: {_said(error)}") from None
        except smtplib.SMTPRecipientsRefused:
            raise NotSent("The mail server refuses every recipient", do="Check notify.mail.to") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MayHaveArrived(f"The mail server did not say that it took it ({type(error).__name__})") from None
        finally:
            # What a server says to our goodbye changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()
        if refused:
            raise MayHaveArrived(f"The mail server refuses {plain(', '.join(refused), 80)}, and took it for the others")

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"], letter["From"], letter["To"] = message.title, self.mail.sender, ", ".join(self.mail.to)
        letter["Date"] = formatdate()
        # The same for the same notices, so that a mailbox can tell a copy.
        identity = hashlib.sha256("\n".join(message.subjects).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        letter["Message-ID"] = f"<{identity}@loopdesk.invalid>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(f"{message.title}\n\n{message.body}\n")
        return letter

    def _connected(self) -> smtplib.SMTP:
        """Logged in. Nothing has been sent yet: whatever fails here did not arrive."""
        mail = self.mail
        password = mail.password() if mail.user else ""
        try:
            if mail.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    mail.host, mail.port, timeout=self.limit_s, context=ssl.create_default_context()
                )
            else:
                server = smtplib.SMTP(mail.host, mail.port, timeout=self.limit_s)
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(f"The mail server {mail.host} cannot be reached ({_why(error)})") from None
        try:
            if mail.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if mail.user:
                server.login(mail.user, password)
        except (smtplib.SMTPException, OSError) as error:
            server.close()
            what = "the user or the password" if isinstance(error, smtplib.SMTPAuthenticationError) else _why(error)
            raise NotSent(f"The mail server {mail.host} does not let us in: {what}") from None
        return server


def _said(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    return plain(said.decode("utf-8", "replace") if isinstance(said, bytes) else said, 120) or str(error.smtp_code)


def _why(error: Exception) -> str:
    return plain(getattr(error, "strerror", None) or type(error).__name__, 80)
