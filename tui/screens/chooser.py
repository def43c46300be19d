"""A dialog with choices: typing narrows them, Enter takes one. Windows, filters, columns and commands are chosen so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from textual import events
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from queries.views.filters import Filters
from queries.views.words import counted
from tui.asker import Place
from tui.keymap import Keymap
from tui.messages import Failed, Told
from tui.palette import Palette
from tui.screens.base import BaseScreen
from tui.sheets import FORMATS, Sheet
from tui.verbs import Verb
from tui.widgets.filterbar import Prompt
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Table
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run, cells_wide, clip, said, strip
from tui.words import window_name

if TYPE_CHECKING:
    from queries.morning import Scope


@dataclass(frozen=True, slots=True)
class Choice:
    """`note` stands at the right; `value` is what the dialog ends with."""

    label: str
    note: str
    value: object
    is_chosen: bool = False


Choices = Callable[["Scope | None"], Sequence[Choice]]
"""What there is to choose, before (None) and after the store was asked what it holds."""


class Chooser(BaseScreen, ModalScreen):
    """Ends with the value of a choice, or None."""

    KEYS = "dialog"
    CSS_PATH = "../styles/chooser.tcss"
    AUTO_FOCUS = "#choices"

    def __init__(self, title: str, choices: Choices, *, needs_scope: bool = True) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._needs_scope = needs_scope
        self._prompt = Prompt()
        self._problem = ""

    def content(self) -> Iterable[Widget]:
        with Vertical(id="dialog"):
            yield Line(id="title")
            yield RowList(ChoicePainter(self.desk.palette), empty="Nothing has that in its name.", id="choices")

    def on_mount(self) -> None:
        self._offer(self._choices(None))
        if self._needs_scope:
            self.desk.work.load(self, "scope", self.desk.asker.scope)
            self._say_title()

    def on_unmount(self) -> None:
        self.desk.work.cancel(self)

    def on_told(self, message: Told) -> None:
        if self.desk.work.accept(self, message):
            self._offer(self._choices(message.found))

    def on_failed(self, message: Failed) -> None:
        if self.desk.work.accept(self, message):
            self._problem = str(message.error)
            self._say_title()

    def _offer(self, choices: Sequence[Choice]) -> None:
        self._list.show(choices, keep=lambda choice: choice.is_chosen)
        self._say_title()

    @property
    def _list(self) -> RowList:
        return self.query_one("#choices", RowList)

    def _say_title(self) -> None:
        waits = "Asking…" if self.desk.work.pending(self) else "Type to narrow."
        self.query_one("#title", Line).say(
            self._title, self._problem or (f"{self._prompt.text}_" if self._prompt.text else waits)
        )

    def capture(self, key: str, character: str | None) -> bool:
        if not self._prompt.press(key, character):
            return False
        self._narrow()
        return True

    def on_paste(self, event: events.Paste) -> None:
        self._prompt.insert(event.text)
        self._narrow()

    def _narrow(self) -> None:
        self._list.search(self._prompt.text, filtered=True)
        self._list.go(0)
        self._say_title()

    def action_move(self, step: int) -> None:
        self._list.action_move(step)

    def action_choose(self) -> None:
        choice = self._list.current
        self.dismiss(choice.value if isinstance(choice, Choice) else None)

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        self.action_choose()


class ChoicePainter:
    """Label left, note right; the choice that holds now has a mark."""

    def __init__(self, palette: Palette) -> None:
        self._palette = palette

    def header(self, width: int) -> Strip | None:
        return None

    def paint(self, row: Choice, width: int) -> Strip:
        palette = self._palette
        mark: Run = (f"{palette.glyphs.dot} " if row.is_chosen else "  ", palette.accent)
        label: Run = (clip(said(row.label, palette), width - 2, palette), palette.text)
        room = width - cells_wide([mark, label]) - 2
        note: Run = (clip(said(row.note, palette), room, palette), palette.dim)
        gap: Run = (" " * max(0, width - cells_wide([mark, label, note])), palette.text)
        return strip([mark, label, gap, note], width)

    def lead(self, width: int) -> int:
        return width

    def text(self, row: Choice) -> str:
        return f"{row.label} {row.note}"

    def sorted(self, rows: Sequence[Choice]) -> Sequence[Choice]:
        return rows


def window_choices(scope: Scope | None, place: Place, clock_time: Callable[[datetime], str]) -> list[Choice]:
    """The windows of time, then the runs that are stored, newest first."""
    notes = {
        "night": "compared with the night before",
        "24h": "compared with the 24 hours before",
        "7d": "compared with the week before",
        "30d": "compared with the 30 days before",
    }
    windows = [
        Choice(window_name(kind), note, replace(place, kind=kind, run_id=""), place.kind == kind)
        for kind, note in notes.items()
    ]
    runs = [
        Choice(
            f"Run of {run.project}{f' / {run.client}' if run.client else ''}",
            f"{clock_time(run.since)}, {counted(run.rounds, 'round')}",
            replace(place, kind="run", run_id=run.run_id),
            place.kind == "run" and place.run_id == run.run_id,
        )
        for run in (scope.runs if scope else ())
    ]
    return windows + runs


def filter_choices(scope: Scope | None, place: Place) -> list[Choice]:
    """Everything, each project, each client. A project and a client may be chosen one after the other."""
    now = place.filters
    choices = [Choice("All projects and clients", "", replace(place, filters=Filters()), now == Filters())]
    for project in scope.projects if scope else ():
        is_chosen = now.project == project
        filters = replace(now, project="" if is_chosen else project)
        note = "project, chosen: again takes it off" if is_chosen else "project"
        choices.append(Choice(project, note, replace(place, filters=filters), is_chosen))
    for client in scope.clients if scope else ():
        is_chosen = now.client == client
        filters = replace(now, client="" if is_chosen else client)
        note = "client, chosen: again takes it off" if is_chosen else "client"
        choices.append(Choice(client, note, replace(place, filters=filters), is_chosen))
    return choices


def sort_choices(table: Table) -> list[Choice]:
    """The columns that have an order; the one that holds says that it turns round."""
    chosen = table.sorting
    return [
        Choice(
            column.title,
            f"{'descending' if chosen.descending else 'ascending'}: again turns it round"
            if chosen and chosen.title == column.title
            else "",
            column.title,
            bool(chosen and chosen.title == column.title),
        )
        for column in table.sortable
    ]


def export_choices(shown: Sheet) -> list[Choice]:
    """The formats, each with its number of rows."""
    rows = counted(len(shown.rows), "row")
    kinds = [kind for kind in FORMATS if kind != "hogql" or shown.hogql]
    return [Choice(FORMATS[kind][0], "" if kind == "hogql" else rows, kind) for kind in kinds]


def verb_choices(keys: Keymap, verbs: Sequence[Verb]) -> list[Choice]:
    """Every command of the screen with its keys."""
    return [Choice(verb.help, keys.spelled(verb), verb.action) for verb in verbs if verb.name != "palette"]
