"""The verbs of the inbox, for a screen that shows reports: each asks what it has to, and submits what was decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.about import About
from engine.verbs import REASONS
from queries.views.words import counted
from tui.inboxdoor import Deed, Wish
from tui.journal import Passing
from tui.proposals import closing
from tui.reports import Entry, Listed, Stopped, stopped_words, title
from tui.reporttabs import SUMMARY, Known, agents_runs, link_of, shown_tab, tabs_of
from tui.screens.chooser import Choice, Chooser
from tui.screens.confirming import ConfirmScreen
from tui.screens.noting import NoteScreen
from tui.screens.picking import Picker
from workspace.text import plain

if TYPE_CHECKING:
    from tui.screens.base import BaseScreen
else:
    BaseScreen = object

_MOST_NAMED = 7  # of many reports, in a question about all of them
_LONGEST_TITLE, _LONGEST_NAME, _LONGEST_QUESTION = 70, 44, 400


class Deciding(BaseScreen):
    """A screen says which entries a verb is about, and which of them is looked at."""

    tab = SUMMARY

    @property
    def entry(self) -> Entry | None:
        """What is looked at."""
        raise NotImplementedError

    @property
    def known(self) -> Known | None:
        """All about it, once it was read."""
        raise NotImplementedError

    @property
    def about(self) -> About | None:
        """What the engine said of itself."""
        raise NotImplementedError

    def chosen(self) -> Sequence[Entry]:
        """What a verb is about: what is marked, else what is looked at."""
        raise NotImplementedError

    def others(self) -> Sequence[Listed]:
        """The reports that one could be joined into."""
        raise NotImplementedError

    def turn_to(self, tab: str) -> None:
        raise NotImplementedError

    def action_tab(self, step: int) -> None:
        tabs = tabs_of(self.entry)
        self.turn_to(tabs[(tabs.index(shown_tab(self.tab, self.entry)) + step) % len(tabs)])

    # Verbs

    def action_decline(self) -> None:
        if reports := self._reports():
            choices = [Choice(words, "", reason) for reason, words in REASONS.items()]
            chooser = Chooser(f"Decline {named(reports)}, because", lambda _: choices, needs_scope=False)
            self.app.push_screen(chooser, lambda reason: self._decline_for(reports, reason))

    def _decline_for(self, reports: Sequence[Listed], reason: object) -> None:
        if not isinstance(reason, str):
            return
        sentences = [
            f"Declining because {REASONS[reason]}. A note is kept with the report and in the engine's memory.",
            *([closes] if (closes := closing(row.found.proposal for row in reports)) else []),
            "Enter without a note declines as it is. Esc declines nothing.",
        ]

        def noted(text: str | None) -> None:
            if text is not None:
                given = {"reason": reason, **({"note": text} if text else {})}
                self.desk.decide(self._deed("decline", reports, "declined", given, f": {REASONS[reason]}"))

        self.app.push_screen(NoteScreen(f"Decline {named(reports)}", sentences, is_optional=True), noted)

    def action_context(self) -> None:
        if not (reports := self._reports()):
            return
        asked = plain(reports[0].found.report.question, _LONGEST_QUESTION) if len(reports) == 1 else ""
        sentences = [f"It asks: {asked}"] if asked else []
        sentences += [_goes_where(self.about), "ctrl+e writes more of it in your editor. Enter sends it."]

        def noted(text: str | None) -> None:
            if text:
                self.desk.decide(self._deed("context", reports, "added context to", {"note": text}))

        self.app.push_screen(NoteScreen(f"Context for {named(reports)}", sentences), noted)

    def action_snooze(self) -> None:
        if reports := self._reports():
            choices = snooze_choices(self.desk.now(), self.desk.zone, self.desk.clock_time)
            chooser = Chooser(f"Snooze {named(reports)}", lambda _: choices, needs_scope=False)

            def snooze(choice: object) -> None:
                if isinstance(choice, tuple):
                    words, given = choice
                    self.desk.decide(self._deed("snooze", reports, "snoozed", given, f" {words}"))

            self.app.push_screen(chooser, snooze)

    def action_resolve(self) -> None:
        if not (reports := self._reports()):
            return
        if closes := closing(row.found.proposal for row in reports):
            deed = partial(self._deed, "resolve", reports, "resolved", {})
            self._confirm("Resolve?", [f"Resolve {titles(reports)}.", closes], deed)
        else:
            self._decide_at_once("resolve", reports, "resolved")

    def action_research(self) -> None:
        if reports := self._reports():
            self._decide_at_once("research", reports, "asked to research again")

    def _decide_at_once(self, verb: str, reports: Sequence[Listed], words: str) -> None:
        """What undoing takes back is not asked about first, unless it is about many."""
        deed = partial(self._deed, verb, reports, words, {})
        if len(reports) == 1:
            self.desk.decide(deed())
        else:
            named = [f"“{_short(row)}”" for row in reports[:_MOST_NAMED]]
            rest = len(reports) - len(named)
            more = [f"and {rest:,} more"] if rest else []
            self._confirm(f"{verb.capitalize()} {counted(len(reports), 'report')}?", [*named, *more], deed)

    def action_join(self) -> None:
        """Those that are marked into the one under the cursor; one alone into another that is chosen."""
        looked_at = self.entry
        marked = [row for row in self._reports() if looked_at is None or row.id != looked_at.id]
        if isinstance(looked_at, Listed) and marked:
            self._confirm_join(marked, looked_at)
        elif isinstance(looked_at, Listed):
            choices = [Choice(title(row), row.found.status, row) for row in self.others() if row.id != looked_at.id]
            chooser = Chooser(f"Join {named([looked_at])} into", lambda _: choices, needs_scope=False)
            self.app.push_screen(
                chooser, lambda into: self._confirm_join([looked_at], into) if isinstance(into, Listed) else None
            )
        elif looked_at is not None:
            self._not_a_report()

    def _confirm_join(self, reports: Sequence[Listed], into: Listed) -> None:
        sentences = [
            f"{titles(reports)} becomes part of {titles([into])}: its signals move there.",
            "The engine learns that they are the same problem. Undoing it splits them again.",
        ]
        deed = partial(self._deed, "join", reports, "joined", {"into": into.id}, f" into “{_short(into)}”")
        self._confirm("Join?", sentences, deed)

    def action_split(self) -> None:
        row, known = self.entry, self.known
        if not isinstance(row, Listed):
            self._not_a_report()
        elif known is None:
            self.say(Passing("Its signals are still being read."))
        elif len(known.signals) < 2:
            self.say(Passing("It has one signal only: there is nothing to split off."))
        else:
            choices = [
                Choice(plain(one.signal.title, 200), self.desk.clock_time(one.signal.occurred_at), one.id)
                for one in known.signals
            ]

            def split(ids: object) -> None:
                if isinstance(ids, tuple) and ids:
                    words = f" {counted(len(ids), 'signal')}"
                    self.desk.decide(self._deed("split", [row], f"split{words} off", {"signals": list(ids)}))

            self.app.push_screen(Picker("Split off which signals?", choices, "Split off"), split)

    def action_release(self) -> None:
        row, known = self.entry, self.known
        if isinstance(row, Stopped):
            sentences = [
                f"“{plain(title(row), 200)}” was stopped: {stopped_words(row.found)}",
                "Released, it is grouped like any other signal, and a model may read it.",
            ]
            wish = Wish("release", "", title(row), {"signal": row.id})
            deed = partial(Deed, f"released the signal “{plain(title(row), _LONGEST_TITLE)}”", (wish,))
            self._confirm("Release this signal?", sentences, deed)
        elif isinstance(row, Listed) and known is not None and known.is_blocked:
            blocked = known.newest("safety_blocked")
            quote = plain(blocked.content.get("quote", ""), 300) if blocked else ""
            sentences = [
                f"The safety check of {titles([row])} stopped at: “{quote}”" if quote else row.found.why,
                "Released, it is researched with the texts that it has, and a model may read them.",
            ]
            self._confirm("Release this report?", sentences, partial(self._deed, "release", [row], "released", {}))
        elif row is not None:
            self.say(Passing("Nothing about it is blocked."))

    # Taking it elsewhere

    def action_copy(self) -> None:
        row = self.entry
        if isinstance(row, Listed):
            words = [title(row), row.id, row.found.status, row.found.report.summary or row.found.why]
            self.say(self.desk.copy("\t".join(plain(word) for word in words), "the report"))
        elif isinstance(row, Stopped):
            self.say(self.desk.copy(f"{title(row)}\t{row.id}\t{stopped_words(row.found)}", "the signal"))

    def action_agent(self) -> None:
        """The runs of a report are read like the rounds of a run: one after the other."""
        runs = agents_runs(self.known.detail.artefacts) if self.known else []
        if runs:
            self.desk.open_trace(runs[-1], runs)
        else:
            self.say(Passing("No agent has looked into this."))

    def action_link(self) -> None:
        row = self.entry
        proposal = row.found.proposal if isinstance(row, Listed) else None
        if proposal is not None and proposal.url:
            self.say(self.desk.copy(proposal.url, "the proposal's link"))
            return
        signals = self.known.signals if self.known else [row.found] if isinstance(row, Stopped) else []
        link = next((url for one in signals if (url := link_of(one))), "")
        if link:
            self.say(self.desk.copy(link, "the link"))
        elif isinstance(row, Listed):
            self.say(self.desk.copy(f"loopdesk inbox show {row.id}", "the command that prints it"))

    # What all of them need

    def _reports(self) -> list[Listed]:
        """The reports that a verb is about; where there are none, why not is said."""
        found = [row for row in self.chosen() if isinstance(row, Listed)]
        if not found and self.entry is not None:
            self._not_a_report()
        return found

    def _not_a_report(self) -> None:
        key = self.desk.keys.key("inbox-release", self.KEYS)
        self.say(Passing(f"This is a signal that was stopped, not a report: {key} releases it."))

    def _confirm(self, heading: str, sentences: Sequence[str], deed: Callable[[], Deed]) -> None:
        def confirmed(is_wanted: bool | None) -> None:
            if is_wanted:
                self.desk.decide(deed())

        self.app.push_screen(ConfirmScreen(heading, sentences), confirmed)

    def _deed(
        self,
        verb: str,
        reports: Sequence[Listed],
        words: str,
        given: Mapping[str, object],
        more: str = "",
        *,
        sha: str = "",
        at_once: bool = False,
    ) -> Deed:
        """With the versions that are on screen, and of a change its `sha`: what has moved since is refused."""
        wishes = [
            Wish(verb, row.id, f"“{_short(row)}”", dict(given), row.found.report.version, sha, at_once)
            for row in reports
        ]
        return Deed(f"{words} {titles(reports)}{more}", tuple(wishes))


def _short(row: Entry) -> str:
    return plain(title(row), _LONGEST_TITLE)


def titles(rows: Sequence[Entry]) -> str:
    return f"“{_short(rows[0])}”" if len(rows) == 1 else counted(len(rows), "report")


def named(rows: Sequence[Entry]) -> str:
    """For the first line of a dialog."""
    return f"“{plain(title(rows[0]), _LONGEST_NAME)}”" if len(rows) == 1 else counted(len(rows), "report")


def _goes_where(about: About | None) -> str:
    """Who reads what is about to be sent, as things are."""
    if about is not None and about.judge != "rules":
        return f"Exactly this text goes to the engine in this workspace, and as context to the model ({about.judge})."
    return (
        "Exactly this text goes to the engine in this workspace. Rules judge now, so it goes nowhere else; with a "
        "model key and your yes it is sent to the model as context."
    )


def snooze_choices(now: datetime, zone: ZoneInfo, clock_time: Callable[[datetime], str]) -> list[Choice]:
    """Until a morning, or until more signals have come. Each value is (words, arguments)."""
    local = now.astimezone(zone)
    morning = local.replace(hour=8, minute=0, second=0, microsecond=0)
    choices = []
    # Wall-clock arithmetic: eight in the morning, also where the clocks are changed on the way.
    for label, days in (("Until tomorrow, 8:00", 1), ("For 3 days", 3), ("For a week", 7)):
        until = morning + timedelta(days=days)
        choices.append(Choice(label, clock_time(until), (f"until {clock_time(until)}", {"until": until.isoformat()})))
    for number in (1, 3, 10):
        more = f"until {counted(number, 'more signal')}"
        choices.append(Choice(f"{more[0].upper()}{more[1:]}", "", (more, {"signals": number})))
    return choices
