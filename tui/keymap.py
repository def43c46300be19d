"""Every key of the desk, in one table.

The keys a screen obeys, its `?` help, the command palette, the README's key table and the user's own keys are all
read from here. Keys are matched by `Keymap.press` rather than by Textual's bindings, which know no sequences (`gg`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.strokes import parse, spell
from workspace.errors import LoopdeskError


@dataclass(frozen=True, slots=True)
class Verb:
    """`keys` are comma separated: named keys (`tab`, `ctrl+p`), characters (`?`, `G`) and sequences (`gg`).

    `action` is a Textual action; `short` is the word for the status line, empty where it is not shown there. What
    `writes` may change a file or a setting: a read-only desk does not bind it.
    """

    name: str
    keys: str
    scope: str
    help: str
    action: str
    short: str = ""
    writes: bool = False


# Scope -> its heading. A key may mean two things only in scopes that no screen has together.
SCOPES: Mapping[str, str] = {
    "everywhere": "Everywhere",
    "screens": "Screens",
    "boards": "Morning, Rounds and Boards",
    "answers": "Panes and rounds",
    "tables": "Boards, lists of rounds, full screens",
    "panes": "Morning and Boards",
    "gallery": "Boards",
    "full": "Full screen",
    "rounds": "Rounds",
    "proposal": "Inbox, triage and changes",
    "deciding": "Inbox and triage",
    "inbox": "Inbox",
    "triage": "Triage",
    "diff": "Change of a proposal",
    "trace": "Trace",
    "compare": "Comparing rounds",
    "sections": "Engine and Knobs",
    "engine": "Engine",
    "knobs": "Knobs",
    "journal": "Journal",
    "list": "Lists",
    "sorted": "Tables",
    "welcome": "First screen",
    "dialog": "Dialogs",
    "confirm": "Questions",
    "note": "Notes",
    "marked": "A mark",
    "form": "Forms",
    "reading": "Help and marks",
}

# Screen -> its scopes, the most particular one first: the order of `?`.
REACHABLE: Mapping[str, tuple[str, ...]] = {
    "morning": ("panes", "boards", "answers", "screens", "everywhere"),
    "rounds": ("rounds", "list", "sorted", "tables", "boards", "answers", "screens", "everywhere"),
    "behind": ("rounds", "list", "sorted", "tables", "answers", "screens", "everywhere"),
    "full": ("full", "list", "sorted", "tables", "boards", "answers", "screens", "everywhere"),
    "inbox": ("inbox", "proposal", "deciding", "list", "sorted", "screens", "everywhere"),
    "triage": ("triage", "proposal", "deciding", "list", "screens", "everywhere"),
    "diff": ("diff", "proposal", "list", "screens", "everywhere"),
    "trace": ("trace", "list", "screens", "everywhere"),
    "compare": ("compare", "list", "screens", "everywhere"),
    "engine": ("engine", "sections", "list", "screens", "everywhere"),
    "knobs": ("knobs", "sections", "list", "screens", "everywhere"),
    "boards": ("gallery", "panes", "tables", "boards", "answers", "screens", "everywhere"),
    "journal": ("journal", "list", "screens", "everywhere"),
    "welcome": ("welcome", "everywhere"),
    "dialog": ("dialog",),
    "confirm": ("confirm",),
    "note": ("note",),
    "form": ("form",),
    "help": ("reading",),
    "marked": ("marked", "reading"),
}

VERBS: tuple[Verb, ...] = (
    Verb("morning", "1", "screens", "Morning: last night on six boards", "app.go('morning')"),
    Verb("rounds", "2", "screens", "Rounds: one row a round", "app.go('rounds')"),
    Verb("inbox", "3", "screens", "Inbox: reports by what they ask of you", "app.go('inbox')"),
    Verb("engine", "4", "screens", "Engine: sources, blocked signals, jobs, budgets, memory", "app.go('engine')"),
    Verb("knobs", "5", "screens", "Knobs: flags, experiments, budgets, annotations", "app.go('knobs')"),
    Verb("boards", "6", "screens", "Boards: the other questions, and your own", "app.go('boards')"),
    Verb("back", "escape", "screens", "Back to where you came from", "screen.back"),
    Verb("help", "?", "everywhere", "Help: what is in focus, its marks and its keys", "app.help", short="help"),
    Verb("palette", "ctrl+p,:", "everywhere", "Command palette: find a command by its name", "app.palette"),
    Verb("edit", "ctrl+e", "everywhere", "Read what is long in $VISUAL or $EDITOR", "app.edit", writes=True),
    Verb("undo", "u", "everywhere", "Undo: a decision, window, filter, sorting or search", "app.undo"),
    Verb("redo", "U", "everywhere", "Redo what was undone", "app.redo"),
    Verb("journal", "@", "everywhere", "Journal: what the desk did, the newest first", "app.journal"),
    Verb("suspend", "ctrl+z", "everywhere", "Suspend to the shell; fg comes back", "app.suspend_process"),
    Verb("quit", "q,ctrl+c", "everywhere", "Quit", "app.quit", short="quit"),
    Verb(
        "window", "w", "boards", "Window: last night, 24 hours, 7 days, 30 days or one run", "screen.window", "window"
    ),
    Verb("filter", "f", "boards", "Filter by project or client", "screen.filter", short="filter"),
    Verb(
        "full", "+", "boards", "Full screen: the picture, its table and its HogQL", "screen.full", short="full screen"
    ),
    Verb("copy", "y", "answers", "Copy what is under the cursor", "screen.copy"),
    Verb("refresh", "r", "answers", "Ask again for this pane", "screen.refresh_pane"),
    Verb("refresh-all", "R", "answers", "Ask again for all panes", "screen.refresh_all"),
    Verb(
        "export-rows",
        "e",
        "tables",
        "Export the rows as CSV or JSON, or their HogQL",
        "screen.export",
        "export",
        writes=True,
    ),
    Verb("next-pane", "tab", "panes", "Next pane", "screen.next_pane(1)"),
    Verb("previous-pane", "shift+tab", "panes", "Previous pane", "screen.next_pane(-1)"),
    Verb("pane-up", "up,k", "panes", "The number above; past the first one the pane above", "screen.step(0, -1)"),
    Verb("pane-down", "down,j", "panes", "The number below; past the last one the pane below", "screen.step(0, 1)"),
    Verb("pane-left", "left,h", "panes", "The number or the pane to the left", "screen.step(-1, 0)"),
    Verb("pane-right", "right,l", "panes", "The number or the pane to the right", "screen.step(1, 0)"),
    Verb("jump", ";", "panes", "Jump to a pane by its letter", "screen.jump"),
    Verb("open", "enter", "panes", "Open the rounds behind the number, or all of the window", "screen.open", "rounds"),
    Verb("pick-boards", "p", "gallery", "Pick which boards are shown", "screen.pick", short="pick"),
    Verb("board-earlier", "<", "gallery", "Move the pane one place earlier", "screen.shift(-1)"),
    Verb("board-later", ">", "gallery", "Move the pane one place later", "screen.shift(1)"),
    Verb("other-source", "s", "gallery", "The same figure from its other source", "screen.other_source", "source"),
    Verb("next-page", "],pagedown", "gallery", "Next page of panes", "screen.page(1)"),
    Verb("previous-page", "[,pageup", "gallery", "Previous page of panes", "screen.page(-1)"),
    Verb("next-view", "tab", "full", "Next of picture, table and HogQL", "screen.turn(1)", short="table, HogQL"),
    Verb("previous-view", "shift+tab", "full", "Previous of picture, table and HogQL", "screen.turn(-1)"),
    Verb("jump-to-view", ";", "full", "Jump to a view by its letter", "screen.jump"),
    Verb("spot-left", "left,h", "full", "The number to the left in the picture", "screen.step(-1, 0)"),
    Verb("spot-right", "right,l", "full", "The number to the right in the picture", "screen.step(1, 0)"),
    Verb("open-row", "enter", "full", "Open the rounds behind the number or the row", "screen.open", "rounds"),
    Verb("open-trace", "enter", "rounds", "Open the round step by step", "screen.open", short="trace"),
    Verb(
        "inbox-approve",
        "a",
        "proposal",
        "Approve the next step, after it was named: start, push or merge",
        "screen.approve",
        "approve",
        True,
    ),
    Verb("inbox-decline", "d", "proposal", "Decline, with a reason and a note", "screen.decline", "decline", True),
    Verb("inbox-context", "c", "proposal", "Add context: an answer, a hint", "screen.context", "context", True),
    Verb("inbox-changes", "p", "proposal", "Request changes of a proposal, at its line", "screen.changes", "", True),
    Verb("inbox-comment", "C", "proposal", "Comment on the proposal, at its line", "screen.comment", "", True),
    Verb("inbox-stop", "H", "proposal", "Halt the countdown: no round by itself", "screen.stop", writes=True),
    Verb("inbox-revert", "V", "proposal", "Propose to take back what was merged", "screen.revert", writes=True),
    Verb("inbox-acknowledge", "A", "proposal", "The outcome was seen", "screen.acknowledge", writes=True),
    Verb("inbox-snooze", "s", "deciding", "Snooze until a time or more signals", "screen.snooze", "snooze", True),
    Verb("inbox-resolve", "v", "deciding", "Resolve: it is done with", "screen.resolve", writes=True),
    Verb("inbox-join", "J", "deciding", "Join another report; marked ones join this", "screen.join", writes=True),
    Verb("inbox-split", "X", "deciding", "Split signals off as a report of their own", "screen.split", writes=True),
    Verb("inbox-release", "L", "deciding", "Release what the safety filter stopped", "screen.release", writes=True),
    Verb("inbox-research", "i", "deciding", "Have it researched again", "screen.research", writes=True),
    Verb("inbox-diff", "D", "deciding", "Diff: the change of the proposal, line by line", "screen.diff"),
    Verb("inbox-agent", "t", "deciding", "Trace: how an agent went about it, the newest first", "screen.agent"),
    Verb("next-tab", "]", "deciding", "Next of summary, proposal, why, signals and history", "screen.tab(1)"),
    Verb("previous-tab", "[", "deciding", "Previous of summary, proposal, why, signals, history", "screen.tab(-1)"),
    Verb("copy-report", "y", "deciding", "Copy the report", "screen.copy"),
    Verb("inbox-link", "o", "deciding", "Show and copy where else it can be seen", "screen.link"),
    Verb("triage", "T", "inbox", "Triage: one report after the other", "screen.triage", "triage", True),
    Verb("mark", "x", "inbox", "Mark the report; a decision is then about all that are marked", "screen.mark"),
    Verb(
        "read-report",
        "enter",
        "inbox",
        "Read the report, fold the group, open a signal's rounds",
        "screen.read",
        "read",
    ),
    Verb("report-half", "tab,shift+tab", "inbox", "Between the list and the report", "screen.turn"),
    Verb("fold-group", "za", "inbox", "Fold or unfold the group", "screen.fold"),
    Verb("filter-inbox", "f", "inbox", "Filter by project or status", "screen.filter", short="filter"),
    Verb("export-inbox", "e", "inbox", "Export the reports as CSV or JSON", "screen.export", writes=True),
    Verb("read-inbox", "r", "inbox", "Read the inbox again", "screen.refresh"),
    Verb("skip", "space,right", "triage", "Skip: on to the next report", "screen.skip", "skip"),
    Verb("triage-previous", "backspace,left", "triage", "The report before", "screen.previous", "back one"),
    Verb("triage-rounds", "enter", "triage", "The signals, then the rounds behind one", "screen.read"),
    Verb("next-file", "}", "diff", "The next file", "screen.step('file', 1)", short="file"),
    Verb("previous-file", "{", "diff", "The file before", "screen.step('file', -1)"),
    Verb("next-hunk", "]", "diff", "The next hunk", "screen.step('hunk', 1)", short="hunk"),
    Verb("previous-hunk", "[", "diff", "The hunk before", "screen.step('hunk', -1)"),
    Verb("next-remark", "!", "diff", "The next finding, point or comment", "screen.step('remark', 1)", short="finding"),
    Verb("choose-file", "f", "diff", "Go to a file by its name", "screen.files"),
    Verb("open-file", "enter", "diff", "Go into the file, fold or unfold it", "screen.read"),
    Verb("fold-file", "za", "diff", "Fold or unfold the file", "screen.fold"),
    Verb("unfold-files", "zR", "diff", "Unfold all files", "screen.fold_all(False)"),
    Verb("fold-files", "zM", "diff", "Fold all files", "screen.fold_all(True)"),
    Verb("sideways", "right,l", "diff", "The rest of long lines", "screen.sideways(1)"),
    Verb("sideways-back", "left,h", "diff", "Back to the beginning of long lines", "screen.sideways(-1)"),
    Verb("diff-half", "tab,shift+tab", "diff", "Between the files and the change", "screen.turn"),
    Verb("copy-place", "y", "diff", "Copy the line, its place or the path", "screen.copy"),
    Verb("diff-link", "o", "diff", "Show and copy where else it can be seen", "screen.link"),
    Verb("leave-diff", "D", "diff", "Back to the report", "screen.back"),
    Verb("read-diff", "r", "diff", "Read the change again", "screen.refresh"),
    Verb("play", "space", "trace", "Play the round, or pause", "screen.play", short="play"),
    Verb("step", ".", "trace", "Step to what happened next", "screen.step(1)"),
    Verb("step-back", "comma", "trace", "Step back to what happened before", "screen.step(-1)"),
    Verb("faster", ">", "trace", "Play faster", "screen.speed(1)"),
    Verb("slower", "<", "trace", "Play slower", "screen.speed(-1)"),
    Verb("scrub", "right", "trace", "Forward by a twentieth of the round's time", "screen.scrub(1)"),
    Verb("scrub-back", "left", "trace", "Back by a twentieth of the round's time", "screen.scrub(-1)"),
    Verb("next-round", "}", "trace", "The next round of the run", "screen.other_round(1)"),
    Verb("previous-round", "{", "trace", "The round before it in the run", "screen.other_round(-1)"),
    Verb("next-error", "!", "trace", "Next error", "screen.next('error')", short="error"),
    Verb("next-generation", "m", "trace", "Next model call", "screen.next('generation')"),
    Verb("next-case", "C", "trace", "Next eval case", "screen.next('case')"),
    Verb(
        "errors-only",
        "E",
        "trace",
        "Only errors, retries, escalations and regressions; again shows all",
        "screen.errors_only",
    ),
    Verb("kinds", "t", "trace", "Only rows of some kinds", "screen.kinds"),
    Verb("fold", "za", "trace", "Fold or unfold the row", "screen.fold"),
    Verb("unfold-all", "zR", "trace", "Unfold all rows", "screen.unfold_all"),
    Verb("fold-all", "zM", "trace", "Fold all rows", "screen.fold_all"),
    Verb("fold-to-depth", "z1,z2,z3,z4,z5,z6,z7,z8,z9", "trace", "Fold to a depth", "screen.fold_to_depth"),
    Verb("follow", "F", "trace", "Follow a round that runs: rows appear as events arrive", "screen.follow"),
    Verb("compare", "v", "trace", "Compare with the round before it", "screen.compare", short="compare"),
    Verb("read", "enter", "trace", "Read the row in full, with prompt and completion", "screen.read", short="read"),
    Verb("other-half", "tab,shift+tab", "trace", "Between the rows and what the row says", "screen.turn"),
    Verb("copy-trace", "y", "trace", "Copy the row, what it says, its prompt or the link", "screen.copy"),
    Verb("link", "o", "trace", "Show and copy where else the round can be seen", "screen.link"),
    Verb("export", "e", "trace", "Export as text, Markdown or JSON", "screen.export", "export", writes=True),
    Verb("read-again", "r", "trace", "Ask for the round again", "screen.refresh"),
    Verb("earlier-side", "{", "compare", "Compare with the round before that", "screen.other(-1)", short="earlier"),
    Verb("later-side", "}", "compare", "Compare with the round after that", "screen.other(1)", short="later"),
    Verb("leave-compare", "v", "compare", "Back to the trace", "screen.back"),
    Verb("copy-compare", "y", "compare", "Copy the sentence", "screen.copy"),
    Verb("next-section", "tab", "engine", "Next section", "screen.turn(1)", short="sections"),
    Verb("previous-section", "shift+tab", "sections", "Previous section", "screen.turn(-1)"),
    Verb("jump-to-section", ";", "sections", "Jump to a section by its letter", "screen.jump"),
    Verb(
        "switch",
        "space",
        "engine",
        "Switch a source on or off, after a look at what that changes",
        "screen.switch",
        "on, off",
        writes=True,
    ),
    Verb("edit-row", "i", "engine", "Edit a source's weight or a note", "screen.edit_row", "edit", writes=True),
    Verb("release", "L", "engine", "Release a blocked signal", "screen.release", writes=True),
    Verb("write-note", "a", "engine", "Write a note for the engine", "screen.write", "note", writes=True),
    Verb("withdraw", "d", "engine", "Withdraw a note, or take a decision back", "screen.withdraw", writes=True),
    Verb("consent", "c", "engine", "Answer whether a model may judge", "screen.consent", writes=True),
    Verb("start-engine", "E", "engine", "Start an engine that ends when nobody needs it", "screen.start", writes=True),
    Verb("read-row", "enter", "engine", "Read all of a row, or open the report of a job", "screen.open", "read"),
    Verb("copy-row", "y", "sections", "Copy the row", "screen.copy"),
    Verb("ask-engine", "r", "sections", "Ask again", "screen.refresh"),
    Verb("next-knobs", "tab", "knobs", "Next section", "screen.turn(1)", short="sections"),
    Verb(
        "switch-knob",
        "space",
        "knobs",
        "Switch a flag, start or end an experiment, after a look",
        "screen.switch",
        "on, off",
        writes=True,
    ),
    Verb("edit-knob", "i", "knobs", "Edit a flag's rollout or a budget", "screen.edit_row", "edit", writes=True),
    Verb("annotate", "A", "knobs", "Annotate: mark a moment", "screen.annotate", "annotate", writes=True),
    Verb("read-knob", "enter", "knobs", "Read all of a row; of a mark, before and after it", "screen.open", "read"),
    Verb("knobs-window", "w", "knobs", "Window in which rounds are counted", "screen.window"),
    Verb("knobs-filter", "f", "knobs", "Count rounds of a project or client only", "screen.filter"),
    Verb("copy-note", "y", "journal", "Copy the line", "screen.copy"),
    Verb("down", "down,j", "list", "Next row", "focused.move(1)"),
    Verb("up", "up,k", "list", "Previous row", "focused.move(-1)"),
    Verb("page-down", "pagedown,ctrl+f", "list", "Next page", "focused.page(1)"),
    Verb("page-up", "pageup,ctrl+b", "list", "Previous page", "focused.page(-1)"),
    Verb("top", "gg,home", "list", "First row", "focused.edge(-1)"),
    Verb("bottom", "G,end", "list", "Last row", "focused.edge(1)"),
    Verb("search", "/", "list", "Show only rows that contain a text", "screen.search", short="search"),
    Verb("next-match", "n", "list", "Next row with the text", "focused.match(1)"),
    Verb("previous-match", "N", "list", "Previous row with the text", "focused.match(-1)"),
    Verb("sort", "S", "sorted", "Sort by a column; the same column again turns the order round", "screen.sort", "sort"),
    Verb("demo", "d", "welcome", "Open the demo: a simulated weekend of three loops", "app.demo", "demo", writes=True),
    Verb("connect", "c", "welcome", "Connect a PostHog project", "app.connect", "connect PostHog", writes=True),
    Verb("engine-first", "4", "welcome", "Engine: sources, jobs, budgets, memory", "app.go('engine')"),
    Verb("inbox-first", "3", "welcome", "Inbox: reports by what they ask of you", "app.go('inbox')", short="inbox"),
    Verb("reconnect", "", "boards", "Connect a PostHog project, or another one", "app.connect", writes=True),
    Verb("embedded", "", "boards", "Look at the embedded store instead of PostHog", "app.embedded"),
    Verb("next-field", "tab,down", "form", "Next field", "screen.move(1)"),
    Verb("previous-field", "shift+tab,up", "form", "Previous field", "screen.move(-1)"),
    Verb("submit", "enter", "form", "Next field; on the last one, try and keep it", "screen.submit", short="try it"),
    Verb("leave-form", "escape,ctrl+c", "form", "Close without keeping anything", "screen.back", short="close"),
    Verb("choose-down", "down,ctrl+n", "dialog", "Next choice", "screen.move(1)"),
    Verb("choose-up", "up", "dialog", "Previous choice", "screen.move(-1)"),
    Verb("choose-page-down", "pagedown", "dialog", "Next page of choices", "screen.move(10)"),
    Verb("choose-page-up", "pageup", "dialog", "Previous page of choices", "screen.move(-10)"),
    Verb("choose", "enter", "dialog", "Take the choice", "screen.choose", short="choose"),
    Verb("cancel", "escape,ctrl+c", "dialog", "Close without choosing", "screen.back", short="close"),
    Verb("confirm", "enter,y", "confirm", "Do it", "screen.confirm", short="do it"),
    Verb("refuse", "escape,n,ctrl+c", "confirm", "Close without doing it", "screen.back", short="leave it"),
    Verb("confirm-down", "down,j", "confirm", "Scroll down", "focused.move(1)"),
    Verb("confirm-up", "up,k", "confirm", "Scroll up", "focused.move(-1)"),
    Verb("send", "enter", "note", "Send what was written", "screen.send", short="send"),
    Verb("write", "ctrl+e", "note", "Write it in $VISUAL or $EDITOR", "screen.write", short="editor", writes=True),
    Verb("note-down", "down", "note", "Scroll down", "focused.move(1)"),
    Verb("note-up", "up", "note", "Scroll up", "focused.move(-1)"),
    Verb("leave-note", "escape,ctrl+c", "note", "Close without sending anything", "screen.back", short="close"),
    Verb("later-mark", "right,l", "marked", "The mark after this one", "screen.other(1)", short="later"),
    Verb("earlier-mark", "left,h", "marked", "The mark before this one", "screen.other(-1)", short="earlier"),
    Verb("read-down", "down,j", "reading", "Scroll down", "focused.move(1)"),
    Verb("read-up", "up,k", "reading", "Scroll up", "focused.move(-1)"),
    Verb("read-page-down", "pagedown,space", "reading", "Scroll a page down", "focused.page(1)", "more"),
    Verb("read-page-up", "pageup", "reading", "Scroll a page up", "focused.page(-1)"),
    Verb("read-top", "gg,home", "reading", "Scroll to the beginning", "focused.edge(-1)"),
    Verb("read-bottom", "G,end", "reading", "Scroll to the end", "focused.edge(1)"),
    Verb("close", "escape,q,?,enter,ctrl+c", "reading", "Close", "screen.back", short="close"),
)


class Keymap:
    """The table with the user's own keys put in: `overrides` are verb name -> keys, "" for none. `read_only` leaves out
    every verb that writes: it is bound nowhere and offered nowhere.

    Raises `LoopdeskError` for a verb that does not exist and for a key with two meanings on one screen.
    """

    def __init__(
        self,
        overrides: Mapping[str, str] | None = None,
        verbs: Sequence[Verb] = VERBS,
        *,
        read_only: bool = False,
    ) -> None:
        overrides = overrides or {}
        known = {verb.name for verb in verbs}
        for name, keys in overrides.items():
            if name not in known:
                raise LoopdeskError(
                    f"[keys] in the configuration names {name!r}, but there is no such command",
                    do=f"Commands are {', '.join(sorted(known))}",
                )
            if not isinstance(keys, str):
                raise LoopdeskError(f"[keys] in the configuration gives {name!r} {keys!r}", do='Write "j,down"')
        self._strokes = {verb.name: parse(overrides.get(verb.name, verb.keys)) for verb in verbs}
        # With all verbs, so that keys which are good today are good without --read-only too.
        for clash in conflicts(verbs, self._strokes):
            raise LoopdeskError(
                f"On the screen {clash.screen} the key {clash.key} would mean both {clash.one!r} and {clash.other!r}",
                "Each key of a screen has one meaning",
                "Change one of them under [keys] in the configuration",
            )
        self.verbs = tuple(verb for verb in verbs if not (read_only and verb.writes))
        self._left_out = tuple(verb for verb in verbs if read_only and verb.writes)

    def press(self, screen: str, typed: tuple[str, ...]) -> Verb | bool:
        """The verb that the typed keys mean on `screen`; True while they may still become one, else False."""
        may_follow = False
        for verb in self.on(screen):
            for stroke in self._strokes[verb.name]:
                if stroke == typed:
                    return verb
                may_follow |= stroke[: len(typed)] == typed
        return may_follow

    def on(self, screen: str) -> tuple[Verb, ...]:
        """The verbs of a screen, the most particular scope first."""
        scopes = REACHABLE[screen]
        return tuple(sorted((v for v in self.verbs if v.scope in scopes), key=lambda v: scopes.index(v.scope)))

    def refused(self, screen: str, typed: tuple[str, ...]) -> Verb | None:
        """The verb that the keys would mean here if the desk were not read-only."""
        scopes = REACHABLE[screen]
        left_out = (verb for verb in self._left_out if verb.scope in scopes)
        return next((verb for verb in left_out if typed in self._strokes[verb.name]), None)

    def spelled(self, verb: Verb) -> str:
        """The verb's keys as people read them."""
        return " ".join(spell(stroke) for stroke in self._strokes[verb.name])

    def key(self, name: str, screen: str) -> str:
        """The first key of a verb, as people read it; empty where the screen does not have it."""
        strokes = self._strokes[name] if any(verb.name == name for verb in self.on(screen)) else ()
        return spell(strokes[0]) if strokes else ""

    def hints(self, screen: str) -> list[tuple[str, str]]:
        """(key, word) of the verbs that the status line shows."""
        shown = [verb for verb in self.on(screen) if verb.short and self._strokes[verb.name]]
        return [(spell(self._strokes[verb.name][0]), verb.short) for verb in shown]


