"""What the terminal can show, and what lies between it and the eye: SSH, tmux, mosh."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.text import plain


@dataclass(frozen=True, slots=True)
class Terminal:
    """What was found; `clipboard` is tmux's `set-clipboard`, `escape_ms` its `escape-time`, both empty without tmux."""

    is_terminal: bool
    columns: int
    lines: int
    encoding: str
    environment: Mapping[str, str]
    ancestors: tuple[str, ...] = ()
    clipboard: str = ""
    escape_ms: str = ""


def check(_config: Config) -> list[Line]:
    return said(look())


def said(found: Terminal) -> list[Line]:
    """Pure."""
    lines = [_kind(found), _size(found), _colours(found), _letters(found)]
    if found.environment.get("SSH_CONNECTION"):
        lines.append(
            note("SSH", "the desk is on another machine", "`Compression yes` in ~/.ssh/config makes it quicker")
        )
    if found.environment.get("TMUX"):
        lines += _tmux(found)
    if any("mosh-server" in name for name in found.ancestors):
        lines.append(note("mosh", "copying with `y` needs mosh 1.4 or newer, and long answers are drawn in part"))
    return lines


def _kind(found: Terminal) -> Line:
    kind = plain(found.environment.get("TERM", ""), 60)
    if not found.is_terminal:
        return note("terminal", "the output goes elsewhere, so that the rest is what the environment says", "")
    if kind in ("", "dumb"):
        return wrong(
            "terminal", f"TERM is {kind or 'not set'}: the desk cannot draw there", "export TERM=xterm-256color"
        )
    return ok("terminal", f"TERM={kind}")


def _size(found: Terminal) -> Line:
    size = f"{found.columns}x{found.lines}"
    if found.is_terminal and (found.columns < 80 or found.lines < 24):
        return note("size", f"{size}: boards are stacked and cut below 80x24", "Make the window larger")
    return ok("size", f"{size}; 160x48 shows all boards at once")


def _colours(found: Terminal) -> Line:
    if found.environment.get("NO_COLOR"):
        return note("colours", "NO_COLOR is set: marks and words say what colours would")
    if found.environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return ok("colours", "16 million")
    if "256" in found.environment.get("TERM", ""):
        do = "export COLORTERM=truecolor, if it shows all colours (over SSH: SendEnv COLORTERM)"
        return note("colours", "256: themes look a little coarser", do)
    return note("colours", "16, as far as the environment says", "loopdesk --theme loopdesk-16")


def _letters(found: Terminal) -> Line:
    if found.encoding.lower().replace("-", "") == "utf8":
        return ok("letters", "UTF-8")
    return note(
        "letters",
        f"the locale's letters are {plain(found.encoding, 30)}",
        "export LC_ALL=C.UTF-8, or: loopdesk --ascii",
    )


def _tmux(found: Terminal) -> list[Line]:
    lines = []
    if found.clipboard in ("on", "external"):
        lines.append(ok("tmux", f"set-clipboard is {found.clipboard}"))
    if found.clipboard != "on":
        said = f"set-clipboard is {plain(found.clipboard, 20) or 'not known'}: `y` may not reach your clipboard"
        lines = [note("tmux", said, "tmux set -s set-clipboard on")]
    if found.escape_ms.isdigit() and int(found.escape_ms) > 50:
        lines.append(note("tmux escape", f"`esc` waits {found.escape_ms} ms", "tmux set -sg escape-time 10"))
    return lines


def look() -> Terminal:
    is_terminal = sys.stdout.isatty()
    size = shutil.get_terminal_size()
    has_tmux = bool(os.environ.get("TMUX")) and shutil.which("tmux") is not None
    return Terminal(
        is_terminal,
        size.columns,
        size.lines,
        sys.stdout.encoding if is_terminal else locale.getpreferredencoding(False),
        dict(os.environ),
        tuple(_ancestors()),
        _tmux_says("set-clipboard") if has_tmux else "",
        _tmux_says("escape-time") if has_tmux else "",
    )


def _tmux_says(option: str) -> str:
    try:
        command = ["tmux", "show-options", "-sv", option]
        return subprocess.run(command, capture_output=True, text=True, timeout=2).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _ancestors() -> list[str]:
    """The names of the processes above this one, where /proc tells them."""
    names: list[str] = []
    pid = os.getppid()
    while pid > 1 and len(names) < 30:
        try:
            before, _, after = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")
        except OSError:
            break
        names.append(before.partition("(")[2])
        pid = int(after.split()[1])
    return names
