"""What a human can decide about a report: the verbs, their arguments, and which verb takes which back.

Checked at the door, where a person can still mend it, and once more by the engine, because a row is only data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from engine.model import Command
from workspace.errors import LoopdeskError

GRACE = timedelta(seconds=10)
"""How long a command can be undone before the engine takes it."""
MOST_NOTE = 4_000
MOST_NAME = 300
MOST_SIGNALS = 1_000
# Why a report is declined (the public reference's list), and the words for it.
REASONS: Mapping[str, str] = {
    "already_fixed": "it is fixed already",
    "report_unclear": "the report is unclear",
    "analysis_wrong": "the analysis is wrong",
    "wontfix_intentional": "it is meant to be so",
    "wontfix_irrelevant": "it does not matter",
    "other": "for another reason",
    "wrong_repo": "it looked in the wrong repository",
}
EXPECTS = ("start", "push", "merge")
# They say something about a report whatever became of it meanwhile, or are meaningful in one state only.
NEVER_STALE = ("context", "withdraw", "wake", "reopen", "release")
WITHOUT_REPORT = ("release", "remember", "forget", "weigh", "switch", "consent")
"""Verbs about the engine rather than a report. `release` is about a signal, or about a report that was blocked."""


class BadCommand(LoopdeskError):
    """A verb or argument that there is not."""


def instant(text: object) -> datetime:
    """An ISO 8601 time with its zone. Raises `BadCommand`."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadCommand(f"{str(text)[:40]!r} is not a time", do="Write it as 2026-11-26T08:00:00+00:00")
    return found


def check(verb: str, report_id: str, arguments: Mapping[str, object]) -> None:
    """Raises `BadCommand` with a sentence for whoever typed it."""
    checked = _CHECKS.get(verb)
    if checked is None:
        raise BadCommand(f"There is no command {verb[:40]!r}", do=f"Known are {', '.join(_CHECKS)}")
    if not report_id and verb not in WITHOUT_REPORT:
        raise BadCommand(f"{verb} needs a report")
    checked(arguments)


def _approve(arguments: Mapping[str, object]) -> None:
    if arguments.get("expect") not in EXPECTS:
        raise BadCommand("What is approved has to be said", do=f"Expect one of {', '.join(EXPECTS)}")


def _decline(arguments: Mapping[str, object]) -> None:
    if arguments.get("reason") not in REASONS:
        raise BadCommand("Declining needs a reason", do=f"Use one of {', '.join(REASONS)}")
    _note(arguments)


def _context(arguments: Mapping[str, object]) -> None:
    _note(arguments)
    if not str(arguments.get("note", "")).strip():
        raise BadCommand("There is no text to add", do="Write what the engine should know")


def _said(arguments: Mapping[str, object]) -> None:
    """What is said on a proposal, of a line of its diff where `path` and `line` are given."""
    _context(arguments)
    path, line = arguments.get("path"), arguments.get("line")
    if path is None and line is None:
        return
    if not isinstance(path, str) or not path or type(line) is not int or line < 1:
        raise BadCommand("A place in a diff is a path and a line number")


def _snooze(arguments: Mapping[str, object]) -> None:
    until, signals = arguments.get("until"), arguments.get("signals")
    if (until is None) == (signals is None):
        raise BadCommand("Snoozing needs an end", do="Give a time, or a number of further signals")
    if until is not None:
        instant(until)
    elif type(signals) is not int or not 1 <= signals <= MOST_SIGNALS:
        raise BadCommand(f"The number of further signals must be from 1 to {MOST_SIGNALS:,}")


def _join(arguments: Mapping[str, object]) -> None:
    if not isinstance(arguments.get("into"), str) or not arguments["into"]:
        raise BadCommand("Joining needs the report to join it into")


def _split(arguments: Mapping[str, object]) -> None:
    signals, joined = arguments.get("signals"), arguments.get("report")
    if isinstance(joined, str) and joined and signals is None:
        return
    if not isinstance(signals, list | tuple) or not signals or not all(isinstance(id, str) for id in signals):
        raise BadCommand("Splitting needs the signals that go", do="Name at least one")


