"""A trace as text, Markdown or one JSON document: the same rows as on the screen, for files and pipes."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from queries.views.trace.account import Account
from queries.views.trace.rows import Row, row
from queries.views.trace.tree import KINDS, Tree
from queries.views.words import money
from workspace.text import plain

BAR = 12  # cells
_LABEL = 72  # a longer one moves the columns behind it
_BESIDE = 78  # cells of the other columns, with a mark of usual length
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>|#"})


def rows_to(tree: Tree, depth: int | None) -> Iterator[Row]:
    """The rows down to `depth`, the round itself being 0; all of them where there is none."""
    return (row(tree, number) for number in range(len(tree)) if depth is None or tree.depth[number] <= depth)


def text(
    tree: Tree, account: Account, depth: int | None = None, *, ascii: bool = False, width: int | None = None
) -> Iterator[str]:
    """Lines of a table. `width` is a terminal's: what would not fit is cut; without one nothing is."""
    yield said(account.verdict, ascii)
    found = list(rows_to(tree, depth))
    room = max((2 * one.depth + len(one.label) for one in found), default=0)
    room = min(room, _LABEL) if width is None else max(20, min(room, width - _BESIDE))
    for one in found:
        label = "  " * one.depth + one.label
        if width is not None and len(label) > room:
            label = label[: room - 1] + "…"
        cells = (
            f"{offset(one.offset_s):>9}",
            bar(tree, one, BAR, ascii),
            f"{one.kind:<11}",
            f"{label:<{room}}",
            f"{duration(one.duration_s):>7}",
            f"{count(one.tokens):>7}",
            f"{money(one.cost_usd) if one.cost_usd is not None else '':>7}",
            ", ".join(one.marks),
        )
        yield said("  ".join(cells).rstrip(), ascii)


def markdown(tree: Tree, account: Account, depth: int | None = None) -> Iterator[str]:
    """A heading, the sentence, and one table."""
    yield f"# Round {_escaped(tree.trace_id)}"
    yield ""
    yield _escaped(account.verdict)
    yield ""
    yield "| offset | kind | what | duration | tokens | cost | mark |"
    yield "| ---: | --- | --- | ---: | ---: | ---: | --- |"
    for one in rows_to(tree, depth):
        indent = "&nbsp;&nbsp;" * one.depth
        cost = money(one.cost_usd) if one.cost_usd is not None else ""
        marks = _escaped(", ".join(one.marks))
        cells = (offset(one.offset_s), one.kind, indent + _escaped(one.label), duration(one.duration_s))
        yield f"| {' | '.join((*cells, count(one.tokens), cost, marks))} |"


def document(tree: Tree, account: Account, depth: int | None = None) -> dict[str, object]:
    """Stable keys. Times are ISO 8601 in UTC, `offset_s` is since the round began."""
    end = account.whole
    events = tree.events
    return {
        "trace_id": tree.trace_id,
        "outcome": account.outcome,
        "verdict": account.verdict,
        "started": _iso(tree.began_us),
        "ended": _iso(tree.ended_us),
        "duration_s": (tree.ended_us - tree.began_us) / 1e6,
        "score": end.score,
        "baseline_score": account.baseline,
        "score_goal": account.goal,
        "cost_usd": end.cost_usd,
        "cost_source": account.total_source or None,
        "tokens": end.tokens,
        "events": account.events,
        "duplicates": account.duplicates,
        "rows": [
            {
                "depth": one.depth,
                "kind": one.kind,
                "label": one.label,
                "offset_s": one.offset_s,
                "duration_s": one.duration_s,
                "tokens": one.tokens,
                "cost_usd": one.cost_usd,
                "marks": list(one.marks),
                "is_error": one.is_error,
                "events": [
                    {"uuid": events.uuid(place), "event": plain(events.said("event", place))}
                    for place in tree.places(one.number)
                ],
            }
            for one in rows_to(tree, depth)
        ],
    }


def to_json(tree: Tree, account: Account, depth: int | None = None) -> str:
    return json.dumps(document(tree, account, depth), ensure_ascii=False, allow_nan=False)


def bar(tree: Tree, one: Row, width: int, ascii: bool = False) -> str:
    """Where in the round a row lies: as many cells as it took, at least one."""
    start, end = cells(tree, one.number, width)
    return " " * start + ("#" if ascii else "█") * (end - start) + " " * (width - end)


def cells(tree: Tree, number: int, width: int) -> tuple[int, int]:
    """The first cell of a row's bar and the one behind its last; a row outside the round's time stands at its edge."""
    span = max(1, tree.ended_us - tree.began_us)
    first, last = ((moment - tree.began_us) / span for moment in (tree.start_us[number], tree.end_us[number]))
    start = min(width - 1, max(0, int(first * width)))
    return start, min(width, max(start + 1, round(last * width)))


def offset(seconds: float) -> str:
    """`+0.0s`, `+59.9s`, `+2m 05s`, `+1h 02m`; a minus where a skewed clock says so."""
    return f"{'−' if seconds < -0.05 else '+'}{duration(abs(seconds), moments=True)}"


def duration(seconds: float | None, *, moments: bool = False) -> str:
    """`8ms`, `1.2s`, `42s`, `2m 05s`, `1h 02m`; empty for a moment."""
    if seconds is None:
        return ""
    if seconds < 0.0995 and not moments:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    return f"{minutes // 60}h {minutes % 60:02}m" if minutes < 6000 else f"{minutes // 1440:,}d"


def count(value: float | None) -> str:
    """`940`, `12.3k`, `1.2M`."""
    if value is None:
        return ""
    if abs(value) < 1000:
        return f"{value:.0f}"
    return f"{value / 1000:.1f}k" if abs(value) < 999_950 else f"{value / 1_000_000:.1f}M"


def said(line: str, ascii: bool) -> str:
    """The line in ASCII where that is asked for."""
    if not ascii or line.isascii():
        return line
    bare = unicodedata.normalize("NFKD", line.translate(_IN_ASCII))
    return bare.encode("ascii", "replace").decode()


_IN_ASCII = str.maketrans({"→": "->", "−": "-", "–": "-", "×": "x", "…": "~", "“": '"', "”": '"'})


def _escaped(line: str) -> str:
    return plain(line).translate(_MARKDOWN)


def _iso(moment_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=moment_us)).isoformat()


def kinds(tree: Tree) -> dict[str, int]:
    """How many rows there are of each kind, in the order of `KINDS`; kinds that do not occur are left out."""
    counts = [0] * len(KINDS)
    for number in tree.kind:
        counts[number] += 1
    return {kind: number for kind, number in zip(KINDS, counts, strict=True) if number}
