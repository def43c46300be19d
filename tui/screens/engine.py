"""Engine: whether it runs and who judges, then its sources, blocked signals, jobs, budgets, memory and decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual.containers import Container
from textual.strip import Strip
from textual.widget import Widget

from tui.engineview import EngineState, gather, head
from tui.messages import Failed, Told
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.screens.enginedeeds import EngineDeeds
from tui.screens.enginesections import ALL, JOBS, Section
from tui.screens.jumping import LETTERS, Jumping
from tui.screens.searching import Searching
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Table
from tui.widgets.strips import Run, cells_wide, clip, said, strip, wrap
from tui.widgets.tracedetail import TraceDetail

if TYPE_CHECKING:
    from tui.desk import Desk

STATE = "state"
_TALL = 36  # lines from which the head says all it has to say
_MOST_LINES = 3  # of one sentence of the head


class EngineScreen(EngineDeeds, Jumping, Searching, BaseScreen):
    KEYS = "engine"
    CSS_PATH = "../styles/engine.tcss"
    AUTO_FOCUS = "#rows"

    def __init__(self) -> None:
        super().__init__()
        self.state = EngineState()
        self.section: Section = next(iter(ALL.values()))
        self._at: dict[str, object] = {}
        """Section -> the row that its cursor was on."""
        self._is_known = False
        self._shown: object = None
        self._was_asked = False
        self._letters: dict[str, str] = {}

    def content(self) -> Iterable[Widget]:
        yield Head(id="head")
        yield Names(id="names")
        with Container(id="body"):
            yield RowList(Table[Any]((), self.desk.palette), empty="Asking…", id="rows")
            yield TraceDetail(id="detail")

    def on_mount(self) -> None:
        self._say_names()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.desk.after_first_paint(self._ask)

    def on_unmount(self) -> None:
        if self.desk.door is not None:
            self.desk.door.cancel(self)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._say_head)

    # What is known

    def _ask(self) -> None:
        desk = self.desk
        if desk.door is None:
            self.list.empty = "This desk has no engine."
            self.list.repaint()
            return
        config, now = desk.config, desk.now()
        desk.door.ask(self, STATE, lambda inbox: gather(inbox, config, now))

    def inbox_moved(self) -> None:
        if self.is_current:
            self._ask()

    def on_told(self, message: Told[Any]) -> None:
        if self.desk.door is None or not self.desk.door.accept(self, message):
            return
        if message.job != STATE:
            self.told_deed(message)
            return
        if self._was_asked:
            self._was_asked = False
            self.say(f"Asked again at {self.desk.clock_time(self.desk.now(), seconds=True)}.")
        is_news = not self._is_known or message.found != self.state
        self.state, self._is_known = message.found, True
        if is_news:
            self._say_head()
            self._say_names()
            self._show_rows()

    def on_failed(self, message: Failed) -> None:
        if self.desk.door is None or not self.desk.door.accept(self, message):
            return
        self._was_asked = False
        if not self._is_known:
            self.list.empty = str(message.error)
            self.list.repaint()
        self.say(str(message.error))

    # What is shown

    @property
    def list(self) -> RowList:  # type: ignore[override]
        return self.query_one("#rows", RowList)

    @property
    def detail(self) -> TraceDetail:
        return self.query_one(TraceDetail)

    def _say_head(self) -> None:
        if not self._is_known:
            return
        desk, width, height = self.desk, max(20, self.size.width - 4), self.size.height
        keys = {name: desk.keys.key(name, self.KEYS) for name in ("consent", "start-engine")}
        ink = {tone: getattr(desk.palette, tone) for tone in ("strong", "text", "dim", "warn")}
        lines: list[list[Run]] = []
        for tone, sentence in head(self.state, desk.clock_time, keys, is_short=height < _TALL):
            wrapped = wrap(said(sentence, desk.palette), width, _MOST_LINES, desk.palette)
            lines += [[(line, ink[tone])] for line in wrapped]
        self.query_one(Head).say(lines)

    def _say_names(self) -> None:
        names = [(name, len(one.rows(self.state)) if one.is_counted else 0) for name, one in ALL.items()]
        rows = self.list
        filtered = f"{len(rows.rows):,} with “{rows.query_text}”; Esc shows all." if rows.is_filtered else ""
        self.query_one(Names).say(self.section.name, names, self._letters, filtered)

    def _show_rows(self) -> None:
        section, rows = self.section, self.section.rows(self.state)
        shown = (section.name, rows)
        if shown == self._shown:
            return
        self._shown = shown
        self.list.painter = Table(section.columns(self.desk.short_time), self.desk.palette)
        self.list.empty = section.empty
        at = self._at.get(section.name)
        self.list.show(rows, keep=lambda row: section.identity(row) == at)

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        row = self.list.current
        if row is not None and self._is_known:
            self._at[self.section.name] = self.section.identity(row)
        self.detail.say(self.section.details(row, self.desk.clock_time) if row is not None else ())

    def context(self) -> Sequence[str]:
        parts = (self.desk.label, "read-only" if self.desk.is_read_only else "")
        return tuple(part for part in parts if part)

    def help_topics(self) -> Sequence[str]:
        return (f"{self.KEYS}.{self.section.name.casefold()}", self.KEYS)

    # Sections

    def action_turn(self, step: int) -> None:
        names = self.parts()
        self.jump_to(names[(names.index(self.section.name) + step) % len(names)])

    JUMPS_TO = "section"

    def parts(self) -> Sequence[str]:
        return tuple(ALL)

    def jump_to(self, part: str) -> None:
        if part != self.section.name:
            self._stop_reading()
            self.section = ALL[part]
            self.list.query_text, self.list.is_filtered = "", False
            self.list.cursor = self.list.top = 0
            self._say_names()
            self._show_rows()

    def mark_part(self, part: str, letter: str) -> None:
        self._letters[part] = letter
        if part == self.parts()[min(len(self.parts()), len(LETTERS)) - 1]:
            self._say_names()

    # Verbs that change nothing; the others are `EngineDeeds`'

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.list.search(text, filtered=filtered)
        self._say_names()

    def action_open(self) -> None:
        """The report of a job; of anything else, all there is to read, over the whole screen; again shows the rows."""
        row = self.list.current
        if self.has_class("-reading"):
            self._stop_reading()
        elif row is not None:
            report_id = row.job.report_id if self.section.name == JOBS else ""  # type: ignore[attr-defined]
            if report_id:
                self.desk.open_report(report_id)
            else:
                self.add_class("-reading")
                self.set_focus(self.detail)

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        if self.focused is self.list:
            self.action_open()

    def _stop_reading(self) -> None:
        if self.has_class("-reading"):
            self.remove_class("-reading")
            self.set_focus(self.list)

    def action_back(self) -> None:
        if self.has_class("-reading"):
            self._stop_reading()
        elif self.list.is_filtered:
            self.take_filter_off()
        else:
            self.desk.go_back()

    def action_refresh(self) -> None:
        self._was_asked = True
        self._ask()

    def action_copy(self) -> None:
        row = self.list.current
        if row is not None:
            self.say(self.desk.copy(cast(Table, self.list.painter).tsv(row), "the row"))

    def long_text(self) -> str | None:
        row = self.list.current
        if row is None:
            return None
        return "\n".join(line.text for line in self.section.details(row, self.desk.clock_time))


class Head(Widget, can_focus=False):
    """As high as what it has to say."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[list[Run]] = []

    def say(self, lines: list[list[Run]]) -> None:
        if lines != self._lines:
            if len(lines) != len(self._lines):
                self.styles.height = max(1, len(lines))
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        runs = self._lines[y] if y < len(self._lines) else []
        return strip([("  ", _palette(self).text), *runs], self.size.width).apply_style(self.rich_style)


