"""Long text in the person's own editor: the desk steps aside, and comes back when the editor has ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from workspace.errors import LoopdeskError

SERVED = "LOOPDESK_SERVED"
"""Set for a desk that `loopdesk web` shows in a browser."""


def edited(app: App, text: str, *, suffix: str = ".txt", environment: Mapping[str, str] = os.environ) -> str | None:
    """As `rewritten`, with the terminal lent by the desk."""
    return rewritten(text, suffix=suffix, environment=environment, lent=lambda: _lent(app))


def rewritten(
    text: str,
    *,
    suffix: str = ".txt",
    environment: Mapping[str, str] = os.environ,
    lent: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> str | None:
    """The text as its person left it in `$VISUAL` or `$EDITOR`; None where it is as it was.

    Blocking. Raises `LoopdeskError` where there is no editor, or where it ended with an error: then nothing is taken.
    """
    command = editor_command(environment)
    with private_file(text, suffix) as path:
        with _uninterrupted(), lent():
            try:
                code = subprocess.run([*command, str(path)]).returncode
            except OSError as error:
                raise LoopdeskError(f"The editor {command[0]} could not be started ({error.strerror})") from error
        if code:
            raise LoopdeskError(f"The editor {command[0]} ended with exit code {code}", "Nothing of it was taken")
        try:
            found = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise LoopdeskError(f"What the editor wrote cannot be read ({error.strerror})") from error
    return None if found == text else found


def editor_command(environment: Mapping[str, str]) -> list[str]:
    """The editor and its arguments. Never through a shell. Raises `LoopdeskError`."""
    if environment.get(SERVED):
        raise LoopdeskError(
            "A desk in a browser opens no editor",
            "It would be a shell on the machine that serves it",
            "Copy with y, or open the desk in a terminal",
        )
    name = next((name for name in ("VISUAL", "EDITOR") if environment.get(name, "").strip()), "")
    if not name:
        raise LoopdeskError("Neither VISUAL nor EDITOR names an editor", do="Set one, as in: export EDITOR=vim")
    try:
        command = shlex.split(environment[name])
    except ValueError as error:
        raise LoopdeskError(f"{name} cannot be understood ({error})", do="Write it as for a shell") from error
    if not command or shutil.which(command[0], path=environment.get("PATH")) is None:
        found = command[0] if command else ""
        raise LoopdeskError(f"{name} names the editor {found!r}, which is not there", do="Set VISUAL or EDITOR")
    return command


@contextlib.contextmanager
def private_file(text: str, suffix: str) -> Iterator[Path]:
    """A file that only its owner can read, in a folder of its own: what an editor leaves beside it goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="loopdesk-"))  # 0700
    try:
        path = folder / f"text{suffix}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _lent(app: App) -> Iterator[None]:
    """The terminal without the desk."""
    driver: Any = app._driver
    driver.is_lent = True  # unlike ctrl+z, this needs no shell that brings the desk back
    try:
        with app.suspend():
            yield
    except SuspendNotSupported as error:
        raise LoopdeskError("This terminal cannot be lent to an editor") from error
    finally:
        driver.is_lent = False


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """What is pressed to interrupt the editor does not end us."""
    handlers = {number: signal.signal(number, _passed_over) for number in _KEYS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


# A handler rather than SIG_IGN, which the editor would inherit.
_KEYS: Sequence[signal.Signals] = (signal.SIGINT, *([signal.SIGQUIT] if hasattr(signal, "SIGQUIT") else []))


def _passed_over(number: int, frame: object) -> None:
    return
