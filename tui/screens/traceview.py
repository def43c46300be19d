"""A round on screen: read in parts, shown as rows with a meter, and beside them what the row under the cursor says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from textual.containers import Container
from textual.timer import Timer
from textual.widget import Widget

from queries import traces
from queries.backend import Backend
from queries.traces import Trace
from queries.views.trace.conversation import Conversation
from queries.views.trace.detail import Said, detail
from queries.views.trace.export import count, duration, offset
from queries.views.trace.rows import Row
from queries.views.words import counted, money, score, signed
from tui.journal import Passing
from tui.messages import Failed, Told
from tui.screens.base import BaseScreen
from tui.widgets.detail import Detail
from tui.widgets.rowlist import RowList
from tui.widgets.statusbar import Line
from tui.widgets.tracedetail import TraceDetail
from tui.widgets.tracelist import TraceList
from tui.widgets.traceplayer import Player
from workspace.errors import LoopdeskError

BEGIN, REST, MORE, RUN, SAY, TALK, TEXTS, EXPORT = "begin", "rest", "more", "run", "say", "talk", "texts", "export"
TICK_S = 0.1

Parts = tuple[Trace, Iterator[Trace]]
Talked = tuple[bytes, Mapping[str, Conversation], str]
"""Whose conversation it is, what was said, or a sentence why nothing is shown."""


class TraceView(BaseScreen):
    """What is known of the round and of one of its rows. `TraceScreen` adds what a person does with it."""

    RESTS_S: ClassVar[float] = 0.12
    """The cursor rests on a row for this long before its detail is asked for: held keys stay cheap."""

    def __init__(self, round_id: str, among: Sequence[str] = ()) -> None:
        super().__init__()
        self.round_id = round_id
        self._among = tuple(among)
        self._trace: Trace | None = None
        self._problem: LoopdeskError | None = None
        self._player = Player()
        self._clock: Timer | None = None
        self._resting: Timer | None = None
        self._said: tuple[Said, ...] = ()
        self._talks: Mapping[str, Conversation] = {}
        self._remark = ""
        self._shown_key = b""
        self._is_following = self._has_news = self._wants_talk = False
        self._step_after_run = 0
        self._last_key = ""

    def content(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield Detail(id="meter")
        with Container(id="body"):
            yield TraceList(self.desk.palette, id="rows")
            yield TraceDetail(id="detail")

    def on_mount(self) -> None:
        self._load()

    def on_unmount(self) -> None:
        self.desk.work.cancel(self)

    @property
    def list(self) -> TraceList:
        return self.query_one("#rows", TraceList)

    @property
    def row(self) -> Row | None:
        current = self.list.current
        return current if isinstance(current, Row) else None

    # Reading the round

    def _load(self) -> None:
        desk, round_id = self.desk, self.round_id
        desk.work.load(self, BEGIN, lambda: desk.asker.answer(lambda backend: _begin(backend, round_id, desk.now())))
        self._say_title()

    def on_told(self, message: Told) -> None:
        if not self.desk.work.accept(self, message):
            return
        found = message.found
        if message.job == BEGIN:
            self._begun(found)
        elif message.job in (REST, MORE):
            self._show(found)
        elif message.job == SAY:
            self._said = found
            self._say_detail()
            if self._wants_talk:
                self._ask_talk()
        elif message.job == TALK:
            asked, self._talks, self._remark = found
            if asked != self._shown_key:  # the cursor went on meanwhile
                self._talks, self._remark = {}, ""
            self._say_detail()
        else:
            self.told(message.job, found)

    def told(self, job: str, found: Any) -> None:
        """The result of a job that a subclass asked for."""

    def on_failed(self, message: Failed) -> None:
        if not self.desk.work.accept(self, message):
            return
        if message.job in (BEGIN, REST) and (self._trace is None or not self._trace.is_whole):
            self._problem = message.error
            self.list.empty = str(message.error)
            self.list.repaint()
            self._say_title()
        else:
            self.say(str(message.error))

    def _begun(self, found: Parts) -> None:
        trace, rest = found
        self._show(trace)
        if not trace.is_whole:
            self.desk.work.load(self, REST, lambda: list(rest)[-1])

    def _show(self, trace: Trace) -> None:
        is_fresh = self._trace is None or self._trace.trace_id != trace.trace_id
        self._trace, self._problem = trace, None
        self._has_news = False
        if is_fresh or self.list.trace is None or self.list.trace.tree is not trace.tree:
            self.list.show_trace(trace, fresh=is_fresh)
        self._say_title()
        self._say_meter()
        if is_fresh:
            self._rested()

    # What it says

    def _say_title(self) -> None:
        trace, listed = self._trace, self.list
        if trace is None:
            self._title("Round", str(self._problem) if self._problem else "Asking…")
            return
        whose = " / ".join(part for part in (trace.word("project"), trace.word("client")) if part)
        sentence = trace.account.verdict
        if not trace.is_whole:
            sentence = f"Reading… about {trace.extent.events:,} events."
        elif listed.wanted:
            sentence = f"{len(listed.rows):,} of {listed.total:,} rows: {listed.wanted.said}. Esc shows all."
        elif self._is_following:
            sentence = f"Following. {sentence}"
        elif self._has_news:
            sentence = f"More has arrived: r shows it, F follows. {sentence}"
        self._title(f"Round {whose}".rstrip(), sentence)

    def _title(self, title: str, sentence: str) -> None:
        self.query_one("#title", Line).say(title, sentence)
        self.update_status()

    def _say_meter(self) -> None:
        trace, number = self._trace, self.list.row_number
        meter = self.query_one("#meter", Detail)
        if trace is None or number is None:
            meter.say(())
            return
        told, tree = trace.account, trace.tree
        at = tree.began_us if number == 0 else tree.until_us[number]
        then = told.at(at)
        parts = [f"{offset(then.elapsed_s)} of {duration((tree.ended_us - tree.began_us) / 1e6, moments=True)}"]
        if told.costs:
            source = told.total_source if told.cost_at and at >= told.cost_at[-1] else told.cost_source
            parts.append(f"{money(then.cost_usd or 0.0)} by {source}")
        if told.tokens:
            parts.append(f"{count(then.tokens or 0.0)} tokens")
        if then.score is not None:
            change = f" ({signed(then.delta)})" if then.delta is not None else ""
            parts.append(f"score {score(then.score)}{change}")
        elif told.baseline is not None:
            parts.append(f"baseline {score(told.baseline)}")
        if self._player.is_playing or self._player.speed != 1.0:
            parts.insert(0, self._player.said)
        meter.say((parts,))

    def context(self) -> Sequence[str]:
        desk, trace = self.desk, self._trace
        place = ""
        if self._among and self.round_id in self._among:
            place = f"round {self._among.index(self.round_id) + 1} of {len(self._among)}"
        as_of = f"as of {desk.clock_time(trace.asked_at)}" if trace else ""
        rows = f"{counted(len(self.list.rows), 'row')}{'' if trace.is_whole else ' so far'}" if trace else ""
        parts = (desk.label, place, rows, as_of, desk.asker.name)
        return tuple(part for part in parts if part)

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        self._say_meter()
        if self._resting is not None:
            self._resting.stop()
        if self.RESTS_S and not self._player.is_playing:
            self._resting = self.set_timer(self.RESTS_S, self._rested)
        elif not self._player.is_playing:
            self._rested()

    def _rested(self) -> None:
        trace, row = self._trace, self.row
        if trace is None or row is None or not self.is_mounted:
            return
        places = trace.tree.places(row.number)
        shown = row.key + bytes(len(places))  # a return that arrived is news of the same row
        if shown == self._shown_key:
            return
        self._shown_key = shown
        self._said, self._talks, self._remark = (), {}, ""
        ask = partial(traces.said, trace=trace, places=places)
        self.desk.work.load(self, SAY, lambda: self.desk.asker.answer(lambda backend: ask(backend)))
        if not places:
            self._say_detail()

    def _say_detail(self) -> None:
        row = self.row
        if row is None:
            return
        remark = self._remark
        if not remark and not self._talks and row.kind == "generation" and not self._wants_talk:
            remark = "Enter reads prompt and completion."
        lines = detail(row, self._said, self._talks, remark)
        self.query_one(TraceDetail).say(lines)

    def _ask_talk(self) -> None:
        trace, told, now = self._trace, self._said, self.desk.now()
        if trace is None or not any(one.event.startswith("$ai_") for one in told) or self._talks or self._remark:
            return
        key = self._shown_key

        def ask(backend: Backend) -> Talked:
            try:
                return key, traces.conversations(backend, trace, told, now), ""
            except LoopdeskError as error:
                return key, {}, str(error)

        self.desk.work.load(self, TALK, lambda: self.desk.asker.answer(ask))

    # Reading one row

    def action_read(self) -> None:
        """The row over the whole screen; again, or Esc, shows the rows again."""
        if self.has_class("-reading"):
            self._stop_reading()
            return
        self._wants_talk = True
        self.add_class("-reading")
        self.set_focus(self.query_one(TraceDetail))
        self._rested()
        self._ask_talk()

    def _stop_reading(self) -> None:
        self._wants_talk = False
        self.remove_class("-reading")
        self.set_focus(self.list)

    def action_turn(self) -> None:
        if not self.has_class("-reading"):
            detail_has = self.focused is self.query_one(TraceDetail)
            self.set_focus(self.list if detail_has else self.query_one(TraceDetail))
            self.say(Passing("" if detail_has else "Now scrolling what the row says; tab goes back to the rows."))

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        if self.focused is self.list:
            self.action_read()


def _begin(backend: Backend, round_id: str, now: datetime) -> Parts:
    """The beginning at once, and what reads the rest."""
    parts = traces.parts(backend, traces.find(backend, round_id, now), now)
    return next(parts), parts
