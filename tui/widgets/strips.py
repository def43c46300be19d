"""Text -> strips of an exact width. Everything a painter writes passes through here, in terminal cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, split_text
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.palette import ASCII, UNICODE, Palette
from workspace.text import plain

Run = tuple[str, Style]
"""A stretch of text in one style."""
Cell = tuple[Run, ...]
"""What stands in one place of a table, or one part of a sentence."""


class Linked(str):
    """Text that leads somewhere. A run keeps this through the layout, so that who paints a number says what is behind
    it, and nobody has to find it on the screen again."""

    target: object

    def __new__(cls, text: str, target: object) -> Linked:
        made = super().__new__(cls, text)
        made.target = target
        return made


@dataclass(frozen=True, slots=True)
class Spot:
    """Cells of a line that lead somewhere."""

    start: int
    width: int
    target: object


class LinkedStrip(Strip):
    """A strip that knows its spots, from left to right."""

    spots: tuple[Spot, ...] = ()


def linked(cell: Cell, target: object | None) -> Cell:
    """The cell as one that leads to `target`; as it is where there is none."""
    return cell if target is None else tuple((Linked(text, target), style) for text, style in cell)


def spots_of(line: Strip) -> tuple[Spot, ...]:
    return line.spots if isinstance(line, LinkedStrip) else ()


_IN_ASCII = str.maketrans(
    {
        "–": "-",
        "—": "-",
        "−": "-",
        "×": "x",
        "·": ".",
        "…": "~",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "▲": "^",
        "▼": "v",
        "→": ">",
        "✓": "+",
        "✗": "x",
        "○": "o",
        "│": "|",
        **dict(zip(UNICODE.sparks, ASCII.sparks, strict=True)),
    }
)
# A verdict's words that say which way it went. They are words first; the colour only helps the eye to find them.
_VERDICT_WORDS = re.compile(r"\b(?:(better|improved|cheaper)|(worse|fell|dearer|crash\w*|stopped on))\b")
# A number stays whole, with its unit: `12 %` never ends a line as `12`.
_WORDS = re.compile(r"\S+(?: %\S*)?")
_NUMBER = re.compile(r"[^\w]*\d[\d.,]*\W*")
# What is left of a number, or stands where more of it could follow; a name's own digits are no number.
_CUT_NUMBER = re.compile(r"(?:^|(?<=\s))[^\w\s]*\d[\d.,]*$")
_LONGEST = 1000  # characters of a name or a sentence that may matter to a line of cells
_LOW = 4  # lines under a title
_SPACE, _BOLD = Style(), Style(bold=True)


def said(text: object, palette: Palette) -> str:
    """Untrusted text as one printable line, in ASCII where the palette asks for it."""
    line = plain(text, _LONGEST)
    return in_ascii(line) if palette.ascii else line


def in_ascii(line: str) -> str:
    """Printable text in ASCII; what has no letter there is a question mark."""
    if line.isascii():
        return line
    bare = unicodedata.normalize("NFKD", line.translate(_IN_ASCII))
    return "".join(char for char in bare if not unicodedata.combining(char)).encode("ascii", "replace").decode()


def clip(text: str, width: int, palette: Palette) -> str:
    """At most `width` cells; an ellipsis says that something is missing. A number is left out rather than cut."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return _CUT_NUMBER.sub("", split_text(text, width - 1)[0].rstrip()).rstrip() + palette.glyphs.ellipsis


def cell(text: str, style: Style) -> Cell:
    return ((text, style),)


def cells_wide(parts: Iterable[Run]) -> int:
    return sum(cell_len(text) for text, _ in parts)


def strip(runs: Iterable[Run], width: int) -> Strip:
    """Exactly `width` cells: neighbours of one style become one segment, what is too long is cut, the rest blank."""
    segments: list[Segment] = []
    spots: list[Spot] = []
    words, current, room = "", _SPACE, width
    for text, style in runs:
        size = cell_len(text)
        if isinstance(text, Linked) and size:
            _add_spot(spots, Spot(width - room, min(size, room), text.target))
        if size > room:
            text, size = split_text(text, room)[0] if room else "", room
        if not text:
            continue
        room -= size
        if style != current and not (text.isspace() and _is_ink(current) and _is_ink(style)):
            if words and not (words.isspace() and _is_ink(current) and _is_ink(style)):
                segments.append(Segment(words, current))
                words = ""
            current = style
        words += text
    if not _is_ink(current):
        segments.append(Segment(words, current))
        words, current = "", _SPACE
    words += " " * room
    if words:
        segments.append(Segment(words, current))
    if not spots:
        return Strip(segments, width)
    made = LinkedStrip(segments, width)
    made.spots = tuple(spots)
    return made


def indented(line: Strip, cells: int) -> Strip:
    """The line moved to the right, with its spots."""
    moved = LinkedStrip([Segment(" " * cells), *line], line.cell_length + cells)
    moved.spots = tuple(Spot(spot.start + cells, spot.width, spot.target) for spot in spots_of(line))
    return moved


