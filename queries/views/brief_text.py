"""A brief as plain text of a mail's width, and as Markdown. Names from events steer no terminal and mark nothing up."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence

from queries.views.brief import NOTHING_STORED, Brief, Section, heading, notes, sections
from workspace.text import plain

WIDTH = 78
_INDENT = "  "
_CELL = 22  # the widest cell but the last of a row
# Everything that CommonMark, GitHub's tables and mathematics, or raw HTML would take for markup inside a line.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&$@])")
_BLOCK_START = re.compile(r"^([-+#=]|\d+(?=[.)](?:\s|$)))")


def text(brief: Brief, titles: Mapping[str, str]) -> str:
    """Lines of at most `WIDTH` columns."""
    lines = ["loopdesk brief", *(line for said in heading(brief) for line in _wrapped(said))]
    if brief.window is None:
        return "\n".join([*lines, "", *_wrapped(NOTHING_STORED, "")])
    for note in notes(brief):
        lines += _wrapped(note, "! ")
    for section in sections(brief, titles):
        lines += ["", plain(section.title), *_wrapped(section.verdict), *_table(section)]
    return "\n".join(lines)


def _wrapped(said: str, indent: str = _INDENT) -> list[str]:
    later = " " * len(indent)
    return textwrap.wrap(plain(said), WIDTH, initial_indent=indent, subsequent_indent=later, break_on_hyphens=False)


def _table(section: Section) -> list[str]:
    if not section.rows:
        return []
    cells = [tuple(plain(cell) for cell in row) for row in (section.columns, *section.rows)]
    widths = [min(_CELL, max(map(_width, column))) for column in zip(*cells, strict=True)]
    room = WIDTH - len(_INDENT) - sum(width + 2 for width in widths[:-1])
    widths[-1] = max(8, min(room, max(_width(row[-1]) for row in cells)))
    lines = [
        _INDENT + "  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return lines + ([f"{_INDENT}... and {section.more} more"] if section.more else [])


def _padded(cell: str, width: int) -> str:
    if _width(cell) > width:
        while cell and _width(cell) > width - 1:
            cell = cell[:-1]
        cell += "…"
    return cell + " " * (width - _width(cell))


def _width(cell: str) -> int:
    """Columns on a terminal: wide characters take two, combining marks none."""
    if cell.isascii():
        return len(cell)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in ("W", "F")) for char in cell
    )


def markdown(brief: Brief, titles: Mapping[str, str]) -> str:
    """GitHub's Markdown: a heading and a table a board."""
    lines = ["# loopdesk brief", ""]
    lines += [f"- {escaped(said)}" for said in heading(brief)]
    if brief.window is None:
        return "\n".join([*lines, "", escaped(NOTHING_STORED)])
    said = notes(brief)
    if said:
        lines += ["", *(f"> - {escaped(note)}" for note in said)]
    for section in sections(brief, titles):
        lines += ["", f"## {escaped(section.title)}", "", escaped(section.verdict)]
        if section.rows:
            lines += ["", _row(section.columns), _row(["---"] * len(section.columns), is_rule=True)]
            lines += [_row(row) for row in section.rows]
        if section.more:
            lines += ["", f"... and {section.more} more"]
    return "\n".join(lines)


def _row(cells: Sequence[str], *, is_rule: bool = False) -> str:
    return f"| {' | '.join(cells if is_rule else map(escaped, cells))} |"


def escaped(said: str) -> str:
    """One line of Markdown that shows `said` letter by letter: no link, image, HTML, table edge, list or heading."""
    line = _MARKUP.sub(r"\\\1", plain(said))
    # GitHub also links bare addresses; an escaped colon or dot is shown as itself and ends that.
    line = line.replace("://", "\\://")
    line = re.sub(r"(?i)\b(www)\.", r"\1\\.", line)
    return _BLOCK_START.sub(lambda found: f"\\{found[1]}" if not found[1].isdigit() else f"{found[1]}\\", line)
