"""Cells of a table: numbers with their units, changes with their marks, times of an axis.

How a score, an amount or a share is spelled is `queries.views.words`' decision, so that a column and a sentence never
disagree; here it becomes a cell, with a dash where nothing is known.
"""

from __future__ import annotations

from rich.style import Style

from queries.views.words import money, score, share, size
from tui.palette import Palette
from tui.widgets.strips import Cell, cell

# A twentieth more or less is not worth a word.
_SAME_COST = 0.05


def counted(value: int | None, palette: Palette, style: Style | None = None) -> Cell:
    return unknown(palette) if value is None else cell(f"{value:,}", style or palette.text)


def scored(value: float | None, palette: Palette, style: Style | None = None) -> Cell:
    return unknown(palette) if value is None else cell(spelled(score(value), palette), style or palette.text)


def paid(value: float | None, palette: Palette, style: Style | None = None) -> Cell:
    return unknown(palette) if value is None else cell(spelled(money(value), palette), style or palette.text)


def shared(value: float | None, palette: Palette, style: Style | None = None) -> Cell:
    return unknown(palette) if value is None else cell(share(value), style or palette.text)


def unknown(palette: Palette) -> Cell:
    """Nobody sent it. Never 0."""
    return cell(palette.glyphs.dash, palette.dim)


def score_change(change: float | None, is_better: bool | None, palette: Palette, *, in_words: bool) -> Cell:
    """`▲ 0.012 better`: the mark follows the score's goal, so that ▲ is an improvement of a loss too."""
    if change is None:
        return unknown(palette)
    if is_better is None:
        return cell("same", palette.dim)
    glyph, word, style = (
        (palette.glyphs.up, "better", palette.good) if is_better else (palette.glyphs.down, "worse", palette.bad)
    )
    text = f"{glyph} {spelled(size(change), palette)}"
    return cell(f"{text} {word:6}" if in_words else text, style)


def count_change(now: int | None, before: int | None, palette: Palette, *, matters: bool) -> Cell:
    """`▲ 4`: more or fewer than before; coloured only where more is better."""
    if now is None or before is None:
        return cell("", palette.dim)
    if now == before:
        return cell("same", palette.dim)
    glyph, style = (palette.glyphs.up, palette.good) if now > before else (palette.glyphs.down, palette.bad)
    return cell(f"{glyph} {abs(now - before):,}", style if matters else palette.dim)


def cost_change(now: float | None, before: float | None, palette: Palette) -> Cell:
    """`12 % cheaper`, `2.4× dearer`: words, because an arrow at a price can be read both ways."""
    if now is None or not before:
        return cell("", palette.dim)
    factor = now / before
    if abs(factor - 1) < _SAME_COST:
        return cell("same", palette.dim)
    amount = f"{factor:,.1f}×" if factor >= 2 else f"{abs(factor - 1) * 100:.0f} %"
    word, style = ("dearer", palette.bad) if factor > 1 else ("cheaper", palette.good)
    return cell(spelled(f"{amount} {word}", palette), style)


def spelled(text: str, palette: Palette) -> str:
    """Our own words in ASCII where the palette asks for it."""
    if not palette.ascii or text.isascii():
        return text
    return text.replace("–", "-").replace("−", "-").replace("×", "x")
