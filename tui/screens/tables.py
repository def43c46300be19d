"""The tables of full screens: any question's rows, and deploys."""

from __future__ import annotations

from collections.abc import Callable

from queries.backend import QueryResult
from queries.views.deploys import Deploy
from queries.views.words import money, score, share
from tui.palette import Palette
from tui.widgets.rowtable import Column, Table
from tui.widgets.strips import Run
from workspace.text import plain

_WIDEST = 36
_LOOKED_AT = 200  # rows that decide how wide a column is


def result_table(result: QueryResult, palette: Palette) -> Table[tuple]:
    """A column of the answer is a column here, as wide as its cells need."""
    return Table([_column(result, place) for place in range(len(result.columns))], palette)


def _column(result: QueryResult, place: int) -> Column[tuple]:
    title = plain(result.columns[place], _WIDEST)
    is_number = any(word in result.types[place] for word in ("Int", "Float", "Decimal"))
    texts = [cell_text(row[place]) for row in result.rows[:_LOOKED_AT]]
    width = min(_WIDEST, max([len(title) + 1, *(len(text) for text in texts)]))

    def cell(row: tuple, palette: Palette) -> Run:
        return cell_text(row[place]), palette.dim if row[place] is None else palette.text

    def order(row: tuple) -> object:
        value = row[place]
        return value if value is None or isinstance(value, int | float) else str(value)

    return Column(title, width, cell, order, right=is_number, rank=place, descending=is_number)


def cell_text(value: object) -> str:
    """A JSON value as a cell: numbers short, times without their fraction, lists with commas, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(cell_text(part) for part in value)
    text = plain(value, 200)
    if len(text) >= 19 and text[4:5] == text[7:8] == "-" and text[10:11] == "T":
        return f"{text[:10]} {text[11:19]}"
    return text


def deploy_table(palette: Palette, clock_time: Callable[..., str]) -> Table[Deploy]:
    """Score, kept rate and cost by `git_sha`."""

    def best(row: Deploy, palette: Palette) -> Run:
        if row.is_better is None:
            return score(row.best), palette.text
        mark, style = (palette.glyphs.up, palette.good) if row.is_better else (palette.glyphs.down, palette.bad)
        return f"{mark} {score(row.best)}", style

    return Table(
        [
            Column("git_sha", 10, lambda r, p: (r.git_sha[:10], p.strong), lambda r: r.git_sha, rank=0),
            Column("project", 14, lambda r, p: (r.project, p.text), lambda r: r.project.casefold(), rank=1, grows=True),
            Column("first seen", 18, lambda r, p: (clock_time(r.first_seen), p.text), lambda r: r.first_seen, rank=2),
            Column("rounds", 7, lambda r, p: (f"{r.rounds:,}", p.text), lambda r: r.rounds, True, 4, True),
            Column("best", 10, best, lambda r: r.best, True, 0, True),
            Column("kept", 6, lambda r, p: (share(r.kept_share), p.text), lambda r: r.kept_share, True, 3, True),
            Column(
                "per kept", 9, lambda r, p: (money(r.per_kept_usd), p.text), lambda r: r.per_kept_usd, True, 3, True
            ),
        ],
        palette,
    )
