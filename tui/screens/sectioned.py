"""A screen of sections: a head, their names, the rows of one of them, and everything about the row under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from textual import events
from textual.containers import Container
from textual.widget import Widget

from tui.screens.base import BaseScreen
from tui.screens.confirming import ConfirmScreen
from tui.screens.jumping import LETTERS, Jumping
from tui.screens.noting import NoteScreen
from tui.screens.searching import Searching
from tui.sections import Said, Section
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Table
from tui.widgets.sectionbar import Head, Names
from tui.widgets.strips import Run, said, wrap
from tui.widgets.tracedetail import TraceDetail

_MOST_LINES = 3  # of one sentence of the head


class Sectioned(Jumping, Searching, BaseScreen):
    """`state` is all that the sections and the head are made of; a screen that has a new one calls `show_state`."""

    AUTO_FOCUS = "#rows"
    CSS_PATH = "../styles/sectioned.tcss"
    JUMPS_TO = "section"
    SECTIONS: ClassVar[Mapping[str, Section]]

    state: Any

    def __init__(self) -> None:
        super().__init__()
        self.section = next(iter(self.SECTIONS.values()))
        self._at: dict[str, object] = {}
        """Section -> the row that its cursor was on."""
        self._shown: object = None
        self._letters: dict[str, str] = {}

    def content(self) -> Iterable[Widget]:
        yield Head(id="head")
        yield Names(id="names")
        with Container(id="body"):
            yield RowList(Table[Any]((), self.desk.palette), empty="Asking…", id="rows")
            yield TraceDetail(id="detail")

    def on_mount(self) -> None:
        self.show_names()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self.show_head)

    # What a screen says of itself

    def head(self) -> Sequence[Said]:
        """The sentences over the sections; none while nothing is known."""
        raise NotImplementedError

    def is_known(self) -> bool:
        """Whether the rows of the section that is shown are."""
        raise NotImplementedError

    def empty(self) -> str:
        """What stands in the place of rows where there are none."""
        return self.section.empty

    def opened(self, row: Any) -> bool:
        """Enter on a row: True where it led to somewhere else."""
        return False

    def turned(self) -> None:
        """Another section is shown."""

    # What is shown

    @property
    def list(self) -> RowList:
        return self.query_one("#rows", RowList)

    @property
    def detail(self) -> TraceDetail:
        return self.query_one(TraceDetail)

    @property
    def is_reading(self) -> bool:
        return self.has_class("-reading")

    def show_state(self) -> None:
        self.show_head()
        self.show_names()
        self.show_rows()

    def show_head(self) -> None:
        palette, width = self.desk.palette, max(20, self.size.width - 4)
        lines: list[list[Run]] = []
        for tone, sentence in self.head():
            wrapped = wrap(said(sentence, palette), width, _MOST_LINES, palette)
            lines += [[(line, getattr(palette, tone))] for line in wrapped]
        if lines:
            self.query_one(Head).say(lines)

    def show_names(self) -> None:
        names = [(name, len(one.rows(self.state)) if one.is_counted else 0) for name, one in self.SECTIONS.items()]
        rows = self.list
        filtered = f"{len(rows.rows):,} with “{rows.query_text}”; Esc shows all." if rows.is_filtered else ""
        self.query_one(Names).say(self.section.name, names, self._letters, filtered)

    def show_rows(self) -> None:
        section, rows = self.section, self.section.rows(self.state)
        empty = self.empty() if self.is_known() else self.list.empty
        shown = (section.name, rows, empty)
        if shown == self._shown:
            return
        self._shown = shown
        self.list.painter = Table(section.columns(self.desk.short_time), self.desk.palette)
        self.list.empty = empty
        at = self._at.get(section.name)
        self.list.show(rows, keep=lambda row: section.identity(row) == at)

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        row = self.list.current
        if row is not None and self.is_known():
            self._at[self.section.name] = self.section.identity(row)
        self.detail.say(self.section.details(row, self.desk.clock_time) if row is not None else ())

    def context(self) -> Sequence[str]:
        parts = (self.desk.label, "read-only" if self.desk.is_read_only else "")
        return tuple(part for part in parts if part)

    def hints(self) -> Sequence[tuple[str, str]]:
        """What changes something is longest wanted: in 80 columns there is room for little else."""
        keys = self.desk.keys
        shown = [(verb, key) for verb in keys.on(self.KEYS) if verb.short and (key := keys.key(verb.name, self.KEYS))]
        shown.sort(key=lambda one: (one[0].scope == "everywhere", one[0].writes))
        return [(key, verb.short) for verb, key in shown]

    def help_topics(self) -> Sequence[str]:
        return (f"{self.KEYS}.{self.section.name.casefold()}", self.KEYS)

    # Sections

    def action_turn(self, step: int) -> None:
        names = self.parts()
        self.jump_to(names[(names.index(self.section.name) + step) % len(names)])

    def parts(self) -> Sequence[str]:
        return tuple(self.SECTIONS)

    def jump_to(self, part: str) -> None:
        if part != self.section.name:
            self.stop_reading()
            self.section = self.SECTIONS[part]
            self.list.query_text, self.list.is_filtered = "", False
            self.list.cursor = self.list.top = 0
            self.show_names()
            self.show_rows()
            self.turned()

    def mark_part(self, part: str, letter: str) -> None:
        self._letters[part] = letter
        if part == self.parts()[min(len(self.parts()), len(LETTERS)) - 1]:
            self.show_names()

    # Verbs that change nothing

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.list.search(text, filtered=filtered)
        self.show_names()

    def action_open(self) -> None:
        """All there is to read of a row, over the whole screen; again shows the rows."""
        row = self.list.current
        if self.is_reading:
            self.stop_reading()
        elif row is not None and not self.opened(row):
            self.add_class("-reading")
            self.set_focus(self.detail)

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        if self.focused is self.list:
            self.action_open()

    def stop_reading(self) -> None:
        if self.is_reading:
            self.remove_class("-reading")
            self.set_focus(self.list)

    def action_back(self) -> None:
        if self.is_reading:
            self.stop_reading()
        elif self.list.is_filtered:
            self.take_filter_off()
        else:
            self.desk.go_back()

    def action_copy(self) -> None:
        row = self.list.current
        if row is not None:
            self.say(self.desk.copy(cast(Table, self.list.painter).tsv(row), "the row"))

    def long_text(self) -> str | None:
        row = self.list.current
        if row is None:
            return None
        return "\n".join(line.text for line in self.section.details(row, self.desk.clock_time))

    # Asking the person

    def confirm(self, title: str, sentences: Sequence[str], do: Callable[[], object]) -> None:
        def answered(is_yes: bool | None) -> None:
            if is_yes:
                do()

        self.ask_yes(title, sentences, answered)

    def ask_yes(self, title: str, sentences: Sequence[str], answered: Callable[[bool | None], None]) -> None:
        """For whom a no means something too."""
        self.app.push_screen(ConfirmScreen(title, sentences), answered)

    def write(
        self,
        title: str,
        sentences: Sequence[str],
        written: Callable[[str], str],
        *,
        text: str = "",
        is_optional: bool = False,
    ) -> None:
        """`written` returns what is wrong with the text: then it is asked for again, with that said first."""

        def answered(found: str | None) -> None:
            if found is not None and (problem := written(found)):
                self.write(title, (problem, *sentences), written, text=found, is_optional=is_optional)

        self.app.push_screen(NoteScreen(title, sentences, text=text, is_optional=is_optional), answered)
