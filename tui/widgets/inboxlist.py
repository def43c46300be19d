"""The list of the inbox: reports under the names of their groups, which fold; several can be marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from rich.cells import cell_len
from textual.geometry import Region
from textual.strip import Strip

from queries.views.words import counted
from tui.elsewhere import Elsewhere
from tui.palette import Palette
from tui.reports import (
    BLOCKED,
    DONE,
    Entry,
    Group,
    Listed,
    Row,
    Stopped,
    grouped,
    in_order,
    priority,
    proposal_tone,
    title,
    why,
)
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Column, Table
from tui.widgets.strips import Run, strip

_LEAD = 6  # cells: the mark and the priority


class InboxTable(Table[Entry]):
    """A table whose rows stand under lines of their own."""

    def __init__(self, columns: Sequence[Column[Entry]], palette: Palette, unfolds: str) -> None:
        super().__init__(columns, palette)
        self._unfolds = unfolds

    def paint(self, row: Row, width: int) -> Strip:
        return self._group(row, width) if isinstance(row, Group) else super().paint(row, width)

    def lead(self, width: int) -> int:
        return min(width, _LEAD)

    def text(self, row: Row) -> str:
        if isinstance(row, Group):
            return ""
        if isinstance(row, Listed):
            more = f"{row.found.report.summary} {row.found.why}"
        else:
            more = row.found.signal.content if isinstance(row, Stopped) else row.found.summary
        return f"{super().text(row)} {row.id} {row.group} {more}"

    def _group(self, row: Group, width: int) -> Strip:
        palette = self.palette
        folded = f"  folded{f': {self._unfolds} unfolds' if self._unfolds else ''}" if row.is_folded else ""
        runs: list[Run] = [
            (f"{row.name} ", palette.bad if row.name == BLOCKED else palette.title),
            (f"{row.count}{folded}", palette.dim),
        ]
        return strip(runs, width)


class InboxList(RowList):
    """`marked` are the ids of the entries that the next decision is about."""

    def __init__(
        self,
        palette: Palette,
        clock_time: Callable[..., str],
        short_time: Callable[[datetime], str],
        *,
        unfolds: str = "",
        id: str | None = None,
    ) -> None:
        self.marked: set[str] = set()
        self.folded = frozenset((DONE,))
        table = InboxTable(columns(clock_time, short_time, self.marked), palette, unfolds)
        super().__init__(table, empty="Reading…", id=id)

    @property
    def table(self) -> InboxTable:
        return cast(InboxTable, self.painter)

    @property
    def entries(self) -> Sequence[Entry]:
        """All that no filter leaves out, folded or not."""
        return self._all

    @property
    def entry(self) -> Entry | None:
        """The report or the blocked signal under the cursor."""
        row = self.current
        return row if isinstance(row, Entry) else None

    def show_entries(self, entries: Sequence[Entry], chosen: str) -> None:
        """The cursor stays on the chosen one; where that is gone, on its line."""
        self.marked &= {entry.id for entry in entries}
        self.show(self.table.sorted(entries), keep=lambda row: getattr(row, "id", "") == chosen)

    def _apply(self, keep: Callable[[Any], bool] | None) -> None:
        before = self.lines()
        if self.is_filtered:
            texts = zip(self._all, self._searchable(), strict=True)
            self.rows = in_order([entry for entry, text in texts if self.query_text in text])
        else:
            self.rows = grouped(self._all, self.folded)
        if keep is not None:
            self.cursor = next((place for place, row in enumerate(self.rows) if keep(row)), self.cursor)
        self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
        if self.cursor == 0 and len(self.rows) > 1 and isinstance(self.rows[0], Group) and not self.rows[0].is_folded:
            self.cursor = 1
        self._bring_into_view()
        self._strips.clear()
        self.repaint_changed(before)
        self.post_message(self.Moved())

    def lines(self) -> list[Strip]:
        """What is on screen now, line by line."""
        return [self.render_line(y) for y in range(self.size.height)] if self.is_mounted else []

    def repaint_changed(self, before: list[Strip]) -> None:
        refresh_changed(self, before, self.lines())

    def unfold(self, entries: Sequence[Entry], id: str) -> None:
        """The group of the entry with this id is about to be shown."""
        self.folded -= {entry.group for entry in entries if entry.id == id}

    def fold(self) -> None:
        """Fold or unfold the group of the row under the cursor, which then stands on the group's line."""
        row = self.current
        name = row.name if isinstance(row, Group) else row.group if isinstance(row, Entry) else ""
        if name and not self.is_filtered:
            self.folded = self.folded ^ {name}
            self._apply(lambda row: isinstance(row, Group) and row.name == name)

    def mark(self) -> None:
        """Mark or unmark the row under the cursor, and go on to the next."""
        entry = self.entry
        if entry is not None:
            self.marked ^= {entry.id}
            self._repaint_row(self.cursor)
            below = range(self.cursor + 1, len(self.rows))
            self.go(next((place for place in below if not isinstance(self.rows[place], Group)), self.cursor))

    def unmark(self) -> None:
        before = self.lines()
        self.marked.clear()
        self._strips.clear()
        self.repaint_changed(before)

    def _repaint_row(self, place: int) -> None:
        self._strips.pop(place, None)
        self._refresh_lead(place)

    @property
    def count_said(self) -> str:
        return f"{counted(len(self.marked), 'row')} marked" if self.marked else ""