def _add_spot(spots: list[Spot], spot: Spot) -> None:
    """Neighbours that lead to the same place are one."""
    if spot.width <= 0:
        return
    last = spots[-1] if spots else None
    if last and last.target == spot.target and last.start + last.width == spot.start:
        spots[-1] = Spot(last.start, last.width + spot.width, last.target)
    else:
        spots.append(spot)


def _is_ink(style: Style) -> bool:
    """Whether blanks look the same in this style as in any other: then they join their neighbour's segment."""
    return style.bgcolor is None and not style.reverse and not style.underline


def wrap(text: str, width: int, lines: int, palette: Palette) -> list[str]:
    """Whole words on at most `lines` lines; words that find no room are replaced by an ellipsis."""
    found = [""]
    for word in _WORDS.findall(text):
        room = width - cell_len(found[-1]) - bool(found[-1])
        if cell_len(word) <= room:
            found[-1] += f" {word}" if found[-1] else word
        elif len(found) < lines and found[-1]:
            found.append(clip(word, width, palette))
        elif not found[-1]:
            found[-1] = clip(word, width, palette)
        else:
            found[-1] = _ended(found[-1], width, palette)
            break
    return [line for line in found if line]


def _ended(line: str, width: int, palette: Palette) -> str:
    """The line with an ellipsis behind the last word that leaves room for one."""
    words = _WORDS.findall(line)
    # A number at the end goes too: `203…` reads like a longer number.
    while len(words) > 1 and (cell_len(" ".join(words)) + 1 > width or _NUMBER.fullmatch(words[-1])):
        words.pop()
    text = " ".join(words).rstrip(",;.")
    return text + palette.glyphs.ellipsis if cell_len(text) < width else clip(text, width - 1, palette)


def verdict(sentence: str, width: int, height: int, palette: Palette) -> list[list[Run]]:
    """The pane's sentence: one or two lines, the words that judge in the colour of what they say. It is strong where a
    picture follows; a pane of little more than its sentence leaves the weight to its title."""
    ink = palette.strong if height > _LOW else palette.text
    return [_judged(line, ink, palette) for line in wrap(said(sentence, palette), width, min(2, height), palette)]


def _judged(line: str, ink: Style, palette: Palette) -> list[Run]:
    runs, end = [], 0
    for match in _VERDICT_WORDS.finditer(line):
        style = palette.good if match[1] else palette.bad
        runs += [(line[end : match.start()], ink), (match[0], style + _BOLD)]
        end = match.end()
    return [*runs, (line[end:], ink)]


def flow(parts: Sequence[Cell], width: int, lines: int, palette: Palette, between: str = ", ") -> list[list[Run]]:
    """Parts one after another, none ever broken; those that find no room become an ellipsis."""
    found: list[list[Run]] = []
    rest = list(parts)
    while rest and len(found) < lines:
        line: list[Run] = []
        is_last = len(found) + 1 == lines
        while rest:
            joined = [*line, (between, palette.dim), *rest[0]] if line else list(rest[0])
            # The last line keeps room for the ellipsis that stands for what follows.
            follows = cell_len(between.rstrip()) if len(rest) > 1 else 0
            tail = follows + 1 if is_last and follows else follows
            if cells_wide(joined) + tail > width:
                break
            line, rest = joined, rest[1:]
        if not line:
            line, rest = clipped(rest[0], width, palette), rest[1:]
        elif rest:
            line.append((between.rstrip() + (palette.glyphs.ellipsis if is_last else ""), palette.dim))
        found.append(line)
    return found


def clipped(part: Cell, width: int, palette: Palette) -> list[Run]:
    """The part in at most `width` cells."""
    runs, room = [], width
    for text, style in part:
        fitted = clip(text, room, palette)
        runs.append((Linked(fitted, text.target) if isinstance(text, Linked) else fitted, style))
        room -= cell_len(fitted)
        if fitted != text:
            break
    return runs


def more(hidden: int, width: int, palette: Palette) -> list[Run]:
    """The line that says how much is not shown."""
    return [(clip(f"+{hidden:,} more", width, palette), palette.dim)]


def spaced(rows: Sequence[list[Run]], room: int) -> list[list[Run]]:
    """The rows with a blank line between them, where there is plenty of room."""
    return [line for row in rows for line in (row, [])][:-1] if 2 * len(rows) <= room else list(rows)


def fitted(rows: Sequence[list[Run]], width: int, room: int, palette: Palette) -> list[list[Run]]:
    """As many rows as there is room for, the last saying how many are left out where that is not all."""
    if len(rows) <= room:
        return list(rows)
    if room < 2:
        return list(rows[: max(0, room)])
    return [*rows[: room - 1], more(len(rows) - room + 1, width, palette)]


def painted(head: Sequence[list[Run]], body: Sequence[list[Run]], width: int, height: int) -> list[Strip]:
    """The verdict, a blank line where there is room for calm, and the picture."""
    if width <= 0:
        return []
    space: list[list[Run]] = [[]] if head and body and len(head) + len(body) < height else []
    return [strip(runs, width) for runs in [*head, *space, *body][: max(0, height)]]
