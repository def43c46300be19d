"""Rounds: one row a round, sortable and filterable, with everything about the chosen one below."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast
from zoneinfo import ZoneInfo

from textual.widget import Widget

from queries.boards import Answer
from queries.views.rounds import Round, Rounds
from queries.views.words import counted, money, score, score_in_column, signed, signed_in_column
from tui.palette import Palette
from tui.screens.listing import ListScreen
from tui.sheets import Sheet, sheet
from tui.widgets.detail import Detail
from tui.widgets.rowlist import RowList
from tui.widgets.rowtable import Column, Sorting, Table
from tui.widgets.statusbar import Line
from tui.widgets.strips import Run
from workspace.errors import LoopdeskError


class RoundsScreen(ListScreen):
    KEYS = "rounds"
    CSS_PATH = "../styles/rounds.tcss"
    AUTO_FOCUS = "#rounds"

    def __init__(self) -> None:
        super().__init__()
        self._rounds: Rounds | None = None
        self._problem: LoopdeskError | None = None
        self._left_at: str | None = None
        """The round that the cursor was left on, until it was looked for."""

    def content(self) -> Iterable[Widget]:
        desk = self.desk
        table: Table[Round] = Table(columns(desk.zone, self.value_title()), desk.palette, self.sorting())
        if self.table_name:
            self.sort_as_left(table)
            self._left_at = desk.left.round_id
        yield Line(id="title")
        yield RowList(table, empty="Asking…", id="rounds")
        yield Detail(id="detail")

    def boards(self) -> tuple[str, ...]:
        return ("rounds",)

    def sorting(self) -> Sorting:
        """What the list begins with."""
        return Sorting("start", True)

    def value_title(self) -> str:
        """The heading of what is known of each round besides; empty where nothing is."""
        return ""

    @property
    def list(self) -> RowList:
        return self.query_one("#rounds", RowList)

    def show_answer(self, answer: Answer) -> None:
        self.show_rounds(cast(Rounds, answer.view))

    def show_rounds(self, view: Rounds) -> None:
        is_news = self._rounds is None or view != self._rounds or self._problem is not None
        self._rounds, self._problem = view, None
        if is_news:
            self.list.empty = view.verdict
            chosen, self._left_at = self._left_at or self._chosen_id(), None
            self.list.show(self.table.sorted(view.rows), keep=lambda row: row.round_id == chosen)
            self.say_title()

    def show_problem(self, board: str, problem: LoopdeskError) -> None:
        self._problem = problem
        self.list.empty = str(problem)
        self.list.repaint()
        self.say_title()

    def clear_answers(self) -> None:
        self._rounds = self._problem = None
        self.list.empty = "Asking…"
        self.list.show(())
        self.say_title()

    def window_chosen(self) -> None:
        self.say_title()

    def left(self) -> dict[str, str]:
        return {"round_id": self._left_at or self._chosen_id()}

    def _chosen_id(self) -> str:
        row = self.list.current
        return row.round_id if isinstance(row, Round) else ""

    def title_parts(self) -> tuple[str, str]:
        title = f"Rounds  {self.window_said()}".rstrip()
        if self._problem is not None and self._rounds is not None:
            return title, f"stale: {self._problem}"
        return title, self.said()

    def window_said(self) -> str:
        return self.desk.window_words(self._answers.get("rounds"))[0]

    def said(self) -> str:
        """What the list shows, in a sentence."""
        _, note = self.desk.window_words(self._answers.get("rounds"))
        return " ".join(part for part in (note, self._rounds.verdict if self._rounds else "") if part)

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        row = self.list.current
        detail = self.query_one(Detail)
        detail.say(details(row, self.desk.clock_time) if isinstance(row, Round) else ())

    def action_open(self) -> None:
        """The round under the cursor, step by step; from there the others of its run, in the order of time."""
        row = self.list.current
        if isinstance(row, Round):
            run = sorted((one for one in self.list.rows if one.run_id == row.run_id), key=lambda one: one.started)
            self.desk.open_trace(row.round_id, [one.round_id for one in run] if row.run_id else ())

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        self.action_open()

    def action_full(self) -> None:
        self.desk.open_full("rounds")

    def sheet(self) -> Sheet | None:
        answer = self._answers.get("rounds")
        return sheet("rounds", (), self.list.rows, answer.hogql) if answer else None

    def action_copy(self) -> None:
        row = self.list.current
        if isinstance(row, Round):
            self.copy("\t".join((row.round_id, self.table.tsv(row))), "the round")


def columns(zone: ZoneInfo, value_title: str = "") -> tuple[Column[Round], ...]:
    """The widest terminal shows all; a narrow one keeps when, what, how it ended and what it scored. What led to the
    rounds stands where the eye looks first."""

    def start(row: Round, palette: Palette) -> Run:
        local = row.started.astimezone(zone)
        # A log without times has rounds spaced evenly: a second would be more than anybody knows.
        return (f"{local:%a} ~{local:%H:%M}" if row.is_estimated else f"{local:%a} {local:%H:%M:%S}"), palette.text

    value = Column(value_title, min(24, max(8, len(value_title) + 1)), _value, _value_order)
    return (
        *((value,) if value_title else ()),
        Column("start", 12, start, lambda r: r.started, descending=True),
        Column("project", 16, lambda r, p: (r.project, p.text), lambda r: r.project.casefold(), rank=1, most=24),
        Column("client", 16, lambda r, p: (r.client, p.dim), lambda r: r.client.casefold() or None, rank=9, most=28),
        Column("agent", 8, lambda r, p: (r.agent, p.dim), lambda r: r.agent.casefold() or None, rank=8, most=14),
        Column("model", 18, lambda r, p: (r.model, p.dim), lambda r: r.model.casefold() or None, rank=7, most=28),
        Column("stage", 8, lambda r, p: (r.last_stage, p.dim), lambda r: _STAGES.get(r.last_stage), rank=6),
        Column("outcome", 10, _outcome, lambda r: _OUTCOMES.get(r.outcome)),
        Column("score", 8, _score, lambda r: r.score, True, 0, True),
        Column("delta", 10, _delta, lambda r: r.delta, True, 2, True),
        Column("cost", 7, lambda r, p: (money(r.cost_usd), p.text), lambda r: r.cost_usd, True, 3, True),
        Column("took", 7, lambda r, p: (took(r.duration_s), p.text), lambda r: r.duration_s, True, 4, True),
        Column("errors", 6, _errors, lambda r: r.errors, True, 5, True),
        Column("git_sha", 8, lambda r, p: (r.git_sha[:8], p.text), lambda r: r.git_sha or None, rank=6),
    )


_STAGES = {name: place for place, name in enumerate(("started", "proposed", "applied", "scored", "decided"))}
_OUTCOMES = {name: place for place, name in enumerate(("kept", "reverted", "crashed", "running", "lost"))}


def _outcome(row: Round, palette: Palette) -> Run:
    glyphs = palette.glyphs
    mark, style = {
        "kept": (glyphs.ok, palette.good),
        "reverted": (glyphs.ring, palette.dim),
        "crashed": (glyphs.fail, palette.bad),
        "running": (glyphs.dot, palette.text),
        "lost": ("?", palette.warn),
    }.get(row.outcome, (" ", palette.text))
    return f"{mark} {row.outcome}", style


# A row changes its colour only where there is news: every change costs bytes over SSH, and calm.


def _score(row: Round, palette: Palette) -> Run:
    """In the colour of the outcome before it and of the delta behind it, where both are good."""
    return score_in_column(row.score), palette.good if row.outcome == "kept" and row.is_better else palette.text


def _delta(row: Round, palette: Palette) -> Run:
    if row.delta is None:
        return palette.glyphs.dash, palette.text
    if row.is_better is None:
        return signed_in_column(row.delta), palette.text
    mark, style = (palette.glyphs.up, palette.good) if row.is_better else (palette.glyphs.down, palette.text)
    return f"{mark} {signed_in_column(row.delta)}", style


def _value(row: Round, palette: Palette) -> Run:
    if row.value is None:
        return palette.glyphs.dash, palette.dim
    return (row.value if isinstance(row.value, str) else score_in_column(row.value)), palette.strong


def _value_order(row: Round) -> object:
    return row.value.casefold() if isinstance(row.value, str) else row.value


def _errors(row: Round, palette: Palette) -> Run:
    return (str(row.errors), palette.bad) if row.errors else (palette.glyphs.zero, palette.text)


def took(seconds: float | None) -> str:
    """`42s`, `4m 05s`, `1h 02m`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02}m"


def details(row: Round, clock_time: Callable[..., str]) -> tuple[tuple[str, ...], ...]:
    """Everything about a round, in full: first what tells it from its neighbours, then what it shares with them."""
    said = {True: " (better)", False: " (worse)", None: ""}[row.is_better]
    own = (
        f"{row.outcome}, last stage {row.last_stage}",
        f"score {score(row.score)}" + (f", {signed(row.delta)}{said}" if row.delta is not None else ""),
        f"cost {money(row.cost_usd)}" if row.cost_usd is not None else "",
        f"{clock_time(row.started, seconds=True)}"
        + (f", took {took(row.duration_s)}" if row.duration_s is not None else "")
        + (", times estimated" if row.is_estimated else ""),
        counted(row.errors, "error") if row.errors else "no errors",
        f"round {row.round_id}",
    )
    shared = (
        f"{row.project}/{row.client}" if row.client else row.project,
        " on ".join(part for part in (row.agent, row.model) if part),
        f"git {row.git_sha}" if row.git_sha else "",
        f"run {row.run_id}" if row.run_id else "",
    )
    return tuple(tuple(part for part in group if part) for group in (own, shared))
