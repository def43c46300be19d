"""A screen that shows boards: it asks for its window, then for each board in it, and is told by messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from queries.boards import Answer, title
from tui.asker import ANNOTATED
from tui.journal import Passing
from tui.messages import Arrived, Failed, Told
from tui.screens.base import BaseScreen
from tui.widgets.pane import BoardPane
from workspace.errors import LoopdeskError

WINDOW, MARKS = "window", "marks"


class BoardsScreen(BaseScreen):
    """Subclasses say which boards they show and how; this class knows when to ask."""

    def __init__(self) -> None:
        super().__init__()
        self._place: object = None
        """What the shown answers belong to."""
        self._arrivals = -1
        """How much had arrived when they were asked for."""
        self._wanted: tuple[str, ...] = ()
        """Boards to ask once the window is known."""
        self._answers: dict[str, Answer] = {}
        self._was_asked = False
        """Whether a person waits to hear that the answers are there, and wants no kept ones."""
        self._failures: dict[str, str] = {}
        """What the journal was told of each job that fails, so that it is told once."""

    def boards(self) -> tuple[str, ...]:
        """The boards on this screen, the first one asked first."""
        raise NotImplementedError

    def show_answer(self, answer: Answer) -> None:
        raise NotImplementedError

    def show_problem(self, board: str, problem: LoopdeskError) -> None:
        raise NotImplementedError

    def show_no_window(self, boards: Sequence[str], problem: LoopdeskError) -> None:
        """Without a window none of the boards could be asked."""
        for board in boards:
            self.show_problem(board, problem)

    def clear_answers(self) -> None:
        """What is shown belongs to another window or filter."""
        raise NotImplementedError

    def known(self, board: str) -> Answer | None:
        """What may be shown until the live answer is there."""
        return self.desk.known(board)

    def keep(self, answer: Answer) -> None:
        self.desk.keep(answer)

    def window_chosen(self) -> None:
        """`desk.chosen` is known; a screen that shows it in words does so now."""

    # When to ask

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._place != self.desk.place:
            self.moved()
        elif self._arrivals != self.desk.arrivals:
            self.ask_soon(self.boards())
        elif self._wanted:
            self.ask_soon(self._wanted)
        self._show_marks()

    def on_screen_suspend(self) -> None:
        super().on_screen_suspend()
        if self.is_current:
            return  # a dialog lies over it
        # What was not answered is asked again when the screen comes back.
        self._wanted = self._unanswered()
        self._leave_off()

    def moved(self) -> None:
        """The desk looks at another window or filter: what is known of it at once, then live."""
        self._leave_off()
        self._wanted = ()
        if self._place is not None:
            self._answers.clear()
            self.clear_answers()
        self._place = self.desk.place
        for board in self.boards():
            known = self.known(board)
            if known is not None:
                self._show(known)
        self.ask_soon(self.boards())

    def _leave_off(self) -> None:
        if self.desk.work.cancel(self):
            self.desk.asker.cancel()

    def ask_soon(self, boards: Sequence[str]) -> None:
        """Ask once this is painted: a thread that loads the store would only slow the painting down."""
        self.desk.after_first_paint(self.ask, boards)

    def begin_with_known(self) -> dict[str, Answer]:
        """For a screen that is being composed: what is known already, so that the first paint is complete."""
        known = {board: answer for board in self.boards() if (answer := self.known(board)) is not None}
        self._place = self.desk.place
        self._answers = dict(known)
        return known

    def ask(self, boards: Sequence[str]) -> None:
        """Ask for the window, then for these boards in it."""
        desk, place, fresh = self.desk, self.desk.place, self._was_asked
        self._arrivals = desk.arrivals
        self._wanted = tuple(dict.fromkeys((*self._unanswered(), *boards)))
        desk.work.load(self, WINDOW, lambda: desk.asker.choose(place, fresh=fresh))
        self.update_status()

    def on_arrived(self, message: Arrived) -> None:
        changed = self.desk.changed_boards(self.boards(), message.events)
        if changed:
            self.ask(changed)
        elif ANNOTATED in message.events:
            self._ask_marks()
        self._arrivals = self.desk.arrivals

    def _unanswered(self) -> tuple[str, ...]:
        pending = self.desk.work.pending(self)
        waiting = self._wanted if WINDOW in pending or not pending else ()
        return tuple(board for board in self.boards() if board in pending or board in waiting)

    # What comes back

    def on_told(self, message: Told) -> None:
        if not self.desk.work.accept(self, message):
            return
        self._failures.pop(message.job, None)
        if message.job == WINDOW:
            self._window_told(message.found)
        elif message.job == MARKS:
            if self.desk.happened.take(message.found):
                self._show_marks()
        elif isinstance(message.found, Answer):
            self.keep(message.found)
            self._show(message.found)
        self._finish()

    def on_failed(self, message: Failed) -> None:
        if not self.desk.work.accept(self, message):
            return
        if message.job == MARKS:
            self._say_without_marks(message.error)
            self._finish()
            return
        if self._failures.get(message.job) != str(message.error):
            self._failures[message.job] = str(message.error)
            self.desk.note(f"{'Window' if message.job == WINDOW else title(message.job)}: {message.error}")
        if message.job == WINDOW:
            boards, self._wanted = self._wanted, ()
            self.show_no_window(boards, message.error)
        else:
            self.show_problem(message.job, message.error)
        if self._was_asked:
            self._was_asked = False
            self.say("")  # the pane says what happened
        self._finish()

    def _window_told(self, chosen) -> None:
        boards, self._wanted = self._wanted, ()
        desk, filters, fresh = self.desk, self.desk.place.filters, self._was_asked
        if chosen is None:
            desk.nothing_stored()
            return
        desk.chosen = chosen
        self.window_chosen()
        for board in boards:
            ask = partial(desk.asker.ask, board, chosen.window, filters, fresh=fresh)
            desk.work.load(self, board, ask)
        self._ask_marks()  # last: a chart is worth more than its marks

    def _show(self, answer: Answer) -> None:
        self._answers[answer.board] = answer
        self.show_answer(answer)

    # What happened, on the charts

    def _ask_marks(self) -> None:
        if self.query(BoardPane):
            self.desk.work.load(self, MARKS, self.desk.asker.annotations)

    def _show_marks(self) -> None:
        for pane in self.query(BoardPane):
            if pane.answer is not None:
                pane.show_marks(self.desk.happened.marks(pane.answer))

    def _say_without_marks(self, problem: LoopdeskError) -> None:
        if not self.desk.happened.fail(problem):
            return
        said = f"No marks on the charts: {problem}"
        if self.desk.happened.was_told():
            self.desk.note(said)
        else:
            self.say(said)

    def _finish(self) -> None:
        if self._was_asked and not self.desk.work.pending(self):
            self._was_asked = False
            self.say(f"Asked again at {self.desk.clock_time(self.desk.now(), seconds=True)}.")
        self.update_status()

    # Status line

    def context(self) -> Sequence[str]:
        shown = next(iter(self._answers.values()), None)
        return self.desk.context(self.as_of, shown.window if shown else None)

    @property
    def as_of(self) -> datetime | None:
        """When the oldest shown answer was asked."""
        return min((answer.asked_at for answer in self._answers.values()), default=None)

    # Verbs of every screen with boards

    def action_refresh_all(self) -> None:
        self.ask_again(self.boards())

    def action_refresh_pane(self) -> None:
        self.ask_again(self.boards())

    def ask_again(self, boards: Sequence[str]) -> None:
        """As a person asked for it: the status line says when it was done."""
        self._was_asked = True
        self.ask(boards)
        if self.desk.work.pending(self):
            self.say(Passing("Asking again…"))

    def action_window(self) -> None:
        self.desk.choose_window()

    def action_filter(self) -> None:
        self.desk.choose_filter()

    def action_full(self) -> None:
        """A screen with a pane that has a full screen opens it."""

    def action_copy(self) -> None:
        """A screen with something under its cursor copies it."""

    def copy(self, text: str, what: str) -> None:
        self.say(self.desk.copy(text, what))
