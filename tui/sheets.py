"""What a list shows, as a file: CSV, JSON or the HogQL that asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, is_dataclass
from pathlib import Path

from queries import tables
from tui.files import file_name, write_new
from workspace.text import plain, plain_lines


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows as they are shown (found, sorted), with every digit. `name` becomes part of the file's name."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple]
    hogql: str


# Format -> its name in the dialog, and the ending of its file.
FORMATS: Mapping[str, tuple[str, str]] = {
    "csv": ("CSV, for a spreadsheet", ".csv"),
    "json": ("JSON, for a script", ".json"),
    "hogql": ("The HogQL that asks for it", ".sql"),
}


def sheet(name: str, columns: Sequence[str], rows: Iterable, hogql: str) -> Sheet:
    """Rows are tuples, or dataclasses whose fields are the columns."""
    found = list(rows)
    if found and is_dataclass(found[0]):
        columns = [field.name for field in fields(found[0])]
        found = [astuple(row) for row in found]
    return Sheet(name, tuple(columns), found, hogql)


def write(folder: Path, shown: Sheet, kind: str) -> Path:
    """Blocking. Raises `LoopdeskError`."""
    return write_new(folder, f"loopdesk-{file_name(shown.name, 'rows')}", FORMATS[kind][1], text(shown, kind))


def text(shown: Sheet, kind: str) -> str:
    """What is in it came from events: cleaned like everything that leaves the desk."""
    if kind == "hogql":
        return "\n".join(plain_lines(shown.hogql)) + "\n"
    columns = [plain(column) for column in shown.columns]
    rows = [[_cleaned(value) for value in row] for row in shown.rows]
    return (tables.csv_text if kind == "csv" else tables.json_text)(columns, rows)


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_cleaned(part) for part in value]
    return value
