"""Bars and sparklines in eighths of a cell, and the axis under them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from rich.cells import cell_len
from rich.style import Style

from queries.views.timeline import Mark, joined
from queries.views.words import bucket_label
from tui.palette import Palette
from tui.widgets.aligned import Column
from tui.widgets.strips import Cell, Linked, Run, cell, clip, linked, said

_WIDEST = 6  # cells of one bucket; wider ones look like blocks, not like a line
_FEWEST = 5  # cells of words that still say something
_SPACE = Style()


def bar(share: float, width: int, palette: Palette) -> str:
    """A bar of at most `width` cells for a share of 0..1; whatever is more than nothing shows."""
    bars = palette.glyphs.bars
    steps = len(bars) - 1
    filled = round(max(0.0, min(1.0, share)) * width * steps)
    if share > 0:
        filled = max(1, filled)
    full, part = divmod(filled, steps)
    return bars[-1] * full + (bars[part] if part else "")


@dataclass(frozen=True, slots=True)
class Slots:
    """How buckets share a width: each slot is `wide` cells, the last `gap` of them blank, and holds `group` buckets."""

    buckets: int
    group: int
    wide: int
    gap: int

    @property
    def count(self) -> int:
        return -(-self.buckets // self.group)

    @property
    def width(self) -> int:
        return self.count * self.wide

    def of(self, bucket: int) -> int:
        """The first cell of a bucket's slot."""
        return bucket // self.group * self.wide