def refresh_changed(widget: RowList, before: Sequence[Strip], now: Sequence[Strip]) -> None:
    """Repaint the lines that differ, as far as either of them reaches: over SSH the rest is bytes for nothing."""
    if len(before) != len(now):
        widget.refresh()
        return
    for y, (old, new) in enumerate(zip(before, now, strict=True)):
        if old != new:
            width = max(cell_len(old.text.rstrip()), cell_len(new.text.rstrip()))
            widget.refresh(Region(0, y, min(width + 1, widget.size.width), 1))


def columns(
    clock_time: Callable[..., str], short_time: Callable[[datetime], str], marked: set[str]
) -> tuple[Column[Entry], ...]:
    """A narrow list keeps what it is about and when; why stands where there is room for it."""

    def mark(row: Entry, palette: Palette) -> Run:
        sign = palette.glyphs.dot if row.id in marked else state(row, palette)
        word = "!" if isinstance(row, Stopped) else priority(row)
        return f"{sign} {word:2}", palette.strong

    def state(row: Entry, palette: Palette) -> str:
        """Why says it in words, where there is room for them."""
        if not isinstance(row, Listed):
            return " "
        return palette.glyphs.ring if row.found.waiting else palette.glyphs.fail if row.refused else " "

    def seen(row: Entry, palette: Palette) -> Run:
        is_dated = not isinstance(row, Elsewhere) or row.is_dated
        return short_time(row.last_seen) if is_dated else "", palette.dim

    def words(row: Entry, palette: Palette) -> Run:
        is_loud = isinstance(row, Stopped) or (isinstance(row, Listed) and row.refused is not None)
        tone = proposal_tone(row)
        inks = {"good": palette.good, "bad": palette.bad, "warn": palette.warn}
        return why(row, clock_time), palette.warn if is_loud else inks.get(tone, palette.dim)

    return (
        Column("prio", 4, mark, _priority),
        Column("title", 36, lambda r, p: (title(r), p.text), lambda r: title(r).casefold(), most=44),
        Column("signals", 7, _signals, _number, right=True, rank=3, descending=True),
        Column("last seen", 9, seen, lambda r: r.last_seen, rank=1, descending=True),
        Column("why", 22, words, rank=2, grows=True),
    )


def _priority(row: Entry) -> str | None:
    return None if isinstance(row, Stopped) else priority(row) or None


def _number(row: Entry) -> int | None:
    if isinstance(row, Elsewhere):
        return row.found.signals
    return row.found.report.signals if isinstance(row, Listed) else None


def _signals(row: Entry, palette: Palette) -> Run:
    return str(_number(row) or ""), palette.text
