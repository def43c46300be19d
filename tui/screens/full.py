"""One board over the whole screen: its picture, its table and its HogQL, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from textual.widget import Widget

from queries.boards import Answer, source, title
from queries.views import answers, drill
from queries.views.deploys import Deploy, Deploys
from tui.help_texts import HelpText, of_board
from tui.journal import Passing
from tui.messages import Told
from tui.screens.jumping import Jumping
from tui.screens.listing import ListScreen
from tui.screens.tables import deploy_table, result_table
from tui.sheets import Sheet, sheet
from tui.widgets.pane import BoardPane, Painter, spot_words
from tui.widgets.pictures import CHARTED, painter
from tui.widgets.reader import Reader
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Table
from tui.widgets.spots import Placed
from tui.widgets.statusbar import Line
from workspace.errors import LoopdeskError
from workspace.text import plain_lines

CHARTS = "charts"
PICTURE, TABLE, DEPLOYS, HOGQL = "Picture", "Table", "Deploys", "HogQL"


class FullScreen(Jumping, ListScreen):
    KEYS = "full"
    CSS_PATH = "../styles/full.tcss"
    LONG_TEXT_SUFFIX = ".sql"

    def __init__(self, board: str) -> None:
        super().__init__()
        self.board = board
        self._painter = painter(board)
        self._views = [
            *([PICTURE] if self._painter else []),
            TABLE,
            *([DEPLOYS] if board == "trend" else []),
            HOGQL,
        ]
        self._view = self._views[0]
        self._letters: dict[str, str] = {}

    def content(self) -> Iterable[Widget]:
        yield Line(id="title")
        if self._painter:
            yield BoardPane(self.board, self._painter, has_title=False)
        empty: Table[Any] = Table((), self.desk.palette)
        yield RowList(empty, id="table")
        if DEPLOYS in self._views:
            yield RowList(empty, empty="Nobody sends git_sha in this window.", id="deploys")
        yield Reader(id="hogql")

    def on_mount(self) -> None:
        self._turn_to(self._view)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.board in CHARTED:
            self.desk.work.load(self, CHARTS, load_charts)

    def boards(self) -> tuple[str, ...]:
        return (self.board, "deploys") if DEPLOYS in self._views else (self.board,)

    # Views

    def action_turn(self, step: int) -> None:
        self._turn_to(self._views[(self._views.index(self._view) + step) % len(self._views)])

    JUMPS_TO = "view"

    def parts(self) -> Sequence[str]:
        return self._views

    def jump_to(self, part: str) -> None:
        self._turn_to(part)

    def mark_part(self, part: str, letter: str) -> None:
        self._letters[part] = f"{letter} " if letter else ""
        self.say_title()

    def _turn_to(self, view: str) -> None:
        self._view = view
        for name in self._views:
            self._widget(name).display = name == view
        self.set_focus(self._widget(view))
        self.say_title()

    def _widget(self, view: str) -> Widget:
        return self.query_one({PICTURE: f"#{self.board}", TABLE: "#table", DEPLOYS: "#deploys", HOGQL: "#hogql"}[view])

    @property
    def list(self) -> RowList:
        return self.query_one("#deploys" if self._view == DEPLOYS else "#table", RowList)

    def action_search(self) -> None:
        self._to_a_table()
        super().action_search()

    def action_sort(self) -> None:
        self._to_a_table()
        super().action_sort()

    def _to_a_table(self) -> None:
        if self._view not in (TABLE, DEPLOYS):
            self._turn_to(TABLE)

    def title_parts(self) -> tuple[str, str]:
        named = ((f"{self._letters.get(name, '')}{name}", name == self._view) for name in self._views)
        views = "  ".join(f"[{name}]" if is_shown else f" {name} " for name, is_shown in named)
        answer = self._answers.get(self.board)
        said = source(self.board, answer.view if answer else None)
        return title(self.board), f"{views}   from {said}" if said else views

    # Answers

    def show_answer(self, answer: Answer) -> None:
        if answer.board == "deploys":
            found = cast(Deploys, answer.view).deploys
            self._fill("#deploys", deploy_table(self.desk.palette, self.desk.clock_time), found)
            return
        if PICTURE in self._views:
            self.query_one(BoardPane).show(answer, self.desk.happened.marks(answer))
            self.say_title()
        self._fill("#table", result_table(answer.results[0], self.desk.palette), answer.results[0].rows)
        self.query_one("#hogql", Reader).show(
            [[(line, self.desk.palette.text)] for text in [answer.hogql] for line in plain_lines(text)]
        )

    def _fill(self, name: str, table: Table, rows: Iterable[Any]) -> None:
        shown = self.query_one(name, RowList)
        before = cast(Table, shown.painter).sorting
        if before is None:
            self.sort_as_left(table, self._named(name))
        elif any(column.title == before.title for column in table.columns):
            table.sorting = before
        shown.painter = table
        chosen = shown.current
        shown.show(table.sorted(tuple(rows)), keep=lambda row: row == chosen)

    @property
    def table_name(self) -> str:
        return self._named("#deploys" if self._view == DEPLOYS else "#table")

    def _named(self, table: str) -> str:
        return f"{self.board} {table[1:]}"

    def show_problem(self, board: str, problem: LoopdeskError) -> None:
        names = ("#deploys",) if board != self.board else ("#table", "#hogql")
        if board == self.board and PICTURE in self._views:
            self.query_one(BoardPane).fail(problem)
        for name in () if board in self._answers else names:
            shown = self.query_one(name, RowList)
            shown.empty = str(problem)
            shown.repaint()

    def clear_answers(self) -> None:
        if PICTURE in self._views:
            self.query_one(BoardPane).clear()
        for shown in self.query(RowList):
            shown.show(())

    def on_told(self, message: Told) -> None:
        if message.job != CHARTS:
            super().on_told(message)
        elif self.desk.work.accept(self, message):
            self.query_one(BoardPane).draw_with(cast(Mapping[str, Painter], message.found)[self.board])

    def help_topics(self) -> Sequence[str | HelpText]:
        return (of_board(self.board), self.KEYS)

    def long_text(self) -> str | None:
        answer = self._answers.get(self.board)
        return answer.hogql if answer else None

    # Verbs

    def action_step(self, right: int, down: int) -> None:
        if self._view == PICTURE:
            pane = self.query_one(BoardPane)
            pane.step(right, down)
            self._say_spot(pane.spot)

    def on_board_pane_pointed(self, message: BoardPane.Pointed) -> None:
        self._say_spot(message.spot)

    def _say_spot(self, spot: Placed | None) -> None:
        self.say(Passing(spot_words(spot, self.desk.keys.key("open-row", self.KEYS))))

    def action_open(self) -> None:
        """What is behind the number in the picture, or behind the row."""
        answer = self._answers.get(self.board)
        if answer is None:
            return
        spot = self.query_one(BoardPane).spot if self._view == PICTURE else None
        if spot is not None:
            self.desk.open_spot(spot.target, answer)
        elif self._view in (TABLE, DEPLOYS) and self.list.current is not None:
            self._open_row(self.list.current, answer)

    def _open_row(self, row: object, answer: Answer) -> None:
        if isinstance(row, Deploy):
            self.desk.open_behind(drill.of_sha(row.project, row.git_sha), answer)
            return
        record = answers.record(answer.results[0], cast(tuple, row))
        found = drill.of_row(self.board, record)
        if found is not None:
            self.desk.open_behind(found, answer)
        elif record.get("round_id"):
            self.desk.open_trace(str(record["round_id"]))
        elif record.get("project"):
            self.desk.open_behind(drill.all_rounds(str(record["project"])), answer)

    def on_board_pane_clicked(self, message: BoardPane.Clicked) -> None:
        self.action_open()

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        self.action_open()

    def sheet(self) -> Sheet | None:
        answer = self._answers.get("deploys" if self._view == DEPLOYS else self.board)
        if answer is None:
            return None
        return sheet(answer.board, answer.results[0].columns, self.list.rows, answer.hogql)

    def leave(self) -> None:
        self.dismiss()

    def action_full(self) -> None:
        self.dismiss()

    def action_copy(self) -> None:
        answer = self._answers.get(self.board)
        if answer is None:
            return
        if self._view == PICTURE:
            self.copy(answer.view.verdict, "the sentence")  # type: ignore[attr-defined]
        elif self._view == HOGQL:
            self.copy(answer.hogql, "the HogQL")
        elif self.list.current is not None:
            self.copy(self.table.tsv(self.list.current), "the row")


def load_charts() -> Mapping[str, Painter]:
    """Line charts, for which there is room here. Blocking, because loading their library is."""
    from tui.widgets import chart

    return chart.PAINTERS