def slots(buckets: int, width: int) -> Slots:
    """As wide as they can be; where there are more buckets than cells, neighbours share one."""
    buckets, width = max(1, buckets), max(1, width)
    if buckets > width:
        return Slots(buckets, -(-buckets // width), 1, 0)
    wide = min(_WIDEST, width // buckets)
    return Slots(buckets, 1, wide, 1 if wide > 2 else 0)


def gathered(
    values: Sequence[float | None], shape: Slots, how: Callable[[Iterable[float]], float]
) -> list[float | None]:
    """One value a slot; None where none of its buckets has one."""
    found: list[float | None] = []
    for start in range(0, len(values), shape.group):
        known = [value for value in values[start : start + shape.group] if value is not None]
        found.append(how(known) if known else None)
    return found


def grouped(names: Sequence[str], shape: Slots) -> list[Sequence[str]]:
    """The buckets of each slot."""
    return [names[start : start + shape.group] for start in range(0, len(names), shape.group)]


def mean(values: Iterable[float]) -> float:
    """Of at least one value. Divided before it is added, so that no score is too large for it."""
    known = list(values)
    return sum(value / len(known) for value in known)


def fraction(value: float, low: float, high: float) -> float:
    """Where a value stands between the ends, 0..1; in the middle where they are one. Halves, because the distance of
    two numbers may be too large for a number."""
    span = high / 2 - low / 2
    found = (value / 2 - low / 2) / span if span > 0 else 0.5
    return max(0.0, min(1.0, found)) if isfinite(found) else 0.5


def spark(
    values: Sequence[float | None],
    low: float,
    high: float,
    shape: Slots,
    style: Style,
    palette: Palette,
    rows: int = 1,
    behind: Sequence[object] = (),
) -> list[Cell]:
    """A column chart `rows` lines high, top line first. None is a gap; the lowest value still shows. On the ground
    line each value leads to what is `behind` it."""
    sparks = palette.glyphs.sparks
    steps = len(sparks)
    levels = [None if value is None else 1 + round(fraction(value, low, high) * (steps * rows - 1)) for value in values]
    lines: list[Cell] = []
    for row in reversed(range(rows)):
        runs: list[Run] = []
        for place, level in enumerate(levels):
            inside = 0 if level is None else max(0, min(steps, level - row * steps))
            column = (sparks[inside - 1] if inside else " ") * (shape.wide - shape.gap)
            leads = bool(behind) and not row and level is not None
            runs += [(Linked(column, behind[place]) if leads else column, style), (" " * shape.gap, style)]
        lines.append(tuple(runs))
    return lines


def tally(
    values: Sequence[float], high: float, shape: Slots, style: Style, palette: Palette, behind: Sequence[object] = ()
) -> Cell:
    """Counts on one line, from zero; a bucket of none is a dot, so that quiet hours can be told from missing ones. Each
    count leads to what is `behind` it."""
    sparks = palette.glyphs.sparks
    runs: list[Run] = []
    for place, value in enumerate(values):
        level = max(1, min(len(sparks), round(value / high * len(sparks)))) if value > 0 else 0
        glyph, ink = (sparks[level - 1], style) if level else (palette.glyphs.zero, palette.dim)
        wide = shape.wide - shape.gap
        if level:
            column = glyph * wide
            runs += [(Linked(column, behind[place]) if behind else column, ink), (" " * shape.gap, _SPACE)]
        else:
            runs.append((glyph + " " * (shape.wide - 1), ink))
    return tuple(runs)


def axis(buckets: Sequence[str], shape: Slots, palette: Palette, happened: Sequence[Mark] = ()) -> list[Run]:
    """Times under a chart, evenly spaced, as many as there is room for; between them what happened, each as one glyph:
    a time that would stand in its place is left out."""
    labels = [said(bucket_label(name), palette) for name in buckets[:: shape.group]]
    widest = max((cell_len(label) for label in labels), default=0)
    every = -(-(widest + 3) // shape.wide)
    flags = {start: linked(flag(palette), mark) for start, mark in _standing(happened, buckets, shape)}
    runs: list[Run] = []
    end = 0
    for start in range(shape.width):
        label = labels[start // shape.wide] if labels and start % (every * shape.wide) == 0 else ""
        wide = cell_len(label)
        if start in flags:
            runs += [(" " * (start - end), palette.dim), *flags[start]]
            end = start + 1
        elif label and start + wide <= shape.width and not flags.keys() & set(range(start, start + wide + 1)):
            runs += [(" " * (start - end), palette.dim), (label, palette.dim)]
            end = start + wide
    return runs


def flag(palette: Palette) -> Cell:
    return cell(palette.glyphs.flag, palette.warn)


def happened_row(
    happened: Sequence[Mark], buckets: Sequence[str], shape: Slots, palette: Palette, width: int = 0
) -> list[Run]:
    """What happened under a chart: a glyph each, and as much of its words as the next one leaves room for within
    `width` cells, of the chart where that is 0. Glyph and words lead to the mark."""
    standing = _standing(happened, buckets, shape)
    runs: list[Run] = []
    end = 0
    for place, (start, mark) in enumerate(standing):
        until = standing[place + 1][0] - 1 if place + 1 < len(standing) else max(width, shape.width)
        runs += [(" " * (start - end), _SPACE), *linked(flag(palette), mark)]
        room = until - start - 2
        words = clip(said(mark.label, palette), room, palette) if room >= _FEWEST else ""
        runs += linked(((" ", _SPACE), (words, palette.dim)), mark) if words else ()
        end = start + 1 + (1 + cell_len(words) if words else 0)
    return runs


def told(columns: Sequence[Column], buckets: Sequence[str], happened: Sequence[Mark], palette: Palette) -> list[Column]:
    """The columns with one more row: what happened, in those that are drawn over `buckets`."""

    def under(draw: Callable[[int], Sequence[Cell]]) -> Callable[[int], Sequence[Cell]]:
        def both(width: int) -> Sequence[Cell]:
            shape = slots(len(buckets), width)
            return [*draw(width), tuple(happened_row(happened, buckets, shape, palette, width))]

        return both

    return [replace(one, draw=under(one.draw)) if one.draw else replace(one, cells=[*one.cells, ()]) for one in columns]


def _standing(happened: Sequence[Mark], buckets: Sequence[str], shape: Slots) -> list[tuple[int, Mark]]:
    """The cells of a chart in which something happened, from left to right; what shares a cell is one mark."""
    order = {name: place for place, name in enumerate(buckets)}
    found: dict[int, list[Mark]] = {}
    for mark in happened:
        if mark.bucket in order:
            found.setdefault(shape.of(order[mark.bucket]), []).append(mark)
    return [(start, joined(found[start])) for start in sorted(found)]


def marks(places: Iterable[tuple[int, str, object]], width: int, palette: Palette) -> list[Run]:
    """Carets at cells of a chart, each with its name where the next one leaves room; both lead to the same place."""
    at = {start: (name, target) for start, name, target in places if 0 <= start < width}
    ordered = [(start, *at[start]) for start in sorted(at)]
    runs: list[Run] = []
    end = 0
    for index, (start, name, target) in enumerate(ordered):
        until = ordered[index + 1][0] - 1 if index + 1 < len(ordered) else width
        wide = cell_len(name)
        if start < end:
            continue
        runs += [(" " * (start - end), _SPACE), *linked(cell(palette.glyphs.caret, palette.warn), target)]
        end = start + 1
        if end + wide <= until:
            runs += linked(cell(name, palette.dim), target)
            end += wide
    return runs
