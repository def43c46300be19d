"""Functions that SQLite lacks: name -> (number of arguments, -1 for any; function). NULL in, NULL out."""

from __future__ import annotations

from collections.abc import Callable

from queries.local.hogql.scalars import arrays, documents, numbers, text, times

FUNCTIONS: dict[str, tuple[int, Callable]] = {
    **numbers.FUNCTIONS,
    **text.FUNCTIONS,
    **times.FUNCTIONS,
    **arrays.FUNCTIONS,
    **documents.FUNCTIONS,
}
