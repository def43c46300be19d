"""Cells of a log read as numbers."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?", re.ASCII)
_MAX_LENGTH = 60
_NOT_A_NUMBER = frozenset({"nan", "inf", "infinity"})
_NO_VALUE = frozenset({"", "-", "--", "—", "n/a", "na", "none", "null", "nil", "?", "tbd"})


def number(cell: str) -> float | None:
    """A finite number, or None. A per cent sign is dropped: "91.5%" is 91.5."""
    cell = cell.strip()
    if len(cell) > _MAX_LENGTH or not _NUMBER.fullmatch(cell):
        return None
    value = float(cell.rstrip("%"))
    return value if math.isfinite(value) else None


def is_not_finite(cell: str) -> bool:
    """Whether it is a float that is no result: "nan", "-inf", 1e999."""
    bare = cell.strip().lower().lstrip("+-")
    return bare in _NOT_A_NUMBER or (
        len(cell) <= _MAX_LENGTH and bool(_NUMBER.fullmatch(bare)) and number(bare) is None
    )


def is_no_value(cell: str) -> bool:
    return cell.strip().lower() in _NO_VALUE


def scalar(cell: str) -> str | int | float:
    """A number where the cell is one, else its text. Only plain digits become whole numbers: 007 may be a name."""
    value = number(cell)
    if value is None or cell.endswith("%") or (cell.lstrip("+-")[:1] == "0" and cell.lstrip("+-")[1:2].isdigit()):
        return cell
    return int(value) if re.fullmatch(r"[+-]?\d{1,15}", cell, re.ASCII) else value
