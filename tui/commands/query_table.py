"""An answer for a person: a table where it fits the terminal, else one block of lines for each row."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from queries.backend import QueryResult
from workspace.text import plain

_WIDEST_CELL = 60
_NARROWEST_CELL = 8
_GAP = "  "


def lines(result: QueryResult, width: int | None) -> list[str]:
    """`width` in cells; None for a pipe, which has no edge."""
    is_number = [any(word in type for word in ("Int", "Float", "Decimal")) for type in result.types]
    return table(result.columns, is_number, result.rows, width)


def table(
    columns: Sequence[str], is_number: Sequence[bool], values: Sequence[Sequence[object]], width: int | None
) -> list[str]:
    """Columns of numbers stand at the right."""
    names = [plain(name) or " " for name in columns]
    rows = [[cell(value) for value in row] for row in values]
    widths = [max(map(cell_len, (name, *column))) for name, column in zip(names, _columns(rows, names), strict=True)]
    if width is None:
        return _table(is_number, names, rows, widths)
    fitted = fit(widths, [cell_len(name) for name in names], width)
    return _table(is_number, names, rows, fitted) if fitted else _blocks(names, rows, width)


def fit(widths: Sequence[int], names: Sequence[int], width: int) -> list[int] | None:
    """The widths of the columns of a table that is at most `width` wide, the widest made narrower first; None where
    some would be too narrow to read."""
    room = width - len(_GAP) * (len(widths) - 1)
    least = [min(wide, max(name, _NARROWEST_CELL)) for wide, name in zip(widths, names, strict=True)]
    if sum(least) > room:
        return None
    fitted = list(widths)
    while sum(fitted) > room:
        slack = [wide - low for wide, low in zip(fitted, least, strict=True)]
        widest = max((place for place in range(len(fitted)) if slack[place]), key=fitted.__getitem__)
        following = max((wide for wide in fitted if wide < fitted[widest]), default=0)
        cut = min(slack[widest], max(1, fitted[widest] - following), sum(fitted) - room)
        fitted[widest] -= cut
    return fitted


def cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _WIDEST_CELL)


def _columns(rows: Sequence[Sequence[str]], names: Sequence[str]) -> list[list[str]]:
    return [[row[place] for row in rows] for place in range(len(names))]


def _table(
    is_number: Sequence[bool], names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> list[str]:
    head = _line(names, widths, is_number)
    rule = _GAP.join("─" * width for width in widths)
    return [head, rule, *(_line(row, widths, is_number) for row in rows)]


def _line(cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    placed = [_placed(*each) for each in zip(cells, widths, is_number, strict=True)]
    return _GAP.join(placed).rstrip()


def _placed(text: str, width: int, at_right: bool) -> str:
    if cell_len(text) > width:
        return set_cell_size(_cut(text, width), width)
    missing = " " * (width - cell_len(text))
    return missing + text if at_right else text + missing


def _cut(text: str, width: int) -> str:
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def _blocks(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    longest = min(max(map(cell_len, names)), max(_NARROWEST_CELL, width // 2))
    found = []
    for number, row in enumerate(rows, 1):
        found.append(f"─ {number} " + "─" * max(0, min(width, 40) - len(str(number)) - 3))
        for name, text in zip(names, row, strict=True):
            line = f"{_placed(name, longest, False)}{_GAP}{text}"
            found.append((_cut(line, width) if cell_len(line) > width else line).rstrip())
    return found
