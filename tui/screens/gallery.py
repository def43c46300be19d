"""Boards: the questions beyond Morning's six, and the user's own, a page of panes at a time, as they were arranged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from textual import events
from textual.containers import Container
from textual.widget import Widget

from queries import boards
from queries.boards import Answer
from queries.gallery import own, registry
from queries.views import drill
from queries.views.words import counted
from tui import arrangement
from tui.arrangement import BOARDS, Arrangement
from tui.help_texts import HelpText, of_board
from tui.history import Change
from tui.journal import Passing
from tui.messages import Arrived
from tui.screens.base import MEDIUM
from tui.screens.chooser import Choice
from tui.screens.exporting import Exporting
from tui.screens.panes import PanesScreen
from tui.screens.picking import Picker
from tui.sheets import Sheet, sheet
from tui.widgets.pane import BoardPane
from tui.widgets.sheet import paint_sheet
from tui.widgets.statusbar import Line
from workspace.errors import LoopdeskError

# Lines that a pane needs at least, where they stand one above the other and in two columns.
LEAST, LEAST_BESIDE = 10, 12
NOT_ASKED = "No newer answer, for the reason above"


class GalleryScreen(PanesScreen, Exporting):
    """Only the panes of the page that is shown ask."""

    KEYS = "boards"
    CSS_PATH = "../styles/gallery.tcss"
    LONG_TEXT_SUFFIX = ".sql"

    def __init__(self) -> None:
        super().__init__()
        self._arranged = Arrangement(())
        self._first = 0
        """The place of the board that begins the page."""
        self._asked: dict[str, int] = {}
        """How much had arrived when a board was asked last."""

    def content(self) -> Iterable[Widget]:
        self._arranged = self._as_it_is(self.desk.cache.state(BOARDS, None))
        known = self.begin_with_known()
        yield Line(id="title")
        with Container(id="panes"):
            for board in self._arranged.shown:
                yield self._made(board, known.get(board))

    def on_mount(self) -> None:
        self._show_page()
        self._focus_first()

    def _as_it_is(self, document: object) -> Arrangement:
        """With the files that are there now."""
        return arrangement.read(document, registry.names(), registry.useful(), registry.sibling)

    def _made(self, board: str, answer: Answer | None = None) -> BoardPane:
        pane = BoardPane(board, paint_sheet, answer, self.desk.happened.marks(answer) if answer else ())
        pane.source = registry.source(board, answer.view if answer else None)
        pane.display = board in self.parts()
        return pane

    # Pages

    @property
    def page_size(self) -> int:
        width, height = self.app.size
        columns = 1 if width < MEDIUM else 2
        least = LEAST if columns == 1 else LEAST_BESIDE
        return columns * max(1, (height - 1) // (least + 1))  # a blank line parts them; title and status go off

    def parts(self) -> Sequence[str]:
        return self._arranged.shown[self._first : self._first + self.page_size]

    def boards(self) -> tuple[str, ...]:
        """Those of the page, the one in focus first."""
        shown = self.parts()
        focused = [self.focused.board] if isinstance(self.focused, BoardPane) else []
        return tuple(dict.fromkeys((*(name for name in focused if name in shown), *shown)))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        focused = self.focused.board if isinstance(self.focused, BoardPane) else ""
        self._turn_to(focused or next(iter(self.parts()), ""))

    def _turn_to(self, board: str) -> None:
        """Show the page that the board is on, with what is known; the rest is asked for."""
        shown = self._arranged.shown
        place = shown.index(board) if board in shown else 0
        self._first = place - place % self.page_size
        self._show_page()
        for name in self.parts():
            known = None if name in self._answers else self.known(name)
            if known is not None:
                self._show(known)
        if self.app.screen is self:
            self._ask_missing()

    def _show_page(self) -> None:
        shown = self.parts()
        for pane in self.query(BoardPane):
            pane.display = pane.board in shown
        self._say_title()

    def _say_title(self) -> None:
        count, size = len(self._arranged.shown), self.page_size
        key = self.desk.keys.key("pick-boards", self.KEYS)
        more = f"{key} picks" if key else ""
        if not count:
            picks = f"{more} some. " if more else ""
            said = f"None is shown. {picks}A question of your own goes into {own.folder()}."
        else:
            page = f"Page {self._first // size + 1} of {-(-count // size)}. " if count > size else ""
            others = len(registry.without_siblings(registry.names())) - count
            said = f"{page}{counted(count, 'board')}{f'; {more} from {others} more' if others > 0 and more else ''}."
            if left_out := own.left_out():
                said += f" {counted(left_out, 'file')} more than {own.MOST_FILES} are not read."
        note = self.desk.chosen.note if self.desk.chosen else ""
        self.query_one("#title", Line).say("Boards", f"{note} {said}".strip())

    def _ask_missing(self) -> None:
        """Those of the page that were never asked, or before something arrived, or were given up."""
        under_way = {*self.desk.work.pending(self), *self._wanted, *self._answers}
        missing = [
            name
            for name in self.boards()
            if self._asked.get(name) != self.desk.arrivals or not (name in under_way or self.pane(name).problem)
        ]
        if missing:
            self.ask_soon(missing)

    def ask(self, boards: Sequence[str]) -> None:
        boards = [name for name in boards if name in self._arranged.shown]
        self._asked |= dict.fromkeys(boards, self.desk.arrivals)
        if boards:
            super().ask(boards)

    def moved(self) -> None:
        self._asked.clear()
        super().moved()

    def _look_for_files(self) -> None:
        """Of the user's own boards some may have come or gone meanwhile."""
        found = self._as_it_is(self._arranged.document)
        if found != self._arranged:
            self._arrange(found, self.focused.board if isinstance(self.focused, BoardPane) else "")

    def action_refresh_all(self) -> None:
        self._look_for_files()
        super().action_refresh_all()

    def on_screen_resume(self) -> None:
        self._look_for_files()
        if self._place == self.desk.place and self._arrivals == self.desk.arrivals:
            self._ask_missing()

    def on_arrived(self, message: Arrived) -> None:
        """What these events do not change needs no asking when its page comes back."""
        before = [name for name, seen in self._asked.items() if seen == self.desk.arrivals - 1]
        changed = self.desk.changed_boards(before, message.events)
        self._asked |= {name: self.desk.arrivals for name in before if name not in changed}

    # Moving

    def action_next_pane(self, step: int) -> None:
        shown, here = self._arranged.shown, self.focused
        if isinstance(here, BoardPane) and here.board in shown:
            self._focus(shown[(shown.index(here.board) + step) % len(shown)])
        else:
            self._focus_first()

    def past_the_edge(self, right: int, down: int) -> None:
        """Below the last row of a page lies the next one; above its first the one before."""
        if down and 0 <= self._first + down * self.page_size < len(self._arranged.shown):
            self.action_page(down)

    def action_page(self, step: int) -> None:
        count, size = len(self._arranged.shown), self.page_size
        pages = -(-count // size)
        if pages > 1:
            self._focus(self._arranged.shown[(self._first // size + step) % pages * size])

    def _focus(self, board: str) -> None:
        if board not in self.parts():
            self.set_focus(None)  # what is hidden loses it anyway, and is repainted for that
            self._turn_to(board)
        self.set_focus(self.pane(board), scroll_visible=False)

    def _focus_first(self) -> None:
        if self.parts():
            self.set_focus(self.pane(self.parts()[0]), scroll_visible=False)

    def action_back(self) -> None:
        """Off the number under the cursor first."""
        if isinstance(self.focused, BoardPane) and self.focused.spot:
            super().action_back()
        else:
            self.desk.go_back()

    # Arranging

    def action_pick(self) -> None:
        offered = registry.without_siblings((*self._arranged.shown, *registry.names()))
        choices = [Choice(boards.title(name), _asks(name), name, name in self._arranged.shown) for name in offered]
        if choices:
            self.app.push_screen(Picker("Boards", choices, "Show"), partial(self._pick, offered))
        else:
            self.say(f"There is no board. A question of your own goes into {own.folder()}.")

    def _pick(self, offered: Sequence[str], names: object) -> None:
        if isinstance(names, tuple):
            found = self._arranged.picked(names, offered)
            self._rearrange(
                found, f"{counted(len(found.shown), 'board')} shown in place of {len(self._arranged.shown)}"
            )

    def action_shift(self, step: int) -> None:
        pane = self.focused
        if isinstance(pane, BoardPane):
            where = "later" if step > 0 else "earlier"
            self._rearrange(self._arranged.moved(pane.board, step), f"board {pane.title} moved {where}", pane.board)

    def action_other_source(self) -> None:
        pane = self.focused
        if not isinstance(pane, BoardPane):
            return
        other = registry.sibling(pane.board)
        if not other:
            self.say(Passing(f"{pane.title} has one source only."))
            return
        what = f"{boards.title(other)} from {registry.source(other)} in place of {registry.source(pane.board)}"
        self._rearrange(self._arranged.replaced(pane.board, other), what, other)

    def _rearrange(self, found: Arrangement, what: str, focus: str = "") -> None:
        before = self._arranged
        if found != before:
            here = self.focused.board if isinstance(self.focused, BoardPane) else ""
            self.desk.did(Change(what, partial(self._arrange, before, here), partial(self._arrange, found, focus)))
            self._arrange(found, focus or here)

    def _arrange(self, found: Arrangement, focus: str = "") -> None:
        """Panes stay once they are made, and are hidden while they are not picked."""
        self._arranged = found
        self.desk.remember(BOARDS, found.document)
        panes = self.query_one("#panes")
        there = {pane.board for pane in self.query(BoardPane)}
        panes.mount(*(self._made(board) for board in found.shown if board not in there))
        order = {board: place for place, board in enumerate(found.shown)}
        panes.sort_children(key=lambda pane: order.get(pane.board, len(order)))  # type: ignore[attr-defined]
        self.set_focus(None)
        self._turn_to(focus if focus in order else next(iter(self.parts()), ""))
        if order:
            self._focus(focus if focus in order else self.parts()[0])

    # What is shown

    def action_open(self) -> None:
        """The rounds behind the number under the cursor; without one, all of the window, and back to here."""
        pane = self.focused
        if isinstance(pane, BoardPane) and pane.answer and not pane.spot:
            self.desk.open_behind(drill.all_rounds(), pane.answer)
        else:
            super().action_open()

    def show_answer(self, answer: Answer) -> None:
        pane = self.pane(answer.board)
        pane.name_it(boards.title(answer.board), "")  # of the user's own it may be another one now
        pane.say_source(registry.source(answer.board, answer.view))
        pane.show(answer, self.desk.happened.marks(answer))

    def show_problem(self, board: str, problem: LoopdeskError) -> None:
        self.pane(board).name_it(boards.title(board), "")
        self.pane(board).fail(problem)

    def show_no_window(self, boards: Sequence[str], problem: LoopdeskError) -> None:
        """Said once, in the first pane."""
        first = next((name for name in self.parts() if name in boards), "")
        for board in boards:
            self.show_problem(board, problem if board == first else LoopdeskError(NOT_ASKED))

    def window_chosen(self) -> None:
        self._say_title()

    @property
    def as_of(self) -> datetime | None:
        shown = [self._answers[name].asked_at for name in self.parts() if name in self._answers]
        return min(shown, default=None)

    def help_topics(self) -> Sequence[str | HelpText]:
        pane = self.focused
        return (*((of_board(pane.board),) if isinstance(pane, BoardPane) else ()), self.KEYS)

    def sheet(self) -> Sheet | None:
        pane = self.focused
        answer = pane.answer if isinstance(pane, BoardPane) else None
        if answer is None:
            return None
        return sheet(answer.board, answer.results[0].columns, answer.results[0].rows, answer.hogql)

    def long_text(self) -> str | None:
        pane = self.focused
        return pane.answer.hogql if isinstance(pane, BoardPane) and pane.answer else None


def _asks(board: str) -> str:
    try:
        return registry.asks(board)
    except LoopdeskError as error:
        return error.what
