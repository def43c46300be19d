"""Trace: a round step by step, over the screen it was opened from. Plays, searches, folds, follows, compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.containers import Container
from textual.timer import Timer
from textual.widget import Widget

from queries import traces
from queries.backend import Backend
from queries.traces import Trace
from queries.views.trace.conversation import Conversation
from queries.views.trace.detail import Said, detail, properties_json
from queries.views.trace.export import count, duration, offset
from queries.views.trace.rows import Row
from queries.views.trace.shown import ALL_OPEN, Folds, Wanted, lowered
from queries.views.trace.tree import KINDS, Mark, Tree
from queries.views.words import money, score, signed
from tui.messages import Arrived, Failed, Told
from tui.screens import tracechoices
from tui.screens.base import BaseScreen
from tui.screens.searching import Searching
from tui.widgets.detail import Detail
from tui.widgets.rowlist import RowList
from tui.widgets.statusbar import Line
from tui.widgets.tracedetail import TraceDetail
from tui.widgets.tracelist import TraceList
from tui.widgets.traceplayer import Player
from workspace.errors import LoopdeskError

BEGIN, REST, MORE, RUN, SAY, TALK, TEXTS, EXPORT = "begin", "rest", "more", "run", "say", "talk", "texts", "export"
TICK_S = 0.1
_LARGE = 5_000  # rows from which a search is prepared in a worker

Parts = tuple[Trace, Iterator[Trace]]


class TraceScreen(Searching, BaseScreen):
    KEYS = "trace"
    CSS_PATH = "../styles/trace.tcss"
    AUTO_FOCUS = "#rows"
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
        self._stop_clock()
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
        elif message.job == RUN:
            self._among = tuple(one.round_id for one in found)
            self._go_to_other(self._step_after_run)
        elif message.job == SAY:
            self._said = found
            self._say_detail()
            if self._wants_talk:
                self._ask_talk()
        elif message.job == TALK:
            self._talks, self._remark = found, ""
            self._say_detail()
        elif message.job == TEXTS:
            trace, self.list.lowered = found
            if trace is self._trace and self.prompt is not None:
                self.search_for(self.prompt.text, filtered=True)
        elif message.job == EXPORT:
            self.say(f"Exported to {found}")

    def on_failed(self, message: Failed) -> None:
        if not self.desk.work.accept(self, message):
            return
        if message.job == TALK:
            self._remark = str(message.error)
            self._say_detail()
        elif message.job in (BEGIN, REST) and (self._trace is None or not self._trace.is_whole):
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
        self.list.show_trace(trace, fresh=is_fresh)
        self._say_title()
        self._say_meter()

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
        parts = (desk.label, place, f"{len(self.list.rows):,} rows" if trace else "", as_of, desk.asker.name)
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
        ask = partial(traces.conversations, trace=trace, told=told, now=now)
        self.desk.work.load(self, TALK, lambda: self.desk.asker.answer(lambda backend: ask(backend)))

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
            self.say("" if detail_has else "Now scrolling what the row says; tab goes back to the rows.")

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        if self.focused is self.list:
            self.action_read()

    def action_back(self) -> None:
        if self.has_class("-reading"):
            self._stop_reading()
        elif self._player.is_playing:
            self.action_play()
        elif self.list.wanted:
            self._want(Wanted())
        else:
            self.dismiss()

    # Searching and leaving out

    def search_for(self, text: str, *, filtered: bool) -> None:
        rows_ = self.list
        if rows_.lowered is None and rows_.total > _LARGE and text and (trace := self._trace) is not None:
            rows_.query_text = text.casefold()
            self.desk.work.load(self, TEXTS, lambda: (trace, lowered(trace.tree)))
            return
        rows_.search(text or rows_.query_text, filtered=filtered)
        self._say_title()

    def _want(self, wanted: Wanted) -> None:
        self.list.want(wanted)
        self._say_title()

    def action_errors_only(self) -> None:
        wanted = self.list.wanted
        self._want(replace(wanted, errors_only=not wanted.errors_only))

    def action_kinds(self) -> None:
        from tui.screens.chooser import Chooser

        trace, wanted = self._trace, self.list.wanted
        if trace is not None:
            choices = tracechoices.kind_choices(trace, wanted)
            self.app.push_screen(Chooser("Kinds of rows", lambda _: choices, needs_scope=False), self._kind_chosen)

    def _kind_chosen(self, kind: object) -> None:
        wanted = self.list.wanted
        if isinstance(kind, str):
            kinds = frozenset() if kind == tracechoices.ALL_KINDS else wanted.kinds ^ {kind}
            self._want(replace(wanted, kinds=kinds))

    # Folding

    def capture(self, key: str, character: str | None) -> bool:
        self._last_key = key
        return super().capture(key, character)

    def action_fold(self) -> None:
        trace, number, listed = self._trace, self.list.row_number, self.list
        if trace is None or number is None or listed.wanted:
            return
        if trace.tree.size[number] == 1 and number:
            number = trace.tree.parent[number]
            listed.show_row(number)
        listed.fold(listed.folds.toggled(trace.tree, number))

    def action_unfold_all(self) -> None:
        self.list.fold(Folds())

    def action_fold_all(self) -> None:
        self.list.fold(Folds(depth=1))

    def action_fold_to_depth(self) -> None:
        self.list.fold(Folds(depth=int(self._last_key) if self._last_key.isdigit() else ALL_OPEN))

    # Going to a row

    def action_next(self, what: str) -> None:
        kind = KINDS.index(what) if what != "error" else None

        def is_wanted(tree: Tree, number: int) -> bool:
            return bool(tree.marks[number] & Mark.FAILED) if kind is None else tree.kind[number] == kind

        if not self.list.next_row(is_wanted):
            self.say(f"There is no {'model call' if what == 'generation' else what} in this round.")
        self._say_title()

    def action_step(self, steps: int) -> None:
        self._move(lambda trace, number: trace.replay.stepped(number, steps))

    def action_scrub(self, steps: int) -> None:
        self._move(lambda trace, number: trace.replay.scrubbed(number, steps))

    def _move(self, to: Callable[[Trace, int], int]) -> None:
        trace, number = self._trace, self.list.row_number
        if trace is not None and number is not None:
            row = to(trace, number)
            self.list.show_row(row)
            self._player.clock_s = trace.replay.clock_of(row)

    # Playing

    def action_play(self) -> None:
        trace, number = self._trace, self.list.row_number
        if trace is None or number is None:
            return
        if self._player.is_playing:
            self._player.is_playing = False
            self._stop_clock()
            self._rested()
        else:
            self._player.begin(trace.replay, number)
            self._clock = self.set_interval(TICK_S, self.tick)
        self._say_meter()

    def tick(self, seconds: float = TICK_S) -> None:
        trace = self._trace
        if trace is None or not self._player.is_playing:
            return
        row = self._player.tick(trace.replay, seconds)
        if row != self.list.row_number:
            self.list.show_row(row)
        if not self._player.is_playing:
            self._stop_clock()
            self._rested()
            self._say_meter()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.stop()
            self._clock = None

    def action_speed(self, steps: int) -> None:
        self._player.change_speed(steps)
        self._say_meter()

    # Other rounds

    def action_other_round(self, steps: int) -> None:
        if self.round_id in self._among:
            self._go_to_other(steps)
        elif (trace := self._trace) is not None:
            self._step_after_run = steps
            ask = partial(traces.rounds_of_run, trace=trace)
            self.desk.work.load(self, RUN, lambda: self.desk.asker.answer(lambda backend: ask(backend)))

    def _go_to_other(self, steps: int) -> None:
        place = self._among.index(self.round_id) + steps if self.round_id in self._among else -1
        if not 0 <= place < len(self._among):
            self.say(f"This is the {'last' if steps > 0 else 'first'} round here.")
            return
        self.round_id = self._among[place]
        self._player.is_playing = False
        self._stop_clock()
        self._shown_key = b""
        self._load()

    def action_compare(self) -> None:
        from tui.screens.tracecompare import CompareScreen

        if self._trace is not None and self._trace.is_whole:
            self.app.push_screen(CompareScreen(self._trace))

    # What arrives

    def action_follow(self) -> None:
        self._is_following = not self._is_following
        if self._is_following:
            self.action_refresh()
        self._say_title()

    def action_refresh(self) -> None:
        trace, now = self._trace, self.desk.now()
        if trace is None or not trace.is_whole:
            self._load()
            return
        ask = partial(traces.more, trace=trace, now=now)
        self.desk.work.load(self, MORE, lambda: self.desk.asker.answer(lambda backend: ask(backend)))

    def on_arrived(self, message: Arrived) -> None:
        if self._is_following:
            self.action_refresh()
        elif self._trace is not None and self._trace.tree.is_running and not self._has_news:
            self._has_news = True
            self._say_title()

    # Copying and exporting

    def action_copy(self) -> None:
        from tui.screens.chooser import Chooser

        if self.row is not None:
            choices = tracechoices.copy_choices(bool(self._talks))
            self.app.push_screen(Chooser("Copy", lambda _: choices, needs_scope=False), self._copy_chosen)

    def _copy_chosen(self, what: object) -> None:
        row, listed = self.row, self.list
        if row is None or what is None:
            return
        if what == tracechoices.ROW:
            self._copy(listed.painter.tsv(row), "the row")  # type: ignore[attr-defined]
        elif what == tracechoices.PROPERTIES:
            self._copy(properties_json(self._said), "what it said")
        elif what == tracechoices.PROMPT:
            self._copy("\n\n".join(talk.text() for talk in self._talks.values()), "prompt and completion")
        else:
            self.action_link()

    def _copy(self, text: str, what: str) -> None:
        self.say(self.desk.copy(text, what))

    def action_link(self) -> None:
        link = self.desk.asker.trace_link(self.round_id)
        self._copy(link or f"loopdesk trace {self.round_id}", "the link" if link else "the command that prints it")

    def action_export(self) -> None:
        from tui.screens.chooser import Chooser

        if self._trace is not None and self._trace.is_whole:
            choices = tracechoices.export_choices(self._trace)
            self.app.push_screen(Chooser("Export", lambda _: choices, needs_scope=False), self._export_chosen)

    def _export_chosen(self, kind: object) -> None:
        trace = self._trace
        if isinstance(kind, str) and trace is not None:
            self.desk.work.load(self, EXPORT, lambda: tracechoices.export_to(Path.cwd(), trace, kind))


def _begin(backend: Backend, round_id: str, now: datetime) -> Parts:
    """The beginning at once, and what reads the rest."""
    parts = traces.parts(backend, traces.find(backend, round_id, now), now)
    return next(parts), parts
