"""What a person chose to see of traces, as a small value that is kept for the next round and the next day."""

from __future__ import annotations

from collections.abc import Mapping

from queries.views.trace.shown import ALL_OPEN, Folds, Wanted
from queries.views.trace.tree import KINDS

MOST_ROWS = 200  # folded one by one; more than that nobody did by hand
_KEY_BYTES = 16  # the round's own row has a shorter key, which is every round's


def remembered(folds: Folds, wanted: Wanted) -> dict[str, object]:
    """Depth, kinds, errors only, and the rows that were folded or opened one by one; what was searched for is not."""
    rows = sorted(key.hex() for key in folds.turned if len(key) >= _KEY_BYTES)
    return {
        "depth": folds.depth if folds.depth < ALL_OPEN else None,
        "rows": rows if len(rows) <= MOST_ROWS else [],
        "kinds": [kind for kind in KINDS if kind in wanted.kinds],
        "errors_only": wanted.errors_only,
    }


def restored(value: object) -> tuple[Folds, Wanted]:
    """From what `remembered` gave; what another version wrote counts as absent."""
    if not isinstance(value, Mapping):
        return Folds(), Wanted()
    depth, rows, kinds = (value.get(name) for name in ("depth", "rows", "kinds"))
    is_depth = isinstance(depth, int) and not isinstance(depth, bool) and 0 <= depth < ALL_OPEN
    keys = (_key(row) for row in rows[:MOST_ROWS]) if isinstance(rows, list) else ()
    return (
        Folds(depth if is_depth else ALL_OPEN, frozenset(key for key in keys if key)),  # type: ignore[arg-type]
        Wanted(frozenset(KINDS) & frozenset(_words(kinds)), value.get("errors_only") is True),
    )


def _words(value: object) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _key(row: object) -> bytes:
    try:
        return bytes.fromhex(row) if isinstance(row, str) else b""
    except ValueError:
        return b""
