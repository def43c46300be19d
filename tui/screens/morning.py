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
from tui.journal import Passing
from tui.screens.base import MEDIUM, WIDE
from tui.screens.boards import BoardsScreen
from tui.screens.digesting import Digesting, DigestLine
from tui.screens.jumping import Jumping
from tui.widgets.pane import BoardPane, spot_words
from tui.widgets.pictures import PAINTERS
from tui.widgets.spots import Placed
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


class MorningScreen(Digesting, Jumping, BoardsScreen):
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

    def left(self) -> dict[str, str]:
        return {"pane": self.focused.board} if isinstance(self.focused, BoardPane) else {}

    def pane(self, board: str) -> BoardPane:
        return self.query_one(f"#{board}", BoardPane)

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

    def clear_answers(self) -> None:
        for pane in self.query(BoardPane):
            pane.clear()

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

    # Verbs

    def action_step(self, right: int, down: int) -> None:
        """To the next number of the pane in a direction; past its edge to the nearest pane, past the last nowhere."""
        here = self.focused
        if not isinstance(here, BoardPane):
            return
        if here.step(right, down):
            self._say_spot(here.spot)  # at once, so that the status line is drawn once
            return
        at = here.region
        ahead = [
            (abs(p.region.x - at.x) + abs(p.region.y - at.y), p)
            for p in self.query(BoardPane)
            if p.can_focus
            and ((p.region.x - at.x) * right > 0 or (p.region.y - at.y) * down > 0)
            and (at.x <= p.region.x < at.right or p.region.x <= at.x < p.region.right if down else p.region.y == at.y)
        ]
        if ahead:
            self.set_focus(min(ahead, key=lambda pair: pair[0])[1])

    JUMPS_TO = "pane"

    def parts(self) -> Sequence[str]:
        return PANES

    def jump_to(self, part: str) -> None:
        self.set_focus(self.pane(part))

    def mark_part(self, part: str, letter: str) -> None:
        self.pane(part).mark(letter)

    def action_open(self) -> None:
        """The rounds behind the number under the cursor; without one, all of the same window and filters."""
        pane = self.focused
        if isinstance(pane, BoardPane) and pane.spot and pane.answer:
            self.desk.open_spot(pane.spot.target, pane.answer)
        else:
            self.desk.action_go("rounds")

    def on_board_pane_pointed(self, message: BoardPane.Pointed) -> None:
        self._say_spot(message.spot)

    def _say_spot(self, spot: Placed | None) -> None:
        self.say(Passing(spot_words(spot, self.desk.keys.key("open", self.KEYS))))

    def action_refresh_pane(self) -> None:
        focused = self.focused
        self.ask_again((focused.board,) if isinstance(focused, BoardPane) else self.boards())

    def action_full(self) -> None:
        if isinstance(self.focused, BoardPane):
            self.desk.open_full(self.focused.board)

    def action_copy(self) -> None:
        pane = self.focused
        if isinstance(pane, BoardPane) and pane.answer is not None:
            self.copy(f"{pane.title}: {pane.answer.view.verdict}", "the sentence")  # type: ignore[attr-defined]

    def action_back(self) -> None:
        if isinstance(self.focused, BoardPane):
            self.focused.point_at(None)

    def on_board_pane_clicked(self, message: BoardPane.Clicked) -> None:
        if message.pane.spot:
            self.action_open()
        else:
            self.desk.open_full(message.pane.board)


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
