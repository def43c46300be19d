"""What a mark changed: the rounds on both sides of it, over the chart that showed it; Esc goes back to the mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

from textual import events
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from queries.boards import Answer
from queries.views.marks import Around, moments
from queries.views.timeline import Annotation, Mark, within
from tui.messages import Failed, Told
from tui.screens.base import BaseScreen
from tui.widgets.effects import effect_lines
from tui.widgets.reader import Reader
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, said, wrap
from workspace.errors import LoopdeskError

AROUND = "around"
_MOST = 6  # lines of what the annotation says


class MarkScreen(BaseScreen, ModalScreen):
    """Begins with the first annotation of `mark`; the others of the answer's window are a key away."""

    KEYS = "marked"
    CSS_PATH = "../styles/marked.tcss"
    AUTO_FOCUS = "#effect"

    def __init__(self, mark: Mark, answer: Answer) -> None:
        super().__init__()
        self._answer = answer
        self._mark = mark
        self._all: tuple[Annotation, ...] = ()
        self._place = 0
        self._found: Around | None = None
        self._problem: LoopdeskError | None = None

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield Reader(id="effect")

    def on_mount(self) -> None:
        zone = self._answer.results[0].timezone
        self._all = within(self.desk.happened.annotations, self._answer.window, zone) or self._mark.annotations
        first = self._mark.annotations[0] if self._mark.annotations else None
        self._place = self._all.index(first) if first in self._all else 0
        self._ask()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._show)

    def context(self) -> Sequence[str]:
        said = self._answer.filters.said
        return (said,) if said else ()

    def action_other(self, step: int) -> None:
        """The mark before or after this one."""
        place = self._place + step
        if 0 <= place < len(self._all):
            self._place = place
            self._ask()

    def action_back(self) -> None:
        self.desk.work.cancel(self)
        super().action_back()

    def _ask(self) -> None:
        from queries.around import around

        self._found = self._problem = None
        if self._all:
            desk, one = self.desk, self._all[self._place]
            others = moments(desk.happened.annotations, one.at)
            ask = partial(around, at=one.at, others=others, now=desk.now(), filters=self._answer.filters)
            desk.work.load(self, AROUND, lambda: desk.asker.answer(ask))
        self._show()

    def on_told(self, message: Told) -> None:
        if self.desk.work.accept(self, message):
            self._found = cast(Around, message.found)
            self._show()

    def on_failed(self, message: Failed) -> None:
        if self.desk.work.accept(self, message):
            self._problem = message.error
            self._show()

    def _show(self) -> None:
        if not self._all:
            self.query_one("#title", Line).say(said(self._mark.label, self.desk.palette), "")
            return
        desk, one = self.desk, self._all[self._place]
        beside = f"{self._place + 1} of {len(self._all)}" if len(self._all) > 1 else ""
        self.query_one("#title", Line).say(desk.clock_time(one.at), beside)
        reader = self.query_one(Reader)
        width = max(20, reader.size.width - 3)
        lines: list[list[Run]] = []
        for line in one.content.splitlines() or [one.label]:
            lines += [
                [(text, desk.palette.text)] for text in wrap(said(line, desk.palette), width, _MOST, desk.palette)
            ]
        reader.show([*lines[:_MOST], [], *self._numbers(width)])

    def _numbers(self, width: int) -> list[list[Run]]:
        palette = self.desk.palette
        if self._found is not None:
            return effect_lines(self._found, width, palette, self.desk.clock_time)
        words = str(self._problem) if self._problem else f"Asking{palette.glyphs.ellipsis}"
        style = palette.warn if self._problem else palette.dim
        return [[(line, style)] for line in wrap(said(words, palette), width, _MOST, palette)]
