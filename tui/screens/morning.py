"""Morning: what last night did, as a headline and six panes; every pane says its answer in words first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.containers import Container
from textual.scrollbar import ScrollBarRender
from textual.widget import Widget

from queries.boards import Answer
from queries.views.cost import CostPerKept
from queries.views.escalations import Escalations
from queries.views.stops import Stops
from tui.screens.base import MEDIUM, WIDE
from tui.screens.digesting import Digesting, DigestLine
from tui.screens.panes import PanesScreen
from tui.widgets.pane import BoardPane
from tui.widgets.pictures import PAINTERS
from workspace.errors import LoopdeskError

PANES = ("funnel", "trend", "heatmap", "cost", "escalations", "stops")
NOT_ASKED = "No newer answer, for the reason above"


VERDICT_LINES = 2
MOST_PROJECTS = 6  # that push panes away; more are counted
LEAST_LINES = 3  # of a pane in one column: title, verdict, and a line of picture
# Of a pane whose rows have a blank line between them: title, verdict, headings, a foot, and what sets them apart.
CALM_LINES = 8


class Headline(BoardPane):
    """The board over all panes, as high as what it has to say. In a low terminal its title gives way: the status line
    names the window too."""

    def fit(self, width: int, height: int) -> int:
        """Take the lines that the answer needs, up to a fifth of the screen, and leave the rest to the panes. Its
        sentence and a line a project come before any picture."""
        is_titled = height >= 28
        self.show_title(is_titled)
        projects = len(self.answer.view.projects) if self.answer else 0  # type: ignore[attr-defined]
        least = VERDICT_LINES + min(projects, MOST_PROJECTS) + is_titled
        lines = self.wanted_height(width, max(least, min(9, height // 5)))
        if self.styles.height is None or self.styles.height.value != lines:
            self.styles.height = lines
        return lines


class WholeCells(ScrollBarRender):
    """A scroll bar without half blocks, which are not ASCII."""

    VERTICAL_BARS: ClassVar = [" "]


class MorningScreen(Digesting, PanesScreen):
    KEYS = "morning"
    AUTO_FOCUS = "#funnel"

    def __init__(self) -> None:
        super().__init__()
        self._has_digest = False
        self._grid: str | None = None
        """The heights of the two rows of panes; None where they are equal."""

    def content(self) -> Iterable[Widget]:
        known = self.begin_with_known()
        if self.desk.left.pane in PANES:
            self.AUTO_FOCUS = f"#{self.desk.left.pane}"  # type: ignore[misc]
        headline = Headline("headline", PAINTERS["headline"], known.get("headline"))
        headline.name_it(*self.desk.window_words(headline.answer))
        panes = [self._made(board, known.get(board)) for board in PANES]
        together = Container(id="panes")
        self._fit(headline, panes, together)
        yield headline
        yield DigestLine(id="digest")
        with together:
            yield from panes
        if self.desk.palette.ascii:
            together.vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]

    def _made(self, board: str, answer: Answer | None) -> BoardPane:
        return BoardPane(board, PAINTERS[board], answer, self.desk.happened.marks(answer) if answer else ())

    def boards(self) -> tuple[str, ...]:
        focused = self.focused.board if isinstance(self.focused, BoardPane) else PANES[0]
        return tuple(dict.fromkeys(("headline", focused, *PANES)))

    def help_topics(self) -> Sequence[str]:
        focused = (self.focused.board,) if isinstance(self.focused, BoardPane) else ()
        return (*focused, self.KEYS, "headline")

    def parts(self) -> Sequence[str]:
        return PANES

    def left(self) -> dict[str, str]:
        return {"pane": self.focused.board} if isinstance(self.focused, BoardPane) else {}

    def show_answer(self, answer: Answer) -> None:
        self.pane(answer.board).show(answer, self.desk.happened.marks(answer))
        if answer.board == "headline":
            self.window_chosen()
        elif answer.board in PANES[3:]:
            self._refit()

    def show_problem(self, board: str, problem: LoopdeskError) -> None:
        above = self.pane("headline").problem
        if board != "headline" and above is not None and str(above) == str(problem):
            problem = LoopdeskError(NOT_ASKED)  # once is enough
        self.pane(board).fail(problem)
        self._refit()

    def show_no_window(self, boards: Sequence[str], problem: LoopdeskError) -> None:
        """Said once, in the headline."""
        for board in boards:
            self.show_problem(board, LoopdeskError(NOT_ASKED))
        self.show_problem("headline", problem)

    def window_chosen(self) -> None:
        headline = self.query_one(Headline)
        headline.name_it(*self.desk.window_words(headline.answer))
        self._refit()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._refit()

    def digest_changed(self, has_news: bool) -> None:
        self._has_digest = has_news
        self.set_class(has_news, "-news")
        self._refit()

    def _refit(self) -> None:
        panes = [self.pane(board) for board in PANES]
        self._fit(self.query_one(Headline), panes, self.query_one("#panes"))

    def _fit(self, headline: Headline, panes: Sequence[BoardPane], together: Widget) -> None:
        width, height = self.app.size
        lines = headline.fit(width, height)
        stacked = max(LEAST_LINES, (height - 1 - lines) // len(panes)) if width < MEDIUM else None
        for pane in panes:
            pane.styles.height = stacked or "1fr"
        if stacked and self._has_digest:
            panes[-1].styles.height = stacked - 1  # its line of picture, before any pane is pushed out
        # The lower panes have a row a project or a reason; what they do not need is the heatmap's and the trend's.
        rows = max((listed_rows(pane.answer) for pane in panes[3:]), default=0)
        lower = min((height - 1 - lines) // 2, CALM_LINES + 2 * rows)
        grid = f"1fr {lower}" if width >= WIDE and rows else None
        if grid != self._grid:
            together.styles.grid_rows = self._grid = grid


def listed_rows(answer: Answer | None) -> int:
    """How many rows the board's picture lists."""
    view = answer.view if answer else None
    match view:
        case CostPerKept():
            return len(view.lines)
        case Escalations():
            return len(view.targets)
        case Stops():
            return len(view.reasons) + bool(view.unfinished)
    return 0
