"""What each pane and screen answers, and what its marks and colours mean: data that `?` shows before the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """`sign` is the name of one of the palette's glyphs, else the text itself; `ink` one of the palette's styles."""

    sign: str
    means: str
    ink: str = "text"


@dataclass(frozen=True, slots=True)
class HelpText:
    title: str
    answers: str
    marks: tuple[Mark, ...] = ()


_BETTER = Mark("up", "better than the time before, by the direction of the project's score", "good")
_WORSE = Mark("down", "worse than the time before", "bad")
_HAPPENED = Mark("flag", "something that happened: a mark of a person or a commit; its rounds before and after", "warn")
_ENDINGS = (
    Mark("ok", "kept", "good"),
    Mark("ring", "reverted", "dim"),
    Mark("fail", "crashed: it has no score", "bad"),
    Mark("dot", "running"),
    Mark("?", "lost: it neither ended nor says anything any more", "warn"),
)

# By the board of a pane, by screen, and by `screen.widget` where a part of a screen has words of its own.
TEXTS: Mapping[str, HelpText] = {
    "headline": HelpText(
        "Headline",
        "Did last night improve on the night before? One line a project: rounds, kept rounds, best score and its "
        "change, dollars, escalations and why its runs stopped. Below it what events leave out.",
        (_BETTER, _WORSE, Mark("dash", "not known, or nothing to compare with", "dim")),
    ),
    "funnel": HelpText(
        "Round funnel",
        "Where do rounds drop off? Each stage with the rounds that reached it, and the share of the stage before.",
        (
            Mark("██", "rounds that reached the stage", "accent"),
            Mark("lost", "rounds of the stage before that did not; coloured at the worst drop", "bad"),
            Mark("up down", "more or fewer than in the time before; coloured only for kept rounds"),
            Mark("not sent", "no loop sends this stage's event, so it counts nothing", "dim"),
        ),
    ),
    "trend": HelpText(
        "Score trend",
        "Did the best score improve over the window? One line a project, with its goal: max or min.",
        (
            _BETTER,
            _WORSE,
            Mark("caret", "the loop's code changed here, with the beginning of its git_sha", "dim"),
            _HAPPENED,
            Mark("sparks", "the best score of each stretch of time, on the project's own scale", "accent"),
        ),
    ),
    "heatmap": HelpText(
        "Dimension heatmap",
        "Which dimension of the score is weakest, and which fell? A row a dimension, the weakest first, over time.",
        (
            Mark("0–9", "tenths of the scale, where there is no room for values; the last line says which", "strong"),
            Mark("zero", "nothing was scored in that stretch of time", "dim"),
            Mark("colour", "the further along the scale, the stronger; the number says the same"),
            _HAPPENED,
            _BETTER,
            _WORSE,
        ),
    ),
    "cost": HelpText(
        "Cost per kept round",
        "What did a kept round cost, against the time before? All dollars of the window by its kept rounds; the last "
        "line names the one source they are counted from.",
        (
            Mark("cheaper", "less per kept round than in the time before", "good"),
            Mark("dearer", "more per kept round", "bad"),
            Mark("sparks", "dollars per kept round over time, from zero: half the height is half the price", "accent"),
            _HAPPENED,
        ),
    ),
    "escalations": HelpText(
        "Escalations",
        "Which bigger models were asked for, how often, when and why? Below each model its reasons.",
        (
            Mark("sparks", "how often in each stretch of time, on one scale for all models", "accent"),
            Mark("zero", "none in that stretch of time", "dim"),
            _HAPPENED,
        ),
    ),
    "stops": HelpText(
        "Stop reasons",
        "Why did the night's runs stop? Each reason with its runs, and the projects that had it.",
        (
            Mark("ok", "an ending as planned: budget, plateau, goal", "dim"),
            Mark("fail", "a run that broke: crash, kill switch", "bad"),
            Mark("ring", "runs that never said why, and send nothing any more", "warn"),
        ),
    ),
    "marked": HelpText(
        "A mark",
        "What a mark changed: each project's rounds in the three days before and after it, fewer where another mark "
        "lies a night away. Words are left out where there are too few rounds to say any.",
        (
            Mark("better", "the best score, by the project's goal", "good"),
            Mark("more", "a larger share of rounds was kept, by more than chance", "good"),
            Mark("unclear", "the shares differ no more than by chance", "dim"),
        ),
    ),
    "morning": HelpText(
        "Morning",
        "What last night did, as a headline and six panes. Every pane answers in words first; the rounds behind "
        "it, its picture, its table and its HogQL are one key away.",
        (
            Mark("focus", "the pane that keys act on", "focus"),
            Mark("12", "the number that opens the rounds behind it", "selected"),
            Mark("stale", "the pane could not be asked again: this is its last answer", "warn"),
        ),
    ),
    "rounds": HelpText(
        "Rounds",
        "Every round of the window, one a row: when, what it tried, how it ended, what it scored and cost. Below the "
        "list all that is known of the round under the cursor, which opens step by step.",
        (
            *_ENDINGS,
            Mark("up down", "delta: better or worse than its baseline; the header's mark is the order of the rows"),
            Mark("~", "a time that was estimated, because the log has none"),
        ),
    ),
    "behind": HelpText(
        "Rounds behind a number",
        "Which rounds make up the number that was opened? The title says which number of which window; the first "
        "column what it is of each round, where there is such a thing. Leaving goes back to the number.",
        _ENDINGS,
    ),
    "boards": HelpText(
        "Boards",
        "The questions beyond Morning's six, and your own, a page of panes at a time. You pick which are shown and in "
        "which order, and both are remembered. Where one figure is in two events, the pane names its source and turns "
        "to the other; no figure adds the two. A question of your own is a .sql file with the catalog's header in the "
        "folder boards of the configuration.",
        (
            Mark("focus", "the pane that keys act on", "focus"),
            Mark("12", "the number that opens the rounds behind it", "selected"),
            Mark("stale", "the pane could not be asked again: this is its last answer", "warn"),
        ),
    ),
    "full": HelpText(
        "Full screen",
        "One pane with all the room there is: its picture, the rows of its answer as a table that sorts, searches and "
        "copies, and the HogQL that was asked.",
        (Mark("[Table]", "the view that is shown"), Mark("up down", "the column that the table is sorted by")),
    ),
    "trace": HelpText(
        "Trace",
        "What happened in this round, step by step: plans, tools, model calls, eval cases and its end. The line above "
        "the rows is the meter: time, cost, tokens and score at the cursor.",
        (
            Mark("██", "when the row happened, in the time of the round", "accent"),
            Mark("ok", "it says that it went well"),
            Mark("fail", "it failed; the word behind it says how", "bad"),
            Mark(
                "?", "something is odd: a return without a call, a clock that is off, an event that came late", "warn"
            ),
        ),
    ),
    "trace.detail": HelpText(
        "What the row says",
        "All properties of the row under the cursor, wrapped, and for a model call its prompt and completion once "
        "it was opened to be read. The keys of a list scroll it.",
    ),
    "compare": HelpText(
        "Comparing rounds",
        "What is different between two rounds of a run? The earlier one on the left, this one on the right, then the "
        "change of each dimension, the largest first.",
        (Mark("up", "better than in the earlier round", "good"), Mark("down", "worse", "bad")),
    ),
    "engine": HelpText(
        "Engine",
        "Whether the engine runs, who judges and what that costs; then, a section each: what it listens to, what it "
        "holds back, what it works on, what it may spend, what it has learned, and what became of your decisions.",
        (
            Mark("[Jobs 2]", "the section that is shown, with the number of its rows", "title"),
            Mark("ok", "on, in use, done", "text"),
            Mark("ring", "off, held, withdrawn, cancelled or undone", "dim"),
            Mark("dot", "waits or runs", "text"),
            Mark("fail", "blocked, failed or refused", "bad"),
        ),
    ),
    "engine.sources": HelpText(
        "Sources",
        "What the engine listens to. A signal of a source weighs what is configured, times what its record says: a "
        "source whose reports are declined more often than they are of use weighs less. A weight by hand wins.",
    ),
    "engine.blocked": HelpText(
        "Blocked signals",
        "Signals with text made to steer whoever reads it, and the words that the filter stopped at. Nothing reads a "
        "blocked signal until you release it; a held one waits for a judgement that could not be had.",
    ),
    "engine.jobs": HelpText(
        "Jobs",
        "What the engine works on, has worked on and will: each attempt is a row. The cost is of the job's report.",
    ),
    "engine.budgets": HelpText(
        "Budgets",
        "What models have cost against what they may. Money is put aside before a request is sent; where a budget is "
        "reached work waits and says so.",
    ),
    "engine.memory": HelpText(
        "Memory",
        "Short notes by key: from what you decline and correct, from outcomes, and what you write. They are given to "
        "research. A withdrawn note is kept, and not given.",
    ),
    "engine.decisions": HelpText(
        "Decisions",
        "The newest decisions from the desk and the command line, and what came of each. For ten seconds one can be "
        "taken back as if it had never been; after that the opposite is sent.",
    ),
    "knobs": HelpText(
        "Knobs",
        "What can be turned without a deploy? Flags that loops read when a round begins, the experiments on them, "
        "budgets and the kill switch, and the marks on the time lines. A change is shown before it is sent; the flag "
        "is read again first, and where somebody else changed it nothing is sent. Undoing sends the opposite, after "
        "the same look.",
        (
            Mark("ok", "on"),
            Mark("ring", "off", "dim"),
            Mark("dash", "known, and not made as a flag yet", "dim"),
            Mark("arrow", "a change is on its way", "warn"),
        ),
    ),
    "knobs.flags": HelpText(
        "Flags",
        "Each with its rollout, its variants and how many rounds of the window saw which. Mixed are rounds during "
        "which the flag changed: they count for no variant.",
    ),
    "knobs.experiments": HelpText(
        "Experiments",
        "Which variant scores better, how sure that is, and what is missing of the plan: each scored round is one "
        "value. The interval holds the difference with 95 %; p is how often chance alone would part the ranks so far. "
        "A flag with variants and no experiment is compared too, but nothing says when to stop looking.",
        (
            Mark("=", "the middle half of the scores"),
            Mark("·", "the rest of them"),
            Mark("│", "the median"),
        ),
    ),
    "knobs.budgets": HelpText(
        "Budgets and the kill switch",
        "Flags that stop loops: while the kill switch is on none begins another round; a budget that is on ends a run "
        "once it has cost so much. Loops read them at the start of each round.",
    ),
    "knobs.annotations": HelpText(
        "Annotations",
        "What happened and when, from people and from commits, the newest first. Of a mark, the rounds in the three "
        "days before it stand beside those after it.",
    ),
    "journal": HelpText(
        "Journal",
        "What this desk and earlier ones did: windows, filters, sortings, copies, exports, refreshes, connections and "
        "what failed. Times are absolute. The newest thousand lines are kept in this workspace; what was copied is "
        "not.",
    ),
    "inbox": HelpText(
        "Inbox",
        "What does the engine want decided? Reports stand under what they ask of you, the most urgent first; each says "
        "in a few words what holds it or what it lacks. A decision can be undone with one key, also after the engine "
        "took it. Done is folded. Blocked are signals that the safety filter stopped. What begins with PostHog is of "
        "that project's own inbox: declined, resolved or snoozed here, it is so there. Triage leaves those out.",
        (
            Mark("P0-P4", "how urgent it is; P0 cannot wait", "strong"),
            Mark("dot", "marked: the next decision is about all that are", "strong"),
            Mark("ring", "decided, and not taken by the engine yet: it can still be undone", "strong"),
            Mark("fail", "what was decided last was refused; the report says why", "strong"),
            Mark("!", "a signal that was stopped: no report and no model reads it", "warn"),
        ),
    ),
    "inbox.detail": HelpText(
        "The report",
        "Its summary and the next step; its proposal with checks, review, conversation and what it did; why it is "
        "where it is; its signals with what was measured; all that happened to it. Among the signals the cursor goes "
        "from one to the next, and the rounds behind it are one key away.",
    ),
    "diff": HelpText(
        "Change of a proposal",
        "What would be merged, as the guard read it: files, hunks, lines. Below a line stands what was said of it, by "
        "the guard, the second agent, at the forge, and by you. Requested changes and comments are about the line "
        "under the cursor. What is approved is the change that is shown: one that took its place is not merged "
        "unseen.",
        (
            Mark("+", "added", "added"),
            Mark("-", "removed", "removed"),
            Mark("┃", "said of the line above it: coloured where it stops the change or needs you", "warn"),
            Mark("ellipsis", "the line goes on to the right", "dim"),
        ),
    ),
    "diff.files": HelpText("Files of the change", "Each with its added and removed lines and how many remarks it has."),
    "triage": HelpText(
        "Triage",
        "One report after the other: those to review, those that ask something, those ready to start. A decision goes "
        "on to the next; below the report stand the keys that mean something for it.",
    ),
    "welcome": HelpText("First screen", "Nothing is stored here yet: four ways to see something."),
}

_OF_SHEETS = (
    Mark("sparks", "the number over time: from zero, or where it stays far above, from its lowest", "accent"),
    _HAPPENED,
    Mark("██", "the share beside it", "accent"),
    Mark("dash", "nobody sent it; never zero in its place", "dim"),
)


def of_board(board: str) -> HelpText:
    """Of one beyond the six: what it asks, and where its figures come from."""
    if board in TEXTS:
        return TEXTS[board]
    from queries.gallery import registry
    from workspace.errors import LoopdeskError

    try:
        asks, source = registry.asks(board), registry.source(board)
    except LoopdeskError as error:
        return HelpText(registry.title(board), str(error))
    words = f"{asks[:1].upper()}{asks[1:]}"
    return HelpText(registry.title(board), f"{words} Its figures are from {source}." if source else words, _OF_SHEETS)
