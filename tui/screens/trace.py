"""Trace: a round step by step, over the screen it was opened from. Plays, searches, folds, follows, compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from queries import traces
from queries.traces import Trace
from queries.views.trace.detail import properties_json
from queries.views.trace.remembered import remembered, restored
from queries.views.trace.shown import ALL_OPEN, Folds, Wanted, lowered
from queries.views.trace.tree import KINDS, Mark, Tree
from tui.journal import Passing
from tui.messages import Arrived
from tui.screens import tracechoices
from tui.screens.searching import Searching
from tui.screens.traceview import EXPORT, MORE, RUN, TEXTS, TICK_S, TraceView

STATE = "trace"  # its row in `desk.db`
_LARGE = 5_000  # rows from which a search is prepared in a worker


class TraceScreen(Searching, TraceView):
    KEYS = "trace"
    CSS_PATH = "../styles/trace.tcss"
    AUTO_FOCUS = "#rows"

    def told(self, job: str, found: Any) -> None:
        if job == RUN:
            self._among = tuple(one.round_id for one in found)
            self._go_to_other(self._step_after_run)
        elif job == TEXTS:
            trace, self.list.lowered = found
            if trace is self._trace and self.prompt is not None:
                self.search_for(self.prompt.text, filtered=True)
        elif job == EXPORT:
            self.say(f"Exported to {found}")

    def on_mount(self) -> None:
        self.list.choose(*restored(self.desk.cache.state(STATE, None)))

    def on_unmount(self) -> None:
        self._stop_clock()

    def _remember(self) -> None:
        self.desk.remember(STATE, remembered(self.list.folds, self.list.wanted))

    def action_back(self) -> None:
        if self.has_class("-reading"):
            self._stop_reading()
        elif self._player.is_playing:
            self.action_play()
        elif self.list.wanted:
            self.take_filter_off()
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
        self._remember()
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
        self._fold(listed.folds.toggled(trace.tree, number))

    def action_unfold_all(self) -> None:
        self._fold(Folds())

    def action_fold_all(self) -> None:
        self._fold(Folds(depth=1))

    def action_fold_to_depth(self) -> None:
        self._fold(Folds(depth=int(self._last_key) if self._last_key.isdigit() else ALL_OPEN))

    def _fold(self, folds: Folds) -> None:
        self.list.fold(folds)
        self._remember()

    # Going to a row

    def action_next(self, what: str) -> None:
        kind = KINDS.index(what) if what != "error" else None

        def is_wanted(tree: Tree, number: int) -> bool:
            return bool(tree.marks[number] & Mark.FAILED) if kind is None else tree.kind[number] == kind

        if not self.list.next_row(is_wanted):
            self.say(Passing(f"There is no {'model call' if what == 'generation' else what} in this round."))
        self._say_title()

    def action_step(self, steps: int) -> None:
        """Rows that are folded away are passed over."""

        def stepped(trace: Trace, number: int) -> int:
            found = trace.replay.stepped(number, steps)
            while not self.list.is_shown(found) and found != (further := trace.replay.stepped(found, steps)):
                found = further
            return found

        self._move(stepped)

    def action_scrub(self, steps: int) -> None:
        self._move(lambda trace, number: trace.replay.scrubbed(number, steps))

    def _move(self, to: Callable[[Trace, int], int]) -> None:
        trace, number = self._trace, self.list.row_number
        if trace is not None and number is not None:
            self.list.near(to(trace, number))

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
        self.list.near(row)
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
            self.say(Passing(f"This is the {'last' if steps > 0 else 'first'} round here."))
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
        self.desk.work.load(self, MORE, lambda: self.desk.asker.answer(lambda backend: ask(backend), fresh=True))

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
            self._copy(self._talk_text(), "prompt and completion")
        else:
            self.action_link()

    def _talk_text(self) -> str:
        return "\n\n".join(talk.text() for talk in self._talks.values())

    def long_text(self) -> str | None:
        """Prompt and completion where they are here, then all that the row said."""
        return "\n\n".join(text for text in (self._talk_text(), properties_json(self._said)) if text) or None

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
