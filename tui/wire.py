"""Fewer bytes for the same picture.

Textual writes every stretch of text as "set all its attributes, text, reset". Over SSH three quarters of a screen are
such sequences, most of them repeating what is set already. `lean` keeps what changes. Of the text, half is blanks: long
stretches of them are erased rather than written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
# Moving the cursor draws nothing, so that the style may stay as it is.
_MOVES = re.compile(r"(?:\x1b\[\d+(?:;\d+)?H|\n)+")
_NEXT_LINE = re.compile(r"\n?\x1b\[(\d+);(\d+)H")
_BLANKS = re.compile(" {6,}")
_ERASED = re.compile(r"\x1b\[(\d+)X\x1b\[\d+C(\x1b\[\d+(?:;\d+)?H)?")
_WORTH_ERASING = 12  # fewer are as short written, unless the cursor moves away behind them anyway
_SEEN_ON_BLANKS = frozenset("479")  # underlined, reversed, struck through
_FOREGROUND = re.compile(r"3[0-7]|9[0-7]")
_BACKGROUND = re.compile(r"4[0-7]|10[0-7]")

Style = tuple[str, str, frozenset[str]]
"""Foreground, background (as SGR parameters, "" for the terminal's own) and everything else."""


def erases_in_colour(environment: Mapping[str, str]) -> bool:
    """Whether the terminal fills what it erases with the background that is set. GNU screen does not, and what runs in
    tmux on another machine may only say that it is a screen."""
    return "TMUX" in environment or not environment.get("TERM", "").startswith(("screen", "dumb"))


def lean(data: str, *, erase: bool = True) -> str:
    """The same output with the fewest style changes, and blanks erased where `erase` allows it. Begins and ends with
    the terminal's plain style."""
    pieces = _SGR.split(_NEXT_LINE.sub(_move, data))
    if len(pieces) == 1:
        return data
    out: list[str] = []
    shown = wanted = ""  # SGR parameters, "" for plain
    for place, piece in enumerate(pieces):
        if place % 2:
            # Textual resets before each style, so that one sequence is the whole style.
            wanted = "" if piece in ("", "0") else piece
        elif piece:
            if wanted != shown and not _MOVES.fullmatch(piece):
                out.append(_change(shown, wanted))
                shown = wanted
            out.append(_BLANKS.sub(_erased, piece) if erase and not _style(shown)[2] & _SEEN_ON_BLANKS else piece)
    if shown:
        out.append("\x1b[m")
    return _ERASED.sub(_shortest, "".join(out))


def _erased(blanks: re.Match[str]) -> str:
    """Erasing takes the background along but leaves the cursor where it is."""
    return f"\x1b[{len(blanks[0])}X\x1b[{len(blanks[0])}C"


def _shortest(erased: re.Match[str]) -> str:
    count, move = int(erased[1]), erased[2]
    if move:
        return f"\x1b[{count}X{move}"
    return erased[0] if count >= _WORTH_ERASING else " " * count


def _move(found: re.Match[str]) -> str:
    line, column = found.groups()
    return f"\x1b[{line}H" if column == "1" else f"\x1b[{line};{column}H"


@lru_cache(maxsize=4096)
def _change(shown: str, wanted: str) -> str:
    """The shortest sequence from one style to another."""
    if not wanted:
        return "\x1b[m"
    had, has = _style(shown), _style(wanted)
    from_plain = f"\x1b[0;{wanted}m" if shown else f"\x1b[{wanted}m"
    if had[2] - has[2]:
        return from_plain  # an attribute that has to go
    steps = sorted(has[2] - had[2])
    if had[0] != has[0]:
        steps.append(has[0] or "39")
    if had[1] != has[1]:
        steps.append(has[1] or "49")
    step = f"\x1b[{';'.join(steps)}m" if steps else ""
    return min(step, from_plain, key=len)


@lru_cache(maxsize=4096)
def _style(parameters: str) -> Style:
    foreground = background = ""
    others: set[str] = set()
    codes = iter(parameters.split(";") if parameters else ())
    for code in codes:
        if code in ("38", "48"):
            form = next(codes, "")
            colour = ";".join([code, form, *(next(codes, "") for _ in range(3 if form == "2" else 1))])
            foreground, background = (colour, background) if code == "38" else (foreground, colour)
        elif _FOREGROUND.fullmatch(code):
            foreground = code
        elif _BACKGROUND.fullmatch(code):
            background = code
        elif code not in ("39", "49"):
            others.add(code)
    return foreground, background, frozenset(others)
