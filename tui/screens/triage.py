"""Triage: one report at a time, the keys that mean something for it below, and a tally at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from textual.widget import Widget

from engine.about import About
from engine.groups import REVIEW
from queries.views.trace.detail import Line as Said
from queries.views.words import counted
from tui import proposals, reporttabs
from tui.decisions import done
from tui.inboxdoor import Deed
from tui.messages import Failed, Told
from tui.reports import Entry, Listed
from tui.reporttabs import PROPOSAL, SIGNALS, SUMMARY, Known, Page, shown_tab, tabs_of
from tui.screens.base import BaseScreen
from tui.screens.proposing import Proposing
from tui.screens.rounds import took
from tui.screens.searching import Searching
from tui.widgets.detail import Detail
from tui.widgets.reportpane import ReportPane
from tui.widgets.statusbar import Line
from workspace.text import plain

REPORT = "report"
_LEGEND = {
    "inbox-approve": "approve",
    "inbox-decline": "decline",
    "inbox-context": "context",
    "inbox-diff": "diff",
    "inbox-changes": "request changes",
    "inbox-comment": "comment",
    "inbox-stop": "stop the countdown",
    "inbox-snooze": "snooze",
    "inbox-resolve": "resolve",
    "inbox-research": "research again",
    "inbox-release": "release",
    "inbox-split": "split",
    "inbox-join": "join",
    "next-tab": "next tab",
    "triage-rounds": "signals, rounds",
    "skip": "skip",
    "triage-previous": "back one",
    "undo": "undo",
    "back": "leave",
}


_NO_DECISION = ("comment", "stop")
"""What was said or stopped leaves the report where it is."""


class TriageScreen(Proposing, Searching, BaseScreen):
    KEYS = "triage"
    CSS_PATH = "../styles/inbox.tcss"
    AUTO_FOCUS = "#detail"

    def __init__(self, queue: Sequence[Listed], others: Sequence[Listed], about: About | None) -> None:
        super().__init__()
        self._queue = list(queue)
        self._others, self._about = others, about
        self._place = 0
        self._known: Known | None = None
        self._decided: dict[str, str] = {}
        """What was decided about each report, by its id, in a word."""
        self._skipped: set[str] = set()
        self._shown: tuple[str, str] = ("", "")

    def content(self) -> Iterable[Widget]:
        self._began = self.desk.now()
        yield Line(id="title")
        yield Line(id="tabs")
        yield ReportPane(id="detail")
        yield Detail(id="legend")

    def on_mount(self) -> None:
        self._go(0)

    def on_unmount(self) -> None:
        if self.desk.door is not None:
            self.desk.door.cancel(self)

    # Going through them

    @property
    def is_over(self) -> bool:
        return self._place >= len(self._queue)

    def _go(self, place: int) -> None:
        self._place = max(0, min(place, len(self._queue)))
        self._known = None
        # What is to be reviewed is the proposal.
        self.tab = SUMMARY if self.is_over or self._queue[self._place].group != REVIEW else PROPOSAL
        self._ask()
        self._say()

    def action_skip(self) -> None:
        if self.is_over:
            self.dismiss()
            return
        if (id := self._queue[self._place].id) not in self._decided:
            self._skipped.add(id)
        self._go(self._place + 1)

    def action_previous(self) -> None:
        self._go(self._place - 1)

    def decided(self, deed: Deed) -> None:
        """On to the next one; what was decided about another report meanwhile stays in the tally only."""
        for wish in deed.wishes[: len(deed.commands)]:
            self._decided[wish.report_id] = done(wish.verb, wish.arguments)
            self._skipped.discard(wish.report_id)
        if deed.wishes and deed.wishes[0].verb in _NO_DECISION:
            return
        if deed.commands and not self.is_over and self._queue[self._place].id in {w.report_id for w in deed.wishes}:
            self._go(self._place + 1)

    def taken_back(self, deed: Deed) -> None:
        """Back to what is undecided again."""
        for wish in deed.wishes:
            self._decided.pop(wish.report_id, None)
        ids = [row.id for row in self._queue]
        if deed.wishes and deed.wishes[0].report_id in ids:
            self._go(ids.index(deed.wishes[0].report_id))

    # Reading

    def inbox_moved(self) -> None:
        self._ask()

    def _ask(self) -> None:
        door = self.desk.door
        if door is not None and not self.is_over:
            door.ask(self, REPORT, partial(reporttabs.read, report_id=self._queue[self._place].id))

    def on_told(self, message: Told[Any]) -> None:
        door = self.desk.door
        if door is not None and door.accept(self, message):
            known: Known | None = message.found
            if known is None and not self.is_over:  # it joined another report meanwhile
                del self._queue[self._place]
                self._go(self._place)
            elif (
                known is not None and not self.is_over and known.detail.listed.report.id == self._queue[self._place].id
            ):
                self._known = known
                self._queue[self._place] = Listed(known.detail.listed, self._queue[self._place].refused)
                self._say()

    def on_failed(self, message: Failed) -> None:
        if self.desk.door is not None and self.desk.door.accept(self, message):
            self.say(str(message.error))

    @property
    def entry(self) -> Entry | None:
        return None if self.is_over else self._queue[self._place]

    @property
    def known(self) -> Known | None:
        return self._known

    @property
    def about(self) -> About | None:
        return self._about

    def chosen(self) -> Sequence[Entry]:
        return () if self.is_over else (self._queue[self._place],)

    def others(self) -> Sequence[Listed]:
        return self._others

    # What it says

    def turn_to(self, tab: str) -> None:
        self.tab = tab
        self._say()

    def _say(self) -> None:
        pane, tabs = self.query_one(ReportPane), self.query_one("#tabs", Line)
        title = self.query_one("#title", Line)
        if self.is_over:
            pane.show_page(Page(tuple(self._tally())))
            title.say("Triage", "All seen.")
            tabs.say("")
            self._shown = ("", "")
        else:
            row = self._queue[self._place]
            tab = shown_tab(self.tab, row)
            page = reporttabs.page(tab, row, self._known, self.desk.clock_time, self._key)
            pane.show_page(page, is_same=self._shown == (row.id, tab))
            self._shown = (row.id, tab)
            before = self._decided.get(row.id)
            title.say(
                f"Triage  {self._place + 1} of {len(self._queue)}",
                f"{row.group}{f': {before} already' if before else ''}",
            )
            tabs.say("  ".join(f"[{name}]" if name == tab else f" {name} " for name in tabs_of(row)))
        self.query_one("#legend", Detail).say((self._legend(),))
        self.update_status()

    def _key(self, verb: str) -> str:
        return self.desk.keys.key(verb, self.KEYS) or "the desk that may write"

    def _legend(self) -> list[str]:
        """The keys that mean something now."""
        row, keys = self.entry, self.desk.keys
        if not isinstance(row, Listed):
            return [
                f"{keys.key('back', self.KEYS)} back to the inbox",
                f"{keys.key('triage-previous', self.KEYS)} back one",
            ]
        known, proposal = self._known, row.found.proposal
        step = proposals.next_step(row.found.report, proposal)
        is_open = proposal is not None and proposal.is_open
        lives = {
            "inbox-approve": step is not None,
            "inbox-diff": proposal is not None and bool(proposal.change.get("diff")),
            "inbox-changes": is_open and proposal is not None and proposal.is_built,
            "inbox-comment": is_open and proposal is not None and proposal.number is not None,
            "inbox-stop": proposal is not None and proposal.countdown_until is not None,
            "inbox-release": known is not None and known.is_blocked,
            "inbox-split": known is not None and len(known.signals) > 1,
        }
        words = {**_LEGEND, **({"inbox-approve": step.words} if step else {})}
        found = [(keys.key(name, self.KEYS), said) for name, said in words.items() if lives.get(name, True)]
        return [f"{key} {said}" for key, said in found if key]

    def hints(self) -> Sequence[tuple[str, str]]:
        """The others stand in the legend, as far as they mean something."""
        keys = self.desk.keys
        shown = [verb for verb in keys.on(self.KEYS) if verb.scope == "everywhere" and verb.short]
        return [(keys.key(verb.name, self.KEYS), verb.short) for verb in shown]

    def _tally(self) -> Iterable[Said]:
        ids = {row.id for row in self._queue}
        decided = {id: word for id, word in self._decided.items() if id in ids}
        words = Counter(decided.values())
        yield Said("heading", "All decisions made." if len(decided) == len(ids) else "All seen.")
        yield Said("text", "")
        yield Said("text", f"{counted(len(decided), 'report')} decided")
        for word, count in words.most_common():
            yield Said("text", f"  {count} {word}")
        yield Said("text", f"{counted(len(self._skipped - decided.keys()), 'report')} skipped")
        yield Said("text", f"in {took((self.desk.now() - self._began).total_seconds())}")
        yield Said("text", "")
        yield Said("dim", f"{self.desk.keys.key('back', self.KEYS)} goes back to the inbox.")

    def context(self) -> Sequence[str]:
        parts = (
            self.desk.label,
            f"{len(self._decided)} decided, {len(self._skipped)} skipped",
            "read-only" if self.desk.is_read_only else "",
        )
        return tuple(part for part in parts if part)

    def long_text(self) -> str | None:
        return "\n".join(line.text for line in self.query_one(ReportPane).page.lines) or None

    # Verbs of its own

    def search_for(self, text: str, *, filtered: bool) -> None:
        self.query_one(ReportPane).search(text, filtered=filtered)

    def action_back(self) -> None:
        if self.query_one(ReportPane).is_filtered:
            self.take_filter_off()
        else:
            self.dismiss()

    def action_read(self) -> None:
        """The rounds behind the signal under the cursor."""
        card = self.query_one(ReportPane).card
        if self.is_over:
            self.dismiss()
        elif self.tab != SIGNALS or card is None:
            self.turn_to(SIGNALS)
        elif ids := reporttabs.rounds_of(card):
            self.desk.open_rounds(ids, f"“{plain(card.signal.title, 80)}”", card.signal.occurred_at)
