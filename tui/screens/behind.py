"""The rounds behind a number, over the screen that showed it; Esc goes back to the number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from queries.backend import Backend
from queries.boards import Answer
from queries.views import drill
from queries.views.drill import Drill
from queries.views.filters import Filters
from queries.views.window import Window
from tui.screens.rounds import RoundsScreen
from tui.widgets.rowtable import Sorting

_BOARD = "rounds"


class BehindScreen(RoundsScreen):
    """Looks at the window of the answer that showed the number, whatever the desk looks at meanwhile."""

    KEYS = "behind"

    def __init__(self, behind: Drill, window: Window, filters: Filters) -> None:
        super().__init__()
        self._behind, self._window, self._filters = behind, window, filters
        self._sentence = ""

    table_name = ""  # what led here says how to sort

    def sorting(self) -> Sorting:
        return Sorting(*self._behind.sort) if self._behind.sort else super().sorting()

    def value_title(self) -> str:
        return self._behind.value

    def ask(self, boards: Sequence[str]) -> None:
        desk, behind, window, filters = self.desk, self._behind, self._window, self._filters
        self._arrivals = desk.arrivals

        def asked(backend: Backend) -> Answer:
            from queries import behind as asking

            return asking.behind(behind, backend, window, filters)

        desk.work.load(self, _BOARD, partial(desk.asker.answer, asked, fresh=self._was_asked))
        self.update_status()

    def known(self, board: str) -> Answer | None:
        """A number of one moment is not answered with rounds of another."""
        return None

    def keep(self, answer: Answer) -> None:
        """Not the answer to the board itself."""

    def show_answer(self, answer: Answer) -> None:
        from queries.behind import Behind

        found = cast(Behind, answer.view)
        self._sentence = drill.title(self._behind, len(found.rounds.rows), found.is_cut)
        self.show_rounds(found.rounds)

    def said(self) -> str:
        return self._sentence or f"{self._behind.says[0].upper()}{self._behind.says[1:]}"

    def context(self) -> Sequence[str]:
        if not self._behind.round_ids:
            return super().context()
        as_of = f"as of {self.desk.clock_time(self.as_of)}" if self.as_of else ""
        return tuple(part for part in (self.desk.label, as_of, self.desk.asker.name) if part)

    def window_said(self) -> str:
        if self._behind.round_ids:  # they are named, whenever they were
            return ""
        return self.desk.window_words(Answer(_BOARD, self._window, self._filters, self.desk.now(), "", (), None, ""))[0]
