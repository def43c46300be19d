"""Functions that SQLite lacks: name -> (number of arguments, -1 for any; function). NULL in, NULL out."""

from __future__ import annotations

from collections.abc import Callable

from queries.local.hogql.scalars import arrays, documents, numbers, quantiles, regex, text, times

FUNCTIONS: dict[str, tuple[int, Callable]] = {
    **numbers.FUNCTIONS,
    **text.FUNCTIONS,
    **regex.FUNCTIONS,
    **times.FUNCTIONS,
    **arrays.FUNCTIONS,
    **documents.FUNCTIONS,
    **quantiles.FUNCTIONS,
}

# Those that may refuse an argument in a sentence (`complaints`).
CAREFUL = frozenset(
    {*regex.FUNCTIONS, "hq_repeat", "hq_lpad", "hq_lpad_utf8", "hq_rpad", "hq_rpad_utf8", "hq_replace", "hq_trim",
     "hq_ltrim", "hq_rtrim", "hq_range", "hq_array_repeat", "hq_array_zip", "hq_int_divide", "hq_int_modulo"}
)  # fmt: skip
