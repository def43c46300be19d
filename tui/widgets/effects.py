"""What was different after a mark, as lines: for each project its rounds before and after, and the difference in
words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rich.style import Style

from queries.views import marks
from queries.views.marks import Around, Effect, Side
from tui.palette import Palette
from tui.widgets.aligned import Column, place, table
from tui.widgets.formats import cost_change, counted, paid, score_change, scored, shared
from tui.widgets.strips import Cell, Run, cell, said, wrap

_MOST = 4  # lines of a sentence
_NAME = 14


def effect_lines(found: Around, width: int, palette: Palette, clock: Callable[[datetime], str]) -> list[list[Run]]:
    """As many lines as it takes, each at most `width` cells wide; `clock` spells a moment."""
    lines: list[list[Run]] = []
    for sentence, style in (
        (found.verdict, palette.strong),
        (f"Before: from {clock(found.before.since)}. After: to {clock(found.after.until)}.", palette.dim),
        *((note, palette.warn) for note in marks.notes(found)),
    ):
        lines += [[(line, style)] for line in wrap(said(sentence, palette), width, _MOST, palette)]
    if not found.effects:
        return lines
    return [*lines, [], *table(place(_columns(found.effects, palette), width, headings=True), palette, headings=True)]


def _columns(found: tuple[Effect, ...], palette: Palette) -> list[Column]:
    """Four rows a project: its name, before, after, and what that means; a blank one between two."""

    def rows(of: Callable[[Side], Cell], differs: Callable[[Effect], Cell]) -> list[Cell]:
        cells: list[Cell] = []
        for one in found:
            sides = [of(side) if side is not None else cell("", palette.dim) for side in (one.before, one.after)]
            cells += [(), *sides, differs(one), ()]
        return cells[:-1]

    names: list[Cell] = []
    for one in found:
        words = cell(f"  {marks.word(one)}", _ink(one, palette))
        names += [cell(said(one.project, palette), palette.title), *_sides(one, palette), words, ()]
    return [
        Column(names[:-1], least=_NAME),
        Column(rows(lambda side: counted(side.rounds, palette), lambda one: ()), heading="rounds", right=True),
        Column(
            rows(lambda side: scored(side.best, palette, palette.strong), lambda one: _best(one, palette)),
            heading="best",
            right=True,
        ),
        Column(
            rows(lambda side: shared(side.kept_share, palette), lambda one: _kept(one, palette)),
            heading="kept",
            right=True,
            rank=1,
        ),
        Column(
            rows(lambda side: paid(side.per_kept_usd, palette), lambda one: _cost(one, palette)),
            heading="per kept",
            right=True,
            rank=2,
        ),
    ]


def _sides(one: Effect, palette: Palette) -> tuple[Cell, Cell]:
    return (
        cell("  before", palette.text if one.before else palette.dim),
        cell("  after", palette.text if one.after else palette.dim),
    )


def _ink(one: Effect, palette: Palette) -> Style:
    return {"better": palette.good, "worse": palette.bad}.get(marks.word(one), palette.dim)


def _best(one: Effect, palette: Palette) -> Cell:
    if one.change is None or one.is_few:
        return ()
    change = score_change(one.change, one.is_better, palette, in_words=False)
    return tuple((text, palette.dim) for text, _ in change) if marks.is_unclear(one) else change


def _kept(one: Effect, palette: Palette) -> Cell:
    """Words only for what is more than chance."""
    if one.is_few or one.before is None or one.after is None or one.after.kept_share is None:
        return ()
    if one.keeps_more is None:
        return cell("unclear", palette.dim)
    return cell("more", palette.good) if one.keeps_more else cell("fewer", palette.bad)


def _cost(one: Effect, palette: Palette) -> Cell:
    if one.is_few or one.before is None or one.after is None:
        return ()
    return cost_change(one.after.per_kept_usd, one.before.per_kept_usd, palette)
