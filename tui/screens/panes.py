"""A screen of several panes: moving between them and their numbers, and what can be done with the one in focus."""

from __future__ import annotations

from tui.journal import Passing
from tui.screens.boards import BoardsScreen
from tui.screens.jumping import Jumping
from tui.widgets.pane import BoardPane, spot_words
from tui.widgets.spots import Placed


class PanesScreen(Jumping, BoardsScreen):
    """`parts` are the boards of the panes that can be seen and focused, in their order."""

    JUMPS_TO = "pane"

    def pane(self, board: str) -> BoardPane:
        return self.query_one(f"#{board}", BoardPane)

    def clear_answers(self) -> None:
        for pane in self.query(BoardPane):
            pane.clear()

    # Moving

    def action_next_pane(self, step: int) -> None:
        if step > 0:
            self.app.action_focus_next()
        else:
            self.app.action_focus_previous()

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
            if p.display
            and p.can_focus
            and ((p.region.x - at.x) * right > 0 or (p.region.y - at.y) * down > 0)
            and (at.x <= p.region.x < at.right or p.region.x <= at.x < p.region.right if down else p.region.y == at.y)
        ]
        if ahead:
            self.set_focus(min(ahead, key=lambda pair: pair[0])[1])
        else:
            self.past_the_edge(right, down)

    def past_the_edge(self, right: int, down: int) -> None:
        """No pane lies that way."""

    def jump_to(self, part: str) -> None:
        self.set_focus(self.pane(part))

    def mark_part(self, part: str, letter: str) -> None:
        self.pane(part).mark(letter)

    def on_board_pane_pointed(self, message: BoardPane.Pointed) -> None:
        self._say_spot(message.spot)

    def _say_spot(self, spot: Placed | None) -> None:
        self.say(Passing(spot_words(spot, self.desk.keys.key("open", self.KEYS))))

    # Verbs

    def action_open(self) -> None:
        """The rounds behind the number under the cursor; without one, all of the same window and filters."""
        pane = self.focused
        if isinstance(pane, BoardPane) and pane.spot and pane.answer:
            self.desk.open_spot(pane.spot.target, pane.answer)
        else:
            self.desk.action_go("rounds")

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
