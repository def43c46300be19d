"""Inbox: reports by what they ask of you, the chosen one in full beside them, and a key for each decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.containers import Container
from textual.timer import Timer
from textual.widget import Widget

from engine.about import About
from queries.views.trace.detail import Line as Said
from tui import reports, reporttabs
from tui.elsewhere import Elsewhere, lines
from tui.history import Change
from tui.inboxdoor import Deed
from tui.journal import Passing
from tui.messages import Failed, Told
from tui.reports import Contents, Entry, Group, Listed, Stopped
from tui.reporttabs import SIGNALS, Known, Page, shown_tab, tabs_of
from tui.screens import inboxchoices
from tui.screens.base import BaseScreen
from tui.screens.besides import Besides
from tui.screens.searching import Searching
from tui.screens.sorting import Sortable
from tui.sheets import Sheet, sheet
from tui.widgets.inboxlist import InboxList
from tui.widgets.reportpane import ReportPane
from tui.widgets.rowlist import RowList
from tui.widgets.statusbar import Line
from workspace.errors import LoopdeskError
from workspace.text import plain

INBOX, REPORT, EXPORT = "inbox", "report", "export"


class InboxScreen(Besides, Sortable, Searching, BaseScreen):
    KEYS = "inbox"
    CSS_PATH = "../styles/inbox.tcss"
    AUTO_FOCUS = "#list"
    RESTS_S: ClassVar[float] = 0.12
    """The cursor rests on a report for this long before it is read: held keys stay cheap."""

    def __init__(self) -> None:
        super().__init__()
        self._contents: Contents | None = None
        self._problem: LoopdeskError | None = None
        self._known: Known | None = None
        self._status = ""
        self._resting: Timer | None = None
        self._shown: tuple[str, str] = ("", "")
        """The id and the tab of the page that is shown."""
        self._left_at = ""

    def content(self) -> Iterable[Widget]:
        desk = self.desk
        self._left_at = desk.left.report_id
        unfolds = desk.keys.key("fold-group", self.KEYS)
        listed = InboxList(desk.palette, desk.clock_time, desk.short_time, unfolds=unfolds, id="list")
        self.sort_as_left(listed.table)
        yield Line(id="title")
        with Container(id="body"):
            yield listed
            with Container(id="report"):
                yield Line(id="tabs")
                yield ReportPane(id="detail")

    def on_mount(self) -> None:
        self.say_title()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.desk.after_first_paint(self.inbox_moved)
        self.desk.after_first_paint(self.ask_once)

    @property
    def list(self) -> InboxList:
        return self.query_one("#list", InboxList)

    @property
    def pane(self) -> ReportPane:
        return self.query_one(ReportPane)

    # Reading

    def inbox_moved(self) -> None:
        door = self.desk.door
        if door is None:
            self._fails(LoopdeskError("This desk has no workspace, so it has no inbox"))
        else:
            door.ask(self, INBOX, partial(reports.read_again, before=self._contents))

    def on_told(self, message: Told[Any]) -> None:
        door, work = self.desk.door, self.desk.work
        if message.job == EXPORT:
            if work.accept(self, message):
                self.say(f"Written: {message.found}")
        elif door is not None and door.accept(self, message):
            if message.job == INBOX:
                self._read(message.found)
            else:
                self._read_report(message.found)

    def on_failed(self, message: Failed) -> None:
        door = self.desk.door
        if message.job == EXPORT:
            if self.desk.work.accept(self, message):
                self.say(str(message.error))
        elif door is not None and door.accept(self, message):
            self._fails(message.error)

    def _fails(self, problem: LoopdeskError) -> None:
        if self._problem is None or str(self._problem) != str(problem):
            self.desk.note(f"Inbox: {problem}")
        self._problem = problem
        if self._contents is None:
            self.list.empty = str(problem)
            self.list.repaint()
        self.say_title()

    def _read(self, contents: Contents | None) -> None:
        """None where it is as it was."""
        was_stale, self._problem = self._problem is not None, None
        if contents is not None:
            self._contents = contents
            self._show()
        elif was_stale:
            self.say_title()
        self._ask_report()  # what happened to it may not show in the list

    def _show(self) -> None:
        contents = self._contents
        if contents is None:
            return
        entries = reports.chosen(contents, self.desk.place.filters, self._status, self.besides)
        is_filtered = len(entries) < self._all
        key = self.desk.keys.key("filter-inbox", self.KEYS)
        none = f"No report is {self._only()}.{f' {key} shows others.' if key else ''}"
        self.list.empty = none if is_filtered else reports.verdict(contents)
        self.list.unfold(entries, self._left_at)
        chosen, self._left_at = self._left_at or self._chosen_id(), ""
        self.list.show_entries(entries, chosen)
        self.say_title()
        self._say_page()

    @property
    def _all(self) -> int:
        """How many rows there are without any filter."""
        contents = self._contents
        return len(self.besides) + (len(contents.reports) + len(contents.blocked) if contents else 0)

    def show_unsorted(self) -> None:
        self._show()

    def moved(self) -> None:
        self._show()

    def _chosen_id(self) -> str:
        entry = self.entry
        return entry.id if entry else ""

    def go_to(self, report_id: str) -> None:
        """To its row, now or once it is known."""
        self._left_at = report_id
        self._show()

    def left(self) -> dict[str, str]:
        return {"report_id": self._left_at or self._chosen_id()}

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        if self._resting is not None:
            self._resting.stop()
        if self.RESTS_S:
            self._resting = self.set_timer(self.RESTS_S, self._rested)
        else:
            self._rested()

    def _rested(self) -> None:
        if self.is_mounted and self._shown[0] != self._chosen_id():
            if not isinstance(self.entry, Listed):
                self._say_page()
            self._ask_report()

    def _ask_report(self) -> None:
        door, entry = self.desk.door, self.entry
        if door is not None and isinstance(entry, Listed):
            door.ask(self, REPORT, partial(reporttabs.read, report_id=entry.id))

    def _read_report(self, known: Known | None) -> None:
        self._known = known
        self._say_page()

    # What it says

    @property
    def known(self) -> Known | None:
        known, entry = self._known, self.entry
        return known if known and entry and known.detail.listed.report.id == entry.id else None

    @property
    def entry(self) -> Entry | None:
        return self.list.entry

    @property
    def about(self) -> About | None:
        return self._contents.about if self._contents else None

    def chosen(self) -> Sequence[Entry]:
        marked = self.list.marked
        return [row for row in self.list.entries if row.id in marked] or ([self.entry] if self.entry else [])

    def others(self) -> Sequence[Listed]:
        return self._contents.reports if self._contents else ()

    def decided(self, deed: Deed) -> None:
        if deed.commands:
            self.unmark()

    def unmark(self) -> None:
        self.list.unmark()

    def turn_to(self, tab: str) -> None:
        self.tab = tab
        self._say_page()

    def _say_page(self) -> None:
        row, key = self.list.current, self._key
        tab = shown_tab(self.tab, row)
        if isinstance(row, Listed):
            page = reporttabs.page(tab, row, self.known, self.desk.clock_time, key)
        elif isinstance(row, Stopped):
            page = reporttabs.stopped_page(row, self.desk.clock_time, key)
        elif isinstance(row, Elsewhere):
            page = Page(tuple(lines(row, self.desk.clock_time, lambda verb: self.desk.keys.key(verb, self.KEYS))))
        else:
            page = group_page(row) if isinstance(row, Group) else Page(())
        shown = (self._chosen_id(), tab)
        self.pane.show_page(page, is_same=shown == self._shown)
        self._shown = shown
        signals = f" {len(self.known.signals)}" if self.known else ""
        names = {name: f"{name}{signals}" if name == SIGNALS else name for name in tabs_of(row)}
        tabs = "  ".join(f"[{said}]" if name == tab else f" {said} " for name, said in names.items())
        self.query_one("#tabs", Line).say(tabs if isinstance(row, Listed) else "")

    def _key(self, verb: str) -> str:
        return self.desk.keys.key(verb, self.KEYS) or "the desk that may write"

    def say_title(self) -> None:
        rows, contents = self.list, self._contents
        sentence = reports.verdict(contents, self.besides) if contents and self._all else ""
        sentence = f"{self.besides_said()} {sentence}".strip()
        if self._problem is not None:
            sentence = f"stale: {self._problem}" if contents else ""
        elif rows.query_text and rows.is_filtered:
            sentence = f"{len(rows.rows):,} of {rows.total:,} rows contain “{rows.query_text}”. Esc shows all."
        elif contents and rows.total < self._all:
            sentence = f"Only {self._only()}: {rows.total:,} of {self._all:,}. {sentence}"
        self.query_one("#title", Line).say("Inbox", sentence)
        self.update_status()

    def _only(self) -> str:
        """What the filters leave: `autoagent, needs input`."""
        status = reports.SHOWN[self._status].lower() if self._status else ""
        return ", ".join(part for part in (self.desk.place.filters.said, status) if part)

    def context(self) -> Sequence[str]:
        desk, about = self.desk, self.about
        parts = (
            desk.label,
            self.list.count_said if self.is_mounted else "",
            desk.place.filters.said,
            (f"judged by {about.judge}" if about.judge != "rules" else "rules judge") if about else "",
            "read-only" if desk.is_read_only else "",
        )
        return tuple(part for part in parts if part)

    def long_text(self) -> str | None:
        return "\n".join(line.text for line in self.pane.page.lines) or None

    # Verbs of the list

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.list.search(text, filtered=filtered)
        self.say_title()

    def searched(self) -> RowList:
        return self.list

    def action_back(self) -> None:
        if self.list.is_filtered:
            self.take_filter_off()
        elif self.has_class("-reading"):
            self._stop_reading()
        elif self.list.marked:
            self.list.unmark()
            self.update_status()
        elif self._status:
            self._filter_by("")
        else:
            self.desk.go_back()

    def action_mark(self) -> None:
        self.list.mark()
        self.update_status()

    def action_fold(self) -> None:
        self.list.fold()

    def action_refresh(self) -> None:
        self._contents, self._known = None if self._problem else self._contents, None
        self.say(Passing("Read again."))
        self.inbox_moved()
        self._ask_report()
        self.ask_posthog()

    def action_read(self) -> None:
        """A group folds; a report fills the screen, and shows the rounds behind its signal where the cursor is."""
        if self.focused is self.list:
            if isinstance(self.list.current, Group):
                self.list.fold()
            elif self.entry is not None:
                self.add_class("-reading")
                self.set_focus(self.pane)
        elif self.tab == SIGNALS and self.pane.card is not None:
            self._open_rounds(self.pane.card)
        elif self.has_class("-reading"):
            self._stop_reading()
        else:
            self.add_class("-reading")

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        self.action_read()

    def _stop_reading(self) -> None:
        self.remove_class("-reading")
        self.set_focus(self.list)

    def _open_rounds(self, signal: Any) -> None:
        ids = reporttabs.rounds_of(signal)
        if ids:
            self.desk.open_rounds(ids, f"“{plain(signal.signal.title, 80)}”", signal.signal.occurred_at)
        else:
            self.say(Passing("This signal names no rounds."))

    def action_turn(self) -> None:
        if not self.has_class("-reading"):
            has_it = self.focused is self.pane
            self.set_focus(self.list if has_it else self.pane)
            self.say(Passing("" if has_it else "Now in the report; tab goes back to the list."))

    def action_triage(self) -> None:
        from tui.screens.triage import TriageScreen

        queue = [row for row in reports.in_order(self.list.entries) if isinstance(row, Listed)]
        queue = [row for row in queue if row.group in reports.FOR_YOU and not row.found.waiting]
        if queue:
            self.app.push_screen(TriageScreen(queue, self.others(), self.about))
        else:
            self.say(Passing("Nothing waits for you here."))

    def action_filter(self) -> None:
        from tui.screens.chooser import Chooser

        if self._contents is not None:
            choices = inboxchoices.filters(self._contents, self.desk.place, self._status, self.besides)
            self.app.push_screen(Chooser("Project and status", lambda _: choices, needs_scope=False), self._filter)

    def _filter(self, choice: object) -> None:
        if isinstance(choice, str):
            self._filter_by(choice)
        elif choice is not None:
            self.desk.look(choice)  # type: ignore[arg-type]

    def _filter_by(self, status: str) -> None:
        before = self._status
        if status != before:
            words = f"only {reports.SHOWN[status].lower()} reports" if status else "reports of every status"
            back, again = (partial(self._set_status, one) for one in (before, status))
            self.desk.history.did(Change(words, back, again, lambda: self.is_attached))
            self._set_status(status)

    def _set_status(self, status: str) -> None:
        self._status = status
        self._show()

    # Exporting

    def action_export(self) -> None:
        from tui.screens.chooser import Chooser, export_choices

        shown = self.sheet()
        chooser = Chooser("Export", lambda _: export_choices(shown), needs_scope=False)
        self.app.push_screen(chooser, lambda kind: self._export(shown, kind))

    def sheet(self) -> Sheet:
        return sheet("inbox", inboxchoices.COLUMNS, [inboxchoices.exported(row) for row in self.list.entries], "")

    def _export(self, shown: Sheet, kind: object) -> None:
        from tui import sheets

        if isinstance(kind, str):
            self.desk.work.load(self, EXPORT, lambda: sheets.write(Path.cwd(), shown, kind))


def group_page(row: Group) -> Page:
    """What the group of this line is."""
    return Page((Said("heading", f"{row.name}: {row.count}"), Said("text", reports.MEANS[row.name])))
