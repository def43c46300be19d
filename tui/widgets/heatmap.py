"""The dimension heatmap: a row a dimension, the weakest first; values on their heat where the width allows, digits
where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from textual.strip import Strip

from queries.views import drill
from queries.views.heatmap import DimensionRow, Heatmap
from queries.views.timeline import Mark
from queries.views.words import score
from tui.palette import Palette
from tui.widgets.aligned import Column, Placed, place, table
from tui.widgets.blocks import Slots, axis, fraction, gathered, grouped, happened_row, mean, slots
from tui.widgets.formats import score_change, scored, spelled
from tui.widgets.strips import Cell, Linked, Run, cell, flow, linked, painted, said, verdict

_WIDEST = 7  # cells of one value with its heat around it
_DIGITS = 14  # cells; a night by the hour
_NAME, _WHOLE = 10, 24  # cells a dimension's name may be clipped to
_OWNER = 16
_MANY = 8  # lines
_ROUNDING = 1e-9  # 0.3 is three tenths, though 0.3 * 10 may fall short of 3


@dataclass(frozen=True, slots=True)
class _Top:
    """Over the rows: the axis, where there is room for one, and what happened, in a line of its own or on the axis."""

    lines: int
    happened: Sequence[Mark]

    def over(self, buckets: Sequence[str], shape: Slots, width: int, palette: Palette) -> list[Cell]:
        if not self.lines:
            return []
        if self.lines == 1:
            return [tuple(axis(buckets, shape, palette, self.happened))]
        row = happened_row(self.happened, buckets, shape, palette, width)
        return [tuple(axis(buckets, shape, palette)), tuple(row)]


def paint_heatmap(
    view: Heatmap, width: int, height: int, palette: Palette, happened: Sequence[Mark] = ()
) -> list[Strip]:
    """At most `height` strips of `width` cells; the last says how many dimensions are not shown."""
    head = verdict(view.verdict, width, height, palette)
    room = height - len(head)
    if not view.rows or room <= 0:
        return painted(head, [], width, height)
    has_axis = room > min(len(view.rows), 3)
    # A line of its own is worth one of many rows, but none of few.
    tells = bool(happened) and (room > len(view.rows) + 2 or len(view.rows) > room > _MANY)
    top = _Top(has_axis + tells, happened)
    space = room - top.lines
    shown = len(view.rows) if len(view.rows) <= space else max(1, space - 1)
    placed, legend = _placed(view, view.rows[:shown], top, width, palette)
    notes = [f"+{len(view.rows) - shown:,} more"] if shown < len(view.rows) else []
    notes += [legend] if legend else []
    foot = flow([cell(note, palette.dim) for note in notes], width, min(1, space - shown), palette, between="; ")
    return painted(head, [*table(placed, palette), *foot], width, height)


def _placed(
    view: Heatmap, rows: Sequence[DimensionRow], top: _Top, width: int, palette: Palette
) -> tuple[list[Placed], str]:
    """With values for the whole window if they fit, else for those of its buckets that have any, else as digits and
    the words that explain them."""
    wide = 1 + max(len(_short(value, view)) for row in rows for value in (row.average, *row.cells) if value is not None)
    spans = dict.fromkeys([(0, len(view.buckets)), _inhabited(view)])
    name, *numbers, change = _texts(view, rows, top.lines, palette)
    values = [_values(view, rows, span, wide, top, palette) for span in spans]
    digits = _digits(view, rows, top, palette)
    placed: list[Placed] = []
    for least, picture in [*product((_WHOLE, _NAME), values), (_WHOLE, digits), (_NAME, digits)]:
        placed = place([replace(name, least=least), *numbers, picture, change], width)
        # A picture is worth more than the average beside it, and less than the change.
        if {spot.column.rank for spot in placed} >= {0, picture.rank, change.rank}:
            return placed, _legend(view, palette) if picture is digits else ""
    return placed, ""


def _texts(view: Heatmap, rows: Sequence[DimensionRow], above: int, palette: Palette) -> list[Column]:
    def under(heading: str, cells: list[Cell]) -> list[Cell]:
        return [cell(heading, palette.dim), *[()] * (above - 1), *cells] if above else cells

    owners = _owners(view)
    # Two rows of one name need their owners more than their averages.
    is_ambiguous = len({row.dimension for row in view.rows}) < len(view.rows)
    changes = [
        score_change(row.change, row.change > 0 if row.change else None, palette, in_words=False) for row in rows
    ]
    return [
        Column(under("", [cell(said(row.dimension, palette), palette.text) for row in rows]), least=_NAME),
        Column(
            under("", [cell(said(owners[row.owner], palette), palette.dim) for row in rows]),
            least=_OWNER,
            rank=3 if is_ambiguous else 4,
        ),
        Column(
            under(
                "avg", [linked(scored(row.average, palette, palette.strong), drill.of_dimension(row)) for row in rows]
            ),
            right=True,
            rank=4 if is_ambiguous else 3,
        ),
        Column(under("change", changes), rank=1),
    ]


def _values(
    view: Heatmap, rows: Sequence[DimensionRow], span: tuple[int, int], wide: int, top: _Top, palette: Palette
) -> Column:
    first, last = span
    count = max(1, last - first)

    def draw(width: int) -> list[Cell]:
        each = min(_WIDEST, width // count)
        names = view.buckets[first:last]
        lines = top.over(names, Slots(len(names), 1, each, 0), width, palette)
        return [*lines, *(_heated(row, span, each, view, palette) for row in rows)]

    return Column(draw=draw, least=wide * count, most=_WIDEST * count, step=count, rank=2)


def _heated(row: DimensionRow, span: tuple[int, int], each: int, view: Heatmap, palette: Palette) -> Cell:
    right = 1 if each > 4 else 0
    runs: list[Run] = []
    for at in range(*span):
        value = row.cells[at]
        if value is None:
            runs.append((palette.glyphs.zero.rjust(each - right).ljust(each), palette.dim))
        else:
            text = _short(value, view).rjust(each - right).ljust(each)
            behind = drill.of_dimension(row, view.buckets[at : at + 1])
            runs.append((Linked(text, behind), palette.heat[_level(value, view, palette)]))
    return tuple(runs)


def _digits(view: Heatmap, rows: Sequence[DimensionRow], top: _Top, palette: Palette) -> Column:
    """One digit a bucket: a colour without a number says too little, and a cell has room for one."""

    count = max(1, len(view.buckets))

    def draw(width: int) -> list[Cell]:
        shape = slots(count, width)
        # No blank between the cells: the heat is one band.
        shape = Slots(shape.buckets, shape.group, min(2, shape.wide), 0)
        lines = top.over(view.buckets, shape, width, palette)
        for row in rows:
            runs: list[Run] = []
            for value, names in zip(gathered(row.cells, shape, mean), grouped(view.buckets, shape), strict=True):
                if value is None:
                    runs.append((palette.glyphs.zero.rjust(shape.wide), palette.dim))
                else:
                    text = Linked(_digit(value, view).rjust(shape.wide), drill.of_dimension(row, names))
                    runs.append((text, palette.heat[_level(value, view, palette)]))
            lines.append(tuple(runs))
        return lines

    return Column(draw=draw, least=min(_DIGITS, count), most=2 * count, step=count, rank=2)


def _digit(value: float, view: Heatmap) -> str:
    """Tenths of 1 where every value lies within 0..1, else tenths of the scale."""
    low, high = (0.0, 1.0) if _is_share(view) else (view.low, view.high)
    return str(max(0, min(9, int(fraction(value, low, high) * 10 + _ROUNDING))))


def _legend(view: Heatmap, palette: Palette) -> str:
    if _is_share(view):
        return "digits are tenths"
    return spelled(f"digits: 0 is {score(view.low)}, 9 is {score(view.high)}", palette)


def _is_share(view: Heatmap) -> bool:
    return view.low >= 0 and view.high <= 1


def _owners(view: Heatmap) -> dict[str, str]:
    """Each owner by its last part, the client, where that alone tells them apart."""
    owners = {row.owner for row in view.rows}
    short = {owner: owner.rpartition("/")[2] for owner in owners}
    return short if len(set(short.values())) == len(owners) else {owner: owner for owner in owners}


def _inhabited(view: Heatmap) -> tuple[int, int]:
    """From the first to the last bucket in which anything was scored."""
    full = [place for place in range(len(view.buckets)) if any(row.cells[place] is not None for row in view.rows)]
    return (full[0], full[-1] + 1) if full else (0, len(view.buckets))


def _level(value: float, view: Heatmap, palette: Palette) -> int:
    steps = len(palette.heat)
    return max(0, min(steps - 1, int(fraction(value, view.low, view.high) * steps)))


def _short(value: float, view: Heatmap) -> str:
    """Three or four characters: `.82` on a scale within one, `7.3` within ten, `61` and `1.2k` above."""
    most = max(abs(view.low), abs(view.high))
    if most <= 1:
        text = f"{value:.2f}"
        return text.replace("0.", ".", 1) if abs(value) < 0.995 else text[:-1]
    if most < 10:
        return f"{value:.1f}"
    if most < 1000:
        return f"{value:.0f}"
    for unit in ("k", "M", "G"):
        value /= 1000
        if abs(value) < 100:
            return f"{value:.1f}{unit}"
    return f"{value * 1e9:.0e}"