def _release(arguments: Mapping[str, object]) -> None:
    _named(arguments, "signal", "Releasing needs the signal, or a report that was blocked", is_optional=True)


def _remember(arguments: Mapping[str, object]) -> None:
    _named(arguments, "key", "A note needs a key to find it by")
    if not str(arguments.get("text", "")).strip():
        raise BadCommand("There is no text to remember", do="Write what the engine should know")
    _note({"note": arguments["text"]})


def _forget(arguments: Mapping[str, object]) -> None:
    _named(arguments, "key", "Forgetting needs the note's key")


def _weigh(arguments: Mapping[str, object]) -> None:
    _named(arguments, "source", "Weighing needs the source")
    weight = arguments.get("weight")
    if weight is not None and not (type(weight) in (int, float) and 0 <= weight <= 1):  # type: ignore[operator]
        raise BadCommand("A source's weight is from 0 to 1", do="Leave it out to have it follow its record")


def _switch(arguments: Mapping[str, object]) -> None:
    _named(arguments, "source", "Switching needs the source")
    if arguments.get("on") not in (True, False, None):
        raise BadCommand("A source is switched on or off", do="Leave it out to have it as configured")


def _consent(arguments: Mapping[str, object]) -> None:
    if arguments.get("answer") not in ("yes", "no"):
        raise BadCommand("Whether a model may be called is answered with yes or no")


def _named(arguments: Mapping[str, object], name: str, otherwise: str, *, is_optional: bool = False) -> None:
    value = arguments.get(name)
    if is_optional and value is None:
        return
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MOST_NAME:
        raise BadCommand(otherwise)


def _withdraw(arguments: Mapping[str, object]) -> None:
    if not isinstance(arguments.get("undoes"), str) or not arguments["undoes"]:
        raise BadCommand("Withdrawing needs the command that is taken back")


def _note(arguments: Mapping[str, object]) -> None:
    note = arguments.get("note", "")
    if not isinstance(note, str) or len(note) > MOST_NOTE:
        raise BadCommand(f"A note is text of at most {MOST_NOTE:,} characters")


_CHECKS: Mapping[str, Callable[[Mapping[str, object]], None]] = {
    "approve": _approve,
    "decline": _decline,
    "context": _context,
    "snooze": _snooze,
    "wake": _note,
    "resolve": _note,
    "reopen": _note,
    "join": _join,
    "split": _split,
    "release": _release,
    "research": _note,
    "withdraw": _withdraw,
    "request_changes": _said,
    "comment": _said,
    "stop": _note,
    "revert": _note,
    "acknowledge": _note,
    "remember": _remember,
    "forget": _forget,
    "weigh": _weigh,
    "switch": _switch,
    "consent": _consent,
}
VERBS = tuple(_CHECKS)


def inverse(command: Command) -> tuple[str, str, dict[str, object]] | None:
    """Verb, report and arguments of what takes an applied command back; None where nothing does.

    What a `remember`, `forget`, `weigh` or `switch` replaced is its argument `was`; without it nothing was there.
    """
    undoes: dict[str, object] = {"undoes": command.id}
    given = command.arguments
    if command.verb in ("remember", "forget"):
        verb = "remember" if given.get("was") else "forget"
        return verb, "", {"key": given["key"], **({"text": given["was"]} if given.get("was") else {}), **undoes}
    if command.verb == "weigh":
        return "weigh", "", {"source": given["source"], "weight": given.get("was"), "was": given.get("weight")} | undoes
    if command.verb == "switch":
        return "switch", "", {"source": given["source"], "on": given.get("was"), "was": given.get("on")} | undoes
    if command.verb == "consent":
        return "consent", "", {**given, "answer": "no" if given["answer"] == "yes" else "yes", **undoes}
    if command.verb in ("decline", "resolve"):
        return "reopen", command.report_id, undoes
    if command.verb == "snooze":
        return "wake", command.report_id, undoes
    if command.verb in ("context", "approve"):
        return "withdraw", command.report_id, undoes
    if command.verb == "join":
        return "split", str(command.arguments["into"]), {"report": command.report_id, **undoes}
    if command.verb == "split" and "signals" in command.arguments:
        return "join", command.id, {"into": command.report_id, **undoes}
    return None