def screen_name(screen: str) -> str:
    """As a sentence names it: by its most particular scope, which of Morning is the panes' that Boards has too."""
    return "Morning" if screen == "morning" else SCOPES[REACHABLE[screen][0]]


@dataclass(frozen=True, slots=True)
class Clash:
    screen: str
    key: str
    one: str
    other: str


def conflicts(verbs: Sequence[Verb], strokes: Mapping[str, tuple[tuple[str, ...], ...]]) -> list[Clash]:
    """Keys with two meanings on one screen, and sequences that begin with another verb's key."""
    found: dict[tuple[str, str, str], Clash] = {}
    for screen, scopes in REACHABLE.items():
        pressed: dict[str, list[tuple[tuple[str, ...], str]]] = {}  # by the first key
        for stroke, name in ((stroke, v.name) for v in verbs if v.scope in scopes for stroke in strokes[v.name]):
            earlier = pressed.setdefault(stroke[0], [])
            for other_stroke, other in earlier:
                shorter, longer = sorted((other_stroke, stroke), key=len)
                if name != other and longer[: len(shorter)] == shorter:
                    clash = Clash(screen_name(screen), spell(shorter), other, name)
                    found.setdefault((clash.key, other, name), clash)
            earlier.append((stroke, name))
    return list(found.values())


def readme_table(keymap: Keymap | None = None) -> str:
    """The key table of the README, as Markdown."""
    keymap = keymap or Keymap()
    lines = ["| where | keys | what |", "| --- | --- | --- |"]
    for scope, heading in SCOPES.items():
        for place, verb in enumerate(verb for verb in keymap.verbs if verb.scope == scope):
            keys = " ".join(f"`{key}`" for key in keymap.spelled(verb).split())
            lines.append(f"| {heading if not place else ''} | {keys} | {verb.help} |")
    return "\n".join(lines) + "\n"
