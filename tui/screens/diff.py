"""The change of a proposal, line by line, with what was said of it below its lines; over the report it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.containers import Container
from textual.widget import Widget

from engine.about import About
from engine.diff import Diff
from engine.inbox import Inbox
from engine.model import Proposal
from queries.views.words import counted
from tui import proposals, reporttabs, syntax
from tui.diffrows import counts, headline, printable
from tui.journal import Passing
from tui.messages import Failed, Told
from tui.remarks import remarks
from tui.reports import Entry, Listed
from tui.reporttabs import Known
from tui.screens.base import BaseScreen
from tui.screens.chooser import Choice, Chooser
from tui.screens.proposing import Place, Proposing
from tui.screens.searching import Searching
from tui.widgets.difflist import DiffList, FileList
from tui.widgets.filterbar import Prompt
from tui.widgets.rowlist import RowList
from tui.widgets.statusbar import Line
from workspace.errors import LoopdeskError
from workspace.text import plain

CHANGE = "change"
_HINTS = {
    "leave-diff": "back",
    "choose-file": "files",
    "search": "",
    "next-file": "",
    "next-hunk": "",
    "inbox-comment": "comment",
    "inbox-changes": "request changes",
    "inbox-approve": "",
    "next-remark": "",
    "help": "",
    "quit": "",
}
"""By verb, with the word where it is another one than its own; the one that is longest wanted last."""


@dataclass(frozen=True, slots=True)
class Change:
    """A report as it stands and what its proposal would change. `lexers` by the place of a file."""

    known: Known | None
    diff: Diff | None
    lexers: Mapping[int, Any]


def read(inbox: Inbox, report_id: str, before: Change | None) -> Change:
    """Blocking. What was read before is not read again. Raises `LoopdeskError`."""
    known = reporttabs.read(inbox, report_id)
    proposal = known.detail.listed.proposal if known else None
    if proposal is None or (before is not None and _key(proposal) == _key_of(before)):
        return Change(known, before.diff if before else None, before.lexers if before else {})
    diff = inbox.change(proposal)
    files = enumerate(diff.files) if diff else ()
    found = ((place, syntax.lexer(file.path)) for place, file in files if file.hunks)
    return Change(known, diff, {place: lexer for place, lexer in found if lexer is not None})


def _key(proposal: Proposal) -> str:
    return str(proposal.change.get("diff", ""))


def _key_of(change: Change) -> str:
    proposal = change.known.detail.listed.proposal if change.known else None
    return _key(proposal) if proposal else ""


class DiffScreen(Proposing, Searching, BaseScreen):
    KEYS = "diff"
    CSS_PATH = "../styles/diff.tcss"
    AUTO_FOCUS = "#change"

    def __init__(self, row: Listed, about: About | None) -> None:
        super().__init__()
        self._row, self._about = row, about
        self._change: Change | None = None
        self._news: Change | None = None
        """A change that took the place of the one on screen: it is shown when it is asked for."""
        self._problem = ""
        self._came_from = 0
        """Where the cursor stood when a search began."""

    def content(self) -> Iterable[Widget]:
        yield Line(id="title")
        yield Line(id="where")
        with Container(id="body"):
            yield FileList(self.desk.palette, id="files")
            yield DiffList(self.desk.palette, id="change")

    def on_mount(self) -> None:
        self._ask()
        self._say_title()

    def on_unmount(self) -> None:
        if self.desk.door is not None:
            self.desk.door.cancel(self)

    @property
    def list(self) -> DiffList:
        return self.query_one("#change", DiffList)

    @property
    def files(self) -> FileList:
        return self.query_one("#files", FileList)

    # Reading

    def inbox_moved(self) -> None:
        self._ask()

    def _ask(self) -> None:
        if self.desk.door is not None:
            self.desk.door.ask(self, CHANGE, partial(read, report_id=self._row.id, before=self._change))

    def on_told(self, message: Told[Any]) -> None:
        if self.desk.door is not None and self.desk.door.accept(self, message):
            found: Change = message.found
            if found.known is None or found.diff is None:
                self._problem = (
                    "It is made anew: this is how it was." if self._change else "There is no change any more."
                )
                self._say_title()
            elif self._change is not None and found.diff is not self._change.diff:
                self._news = found
                self._say_title()
            else:
                self._show(found)

    def on_failed(self, message: Failed) -> None:
        if self.desk.door is not None and self.desk.door.accept(self, message):
            self._fails(message.error)

    def _fails(self, problem: LoopdeskError) -> None:
        self._problem = str(problem)
        self.list.empty = self._problem
        self.list.repaint()
        self._say_title()

    def _show(self, found: Change) -> None:
        is_first = self._change is None or self._change.diff is not found.diff
        self._change, self._news, self._problem = found, None, ""
        known, diff, listed = found.known, found.diff, self.list
        assert known is not None and diff is not None
        self._row = Listed(known.detail.listed, self._row.refused)
        proposal = known.detail.listed.proposal
        assert proposal is not None
        said = remarks(proposal, known.detail.artefacts, known.detail.listed.waiting, self.desk.clock_time)
        if is_first or list(listed.remarks) != said:
            listed.show_diff(diff, said, found.lexers)
            self.files.show_files(diff, counts(diff, said))
        self._say_title()
        self._say_where()

    def action_refresh(self) -> None:
        if self._news is not None:
            self._show(self._news)
        else:
            self._ask()
        self.say(Passing("Read again."))

    # What it is about

    @property
    def entry(self) -> Entry | None:
        """As it was on screen: what moved since is refused, and said."""
        return self._row

    @property
    def known(self) -> Known | None:
        return self._change.known if self._change else None

    @property
    def about(self) -> About | None:
        return self._about

    def chosen(self) -> Sequence[Entry]:
        return (self._row,)

    def others(self) -> Sequence[Listed]:
        return ()

    def turn_to(self, tab: str) -> None:
        """It has no tabs."""

    def place(self) -> Place | None:
        at = self.list.at
        return Place(at[0], at[1]) if at is not None and at[1] is not None else None

    # What it says

    def _say_title(self) -> None:
        proposal = self._row.found.proposal
        if proposal is None:
            return
        title = f"Change {proposals.number(proposal)}" if proposal.number is not None else "Change"
        diff = self._change.diff if self._change else None
        parts = [proposals.title(proposal), proposals.state(proposal)]
        if diff is not None:
            parts.insert(1, f"{counted(len(diff.files), 'file')} +{diff.added} −{diff.removed}")
        if self._news is not None:
            again = self.desk.keys.key("read-diff", self.KEYS)
            parts.insert(0, f"It was changed since: {again} shows it as it is now.")
        if self._problem and diff is not None:
            parts.insert(0, self._problem)
        self.query_one("#title", Line).say(title, "  ".join(part for part in parts if part))
        self.update_status()

    def _say_where(self) -> None:
        """The file that the cursor is in: its head may be out of sight."""
        diff, place = self.list.diff, self.list.file
        if diff is None:
            return
        words = headline(diff.files[place]) if place is not None else "About the whole change"
        self.query_one("#where", Line).say("", words)

    def on_row_list_moved(self, message: RowList.Moved) -> None:
        if self.focused is self.files:
            file = self.files.cursor
            if self.list.diff is not None and self.list.file != file:
                self.list.go_to_file(file)
        else:
            self.files.follow(self.list.file)
        self._say_where()

    def context(self) -> Sequence[str]:
        desk = self.desk
        found = len(self.list.laid.starts.get("remark", ())) if self.is_mounted else 0
        parts = (desk.label, counted(found, "remark") if found else "", "read-only" if desk.is_read_only else "")
        return tuple(part for part in parts if part)

    def hints(self) -> Sequence[tuple[str, str]]:
        """What is done here before what is done everywhere."""
        keys = self.desk.keys
        verbs = {verb.name: verb.short for verb in keys.on(self.KEYS)}
        words = {name: said or verbs[name] for name, said in _HINTS.items() if name in verbs}
        return [(key, said) for name, said in words.items() if (key := keys.key(name, self.KEYS))]

    def long_text(self) -> str | None:
        diff = self._change.diff if self._change else None
        if diff is None:
            return None
        lines = ((row, self.list.laid.line(row)) for row in self.list.laid.rows)
        painter = self.list.diff_painter
        return "\n".join(f"{line.sign}{printable(line)[0]}" if line else painter.text(row) for row, line in lines)

    LONG_TEXT_SUFFIX = ".diff"

    # Going about

    def action_step(self, kind: str, step: int) -> None:
        if not self.list.step(kind, step):
            word = {"remark": "finding, point or comment"}.get(kind, kind)
            self.say(Passing(f"No {'further' if step > 0 else 'earlier'} {word}."))

    def action_read(self) -> None:
        """From the files into the change; on the head of a file, fold it."""
        if self.focused is self.files:
            self.list.go_to_file(self.files.cursor)
            self.set_focus(self.list)
        elif self.list.row is not None and self.list.row.kind == "file":
            self.action_fold()

    def action_turn(self) -> None:
        if self.files.display and self.has_class("-wide"):
            self.set_focus(self.list if self.focused is self.files else self.files)

    def action_files(self) -> None:
        diff = self.list.diff
        if diff is None:
            return
        here = self.list.file
        choices = [
            Choice(headline(file), f"+{file.added or 0} −{file.removed or 0}", place, place == here)
            for place, file in enumerate(diff.files)
        ]

        def chosen(place: object) -> None:
            if isinstance(place, int):
                self.list.go_to_file(place)

        self.app.push_screen(Chooser("Go to a file", lambda _: choices, needs_scope=False), chosen)

    def action_fold(self) -> None:
        file = self.list.file
        if file is not None:
            self.list.fold(self.list.folded ^ {file})

    def action_fold_all(self, is_folded: bool) -> None:
        if self.list.diff is not None:
            self.list.fold(range(len(self.list.diff.files)) if is_folded else ())

    def action_sideways(self, step: int) -> None:
        self.list.sideways(step)

    def on_row_list_clicked(self, message: RowList.Clicked) -> None:
        self.action_read()

    def action_back(self) -> None:
        self.dismiss()

    # Searching goes to lines; leaving the others out would take a change apart

    def action_search(self) -> None:
        self.list.fold(())
        self._came_from = self.list.cursor
        super().action_search()

    def search_for(self, text: str, *, filtered: bool) -> None:
        listed = self.list
        listed.query_text = text.casefold()
        listed.go(self._came_from)
        here = listed.row
        if text and here is not None and listed.query_text not in listed.painter.text(here).casefold():
            listed.action_match(1)

    def _say_prompt(self) -> None:
        if isinstance(self.prompt, Prompt):
            key = self.desk.keys.key("next-match", self.KEYS)
            self.say(Passing(f"/{self.prompt.text}_   Enter stays here and {key} goes on, Esc goes back"))

    # Taking it elsewhere

    def action_copy(self) -> None:
        at, row, diff = self.list.at, self.list.row, self.list.diff
        if at is None or row is None or diff is None:
            return
        path, number = at
        line = self.list.laid.line(row)
        choices = [Choice("The path", plain(path, 60), path)]
        if number is not None:
            choices.insert(0, Choice("Path and line", str(number), f"{path}:{number}"))
        if line is not None:
            choices.insert(0, Choice("The line", plain(line.text, 60), printable(line)[0]))
        if row.hunk >= 0:
            hunk = diff.files[row.file].hunks[row.hunk]
            text = "\n".join(f"{one.sign}{printable(one)[0]}" for one in hunk.lines)
            choices.append(Choice("The hunk", counted(len(hunk.lines), "line"), text))
        chooser = Chooser("Copy", lambda _: choices, needs_scope=False)
        self.app.push_screen(chooser, lambda text: self._copy(text) if isinstance(text, str) else None)

    def _copy(self, text: str) -> None:
        self.say(self.desk.copy(text, "of the change"))
