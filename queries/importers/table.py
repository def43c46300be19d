"""Lines of separated values -> header and rows, told apart from comments, repeated headers and damaged lines."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from queries.importers.files import MAX_LINE, lines
from queries.importers.log import Problem
from queries.importers.numbers import number

_MAX_COLUMNS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """`number` counts data rows from 1; `cells` may be fewer or more than the columns."""

    number: int
    place: str
    cells: list[str]
    cut_short: bool = False
    """It is the last line and has no line end: the loop may be writing it right now."""


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    row_count: int
    """With the lines too long to be a row."""
    comments: tuple[str, ...]
    problems: tuple[Problem, ...]
    separator: str


def read_header(text: str) -> tuple[str, ...] | None:
    """The column names, or None where the text does not begin like a table."""
    found = _header(lines(text[: 4 * MAX_LINE]))
    return found[1] if found else None


def read_table(text: str) -> Table | None:
    """The whole table, or None where there is no header line."""
    every = lines(text)
    found = _header(every)
    if not found:
        return None
    start, names, separator = found
    columns, problems = _distinct(names, f"line {start + 1}")
    comments = [line for line in every[:start] if line.strip()]
    last = len(every) - 1  # what follows the last line end: empty when the log ends properly
    rows: list[Row] = []
    count = 0
    for index, line in enumerate(every[start + 1 :], start + 1):
        if not line.strip():
            continue
        place = f"line {index + 1}"
        if len(line) > MAX_LINE:
            count += 1
            problems.append(Problem(place, f"it is longer than {MAX_LINE:,} characters", lost=True))
            continue
        cells = _cells(line, separator)
        if line.startswith("#") and len(cells) < 2:
            comments.append(line)
        elif [cell.casefold() for cell in cells] == [name.casefold() for name in names]:
            problems.append(Problem(place, "the header is repeated"))
        else:
            count += 1
            rows.append(Row(count, place, cells, cut_short=index == last))
    return Table(columns, tuple(rows), count, tuple(comments), tuple(problems), separator)


def _header(every: list[str]) -> tuple[int, tuple[str, ...], str] | None:
    """Index, names and separator of the header: the first line that is no comment, and holds no numbers."""
    for index, line in enumerate(every):
        if not line.strip():
            continue
        separator = "\t" if "\t" in line else ","
        names = _cells(line.lstrip("# ") if line.startswith("#") and line[1:2] != "\t" else line, separator)
        if line.startswith("#") and not (separator == "\t" and len(names) > 1):
            continue
        if (
            not 2 <= len(names) <= _MAX_COLUMNS
            or len(line) > MAX_LINE
            or any(number(name) is not None for name in names)
        ):
            return None
        return index, tuple(names), separator
    return None


def _distinct(names: tuple[str, ...], place: str) -> tuple[tuple[str, ...], list[Problem]]:
    """Names made different: the second "loss" becomes "loss_2", a nameless column "column_3"."""
    columns: list[str] = []
    problems: list[Problem] = []
    for index, name in enumerate(names, 1):
        wanted = name or f"column_{index}"
        if wanted in columns:
            problems.append(Problem(place, f'two columns are named "{wanted}"'))
            copy = 2
            while f"{wanted}_{copy}" in columns or f"{wanted}_{copy}" in names:
                copy += 1
            wanted = f"{wanted}_{copy}"
        columns.append(wanted)
    return tuple(columns), problems


def _cells(line: str, separator: str) -> list[str]:
    if separator == "\t":
        return [_unquoted(cell.strip()) for cell in line.split("\t")]
    # Line by line, not file by file: a quote that is never closed spoils its own row, not the rest of the log.
    try:
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
    except csv.Error:
        return [cell.strip() for cell in line.split(",")]


def _unquoted(cell: str) -> str:
    """Spreadsheets quote a cell and double the quotes in it; loops write quotes as they are."""
    inner = cell[1:-1]
    if len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell
