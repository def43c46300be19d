"""What a person decides at the Engine screen: switching and weighing sources, releasing signals, notes, and consent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tui.engineview import CommandRow, EngineState, consent_question
from tui.inboxdoor import Deed, Wish
from tui.journal import Passing
from tui.messages import Told
from tui.screens.confirming import ConfirmScreen
from tui.screens.enginesections import BLOCKED, DECISIONS, MEMORY, SOURCES, decided
from workspace.text import plain

if TYPE_CHECKING:
    from engine.inbox import SourceRow
    from tui.screens.sectioned import Sectioned
else:
    Sectioned = object

START = "start"


class EngineDeeds(Sectioned):
    """For a screen of sections; a verb acts on the row under the cursor, where the section has such rows."""

    state: EngineState

    # Sources

    def action_switch(self) -> None:
        row = self._row(SOURCES, "switched on and off")
        if row is None:
            return
        to = "off" if row.is_on else "on"
        now = f"It is {'on' if row.is_on else 'off'}{self._by_hand(row)}."
        then = (
            "Its signals so far stay where they are; new ones are not taken in."
            if row.is_on
            else "It begins with its newest signals; those of the time between do not come."
        )
        was = row.state.is_on if row.state else None
        deed = _deed(f"switch {row.title} {to}", row.title, "switch", source=row.source, on=not row.is_on, was=was)
        self._confirm(f"Switch {row.title} {to}?", (now, then), deed)

    def _by_hand(self, row: SourceRow) -> str:
        return ", as configured" if row.state is None or row.state.is_on is None else ", switched by hand"

    def _weigh(self, row: SourceRow) -> None:
        was = row.state.weight_by_hand if row.state else None

        def written(text: str) -> str:
            try:
                weight = float(text) if text else None
            except ValueError:
                weight = -1.0
            if weight is not None and not 0 <= weight <= 1:
                return "A weight is a number from 0 to 1, such as 0.5."
            if weight == was:
                self.say(Passing("Its weight is as it was."))
                return ""
            to = "by its record" if weight is None else f"{weight:g}"
            self.desk.decide(
                _deed(f"weigh {row.title} {to}", row.title, "weigh", source=row.source, weight=weight, was=was)
            )
            return ""

        sentences = (row.why, "From 0 to 1: what its signals weigh of what they would. Empty follows its record.")
        self.write(
            f"Weight of {row.title}", sentences, written, text="" if was is None else f"{was:g}", is_optional=True
        )

    # Blocked signals

    def action_release(self) -> None:
        row = self._row(BLOCKED, "released")
        if row is None:
            return
        found = f" for {row.threat.replace('_', ' ')}: “{row.quote}”" if row.quote else f": {row.why}"
        sentences = (
            f"“{row.signal.title}” was {row.safety}{found}",
            "Once released it is grouped and judged like any other signal, by a model too where one judges. "
            "Work on its report never starts by itself.",
        )
        deed = _deed("release a signal", plain(row.signal.title, 120), "release", signal=row.id)
        self._confirm("Release this signal?", sentences, deed)

    # Memory

    def action_edit_row(self) -> None:
        row = self.list.current
        if row is None or self.section.name not in (SOURCES, MEMORY):
            self.say(Passing("Here is nothing to edit: sources have a weight, and memory has notes."))
        elif self.section.name == SOURCES:
            self._weigh(row)  # type: ignore[arg-type]
        else:
            self._edit(row.note.key, row.note.text)  # type: ignore[attr-defined]

    def action_write(self) -> None:
        def key_written(key: str) -> str:
            found = next((row for row in self.state.notes if row.note.key == key), None)
            self._edit(key, found.note.text if found and found.note.withdrawn_at is None else "")
            return ""

        sentences = ("What is it about? By this key it is found again, such as: scorer of autoagent.",)
        self.write("The key of a note", sentences, key_written)

    def _edit(self, key: str, before: str) -> None:
        def written(text: str) -> str:
            if text == before:
                self.say(Passing("The note is as it was."))
                return ""
            deed = _deed(f"note {plain(key, 80)}", plain(key, 80), "remember", key=key, text=text, **self._was(key))
            self.desk.decide(deed)
            return ""

        sentences = (f"{key}: what should research know? Whoever judges is given it as data.",)
        self.write("A note for the engine", sentences, written, text=before)

    def action_withdraw(self) -> None:
        if self.section.name == DECISIONS and isinstance(self.list.current, CommandRow):
            self._take_back(self.list.current)
            return
        row = self._row(MEMORY, "withdrawn")
        if row is None:
            return
        key = row.note.key
        if row.note.withdrawn_at is not None:
            self.say(Passing("It is withdrawn already; editing it takes it up again."))
            return
        deed = _deed(f"withdraw the note {plain(key, 80)}", plain(key, 80), "forget", key=key, **self._was(key))
        self.desk.decide(deed)

    def _was(self, key: str) -> dict[str, object]:
        """What the note says now, for the way back; nothing where there is none in use."""
        notes = (row.note for row in self.state.notes)
        found = next((note for note in notes if note.key == key and note.withdrawn_at is None), None)
        return {"was": found.text} if found else {}

    # Decisions

    def _take_back(self, row: CommandRow) -> None:
        """Any of them, also of another day or from the command line; `u` knows only what this desk did."""
        command, what = row.command, decided(row.command, row.title)
        if command.undone_at or command.refused_at:
            self.say(Passing("It never happened, so there is nothing to take back."))
            return

        def answered(is_yes: bool | None) -> None:
            if is_yes and self.desk.door is not None:
                wish = Wish(command.verb, command.report_id, row.title or what)
                self.desk.door.take_back(self.desk, Deed(what, (wish,), (command,)), self.desk.now())

        happens = "The opposite is sent." if command.applied_at else "It is not applied yet, and never will be."
        self.app.push_screen(ConfirmScreen("Take this back?", (f"{what}.", happens)), answered)

    # The engine itself

    def action_consent(self) -> None:
        mode = self.state.mode
        if mode is None:
            self.say(self.state.problem or "Nothing is known of the engine yet.")
            return
        if not mode.has_key:
            self.say("There is no model key: set ANTHROPIC_API_KEY, and you are asked before any model is.")
            return
        given = {"estimate_usd": round(mode.estimate.usd, 4), "models": dict(mode.models)}
        if mode.has_consent:
            deed = _deed("say no to a model", "", "consent", answer="no", **given)
            self._confirm("Stop asking a model?", ("Rules judge from then on. What a model found stays.",), deed)
        else:
            deed = _deed("say yes to a model", "", "consent", answer="yes", **given)
            address = plain(self.desk.config.anthropic_url, 200)
            self._confirm("May a model judge?", consent_question(mode, address), deed)

    def action_start(self) -> None:
        door = self.desk.door
        if door is None or self.state.running is not None:
            self.say(Passing("The engine runs already."))
        else:
            self.say(Passing("Starting…"))
            door.ask(self, START, lambda inbox: inbox.start_engine())

    def told_deed(self, message: Told[Any]) -> None:
        if message.job == START:
            self.say("An engine was started; it ends when nobody needs it." if message.found else "The engine runs.")

    # Asking

    def _row(self, section: str, done: str) -> Any:
        """The row under the cursor; None, said in a sentence, where the section is another one or has none."""
        row = self.list.current
        if self.section.name != section or row is None:
            what = {SOURCES: "a source", BLOCKED: "a blocked signal", MEMORY: "a note"}[section]
            self.say(Passing(f"Only {what} can be {done}: see {section}."))
            return None
        return row

    def _confirm(self, title: str, sentences: Sequence[str], deed: Deed) -> None:
        self.confirm(title, sentences, lambda: self.desk.decide(deed))


def _deed(what: str, about: str, verb: str, **arguments: object) -> Deed:
    return Deed(what, (Wish(verb, "", about, arguments),))