class Names(Widget, can_focus=False):
    """The sections with the number of their rows, the shown one in brackets."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: tuple[str, list[tuple[str, int]], dict[str, str], str] = ("", [], {}, "")

    def say(self, shown: str, names: list[tuple[str, int]], letters: dict[str, str], sentence: str) -> None:
        """`sentence` stands at the end, where there is room."""
        told = (shown, names, dict(letters), sentence)
        if told != self._said:
            self._said = told
            self.refresh()

    def render_line(self, y: int) -> Strip:
        palette = _palette(self)
        shown, names, letters, sentence = self._said
        runs: list[Run] = [(" ", palette.text)]
        for name, count in names:
            letter = letters.get(name, "")
            number = f" {count:,}" if count else ""
            runs.append((f"{letter} " if letter else "", palette.focus))
            if name == shown:
                runs.append((f"[{name}{number}]", palette.title))
            else:
                runs.append((f" {name}{number} ", palette.text if count else palette.dim))
        if sentence:
            room = self.size.width - cells_wide(runs) - 3
            runs.append(("   " + clip(said(sentence, palette), room, palette), palette.text))
        return strip(runs, self.size.width).apply_style(self.rich_style)


def _palette(widget: Widget) -> Palette:
    return cast("Desk", widget.app).palette
