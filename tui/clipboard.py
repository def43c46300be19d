"""Copying from a terminal program that may be at the far end of an SSH line."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from workspace.text import plain_lines

OSC_52_MOST = 74_994  # bytes of base64 that terminals take in one copy


def copyable(text: str) -> str:
    """The text as it may be pasted into a shell: printable, with its line ends and the tabs between its cells."""
    return "\t".join("\n".join(plain_lines(part)) for part in text.split("\t"))


def is_too_long(text: str) -> bool:
    return len(base64.b64encode(text.encode())) > OSC_52_MOST


def give_to_tmux(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """By default tmux keeps a program's OSC 52 to itself, but passes on what is loaded into its own buffer."""
    if not environment.get("TMUX"):
        return
    import subprocess

    try:
        subprocess.run(["tmux", "load-buffer", "-w", "-"], input=text.encode(), timeout=5, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return  # the terminal itself was asked as well
